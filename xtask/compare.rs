//! What the compiled designs do on a real PostgreSQL: 15, and the 18 that a page can ask.
//!
//! `adr-lab compile … --sql` writes a design out as a script for psql. The script runs on a temporary server and on
//! our engine; both must print the same rows, the same row counts and the same errors, statement by statement.
//! `adr-lab probe … --sql` does the same for what a probe asked; its queries have no order, so that lines are
//! compared sorted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::eighteen::Eighteen;
use crate::postgres::Postgres;
use crate::shell::{Failure, Result, root};
use crate::site;

/// The designs whose whole state is one database.
const DESIGNS: [&str; 2] = ["schemas-in-one-database", "shared-tables-with-row-level-security"];

/// Probes that have a meaning on them.
const PROBES: [(&str, &str); 4] = [
    (DESIGNS[0], "forgotten-filter"),
    (DESIGNS[1], "forgotten-filter"),
    (DESIGNS[1], "reused-connection"),
    (DESIGNS[1], "runs-as-owner"),
];

/// Scenarios with tenants.
const BUILT_IN: [&str; 3] = ["sign-up", "shop-orders", "school-timetable"];

const DATABASE: &str = "comparison";

/// How many were compared, and what differs, a text each.
pub(crate) type Compared = Result<(u64, Vec<String>)>;

/// Every scenario of the project on a PostgreSQL 15.
pub(crate) fn on_fifteen(program: &Path, server: &Postgres) -> Compared {
    compare(program, |script| {
        server.fresh_database(DATABASE)?;
        server.drop_roles(&roles(script))?;
        output(&mut server.psql(DATABASE), script)
    })
}

/// And on PGlite, which is new for each of them.
pub(crate) fn on_eighteen(program: &Path, server: &Eighteen) -> Compared {
    compare(program, |script| output(&mut server.psql()?, script))
}

fn compare(program: &Path, real: impl Fn(&str) -> Result<String>) -> Compared {
    let mut compared = 0;
    let mut differing = Vec::new();
    for scenario in scenarios()? {
        for design in DESIGNS {
            let script = output(
                adr_lab(program, &["compile"])
                    .arg(&scenario)
                    .args(["--architecture", design, "--sql"]),
                "",
            )?;
            let (ours, real) = (ours(program, &script)?, real(&script)?);
            compared += 1;
            if ours != real {
                let name = scenario.strip_prefix(root()).unwrap_or(&scenario).display();
                differing.push(format!("{name} on {design}: {}", first_difference(&real, &ours)));
            }
        }
    }
    for (design, probe) in PROBES {
        for scenario in BUILT_IN {
            let mut asked = adr_lab(program, &["probe", scenario, "--architecture", design, "--sql", probe]);
            let script = output(&mut asked, "")?;
            let (ours, real) = (sorted(&ours(program, &script)?), sorted(&real(&script)?));
            compared += 1;
            if ours != real || ours.is_empty() {
                let first = first_difference(&real, &ours);
                differing.push(format!("{scenario}, {probe} on {design}: {first}"));
            }
        }
    }
    Ok((compared, differing))
}

/// What our engine prints.
fn ours(program: &Path, script: &str) -> Result<String> {
    output(&mut adr_lab(program, &["sql"]), script)
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The project's own scenarios, those for tests included.
pub(crate) fn scenarios() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in ["public/scenarios", "tests/scenarios"] {
        let found = site::entries(&root().join(folder))?;
        files.extend(
            found
                .into_iter()
                .filter(|file| file.extension().is_some_and(|extension| extension == "toml")),
        );
    }
    Ok(files)
}

fn adr_lab(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    command
}

/// Roles belong to a server, not to a database: the next script makes its own.
fn roles(script: &str) -> Vec<String> {
    let names = script.lines().filter_map(|line| line.strip_prefix("CREATE ROLE "));
    let name = |rest: &str| rest.split([' ', ';']).next().unwrap_or_default().to_owned();
    names.map(name).collect()
}

/// What a program prints when it reads `input`; both streams in the order in which they were written.
pub(crate) fn output(command: &mut Command, input: &str) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let folder = std::env::temp_dir();
    let (from, to) = (
        folder.join(format!("adr-lab-input-{}", std::process::id())),
        folder.join(format!("adr-lab-output-{}", std::process::id())),
    );
    crate::shell::write(&from, input)?;
    let result = (|| {
        let written = std::fs::File::create(&to)?;
        command
            .stdin(std::fs::File::open(&from)?)
            .stderr(Stdio::from(written.try_clone()?))
            .stdout(Stdio::from(written))
            .status()?;
        std::fs::read(&to)
    })();
    let _ = std::fs::remove_file(&from);
    let _ = std::fs::remove_file(&to);
    match result {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(Failure(format!("{name}: {error}."))),
    }
}

fn first_difference(real: &str, ours: &str) -> String {
    let (mut real, mut ours) = (real.lines(), ours.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (real.next(), ours.next()) {
            (None, None) => return "the same lines".to_owned(),
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |line: Option<&str>| line.map_or_else(|| "the end".to_owned(), |line| format!("`{line}`"));
                return format!("line {number}: PostgreSQL prints {}, we print {}", shown(a), shown(b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_off_the_script() {
        let script = "CREATE ROLE a;\nCREATE ROLE b LOGIN;\nSELECT 1;\n";
        assert_eq!(roles(script), ["a", "b"]);
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(
            first_difference("a\nb\n", "a\n"),
            "line 2: PostgreSQL prints `b`, we print the end"
        );
    }
}
