//! A load run of a scenario on some designs: latencies, errors, broken invariants, drawings of one request
//! of each operation, and the proof that all designs did the same work.
//!
//! ```text
//! for each design:  compile ─▶ load, run, drain ─▶ draw each operation alone ─▶ serial run
//!                                                                                  └▶ same rows?
//! ```

use std::sync::Arc;

use program::{Compilation, Fault, OperationId};
use report::{DesignReport, RunReport, ScenarioSummary};
use scenario::{Diagnostic, Scenario};
use sim::{Options, Simulation};

use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::{design_report, draw, same_rows, summary};

/// A run that would need more memory is refused: a browser's tab has little more.
const MOST_BYTES: u64 = 1 << 30;

/// A load run, stepped by its caller.
#[derive(Debug)]
pub struct RunJob {
    summary: ScenarioSummary,
    scenario: Scenario,
    settings: Settings,
    /// By operation: can every chosen design express it? Not counting a design that can express none.
    expressed: Vec<bool>,
    /// The design that is being run.
    design: usize,
    phase: Phase,
    reports: Vec<DesignReport>,
    holdings: Vec<same_rows::Holdings>,
}

#[derive(Debug)]
enum Phase {
    Compile,
    Load {
        compilation: Arc<Compilation>,
        faults: Vec<Fault>,
        spared: Vec<String>,
    },
    Run {
        compilation: Arc<Compilation>,
        simulation: Box<Simulation>,
        spared: Vec<String>,
    },
    Draw {
        compilation: Arc<Compilation>,
        operation: usize,
    },
    Serial {
        simulation: Box<Simulation>,
    },
}

impl RunJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice.
    pub fn new(slug: &str, text: &str, choice: &Choice) -> Result<RunJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, choice)?;
        let summary = summary::of(slug, &scenario, &settings);
        let mut expressed = vec![true; scenario.operations.len()];
        for design in &settings.designs {
            let compilation = design.compile(&scenario, &settings.sabotage);
            if expresses_nothing(&compilation) || !compilation.stores() {
                continue;
            }
            for (expressed, entry) in expressed.iter_mut().zip(&compilation.entries) {
                *expressed &= entry.is_some();
            }
        }
        Ok(RunJob {
            summary,
            expressed,
            scenario,
            settings,
            design: 0,
            phase: Phase::Compile,
            reports: Vec::new(),
            holdings: Vec::new(),
        })
    }

    fn advance(&mut self, budget: u64) -> Result<(), Vec<Diagnostic>> {
        let phase = std::mem::replace(&mut self.phase, Phase::Compile);
        self.phase = match phase {
            Phase::Compile => self.compile()?,
            Phase::Load {
                compilation,
                faults,
                spared,
            } => {
                let mut options = Options::of(&compilation);
                if expresses_nothing(&compilation) {
                    options.requests = 0;
                }
                let simulation = Simulation::new(Arc::clone(&compilation), &self.settings.profile, faults, options);
                let simulation = self.sound(simulation.map_err(|error| error.to_string()))?;
                Phase::Run {
                    compilation,
                    simulation: Box::new(simulation),
                    spared,
                }
            }
            Phase::Run {
                compilation,
                mut simulation,
                spared,
            } => {
                if let sim::Progress::Done(_) = simulation.run_slice(budget) {
                    self.reports.push(design_report::of(&compilation, &simulation, spared));
                    Phase::Draw {
                        compilation,
                        operation: 0,
                    }
                } else {
                    Phase::Run {
                        compilation,
                        simulation,
                        spared,
                    }
                }
            }
            Phase::Draw { compilation, operation } if operation < compilation.entries.len() => {
                let (profile, faults) = (&self.settings.profile, &self.settings.faults);
                let drawing = draw::drawn(&compilation, profile, faults, OperationId(operation as u16));
                let drawing = self.sound(drawing)?;
                if let (Some(drawing), Some(report)) = (drawing, self.reports.last_mut()) {
                    report.sequences.push(drawing);
                }
                Phase::Draw {
                    compilation,
                    operation: operation + 1,
                }
            }
            // It stores nothing that could be compared.
            Phase::Draw { compilation, .. } if expresses_nothing(&compilation) || !compilation.stores() => {
                self.design += 1;
                Phase::Compile
            }
            Phase::Draw { compilation, .. } => {
                let simulation = same_rows::simulation(&compilation, &self.expressed, &self.settings.profile);
                Phase::Serial {
                    simulation: Box::new(self.sound(simulation)?),
                }
            }
            Phase::Serial { mut simulation } => {
                if let sim::Progress::Done(_) = simulation.run_slice(budget) {
                    let holdings = same_rows::holdings(&simulation);
                    let holdings = self.sound(holdings)?;
                    self.holdings.push(holdings);
                    self.design += 1;
                    Phase::Compile
                } else {
                    Phase::Serial { simulation }
                }
            }
        };
        Ok(())
    }

    fn compile(&self) -> Result<Phase, Vec<Diagnostic>> {
        let design = &self.settings.designs[self.design];
        let compilation = Arc::new(design.compile(&self.scenario, &self.settings.sabotage));
        let estimate = sim::estimate(&compilation).total_bytes();
        if estimate > MOST_BYTES {
            let message = format!(
                "{}: this run would need about {} MiB of memory; {} MiB is the most",
                design.slug(),
                estimate >> 20,
                MOST_BYTES >> 20
            );
            let hint = "fewer initial rows under [population], or fewer requests".to_owned();
            return Err(vec![problem(message, Some(hint))]);
        }
        let (mut faults, mut spared) = (Vec::new(), Vec::new());
        for fault in &self.settings.faults {
            let placed = draw::place(&compilation, &self.settings.profile, fault);
            match self.sound(placed)? {
                Ok(placed) => faults.push(placed),
                Err(why) => spared.push(draw::sentence(fault, &why)),
            }
        }
        Ok(Phase::Load {
            compilation,
            faults,
            spared,
        })
    }

    /// What a compiled program cannot be loaded for is a defect of ours, and said so.
    fn sound<T>(&self, result: Result<T, String>) -> Result<T, Vec<Diagnostic>> {
        let design = self.settings.designs[self.design].slug();
        result.map_err(|message| vec![problem(format!("{design}: {message}"), None)])
    }

    fn progress(&self) -> Progress<RunReport> {
        const WHOLE: u64 = 1_000;
        let part = match &self.phase {
            Phase::Compile => 0,
            Phase::Load { .. } => 50,
            Phase::Run { simulation, .. } => 100 + share(simulation.requests().1, self.summary.requests, 600),
            Phase::Draw { compilation, operation } => {
                700 + share(*operation as u64, compilation.entries.len() as u64, 100)
            }
            Phase::Serial { simulation } => {
                800 + share(simulation.requests().1, simulation.compilation().workload.requests, 200)
            }
        };
        let doing = match &self.phase {
            Phase::Compile => "compile",
            Phase::Load { .. } => "load the first rows",
            Phase::Run { .. } => "run",
            Phase::Draw { .. } => "draw one request of each operation",
            Phase::Serial { .. } => "compare the rows",
        };
        let title = self
            .settings
            .designs
            .get(self.design)
            .map_or_else(String::new, |design| crate::describe(design).0);
        Progress::Running {
            done: self.design as u64 * WHOLE + part,
            of: self.settings.designs.len() as u64 * WHOLE,
            what: format!("{title}: {doing}"),
        }
    }
}

fn expresses_nothing(compilation: &Compilation) -> bool {
    compilation.entries.iter().all(Option::is_none)
}

fn share(done: u64, of: u64, whole: u64) -> u64 {
    done.saturating_mul(whole) / of.max(1)
}

impl Job for RunJob {
    type Report = RunReport;

    fn step(&mut self, budget: u64) -> Progress<RunReport> {
        if self.design == self.settings.designs.len() {
            let faults = self.settings.faults.len();
            if faults > 0 && self.reports.iter().all(|report| report.spared.len() == faults) {
                let titled = |report: &DesignReport| {
                    let title = report.title.clone();
                    let each = report
                        .spared
                        .iter()
                        .map(move |why| problem(format!("{title}: {why}"), None));
                    each.collect::<Vec<_>>()
                };
                return Progress::Failed(self.reports.iter().flat_map(titled).collect());
            }
            return Progress::Finished(Box::new(RunReport {
                scenario: self.summary.clone(),
                designs: std::mem::take(&mut self.reports),
                same_rows: same_rows::compare(&self.holdings),
            }));
        }
        match self.advance(budget) {
            Ok(()) => self.progress(),
            Err(found) => Progress::Failed(found),
        }
    }
}
