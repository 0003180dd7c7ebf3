//! A finished simulation → what its design's column of a report says.

use program::Compilation;
use report::{
    DesignReport, ErrorCount, InvariantReport, Latency, NodeReport, OperationReport, TableSample, TraceSummary, Window,
};
use sim::{InvariantFound, OperationMeasurements, Simulation};

use crate::listing;

/// Steps of a CDF.
const CDF_POINTS: u32 = 200;

/// Rows of an invariant's evidence that a report carries.
const EVIDENCE_ROWS: usize = 20;

/// Without drawings: those are made from runs of their own.
pub(crate) fn of(compilation: &Compilation, simulation: &Simulation) -> DesignReport {
    let measurements = simulation.measurements();
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
        operations: operations.map(|(load, measured)| operation(&load.name, measured)).collect(),
        invariants: simulation.invariants().iter().map(invariant).collect(),
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
        trace: TraceSummary { events: simulation.events(), fingerprint: simulation.trace_fingerprint() },
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

fn invariant(found: &InvariantFound) -> InvariantReport {
    let evidence = (found.rows > 0).then(|| TableSample {
        columns: found.columns.clone(),
        rows: (found.sample.iter().take(EVIDENCE_ROWS))
            .map(|row| row.iter().map(ToString::to_string).collect())
            .collect(),
        total: found.rows,
    });
    let window = |window: &sim::Window| Window {
        from: window.from,
        to: window.to,
        rows: window.rows,
        readers: window.readers,
    };
    InvariantReport {
        name: found.name.clone(),
        broken_rows: found.rows,
        evidence,
        windows: found.windows.iter().map(window).collect(),
    }
}

fn nodes(compilation: &Compilation, simulation: &Simulation) -> Vec<NodeReport> {
    let measured = simulation.nodes();
    let node = |(node, measured): (&program::Node, &sim::NodeMeasurements)| NodeReport {
        name: node.name.clone(),
        utilisation: measured.utilisation,
        statements: measured.statements,
        flushes: measured.flushes,
        commits: measured.commits,
        crashes: measured.crashes,
    };
    compilation.deployment.nodes.iter().zip(&measured).map(node).collect()
}
