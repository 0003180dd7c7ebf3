//! Golden scripts of one session.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use base::Time;
use syntax::Dialect;

use engine_sql::{Output, Progress, Server, ServerConfig, SessionId, SqlError};

/// Runs one statement to its end; flushes what it asks for.
pub(super) fn run(server: &mut Server, session: SessionId, statement: &syntax::Statement) -> Result<Output, SqlError> {
    server.start_parsed(session, statement, &[], Time::ZERO);
    loop {
        match server.resume(session, Time::ZERO, &mut 1_000_000) {
            Progress::Done(result) => return result,
            Progress::Flush(lsn) => server.flushed(lsn),
            Progress::OutOfFuel => {}
            Progress::Blocked(blocker) => panic!("one session alone waits for {}", blocker.what),
        }
    }
}

/// As `psql -X -q -A` prints it.
pub(super) fn show(result: &Result<Output, SqlError>) -> String {
    let mut text = String::new();
    match result {
        Ok(output) => {
            for notice in &output.notices {
                let _ = writeln!(text, "{}:  {}", notice.severity, notice.message);
                if let Some(detail) = &notice.detail {
                    let _ = writeln!(text, "DETAIL:  {detail}");
                }
            }
            if !output.columns.is_empty() {
                let names: Vec<&str> = output.columns.iter().map(|column| &*column.name).collect();
                let _ = writeln!(text, "{}", names.join("|"));
                for row in &output.rows {
                    let values: Vec<String> = row
                        .iter()
                        .map(|value| {
                            if value.is_null() {
                                "∅".into()
                            } else {
                                value.to_string()
                            }
                        })
                        .collect();
                    let _ = writeln!(text, "{}", values.join("|"));
                }
                let rows = output.rows.len();
                let _ = writeln!(text, "({rows} row{})", if rows == 1 { "" } else { "s" });
            }
        }
        Err(refusal) => {
            let _ = writeln!(text, "ERROR:  {}: {}", refusal.sqlstate, refusal.message);
            if let Some(detail) = &refusal.detail {
                let _ = writeln!(text, "DETAIL:  {detail}");
            }
        }
    }
    text
}

/// Runs a script, each statement's text before what it gives.
fn play(script: &str) -> String {
    let mut server = Server::new(ServerConfig::default());
    let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    let mut transcript = String::new();
    for text in statements(script) {
        let _ = writeln!(transcript, "> {text}");
        match syntax::parse_statement(text, Dialect::Postgres) {
            Ok(statement) => transcript.push_str(&show(&run(&mut server, session, &statement))),
            Err(refusal) => transcript.push_str(&show(&Err(*Box::<SqlError>::from(refusal)))),
        }
    }
    transcript
}

/// Statements end with a semicolon at a line's end.
fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split(";\n").map(str::trim).filter(|text| !text.is_empty())
}

/// What a real server prints, brought to the same form.
fn record(script: &str, connection: &str) -> String {
    let mut transcript = String::new();
    let mut input = String::from(
        "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n\\pset null '∅'\n\\pset format unaligned\nSET client_min_messages = notice;\nDROP SCHEMA IF EXISTS public CASCADE;\nCREATE SCHEMA public;\n\\echo @@@begin\n",
    );
    for text in statements(script) {
        let _ = writeln!(input, "\\echo '@@@'\n{text};");
    }
    let path = std::env::temp_dir().join("adr-lab-record.sql");
    std::fs::write(&path, input).expect("a temporary file");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("psql -X -q \"{connection}\" -f {} 2>&1", path.display()))
        .output()
        .expect("psql");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed = printed.split_once("@@@begin\n").map_or("", |(_, rest)| rest);
    for (text, result) in statements(script).zip(printed.split("@@@\n").skip(1)) {
        let _ = writeln!(transcript, "> {text}");
        for line in result.lines() {
            let line = strip_place(line);
            let noise = NOISE.iter().any(|prefix| line.starts_with(prefix)) || line.trim() == "^";
            if !noise && !line.is_empty() {
                let _ = writeln!(transcript, "{line}");
            }
        }
    }
    transcript
}

/// Lines that say where, or guess what was meant.
const NOISE: &[&str] = &[
    "LOCATION:",
    "LINE ",
    "HINT:",
    "SCHEMA NAME:",
    "TABLE NAME:",
    "COLUMN NAME:",
    "CONSTRAINT NAME:",
    "DATATYPE NAME:",
];

/// `psql:file:12: ERROR:  …` without its place; a notice without its SQLSTATE.
fn strip_place(line: &str) -> String {
    let bare = match line.strip_prefix("psql:") {
        Some(rest) => rest.splitn(3, ':').nth(2).unwrap_or(rest).trim_start(),
        None => line,
    };
    for severity in ["NOTICE:  ", "WARNING:  "] {
        if let Some(message) = bare.strip_prefix(severity) {
            return format!(
                "{severity}{}",
                message.split_once(": ").map_or(message, |(_, message)| message)
            );
        }
    }
    bare.to_owned()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

#[test]
fn scripts_print_what_postgresql_printed() {
    let connection = std::env::var("ADR_LAB_RECORD").ok();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    paths.sort();
    let mut differences = String::new();
    for path in paths {
        let script = std::fs::read_to_string(&path).expect("a script");
        let expected_path = path.with_extension("out");
        if let Some(connection) = &connection {
            std::fs::write(&expected_path, record(&script, connection)).expect("a recording");
        }
        let expected = std::fs::read_to_string(&expected_path).expect("a recording");
        compare(&path.display().to_string(), &expected, &play(&script), &mut differences);
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Statement by statement, so that one difference does not hide the others.
fn compare(path: &str, expected: &str, found: &str, differences: &mut String) {
    for (expected, found) in expected.split("\n> ").zip(found.split("\n> ")) {
        if expected.trim_end() != found.trim_end() {
            let _ = writeln!(differences, "{path}\n--- PostgreSQL\n{expected}\n--- here\n{found}\n");
        }
    }
}
