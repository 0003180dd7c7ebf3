//! What can be chosen beside the text: designs, fault, seed, requests, the target of a sizing; the level of a schedule.

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
    /// By their keys, as typed, in place of the price book's.
    pub(crate) prices: RwSignal<Vec<(String, String)>>,
    /// From a link only; shown, and taken away with one click.
    pub(crate) sabotage: RwSignal<Vec<String>>,
    /// The operation that is drawn; `None`: the first that writes.
    pub(crate) operation: RwSignal<Option<String>>,
    /// Where the time cursor stands in its drawing.
    pub(crate) at: RwSignal<Time>,
    /// Of transaction isolation, where a schedule's transactions name none: `repeatable-read`; empty: PostgreSQL's own.
    pub(crate) level: RwSignal<String>,
}

/// All choices of an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    designs: Option<Vec<String>>,
    fault: FaultForm,
    seed: String,
    requests: String,
    target: String,
    prices: Vec<(String, String)>,
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
            prices: RwSignal::new(Vec::new()),
            sabotage: RwSignal::new(Vec::new()),
            operation: RwSignal::new(None),
            at: RwSignal::new(Time::ZERO),
            level: RwSignal::new(String::new()),
        }
    }

    pub(crate) fn now(self) -> Chosen {
        Chosen {
            designs: self.designs.get(),
            fault: self.fault.get(),
            seed: self.seed.get(),
            requests: self.requests.get(),
            target: self.target.get(),
            prices: self.prices.get(),
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
        self.prices.set(chosen.prices);
        self.sabotage.set(chosen.sabotage);
    }

    /// Makes the choices of a link.
    pub(crate) fn follow(self, link: &Link) {
        let options = &link.options;
        self.operation.set(link.operation.clone());
        self.at.set(Time(link.at_ns.unwrap_or(0)));
        self.level.set(link.level.clone().unwrap_or_default());
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let designs = &options.architectures;
        self.designs.set((!designs.is_empty()).then(|| designs.clone()));
        self.break_with(options.fault.as_deref());
        self.seed.set(text(options.seed));
        self.requests.set(text(options.requests));
        self.target.set(text(options.target_p99_ms.map(u64::from)));
        let price = |text: &String| Some(text.split_once('=')?).map(|(key, usd)| (key.to_owned(), usd.to_owned()));
        self.prices.set(options.prices.iter().filter_map(price).collect());
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

    /// Somebody's own price; nothing typed: the book's.
    pub(crate) fn set_price(self, key: &str, usd: String) {
        self.prices.update(|prices| {
            prices.retain(|(known, _)| known != key);
            if !usd.trim().is_empty() {
                prices.push((key.to_owned(), usd));
            }
        });
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
            level: Some(self.level.get()).filter(|level| !level.is_empty()),
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
            prices: self
                .prices
                .with(|prices| prices.iter().map(price).collect::<Result<_, _>>())?,
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

fn price((key, usd): &(String, String)) -> Result<String, String> {
    let amount = usd.trim();
    let is_digit = |c: char| c.is_ascii_digit();
    match amount.split_once('.').unwrap_or((amount, "0")) {
        (whole, part) if !whole.is_empty() && !part.is_empty() && whole.chars().chain(part.chars()).all(is_digit) => {
            Ok(format!("{key}={amount}"))
        }
        _ => Err(format!("“{usd}” is no amount of dollars: write it like 0.072.")),
    }
}

#[cfg(test)]
mod tests {
    use super::{number, price};

    #[test]
    fn a_price_is_a_plain_amount() {
        let typed = |usd: &str| price(&("a_key".to_owned(), usd.to_owned()));
        assert_eq!(typed(" 0.072 "), Ok("a_key=0.072".to_owned()));
        assert_eq!(typed("12"), Ok("a_key=12".to_owned()));
        for wrong in ["-1", "1.", ".5", "1e3", "cheap", "1,5"] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_may_be_written_as_people_do() {
        assert_eq!(number(" 12_000 ", "seed"), Ok(Some(12_000_u64)));
        assert_eq!(number("12,000", "seed"), Ok(Some(12_000_u64)));
        assert_eq!(number::<u64>("", "seed"), Ok(None));
        assert_eq!(number::<u64>("many", "seed"), Err("“many” is not a seed.".to_owned()));
    }
}
