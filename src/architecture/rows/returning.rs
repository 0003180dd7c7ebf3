//! `RETURNING`.

use base::Type;
use program::{Block, RegisterId, Role};
use scenario::Table;
use syntax::{Expr, ExprKind, QueryBody, Statement};

use super::reading::read_columns;
use super::rows_table;
use crate::lower::builder::{Builder, Mark};
use crate::lower::item::{Item, Refused};
use crate::lower::statement;
use crate::sql::{Text, facts};

/// `RETURNING`, over the new rows; of a DELETE, over those that were.
pub(crate) fn returning(
    builder: &mut Builder,
    table: &Table,
    item: &Item,
    sql: &Statement,
    changes: RegisterId,
    revision: Type,
) -> Result<Block, Refused> {
    let Some(returning) = facts::returning(sql) else {
        return Ok(Block::new());
    };
    let alias = match sql {
        Statement::Insert(insert) => &insert.alias,
        Statement::Update(update) => &update.alias,
        Statement::Delete(delete) => &delete.alias,
        _ => &None,
    };
    let foreign = returning.items.iter().any(|item| match item {
        syntax::SelectItem::Star { .. } => others(sql),
        syntax::SelectItem::Expr { expr, .. } => uses_others(table, alias.as_ref(), expr),
    });
    if foreign {
        return Err(Refused::new(
            item.index,
            "it returns columns of a table that it only reads",
            "read them with SELECT … INTO before",
        ));
    }
    let mut query = statement::select(Expr::new(ExprKind::Null, syntax::Span::default()));
    if let QueryBody::Select(select) = &mut query.body {
        select.items = returning.items.clone();
        select.from = vec![syntax::TableRef::Table {
            name: target_name(sql),
            only: false,
            alias: alias.as_ref().map(|name| syntax::TableAlias {
                name: name.clone(),
                columns: Vec::new(),
            }),
        }];
    }
    let columns = read_columns(table, revision)
        .into_iter()
        .take(table.columns.len())
        .collect();
    let into = statement::target(builder, item.index, sql);
    let mark = Mark::new(format!("returned of {}", table.full_name()), Role::Work).from(item.index);
    let source = rows_table(&table.full_name(), columns, changes);
    Ok(vec![statement::compose(
        builder,
        mark,
        vec![source],
        &Text::query(&query),
        into,
    )])
}

fn target_name(sql: &Statement) -> syntax::ObjectName {
    match sql {
        Statement::Update(update) => update.table.clone(),
        Statement::Delete(delete) => delete.table.clone(),
        Statement::Insert(insert) => insert.table.clone(),
        _ => syntax::ObjectName {
            schema: None,
            name: syntax::Name::new(""),
        },
    }
}

fn others(sql: &Statement) -> bool {
    match sql {
        Statement::Update(update) => !update.from.is_empty(),
        Statement::Delete(delete) => !delete.using.is_empty(),
        _ => false,
    }
}

fn uses_others(table: &Table, alias: Option<&syntax::Name>, expr: &Expr) -> bool {
    let own = alias.map_or(table.name.as_str(), |alias| alias.as_str());
    let mut found = false;
    syntax::visit::exprs_of(expr, &mut |e| {
        if let ExprKind::Column(path) = &e.kind
            && let Some((column, qualifier)) = path.split_last()
        {
            let named = qualifier.last().is_none_or(|name| name.as_str() == own);
            found |= !named || table.find(column.as_str()).is_none();
        }
    });
    found
}
