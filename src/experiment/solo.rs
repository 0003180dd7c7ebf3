//! One request alone on a small population, everything recorded: what drawings and explorations are made
//! of. Another one goes before it, so that pools have their connections and caches their statements, as they
//! have in a system that is up.

use std::sync::Arc;

use program::profile::Profile;
use program::workload::ClientLoop;
use program::{Compilation, Event, EventKind, Fault, OperationId, Outcome, RequestId};
use sim::{Checks, Options, Record, Simulation};

use crate::scale;

/// Initial rows of a table in a solo run, at most.
const ROWS: u64 = 200;

/// The request that is looked at; the one before it warms up.
pub(crate) const REQUEST: RequestId = RequestId(1);

/// The compilation with a small population and a workload of this operation alone.
pub(crate) fn compilation(full: &Compilation, operation: OperationId) -> Arc<Compilation> {
    let mut workload = scale::scaled(&full.workload, ROWS);
    for (index, load) in workload.operations.iter_mut().enumerate() {
        load.weight = u32::from(index == operation.index());
    }
    workload.clients = ClientLoop::Serial;
    workload.requests = REQUEST.0 + 1;
    Arc::new(Compilation {
        workload,
        ..full.clone()
    })
}

/// Runs it to the end, with every event recorded and every commit watched.
pub(crate) fn run(compilation: &Arc<Compilation>, profile: &Profile, faults: Vec<Fault>) -> Result<Simulation, String> {
    let options = Options {
        record: Record::Everything,
        checks: Checks::EveryCommit,
        ..Options::of(compilation)
    };
    let simulation = Simulation::new(Arc::clone(compilation), profile, faults, options);
    let mut simulation = simulation.map_err(|error| error.to_string())?;
    simulation.run();
    Ok(simulation)
}

/// More requests than this are not tried.
const TRIES: u64 = 24;

/// The first request from [`REQUEST`] on that is answered, not refused, when one follows the other; and the compilation
/// that ends with it.
pub(crate) fn answered(
    compilation: &Arc<Compilation>,
    profile: &Profile,
) -> Result<Option<(Arc<Compilation>, RequestId)>, String> {
    let until = |last: u64| {
        let mut longer = Compilation::clone(compilation);
        longer.workload.requests = last + 1;
        Arc::new(longer)
    };
    let events = events(&until(REQUEST.0 + TRIES), profile)?;
    let done = events.iter().filter_map(|event| match &event.kind {
        EventKind::RequestAnswered {
            outcome: Outcome::Done, ..
        } => event.request,
        _ => None,
    });
    let first = done.filter(|request| *request >= REQUEST).min();
    Ok(first.map(|request| (until(request.0), request)))
}

/// The events of a fault-free run: the physical steps are read off it.
pub(crate) fn events(compilation: &Arc<Compilation>, profile: &Profile) -> Result<Vec<Event>, String> {
    Ok(run(compilation, profile, Vec::new())?.recorded().to_vec())
}
