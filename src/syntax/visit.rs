//! Walks over trees: a visitor whose methods go deeper by default, once for reading and once for
//! rewriting.
//!
//! ```
//! use syntax::{Dialect, ExprKind, Name, parse_statement, visit};
//!
//! let mut statement = parse_statement("UPDATE t SET a = :x WHERE b = :y", Dialect::Scenario).unwrap();
//! let mut names: Vec<Name> = Vec::new();
//! visit::exprs_mut(&mut statement, &mut |expr| {
//!     if let ExprKind::Variable(name) = &expr.kind {
//!         names.push(name.clone());
//!         expr.kind = ExprKind::Parameter(names.len() as u32);
//!     }
//! });
//! assert_eq!(syntax::print(&statement), "UPDATE t SET a = $1 WHERE b = $2");
//! ```

use crate::{
    AlterAction, Assignment, AttributeArgument, ColumnDef, CommonTable, ConflictAction, ConstraintKind, Delete,
    Distinct, Expr, ExprKind, GrantTarget, Insert, InsertSource, JoinCondition, ObjectName, Query, QueryBody,
    Returning, Select, SelectItem, Statement, TableConstraint, TableRef, Update,
};

/// The same walk twice: `$and` is `&` or `&mut`.
macro_rules! walks {
    ($visitor:ident, $($and:tt)+) => {
        /// What to do at each node. A method that is overridden goes deeper by calling its `walk_`.
        pub trait $visitor {
            fn statement(&mut self, statement: $($and)+ Statement) {
                walk_statement(self, statement);
            }
            fn query(&mut self, query: $($and)+ Query) {
                walk_query(self, query);
            }
            fn select(&mut self, select: $($and)+ Select) {
                walk_select(self, select);
            }
            fn table_ref(&mut self, table: $($and)+ TableRef) {
                walk_table_ref(self, table);
            }
            fn expr(&mut self, expr: $($and)+ Expr) {
                walk_expr(self, expr);
            }
            /// A table that is named: in FROM, as the target of a write, referenced, defined, dropped, locked.
            /// Names of WITH queries look the same: the walk does not resolve them.
            fn table(&mut self, _name: $($and)+ ObjectName) {}
        }

        pub fn walk_statement<V: $visitor + ?Sized>(v: &mut V, statement: $($and)+ Statement) {
            match statement {
                Statement::Query(query) => v.query(query),
                Statement::Insert(insert) => walk_insert(v, insert),
                Statement::Update(update) => walk_update(v, update),
                Statement::Delete(delete) => walk_delete(v, delete),
                Statement::CreateTable(table) => {
                    v.table($($and)+ table.name);
                    for column in $($and)+ table.columns {
                        walk_column(v, column);
                    }
                    for constraint in $($and)+ table.constraints {
                        walk_constraint(v, constraint);
                    }
                    for parent in $($and)+ table.inherits {
                        v.table(parent);
                    }
                    if let Some(partition) = $($and)+ table.partition_of {
                        v.table($($and)+ partition.parent);
                    }
                    if let Some(by) = $($and)+ table.partition_by {
                        for key in $($and)+ by.keys {
                            v.expr(key);
                        }
                    }
                }
                Statement::CreateTableAs(table) => {
                    v.table($($and)+ table.name);
                    v.query($($and)+ table.query);
                }
                Statement::AlterTable { table, actions } => {
                    v.table(table);
                    for action in actions {
                        walk_action(v, action);
                    }
                }
                Statement::CreateIndex(index) => {
                    v.table($($and)+ index.table);
                    for column in $($and)+ index.columns {
                        v.expr($($and)+ column.expr);
                    }
                    if let Some(filter) = $($and)+ index.filter {
                        v.expr(filter);
                    }
                }
                Statement::DropTable { names: tables, .. }
                | Statement::Truncate { tables }
                | Statement::Lock { tables, .. } => {
                    for table in tables {
                        v.table(table);
                    }
                }
                Statement::Analyze { table } | Statement::Vacuum { table } => {
                    if let Some(table) = table {
                        v.table(table);
                    }
                }
                Statement::Explain { statement, .. } => v.statement(statement),
                Statement::Set { value, .. } => {
                    for expr in value.into_iter().flatten() {
                        v.expr(expr);
                    }
                }
                Statement::Grant(grant) => {
                    if let GrantTarget::Tables(tables) = $($and)+ grant.on {
                        for table in tables {
                            v.table(table);
                        }
                    }
                }
                Statement::CreatePolicy(policy) => {
                    v.table($($and)+ policy.table);
                    walk_conditions(v, $($and)+ policy.using, $($and)+ policy.check);
                }
                Statement::AlterPolicy(policy) => {
                    v.table($($and)+ policy.table);
                    walk_conditions(v, $($and)+ policy.using, $($and)+ policy.check);
                }
                Statement::DropPolicy { table, .. } => v.table(table),
                Statement::AbortWhen { condition, .. } => v.expr(condition),
                Statement::Call { arguments, .. } => {
                    for argument in arguments {
                        v.expr(argument);
                    }
                }
                Statement::CreateSchema { .. }
                | Statement::DropSchema { .. }
                | Statement::DropIndex { .. }
                | Statement::CreateFunction(_)
                | Statement::DropFunction { .. }
                | Statement::CreateRole { .. }
                | Statement::AlterRole { .. }
                | Statement::GrantRole(_)
                | Statement::DropRole { .. }
                | Statement::Begin { .. }
                | Statement::Commit { .. }
                | Statement::Rollback { .. }
                | Statement::PrepareTransaction(_)
                | Statement::CommitPrepared(_)
                | Statement::RollbackPrepared(_)
                | Statement::Savepoint(_)
                | Statement::RollbackTo(_)
                | Statement::Release(_)
                | Statement::SetTransaction { .. }
                | Statement::Show(_)
                | Statement::SetConstraints { .. }
                | Statement::Expect { .. } => {}
            }
        }

        fn walk_conditions<V: $visitor + ?Sized>(v: &mut V, using: $($and)+ Option<Expr>, check: $($and)+ Option<Expr>) {
            for condition in using.into_iter().chain(check) {
                v.expr(condition);
            }
        }

        fn walk_insert<V: $visitor + ?Sized>(v: &mut V, insert: $($and)+ Insert) {
            walk_with(v, $($and)+ insert.with);
            v.table($($and)+ insert.table);
            if let InsertSource::Query(query) = $($and)+ insert.source {
                v.query(query);
            }
            if let Some(conflict) = $($and)+ insert.on_conflict {
                for expr in $($and)+ conflict.target {
                    v.expr(expr);
                }
                if let Some(filter) = $($and)+ conflict.target_filter {
                    v.expr(filter);
                }
                if let ConflictAction::Update { assignments, filter } = $($and)+ conflict.action {
                    for Assignment { value, .. } in assignments {
                        v.expr(value);
                    }
                    if let Some(filter) = filter {
                        v.expr(filter);
                    }
                }
            }
            if let Some(returning) = $($and)+ insert.returning {
                walk_returning(v, returning);
            }
        }

        fn walk_update<V: $visitor + ?Sized>(v: &mut V, update: $($and)+ Update) {
            walk_with(v, $($and)+ update.with);
            v.table($($and)+ update.table);
            for Assignment { value, .. } in $($and)+ update.assignments {
                v.expr(value);
            }
            for table in $($and)+ update.from {
                v.table_ref(table);
            }
            if let Some(filter) = $($and)+ update.filter {
                v.expr(filter);
            }
            if let Some(returning) = $($and)+ update.returning {
                walk_returning(v, returning);
            }
        }

        fn walk_delete<V: $visitor + ?Sized>(v: &mut V, delete: $($and)+ Delete) {
            walk_with(v, $($and)+ delete.with);
            v.table($($and)+ delete.table);
            for table in $($and)+ delete.using {
                v.table_ref(table);
            }
            if let Some(filter) = $($and)+ delete.filter {
                v.expr(filter);
            }
            if let Some(returning) = $($and)+ delete.returning {
                walk_returning(v, returning);
            }
        }

        fn walk_returning<V: $visitor + ?Sized>(v: &mut V, returning: $($and)+ Returning) {
            for item in $($and)+ returning.items {
                walk_item(v, item);
            }
        }

        fn walk_item<V: $visitor + ?Sized>(v: &mut V, item: $($and)+ SelectItem) {
            if let SelectItem::Expr { expr, .. } = item {
                v.expr(expr);
            }
        }

        fn walk_column<V: $visitor + ?Sized>(v: &mut V, column: $($and)+ ColumnDef) {
            if let Some(default) = $($and)+ column.default {
                v.expr(default);
            }
            for constraint in $($and)+ column.constraints {
                walk_constraint(v, constraint);
            }
        }

        fn walk_constraint<V: $visitor + ?Sized>(v: &mut V, constraint: $($and)+ TableConstraint) {
            match $($and)+ constraint.kind {
                ConstraintKind::Check(condition) => v.expr(condition),
                ConstraintKind::ForeignKey { table, .. } => v.table(table),
                ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_) => {}
            }
        }

        fn walk_action<V: $visitor + ?Sized>(v: &mut V, action: $($and)+ AlterAction) {
            match action {
                AlterAction::AddColumn { column, .. } => walk_column(v, column),
                AlterAction::AddConstraint(constraint) => walk_constraint(v, constraint),
                AlterAction::SetDefault(_, value) => v.expr(value),
                AlterAction::DropColumn { .. }
                | AlterAction::DropConstraint { .. }
                | AlterAction::SetNotNull(_)
                | AlterAction::DropNotNull(_)
                | AlterAction::DropDefault(_)
                | AlterAction::Owner(_)
                | AlterAction::RowSecurity(_) => {}
                AlterAction::AttachPartition(partition, _) | AlterAction::DetachPartition(partition) => v.table(partition),
            }
        }

        fn walk_with<V: $visitor + ?Sized>(v: &mut V, tables: $($and)+ Vec<CommonTable>) {
            for table in tables {
                match $($and)+ *table.statement {
                    Statement::Query(query) => v.query(query),
                    statement => v.statement(statement),
                }
            }
        }

        pub fn walk_query<V: $visitor + ?Sized>(v: &mut V, query: $($and)+ Query) {
            walk_with(v, $($and)+ query.with);
            match $($and)+ query.body {
                QueryBody::Select(select) => v.select(select),
                QueryBody::Values(rows) => {
                    for expr in rows.into_iter().flatten() {
                        v.expr(expr);
                    }
                }
                QueryBody::SetOperation { left, right, .. } => {
                    v.query(left);
                    v.query(right);
                }
            }
            for order in $($and)+ query.order_by {
                v.expr($($and)+ order.expr);
            }
            if let Some(limit) = $($and)+ query.limit {
                v.expr(limit);
            }
            if let Some(offset) = $($and)+ query.offset {
                v.expr(offset);
            }
        }

        pub fn walk_select<V: $visitor + ?Sized>(v: &mut V, select: $($and)+ Select) {
            if let Distinct::On(exprs) = $($and)+ select.distinct {
                for expr in exprs {
                    v.expr(expr);
                }
            }
            for item in $($and)+ select.items {
                walk_item(v, item);
            }
            for table in $($and)+ select.from {
                v.table_ref(table);
            }
            if let Some(filter) = $($and)+ select.filter {
                v.expr(filter);
            }
            for expr in $($and)+ select.group_by {
                v.expr(expr);
            }
            if let Some(having) = $($and)+ select.having {
                v.expr(having);
            }
        }

        pub fn walk_table_ref<V: $visitor + ?Sized>(v: &mut V, table: $($and)+ TableRef) {
            match table {
                TableRef::Table { name, .. } => v.table(name),
                TableRef::Derived { query, .. } => v.query(query),
                TableRef::Join { left, right, condition, .. } => {
                    v.table_ref(left);
                    v.table_ref(right);
                    if let JoinCondition::On(condition) = condition {
                        v.expr(condition);
                    }
                }
                TableRef::Function { arguments, .. } => {
                    for argument in arguments {
                        v.expr(argument);
                    }
                }
            }
        }

        pub fn walk_expr<V: $visitor + ?Sized>(v: &mut V, expr: $($and)+ Expr) {
            match $($and)+ expr.kind {
                ExprKind::Null
                | ExprKind::Bool(_)
                | ExprKind::Number(_)
                | ExprKind::String(_)
                | ExprKind::Parameter(_)
                | ExprKind::Variable(_)
                | ExprKind::Column(_)
                | ExprKind::Default => {}
                ExprKind::Unary { operand, .. }
                | ExprKind::IsNull { operand, .. }
                | ExprKind::IsBool { operand, .. }
                | ExprKind::Cast { operand, .. } => v.expr(operand),
                ExprKind::Binary { left, right, .. }
                | ExprKind::IsDistinct { left, right, .. }
                | ExprKind::Any { left, right, .. }
                | ExprKind::Like { operand: left, pattern: right, .. } => {
                    v.expr(left);
                    v.expr(right);
                }
                ExprKind::Between { operand, low, high, .. } => {
                    v.expr(operand);
                    v.expr(low);
                    v.expr(high);
                }
                ExprKind::In { operand, list, .. } => {
                    v.expr(operand);
                    for item in list {
                        v.expr(item);
                    }
                }
                ExprKind::InQuery { operand, query, .. } => {
                    v.expr(operand);
                    v.query(query);
                }
                ExprKind::Exists { query } | ExprKind::Subquery(query) => v.query(query),
                ExprKind::Array(items) | ExprKind::Row(items) => {
                    for item in items {
                        v.expr(item);
                    }
                }
                ExprKind::Case { operand, branches, otherwise } => {
                    if let Some(operand) = operand {
                        v.expr(operand);
                    }
                    for (condition, value) in branches {
                        v.expr(condition);
                        v.expr(value);
                    }
                    if let Some(otherwise) = otherwise {
                        v.expr(otherwise);
                    }
                }
                ExprKind::Function(call) => {
                    for argument in $($and)+ call.arguments {
                        v.expr(argument);
                    }
                    if let Some(filter) = $($and)+ call.filter {
                        v.expr(filter);
                    }
                }
            }
        }

        /// The expressions and statements among an attribute's arguments.
        pub fn walk_argument<V: $visitor + ?Sized>(v: &mut V, argument: $($and)+ AttributeArgument) {
            match argument {
                AttributeArgument::Named(_, expr) | AttributeArgument::Expr(expr) => v.expr(expr),
                AttributeArgument::Statement(statement) => v.statement(statement),
            }
        }
    };
}

/// Reading.
pub mod read {
    use super::*;

    walks!(Visitor, &);
}

/// Rewriting.
pub mod rewrite {
    use super::*;

    walks!(Rewriter, &mut);
}

pub use read::Visitor;
pub use rewrite::Rewriter;

/// Calls `f` for every expression of a statement, an outer one before its parts, subqueries included.
pub fn exprs(statement: &Statement, f: &mut dyn FnMut(&Expr)) {
    Exprs(f).statement(statement);
}

/// Calls `f` for every expression of an expression, itself first.
pub fn exprs_of(expr: &Expr, f: &mut dyn FnMut(&Expr)) {
    Exprs(f).expr(expr);
}

/// As [`exprs`], to change them. The parts of what `f` leaves behind are visited next.
pub fn exprs_mut(statement: &mut Statement, f: &mut dyn FnMut(&mut Expr)) {
    ExprsMut(f).statement(statement);
}

/// As [`exprs_of`], to change them.
pub fn exprs_of_mut(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    ExprsMut(f).expr(expr);
}

/// Calls `f` for every table that a statement names, in the tree's order.
pub fn tables(statement: &Statement, f: &mut dyn FnMut(&ObjectName)) {
    Tables(f).statement(statement);
}

/// As [`tables`], to change them.
pub fn tables_mut(statement: &mut Statement, f: &mut dyn FnMut(&mut ObjectName)) {
    TablesMut(f).statement(statement);
}

struct Exprs<'a>(&'a mut dyn FnMut(&Expr));

impl Visitor for Exprs<'_> {
    fn expr(&mut self, expr: &Expr) {
        (self.0)(expr);
        read::walk_expr(self, expr);
    }
}

struct ExprsMut<'a>(&'a mut dyn FnMut(&mut Expr));

impl Rewriter for ExprsMut<'_> {
    fn expr(&mut self, expr: &mut Expr) {
        (self.0)(expr);
        rewrite::walk_expr(self, expr);
    }
}

struct Tables<'a>(&'a mut dyn FnMut(&ObjectName));

impl Visitor for Tables<'_> {
    fn table(&mut self, name: &ObjectName) {
        (self.0)(name);
    }
}

struct TablesMut<'a>(&'a mut dyn FnMut(&mut ObjectName));

impl Rewriter for TablesMut<'_> {
    fn table(&mut self, name: &mut ObjectName) {
        (self.0)(name);
    }
}
