//! Queueing theory: the simulated mean response time agrees with Erlang's formula.

use base::Nanos;

use sim::queueing::Queue;
use sim::statistics::interval_95;

use crate::build::*;

const SERVICE: Nanos = Nanos(1_000_000);

fn queue(servers: u16, load_percent: u64) -> Queue {
    Queue {
        servers,
        gap_mean: Nanos(SERVICE.0 * 100 / load_percent / u64::from(servers)),
        service_mean: SERVICE,
    }
}

/// The 95 % interval over independent replications covers the formula. Seeds are fixed; of twelve such
/// intervals one may miss by chance in every second choice of seeds, so the choice is part of the test.
fn assert_theory_is_covered(servers: u16, loads: &[u64]) {
    for &load in loads {
        let queue = queue(servers, load);
        let means: Vec<f64> = (0..20)
            .map(|seed| queue.run(seed, 2_000, 42_000).mean_response_ns)
            .collect();
        let (low, high) = interval_95(&means).unwrap();
        let theory = queue.mean_response_ns_by_theory();
        assert!(
            low <= theory && theory <= high,
            "M/M/{servers} at {load} %: {theory} outside {low} … {high}"
        );
        assert!(
            (high - low) / theory < 0.08,
            "M/M/{servers} at {load} %: {low} … {high} says too little"
        );
    }
}

#[test]
fn m_m_1_has_the_theoretical_mean_response() {
    assert_theory_is_covered(1, &[20, 40, 60, 80]);
}

#[test]
fn m_m_2_has_the_theoretical_mean_response() {
    assert_theory_is_covered(2, &[20, 40, 60, 80]);
}

#[test]
fn m_m_4_has_the_theoretical_mean_response() {
    assert_theory_is_covered(4, &[20, 40, 60, 80]);
}

#[test]
fn the_formula_is_the_textbook_one() {
    // M/M/1: 1/(μ−λ). M/M/2 at ρ = 0.8: 1/μ / (1 − ρ²).
    assert!((queue(1, 80).mean_response_ns_by_theory() / 1e6 - 5.0).abs() < 1e-9);
    assert!((queue(2, 80).mean_response_ns_by_theory() / 1e6 - 1.0 / 0.36).abs() < 1e-9);
}

/// The same through clients, links, the interpreter and the measurements: an open loop over a service with `c` cores.
#[test]
fn a_service_with_c_cores_is_an_m_m_c_queue() {
    for (servers, load) in [(1, 70), (2, 70), (4, 80)] {
        let queue = queue(servers, load);
        let mut compilation = compilation(&[], 1);
        compilation.deployment.nodes[APP.index()].cores = servers;
        let mut program = Builder::entry("work");
        let duration = program::Duration::Exponential(queue.service_mean);
        program.then(
            "work",
            program::Op::Work {
                node: APP,
                duration,
                fails: None,
            },
        );
        program.operation(&mut compilation, 1, Vec::new());
        let requests_per_second = (1_000_000_000 / queue.gap_mean.0) as u32;
        compilation.workload.clients = program::workload::ClientLoop::Open { requests_per_second };
        compilation.workload.requests = 22_000;
        let means: Vec<f64> = (0..12)
            .map(|seed| {
                compilation.workload.seed = seed;
                let options = sim::Options {
                    warm_up: 2_000,
                    ..sim::Options::of(&compilation)
                };
                let mut simulation = simulation_with(&compilation, &free_profile(), Vec::new(), options);
                simulation.run();
                simulation.measurements().operations()[0].mean_ns().expect("answers")
            })
            .collect();
        let (low, high) = interval_95(&means).unwrap();
        let theory = queue.mean_response_ns_by_theory();
        assert!(
            low <= theory && theory <= high,
            "c = {servers}: {theory} outside {low} … {high}"
        );
    }
}
