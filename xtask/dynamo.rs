//! What the DynamoDB design sends, answered by a server of other people: moto, in Python.
//!
//! `adr-lab compile … --requests` writes down requests, the engine's replies and the items in the end;
//! `tests/golden/dynamo/replay.mjs` sends the same requests to moto and compares.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::shell::{Failure, Result, capture, root, write};
use crate::{compare, tools};

/// What the replay prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Replayed {
    server: String,
    /// So many were sent.
    pub(crate) requests: u64,
    /// So many were compared in the end.
    pub(crate) items: u64,
    pub(crate) differing: Vec<String>,
}

/// Whether moto can be installed here, and the replay run.
pub(crate) fn installed() -> Result<()> {
    tools::node()?;
    let found = capture(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    if found.success {
        return Ok(());
    }
    let sentence = "Python 3 with venv is missing; on Debian, apt-get install python3-venv.";
    Err(Failure(sentence.to_owned()))
}

/// Replays every scenario of the project.
pub(crate) fn compare(program: &Path) -> Result<Replayed> {
    let folder = std::env::temp_dir().join(format!("adr-lab-requests-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure(format!("{} cannot be made: {error}.", folder.display())))?;
    let replayed = scripts(program, &folder).and_then(|files| replay(&files));
    // What fails here leaves a folder behind, no more.
    let _ = std::fs::remove_dir_all(&folder);
    let replayed = replayed?;
    println!(
        "  {} requests and {} items compared with {}",
        replayed.requests, replayed.items, replayed.server
    );
    Ok(replayed)
}

fn scripts(program: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for scenario in compare::scenarios()? {
        let name = scenario.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let script = standard_output(
            Command::new(program).arg("compile").arg(&scenario).args([
                "--architecture",
                "dynamodb-single-table",
                "--requests",
            ]),
            &name,
        )?;
        let file = folder.join(format!("{name}.jsonl"));
        write(&file, script)?;
        files.push(file);
    }
    Ok(files)
}

fn replay(files: &[PathBuf]) -> Result<Replayed> {
    let mut node = Command::new("node");
    node.arg(root().join("tests/golden/dynamo/replay.mjs"))
        .args(files)
        .env("ADR_LAB_SERVERS", tools::toolbox()?);
    let output = standard_output(&mut node, "moto")?;
    serde_json::from_slice(&output).map_err(|error| Failure(format!("The replay prints no result: {error}.")))
}

/// What a program prints; it must succeed.
fn standard_output(command: &mut Command, what: &str) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure(format!("{what}: {error}.")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Failure(format!(
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    )))
}
