//! What Home shows before anything runs: what a crash at each place along one operation leaves on every design, and what
//! the designs cost.

use architecture::Design;
use base::Nanos;
use report::{
    AtomicityDesign, Board, BoardDesign, BoardRow, BoardSection, Cell, Evidence, FaultPoint, Figure, Provenance,
    Recorded, RunReport, Stop, Unit, Verdict,
};
use scenario::Diagnostic;

use crate::job::{Job, Progress};
use crate::settings::{Choice, problem};
use crate::{AtomicityJob, BillJob, RunJob, describe, design_sheet, picture};

/// Requests of the run that compares rows: those rows come from a serial run of their own.
const REQUESTS: u64 = 200;

/// Runs the operation that writes most on the default variant of every design.
///
/// # Errors
///
/// What is wrong with the scenario, or that it writes nothing.
pub fn record_home(slug: &str, text: &str, target_p99: Nanos) -> Result<Recorded, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let operation = design_sheet::widest(&scenario);
    let operation = operation.ok_or_else(|| vec![problem("no operation of it writes anything".to_owned(), None)])?;
    let designs: Vec<Design> = architecture::designs()
        .into_iter()
        .filter(|design| design.variant.slug.is_empty())
        .collect();
    let choice = Choice {
        designs: designs.iter().map(Design::slug).collect(),
        requests: Some(REQUESTS),
        ..Choice::default()
    };
    let run = finish(RunJob::new(slug, text, &choice)?)?;
    let explored = finish(AtomicityJob::new(slug, text, &choice, &operation.name)?)?;
    let full = Choice {
        requests: None,
        ..choice.clone()
    };
    let bill = finish(BillJob::new(slug, text, &full, target_p99)?)?;

    let statements = operation.statements.len();
    let labels = labels(&designs, &scenario, &operation.name, statements);
    let places = (0..=statements).map(|stop| match stop.checked_sub(1) {
        None => format!(
            "any actor crashes before {}",
            labels.first().map_or("the first step", String::as_str)
        ),
        Some(before) => format!("any actor crashes after {}", labels[before]),
    });
    let stops = places.enumerate().map(|(stop, place)| Stop {
        place,
        cells: explored
            .designs
            .iter()
            .map(|design| crash_cell(design, stop, &operation.name))
            .collect(),
    });
    let stops = stops.collect();
    let heads = designs.iter().map(|design| head(design, &scenario, &run)).collect();
    let cost = BoardRow {
        slug: "monthly-bill".to_owned(),
        title: "What does it cost?".to_owned(),
        note: format!("a month, each sized for a p99 of {target_p99}"),
        cells: designs
            .iter()
            .map(|design| bill.cell(&design.slug()).unwrap_or_else(not_tested))
            .collect(),
    };
    Ok(Recorded {
        board: Board {
            scenario: bill.scenario.clone(),
            designs: heads,
            sections: vec![BoardSection {
                question: "What does it cost?".to_owned(),
                rows: vec![cost],
            }],
        },
        operation: operation.name.clone(),
        title: operation.title.clone(),
        statements: labels,
        stops,
    })
}

fn finish<J: Job>(mut job: J) -> Result<J::Report, Vec<Diagnostic>> {
    loop {
        match job.step(100_000) {
            Progress::Running { .. } => {}
            Progress::Finished(report) => return Ok(*report),
            Progress::Failed(found) => return Err(found),
        }
    }
}

/// The statements' names, from the first design that carries each out by itself.
fn labels(designs: &[Design], scenario: &scenario::Scenario, operation: &str, statements: usize) -> Vec<String> {
    let mut labels = vec![None; statements];
    for design in designs {
        let compilation = design.compile(scenario, &[]);
        let of_operation = compilation.programs.iter().filter(|program| {
            (program.operation).is_some_and(|id| compilation.workload.operation(id).name == operation)
        });
        for step in of_operation.flat_map(|program| &program.steps) {
            let Some(slot) = step.source.and_then(|source| labels.get_mut(usize::from(source))) else {
                continue;
            };
            if slot.is_none() && matches!(step.op, program::Op::Statement { .. }) {
                *slot = Some(step.label.clone());
            }
        }
    }
    let named = labels.into_iter().enumerate();
    named
        .map(|(index, label)| label.unwrap_or_else(|| format!("statement {}", index + 1)))
        .collect()
}

fn head(design: &Design, scenario: &scenario::Scenario, run: &RunReport) -> BoardDesign {
    let compilation = design.compile(scenario, &[]);
    let (title, summary) = describe(design);
    BoardDesign {
        picture: picture::of(&compilation, scenario.tenant_column.as_deref()),
        same_rows: same_rows(run, &title),
        architecture: design.slug(),
        title,
        summary,
        weakened: compilation.weakened,
        refusals: compilation.refusals,
    }
}

/// Are its rows, in every table, those that most designs have?
fn same_rows(run: &RunReport, title: &str) -> Option<bool> {
    let mut compared = false;
    for table in &run.same_rows {
        let Some((_, rows, mine)) = table.designs.iter().find(|(design, ..)| design == title) else {
            continue;
        };
        compared |= table.designs.len() > 1;
        let agree = |(_, other_rows, other): &&(String, u64, base::Fingerprint)| other_rows == rows && other == mine;
        if table.designs.iter().filter(agree).count() * 2 <= table.designs.len() {
            return Some(false);
        }
    }
    compared.then_some(true)
}

/// The crashes between one statement and the next: of every actor, at every physical step there.
fn crash_cell(design: &AtomicityDesign, stop: usize, operation: &str) -> Cell {
    let mut segment = 0;
    let mut here: Vec<&FaultPoint> = Vec::new();
    for point in &design.points {
        segment = segment.max(point.statement.map_or(0, |statement| usize::from(statement) + 1));
        if segment == stop && point.actor.is_some() {
            here.push(point);
        }
    }
    if design.points.is_empty() {
        return Cell {
            verdict: Verdict::NotExpressible,
            words: "cannot be expressed".to_owned(),
            ..not_tested()
        };
    }
    if here.is_empty() {
        return Cell {
            verdict: Verdict::NotApplicable,
            words: "no step of its own here".to_owned(),
            ..not_tested()
        };
    }
    let broken: Vec<&&FaultPoint> = here.iter().filter(|point| !point.broken.is_empty()).collect();
    let longest = here.iter().max_by_key(|point| point.longest_window);
    let window = longest.map_or(Nanos::ZERO, |point| point.longest_window);
    let readers = here.iter().map(|point| point.readers).max().unwrap_or(0);
    let words = match broken.first().and_then(|point| point.broken.first()) {
        Some((invariant, _)) => format!("“{invariant}” stays broken"),
        None if window > Nanos::ZERO => format!(
            "mended, but half of it visible for up to {}",
            report::number::modelled(window)
        ),
        None => "all or nothing".to_owned(),
    };
    let mut evidence = vec![Evidence::Sentence(format!("{} crashes were tried here.", here.len()))];
    if window > Nanos::ZERO {
        evidence.push(Evidence::Window {
            longest: window,
            readers,
        });
    }
    let shown = broken.first().map(|point| **point).or(longest.copied());
    if let Some(fault) = shown.and_then(|point| point.replay.clone()) {
        evidence.push(Evidence::Replay {
            operation: operation.to_owned(),
            fault: Some(fault),
        });
    }
    Cell {
        verdict: if broken.is_empty() {
            Verdict::NoneFound
        } else {
            Verdict::Broken
        },
        figure: Some(Figure {
            value: broken.len() as f64,
            band: None,
            of: Some(here.len() as f64),
            unit: Unit::Faults,
        }),
        words,
        provenance: Some(Provenance::Counted),
        evidence,
    }
}

fn not_tested() -> Cell {
    Cell {
        verdict: Verdict::NotTested,
        figure: None,
        words: String::new(),
        provenance: None,
        evidence: Vec::new(),
    }
}
