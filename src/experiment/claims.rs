//! Claims of decisions, checked: a number is measured by runs, and compared with what it should be.

use program::profile::Profile;
use program::{Compilation, OperationId};
use report::{Alone, Check, CheckFinding, DecisionRow, DecisionTable, Expectation, Measure};
use scenario::{Diagnostic, Scenario};

use crate::job::{Job, Progress};
use crate::settings::{Choice, problem, settings};
use crate::{AtomicityJob, RunJob, alone, fault, library, solo, summary};

/// Requests of the run in which two designs' rows are compared.
const COMPARED_REQUESTS: u64 = 300;

/// A scenario that claims are checked on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    pub slug: &'a str,
    pub text: &'a str,
}

/// A claim's figure for an operation.
#[derive(Clone, Debug)]
pub struct LatencyClaim {
    pub id: String,
    pub note: Option<String>,
    pub check: Check,
}

type Found = Result<(f64, String), Vec<Diagnostic>>;

impl Ground<'_> {
    /// Measures, and compares with what is expected.
    ///
    /// # Errors
    ///
    /// The check cannot be run: an unknown design, operation or class, or an operation that the design refuses.
    pub fn check(&self, check: &Check) -> Result<CheckFinding, Vec<Diagnostic>> {
        let (number, found) = match (&check.against, check.measure) {
            (Some(against), measure) if measure != Measure::DifferentTables => self.quotient(check, against)?,
            _ => self.measure(check, check.design.as_deref())?,
        };
        Ok(CheckFinding {
            under: check.under.clone(),
            found,
            expected: match (&check.against, check.measure) {
                (Some(_), measure) if measure != Measure::DifferentTables => format!("{} ×", check.expect),
                (_, measure) => format!("{} {}", check.expect, measure.unit()),
            },
            holds: check.expect.holds(number),
        })
    }

    /// The latency claims of a decision as a table, each with the round trips that make it up.
    ///
    /// # Errors
    ///
    /// As [`Ground::check`].
    pub fn decision_table(&self, decision: &str, claims: &[LatencyClaim]) -> Result<DecisionTable, Vec<Diagnostic>> {
        let mut rows = Vec::new();
        for LatencyClaim { id, note, check } in claims {
            let Expectation::Within { percent, of } = check.expect else {
                continue;
            };
            let (title, alone) = self.alone(check, check.design.as_deref())?;
            rows.push(DecisionRow {
                claim: id.clone(),
                note: note.clone(),
                says: base::Nanos::from_secs_f64(of / 1e3),
                percent,
                under: check.under.clone(),
                design: title,
                operation: check.operation.clone().unwrap_or_default(),
                alone,
            });
        }
        let mut scenario = self.scenario()?;
        let settings = settings(&mut scenario, &Choice::default())?;
        Ok(DecisionTable {
            scenario: summary::of(self.slug, &scenario, &settings),
            decision: decision.to_owned(),
            rows,
        })
    }

    fn quotient(&self, check: &Check, against: &str) -> Found {
        let (over, found) = self.measure(check, check.design.as_deref())?;
        let other = Check {
            fleet: Some(against.to_owned()),
            ..check.clone()
        };
        let (under, beside) = self.measure(&other, Some(against))?;
        if under == 0.0 {
            let message = format!("{} of {against} is nothing: there is no quotient", check.measure.name());
            return Err(vec![problem(message, None)]);
        }
        let quotient = over / under;
        Ok((quotient, format!("{quotient:.2} × ({found} against {beside})")))
    }

    fn measure(&self, check: &Check, design: Option<&str>) -> Found {
        match check.measure {
            Measure::Latency => {
                let (_, alone) = self.alone(check, design)?;
                Ok((alone.latency.as_millis_f64(), alone.latency.to_string()))
            }
            Measure::RoundTrips => {
                let (_, alone) = self.alone(check, design)?;
                Ok(counted(alone.trips.len(), "round trip"))
            }
            Measure::Window => self.window(check, design),
            Measure::Broken => self.broken(check, design),
            Measure::Refusals => Ok(counted(self.compilation(design)?.refusals.len(), "statement")),
            Measure::Weakened => Ok(counted(self.compilation(design)?.weakened.len(), "constraint")),
            Measure::DifferentTables => self.different_tables(check, design),
            Measure::Price => price(check),
        }
    }

    fn alone(&self, check: &Check, design: Option<&str>) -> Result<(String, Alone), Vec<Diagnostic>> {
        let compilation = self.compilation(design)?;
        let operation = operation(&compilation, check)?;
        let alone = alone::look(&compilation, operation, &self.profile()?, check.round_trip);
        Ok((
            compilation.title.clone(),
            alone.map_err(|message| vec![problem(message, None)])?,
        ))
    }

    /// The longest time that an invariant is broken while nothing fails.
    fn window(&self, check: &Check, design: Option<&str>) -> Found {
        let compilation = self.compilation(design)?;
        let operation = operation(&compilation, check)?;
        let simulation = solo::run(
            &solo::compilation(&compilation, operation),
            &self.profile()?,
            Vec::new(),
        );
        let simulation = simulation.map_err(|message| vec![problem(message, None)])?;
        let end = simulation.now();
        let windows = simulation.invariants().iter().flat_map(|state| &state.windows);
        let longest = windows
            .map(|window| window.to.unwrap_or(end).since(window.from))
            .max()
            .unwrap_or_default();
        Ok((longest.as_millis_f64(), longest.to_string()))
    }

    fn broken(&self, check: &Check, design: Option<&str>) -> Found {
        let operation = check.operation.as_deref().unwrap_or_default();
        let job = AtomicityJob::new(self.slug, self.text, &chosen(design), operation)?;
        let report = finish(job)?;
        let (broken, points) = report.designs.iter().fold((0, 0), |(broken, points), design| {
            (broken + design.broken(), points + design.points.len())
        });
        if points == 0 {
            let message = format!("{operation} cannot be expressed here: there is nothing to explore");
            return Err(vec![problem(message, None)]);
        }
        Ok((broken as f64, format!("{broken} of {points} faults")))
    }

    fn different_tables(&self, check: &Check, design: Option<&str>) -> Found {
        let designs = design.map(str::to_owned).into_iter().chain(check.against.clone());
        let choice = Choice {
            designs: designs.collect(),
            requests: Some(COMPARED_REQUESTS),
            ..Choice::default()
        };
        let report = finish(RunJob::new(self.slug, self.text, &choice)?)?;
        let different = report.same_rows.iter().filter(|table| !table.equal).count();
        Ok((
            different as f64,
            format!("{different} of {} tables", report.same_rows.len()),
        ))
    }

    fn compilation(&self, design: Option<&str>) -> Result<Compilation, Vec<Diagnostic>> {
        let compiled = crate::compile(self.text, &chosen(design))?;
        let first = compiled.into_iter().next();
        first.ok_or_else(|| vec![problem("no design was named".to_owned(), None)])
    }

    fn scenario(&self) -> Result<Scenario, Vec<Diagnostic>> {
        let parsed = scenario::parse(self.text);
        parsed.scenario.ok_or(parsed.diagnostics)
    }

    fn profile(&self) -> Result<Profile, Vec<Diagnostic>> {
        Ok(settings(&mut self.scenario()?, &Choice::default())?.profile)
    }
}

fn chosen(design: Option<&str>) -> Choice {
    Choice {
        designs: design.map(str::to_owned).into_iter().collect(),
        fault: Some("none".to_owned()),
        ..Choice::default()
    }
}

fn operation(compilation: &Compilation, check: &Check) -> Result<OperationId, Vec<Diagnostic>> {
    let name = check.operation.as_deref().unwrap_or_default();
    if let Some(found) = fault::operation_id(compilation, name) {
        return Ok(found);
    }
    let known: Vec<&str> = compilation
        .workload
        .operations
        .iter()
        .map(|load| load.name.as_str())
        .collect();
    Err(vec![if known.contains(&name) {
        problem(format!("{name} cannot be expressed on {}", compilation.title), None)
    } else {
        let hint = format!("there are: {}", known.join(", "));
        problem(format!("there is no operation \"{name}\""), Some(hint))
    }])
}

fn price(check: &Check) -> Found {
    let wrong = |message: String| vec![problem(message, None)];
    let fleet: cost::Fleet = match check.fleet.as_deref().unwrap_or_default().parse() {
        Ok(fleet) => fleet,
        Err(error) => return Err(wrong(cost::FleetError::to_string(&error))),
    };
    let name = library::DEFAULT_PRICES;
    let book = library::prices(name).ok_or_else(|| wrong(format!("the price book {name} cannot be read")))?;
    let total = fleet.bill(&book).map_err(|error| wrong(error.to_string()))?.total();
    Ok((total.dollars(), format!("{total} for {fleet}")))
}

fn counted(number: usize, of: &str) -> (f64, String) {
    let plural = if number == 1 { "" } else { "s" };
    (number as f64, format!("{number} {of}{plural}"))
}

fn finish<J: Job>(mut job: J) -> Result<J::Report, Vec<Diagnostic>> {
    loop {
        match job.step(1_000_000) {
            Progress::Running { .. } => {}
            Progress::Finished(report) => return Ok(*report),
            Progress::Failed(found) => return Err(found),
        }
    }
}
