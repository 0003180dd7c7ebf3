//! PostgreSQL 18 as the page has it: PGlite, run by Node, talked to by psql. And what it prints otherwise than
//! PostgreSQL 15, whose behaviour our engine has: `tests/golden/postgres-15-18.json`, one table for tests and page.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use report::{VersionDifference, VersionDifferences};

use crate::compare::output;
use crate::postgres::{self, Postgres};
use crate::shell::{Failure, Result, announce, read, root, write};
use crate::{pglite, site, tools};

/// Runs until it is dropped. Each session meets a server of its own, new and empty.
#[derive(Debug)]
pub(crate) struct Eighteen {
    folder: PathBuf,
    process: Child,
}

impl Eighteen {
    pub(crate) fn start() -> Result<Eighteen> {
        tools::npm_packages()?;
        let folder = std::env::temp_dir().join(format!("adr-lab-pglite-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure(format!("{}: {error}.", folder.display())))?;
        let process = Command::new("node")
            .arg(root().join("tests/golden/pglite.mjs"))
            .arg(pglite::packed()?)
            .arg(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure(format!("node does not start: {error}.")))?;
        let mut server = Eighteen { folder, process };
        let mut line = String::new();
        if let Some(printed) = server.process.stdout.take() {
            // Nothing is printed if it does not start.
            let _ = BufReader::new(printed).read_line(&mut line);
        }
        if line.trim() == "ready" {
            Ok(server)
        } else {
            Err(Failure("PGlite does not start in Node.".to_owned()))
        }
    }

    pub(crate) fn psql(&self) -> Result<Command> {
        postgres::psql_at(&self.folder)
    }
}

impl Drop for Eighteen {
    fn drop(&mut self) {
        // What fails here leaves a folder behind, no more.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The table of known differences.
pub(crate) fn table() -> PathBuf {
    root().join("tests/golden/postgres-15-18.json")
}

/// `cargo xtask record-versions`: records the table anew; reasons that are known stay.
pub(crate) fn record() -> Result<()> {
    let older = announce("a temporary PostgreSQL 15", Postgres::start)?;
    let newer = announce("PGlite", Eighteen::start)?;
    let found = announce("scripts on both", || differences(&older, &newer))?;
    let text = serde_json::to_string_pretty(&found).map_err(|error| Failure(error.to_string()))?;
    write(&table(), text + "\n")?;
    let owed = found.differences.iter().filter(|known| known.reason == OWED).count();
    println!("{} differences, {owed} without a reason.", found.differences.len());
    Ok(())
}

/// The reason of a difference that nobody has looked at.
const OWED: &str = "?";

/// What is found otherwise than the table says, and how many scripts were compared.
pub(crate) fn surprises(older: &Postgres, newer: &Eighteen) -> Result<(u64, Vec<String>)> {
    let known = known()?;
    let found = differences(older, newer)?;
    let mut surprises = Vec::new();
    if known.newer != found.newer {
        surprises.push(format!("PGlite is {}, recorded was {}", found.newer, known.newer));
    }
    for difference in &found.differences {
        if difference.reason == OWED {
            surprises.push(format!("new, or without a reason: {difference:?}"));
        }
    }
    for difference in known.differences {
        if !found.differences.contains(&difference) {
            surprises.push(format!("gone: {difference:?}"));
        }
    }
    Ok((scripts()?.len() as u64, surprises))
}

fn known() -> Result<VersionDifferences> {
    if !table().is_file() {
        return Ok(VersionDifferences::default());
    }
    serde_json::from_str(&read(&table())?).map_err(|error| Failure(format!("{}: {error}.", table().display())))
}

fn differences(older: &Postgres, newer: &Eighteen) -> Result<VersionDifferences> {
    let known = known()?;
    let mut version = newer.psql()?;
    version.args(["-At", "-c", "SELECT split_part(version(), ' on ', 1)"]);
    let mut found = VersionDifferences {
        older: "PostgreSQL 15".to_owned(),
        newer: output(&mut version, "")?.trim().to_owned(),
        differences: Vec::new(),
    };
    for script in scripts()? {
        let text = read(&script)?;
        let recorded = script.with_extension("out");
        // The engine's own scripts are recorded in another form.
        let printed = if script.starts_with(root().join("tests/golden")) {
            read(&recorded)?
        } else {
            older.fresh_database(DATABASE)?;
            output(&mut older.psql(DATABASE), &text)?
        };
        let name = script.strip_prefix(root()).unwrap_or(&script).display().to_string();
        for (older, newer) in hunks(&printed, &output(&mut newer.psql()?, &text)?) {
            let same =
                |known: &&VersionDifference| known.older == older && known.newer == newer && known.script == name;
            let reason = known.differences.iter().find(same).map(|known| known.reason.clone());
            found.differences.push(VersionDifference {
                script: name.clone(),
                reason: reason.unwrap_or_else(|| OWED.to_owned()),
                older,
                newer,
            });
        }
    }
    Ok(found)
}

const DATABASE: &str = "versions";

/// Begins a script that a server of one session cannot run, whatever its version.
const APART: &str = "-- Not for PGlite";

/// All scripts of one session.
fn scripts() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["tests/golden", "src/engine/sql/tests/scripts"] {
        for file in site::entries(&root().join(folder))? {
            if has_extension(&file, "sql") && !read(&file)?.starts_with(APART) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

fn has_extension(file: &Path, wanted: &str) -> bool {
    file.extension().is_some_and(|extension| extension == wanted)
}

type Hunk = (Vec<String>, Vec<String>);

/// Runs of lines that are only in one of two texts: what a longest common subsequence leaves over.
fn hunks(left: &str, right: &str) -> Vec<Hunk> {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    // common[i][j]: how many lines the rests from i and j have in common.
    let mut common = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = if left[i] == right[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut apart = false;
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            (i, j, apart) = (i + 1, j + 1, false);
            continue;
        }
        if !std::mem::replace(&mut apart, true) {
            hunks.push(Hunk::default());
        }
        let Some((older, newer)) = hunks.last_mut() else { break };
        if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            older.push(left[i].to_owned());
            i += 1;
        } else {
            newer.push(right[j].to_owned());
            j += 1;
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_that_is_known_has_a_reason() {
        for difference in known().unwrap().differences {
            assert_ne!(difference.reason, OWED, "{difference:?}");
        }
    }

    #[test]
    fn lines_in_the_place_of_others_stay_together() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            hunks("a\nb\nc\nd\n", "a\nB\nBB\nc\nd\ne\n"),
            [(lines("b"), lines("B\nBB")), (vec![], lines("e"))]
        );
        assert_eq!(hunks("a\n", "a\n"), []);
    }
}
