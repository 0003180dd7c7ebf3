//! `cargo xtask record-golden`: what the scripts in `tests/golden` and `tests/anomalies` give on a real PostgreSQL 15.
//!
//! `*.sql` are run by `psql -X -q`, `*.spec` by PostgreSQL's isolationtester, each in a new database;
//! what is printed, errors included, becomes the `*.out` beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postgres::Postgres;
use crate::shell::{Failure, Result, announce, root};

const DATABASE: &str = "golden";

const FOLDERS: [&str; 2] = ["tests/golden", "tests/anomalies"];

/// Records those whose name contains `only`, or all.
pub(crate) fn record(only: Option<&str>) -> Result<()> {
    let scripts = scripts(only)?;
    let server = announce("a temporary PostgreSQL 15", Postgres::start)?;
    for script in &scripts {
        let name = script.strip_prefix(root()).unwrap_or(script).display();
        announce(&format!("{name}"), || {
            server.fresh_database(DATABASE)?;
            let command = match script.extension() {
                Some(extension) if extension == "spec" => server.isolationtester(DATABASE)?,
                _ => server.psql(DATABASE),
            };
            record_one(command, script)
        })?;
    }
    println!("{} scripts recorded.", scripts.len());
    Ok(())
}

fn scripts(only: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for folder in FOLDERS {
        let folder = root().join(folder);
        let failed = |error| Failure(format!("{} cannot be read: {error}.", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let wanted = only.is_none_or(|only| name.contains(only));
            if wanted && (name.ends_with(".sql") || name.ends_with(".spec")) {
                scripts.push(path);
            }
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// Both streams go to one file: errors stand where they happened.
fn record_one(mut command: Command, script: &Path) -> Result<()> {
    let out = script.with_extension("out");
    let failed = |error| Failure(format!("{} cannot be recorded: {error}.", script.display()));
    let file = File::create(&out).map_err(failed)?;
    command
        .stdin(File::open(script).map_err(failed)?)
        .stderr(Stdio::from(file.try_clone().map_err(failed)?))
        .stdout(Stdio::from(file))
        .status()
        .map_err(failed)?;
    Ok(())
}
