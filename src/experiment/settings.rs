//! What a person chose for a run, checked against the scenario: designs, seed, fault, requests.

use architecture::{Design, Sabotage};
use base::{Money, Nanos};
use cost::{PriceBook, PriceChange, PriceChangeError};
use program::profile::Profile;
use report::{ListedPrice, PriceSheet};
use scenario::{Diagnostic, Fault, Place, Scenario, Severity};

use crate::library;

/// As a person writes it: on the command line, in a link, on the page. Empty means the scenario's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Slugs with variants; `all` is every design there is. Empty: those that a studied decision chose.
    pub designs: Vec<String>,
    pub seed: Option<u64>,
    /// `crash orchestrator after step 3 of create_user`; `none` breaks nothing, whatever the scenario says.
    pub fault: Option<String>,
    pub requests: Option<u64>,
    /// Slugs of what is left out on purpose.
    pub sabotage: Vec<String>,
    /// Of all requests: what servers are sized for, where they are sized.
    pub target_p99: Option<Nanos>,
    /// Instead of the built-in price book.
    pub price_book: Option<PriceBook>,
    /// `sql_storage_usd_per_gb_month=0.2`, in place of the book's price.
    pub prices: Vec<String>,
}

/// A choice that can be run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub designs: Vec<Design>,
    pub faults: Vec<Fault>,
    pub sabotage: Vec<Sabotage>,
    pub profile: Profile,
    /// With the prices that were chosen.
    pub prices: PriceBook,
    /// Which of them are not the book's.
    replaced: Vec<String>,
}

impl Settings {
    pub(crate) fn price_sheet(&self) -> PriceSheet {
        let listed = |(key, usd, source): (String, Money, String)| ListedPrice {
            replaced: self.replaced.contains(&key),
            usd: usd.exact(),
            key,
            source,
        };
        PriceSheet {
            title: self.prices.title.clone(),
            date: self.prices.date.clone(),
            region: self.prices.region.clone(),
            prices: self.prices.prices().into_iter().map(listed).collect(),
        }
    }
}

/// In place of slugs: every design.
pub(crate) const ALL: &str = "all";

/// Most requests that one run issues.
pub const MOST_REQUESTS: u64 = 1_000_000;

/// Applies what was chosen to the scenario (seed, requests) and resolves the rest.
///
/// # Errors
///
/// Everything that is wrong with the choice, without a place in the file.
pub fn settings(scenario: &mut Scenario, choice: &Choice) -> Result<Settings, Vec<Diagnostic>> {
    let mut wrong = architecture::check(scenario);
    let designs = designs(choice, &mut wrong);
    let sabotage = sabotage(choice, &mut wrong);
    let faults = match choice.fault.as_deref().map(str::trim) {
        None => scenario.faults.clone(),
        Some("" | "none") => Vec::new(),
        Some(text) => match Fault::parse(text, &scenario.operations) {
            Ok(fault) => vec![fault],
            Err(error) => {
                wrong.push(problem(format!("fault \"{text}\": {}", error.message), error.hint));
                Vec::new()
            }
        },
    };
    let name = scenario.profile.as_deref().unwrap_or(library::DEFAULT_PROFILE);
    let profile = library::profile(name);
    if profile.is_none() {
        let known: Vec<&str> = library::profile_names().collect();
        wrong.push(problem(
            format!("unknown profile \"{name}\""),
            Some(format!("there are: {}", known.join(", "))),
        ));
    }
    if let Some(requests) = choice.requests {
        if (1..=MOST_REQUESTS).contains(&requests) {
            scenario.load.requests = requests;
        } else {
            wrong.push(problem(
                format!("a run has from 1 to {MOST_REQUESTS} requests, not {requests}"),
                None,
            ));
        }
    }
    scenario.seed = choice.seed.unwrap_or(scenario.seed);
    let prices = prices(choice, &mut wrong);
    match (profile, prices) {
        (Some(profile), Some((prices, replaced))) if wrong.is_empty() => Ok(Settings {
            designs,
            faults,
            sabotage,
            profile,
            prices,
            replaced,
        }),
        _ => Err(wrong),
    }
}

fn designs(choice: &Choice, wrong: &mut Vec<Diagnostic>) -> Vec<Design> {
    if choice.designs.is_empty() {
        return architecture::chosen_designs();
    }
    if choice.designs.iter().any(|slug| slug == ALL) {
        return architecture::designs();
    }
    let mut chosen: Vec<Design> = Vec::new();
    for slug in &choice.designs {
        match architecture::design(slug) {
            Some(design) if chosen.iter().all(|known| known.slug() != design.slug()) => chosen.push(design),
            Some(_) => {}
            None => {
                let known: Vec<String> = architecture::designs().iter().map(Design::slug).collect();
                let hint = format!("there are: {}", known.join(", "));
                wrong.push(problem(format!("unknown design \"{slug}\""), Some(hint)));
            }
        }
    }
    chosen
}

fn sabotage(choice: &Choice, wrong: &mut Vec<Diagnostic>) -> Vec<Sabotage> {
    let mut chosen = Vec::new();
    for slug in &choice.sabotage {
        match Sabotage::find(slug) {
            Some(sabotage) => chosen.push(sabotage),
            None => {
                let known: Vec<&str> = Sabotage::ALL.iter().map(|sabotage| sabotage.slug()).collect();
                let hint = format!("there are: {}", known.join(", "));
                wrong.push(problem(format!("unknown sabotage \"{slug}\""), Some(hint)));
            }
        }
    }
    chosen
}

/// The book, and the keys of what was replaced in it.
fn prices(choice: &Choice, wrong: &mut Vec<Diagnostic>) -> Option<(PriceBook, Vec<String>)> {
    let name = library::DEFAULT_PRICES;
    let Some(book) = choice.price_book.clone().or_else(|| library::prices(name)) else {
        wrong.push(problem(format!("the price book {name} cannot be read"), None));
        return None;
    };
    let changes: Result<Vec<PriceChange>, _> = choice.prices.iter().map(|change| change.parse()).collect();
    match changes.and_then(|changes| Ok((book.changed(&changes)?, changes))) {
        Ok((book, changes)) => Some((book, changes.into_iter().map(|change| change.key).collect())),
        Err(error) => {
            wrong.push(problem(PriceChangeError::to_string(&error), None));
            None
        }
    }
}

pub(crate) fn problem(message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        place: Place::default(),
        severity: Severity::Error,
        message,
        hint,
    }
}
