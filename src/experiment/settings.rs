//! What a person chose for a run, checked against the scenario: designs, seed, fault, requests.

use architecture::{Design, Sabotage};
use base::Nanos;
use program::profile::Profile;
use scenario::{Diagnostic, Fault, Place, Scenario, Severity};

use crate::library;

/// As a person writes it: on the command line, in a link, on the page. Empty means the scenario's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Slugs with variants; empty: all.
    pub designs: Vec<String>,
    pub seed: Option<u64>,
    /// `crash orchestrator after step 3 of create_user`; `none` breaks nothing, whatever the scenario says.
    pub fault: Option<String>,
    pub requests: Option<u64>,
    /// Slugs of what is left out on purpose.
    pub sabotage: Vec<String>,
    /// Of all requests: what servers are sized for, where they are sized.
    pub target_p99: Option<Nanos>,
}

/// A choice that can be run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub designs: Vec<Design>,
    pub faults: Vec<Fault>,
    pub sabotage: Vec<Sabotage>,
    pub profile: Profile,
}

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
    match profile {
        Some(profile) if wrong.is_empty() => Ok(Settings {
            designs,
            faults,
            sabotage,
            profile,
        }),
        _ => Err(wrong),
    }
}

fn designs(choice: &Choice, wrong: &mut Vec<Diagnostic>) -> Vec<Design> {
    if choice.designs.is_empty() {
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

pub(crate) fn problem(message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        place: Place::default(),
        severity: Severity::Error,
        message,
        hint,
    }
}
