//! What a report says of the scenario that was run, and what its figures rest on.

use report::ScenarioSummary;
use scenario::{ClientLoop, Scenario};

use crate::settings::Settings;

pub(crate) fn of(slug: &str, scenario: &Scenario, settings: &Settings) -> ScenarioSummary {
    let faults: Vec<String> = settings.faults.iter().map(ToString::to_string).collect();
    ScenarioSummary {
        slug: slug.to_owned(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        tenants: scenario.population.tenants,
        initial_rows: scenario.population.rows(),
        requests: scenario.load.requests,
        clients: clients(scenario.load.clients),
        fault: if faults.is_empty() {
            None
        } else {
            Some(faults.join("; "))
        },
        profile: settings.profile.title.clone(),
        assumptions: settings.profile.sources.clone(),
    }
}

fn clients(clients: ClientLoop) -> String {
    match clients {
        ClientLoop::Open { requests_per_second } => format!("open, {requests_per_second} requests per second"),
        ClientLoop::Closed { clients, think } => format!("closed, {clients} clients who think {think}"),
        ClientLoop::Serial => "one request after the other".to_owned(),
    }
}
