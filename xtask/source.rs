//! Style that Cargo's tools do not check: how a file opens, and how long it is.

use std::path::{Path, PathBuf};

use crate::shell::{Failure, Result, capture, read, root};

const MOST_LINES: usize = 700;

/// Every departure, as `file: sentence`; empty when all is well.
pub(crate) fn departures() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in rust_files()? {
        let text = read(&root().join(&file))?;
        found.extend(
            check(&text)
                .into_iter()
                .map(|sentence| format!("{}: {sentence}", file.display())),
        );
    }
    Ok(found)
}

fn check(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//! ") {
        found.push("does not open with what it is for (`//! …`)".to_owned());
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        found.push(format!(
            "has {lines} lines; more than {MOST_LINES} is more than one thing"
        ));
    }
    found
}

/// What git knows, and what it would add.
fn rust_files() -> Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    let listed = capture(git.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]));
    if !listed.success {
        return Err(Failure(format!("`git ls-files` failed:\n{}", listed.text)));
    }
    Ok(listed
        .text
        .lines()
        .map(PathBuf::from)
        .filter(|file: &PathBuf| root().join(Path::new(file)).is_file())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_file_opens_with_what_it_is_for() {
        assert!(check("//! What it is for.\n").is_empty());
        assert_eq!(check("use std::fmt;\n").len(), 1);
        assert_eq!(check("").len(), 1);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(check(&format!("//! Long.\n{}", "x\n".repeat(700))).len(), 1);
    }
}
