//! Errors and notices, as libpq words them.

use std::io::{self, Write};

use engine_sql::{Notice, SqlError};

pub(super) fn notice(out: &mut impl Write, notice: &Notice) -> io::Result<()> {
    writeln!(out, "{}:  {}", notice.severity, notice.message)?;
    field(out, "DETAIL", notice.detail.as_deref())
}

/// `text` is the statement that was sent.
pub(super) fn error(out: &mut impl Write, text: &str, error: &SqlError) -> io::Result<()> {
    let circumstances = error.circumstances.as_deref();
    for said in circumstances.iter().flat_map(|circumstances| &circumstances.notices) {
        notice(out, said)?;
    }
    writeln!(out, "ERROR:  {}", error.message)?;
    if let Some(position) = error.position {
        place(out, text, position as usize)?;
    }
    field(out, "DETAIL", error.detail.as_deref())?;
    field(out, "HINT", error.hint.as_deref())?;
    let context = circumstances.map(|circumstances| circumstances.context.join("\n"));
    field(out, "CONTEXT", context.as_deref().filter(|lines| !lines.is_empty()))
}

fn field(out: &mut impl Write, name: &str, value: Option<&str>) -> io::Result<()> {
    match value {
        Some(value) => writeln!(out, "{name}:  {value}"),
        None => Ok(()),
    }
}

/// How much of a line is shown, and how much of it behind the place of the error.
const SHOWN: usize = 60;
const SHOWN_BEHIND: usize = 10;

/// `LINE 1: SELECT …` with a caret under the place; long lines are cut as libpq cuts them.
fn place(out: &mut impl Write, text: &str, position: usize) -> io::Result<()> {
    let position = text.floor_char_boundary(position);
    let number = text[..position].matches('\n').count() + 1;
    let start = text[..position].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[position..]
        .find('\n')
        .map_or(text.len(), |newline| position + newline);
    let line: Vec<char> = text[start..end]
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect();
    let caret = text[start..position].chars().count();

    let (mut from, mut to) = (0, line.len());
    if to > SHOWN {
        if SHOWN >= caret + SHOWN_BEHIND {
            to = SHOWN;
        } else {
            to = to.min(caret + SHOWN_BEHIND);
            from = to.saturating_sub(SHOWN);
        }
    }
    let before = if from > 0 { "..." } else { "" };
    let after = if to < line.len() { "..." } else { "" };
    let label = format!("LINE {number}: {before}");
    let shown: String = line[from..to].iter().collect();
    writeln!(out, "{label}{shown}{after}")?;
    writeln!(out, "{}^", " ".repeat(label.len() + caret - from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from psql 15.
    #[test]
    fn long_lines_are_cut_around_the_place() {
        let near_start = format!("SELECT x, {}1;", "1 + ".repeat(30));
        let near_end = format!("SELECT {} x, 1 + 1 + 1 + 1 + 1;", "1 + ".repeat(30));
        for (text, position, expected) in [
            (
                near_start.as_str(),
                7,
                concat!(
                    "LINE 1: SELECT x, 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 ...\n",
                    "               ^\n"
                ),
            ),
            (
                near_end.as_str(),
                128,
                concat!(
                    "LINE 1: ... 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 +  x, 1 + 1 +...\n",
                    "                                                             ^\n"
                ),
            ),
            ("SELECT\n\tx", 8, "LINE 2:  x\n         ^\n"),
        ] {
            let mut out = Vec::new();
            place(&mut out, text, position).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
