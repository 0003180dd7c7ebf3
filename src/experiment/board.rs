//! The board: probes, faults, load and bills of some designs, a question a row.
//!
//! ```text
//! heads ─▶ ProbeJob ─▶ AtomicityJob ─▶ RunJob ─▶ BillJob ─▶ what is there to look after
//!            └─ Whose data?  └─ What does a crash leave?  └─ How long?  └─ What does it cost?
//! ```
//!
//! The board grows row by row, so that a page shows what is known. A scenario that an experiment has nothing to ask
//! of (no tenants, nothing that writes) gets a board without its rows.

use architecture::Design;
use base::Nanos;
use report::{
    AtomicityReport, BillReport, Board, BoardDesign, BoardRow, BoardSection, Cell, Evidence, Figure, Provenance,
    RunReport, Unit, Verdict,
};
use scenario::{Diagnostic, Operation, Scenario};

use crate::job::{Job, Progress};
use crate::settings::{Choice, settings};
use crate::{AtomicityJob, BillJob, ProbeJob, RunJob, crash, describe, design_sheet, picture, summary, upkeep};

/// All experiments of the board, stepped by their caller.
#[derive(Debug)]
pub struct BoardJob {
    slug: String,
    text: String,
    choice: Choice,
    designs: Vec<Design>,
    scenario: Scenario,
    stage: Stage,
    board: Board,
    explored: Option<AtomicityReport>,
}

#[derive(Debug)]
enum Stage {
    Probes(Box<ProbeJob>),
    Faults(Box<AtomicityJob>),
    Load(Box<RunJob>),
    Bills(Box<BillJob>),
    Over,
}

/// How much of the whole each stage is, in percent: about what it takes.
const SHARES: [u64; 5] = [20, 30, 25, 25, 0];

const WHOSE_DATA: &str = "Whose data?";
const CRASH: &str = "What does a crash leave?";
const HOW_LONG: &str = "How long?";
const COST: &str = "What does it cost?";
const UPKEEP: &str = "What does it take to run?";

impl BoardJob {
    /// Of the chosen designs; if none is chosen, of the default variant of each that a studied decision chose.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice.
    pub fn new(slug: &str, text: &str, choice: &Choice) -> Result<BoardJob, Vec<Diagnostic>> {
        let mut choice = choice.clone();
        if choice.designs.is_empty() {
            let defaults = architecture::chosen_designs().into_iter();
            let defaults = defaults.filter(|design| design.variant.slug.is_empty());
            choice.designs = defaults.map(|design| design.slug()).collect();
        }
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, &choice)?;
        let board = Board {
            scenario: summary::of(slug, &scenario, &settings),
            designs: settings.designs.iter().map(|design| head(design, &scenario)).collect(),
            prices: settings.price_sheet(),
            sections: Vec::new(),
        };
        let mut job = BoardJob {
            slug: slug.to_owned(),
            text: text.to_owned(),
            choice,
            designs: settings.designs,
            scenario,
            stage: Stage::Over,
            board,
            explored: None,
        };
        job.stage = match ProbeJob::new(&job.slug, &job.text, &job.choice) {
            Ok(probes) => Stage::Probes(Box::new(probes)),
            // No tenants, or no query that filters by them: there is nothing to forget.
            Err(_) => job.after_probes()?,
        };
        Ok(job)
    }

    /// As far as it is known by now.
    pub fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn designs(&self) -> &[Design] {
        &self.designs
    }

    /// What faults have left of the operation that writes most; `None`: not yet, or nothing writes.
    pub fn explored(&self) -> Option<&AtomicityReport> {
        self.explored.as_ref()
    }

    fn after_probes(&self) -> Result<Stage, Vec<Diagnostic>> {
        match design_sheet::widest(&self.scenario) {
            Some(operation) => {
                let job = AtomicityJob::new(&self.slug, &self.text, &self.choice, &operation.name)?;
                Ok(Stage::Faults(Box::new(job)))
            }
            None => self.after_faults(),
        }
    }

    fn after_faults(&self) -> Result<Stage, Vec<Diagnostic>> {
        RunJob::new(&self.slug, &self.text, &self.choice).map(|job| Stage::Load(Box::new(job)))
    }

    fn after_load(&self) -> Result<Stage, Vec<Diagnostic>> {
        BillJob::new(&self.slug, &self.text, &self.choice).map(|job| Stage::Bills(Box::new(job)))
    }

    fn advance(&mut self, budget: u64) -> Result<Option<(u64, u64, String)>, Vec<Diagnostic>> {
        let next = match &mut self.stage {
            Stage::Probes(job) => match job.step(budget) {
                Progress::Running { done, of, what } => {
                    let rows = job.finished().iter().map(report::Probe::row).collect();
                    put(&mut self.board, WHOSE_DATA, rows);
                    return Ok(Some((done, of, what)));
                }
                Progress::Finished(report) => {
                    put(
                        &mut self.board,
                        WHOSE_DATA,
                        report.probes.iter().map(report::Probe::row).collect(),
                    );
                    mark_holes(&mut self.board, &report.probes);
                    self.after_probes()?
                }
                Progress::Failed(found) => return Err(found),
            },
            Stage::Faults(job) => match job.step(budget) {
                Progress::Running { done, of, what } => return Ok(Some((done, of, what))),
                Progress::Finished(report) => {
                    put(&mut self.board, CRASH, crash::rows(&report));
                    self.explored = Some(*report);
                    self.after_faults()?
                }
                Progress::Failed(found) => return Err(found),
            },
            Stage::Load(job) => match job.step(budget) {
                Progress::Running { done, of, what } => return Ok(Some((done, of, what))),
                Progress::Finished(report) => {
                    for head in &mut self.board.designs {
                        head.same_rows = same_rows(&report, &head.title);
                    }
                    put(&mut self.board, HOW_LONG, latency_rows(&self.scenario, &report));
                    self.after_load()?
                }
                Progress::Failed(found) => return Err(found),
            },
            Stage::Bills(job) => match job.step(budget) {
                Progress::Running { done, of, what } => return Ok(Some((done, of, what))),
                Progress::Finished(report) => {
                    put(&mut self.board, COST, vec![bill_row(&self.designs, &report)]);
                    let rows = upkeep::rows(&self.designs, &self.scenario);
                    put(&mut self.board, UPKEEP, rows);
                    Stage::Over
                }
                Progress::Failed(found) => return Err(found),
            },
            Stage::Over => return Ok(None),
        };
        self.stage = next;
        Ok(Some((0, 1, String::new())))
    }

    fn stage_number(&self) -> usize {
        match self.stage {
            Stage::Probes(_) => 0,
            Stage::Faults(_) => 1,
            Stage::Load(_) => 2,
            Stage::Bills(_) => 3,
            Stage::Over => 4,
        }
    }
}

impl Job for BoardJob {
    type Report = Board;

    fn step(&mut self, budget: u64) -> Progress<Board> {
        match self.advance(budget) {
            Ok(None) => Progress::Finished(Box::new(self.board.clone())),
            Ok(Some((done, of, what))) => {
                let stage = self.stage_number();
                let before: u64 = SHARES[..stage].iter().sum();
                Progress::Running {
                    done: before * of.max(1) + SHARES[stage] * done.min(of),
                    of: 100 * of.max(1),
                    what,
                }
            }
            Err(found) => Progress::Failed(found),
        }
    }
}

/// The section's rows as they are known now.
fn put(board: &mut Board, question: &str, rows: Vec<BoardRow>) {
    match board.sections.iter_mut().find(|section| section.question == question) {
        Some(section) => section.rows = rows,
        None if rows.is_empty() => {}
        None => board.sections.push(BoardSection {
            question: question.to_owned(),
            rows,
        }),
    }
}

/// A wall between tenants that a probe came through has a hole: the wall as it is built, without a mistake in it.
fn mark_holes(board: &mut Board, probes: &[report::Probe]) {
    for (index, design) in board.designs.iter_mut().enumerate() {
        let as_built = probes.iter().filter(|probe| probe.as_built);
        let mut cells = as_built.filter_map(|probe| probe.designs.get(index));
        let leaked = cells.any(|found| found.cell.verdict == Verdict::Leaked);
        if let Some(wall) = &mut design.picture.tenant_wall {
            wall.hole = leaked;
        }
    }
}

fn head(design: &Design, scenario: &Scenario) -> BoardDesign {
    let compilation = design.compile(scenario, &[]);
    let (title, summary) = describe(design);
    BoardDesign {
        picture: picture::of(&compilation, scenario.tenant_column.as_deref()),
        same_rows: None,
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

/// The 99th percentiles of the read and of the write that are asked for most.
fn latency_rows(scenario: &Scenario, run: &RunReport) -> Vec<BoardRow> {
    let main = |read_only: bool| {
        let alike = scenario
            .operations
            .iter()
            .filter(|operation| operation.read_only == read_only);
        // The first of those that are asked for as often.
        alike.rev().max_by_key(|operation| operation.weight)
    };
    let row = |what: &str, operation: &Operation| BoardRow {
        slug: format!("{what}-p99"),
        title: format!("{}, p99", operation.name),
        note: format!("the main {what}: {}", run.scenario.clients),
        cells: run
            .designs
            .iter()
            .map(|design| latency_cell(design, operation, &run.scenario.profile))
            .collect(),
    };
    let read = main(true).map(|operation| row("read", operation));
    let write = main(false).map(|operation| row("write", operation));
    read.into_iter().chain(write).collect()
}

fn latency_cell(design: &report::DesignReport, operation: &Operation, profile: &str) -> Cell {
    let found = design.operations.iter().find(|report| report.name == operation.name);
    let Some(found) = found else {
        return Cell {
            verdict: Verdict::NotExpressible,
            words: "cannot be expressed".to_owned(),
            ..Cell::not_tested()
        };
    };
    let Some(latency) = &found.latency else {
        return Cell {
            words: "no answers".to_owned(),
            ..Cell::not_tested()
        };
    };
    let milliseconds = |span: Nanos| span.0 as f64 / 1e6;
    let band = latency.p99_interval.unwrap_or((latency.p50, latency.max));
    let rests_on = format!(
        "{} answered, {} failed. Counted work × the profile “{profile}”, plus queueing; the band is the 95 % interval of the 99th percentile in this run.",
        found.answered, found.failed
    );
    Cell {
        verdict: Verdict::Measured,
        figure: Some(Figure {
            value: milliseconds(latency.p99),
            band: Some((milliseconds(band.0), milliseconds(band.1))),
            of: None,
            unit: Unit::Milliseconds,
        }),
        words: format!(
            "median {}; {:.1} round trips",
            report::number::modelled(latency.p50),
            found.round_trips
        ),
        provenance: Some(Provenance::Modelled {
            profile: profile.to_owned(),
        }),
        evidence: vec![
            Evidence::Sentence(rests_on),
            Evidence::Distribution(Box::new(latency.clone())),
            Evidence::Replay {
                operation: operation.name.clone(),
                fault: None,
            },
        ],
    }
}

fn bill_row(designs: &[Design], bill: &BillReport) -> BoardRow {
    BoardRow {
        slug: "monthly-bill".to_owned(),
        title: "Monthly bill".to_owned(),
        note: format!("each sized for a p99 of {}{}", bill.target_p99, bill.prices.whose()),
        cells: designs
            .iter()
            .map(|design| bill.cell(&design.slug()).unwrap_or_else(Cell::not_tested))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_a_whole() {
        assert_eq!(SHARES.iter().sum::<u64>(), 100);
    }
}
