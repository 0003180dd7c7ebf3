//! `cargo xtask test`: the stages, each with its duration, and a last line `N passed, N failed`.
//!
//! A stage that fails does not keep the others from running. A stage that has no tests of its own
//! counts as one.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::eighteen::{self, Eighteen};
use crate::shell::{Captured, Failure, Result, capture, cargo, duration, root, target_folder};
use crate::tools::{self, Tools};
use crate::{borders, browser, compare, dynamo, postgres, site, source};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Fast,
    Everything,
}

/// What a stage found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    passed: u64,
    failed: u64,
    /// Shown if something failed.
    output: String,
}

/// Rooms that run in a browser, of which Cargo compiles everything below, too.
const IN_THE_BROWSER: [&str; 2] = ["app", "worker"];

/// Rooms with tests that need a browser.
const TESTED_IN_THE_BROWSER: [&str; 2] = ["src/ui", "src/pglite"];

pub(crate) fn test(extent: Extent) -> Result<()> {
    let mut tally = Tally::default();
    tally.stage("format", || one(capture(cargo().args(["fmt", "--all", "--check"]))));
    tally.stage("source style", || listed(source::departures()));
    tally.stage("borders between rooms", || listed(borders::trespasses()));
    tally.stage("lints, native", || {
        one(capture(&mut clippy(&["--workspace", "--all-targets"])))
    });
    tally.stage("lints, wasm32", || {
        if let Err(reason) = tools::wasm_target() {
            return failure(reason);
        }
        let mut arguments = vec!["--target", "wasm32-unknown-unknown"];
        arguments.extend(IN_THE_BROWSER.iter().flat_map(|room| ["--package", room]));
        one(capture(&mut clippy(&arguments)))
    });
    tally.stage("unit and golden tests", || {
        let output = capture(cargo().args(["test", "--workspace", "--no-fail-fast", "--quiet"]));
        counted(output, rust_counts)
    });
    match postgres::installed() {
        Ok(()) => {
            tally.stage("designs on PostgreSQL 15", designs_on_postgres);
            // PGlite comes from npm, as all that the site needs.
            if extent == Extent::Everything {
                tally.stage("designs on PostgreSQL 18", designs_on_pglite);
                tally.stage("PostgreSQL 15 against 18", versions);
            }
        }
        Err(Failure(sentence)) => println!("  designs are not compared with a real server: {sentence}"),
    }
    match dynamo::installed() {
        Ok(()) => tally.stage("DynamoDB design on moto", design_on_moto),
        Err(Failure(sentence)) => println!("  the DynamoDB design is not compared with another server: {sentence}"),
    }
    tally.stage("documentation", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings");
        one(capture(&mut doc))
    });
    if extent == Extent::Everything {
        in_the_browser(&mut tally);
    }
    tally.end()
}

fn in_the_browser(tally: &mut Tally) {
    tally.stage("site and its sizes", || one(succeeded(site::build())));
    let built = tally
        .failed_stages
        .last()
        .is_none_or(|stage| stage != "site and its sizes");
    let found = browser::find_or_install();
    match &found {
        Ok(browser) => {
            tally.stage("tests in WebAssembly", || {
                tools::for_wasm_tests().map_or_else(failure, |tools| wasm_tests(&tools, browser))
            });
            if built {
                tally.stage("journeys in a browser", || journeys(browser));
            } else {
                println!("  without a site there are no journeys");
            }
        }
        Err(Failure(sentence)) => tally.stage("a browser", || failure(Failure(sentence.clone()))),
    }
}

fn clippy(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command
        .args(["clippy", "--quiet"])
        .args(arguments)
        .args(["--", "-D", "warnings"]);
    command
}

fn wasm_tests(tools: &Tools, browser: &browser::Browser) -> Outcome {
    let mut sum = Outcome::default();
    for room in TESTED_IN_THE_BROWSER {
        let mut pack = tools.command("wasm-pack");
        pack.args([
            "test",
            "--headless",
            "--chrome",
            "--mode",
            "no-install",
            "--chromedriver",
        ]);
        pack.arg(&browser.driver).arg(room);
        pack.env(
            "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
            root().join("tests/browser/webdriver.json"),
        );
        let outcome = counted(capture(&mut pack), rust_counts);
        sum.passed += outcome.passed;
        sum.failed += outcome.failed;
        sum.output.push_str(&outcome.output);
    }
    sum
}

fn journeys(browser: &browser::Browser) -> Outcome {
    if let Err(reason) = tools::npm_packages() {
        return failure(reason);
    }
    let program = match native_program() {
        Ok(program) => program,
        Err(reason) => return failure(reason),
    };
    let files = match site::entries(&root().join("tests/browser")) {
        Ok(files) => files
            .into_iter()
            .filter(|file| file.to_string_lossy().ends_with(".test.mjs")),
        Err(reason) => return failure(reason),
    };
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"])
        .args(files)
        .env("CHROME", &browser.chrome)
        .env("ADR_LAB", program);
    counted(capture(&mut node), node_counts)
}

/// The compiled designs' scripts print the same on a real server as on our engine.
fn designs_on_postgres() -> Outcome {
    compared(native_program().and_then(|program| compare::on_fifteen(&program, &postgres::Postgres::start()?)))
}

/// And on the one that a page can ask.
fn designs_on_pglite() -> Outcome {
    compared(native_program().and_then(|program| compare::on_eighteen(&program, &Eighteen::start()?)))
}

/// The two versions differ where the table says so, and nowhere else.
fn versions() -> Outcome {
    compared(postgres::Postgres::start().and_then(|older| eighteen::surprises(&older, &Eighteen::start()?)))
}

fn compared(compared: compare::Compared) -> Outcome {
    match compared {
        Ok((compared, differing)) => Outcome {
            passed: compared.saturating_sub(differing.len() as u64),
            failed: differing.len() as u64,
            output: differing.join("\n"),
        },
        Err(reason) => failure(reason),
    }
}

/// Another server answers what the DynamoDB design sends as our engine does, and holds the same items in the end.
fn design_on_moto() -> Outcome {
    match native_program().and_then(|program| dynamo::compare(&program)) {
        Ok(found) => Outcome {
            passed: (found.requests + found.items).saturating_sub(found.differing.len() as u64),
            failed: found.differing.len() as u64,
            output: found.differing.join("\n"),
        },
        Err(reason) => failure(reason),
    }
}

/// The command line, built: its traces are compared with the browser's.
fn native_program() -> Result<PathBuf> {
    let built = capture(cargo().args(["build", "--quiet", "--package", "cli"]));
    if !built.success {
        return Err(Failure(built.text));
    }
    Ok(target_folder()?
        .join("debug")
        .join(format!("adr-lab{}", std::env::consts::EXE_SUFFIX)))
}

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    failed_stages: Vec<String>,
    elapsed: Duration,
}

impl Tally {
    fn stage(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        let start = Instant::now();
        let outcome = work();
        let elapsed = start.elapsed();
        self.elapsed += elapsed;
        self.passed += outcome.passed;
        self.failed += outcome.failed;
        let sign = if outcome.failed == 0 { "ok  " } else { "FAIL" };
        println!(
            "{sign} {name:<24} {:>5} passed {:>4} failed  {}",
            outcome.passed,
            outcome.failed,
            duration(elapsed)
        );
        if outcome.failed > 0 {
            self.failed_stages.push(name.to_owned());
            println!("{}", outcome.output.trim_end());
        }
    }

    fn end(self) -> Result<()> {
        println!("after {}", duration(self.elapsed));
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 {
            return Ok(());
        }
        std::process::exit(1)
    }
}

fn one(captured: Captured) -> Outcome {
    let failed = u64::from(!captured.success);
    Outcome {
        passed: 1 - failed,
        failed,
        output: captured.text,
    }
}

fn succeeded(result: Result<()>) -> Captured {
    match result {
        Ok(()) => Captured {
            success: true,
            text: String::new(),
        },
        Err(Failure(sentence)) => Captured {
            success: false,
            text: sentence,
        },
    }
}

fn failure(Failure(sentence): Failure) -> Outcome {
    Outcome {
        passed: 0,
        failed: 1,
        output: sentence,
    }
}

fn listed(found: Result<Vec<String>>) -> Outcome {
    match found {
        Ok(found) if found.is_empty() => Outcome {
            passed: 1,
            ..Outcome::default()
        },
        Ok(found) => Outcome {
            passed: 0,
            failed: found.len() as u64,
            output: found.join("\n"),
        },
        Err(reason) => failure(reason),
    }
}

/// A run that fails without a failing test (it did not compile) counts as one failure; one that ran
/// no test at all is no success either.
fn counted(captured: Captured, counts: fn(&str) -> (u64, u64)) -> Outcome {
    let (passed, failed) = counts(&captured.text);
    let failed = if captured.success && passed > 0 {
        failed
    } else {
        failed.max(1)
    };
    Outcome {
        passed,
        failed,
        output: captured.text,
    }
}

/// `test result: ok. 12 passed; 0 failed; …`, once per test program.
fn rust_counts(output: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in output.lines().filter(|line| line.starts_with("test result:")) {
        let before = |word: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let place = words
                .iter()
                .position(|candidate| candidate.trim_end_matches(';') == word);
            place
                .and_then(|place| words.get(place.checked_sub(1)?)?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        sum.0 += before("passed");
        sum.1 += before("failed");
    }
    sum
}

/// `ℹ pass 12`, `ℹ fail 0`
fn node_counts(output: &str) -> (u64, u64) {
    let after = |word: &str| {
        let line = output
            .lines()
            .rev()
            .find(|line| line.starts_with('ℹ') && line.contains(word));
        line.and_then(|line| line.split_whitespace().last()?.parse().ok())
            .unwrap_or(0)
    };
    (after(" pass "), after(" fail "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(success: bool, text: &str) -> Captured {
        Captured {
            success,
            text: text.to_owned(),
        }
    }

    #[test]
    fn results_of_several_test_programs_add_up() {
        let text = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored";
        assert_eq!(rust_counts(text), (15, 2));
    }

    #[test]
    fn node_prints_its_totals_at_the_end() {
        assert_eq!(
            node_counts("✔ a\nℹ tests 4\nℹ pass 3\nℹ fail 1\nℹ cancelled 0\n"),
            (3, 1)
        );
    }

    #[test]
    fn what_does_not_compile_is_a_failure() {
        let outcome = counted(ran(false, "error: expected `;`"), rust_counts);
        assert_eq!((outcome.passed, outcome.failed), (0, 1));
    }

    #[test]
    fn a_run_without_any_test_is_a_failure() {
        assert_eq!(counted(ran(true, ""), rust_counts).failed, 1);
    }

    #[test]
    fn each_departure_counts() {
        let outcome = listed(Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((outcome.passed, outcome.failed), (0, 2));
    }
}
