//! Writes as queries, for designs whose store knows no SQL: the application computes the rows that a statement is going to
//! write in its own memory, checks them, and then writes them.
//!
//! ```text
//! statement ─reading→ query over the stored rows ─▶ new rows ─check→ NOT NULL, CHECK ─▶ the design writes them
//!           └bindings→ which rows: equalities, ranges, keys of earlier fetches          conflict, cascade: likewise
//! ```
//!
//! A stored row has a *revision*, of whatever type the store has for it: a number that grows, an object's tag.

pub(crate) mod bindings;
pub(crate) mod cascade;
pub(crate) mod check;
pub(crate) mod conflict;
pub(crate) mod keys;
pub(crate) mod partial;
pub(crate) mod pattern;
pub(crate) mod reading;
pub(crate) mod returning;
pub(crate) mod size;
pub(crate) mod value;

use base::Type;
use program::{Block, ComposeTable, ErrorClass, Expression, Into, Operator, RegisterId, StepId};
use scenario::{Action, ColumnId, Schema, Table};
use syntax::{Expr, ExprKind, Name, Query, Statement, identifier, visit};

use crate::composition::lower::{self, Caller};
use crate::composition::plan::FetchPlan;
use crate::lower::builder::{Builder, register};
use crate::lower::item::Item;
use crate::lower::statement;
use crate::sql::facts;

/// The variable that holds when the operation began: what `now()` means.
pub(crate) const STARTED: &str = "started at";

/// Reads the clock each time it is asked.
pub(crate) const CLOCK: &str = "the clock";

/// `x.id = y.id AND …` over the primary key.
pub(crate) fn same_key(table: &Table, left: &str, right: &str) -> String {
    let equal = table.primary_key.iter().map(|id| {
        let name = identifier(&table.column(*id).name);
        format!("{left}.{name} = {right}.{name}")
    });
    equal.collect::<Vec<_>>().join(" AND ")
}

/// A row set as a table of a query: written rows are `written.rows` unless named otherwise.
pub(crate) fn rows_table(name: &str, columns: Vec<(String, Type)>, rows: RegisterId) -> ComposeTable {
    ComposeTable {
        name: name.to_owned(),
        columns,
        rows,
    }
}

pub(crate) fn qualified_list<'a>(qualifier: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let each = names
        .into_iter()
        .map(|name| format!("{qualifier}.{}", identifier(name)));
    each.collect::<Vec<_>>().join(", ")
}

pub(crate) fn names(table: &Table, columns: &[ColumnId]) -> String {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| table.column(*column).name.as_str())
        .collect();
    names.join(", ")
}

/// `EXPECT n ROWS`
pub(crate) fn expect(builder: &mut Builder, index: u16, rows: RegisterId, expected: u64) -> StepId {
    let count = Expression::RowCount(rows);
    let other = Expression::binary(Operator::NotEqual, count.clone(), Expression::int(expected as i64));
    let words = Expression::text(&format!("expected {expected} rows, got "));
    let message = Expression::binary(Operator::Concat, words, count);
    let fail = builder.fail(ErrorClass::Expectation, message);
    let step = builder.when(format!("unless {expected} rows"), other, vec![fail]);
    builder.set_source(step, index);
    step
}

/// A query over what was fetched for it, with its `EXPECT` and `INTO`.
pub(crate) fn answer(
    schema: &Schema,
    builder: &mut Builder,
    caller: Caller<'_>,
    item: &Item,
    plan: &FetchPlan,
    query: &Query,
) -> Block {
    let wanted = statement::target(builder, item.index, &Statement::Query(Box::new(query.clone())));
    let expected = item.statement.expect_rows;
    let rows = match (&wanted, expected) {
        (Into::Rows(rows), _) => *rows,
        (Into::Values(_), Some(_)) => builder.rows(&statement::answer_name(item.index)),
        _ => return vec![lower::join(schema, builder, caller, plan, query, wanted)],
    };
    let mut steps = vec![lower::join(schema, builder, caller, plan, query, Into::Rows(rows))];
    steps.extend(expected.map(|expected| expect(builder, item.index, rows, expected)));
    if let Into::Values(registers) = wanted {
        for (register, column) in registers.into_iter().zip(0..) {
            steps.push(builder.set(register, Expression::Field { rows, column }));
        }
    }
    steps
}

/// Registers for a row: its columns and its revision. Those with one word are the same.
pub(crate) fn bound_row(builder: &mut Builder, word: &str, table: &Table, revision: Type) -> Vec<RegisterId> {
    let columns = reading::read_columns(table, revision);
    let bind = columns
        .iter()
        .map(|(name, data_type)| builder.value(&format!("{word} {}.{name}", table.full_name()), *data_type));
    bind.collect()
}

/// The same with what is stored of it, see [`reading`].
pub(crate) fn bound_written(builder: &mut Builder, word: &str, table: &Table, revision: Type) -> Vec<RegisterId> {
    let columns = reading::written_columns(table, revision);
    let bind = columns
        .iter()
        .map(|(name, data_type)| builder.value(&format!("{word} {}.{name}", table.full_name()), *data_type));
    bind.collect()
}

/// What was stored of a row that is bound so.
pub(crate) fn bound_stored<'b>(table: &'b Table, bind: &'b [RegisterId]) -> impl Fn(ColumnId) -> Expression + 'b {
    let tracked = reading::tracked(table);
    move |column| {
        let place = tracked.iter().position(|known| *known == column);
        let null = Expression::Constant(base::Value::Null);
        place.map_or(null, |place| register(bind[table.columns.len() + 1 + place]))
    }
}

/// The values of a row that is bound to registers, by column.
pub(crate) fn bound<'b>(bind: &'b [RegisterId]) -> impl Fn(ColumnId) -> Expression + 'b {
    move |column| register(bind[usize::from(column.0)])
}

/// One instant for the whole operation, also when it is done again. Is it needed?
pub(crate) fn fix_time(items: &mut [Item]) -> bool {
    let mut found = false;
    for item in items {
        let mut fix = |e: &mut Expr| {
            if facts::is_now(e) {
                e.kind = ExprKind::Variable(Name::new(STARTED));
                found = true;
            } else if facts::is_clock(e) {
                e.kind = ExprKind::Variable(Name::new(CLOCK));
            }
        };
        match &mut item.statement.action {
            Action::Sql(sql) => visit::exprs_mut(sql, &mut fix),
            Action::AbortWhen { condition, .. } => visit::exprs_of_mut(condition, &mut fix),
            Action::Call { .. } => {}
        }
    }
    found
}
