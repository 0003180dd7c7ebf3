//! A saga's durable log: one row a saga, typed.
//!
//! ```text
//! saga.create_user (saga_id, position, state, error, started_at, parameters …, what the parts bound …)
//! state: running → done, or running → compensating → compensated
//! ```

use base::Type;
use syntax::identifier;

use super::ledger::{free_column, variable_type};
use super::participant;
use super::plan::STARTED;
use super::services::{Orchestrator, Site, Subject};
use crate::lower::assembly::Assembly;
use crate::lower::definitions::short_type;
use crate::sql::text::qualified;

/// The saga's table and what its rows hold.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) table: String,
    /// (variable, column, type): when it began, the parameters.
    pub(crate) given: Vec<(String, String, Type)>,
    /// What the parts bind.
    pub(crate) bound: Vec<(String, String, Type)>,
}

impl Log {
    pub(crate) fn new(site: &Site, subject: Subject<'_>) -> Log {
        let taken = ["saga_id", "position", "state", "error"];
        let column = |name: String| {
            let column = free_column(&name, &taken);
            let data_type = variable_type(subject, &name);
            (name, column, data_type)
        };
        let started = subject.plan.timed.then(|| STARTED.to_owned());
        let parameters = subject.operation.parameters.iter().map(|p| p.name.clone());
        let bound = subject
            .plan
            .parts
            .iter()
            .flat_map(|part| participant::exports(subject, part));
        Log {
            table: qualified(&site.schemas.saga, &subject.operation.name),
            given: started.into_iter().chain(parameters).map(column).collect(),
            bound: bound.map(column).collect(),
        }
    }

    pub(crate) fn define(&self, assembly: &mut Assembly<'_>, site: &Site, orchestrator: Orchestrator) {
        let columns: String = self
            .values()
            .map(|(_, column, t)| format!(", {} {}", identifier(column), short_type(*t)))
            .collect();
        let own = "saga_id text PRIMARY KEY, position integer NOT NULL, state text NOT NULL, error text";
        assembly.define_in(
            orchestrator.database,
            format!("CREATE SCHEMA {}", identifier(&site.schemas.saga)),
        );
        assembly.define_in(
            orchestrator.database,
            format!("CREATE TABLE {} ({own}{columns})", self.table),
        );
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &(String, String, Type)> {
        self.given.iter().chain(&self.bound)
    }

    /// The names of the saga program's parameters behind key, position, state and error.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values().map(|(variable, _, _)| variable.as_str())
    }
}
