//! Checks of foreign keys that wait for the end of the transaction (DEFERRABLE), and SET CONSTRAINTS.

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::{Deferral, ObjectName};

use crate::catalog::{ForeignKey, Table};
use crate::error::{Fallible, error, state};
use crate::exec::ForeignEvent;
use crate::server::Core;
use crate::session::SessionState;

/// Whether constraints wait, by schema and name.
type Named = BTreeMap<(Arc<str>, Arc<str>), bool>;

/// What a transaction has put off.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Deferred {
    pub(crate) events: Vec<ForeignEvent>,
    /// As SET CONSTRAINTS has said, of all and of single ones by schema and name: whether they wait.
    all: Option<bool>,
    named: Arc<Named>,
}

/// What a rollback to a savepoint goes back to.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct DeferredMark {
    events: usize,
    all: Option<bool>,
    named: Arc<Named>,
}

impl Deferred {
    /// Whether a key of a table waits for the end of the transaction.
    pub(crate) fn waits(&self, table: &Table, key: &ForeignKey) -> bool {
        if key.deferral == Deferral::NotDeferrable {
            return false;
        }
        let named = self.named.get(&(table.schema.clone(), key.name.clone())).copied();
        named.or(self.all).unwrap_or(key.deferral == Deferral::Deferred)
    }

    pub(crate) fn mark(&self) -> DeferredMark {
        DeferredMark {
            events: self.events.len(),
            all: self.all,
            named: self.named.clone(),
        }
    }

    pub(crate) fn back_to(&mut self, mark: &DeferredMark) {
        self.events.truncate(mark.events);
        (self.all, self.named) = (mark.all, mark.named.clone());
    }

    /// The transaction is over. Mostly it has put nothing off.
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.all = None;
        if !self.named.is_empty() {
            self.named = Arc::default();
        }
    }

    /// Takes out what does not wait any more.
    pub(crate) fn take_due(&mut self) -> Vec<ForeignEvent> {
        let events = std::mem::take(&mut self.events);
        let (waiting, due) = events.into_iter().partition(|event| event.waits(self));
        self.events = waiting;
        due
    }
}

/// `SET CONSTRAINTS`: what is due by it is to be checked at once.
pub(crate) fn set_constraints(
    names: &[ObjectName],
    deferred: bool,
    session: &mut SessionState,
    core: &Core,
) -> Fallible<()> {
    if names.is_empty() {
        let modes = &mut session.transaction.deferred;
        (modes.all, modes.named) = (Some(deferred), Arc::default());
        return Ok(());
    }
    let found = find_all(names, session, core)?;
    let named = Arc::make_mut(&mut session.transaction.deferred.named);
    named.extend(found.into_iter().map(|constraint| (constraint, deferred)));
    Ok(())
}

/// The constraints that these names mean.
pub(crate) fn find_all(
    names: &[ObjectName],
    session: &SessionState,
    core: &Core,
) -> Fallible<Vec<(Arc<str>, Arc<str>)>> {
    names.iter().map(|name| find(name, session, core)).collect()
}

fn find(name: &ObjectName, session: &SessionState, core: &Core) -> Fallible<(Arc<str>, Arc<str>)> {
    let own = &session.transaction.xids;
    let schemas: Vec<Arc<str>> = match &name.schema {
        Some(schema) => vec![schema.text.clone()],
        None => session.search_path().to_vec(),
    };
    for schema in schemas {
        let tables = core.catalog.tables_of(session.database, own);
        let tables = tables.filter(|table| table.schema == schema);
        let mut exists = false;
        for table in tables {
            let is_other = |other: &Arc<str>| *other == name.name.text;
            exists |= table
                .indexes
                .iter()
                .any(|index| index.constraint && is_other(&index.name));
            exists |= table.checks.iter().any(|check| is_other(&check.name));
            for key in table.foreign_keys.iter().filter(|key| is_other(&key.name)) {
                if key.deferral != Deferral::NotDeferrable {
                    return Ok((schema, key.name.clone()));
                }
                exists = true;
            }
        }
        if exists {
            let message = format!("constraint \"{}\" is not deferrable", name.name.text);
            return Err(error(state::WRONG_OBJECT_TYPE, message));
        }
    }
    let message = format!("constraint \"{}\" does not exist", name.name.text);
    Err(error(state::UNDEFINED_OBJECT, message))
}
