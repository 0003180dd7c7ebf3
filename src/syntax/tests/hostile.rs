//! No text makes the parser panic, and every error points into the text.

use base::random::Stream;
use syntax::{Dialect, line_column, parse_script, print, split_script};

/// Cut, doubled, swapped and sprinkled with what lexers trip over.
fn mutated(text: &str, random: &mut Stream) -> String {
    const SPRINKLES: [&str; 24] = [
        "'", "\"", "$$", "$a$", "E'\\", "/*", "--", "*/", "\0", "é", "0x", "1e", "::", ":x", "..", "(", ")", "[", "@",
        "||/", "U&'\\", "\u{a0}", "$1a", "\r",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(chars.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => chars.truncate(at),
            1 => drop(chars.drain(at..(at + random.below(9) as usize).min(chars.len()))),
            2 => {
                let copy: Vec<char> = chars[at..].iter().take(random.below(20) as usize).copied().collect();
                chars.splice(at..at, copy);
            }
            _ => drop(chars.splice(at..at, SPRINKLES[random.below(24) as usize].chars())),
        }
    }
    chars.into_iter().collect()
}

#[test]
fn mutated_statements_are_answered() {
    let lines: Vec<&str> = include_str!("not_parsed.txt")
        .lines()
        .filter_map(|line| line.split_once(" ⇒ "))
        .map(|(sql, _)| sql)
        .chain(include_str!("../../../tests/golden/select.sql").lines())
        .chain(include_str!("../../../tests/golden/syntax_errors.sql").lines())
        .chain(["@external(latency = '80 ms') CALL pay(:id); SELECT a INTO :x FROM t; EXPECT 1 ROW; ABORT WHEN :x < 1"])
        .collect();
    for seed in 0..20_000 {
        let mut random = Stream::new(seed, "hostile", 0);
        let text = mutated(lines[random.below(lines.len() as u64) as usize], &mut random);
        for dialect in [Dialect::Postgres, Dialect::Scenario] {
            match parse_script(&text, dialect) {
                Ok(items) => {
                    for item in items {
                        assert!(
                            text.get(item.span.start as usize..item.span.end as usize).is_some(),
                            "seed {seed}"
                        );
                        print(&item.statement);
                    }
                }
                Err(error) => {
                    let span = error.span;
                    let inside = text.get(span.start as usize..span.end as usize).is_some();
                    assert!(inside, "seed {seed}: {error} at {span:?} of {text:?}");
                    line_column(&text, span.start);
                }
            }
        }
        let pieces = split_script(&text);
        assert!(pieces.iter().all(|(piece, _)| !piece.is_empty()), "seed {seed}");
    }
}
