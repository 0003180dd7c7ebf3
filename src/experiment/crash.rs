//! What faults at the physical steps of an operation have left, as cells: at one place of it, and of all of it.

use base::Nanos;
use report::{
    AtomicityDesign, AtomicityReport, BoardRow, Cell, Evidence, FaultPoint, Figure, Provenance, Unit, Verdict,
};

/// The board's rows: how many faults left something broken, and for how long half of it could be seen.
pub(crate) fn rows(explored: &AtomicityReport) -> Vec<BoardRow> {
    let operation = &explored.operation;
    let broken = |design: &AtomicityDesign| {
        let all: Vec<&FaultPoint> = design.points.iter().collect();
        broken_cell(design, &all, "faults", operation)
    };
    vec![
        BoardRow {
            slug: "broken-of-explored".to_owned(),
            title: "Broken of explored".to_owned(),
            note: format!("faults at each physical step of {operation}, of each actor"),
            cells: explored.designs.iter().map(broken).collect(),
        },
        BoardRow {
            slug: "longest-window".to_owned(),
            title: "Longest visible window".to_owned(),
            note: "half of it done, for others to see".to_owned(),
            cells: (explored.designs.iter())
                .map(|design| window_cell(design, operation, &explored.scenario.profile))
                .collect(),
        },
    ]
}

/// The crashes between one statement and the next: of every actor, at every physical step there.
pub(crate) fn stop_cell(design: &AtomicityDesign, stop: usize, operation: &str) -> Cell {
    let mut segment = 0;
    let mut here: Vec<&FaultPoint> = Vec::new();
    for point in &design.points {
        segment = segment.max(point.statement.map_or(0, |statement| usize::from(statement) + 1));
        if segment == stop && point.actor.is_some() {
            here.push(point);
        }
    }
    broken_cell(design, &here, "crashes", operation)
}

fn broken_cell(design: &AtomicityDesign, here: &[&FaultPoint], faults: &str, operation: &str) -> Cell {
    if let Some(cell) = nothing_there(design) {
        return cell;
    }
    if here.is_empty() {
        return Cell {
            verdict: Verdict::NotApplicable,
            words: "no step of its own here".to_owned(),
            ..Cell::not_tested()
        };
    }
    let broken: Vec<&FaultPoint> = here.iter().copied().filter(|point| !point.broken.is_empty()).collect();
    let longest = here.iter().copied().max_by_key(|point| point.longest_window);
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
    let mut evidence = vec![Evidence::Sentence(format!("{} {faults} were tried here.", here.len()))];
    if window > Nanos::ZERO {
        evidence.push(Evidence::Window {
            longest: window,
            readers,
        });
    }
    evidence.extend(
        broken
            .iter()
            .take(BROKEN_SHOWN)
            .map(|point| Evidence::Sentence(sentence(point))),
    );
    evidence.extend(replay(broken.first().copied().or(longest), operation));
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

/// Faults that a cell names one by one.
const BROKEN_SHOWN: usize = 5;

/// `after step 4 (…), crash of the orchestrator: the client heard …; “every user has a role” is broken, 1 row`
fn sentence(point: &FaultPoint) -> String {
    let broken: Vec<String> = point
        .broken
        .iter()
        .map(|(name, rows)| format!("“{name}” {}", report::number::plural(*rows, "row", "rows")))
        .collect();
    format!(
        "{}: the client heard “{}”; broken: {}",
        point.fault,
        point.answer,
        broken.join(", ")
    )
}

/// Times are the hardware profile's: this figure is modelled although the faults are counted.
fn window_cell(design: &AtomicityDesign, operation: &str, profile: &str) -> Cell {
    if let Some(cell) = nothing_there(design) {
        return cell;
    }
    let longest = design.points.iter().max_by_key(|point| point.longest_window);
    let window = longest.map_or(Nanos::ZERO, |point| point.longest_window);
    let stays = design.broken() > 0;
    let words = match (stays, window) {
        (true, _) => "and what stays broken, for good",
        (false, Nanos::ZERO) => "nobody can see half of it",
        (false, _) => "until it is mended",
    };
    let mut evidence = Vec::new();
    if let Some(point) = longest.filter(|_| window > Nanos::ZERO) {
        evidence.push(Evidence::Sentence(format!("The longest: {}.", point.fault)));
        evidence.push(Evidence::Window {
            longest: window,
            readers: point.readers,
        });
        evidence.extend(replay(Some(point), operation));
    }
    Cell {
        verdict: Verdict::Measured,
        figure: Some(Figure {
            value: window.0 as f64 / 1e6,
            band: None,
            of: None,
            unit: Unit::Milliseconds,
        }),
        words: words.to_owned(),
        // No window at all is counted: no time enters it.
        provenance: Some(if window > Nanos::ZERO {
            Provenance::Modelled {
                profile: profile.to_owned(),
            }
        } else {
            Provenance::Counted
        }),
        evidence,
    }
}

fn nothing_there(design: &AtomicityDesign) -> Option<Cell> {
    design.points.is_empty().then(|| Cell {
        verdict: Verdict::NotExpressible,
        words: "cannot be expressed".to_owned(),
        ..Cell::not_tested()
    })
}

fn replay(point: Option<&FaultPoint>, operation: &str) -> Option<Evidence> {
    let fault = point?.replay.clone()?;
    Some(Evidence::Replay {
        operation: operation.to_owned(),
        fault: Some(fault),
    })
}
