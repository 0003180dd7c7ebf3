//! The lab profile gives what was measured on the lab's machine: PostgreSQL 15.18, pgbench and server on one machine
//! with two cores, 2026-11-21.
//!
//! pgbench is a program at home on the server's own node: it competes for the same cores, and nothing travels.

use base::{Nanos, Type};
use program::profile::Profile;
use program::workload::{ClientLoop, Generator};
use program::*;
use sim::Options;

use crate::build::*;
use crate::statement::existing_account;

fn lab() -> Profile {
    let text = include_str!("../../../public/profiles/lab-two-core.json");
    serde_json::from_str(text).expect("the profile parses")
}

/// Transactions per second with so many clients that ask as fast as they are answered.
fn throughput(clients: u32, requests: u64, statements: &[&str], parameter: (&str, Type, Generator)) -> f64 {
    let mut compilation = compilation(
        &["CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)"],
        1_000,
    );
    let columns = vec![
        ("id", Type::Int4, Generator::Unique { prefix: String::new() }),
        ("balance", Type::Int4, Generator::Between { low: 0, high: 1_000 }),
    ];
    table(&mut compilation, "accounts", 10_000, columns);
    compilation.deployment.nodes[SERVER.index()].cores = 2;
    compilation.deployment.pools[0].service = SERVER;
    compilation.deployment.links.push(Link {
        between: (CLIENT, SERVER),
        class: LinkClass::Local,
    });
    let mut program = Builder::new("pgbench", SERVER, ProgramKind::Entry);
    let id = program.parameter("id");
    program.acquire();
    for sql in statements {
        program.sql(sql, vec![Expression::Register(id)], Into::Nothing);
    }
    program.release();
    program.operation(&mut compilation, 1, vec![parameter]);
    compilation.workload.clients = ClientLoop::Closed {
        clients,
        think: Nanos::ZERO,
    };
    compilation.workload.requests = requests;
    let options = Options {
        warm_up: 0,
        record: sim::Record::Nothing,
        ..Options::of(&compilation)
    };
    let mut simulation = simulation_with(&compilation, &lab(), Vec::new(), options);
    // Connections are opened and texts prepared in the first half; the second is measured.
    while simulation.requests().1 < requests / 2 {
        simulation.run_slice(100);
    }
    let (from, before) = (simulation.now(), simulation.requests().1);
    while simulation.requests().0 < requests {
        simulation.run_slice(100);
    }
    let done = simulation.requests().1 - before;
    done as f64 / simulation.now().since(from).as_secs_f64()
}

fn assert_within_20_percent(what: &str, measured: f64, simulated: f64) {
    let ratio = simulated / measured;
    assert!(
        (0.8..=1.2).contains(&ratio),
        "{what}: measured {measured}/s, simulated {simulated:.0}/s"
    );
}

#[test]
fn point_reads_saturate_and_then_fall_with_oversubscription() {
    let select = ["SELECT balance FROM accounts WHERE id = $1"];
    for (clients, measured) in [(1, 41_500.0), (2, 44_800.0), (50, 42_900.0), (250, 19_200.0)] {
        let simulated = throughput(clients, 20_000, &select, existing_account());
        assert_within_20_percent(&format!("{clients} clients"), measured, simulated);
    }
}

#[test]
fn commits_share_flushes() {
    let update = ["UPDATE accounts SET balance = balance + 1 WHERE id = $1"];
    for (clients, measured) in [(1, 733.0), (8, 2_682.0)] {
        let simulated = throughput(clients, 4_000, &update, existing_account());
        assert_within_20_percent(&format!("{clients} clients"), measured, simulated);
    }
}

/// Every figure of a shipped profile has a source, or is said to be assumed.
#[test]
fn every_figure_has_its_source() {
    for text in [
        include_str!("../../../public/profiles/lab-two-core.json"),
        include_str!("../../../public/profiles/cloud-one-zone.json"),
    ] {
        let profile: Profile = serde_json::from_str(text).expect("the profile parses");
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let mut figures = Vec::new();
        for room in ["sql", "dynamo", "service", "recovery"] {
            figures.extend(
                value[room]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|key| format!("{room}.{key}")),
            );
        }
        figures.extend(
            value["network"]
                .as_array()
                .unwrap()
                .iter()
                .map(|link| format!("network.{}", link["class"].as_str().unwrap())),
        );
        for figure in figures {
            let told = |(source, _): &(String, String)| {
                figure == *source
                    || figure
                        .strip_prefix(source.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
            };
            assert!(
                profile.sources.iter().any(told),
                "{}: {figure} has no source",
                profile.name
            );
        }
    }
}
