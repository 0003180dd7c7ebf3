//! Which column a name means.

use std::sync::Arc;

use syntax::{Name, ObjectName, Span};

use super::{Aggregate, Binder};
use crate::error::{Fallible, error, state};
use crate::expr::{Bound, Slot};
use crate::types::SqlType;

/// The names that one query level can use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) items: Vec<ScopeItem>,
    /// What aggregate calls of this level have gathered.
    pub(crate) aggregates: Vec<Aggregate>,
    /// Why an aggregate cannot stand here (`aggregate functions are not allowed in WHERE`).
    pub(crate) no_aggregates: Option<&'static str>,
    /// Slots of enclosing queries that this one read.
    pub(crate) outer: Vec<Slot>,
}

/// One table (or the merged columns of a JOIN USING) in a scope.
#[derive(Clone, Debug)]
pub(crate) struct ScopeItem {
    /// `None`: merged columns, reached without a qualifier only.
    pub(crate) alias: Option<Arc<str>>,
    /// Of a table named without an alias: `schema.table.column` works.
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) columns: Vec<ScopeColumn>,
}

#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    pub(crate) name: Arc<str>,
    pub(crate) data_type: SqlType,
    pub(crate) source: Source,
    /// Merged into another by USING: reached with a qualifier only.
    pub(crate) merged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A base table's column; its slot is made when it is first read.
    Column(usize, u16),
    /// What a base table's rows have besides their columns; `*` leaves it out.
    System(usize, SystemColumn),
    Slot(Slot),
}

/// What is known of a row without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SystemColumn {
    /// Where its version is.
    Ctid,
    /// The table that it is in.
    TableOid,
}

impl SystemColumn {
    pub(crate) const ALL: [SystemColumn; 2] = [SystemColumn::Ctid, SystemColumn::TableOid];

    pub(crate) fn name(self) -> &'static str {
        match self {
            SystemColumn::Ctid => "ctid",
            SystemColumn::TableOid => "tableoid",
        }
    }

    pub(crate) fn data_type(self) -> SqlType {
        match self {
            SystemColumn::Ctid => SqlType::TID,
            SystemColumn::TableOid => SqlType::OID,
        }
    }
}

impl ScopeColumn {
    /// Stands in `*`, and may be joined by.
    pub(crate) fn is_listed(&self) -> bool {
        !matches!(self.source, Source::System(..))
    }
}

/// A column found: scope level, item, column.
type Found = (usize, usize, usize);

impl Binder<'_> {
    pub(crate) fn push_scope(&mut self, items: Vec<ScopeItem>) {
        self.scopes.push(Scope {
            items,
            ..Scope::default()
        });
    }

    pub(crate) fn pop_scope(&mut self) -> Scope {
        self.scopes.pop().unwrap_or_default()
    }

    pub(crate) fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    pub(crate) fn source_slot(&mut self, source: Source) -> Slot {
        match source {
            Source::Column(table, column) => {
                self.tables[table].read.insert(column);
                self.column_slot(table, column)
            }
            // Nothing less than the whole row may be read for it.
            Source::System(table, column) => {
                let range = &mut self.tables[table];
                let columns = range.table.live_columns().map(|(column, _)| column);
                range.read.extend(columns);
                self.system_slot(table, column)
            }
            Source::Slot(slot) => slot,
        }
    }

    /// The slot of a base table's system column, made when it is first asked for.
    fn system_slot(&mut self, table: usize, column: SystemColumn) -> Slot {
        let found = self.tables[table].system.iter().find(|(found, _)| *found == column);
        if let Some((_, slot)) = found {
            return *slot;
        }
        let slot = self.new_slot();
        self.tables[table].system.push((column, slot));
        slot
    }

    /// A slot of a scope's row; each subquery between there and here depends on it.
    pub(super) fn slot_at(&mut self, level: usize, source: Source) -> Slot {
        let slot = self.source_slot(source);
        for scope in &mut self.scopes[level + 1..] {
            if !scope.outer.contains(&slot) {
                scope.outer.push(slot);
            }
        }
        slot
    }

    /// A column reference of one, two or three names.
    pub(crate) fn column(&mut self, names: &[Name], span: Span) -> Fallible<Bound> {
        let found = self.column_of_scopes(names, span);
        match found {
            Err(refusal) if matches!(refusal.sqlstate, state::UNDEFINED_COLUMN | state::UNDEFINED_TABLE) => {
                self.argument(names, span).ok_or(refusal)
            }
            found => found,
        }
    }

    fn column_of_scopes(&mut self, names: &[Name], span: Span) -> Fallible<Bound> {
        let (level, item, column) = match names {
            [name] => match (self.find_unqualified(name), self.find_item(None, name)) {
                (Ok(found), _) => found,
                // Of a table's name: its whole row.
                (Err(refusal), Some(item)) if refusal.sqlstate == state::UNDEFINED_COLUMN => {
                    return self.whole_row(item, span);
                }
                (Err(refusal), _) => return Err(refusal),
            },
            [table, column] => self.find_qualified(None, table, column)?,
            [schema, table, column] => self.find_qualified(Some(schema), table, column)?,
            _ => return Err(error(state::SYNTAX_ERROR, "improper qualified name (too many dotted names)").at(span)),
        };
        let found = self.scopes[level].items[item].columns[column].clone();
        let slot = self.slot_at(level, found.source);
        Ok(Bound {
            span,
            ..Bound::slot(slot, found.data_type)
        })
    }

    pub(super) fn columns_at(&self, level: usize, item: usize) -> Vec<ScopeColumn> {
        self.scopes[level].items[item].columns.clone()
    }

    fn find_unqualified(&self, column: &Name) -> Fallible<Found> {
        for (level, scope) in self.scopes.iter().enumerate().rev() {
            let mut found = None;
            for (i, item) in scope.items.iter().enumerate() {
                for (c, candidate) in item.columns.iter().enumerate() {
                    if candidate.merged || candidate.name != column.text {
                        continue;
                    }
                    if found.is_some() {
                        let message = format!("column reference \"{}\" is ambiguous", column.text);
                        return Err(error(state::AMBIGUOUS_COLUMN, message).at(column.span));
                    }
                    found = Some((level, i, c));
                }
            }
            if let Some(found) = found {
                return Ok(found);
            }
        }
        let message = format!("column \"{}\" does not exist", column.text);
        let refusal = error(state::UNDEFINED_COLUMN, message).at(column.span);
        Err(self.with_hint(refusal, None, &column.text))
    }

    fn find_qualified(&self, schema: Option<&Name>, table: &Name, column: &Name) -> Fallible<Found> {
        let (level, item) = self
            .find_item(schema, table)
            .ok_or_else(|| self.missing_from(schema, table))?;
        let columns = &self.scopes[level].items[item].columns;
        let mut matching = columns
            .iter()
            .enumerate()
            .filter(|(_, found)| found.name == column.text);
        let place = matching.next().map(|(at, _)| (level, item, at));
        place.ok_or_else(|| {
            let message = format!("column {}.{} does not exist", table.text, column.text);
            let refusal = error(state::UNDEFINED_COLUMN, message).at(table.span.to(column.span));
            self.with_hint(refusal, Some(&table.text), &column.text)
        })
    }

    fn find_item(&self, schema: Option<&Name>, table: &Name) -> Option<(usize, usize)> {
        self.scopes.iter().enumerate().rev().find_map(|(level, scope)| {
            let at = scope.items.iter().position(|item| {
                item.alias.as_ref() == Some(&table.text)
                    && schema.is_none_or(|schema| item.schema.as_ref() == Some(&schema.text))
            });
            at.map(|at| (level, at))
        })
    }

    fn missing_from(&self, schema: Option<&Name>, table: &Name) -> Box<crate::SqlError> {
        // A table that is there, but under an alias.
        let hidden = self.tables.iter().any(|range| range.table.name == table.text) && schema.is_none();
        let message = if hidden {
            format!("invalid reference to FROM-clause entry for table \"{}\"", table.text)
        } else {
            format!("missing FROM-clause entry for table \"{}\"", table.text)
        };
        error(state::UNDEFINED_TABLE, message).at(table.span)
    }

    /// `*` and `t.*`.
    pub(crate) fn star(&mut self, qualifier: Option<&ObjectName>, span: Span) -> Fallible<Vec<(Arc<str>, Bound)>> {
        let level = self.scopes.len().saturating_sub(1);
        let items: Vec<ScopeItem> = match qualifier {
            None => self.scope().items.clone(),
            Some(name) => {
                let found = self.find_item(name.schema.as_ref(), &name.name);
                let (level, item) = found.ok_or_else(|| self.missing_from(name.schema.as_ref(), &name.name))?;
                vec![self.scopes[level].items[item].clone()]
            }
        };
        if items.is_empty() {
            return Err(error(state::SYNTAX_ERROR, "SELECT * with no tables specified is not valid").at(span));
        }
        let _ = level;
        let mut expanded = Vec::new();
        for column in items.into_iter().flat_map(|item| item.columns) {
            if !column.is_listed() || (column.merged && qualifier.is_none()) {
                continue;
            }
            let slot = self.source_slot(column.source);
            expanded.push((
                column.name,
                Bound {
                    span,
                    ..Bound::slot(slot, column.data_type)
                },
            ));
        }
        Ok(expanded)
    }
}
