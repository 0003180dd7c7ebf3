//! Keys that rows in memory give for look-ups, and what several look-ups found, as one.

use base::Type;
use program::Block;
use program::{ComposeTable, EachRow, Into, RegisterId, Role, StepId};
use scenario::{ColumnId, Table};
use syntax::{Expr, identifier};

use super::reading::cast;
use super::{names, qualified_list, rows_table, same_key};
use crate::lower::builder::{Builder, Mark};
use crate::lower::statement;
use crate::sql::Text;

/// The distinct values that rows already fetched have in some columns, each bound to a register.
pub(crate) fn distinct_keys(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    from: &Table,
    rows: RegisterId,
    pairs: &[(ColumnId, ColumnId)],
    steps: &mut Block,
) -> EachRow {
    let names: Vec<String> = pairs
        .iter()
        .map(|(_, other)| identifier(&from.column(*other).name))
        .collect();
    let known: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} WHERE {}",
        names.join(", "),
        crate::sql::text::qualified(&from.schema, &from.name),
        known.join(" AND ")
    );
    let columns = from
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.data_type))
        .collect();
    let source = ComposeTable {
        name: from.full_name(),
        columns,
        rows,
    };
    let own: Vec<ColumnId> = pairs.iter().map(|(own, _)| *own).collect();
    keys_from(builder, index, table, &own, vec![source], &Text::new(sql), steps)
}

/// Keys that a query gives: its columns are those of the table that are looked up.
pub(crate) fn keys_from(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    columns: &[ColumnId],
    sources: Vec<ComposeTable>,
    text: &Text,
    steps: &mut Block,
) -> EachRow {
    let names = names(table, columns);
    let rows = builder.rows(&format!("keys of {} ({names})", table.full_name()));
    let bind = columns.iter().map(|id| {
        let column = table.column(*id);
        builder.value(&format!("key {}.{}", table.full_name(), column.name), column.data_type)
    });
    let bind: Vec<RegisterId> = bind.collect();
    let mark = Mark::new(format!("keys of {}", table.full_name()), Role::Work).from(index);
    steps.push(statement::compose(builder, mark, sources, text, Into::Rows(rows)));
    EachRow { rows, bind }
}

/// The distinct values of columns of a row set where a condition holds and none is NULL: each for a column of the table.
pub(crate) fn wanted_keys(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    pairs: &[(ColumnId, String)],
    source: ComposeTable,
    condition: &str,
    steps: &mut Block,
) -> EachRow {
    let names: Vec<String> = pairs.iter().map(|(_, name)| identifier(name)).collect();
    let known: String = names.iter().map(|name| format!(" AND {name} IS NOT NULL")).collect();
    let (owner, name) = source.name.split_once('.').unwrap_or(("public", &source.name));
    let from = crate::sql::text::qualified(owner, name);
    let text = Text::new(format!(
        "SELECT DISTINCT {} FROM {from} WHERE {condition}{known}",
        names.join(", ")
    ));
    let own: Vec<ColumnId> = pairs.iter().map(|(column, _)| *column).collect();
    keys_from(builder, index, table, &own, vec![source], &text, steps)
}

/// Of rows of the table, with these columns, those whose values in `own` are among `keys`.
pub(crate) fn those_wanted(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    columns: Vec<(String, Type)>,
    own: &[ColumnId],
    keys: RegisterId,
    rows: RegisterId,
) -> StepId {
    let list = qualified_list("x", columns.iter().map(|(name, _)| name.as_str()));
    let wanted = (1..=own.len()).map(|n| format!("k{n}"));
    let same = own.iter().zip(wanted.clone()).map(|(column, wanted)| {
        let name = identifier(&table.column(*column).name);
        format!("x.{name} = k.{wanted}")
    });
    let sql = format!(
        "SELECT {list} FROM found.rows AS x WHERE EXISTS (SELECT 1 FROM wanted.keys AS k WHERE {})",
        same.collect::<Vec<_>>().join(" AND ")
    );
    let types = own.iter().map(|column| table.column(*column).data_type);
    let sources = vec![
        rows_table("found.rows", columns, rows),
        rows_table("wanted.keys", wanted.zip(types).collect(), keys),
    ];
    let mark = Mark::new(format!("those of {} that are meant", table.full_name()), Role::Work).from(index);
    statement::compose(builder, mark, sources, &Text::new(sql), Into::Rows(rows))
}

/// `IN (a, b)`
pub(crate) fn listed(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    column: ColumnId,
    list: &[Expr],
    steps: &mut Block,
) -> EachRow {
    let data_type = table.column(column).data_type;
    let mut text = Text::default();
    text.list(list, " UNION ", |text, value| {
        text.push("SELECT ").expr(&cast(value.clone(), data_type));
    });
    keys_from(builder, index, table, &[column], Vec::new(), &text, steps)
}

/// Rows, of these columns, that several look-ups found: each once.
pub(crate) fn union(
    table: &Table,
    columns: &[(String, Type)],
    builder: &mut Builder,
    index: u16,
    parts: &[RegisterId],
    into: RegisterId,
) -> StepId {
    let list = crate::sql::text::identifiers(columns.iter().map(|(name, _)| name.as_str()));
    let sources: Vec<ComposeTable> = parts
        .iter()
        .enumerate()
        .map(|(number, rows)| ComposeTable {
            name: format!("part.p{number}"),
            columns: columns.to_vec(),
            rows: *rows,
        })
        .collect();
    let mut sql = String::new();
    for number in 0..parts.len() {
        if number > 0 {
            sql.push_str(" UNION ALL ");
        }
        sql.push_str(&format!("SELECT {list} FROM part.p{number} AS x"));
        let before: Vec<String> = (0..number)
            .map(|earlier| {
                let same = same_key(table, "x", "y");
                format!("NOT EXISTS (SELECT 1 FROM part.p{earlier} AS y WHERE {same})")
            })
            .collect();
        if !before.is_empty() {
            sql.push_str(&format!(" WHERE {}", before.join(" AND ")));
        }
    }
    let mark = Mark::new(format!("all rows of {}", table.full_name()), Role::Work).from(index);
    statement::compose(builder, mark, sources, &Text::new(sql), Into::Rows(into))
}

pub(crate) fn nothing(builder: &mut Builder, index: u16, rows: RegisterId) -> StepId {
    let mark = Mark::plumbing("no rows").from(index);
    let text = Text::new("SELECT 1 WHERE false");
    statement::compose(builder, mark, Vec::new(), &text, Into::Rows(rows))
}
