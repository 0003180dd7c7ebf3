//! What the reference shows is what the parser takes.

use scenario::{ClientLoop, Fault, Load, parse};

const REFERENCE: &str = include_str!("../reference.md");

fn block(language: &str) -> &'static str {
    let (_, rest) = REFERENCE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn its_example_is_a_scenario() {
    let parsed = parse(block("toml"));
    assert_eq!(parsed.diagnostics, []);
    let scenario = parsed.scenario.unwrap();
    assert_eq!(scenario.population.rows(), 2_000);
    assert_eq!(scenario.invariants[0].tables.len(), 2);
}

#[test]
fn its_faults_are_faults() {
    let sentences: Vec<&str> = block("text").lines().collect();
    assert_eq!(sentences.len(), 6);
    for sentence in sentences {
        let fault: Fault = sentence.parse().unwrap();
        assert_eq!(fault.to_string(), sentence);
    }
}

#[test]
fn its_defaults_are_the_defaults() {
    let head = "title = 'x'\n[schema]\nsql = 'CREATE TABLE a.t (n int PRIMARY KEY)'\n[[operation]]\nname = 'x'\nsql = 'SELECT 1'\n";
    let scenario = parse(head).scenario.unwrap();
    let Load {
        clients,
        requests,
        retry,
    } = scenario.load;
    assert_eq!(
        clients,
        ClientLoop::Open {
            requests_per_second: 100
        }
    );
    assert_eq!((requests, retry.timeout.0, retry.attempts), (1_000, 1_000_000_000, 1));
    assert_eq!(
        base::Value::Timestamptz(scenario.epoch_micros).to_string(),
        "2026-01-01 00:00:00+00"
    );
    assert_eq!((scenario.seed, scenario.operations[0].weight), (1, 1));
}
