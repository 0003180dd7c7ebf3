//! What can be chosen beside the scenario's text: designs, fault, seed, requests, the target of a sizing.

use base::Time;
use leptos::prelude::*;
use protocol::{Link, RunOptions, ScenarioOutline};

use crate::fault::FaultForm;

#[derive(Clone, Copy)]
pub(crate) struct Choices {
    /// Designs to run; `None`: all.
    pub(crate) designs: RwSignal<Option<Vec<String>>>,
    pub(crate) fault: RwSignal<FaultForm>,
    pub(crate) seed: RwSignal<String>,
    pub(crate) requests: RwSignal<String>,
    /// A 99th percentile in ms that servers are sized for.
    pub(crate) target: RwSignal<String>,
    /// From a link only; shown, and taken away with one click.
    pub(crate) sabotage: RwSignal<Vec<String>>,
    /// The operation that is drawn; `None`: the first that writes.
    pub(crate) operation: RwSignal<Option<String>>,
    /// Where the time cursor stands in its drawing.
    pub(crate) at: RwSignal<Time>,
}

/// All choices of an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    designs: Option<Vec<String>>,
    fault: FaultForm,
    seed: String,
    requests: String,
    target: String,
    sabotage: Vec<String>,
}

impl Choices {
    pub(crate) fn new() -> Choices {
        Choices {
            designs: RwSignal::new(None),
            fault: RwSignal::new(FaultForm::default()),
            seed: RwSignal::new(String::new()),
            requests: RwSignal::new(String::new()),
            target: RwSignal::new(String::new()),
            sabotage: RwSignal::new(Vec::new()),
            operation: RwSignal::new(None),
            at: RwSignal::new(Time::ZERO),
        }
    }

    pub(crate) fn now(self) -> Chosen {
        Chosen {
            designs: self.designs.get(),
            fault: self.fault.get(),
            seed: self.seed.get(),
            requests: self.requests.get(),
            target: self.target.get(),
            sabotage: self.sabotage.get(),
        }
    }

    /// As they were.
    pub(crate) fn restore(self, chosen: Chosen) {
        self.designs.set(chosen.designs);
        self.fault.set(chosen.fault);
        self.seed.set(chosen.seed);
        self.requests.set(chosen.requests);
        self.target.set(chosen.target);
        self.sabotage.set(chosen.sabotage);
    }

    /// Makes the choices of a link.
    pub(crate) fn follow(self, link: &Link) {
        let options = &link.options;
        self.operation.set(link.operation.clone());
        self.at.set(Time(link.at_ns.unwrap_or(0)));
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let designs = &options.architectures;
        self.designs.set((!designs.is_empty()).then(|| designs.clone()));
        self.break_with(options.fault.as_deref());
        self.seed.set(text(options.seed));
        self.requests.set(text(options.requests));
        self.target.set(text(options.target_p99_ms.map(u64::from)));
        self.sabotage.set(options.sabotage.clone());
    }

    /// A fault needs an operation: the first that writes, unless one was named. What a person or a link said is kept,
    /// even where this scenario has no such operation: the run will say so.
    pub(crate) fn fit(self, outline: &ScenarioOutline) {
        let operations = &outline.operations;
        let is_settled = self.fault.with_untracked(|fault| {
            let known = operations.iter().any(|operation| operation.name == fault.operation);
            known || (!fault.operation.is_empty() && fault.sentence().is_some())
        });
        if is_settled {
            return;
        }
        let first = operations
            .iter()
            .find(|operation| operation.writes)
            .or(operations.first());
        let first = first.map(|operation| operation.name.clone()).unwrap_or_default();
        self.fault.update(|fault| fault.operation = first);
    }

    /// Breaks this; `None`: nothing beyond what the scenario says.
    pub(crate) fn break_with(self, fault: Option<&str>) {
        self.fault.set(fault.map_or_else(FaultForm::default, FaultForm::of));
    }

    /// The link that makes these choices; the scenario is for the caller to name.
    pub(crate) fn link(self) -> Result<Link, String> {
        let at = self.at.get().0;
        let operation = self.operation.get();
        Ok(Link {
            at_ns: operation.is_some().then_some(at).filter(|at| *at > 0),
            operation,
            options: self.options()?,
            ..Link::default()
        })
    }

    /// What the form asks for, or what is wrong in it.
    pub(crate) fn options(self) -> Result<RunOptions, String> {
        let options = RunOptions {
            architectures: self.designs.get().unwrap_or_default(),
            seed: number(&self.seed.get(), "seed: a whole number")?,
            fault: self.fault.with(FaultForm::sentence),
            requests: number(&self.requests.get(), "number of requests")?,
            target_p99_ms: number(&self.target.get(), "number of milliseconds")?,
            sabotage: self.sabotage.get(),
        };
        if self.designs.with(|designs| designs.as_ref().is_some_and(Vec::is_empty)) {
            return Err("Choose at least one design.".to_owned());
        }
        Ok(options)
    }
}

/// Nothing typed: the scenario's own.
fn number<N: std::str::FromStr>(text: &str, what: &str) -> Result<Option<N>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .replace([',', '_', ' '], "")
            .parse()
            .map(Some)
            .map_err(|_| format!("“{text}” is not a {what}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_may_be_written_as_people_do() {
        assert_eq!(number(" 12_000 ", "seed"), Ok(Some(12_000_u64)));
        assert_eq!(number("12,000", "seed"), Ok(Some(12_000_u64)));
        assert_eq!(number::<u64>("", "seed"), Ok(None));
        assert_eq!(number::<u64>("many", "seed"), Err("“many” is not a seed.".to_owned()));
    }
}
