//! The project's own commands: `cargo xtask serve | build | test`.
//!
//! ```text
//! serve ─┐
//! build ─┼─▶ tools (what is missing is installed, once) ─▶ site (Trunk) ─▶ sizes
//! test  ─┘                                             └▶ stages: format, lints, borders, tests, browser
//! ```
//!
//! Everything says what it does and how long it took, and ends with one clear sentence when something
//! cannot be had.

mod borders;
mod browser;
mod compare;
mod decisions;
mod designs;
mod dynamo;
mod eighteen;
mod frame;
mod isolation;
mod page;
mod parts;
mod pglite;
mod postgres;
mod record;
mod shell;
mod site;
mod source;
mod stages;
mod static_page;
mod tools;

use std::process::ExitCode;

use shell::{Failure, Result};

const USAGE: &str = "\
cargo xtask serve [--port N]   build the site, serve it on this machine, rebuild on changes
cargo xtask build              write the static site to dist/ and print its sizes
cargo xtask test [--fast]      run every test; --fast leaves out the site and the browser
cargo xtask record-golden [NAME]  run tests/golden and tests/anomalies on a temporary PostgreSQL 15 and keep what it prints
cargo xtask record-versions    what scripts print otherwise on PGlite's PostgreSQL 18 than on PostgreSQL 15
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    std::env::set_current_dir(shell::root()).map_err(|error| Failure(format!("The project's folder: {error}.")))?;
    match words {
        ["serve"] => site::serve(8080),
        ["serve", "--port", port] => match port.parse() {
            Ok(port) => site::serve(port),
            Err(_) => Err(Failure(format!("`{port}` is not a port number."))),
        },
        ["build"] => site::build(),
        ["test"] => stages::test(stages::Extent::Everything),
        ["test", "--fast"] => stages::test(stages::Extent::Fast),
        ["record-golden"] => record::record(None),
        ["record-golden", name] => record::record(Some(name)),
        ["record-versions"] => eighteen::record(),
        // Called by Trunk at the end of a build (Trunk.toml), not by people.
        ["finish-page"] => page::finish(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(Failure(format!(
            "There is no `cargo xtask {}`.\n\n{USAGE}",
            words.join(" ")
        ))),
    }
}
