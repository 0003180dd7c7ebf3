//! CREATE, ALTER, DROP, TRUNCATE.

use super::access::row_security;
use super::{Printer, quote_string};
use crate::{
    AlterAction, ColumnDef, ConstraintKind, CreateFunction, CreateIndex, CreateTable, Deferral, Expr, ExprKind,
    FunctionName, PartitionBound, PartitionStrategy, ReferentialAction, Statement, StorageParameter, TableConstraint,
    Volatility,
};

impl Printer {
    pub(super) fn definition(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateSchema { name, if_not_exists } => {
                self.put("CREATE SCHEMA ");
                self.flag(*if_not_exists, "IF NOT EXISTS ");
                self.name(name);
            }
            Statement::DropSchema {
                names,
                if_exists,
                cascade,
            } => {
                self.drop("SCHEMA", *if_exists);
                self.names(names);
                self.flag(*cascade, " CASCADE");
            }
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateTableAs(table) => {
                self.put("CREATE TABLE ");
                self.flag(table.if_not_exists, "IF NOT EXISTS ");
                self.object(&table.name);
                self.optional_names(&table.columns);
                self.parameters(&table.parameters);
                self.put(" AS ");
                self.query(&table.query);
                self.flag(!table.data, " WITH NO DATA");
            }
            Statement::DropTable {
                names,
                if_exists,
                cascade,
            } => {
                self.drop("TABLE", *if_exists);
                self.list(names, Self::object);
                self.flag(*cascade, " CASCADE");
            }
            Statement::AlterTable { table, actions } => {
                self.put("ALTER TABLE ");
                self.object(table);
                self.put(" ");
                self.list(actions, Self::action);
            }
            Statement::CreateIndex(index) => self.create_index(index),
            Statement::DropIndex { names, if_exists } => {
                self.drop("INDEX", *if_exists);
                self.list(names, Self::object);
            }
            Statement::Truncate { tables } => {
                self.put("TRUNCATE TABLE ");
                self.list(tables, Self::object);
            }
            Statement::CreateFunction(function) => self.create_function(function),
            Statement::DropFunction { functions, if_exists } => {
                self.drop("FUNCTION", *if_exists);
                self.list(functions, Self::named_function);
            }
            Statement::DropRole { names, if_exists } => {
                self.drop("ROLE", *if_exists);
                self.names(names);
            }
            // Everything else is printed by `statement`.
            other => self.access(other),
        }
    }

    pub(super) fn drop(&mut self, object: &str, if_exists: bool) {
        self.put("DROP ");
        self.put(object);
        self.put(if if_exists { " IF EXISTS " } else { " " });
    }

    fn create_table(&mut self, table: &CreateTable) {
        self.put("CREATE TABLE ");
        self.flag(table.if_not_exists, "IF NOT EXISTS ");
        self.object(&table.name);
        if let Some(partition) = &table.partition_of {
            self.put(" PARTITION OF ");
            self.object(&partition.parent);
        }
        if table.partition_of.is_none() || !table.constraints.is_empty() {
            self.put(" (");
            self.list(&table.columns, Self::column);
            self.flag(!table.columns.is_empty() && !table.constraints.is_empty(), ", ");
            self.list(&table.constraints, |printer, constraint| {
                printer.constraint(constraint, false)
            });
            self.put(")");
        }
        if let Some(partition) = &table.partition_of {
            self.partition_bound(&partition.bound);
        }
        if !table.inherits.is_empty() {
            self.put(" INHERITS (");
            self.list(&table.inherits, Self::object);
            self.put(")");
        }
        if let Some(by) = &table.partition_by {
            self.put(match by.strategy {
                PartitionStrategy::List => " PARTITION BY LIST (",
                PartitionStrategy::Range => " PARTITION BY RANGE (",
                PartitionStrategy::Hash => " PARTITION BY HASH (",
            });
            self.list(&by.keys, Self::index_expr);
            self.put(")");
        }
        self.parameters(&table.parameters);
    }

    pub(super) fn named_function(&mut self, function: &FunctionName) {
        self.object(&function.name);
        if let Some(arguments) = &function.arguments {
            self.put("(");
            self.list(arguments, Self::data_type);
            self.put(")");
        }
    }

    fn create_function(&mut self, function: &CreateFunction) {
        self.put("CREATE ");
        self.flag(function.or_replace, "OR REPLACE ");
        self.put("FUNCTION ");
        self.object(&function.name);
        self.put("(");
        self.list(&function.arguments, |printer, argument| {
            if let Some(name) = &argument.name {
                printer.name(name);
                printer.put(" ");
            }
            printer.data_type(&argument.data_type);
        });
        self.put(") RETURNS ");
        self.data_type(&function.returns);
        self.named(" LANGUAGE ", &function.language);
        self.put(match function.volatility {
            Volatility::Immutable => " IMMUTABLE",
            Volatility::Stable => " STABLE",
            Volatility::Volatile => "",
        });
        self.flag(function.strict, " STRICT");
        self.put(" AS ");
        self.put(&quote_string(&function.body));
    }

    fn partition_bound(&mut self, bound: &PartitionBound) {
        match bound {
            PartitionBound::Default => self.put(" DEFAULT"),
            PartitionBound::In(values) => {
                self.put(" FOR VALUES IN (");
                self.list(values, Self::expr);
                self.put(")");
            }
            PartitionBound::Range { from, to } => {
                self.put(" FOR VALUES FROM (");
                self.list(from, Self::expr);
                self.put(") TO (");
                self.list(to, Self::expr);
                self.put(")");
            }
            PartitionBound::Hash { modulus, remainder } => {
                self.put(&format!(" FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"));
            }
        }
    }

    fn parameters(&mut self, parameters: &[StorageParameter]) {
        if parameters.is_empty() {
            return;
        }
        self.put(" WITH (");
        self.list(parameters, |printer, parameter| {
            printer.name(&parameter.name);
            if let Some(value) = &parameter.value {
                printer.put(" = ");
                printer.put(&quote_string(value));
            }
        });
        self.put(")");
    }

    fn column(&mut self, column: &ColumnDef) {
        self.name(&column.name);
        self.put(" ");
        self.data_type(&column.data_type);
        self.flag(column.not_null, " NOT NULL");
        if let Some(default) = &column.default {
            self.put(" DEFAULT ");
            self.restricted_expr(default);
        }
        if let Some(generated) = &column.generated {
            self.put(" GENERATED ALWAYS AS (");
            self.expr(generated);
            self.put(") STORED");
        }
        for constraint in &column.constraints {
            self.put(" ");
            self.constraint(constraint, true);
        }
    }

    /// A column's own constraint names no columns.
    fn constraint(&mut self, constraint: &TableConstraint, of_column: bool) {
        if let Some(name) = &constraint.name {
            self.named("CONSTRAINT ", name);
            self.put(" ");
        }
        match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => {
                self.put("PRIMARY KEY");
                self.optional_names(if of_column { &[] } else { columns });
            }
            ConstraintKind::Unique(columns) => {
                self.put("UNIQUE");
                self.optional_names(if of_column { &[] } else { columns });
            }
            ConstraintKind::Check(condition) => {
                self.put("CHECK (");
                self.expr(condition);
                self.put(")");
            }
            ConstraintKind::ForeignKey {
                columns,
                table,
                referenced,
                on_delete,
                on_update,
            } => {
                if !of_column {
                    self.put("FOREIGN KEY (");
                    self.names(columns);
                    self.put(") ");
                }
                self.put("REFERENCES ");
                self.object(table);
                self.optional_names(referenced);
                self.referential_action(" ON DELETE ", *on_delete);
                self.referential_action(" ON UPDATE ", *on_update);
            }
        }
        self.put(match constraint.deferral {
            Deferral::NotDeferrable => "",
            Deferral::Deferrable => " DEFERRABLE",
            Deferral::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        });
    }

    fn referential_action(&mut self, event: &str, action: ReferentialAction) {
        let action = match action {
            ReferentialAction::NoAction => return,
            ReferentialAction::Restrict => "RESTRICT",
            ReferentialAction::Cascade => "CASCADE",
            ReferentialAction::SetNull => "SET NULL",
            ReferentialAction::SetDefault => "SET DEFAULT",
        };
        self.put(event);
        self.put(action);
    }

    fn create_index(&mut self, index: &CreateIndex) {
        self.put("CREATE ");
        self.flag(index.unique, "UNIQUE ");
        self.put("INDEX ");
        self.flag(index.if_not_exists, "IF NOT EXISTS ");
        if let Some(name) = &index.name {
            self.name(name);
            self.put(" ");
        }
        self.put("ON ");
        self.object(&index.table);
        self.put(" (");
        self.list(&index.columns, |printer, column| {
            printer.index_expr(&column.expr);
            printer.direction(column);
        });
        self.put(")");
        if !index.included.is_empty() {
            self.put(" INCLUDE");
            self.optional_names(&index.included);
        }
        self.parameters(&index.parameters);
        self.filter(index.filter.as_ref());
    }

    /// Only a column or a call may stand without parentheses.
    pub(super) fn index_expr(&mut self, expr: &Expr) {
        let bare = matches!(&expr.kind, ExprKind::Column(parts) if parts.len() == 1)
            || matches!(expr.kind, ExprKind::Function(_));
        self.flag(!bare, "(");
        self.expr(expr);
        self.flag(!bare, ")");
    }

    fn action(&mut self, action: &AlterAction) {
        match action {
            AlterAction::AddColumn { column, if_not_exists } => {
                self.put("ADD COLUMN ");
                self.flag(*if_not_exists, "IF NOT EXISTS ");
                self.column(column);
            }
            AlterAction::DropColumn {
                name,
                if_exists,
                cascade,
            } => {
                self.drop("COLUMN", *if_exists);
                self.name(name);
                self.flag(*cascade, " CASCADE");
            }
            AlterAction::AddConstraint(constraint) => {
                self.put("ADD ");
                self.constraint(constraint, false);
            }
            AlterAction::DropConstraint {
                name,
                if_exists,
                cascade,
            } => {
                self.drop("CONSTRAINT", *if_exists);
                self.name(name);
                self.flag(*cascade, " CASCADE");
            }
            AlterAction::SetNotNull(name) => {
                self.named("ALTER COLUMN ", name);
                self.put(" SET NOT NULL");
            }
            AlterAction::DropNotNull(name) => {
                self.named("ALTER COLUMN ", name);
                self.put(" DROP NOT NULL");
            }
            AlterAction::SetDefault(name, value) => {
                self.named("ALTER COLUMN ", name);
                self.put(" SET DEFAULT ");
                self.expr(value);
            }
            AlterAction::DropDefault(name) => {
                self.named("ALTER COLUMN ", name);
                self.put(" DROP DEFAULT");
            }
            AlterAction::Owner(role) => {
                self.put("OWNER TO ");
                self.role_ref(role);
            }
            AlterAction::RowSecurity(change) => self.put(row_security(*change)),
            AlterAction::AttachPartition(partition, bound) => {
                self.put("ATTACH PARTITION ");
                self.object(partition);
                self.partition_bound(bound);
            }
            AlterAction::DetachPartition(partition) => {
                self.put("DETACH PARTITION ");
                self.object(partition);
            }
        }
    }
}
