//! What each subcommand does: read, ask `experiment`, print.

use std::path::PathBuf;
use std::process::ExitCode;

use experiment::{Choice, Job, Progress, library};
use report::document::{self, Block, Table};
use scenario::{Diagnostic, Severity};
use serde::Serialize;

use crate::input::{self, Input};
use crate::{Prices, Print, What};

pub(crate) type Result<T> = std::result::Result<T, String>;

pub(crate) fn list() -> Result<ExitCode> {
    let mut scenarios = Table::new(&["scenario", "title"]);
    for built_in in library::SCENARIOS {
        let title = scenario::parse(built_in.text)
            .scenario
            .map_or_else(String::new, |scenario| scenario.title);
        scenarios.row([built_in.slug.to_owned(), title]);
    }
    let mut designs = Table::new(&["design", "title", "in short"]);
    for design in architecture::designs() {
        let (title, summary) = experiment::describe(&design);
        designs.row([design.slug(), title, summary]);
    }
    let mut profiles = Table::new(&["profile", "title"]);
    for name in library::profile_names() {
        let title = library::profile(name).map_or_else(String::new, |profile| profile.title);
        profiles.row([name.to_owned(), title]);
    }
    print!(
        "{}",
        document::terminal(&[Block::Table(scenarios), Block::Table(designs), Block::Table(profiles)])
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(scenario: &str) -> Result<ExitCode> {
    let input = input::read(scenario)?;
    let checked = experiment::check(&input.text);
    if !checked.diagnostics.is_empty() {
        eprint!("{}", complaints(&input.name, &checked.diagnostics));
    }
    let Some(outline) = checked.outline else {
        return Ok(ExitCode::from(1));
    };
    let mut designs = Table::new(&["design", "cannot express", "weakens"]).numbers(1..3);
    for design in &outline.designs {
        designs.row([
            design.slug.clone(),
            design.refusals.to_string(),
            design.weakened.to_string(),
        ]);
    }
    let summary = format!(
        "{}: {} operations, {} initial rows",
        outline.title,
        outline.operations.len(),
        outline.rows
    );
    print!(
        "{}",
        document::terminal(&[Block::Paragraph(summary), Block::Table(designs)])
    );
    Ok(if outline.is_runnable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

pub(crate) fn compile(what: &What, json: bool) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let compiled = experiment::compile(&input.text, &choice(what)).map_err(|found| complaints(&input.name, &found))?;
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&compiled).map_err(|error| error.to_string())?
        );
    } else {
        let blocks: Vec<Block> = compiled.iter().flat_map(experiment::compilation_document).collect();
        print!("{}", document::terminal(&blocks));
    }
    Ok(ExitCode::SUCCESS)
}

/// Requests to DynamoDB, a line each.
pub(crate) fn item_script(what: &What) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let scripts =
        experiment::item_script(&input.text, &choice(what)).map_err(|found| complaints(&input.name, &found))?;
    for script in scripts {
        print!("{script}");
    }
    Ok(ExitCode::SUCCESS)
}

/// One script per design, one after the other.
pub(crate) fn script(what: &What) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let scripts = experiment::script(&input.text, &choice(what)).map_err(|found| complaints(&input.name, &found))?;
    for script in scripts {
        print!("{script}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(what: &What, requests: Option<u64>, fault: Option<String>, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let choice = Choice {
        requests,
        fault,
        ..choice(what)
    };
    let job = experiment::RunJob::new(&input.slug, &input.text, &choice);
    let report = finish(&input, job)?;
    printed(&report, &report.document(), print)
}

pub(crate) fn explore(what: &What, operation: &str, expect_none: bool, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let job = experiment::AtomicityJob::new(&input.slug, &input.text, &choice(what), operation);
    let report = finish(&input, job)?;
    printed(&report, &report.document(), print)?;
    let broken: usize = report.designs.iter().map(report::AtomicityDesign::broken).sum();
    Ok(if expect_none && broken > 0 {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn probe(what: &What, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let job = experiment::ProbeJob::new(&input.slug, &input.text, &choice(what));
    let report = finish(&input, job)?;
    printed(&report, &report.document(), print)
}

pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

/// A report in the form that was asked for.
pub(crate) fn printed(value: &impl Serialize, blocks: &[Block], print: Print) -> Result<ExitCode> {
    match print {
        Print::Json => print!("{}", json(value)?),
        Print::Markdown => print!("{}", document::markdown(blocks)),
        Print::Text => print!("{}", document::terminal(blocks)),
    }
    Ok(ExitCode::SUCCESS)
}

/// A script for psql that asks what a probe has asked.
pub(crate) fn probe_script(what: &What, probe: &str) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let job = experiment::PostgresJob::of_probe(&input.slug, &input.text, &choice(what), probe);
    let mut job = job.map_err(|found| complaints(&input.name, &found))?;
    println!("\\set ON_ERROR_STOP on\nSET client_min_messages = warning;");
    loop {
        let progress = job.step(SLICE);
        while let Some(part) = job.take_part() {
            print!("{}", part.sql);
        }
        match progress {
            Progress::Running { .. } => {}
            Progress::Failed(found) => return Err(complaints(&input.name, &found)),
            Progress::Finished(script) => {
                let [database] = &script.databases[..] else {
                    return Err(format!("{}: a script for psql speaks to one database", input.name));
                };
                // A refusal is an answer too.
                println!("\\set ON_ERROR_STOP off");
                database
                    .session
                    .iter()
                    .for_each(|statement| println!("{};", statement.sql));
                println!("RESET SESSION AUTHORIZATION;");
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

pub(crate) fn compare(what: &What, target_p99_ms: u32, prices: &Prices, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let choice = priced(what, target_p99_ms, prices)?;
    let board = finish(&input, experiment::BoardJob::new(&input.slug, &input.text, &choice))?;
    printed(&board, &board.document(), print)
}

/// The choice of a command that makes bills.
pub(crate) fn priced(what: &What, target_p99_ms: u32, prices: &Prices) -> Result<Choice> {
    let price_book = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok(Choice {
        target_p99: Some(base::Nanos::from_millis(u64::from(target_p99_ms))),
        price_book: prices.book.as_ref().map(price_book).transpose()?,
        prices: prices.changed.clone(),
        ..choice(what)
    })
}

pub(crate) fn choice(what: &What) -> Choice {
    Choice {
        designs: what.architectures.clone(),
        seed: what.seed,
        sabotage: what.sabotage.clone(),
        ..Choice::default()
    }
}

/// Events between two looks at the clock of a person's patience.
const SLICE: u64 = 100_000;

pub(crate) fn finish<J: Job>(input: &Input, job: std::result::Result<J, Vec<Diagnostic>>) -> Result<J::Report> {
    let mut job = job.map_err(|found| complaints(&input.name, &found))?;
    loop {
        match job.step(SLICE) {
            Progress::Running { .. } => {}
            Progress::Finished(report) => return Ok(*report),
            Progress::Failed(found) => return Err(complaints(&input.name, &found)),
        }
    }
}

/// `sign-up.toml:12:7: error: …`, one a line, hints below.
pub(crate) fn complaints(name: &str, found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in found {
        let gap = if diagnostic.place == scenario::Place::default() {
            " "
        } else {
            ""
        };
        text.push_str(&format!("{name}:{gap}{diagnostic}\n"));
    }
    let errors = found
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count();
    if errors > 1 {
        text.push_str(&format!("{name}: {errors} errors\n"));
    }
    text
}
