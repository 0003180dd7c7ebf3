//! Statements as wholes, and their WITH.
//!
//! A WITH query is put in the place of its name, but for one that must run once: a write, one that locks rows, one
//! that is named several times or said to be MATERIALIZED. That is kept beside the statement ([`BoundCommon`]), and
//! what it gives is read as often as it is named. Only the outermost WITH keeps queries: an inner one may read from
//! around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::visit::Visitor;
use syntax::{CommonTable, Name, ObjectName, Statement, TableAlias};

use super::from::too_many_aliases;
use super::{Binder, BoundDelete, BoundInsert, BoundQuery, BoundUpdate, From, ScopeColumn, ScopeItem, Source, Target};
use crate::error::{Fallible, error, state};

/// A statement whose names are known; policies may still add to its tables.
#[derive(Clone, Debug)]
pub(crate) enum BoundStatement {
    Query(BoundQuery),
    Insert(Box<BoundInsert>),
    Update(BoundUpdate),
    Delete(BoundDelete),
}

/// A WITH query that is kept.
#[derive(Clone, Debug)]
pub(crate) struct BoundCommon {
    pub(crate) statement: BoundStatement,
}

/// What a name of WITH stands for.
#[derive(Clone, Debug)]
pub(super) enum Common {
    /// To be bound where it is named.
    Inline(CommonTable),
    /// By its number among those that are kept; its columns' own names.
    Kept(usize, Vec<Name>),
}

impl BoundStatement {
    /// The columns that it gives.
    pub(crate) fn output(&self) -> Vec<Target> {
        let returned = match self {
            BoundStatement::Query(query) => return query.output.clone(),
            BoundStatement::Insert(insert) => &insert.returning,
            BoundStatement::Update(update) => &update.returning,
            BoundStatement::Delete(delete) => &delete.returning,
        };
        returned.iter().map(|(target, _)| target.clone()).collect()
    }
}

impl Binder<'_> {
    /// A query or a write; `None` for statements that have no plan.
    pub(crate) fn statement(&mut self, statement: &Statement) -> Fallible<Option<BoundStatement>> {
        let with = match statement {
            Statement::Query(query) => &query.with,
            Statement::Insert(insert) => &insert.with,
            Statement::Update(update) => &update.with,
            Statement::Delete(delete) => &delete.with,
            _ => return Ok(None),
        };
        if !with.is_empty() {
            let mut uses = Uses(BTreeMap::new());
            uses.statement(statement);
            self.uses = uses.0;
        }
        self.at_top = true;
        self.one_statement(statement).map(Some)
    }

    fn one_statement(&mut self, statement: &Statement) -> Fallible<BoundStatement> {
        Ok(match statement {
            Statement::Insert(insert) => BoundStatement::Insert(Box::new(self.insert(insert)?)),
            Statement::Update(update) => BoundStatement::Update(self.update(update)?),
            Statement::Delete(delete) => BoundStatement::Delete(self.delete(delete)?),
            Statement::Query(query) => BoundStatement::Query(self.query(query)?),
            _ => {
                return Err(error(
                    state::FEATURE_NOT_SUPPORTED,
                    "this statement in WITH is not supported",
                ));
            }
        })
    }

    /// Makes the names of WITH known while `bind` goes on.
    pub(super) fn with<T>(
        &mut self,
        tables: &[CommonTable],
        bind: impl FnOnce(&mut Self) -> Fallible<T>,
    ) -> Fallible<T> {
        let at_top = std::mem::take(&mut self.at_top);
        let outside = self.common.len();
        for table in tables {
            let repeated = self.common[outside..].iter().any(|(name, _)| *name == table.name.text);
            if repeated {
                let message = format!("WITH query name \"{}\" specified more than once", table.name.text);
                return Err(error(state::DUPLICATE_ALIAS, message).at(table.name.span));
            }
            let common = self.common_table(table, at_top)?;
            self.common.push((table.name.text.clone(), common));
        }
        let bound = bind(self);
        self.common.truncate(outside);
        bound
    }

    fn common_table(&mut self, table: &CommonTable, at_top: bool) -> Fallible<Common> {
        let uses = self.uses.get(&table.name.text).copied().unwrap_or_default();
        let keep = match (table.query(), table.materialized) {
            (None, _) if !at_top => {
                let message = "WITH clause containing a data-modifying statement must be at the top level";
                return Err(error(state::FEATURE_NOT_SUPPORTED, message).at(table.name.span));
            }
            (None, _) => true,
            (Some(query), materialized) => {
                let wanted = materialized.unwrap_or(uses > 1) || !query.locking.is_empty();
                at_top && wanted && uses > 0
            }
        };
        if !keep {
            return Ok(Common::Inline(table.clone()));
        }
        let statement = self.one_statement(&table.statement)?;
        let output = statement.output();
        if table.columns.len() > output.len() {
            let message = format!(
                "WITH query \"{}\" has {} columns available but {} columns specified",
                table.name.text,
                output.len(),
                table.columns.len()
            );
            return Err(error(state::INVALID_COLUMN_REFERENCE, message).at(table.name.span));
        }
        let renamed = table.columns.iter().cloned();
        let rest = output.iter().skip(table.columns.len());
        let names = renamed.chain(rest.map(|target| Name::new(target.name.clone())));
        let names = names.collect();
        self.commons.push(BoundCommon { statement });
        Ok(Common::Kept(self.commons.len() - 1, names))
    }

    /// A table of FROM that is a name of WITH.
    pub(super) fn common(
        &mut self,
        at: usize,
        name: &Name,
        alias: Option<&TableAlias>,
    ) -> Fallible<(From, Vec<ScopeItem>)> {
        let shown = alias.map_or(name, |alias| &alias.name);
        let renamed = alias.map_or(&[][..], |alias| &alias.columns);
        match self.common[at].1.clone() {
            Common::Inline(common) => {
                let Some(query) = common.query() else {
                    return Err(error(state::FEATURE_NOT_SUPPORTED, "a write in WITH that is not kept"));
                };
                let columns = if renamed.is_empty() {
                    &common.columns[..]
                } else {
                    renamed
                };
                // Inside itself the name means what it meant before: there is no recursion here.
                let hidden = self.common.split_off(at);
                let bound = self.derived(query, &shown.text, columns);
                self.common.extend(hidden);
                bound
            }
            Common::Kept(number, names) => {
                let output = self.commons[number].statement.output();
                if output.is_empty() {
                    let message = format!("WITH query \"{}\" does not have a RETURNING clause", name.text);
                    return Err(error(state::FEATURE_NOT_SUPPORTED, message).at(name.span));
                }
                if renamed.len() > output.len() {
                    return Err(too_many_aliases(&shown.text, output.len(), renamed));
                }
                Ok(self.kept(number, &shown.text, &names, renamed, &output))
            }
        }
    }

    fn kept(
        &mut self,
        number: usize,
        alias: &Arc<str>,
        names: &[Name],
        renamed: &[Name],
        output: &[Target],
    ) -> (From, Vec<ScopeItem>) {
        let mut slots = Vec::with_capacity(output.len());
        let mut columns = Vec::with_capacity(output.len());
        for (at, target) in output.iter().enumerate() {
            let slot = self.new_slot();
            slots.push(slot);
            let name = renamed.get(at).or(names.get(at));
            columns.push(ScopeColumn {
                name: name.map_or_else(|| target.name.clone(), |name| name.text.clone()),
                data_type: target.data_type,
                source: Source::Slot(slot),
                merged: false,
            });
        }
        let item = ScopeItem {
            alias: Some(alias.clone()),
            schema: None,
            columns,
        };
        (From::Common { number, slots }, vec![item])
    }
}

/// How often each unqualified name of a table stands in a statement.
struct Uses(BTreeMap<Arc<str>, usize>);

impl Visitor for Uses {
    fn table(&mut self, name: &ObjectName) {
        if name.schema.is_none() {
            *self.0.entry(name.name.text.clone()).or_default() += 1;
        }
    }
}
