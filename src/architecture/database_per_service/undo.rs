//! Compensations: what undoes a write, derived from its tree or written by the author.
//!
//! | write | undone by | must be kept |
//! |---|---|---|
//! | INSERT with known keys | DELETE by primary key | nothing |
//! | INSERT whose keys the engine gives, or that may skip rows | DELETE of the keys that it returned | the keys |
//! | UPDATE `c = value` | UPDATE back to the values before | keys and values before |
//! | UPDATE `c = c ± value` | UPDATE `c = c ∓ value`: commutes with others' changes | keys |
//! | DELETE | INSERT of the rows before | whole rows |
//!
//! What must be kept is read in the same local transaction, under row locks. Between a write and its
//! compensation others see it and may change it again: a value restored takes such a change with it. That is a
//! saga, not a fault of this table.

use scenario::{Action, ColumnId, Compensation, External, Schema, Table, TableId};
use syntax::visit::{self, Rewriter};
use syntax::{
    Assignment, BinaryOperator, ConflictAction, Delete, Expr, ExprKind, Insert, InsertSource, Name, QueryBody,
    SelectItem, Statement, TableRef, Update,
};

use crate::lower::item::{Item, Refused};
use crate::sql::facts;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Undo {
    /// A read, or `@compensate(nothing)`.
    Nothing,
    Written(Statement),
    /// A call to the outside that takes another one back.
    WrittenCall {
        name: String,
        external: External,
    },
    /// One list of (key column, value) per row.
    DeleteInserted {
        table: TableId,
        rows: Vec<Vec<(ColumnId, Expr)>>,
    },
    /// The keys are what the INSERT returned.
    DeleteReturned {
        table: TableId,
    },
    RestoreUpdated {
        table: TableId,
        target: Target,
        columns: Vec<(ColumnId, Restore)>,
    },
    RestoreDeleted {
        table: TableId,
        target: Target,
    },
}

/// Which rows a write strikes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// How its columns may be qualified.
    pub(crate) alias: Option<Name>,
    pub(crate) joined: Vec<TableRef>,
    pub(crate) filter: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Restore {
    /// To the value before.
    Before,
    /// By the opposite change: `c - value` after `c + value`.
    Opposite { operator: BinaryOperator, value: Expr },
}

impl Undo {
    /// Calls `f` for every expression in it.
    pub(crate) fn exprs_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            Undo::Nothing | Undo::WrittenCall { .. } | Undo::DeleteReturned { .. } => {}
            Undo::Written(statement) => visit::exprs_mut(statement, f),
            Undo::DeleteInserted { rows, .. } => {
                rows.iter_mut()
                    .flatten()
                    .for_each(|(_, value)| visit::exprs_of_mut(value, f));
            }
            Undo::RestoreUpdated { target, columns, .. } => {
                target.exprs_mut(f);
                for (_, restore) in columns {
                    if let Restore::Opposite { value, .. } = restore {
                        visit::exprs_of_mut(value, f);
                    }
                }
            }
            Undo::RestoreDeleted { target, .. } => target.exprs_mut(f),
        }
    }
}

impl Target {
    fn exprs_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        struct Each<'a>(&'a mut dyn FnMut(&mut Expr));
        impl Rewriter for Each<'_> {
            fn expr(&mut self, expr: &mut Expr) {
                (self.0)(expr);
                visit::rewrite::walk_expr(self, expr);
            }
        }
        let mut each = Each(f);
        self.joined.iter_mut().for_each(|from| each.table_ref(from));
        self.filter.iter_mut().for_each(|filter| each.expr(filter));
    }
}

/// The compensation of one statement, or why there is none.
pub(crate) fn derive(schema: &Schema, item: &Item) -> Result<Undo, Refused> {
    match (&item.statement.marks.compensation, &item.statement.action) {
        (Compensation::Nothing, _) => Ok(Undo::Nothing),
        (Compensation::Written(statement), action) => written(schema, item, statement, action),
        (Compensation::Derived, Action::Call { name, .. }) => Err(Refused::new(
            item.index,
            format!("nothing is known that takes the call to {name} back"),
            "write @compensate(CALL …), or mark the call @pivot or @retriable",
        )),
        (Compensation::Derived, Action::AbortWhen { .. }) => Ok(Undo::Nothing),
        (Compensation::Derived, Action::Sql(sql)) => match &**sql {
            Statement::Insert(insert) => derive_insert(schema, item, insert),
            Statement::Update(update) => derive_update(schema, item, update),
            Statement::Delete(delete) => derive_delete(schema, item, delete),
            _ => Ok(Undo::Nothing),
        },
    }
}

fn written(schema: &Schema, item: &Item, statement: &Statement, action: &Action) -> Result<Undo, Refused> {
    match (statement, action) {
        (Statement::Call { name, .. }, Action::Call { external, .. }) => Ok(Undo::WrittenCall {
            name: syntax::print_object(name),
            // The way back is as long as the way there, and is not refused.
            external: External {
                fails: None,
                ..external.clone()
            },
        }),
        (Statement::Call { .. }, _) | (_, Action::Call { .. }) => Err(Refused::new(
            item.index,
            "a call is taken back by a call, a write by a write",
            "write a compensation of the same kind",
        )),
        _ => {
            let owner = item.statement.writes.first().map(|id| schema.table(*id).owner);
            let of = |name| schema.find(name).map(|id| schema.table(id).owner);
            if facts::tables_of_statement(statement)
                .iter()
                .any(|name| of(name) != owner)
            {
                return Err(Refused::new(
                    item.index,
                    "its compensation concerns another service than the statement",
                    "compensate each service's write beside that write",
                ));
            }
            Ok(Undo::Written(statement.clone()))
        }
    }
}

fn derive_insert(schema: &Schema, item: &Item, insert: &Insert) -> Result<Undo, Refused> {
    let Some((id, table)) = keyed_table(schema, &insert.table) else {
        return Err(no_key(item));
    };
    let skips = match &insert.on_conflict {
        None => false,
        Some(conflict) if conflict.action == ConflictAction::Nothing => true,
        Some(_) => {
            return Err(Refused::new(
                item.index,
                "INSERT … ON CONFLICT DO UPDATE may have inserted or changed: no compensation can be derived",
                "write @compensate(…)",
            ));
        }
    };
    if let Some(row) = bound_key(table, insert) {
        return Ok(Undo::DeleteInserted {
            table: id,
            rows: vec![row],
        });
    }
    if !skips
        && item.per_row.is_none()
        && let Some(rows) = known_keys(table, insert)
    {
        return Ok(Undo::DeleteInserted { table: id, rows });
    }
    if item.per_row.is_some()
        || insert
            .returning
            .as_ref()
            .is_some_and(|returning| !returning.into.is_empty())
    {
        return Err(Refused::new(
            item.index,
            "the keys of the rows that it inserts are not known: no compensation can be derived",
            "bind the key too, with RETURNING key INTO :variable, or write @compensate(…)",
        ));
    }
    Ok(Undo::DeleteReturned { table: id })
}

/// `RETURNING id INTO :id`: the key is in a variable, NULL if no row was inserted.
fn bound_key(table: &Table, insert: &Insert) -> Option<Vec<(ColumnId, Expr)>> {
    let returning = insert.returning.as_ref()?;
    let variable = |key: &ColumnId| {
        let name = &table.column(*key).name;
        let position = returning.items.iter().position(|item| is_column(item, name))?;
        let variable = returning.into.get(position)?.clone();
        let span = variable.span;
        Some((*key, Expr::new(ExprKind::Variable(variable), span)))
    };
    table.primary_key.iter().map(variable).collect()
}

fn is_column(item: &SelectItem, name: &str) -> bool {
    let SelectItem::Expr { expr, .. } = item else {
        return false;
    };
    matches!(&expr.kind, ExprKind::Column(path) if path.last().is_some_and(|last| last.as_str() == name))
}

/// The key of each row, if the statement says it.
fn known_keys(table: &Table, insert: &Insert) -> Option<Vec<Vec<(ColumnId, Expr)>>> {
    let InsertSource::Query(query) = &insert.source else {
        return None;
    };
    let QueryBody::Values(rows) = &query.body else {
        return None;
    };
    let columns: Vec<ColumnId> = if insert.columns.is_empty() {
        (0..table.columns.len() as u16).map(ColumnId).collect()
    } else {
        insert
            .columns
            .iter()
            .map(|name| table.find(name.as_str()))
            .collect::<Option<_>>()?
    };
    let value = |row: &[Expr], key: ColumnId| {
        let position = columns.iter().position(|column| *column == key)?;
        let value = row.get(position)?.clone();
        let known = value.kind != ExprKind::Default && !facts::is_volatile(&value);
        let plain = facts::tables_of_expr(&value).is_empty() && !facts::is_now(&value);
        (known && plain).then_some((key, value))
    };
    let keys = |row: &Vec<Expr>| {
        table
            .primary_key
            .iter()
            .map(|key| value(row, *key))
            .collect::<Option<Vec<_>>>()
    };
    rows.iter().map(keys).collect()
}

fn derive_update(schema: &Schema, item: &Item, update: &Update) -> Result<Undo, Refused> {
    let Some((id, table)) = keyed_table(schema, &update.table) else {
        return Err(no_key(item));
    };
    let mut columns = Vec::new();
    for assignment in &update.assignments {
        let column = table
            .find(assignment.column.as_str())
            .filter(|column| !table.primary_key.contains(column));
        let Some(column) = column else {
            return Err(Refused::new(
                item.index,
                "it changes a primary key: no compensation can be derived",
                "write @compensate(…)",
            ));
        };
        columns.push((column, restore(assignment)));
    }
    let target = Target {
        alias: update.alias.clone(),
        joined: update.from.clone(),
        filter: update.filter.clone(),
    };
    Ok(Undo::RestoreUpdated {
        table: id,
        target,
        columns,
    })
}

/// `c = c + value` and `c = c - value` have an opposite.
fn restore(assignment: &Assignment) -> Restore {
    let is_itself = |e: &Expr| matches!(&e.kind, ExprKind::Column(path) if path.last() == Some(&assignment.column));
    if let ExprKind::Binary { operator, left, right } = &assignment.value.kind
        && is_itself(left)
        && is_free(right)
    {
        let opposite = match operator {
            BinaryOperator::Add => Some(BinaryOperator::Subtract),
            BinaryOperator::Subtract => Some(BinaryOperator::Add),
            _ => None,
        };
        if let Some(operator) = opposite {
            let value = (**right).clone();
            return Restore::Opposite { operator, value };
        }
    }
    Restore::Before
}

/// Depends on nothing but variables, and gives the same value again.
fn is_free(expr: &Expr) -> bool {
    let mut free = !facts::is_volatile(expr) && facts::tables_of_expr(expr).is_empty();
    visit::exprs_of(expr, &mut |e| {
        free &= !matches!(e.kind, ExprKind::Column(_)) && !facts::is_now(e)
    });
    free
}

fn derive_delete(schema: &Schema, item: &Item, delete: &Delete) -> Result<Undo, Refused> {
    let Some(id) = schema.find(&delete.table) else {
        return Err(no_key(item));
    };
    let owner = schema.table(id).owner;
    let takes_more = schema
        .tables
        .iter()
        .filter(|table| table.owner == owner)
        .flat_map(|table| &table.foreign_keys)
        .any(|key| {
            key.table == id
                && !matches!(
                    key.on_delete,
                    syntax::ReferentialAction::NoAction | syntax::ReferentialAction::Restrict
                )
        });
    if takes_more {
        return Err(Refused::new(
            item.index,
            "its ON DELETE actions change other rows: no compensation can be derived",
            "write @compensate(…), or delete the dependent rows by statements of their own",
        ));
    }
    let target = Target {
        alias: delete.alias.clone(),
        joined: delete.using.clone(),
        filter: delete.filter.clone(),
    };
    Ok(Undo::RestoreDeleted { table: id, target })
}

fn keyed_table<'a>(schema: &'a Schema, name: &syntax::ObjectName) -> Option<(TableId, &'a Table)> {
    let id = schema.find(name)?;
    let table = schema.table(id);
    (!table.primary_key.is_empty()).then_some((id, table))
}

fn no_key(item: &Item) -> Refused {
    Refused::new(
        item.index,
        "its table has no primary key: no compensation can be derived",
        "give the table a primary key, or write @compensate(…)",
    )
}
