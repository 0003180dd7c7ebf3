//! A person types: at every moment the file is half written, and every moment has an answer. Nothing here may
//! panic, and whatever is refused is refused at a place that exists.

use base::random::Stream;

const FILES: [&str; 3] = [
    include_str!("../../../public/scenarios/sign-up.toml"),
    include_str!("../../../tests/scenarios/shop.toml"),
    include_str!("../../../tests/scenarios/school.toml"),
];

fn check(text: &str) {
    let parsed = scenario::parse(text);
    let lines: Vec<&str> = text.split('\n').collect();
    for diagnostic in &parsed.diagnostics {
        let place = diagnostic.place;
        let line = lines.get(place.line.wrapping_sub(1) as usize);
        let width = line.map(|line| line.chars().count());
        let exists = width.is_some_and(|width| (1..=width + 1).contains(&(place.column as usize)));
        assert!(
            exists,
            "{diagnostic} is nowhere in a text of {} lines:\n{text}",
            lines.len()
        );
        assert!(!diagnostic.message.is_empty());
    }
    let refused = parsed.errors().next().is_some();
    assert_eq!(parsed.scenario.is_none(), refused, "refused with a reason, or read");
}

/// The nearest character boundary at or before.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[test]
fn half_a_file_is_answered() {
    for text in FILES {
        for end in (0..text.len()).step_by(17) {
            check(&text[..boundary(text, end)]);
        }
    }
}

#[test]
fn changed_files_are_answered() {
    let words = [
        "",
        "(",
        ")",
        "'",
        "\"",
        "\"\"\"",
        "[",
        "]",
        ",",
        ";",
        ":x",
        ".",
        "=",
        "-1",
        "0",
        "99999999999999999999",
        "zipf(",
        " per ",
        "NULL",
        "SELECT",
        "FROM",
        "auth.users",
        "\n",
        "\r\n",
        "\\",
        "\\u00e4",
        "ä",
        "--",
        "/*",
        "@pivot",
        "EXPECT 1 ROW;",
        "INTO :id",
        "tenant",
        "{",
        "}",
        "#",
        "[[operation]]\n",
        "''",
        "$1",
        "*",
    ];
    let mut stream = Stream::new(5, "mutations", 0);
    for _ in 0..4_000 {
        let mut text = FILES[stream.below(3) as usize].to_owned();
        for _ in 0..=stream.below(3) {
            let start = boundary(&text, stream.below(text.len() as u64) as usize);
            let cut = stream.below(12) * stream.below(2);
            let end = boundary(&text, (start + cut as usize).min(text.len()));
            text.replace_range(start..end, words[stream.below(words.len() as u64) as usize]);
        }
        check(&text);
    }
}

#[test]
fn windows_line_ends_keep_their_places() {
    for text in FILES {
        let parsed = scenario::parse(&text.replace('\n', "\r\n"));
        assert_eq!(parsed.diagnostics, []);
    }
    let broken = include_str!("../../../tests/scenarios/bad/names.toml");
    let unix = scenario::parse(broken).diagnostics;
    assert_eq!(scenario::parse(&broken.replace('\n', "\r\n")).diagnostics, unix);
}

#[test]
fn what_is_nested_or_large_beyond_reason_is_refused() {
    let file = |sql: &str| {
        format!(
            "title = 'x'\n[schema]\nsql = 'CREATE TABLE a.t (n int PRIMARY KEY)'\n[[operation]]\nname = 'x'\nsql = '{sql}'\n"
        )
    };
    let deep = file(&format!(
        "SELECT {}1{} FROM a.t",
        "(".repeat(20_000),
        ")".repeat(20_000)
    ));
    let chain = file(&format!("SELECT n FROM a.t WHERE {} n = 1", "n = 1 OR ".repeat(8_000)));
    let tables = "a = ".to_owned() + &"[".repeat(10_000);
    let long = "#".repeat(scenario::MAX_FILE_BYTES + 1);
    for text in [deep, tables, long] {
        let errors = scenario::parse(&text).diagnostics;
        assert!(!errors.is_empty() && errors.len() < 10, "{errors:?}");
    }
    check(&chain);
}
