//! Which rows to fetch from whom, in which order.
//!
//! Tables with a predicate on a key come first, all at once. A table that an equality joins to rows already
//! fetched waits for them and is asked for those keys only, if those rows are themselves a selection.
//! Everything else is fetched at once, with its own predicates or as a whole.

use std::collections::BTreeSet;

use scenario::{ColumnId, Schema, TableId};
use syntax::{Expr, Query, identifier};

use super::analysis::{Occurrence, analyse};
use crate::sql::Text;
use crate::sql::text::{identifiers, qualified};

#[derive(Debug, PartialEq)]
pub(crate) struct FetchPlan {
    /// In an order in which each comes after those that it takes keys from.
    pub(crate) fetches: Vec<Fetch>,
    /// What is asked of one place; those of one wave go out at once.
    pub(crate) groups: Vec<Group>,
}

/// Rows of one table.
#[derive(Debug, PartialEq)]
pub(crate) struct Fetch {
    pub(crate) table: TableId,
    pub(crate) columns: Vec<ColumnId>,
    /// One list of predicates per appearance in the query: a row is needed if it fulfils all of any list.
    pub(crate) alternatives: Vec<Vec<Expr>>,
    pub(crate) keys: Vec<Keys>,
}

/// `column = ANY (the values of a column of an earlier fetch)`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) column: ColumnId,
    /// Into `FetchPlan::fetches`.
    pub(crate) from: usize,
    /// Into that fetch's `columns`.
    pub(crate) from_column: u16,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) place: u16,
    pub(crate) wave: u16,
    pub(crate) fetches: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Selectivity {
    Nothing,
    Other,
    Equality,
    Key,
}

/// The appearances of one table, joined.
struct Wanted {
    table: TableId,
    columns: Vec<ColumnId>,
    alternatives: Vec<Vec<Expr>>,
    selectivity: Selectivity,
    /// (own column, other table's place in the list, its column); only of a table that appears once.
    edges: Vec<(ColumnId, usize, ColumnId)>,
}

/// `place` says where a table lies: what lies in one place is asked for together.
pub(crate) fn plan(schema: &Schema, query: &Query, place: impl Fn(TableId) -> u16) -> FetchPlan {
    let wanted = wanted(schema, &analyse(schema, query).occurrences);
    let fetches = order(&wanted);
    let groups = group(&fetches, place);
    FetchPlan { fetches, groups }
}

impl FetchPlan {
    /// All columns of each table, in its order.
    pub(crate) fn widen(&mut self, schema: &Schema) {
        let narrow: Vec<Vec<ColumnId>> = self.fetches.iter().map(|fetch| fetch.columns.clone()).collect();
        for fetch in &mut self.fetches {
            fetch.columns = (0..schema.table(fetch.table).columns.len() as u16)
                .map(ColumnId)
                .collect();
            for keys in &mut fetch.keys {
                keys.from_column = narrow[keys.from][usize::from(keys.from_column)].0;
            }
        }
    }
}

fn wanted(schema: &Schema, occurrences: &[Occurrence]) -> Vec<Wanted> {
    let mut tables: Vec<TableId> = Vec::new();
    for occurrence in occurrences {
        if !tables.contains(&occurrence.table) {
            tables.push(occurrence.table);
        }
    }
    let place = |index: usize| tables.iter().position(|t| *t == occurrences[index].table).unwrap_or(0);
    let of = |table: &TableId| {
        let all: Vec<&Occurrence> = occurrences.iter().filter(|o| o.table == *table).collect();
        let mut needed: BTreeSet<ColumnId> = all.iter().flat_map(|o| &o.needed).copied().collect();
        if needed.is_empty() {
            needed.insert(schema.table(*table).primary_key.first().copied().unwrap_or(ColumnId(0)));
        }
        let mut alternatives: Vec<Vec<Expr>> = Vec::new();
        for occurrence in &all {
            if !alternatives.contains(&occurrence.predicates) {
                alternatives.push(occurrence.predicates.clone());
            }
        }
        let edges = match all.as_slice() {
            [only] => only
                .edges
                .iter()
                .map(|edge| (edge.column, place(edge.other), edge.other_column))
                .collect(),
            _ => Vec::new(),
        };
        Wanted {
            table: *table,
            columns: needed.into_iter().collect(),
            selectivity: all
                .iter()
                .map(|o| selectivity(schema, o))
                .min()
                .unwrap_or(Selectivity::Nothing),
            alternatives,
            edges,
        }
    };
    tables.iter().map(of).collect()
}

fn selectivity(schema: &Schema, occurrence: &Occurrence) -> Selectivity {
    let bound: Vec<ColumnId> = occurrence.bound.iter().copied().collect();
    if schema.table(occurrence.table).is_key(&bound) {
        Selectivity::Key
    } else if !bound.is_empty() {
        Selectivity::Equality
    } else if !occurrence.predicates.is_empty() {
        Selectivity::Other
    } else {
        Selectivity::Nothing
    }
}

fn order(wanted: &[Wanted]) -> Vec<Fetch> {
    let mut fetches: Vec<Fetch> = Vec::new();
    // Place in `wanted` → place in `fetches`, and whether that fetch brings a selection only.
    let mut placed: Vec<Option<(usize, bool)>> = vec![None; wanted.len()];
    let mut take = |index: usize, keys: Vec<Keys>, placed: &mut Vec<Option<(usize, bool)>>| {
        let table = &wanted[index];
        let selected = !keys.is_empty() || table.selectivity > Selectivity::Nothing;
        placed[index] = Some((fetches.len(), selected));
        fetches.push(Fetch {
            table: table.table,
            columns: table.columns.clone(),
            alternatives: table.alternatives.clone(),
            keys,
        });
    };
    for (index, table) in wanted.iter().enumerate() {
        if table.selectivity == Selectivity::Key {
            take(index, Vec::new(), &mut placed);
        }
    }
    loop {
        let open = || wanted.iter().enumerate().filter(|(index, _)| placed[*index].is_none());
        let joined = open()
            .map(|(index, _)| (index, known_keys(wanted, &placed, index)))
            .find(|(_, keys)| !keys.is_empty());
        if let Some((index, keys)) = joined {
            take(index, keys, &mut placed);
            continue;
        }
        // `max_by_key` takes the last of equals; the first is wanted.
        match open()
            .rev()
            .max_by_key(|(_, table)| table.selectivity)
            .map(|(index, _)| index)
        {
            Some(index) => take(index, Vec::new(), &mut placed),
            None => return fetches,
        }
    }
}

/// The keys that selections already fetched give for a table.
fn known_keys(wanted: &[Wanted], placed: &[Option<(usize, bool)>], index: usize) -> Vec<Keys> {
    let mut keys: Vec<Keys> = Vec::new();
    for (column, other, other_column) in &wanted[index].edges {
        let Some((from, true)) = placed[*other] else { continue };
        let position = wanted[*other].columns.iter().position(|c| c == other_column);
        let (Some(position), true) = (position, *other != index) else {
            continue;
        };
        if keys.iter().all(|known| known.column != *column) {
            keys.push(Keys {
                column: *column,
                from,
                from_column: position as u16,
            });
        }
    }
    keys
}

/// One request per place and wave; a request may fetch several tables one after the other.
fn group(fetches: &[Fetch], place: impl Fn(TableId) -> u16) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: Vec<usize> = Vec::new();
    for (index, fetch) in fetches.iter().enumerate() {
        let place = place(fetch.table);
        let needs: Vec<usize> = fetch.keys.iter().map(|keys| group_of[keys.from]).collect();
        let fits = |at: usize, group: &Group| {
            group.place == place && needs.iter().all(|need| *need == at || groups[*need].wave < group.wave)
        };
        let found = groups.iter().enumerate().position(|(at, group)| fits(at, group));
        let at = found.unwrap_or_else(|| {
            let wave = needs.iter().map(|need| groups[*need].wave + 1).max().unwrap_or(0);
            groups.push(Group {
                place,
                wave,
                fetches: Vec::new(),
            });
            groups.len() - 1
        });
        groups[at].fetches.push(index);
        group_of.push(at);
    }
    groups
}

/// The name of the variable that holds the keys which a fetch takes from another.
pub(crate) fn keys_name(schema: &Schema, fetch: &Fetch, keys: &Keys) -> String {
    let table = schema.table(fetch.table);
    format!("keys of {}.{}", table.full_name(), table.column(keys.column).name)
}

impl Fetch {
    /// `SELECT id, email FROM auth.users WHERE tenant_id = $1`
    pub(crate) fn text(&self, schema: &Schema) -> Text {
        let table = schema.table(self.table);
        let columns = identifiers(self.columns.iter().map(|column| table.column(*column).name.as_str()));
        let mut text = Text::new(format!(
            "SELECT {columns} FROM {}",
            qualified(&table.schema, &table.name)
        ));
        let mut before = " WHERE ";
        let selects = self.alternatives.iter().all(|predicates| !predicates.is_empty());
        if selects && !self.alternatives.is_empty() {
            text.push(before);
            self.write_alternatives(&mut text);
            before = " AND ";
        }
        for keys in &self.keys {
            text.push(before)
                .push(&identifier(&table.column(keys.column).name))
                .push(" = ANY (");
            text.variable(&keys_name(schema, self, keys)).push(")");
            before = " AND ";
        }
        text
    }

    fn write_alternatives(&self, text: &mut Text) {
        let conjunction = |text: &mut Text, predicates: &[Expr]| {
            let several = predicates.len() > 1 || !self.keys.is_empty();
            text.list(predicates, " AND ", |text, predicate| {
                write_operand(text, predicate, several);
            });
        };
        match self.alternatives.as_slice() {
            [only] => conjunction(text, only),
            several => {
                text.push("(").list(several, " OR ", |text, predicates| {
                    text.push("(");
                    conjunction(text, predicates);
                    text.push(")");
                });
                text.push(")");
            }
        }
    }
}

/// In brackets if it is an OR and stands beside others.
fn write_operand(text: &mut Text, predicate: &Expr, beside: bool) {
    let or = matches!(
        predicate.kind,
        syntax::ExprKind::Binary {
            operator: syntax::BinaryOperator::Or,
            ..
        }
    );
    if or && beside {
        text.push("(").expr(predicate).push(")");
    } else {
        text.expr(predicate);
    }
}
