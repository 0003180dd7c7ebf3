//! What the site shows before anything runs: the board, and what a crash at each place along one operation leaves on
//! every design.

use architecture::Design;
use report::{Board, Recorded, Stop};
use scenario::Diagnostic;

use crate::job::{Job, Progress};
use crate::settings::{Choice, problem};
use crate::{BoardJob, crash, design_sheet};

/// The whole board of a scenario's default designs, and what Home shows of it.
#[derive(Clone, Debug)]
pub struct RecordedBoard {
    pub board: Board,
    pub home: Recorded,
}

/// Rows of the board that Home shows: they do not depend on the place of a crash.
const HOME_ROWS: [&str; 2] = ["forgotten-filter", "monthly-bill"];

/// Runs all experiments of the board on the default variant of every design.
///
/// # Errors
///
/// What is wrong with the scenario, or that it writes nothing.
pub fn record_board(slug: &str, text: &str) -> Result<RecordedBoard, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let operation = design_sheet::widest(&scenario);
    let operation = operation.ok_or_else(|| vec![problem("no operation of it writes anything".to_owned(), None)])?;
    let mut job = BoardJob::new(slug, text, &Choice::default())?;
    let board = loop {
        match job.step(100_000) {
            Progress::Running { .. } => {}
            Progress::Finished(board) => break *board,
            Progress::Failed(found) => return Err(found),
        }
    };
    let explored = job.explored().map_or(&[][..], |explored| &explored.designs);
    let statements = operation.statements.len();
    let labels = labels(job.designs(), &scenario, &operation.name, statements);
    let places = (0..=statements).map(|stop| match stop.checked_sub(1) {
        None => format!(
            "any actor crashes before {}",
            labels.first().map_or("the first step", String::as_str)
        ),
        Some(before) => format!("any actor crashes after {}", labels[before]),
    });
    let stops: Vec<Stop> = places
        .enumerate()
        .map(|(stop, place)| Stop {
            place,
            cells: explored
                .iter()
                .map(|design| crash::stop_cell(design, stop, &operation.name))
                .collect(),
        })
        .collect();
    let mut shown = board.clone();
    for section in &mut shown.sections {
        section.rows.retain(|row| HOME_ROWS.contains(&row.slug.as_str()));
        // The board has it.
        let cells = section.rows.iter_mut().flat_map(|row| &mut row.cells);
        cells.for_each(|cell| cell.evidence.clear());
    }
    shown.sections.retain(|section| !section.rows.is_empty());
    Ok(RecordedBoard {
        home: Recorded {
            board: shown,
            operation: operation.name.clone(),
            title: operation.title.clone(),
            statements: labels,
            stops,
        },
        board,
    })
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
