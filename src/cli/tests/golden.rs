//! Golden scripts: `adr-lab sql` and `adr-lab iso` print what PostgreSQL 15 printed.
//!
//! `tests/golden/*.sql` and `*.spec`, and `tests/anomalies/*.spec`, with the `*.out` that `cargo xtask record-golden` recorded. Where
//! the engine is known to differ, a `*.diff` beside them says how, and the test keeps it true: a new
//! difference fails, and so does one that has gone. `UPDATE_DIFFERENCES=1` rewrites them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn scripts(folder: &str, extension: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let mut found: Vec<PathBuf> = std::fs::read_dir(tests.join(folder))
        .expect("the golden scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn printed(command: &str, script: &Path) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_adr-lab"))
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("adr-lab starts");
    let text = std::fs::read(script).expect("a script");
    let mut input = process.stdin.take().expect("its standard input");
    let writer = std::thread::spawn(move || input.write_all(&text));
    let output = process.wait_with_output().expect("adr-lab ends");
    writer.join().expect("no panic").expect("the script is read");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The differences of each script must be those that are known: the lines of its `*.diff`, if it has one.
fn compare(command: &str, folder: &str, extension: &str) {
    let update = std::env::var_os("UPDATE_DIFFERENCES").is_some();
    let mut surprises = Vec::new();
    for script in scripts(folder, extension) {
        let expected = std::fs::read_to_string(script.with_extension("out")).expect("a recorded output");
        let differences = difference(&expected, &printed(command, &script));
        let file = script.with_extension("diff");
        if update {
            match differences.is_empty() {
                true => drop(std::fs::remove_file(&file)),
                false => std::fs::write(&file, &differences).expect("the differences are written"),
            }
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        if known != differences {
            let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
            surprises.push(format!(
                "{name} differs otherwise than is known:\n{}",
                difference(&known, &differences)
            ));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// `-line` for what is only in `left`, `+line` for what is only in `right`: what a longest common
/// subsequence leaves over.
fn difference(left: &str, right: &str) -> String {
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
    let (mut i, mut j, mut text, mut apart) = (0, 0, String::new(), false);
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            (i, j, apart) = (i + 1, j + 1, false);
            continue;
        }
        if !std::mem::replace(&mut apart, true) {
            text += &format!("@ line {} of the recorded output\n", i + 1);
        }
        if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            text += &format!("-{}\n", left[i]);
            i += 1;
        } else {
            text += &format!("+{}\n", right[j]);
            j += 1;
        }
    }
    text
}

#[test]
fn scripts_print_what_postgresql_printed() {
    compare("sql", "golden", "sql");
}

#[test]
fn schedules_print_what_isolationtester_printed() {
    compare("iso", "golden", "spec");
}

#[test]
fn schedules_of_anomalies_print_what_isolationtester_printed() {
    compare("iso", "anomalies", "spec");
}
