//! Every scenario file of the repository is read without a word of complaint, and every broken one is
//! complained of exactly as recorded beside it. `UPDATE=1` records anew.

use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

fn diagnostics(path: &Path) -> String {
    let parsed = scenario::parse(&fs::read_to_string(path).unwrap());
    parsed
        .diagnostics
        .iter()
        .map(|diagnostic| format!("{diagnostic}\n"))
        .collect()
}

#[test]
fn good_scenarios_are_read_without_complaint() {
    let files = [files("public/scenarios"), files("tests/scenarios")].concat();
    assert!(!files.is_empty());
    for path in files {
        assert_eq!(diagnostics(&path), "", "{}", path.display());
        assert!(scenario::parse(&fs::read_to_string(&path).unwrap()).scenario.is_some());
    }
}

#[test]
fn broken_scenarios_are_refused_as_recorded() {
    let files = files("tests/scenarios/bad");
    assert!(!files.is_empty());
    for path in files {
        let recorded = path.with_extension("txt");
        let found = diagnostics(&path);
        assert!(
            found.contains("error: ") || found.contains("warning: "),
            "{} is not broken",
            path.display()
        );
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&recorded, &found).unwrap();
        }
        assert_eq!(
            found,
            fs::read_to_string(&recorded).unwrap_or_default(),
            "{}",
            path.display()
        );
    }
}
