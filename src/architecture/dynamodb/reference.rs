//! Foreign keys: which rows must be there for those that refer to them. What becomes of rows that refer to a deleted
//! one: [`cascade`](super::cascade).

use program::{
    Attributes, Block, ComposeTable, Condition, EachRow, ErrorClass, Expression, Into, ItemWrite, Role,
    TransactedWrite, WriteAction,
};
use scenario::{ColumnId, ForeignKey, Table, TableId};
use syntax::identifier;

use super::operation::Writer;
use super::reading::{GONE, REVISION, stored, tracked};
use super::row::Value;
use super::work::{rows_table, select_written, written_columns};
use super::{REVISION_TYPE, write_once};
use crate::lower::builder::{Mark, register};
use crate::lower::statement;
use crate::rows::bound_row;
use crate::rows::check::reference_message;
use crate::sql::Text;
use crate::sql::text::qualified;

/// A row that must be there.
struct Need {
    parent: TableId,
    /// The parent's columns, in its order.
    columns: Vec<ColumnId>,
    /// Key values known before anything is read.
    direct: Vec<Vec<Expression>>,
    /// Written rows: which table's, and which of its columns are the key.
    rows: Vec<(TableId, Vec<ColumnId>, bool)>,
    message: String,
}

impl Writer<'_, '_> {
    /// A check for each row that new references lead to, and that this transaction does not write itself.
    pub(crate) fn references(&mut self) -> (Block, Vec<TransactedWrite>) {
        let needs = self.needs();
        let mut steps = Block::new();
        let mut writes = Vec::new();
        for (number, need) in needs.iter().enumerate() {
            let sure = need.rows.is_empty()
                && need.direct.len() == 1
                && !self.work.has(need.parent)
                && !self.work.held.contains_key(&need.parent)
                && !self.work.direct.iter().any(|insert| insert.table == need.parent);
            if sure {
                let values = &need.direct[0];
                let value = |column: ColumnId| value_of(need, values, column);
                writes.push(self.must_be_there(need, &value, None));
            } else if let Some(each) = self.needed_keys(need, number, &mut steps) {
                let registers: Vec<Expression> = each.bind.iter().map(|id| register(*id)).collect();
                let value = |column: ColumnId| value_of(need, &registers, column);
                writes.push(self.must_be_there(need, &value, Some(each.clone())));
            }
        }
        (steps, writes)
    }

    /// One list per table and key that is referred to.
    fn needs(&self) -> Vec<Need> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let mut needs: Vec<Need> = Vec::new();
        for child in schema.ids() {
            let table = schema.table(child);
            let direct: Vec<_> = self.work.direct.iter().filter(|insert| insert.table == child).collect();
            let work = self.work.tables.get(&child);
            for key in &table.foreign_keys {
                let set = work.filter(|work| work.inserts || key.columns.iter().any(|id| work.assigned.contains(id)));
                if set.is_none() && direct.is_empty() {
                    continue;
                }
                let (columns, own) = self.needed_columns(table, key);
                let known = needs
                    .iter()
                    .position(|need| need.parent == key.table && need.columns == columns);
                let at = known.unwrap_or_else(|| {
                    needs.push(Need {
                        parent: key.table,
                        columns,
                        direct: Vec::new(),
                        rows: Vec::new(),
                        message: reference_message(table, key, schema.table(key.table)),
                    });
                    needs.len() - 1
                });
                let need = &mut needs[at];
                for insert in &direct {
                    let value = |id: &ColumnId| insert.values.get(id).cloned();
                    let values: Option<Vec<Expression>> = own.iter().map(value).collect();
                    let Some(values) = values else { continue };
                    let null = values.contains(&Expression::Constant(base::Value::Null));
                    let inserted = self
                        .work
                        .direct
                        .iter()
                        .filter(|other| other.table == need.parent)
                        .any(|other| {
                            let parent = need.columns.iter().map(|id| other.values.get(id));
                            parent.eq(values.iter().map(Some))
                        });
                    if !null && !inserted && !need.direct.contains(&values) {
                        need.direct.push(values);
                    }
                }
                if let Some(work) = set {
                    need.rows.push((child, own, work.inserts));
                }
            }
        }
        needs.retain(|need| !need.direct.is_empty() || !need.rows.is_empty());
        needs
    }

    /// What a reference must know: the columns of the row that it refers to, its tenant if that leads the
    /// key, and the columns that hold them.
    fn needed_columns(&self, table: &Table, key: &ForeignKey) -> (Vec<ColumnId>, Vec<ColumnId>) {
        let mut pairs: Vec<(ColumnId, ColumnId)> = key
            .referenced
            .iter()
            .copied()
            .zip(key.columns.iter().copied())
            .collect();
        if let (Some(theirs), Some(own)) = (self.site.layout.table(key.table).tenant, table.tenant)
            && !key.referenced.contains(&theirs)
        {
            pairs.push((theirs, own));
        }
        pairs.sort_unstable();
        pairs.into_iter().unzip()
    }

    /// The keys that must be there, each once, without those that this transaction writes.
    fn needed_keys(&mut self, need: &Need, number: usize, steps: &mut Block) -> Option<EachRow> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let parent = schema.table(need.parent);
        let mut sources: Vec<ComposeTable> = Vec::new();
        // Each once: a transaction names an item once.
        let mut text = Text::new("SELECT DISTINCT ");
        let names: Vec<String> = (1..=need.columns.len()).map(|n| format!("k{n}")).collect();
        text.push(&names.join(", ")).push(" FROM (");
        let mut first = true;
        let mut union = |text: &mut Text| {
            if !std::mem::take(&mut first) {
                text.push(" UNION ");
            }
        };
        for (child, own, inserted) in &need.rows {
            let table = schema.table(*child);
            let rows = self.work.rows(*child)?;
            let name = format!("written.{}", super::layout::entity(schema, table));
            union(&mut text);
            text.push(&refer(table, own, &name, *inserted));
            sources.push(rows_table(&name, written_columns(table), rows));
        }
        for (place, values) in need.direct.iter().enumerate() {
            union(&mut text);
            text.push("SELECT ");
            for (position, (value, column)) in values.iter().zip(&need.columns).enumerate() {
                let name = format!("reference {number} {place} {position}");
                self.builder.bind(&name, value.clone());
                let kind = crate::lower::definitions::short_type(parent.column(*column).data_type);
                text.push(if position > 0 { ", CAST(" } else { "CAST(" });
                text.variable(&name).push(&format!(" AS {kind})"));
            }
        }
        text.push(&format!(") AS n({}) WHERE ", names.join(", ")));
        let known: Vec<String> = names.iter().map(|name| format!("n.{name} IS NOT NULL")).collect();
        text.push(&known.join(" AND "));
        let equal = |alias: &str| {
            let pairs = need.columns.iter().zip(&names);
            let equal = pairs.map(|(id, name)| format!("{alias}.{} = n.{name}", identifier(&parent.column(*id).name)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        if let Some(rows) = self.work.rows(need.parent) {
            let gone = identifier(GONE);
            text.push(&format!(
                " AND NOT EXISTS (SELECT 1 FROM parent.written AS p WHERE NOT p.{gone} AND {})",
                equal("p")
            ));
            sources.push(rows_table("parent.written", written_columns(parent), rows));
        }
        if let Some(rows) = self.work.held.get(&need.parent) {
            text.push(&format!(
                " AND NOT EXISTS (SELECT 1 FROM parent.held AS h WHERE {})",
                equal("h")
            ));
            sources.push(rows_table("parent.held", super::work::read_columns(parent), *rows));
        }
        let inserted: Vec<&super::work::DirectInsert> = self
            .work
            .direct
            .iter()
            .filter(|insert| insert.table == need.parent)
            .collect();
        for (place, insert) in inserted.into_iter().enumerate() {
            text.push(" AND NOT (");
            for (position, (column, name)) in need.columns.iter().zip(&names).enumerate() {
                let bound = format!("inserted {number} {place} {position}");
                self.builder.bind(&bound, insert.values.get(column)?.clone());
                text.push(if position > 0 { " AND " } else { "" })
                    .push(&format!("n.{name} = "));
                text.variable(&bound);
            }
            text.push(")");
        }
        let rows = self
            .builder
            .rows(&format!("references to {} ({number})", parent.full_name()));
        let mark = Mark::new(format!("what must be in {}", parent.full_name()), Role::Work);
        steps.push(statement::compose(
            &mut self.builder,
            mark,
            sources,
            &text,
            Into::Rows(rows),
        ));
        let bind = need.columns.iter().map(|id| {
            let column = parent.column(*id);
            let name = format!("reference {}.{} ({number})", parent.full_name(), column.name);
            self.builder.value(&name, column.data_type)
        });
        Some(EachRow {
            rows,
            bind: bind.collect(),
        })
    }

    fn must_be_there(&self, need: &Need, value: Value<'_>, each: Option<EachRow>) -> TransactedWrite {
        let schema = &self.assembly.scenario.schema;
        let parent = schema.table(need.parent);
        let layout = self.site.layout.table(need.parent);
        let own: Vec<ColumnId> = need
            .columns
            .iter()
            .copied()
            .filter(|id| Some(*id) != layout.tenant)
            .collect();
        let by_key = layout.base.columns().iter().all(|column| need.columns.contains(column));
        let key: Attributes = if by_key {
            self.site.key(need.parent, value)
        } else {
            self.site.guard_key(parent, &own, value)
        };
        let action = if by_key && layout.touched {
            WriteAction::Update {
                key,
                update: self.site.touch(),
            }
        } else {
            WriteAction::Check { key }
        };
        let condition = Condition {
            phrase: self.site.exists(),
            class: ErrorClass::Refused,
            message: need.message.clone(),
        };
        write_once(
            each,
            ItemWrite {
                action,
                condition: Some(condition),
            },
        )
    }

    // ---- what a transaction puts and deletes

    /// The written rows of a table that fulfil a condition; the register itself if all do.
    pub(crate) fn chosen(
        &mut self,
        id: TableId,
        what: &str,
        condition: Option<&str>,
        steps: &mut Block,
    ) -> Option<EachRow> {
        let scenario = self.assembly.scenario;
        let table = scenario.schema.table(id);
        let rows = self.work.rows(id)?;
        let rows = match condition {
            None => rows,
            Some(condition) => {
                let chosen = self.builder.rows(&format!("{what} rows of {}", table.full_name()));
                let mark = Mark::new(format!("{what} rows of {}", table.full_name()), Role::Work);
                let source = rows_table("written.rows", written_columns(table), rows);
                let text = select_written(table, condition);
                steps.push(statement::compose(
                    &mut self.builder,
                    mark,
                    vec![source],
                    &text,
                    Into::Rows(chosen),
                ));
                chosen
            }
        };
        Some(EachRow {
            rows,
            bind: bound_row(&mut self.builder, "row", table, REVISION_TYPE),
        })
    }
}

fn value_of(need: &Need, values: &[Expression], column: ColumnId) -> Expression {
    let position = need.columns.iter().position(|known| *known == column);
    position.map_or(Expression::Constant(base::Value::Null), |position| {
        values[position].clone()
    })
}

/// The values that new and changed rows refer to.
fn refer(table: &Table, own: &[ColumnId], from: &str, inserted: bool) -> String {
    let names: Vec<String> = own.iter().map(|id| identifier(&table.column(*id).name)).collect();
    let tracked = tracked(table);
    let changed: Vec<String> = own
        .iter()
        .filter(|id| tracked.contains(id))
        .map(|id| {
            let name = &table.column(*id).name;
            format!("{} IS DISTINCT FROM {}", identifier(name), identifier(&stored(name)))
        })
        .collect();
    let new = format!("{} IS NULL", identifier(REVISION));
    let condition = match (inserted, changed.is_empty()) {
        (true, false) => format!(" AND ({new} OR {})", changed.join(" OR ")),
        (false, false) => format!(" AND ({})", changed.join(" OR ")),
        (_, true) => String::new(),
    };
    let (owner, name) = from.split_once('.').unwrap_or(("public", from));
    format!(
        "SELECT {} FROM {} WHERE NOT {}{condition}",
        names.join(", "),
        qualified(owner, name),
        identifier(GONE)
    )
}
