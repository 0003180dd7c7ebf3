//! The `:name`s of an operation: where each comes from and what it is used as.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Type;
use syntax::Span;

use crate::{ColumnId, TableId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::read) enum Origin {
    Parameter,
    /// `INTO`, by this statement.
    Bound(u16),
    /// Neither: named first at this place.
    Nowhere(Span),
}

#[derive(Clone, Debug)]
pub(in crate::read) struct Known {
    pub(in crate::read) origin: Origin,
    pub(in crate::read) data_type: Option<Type>,
    pub(in crate::read) used: bool,
    /// The first column that it is written to, else the first that it is compared with.
    pub(in crate::read) column: Option<(TableId, ColumnId)>,
    written: bool,
}

#[derive(Clone, Debug, Default)]
pub(in crate::read) struct Variables {
    /// `false`: outside of operations, where there are none.
    pub(in crate::read) allowed: bool,
    known: BTreeMap<Arc<str>, Known>,
}

impl Variables {
    pub(in crate::read) fn declare(&mut self, name: &str, origin: Origin, data_type: Option<Type>) {
        let known = Known {
            origin,
            data_type,
            used: false,
            column: None,
            written: false,
        };
        self.known.entry(name.into()).or_insert(known);
    }

    pub(in crate::read) fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    pub(in crate::read) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.known.iter()
    }

    /// Names that may be used at this point.
    pub(in crate::read) fn names(&self) -> Vec<&str> {
        let declared = self
            .known
            .iter()
            .filter(|(_, known)| !matches!(known.origin, Origin::Nowhere(_)));
        declared.map(|(name, _)| &**name).collect()
    }

    /// A name that was used too early is bound by this statement.
    pub(super) fn bind(&mut self, name: &str, statement: u16) {
        if let Some(known) = self.known.get_mut(name) {
            known.origin = Origin::Bound(statement);
        }
    }

    pub(super) fn used(&mut self, name: &str) {
        if let Some(known) = self.known.get_mut(name) {
            known.used = true;
        }
    }

    /// The variable meets a value of this type: a type that is not known yet becomes it.
    pub(super) fn used_as(&mut self, name: &str, data_type: Type, column: Option<(TableId, ColumnId)>, written: bool) {
        let Some(known) = self.known.get_mut(name) else { return };
        known.data_type.get_or_insert(data_type);
        if column.is_some() && (known.column.is_none() || (written && !known.written)) {
            known.column = column;
            known.written = written;
        }
    }
}
