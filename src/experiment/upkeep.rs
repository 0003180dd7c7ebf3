//! What somebody has to look after, counted from the deployment: the first rows of "What does it take to run?".

use std::collections::BTreeSet;

use architecture::Design;
use program::{Compilation, NodeKind, Op};
use report::{BoardRow, Cell, Evidence, Figure, Provenance, Unit, Verdict};
use scenario::Scenario;

pub(crate) fn rows(designs: &[Design], scenario: &Scenario) -> Vec<BoardRow> {
    let compiled: Vec<Compilation> = designs.iter().map(|design| design.compile(scenario, &[])).collect();
    let row = |slug: &str, title: &str, note: &str, cell: fn(&Compilation) -> Cell| BoardRow {
        slug: slug.to_owned(),
        title: title.to_owned(),
        note: note.to_owned(),
        cells: compiled.iter().map(cell).collect(),
    };
    vec![
        row(
            "migrate-everyone",
            "Migrate everyone",
            "places where a change of a table has to be made",
            migrations,
        ),
        row(
            "credentials",
            "Credentials and endpoints",
            "logins that somebody keeps secret and rotates",
            credentials,
        ),
    ]
}

/// Every database has definitions, its own or those that it was copied with; a table of items has none.
fn migrations(compilation: &Compilation) -> Cell {
    let deployment = &compilation.deployment;
    let databases = deployment
        .databases
        .iter()
        .filter(|database| !database.definitions.is_empty() || database.template.is_some());
    let databases = databases.count();
    let items = deployment.item_tables.len() + deployment.buckets.len();
    let words = match (databases, items) {
        (0, _) => "each row carries its own shape: programs change, and old rows stay",
        (1, _) => "one database",
        _ => "databases, one after the other",
    };
    counted(
        if databases == 0 { items } else { databases },
        words,
        vec![Evidence::Sentence(format!(
            "{databases} databases with definitions, {items} tables of items and buckets."
        ))],
    )
}

/// A login is a role on a database: each has a secret, and each server an address.
fn credentials(compilation: &Compilation) -> Cell {
    let deployment = &compilation.deployment;
    let logins: BTreeSet<(usize, &str)> = deployment
        .pools
        .iter()
        .map(|pool| (pool.database.index(), pool.role.as_str()))
        .collect();
    let stores = |kind: NodeKind| !matches!(kind, NodeKind::Client | NodeKind::Service);
    let endpoints = deployment.nodes.iter().filter(|node| stores(node.kind)).count();
    let services: BTreeSet<&str> = deployment
        .nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Service)
        .map(|node| node.name.as_str())
        .collect();
    let keys = if deployment.item_tables.is_empty() && deployment.buckets.is_empty() {
        0
    } else {
        services.len()
    };
    let on_the_bus: BTreeSet<usize> = compilation
        .programs
        .iter()
        .filter(|program| program.steps.iter().any(|step| matches!(step.op, Op::Bus { .. })))
        .map(|program| program.home.index())
        .collect();
    let bus = match on_the_bus.len() {
        0 => String::new(),
        services => format!(" {services} of services on the event bus,"),
    };
    counted(
        logins.len() + keys + on_the_bus.len(),
        &report::number::plural(endpoints as u64, "endpoint", "endpoints"),
        vec![Evidence::Sentence(format!(
            "{} logins to databases, {keys} access keys of services that use items or objects,{bus} {endpoints} endpoints.",
            logins.len()
        ))],
    )
}

fn counted(count: usize, words: &str, evidence: Vec<Evidence>) -> Cell {
    Cell {
        verdict: Verdict::Measured,
        figure: Some(Figure {
            value: count as f64,
            band: None,
            of: None,
            unit: Unit::Count,
        }),
        words: words.to_owned(),
        provenance: Some(Provenance::Counted),
        evidence,
    }
}
