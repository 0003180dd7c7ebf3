//! A finished simulation → what its design's column of a report says.

use program::Compilation;
use report::{
    DesignReport, ErrorCount, InvariantReport, Latency, NodeReport, OperationReport, TableSample, TraceSummary, Window,
};
use sim::{InvariantState, NodeUse, OperationMeasurements, Simulation};

use crate::listing;

/// Steps of a CDF.
const CDF_POINTS: u32 = 200;

/// Rows of an invariant's evidence that a report carries.
const EVIDENCE_ROWS: usize = 20;

/// Without drawings: those are made from runs of their own.
pub(crate) fn of(compilation: &Compilation, simulation: &Simulation, spared: Vec<String>) -> DesignReport {
    let measurements = simulation.measurements();
    let (events, fingerprint) = simulation.trace();
    let sum = |count: fn(&OperationMeasurements) -> u64| measurements.operations().iter().map(count).sum();
    let operations = compilation.workload.operations.iter().zip(measurements.operations());
    let error = |(operation, message, count): (program::OperationId, &str, u64)| ErrorCount {
        operation: compilation.workload.operation(operation).name.clone(),
        message: message.to_owned(),
        count,
    };
    DesignReport {
        architecture: compilation.architecture.clone(),
        title: compilation.title.clone(),
        operations: operations
            .map(|(load, measured)| operation(&load.name, measured))
            .collect(),
        invariants: compilation
            .invariants
            .iter()
            .zip(simulation.invariants())
            .map(invariant)
            .collect(),
        errors: measurements.errors().map(error).collect(),
        duration: simulation.now().since(base::Time::ZERO),
        answered: sum(|measured| measured.answered),
        failed: sum(|measured| measured.failed),
        unanswered: sum(|measured| measured.unanswered),
        nodes: nodes(compilation, simulation),
        sequences: Vec::new(),
        programs: listing::programs(compilation),
        weakened: compilation.weakened.clone(),
        refusals: compilation.refusals.clone(),
        spared,
        trace: TraceSummary { events, fingerprint },
    }
}

fn operation(name: &str, measured: &OperationMeasurements) -> OperationReport {
    let latency = measured.mean_ns().map(|mean_ns| Latency {
        mean_ns,
        p50: measured.quantile(0.5),
        p90: measured.quantile(0.9),
        p99: measured.quantile(0.99),
        max: measured.quantile(1.0),
        mean_interval_ns: measured.mean_interval_ns(),
        p99_interval: measured.quantile_interval(0.99),
        cdf: measured.cdf(CDF_POINTS),
    });
    OperationReport {
        name: name.to_owned(),
        answered: measured.answered,
        failed: measured.failed,
        latency,
        round_trips: measured.round_trips(),
    }
}

fn invariant((invariant, found): (&program::Invariant, &InvariantState)) -> InvariantReport {
    let evidence = found
        .at_end
        .as_ref()
        .filter(|output| !output.rows.is_empty())
        .map(|output| TableSample {
            columns: output.columns.iter().map(|column| column.name.to_string()).collect(),
            rows: (output.rows.iter().take(EVIDENCE_ROWS))
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect(),
            total: output.rows.len() as u64,
        });
    let window = |window: &sim::BrokenWindow| Window {
        from: window.from,
        to: window.to,
        rows: window.rows,
        readers: window.readers,
    };
    InvariantReport {
        name: invariant.name.clone(),
        broken_rows: evidence.as_ref().map_or(0, |sample| sample.total),
        evidence,
        watched: false,
        windows: found.windows.iter().map(window).collect(),
        error: found.error.clone(),
    }
}

fn nodes(compilation: &Compilation, simulation: &Simulation) -> Vec<NodeReport> {
    let duration = simulation.now().0.max(1);
    let used = simulation.nodes();
    let node = |(node, used): (&program::Node, &NodeUse)| NodeReport {
        name: node.name.clone(),
        utilisation: used.processor_time.0 as f64 / duration as f64 / f64::from(used.cores.max(1)),
        statements: used.statements,
        flushes: used.flushes,
        commits: used.commits,
        crashes: used.crashes,
    };
    compilation.deployment.nodes.iter().zip(&used).map(node).collect()
}
