//! Tree → text: one line of SQL with as few parentheses as PostgreSQL's precedence allows.
//!
//! Parsing the text gives an equal tree back (spans apart) for every tree that a parser made.

mod access;
mod definition;
mod expression;
mod query;
mod quote;

use crate::{
    Assignment, ConflictAction, Delete, Expr, Insert, InsertSource, IsolationLevel, LockMode, Name, ObjectName,
    OnConflict, Query, Returning, Statement, TransactionModes, Update,
};
use expression::Level;

pub(crate) use expression::is_function_keyword;

pub use quote::{identifier, literal, quote_string};

pub fn print(statement: &Statement) -> String {
    let mut printer = Printer::default();
    printer.statement(statement);
    printer.out
}

pub fn print_query(query: &Query) -> String {
    let mut printer = Printer::default();
    printer.query(query);
    printer.out
}

pub fn print_expr(expr: &Expr) -> String {
    let mut printer = Printer::default();
    printer.expr(expr);
    printer.out
}

/// An expression as a key of an index: anything but a column or a call in parentheses.
pub fn print_key(expr: &Expr) -> String {
    let mut printer = Printer::default();
    printer.index_expr(expr);
    printer.out
}

/// `schema.name`, quoted where needed.
pub fn print_object(name: &ObjectName) -> String {
    let mut printer = Printer::default();
    printer.object(name);
    printer.out
}

#[derive(Default)]
struct Printer {
    out: String,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: &Name) {
        self.put(&identifier(name.as_str()));
    }

    fn object(&mut self, name: &ObjectName) {
        if let Some(schema) = &name.schema {
            self.name(schema);
            self.put(".");
        }
        self.name(&name.name);
    }

    /// `item, item, …`
    fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        for (n, each) in items.iter().enumerate() {
            if n > 0 {
                self.put(", ");
            }
            item(self, each);
        }
    }

    fn names(&mut self, names: &[Name]) {
        self.list(names, Self::name);
    }

    /// ` (a, b)`, or nothing for no names.
    fn optional_names(&mut self, names: &[Name]) {
        if !names.is_empty() {
            self.put(" (");
            self.names(names);
            self.put(")");
        }
    }

    fn flag(&mut self, set: bool, text: &str) {
        if set {
            self.put(text);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Begin { modes } => {
                self.put("BEGIN");
                self.modes(modes);
            }
            Statement::Commit { chain } => self.put(if *chain { "COMMIT AND CHAIN" } else { "COMMIT" }),
            Statement::Rollback { chain } => self.put(if *chain { "ROLLBACK AND CHAIN" } else { "ROLLBACK" }),
            Statement::PrepareTransaction(id) => self.prepared("PREPARE TRANSACTION ", id),
            Statement::CommitPrepared(id) => self.prepared("COMMIT PREPARED ", id),
            Statement::RollbackPrepared(id) => self.prepared("ROLLBACK PREPARED ", id),
            Statement::Savepoint(name) => self.named("SAVEPOINT ", name),
            Statement::RollbackTo(name) => self.named("ROLLBACK TO SAVEPOINT ", name),
            Statement::Release(name) => self.named("RELEASE SAVEPOINT ", name),
            Statement::SetTransaction { modes, session } => {
                self.put(if *session {
                    "SET SESSION CHARACTERISTICS AS TRANSACTION"
                } else {
                    "SET TRANSACTION"
                });
                self.modes(modes);
            }
            Statement::Set { local, name, value } => {
                self.put(if *local { "SET LOCAL " } else { "SET " });
                self.setting(name);
                match value {
                    Some(values) => {
                        self.put(" TO ");
                        self.list(values, Self::expr);
                    }
                    None => self.put(" TO DEFAULT"),
                }
            }
            Statement::SetConstraints { names, deferred } => {
                self.put("SET CONSTRAINTS ");
                self.flag(names.is_empty(), "ALL");
                self.list(names, Self::object);
                self.put(if *deferred { " DEFERRED" } else { " IMMEDIATE" });
            }
            Statement::Show(name) => {
                self.put("SHOW ");
                self.setting(name);
            }
            Statement::Lock { tables, mode, nowait } => {
                self.put("LOCK TABLE ");
                self.list(tables, Self::object);
                self.put(" IN ");
                self.put(lock_mode(*mode));
                self.put(" MODE");
                self.flag(*nowait, " NOWAIT");
            }
            Statement::Explain { analyze, statement } => {
                self.put("EXPLAIN ");
                self.flag(*analyze, "ANALYZE ");
                self.statement(statement);
            }
            Statement::Analyze { table } => self.upkeep("ANALYZE", table.as_ref()),
            Statement::Vacuum { table } => self.upkeep("VACUUM", table.as_ref()),
            Statement::Expect { rows } => {
                let plural = if *rows == 1 { "" } else { "S" };
                self.put(&format!("EXPECT {rows} ROW{plural}"));
            }
            Statement::AbortWhen { condition, message } => {
                self.put("ABORT WHEN ");
                self.expr(condition);
                if let Some(message) = message {
                    self.put(" MESSAGE ");
                    self.put(&quote_string(message));
                }
            }
            Statement::Call { name, arguments } => {
                self.put("CALL ");
                self.object(name);
                self.put("(");
                self.list(arguments, Self::expr);
                self.put(")");
            }
            definition => self.definition(definition),
        }
    }

    fn prepared(&mut self, verb: &str, id: &str) {
        self.put(verb);
        self.put(&quote_string(id));
    }

    fn named(&mut self, verb: &str, name: &Name) {
        self.put(verb);
        self.name(name);
    }

    fn upkeep(&mut self, verb: &str, table: Option<&ObjectName>) {
        self.put(verb);
        if let Some(table) = table {
            self.put(" ");
            self.object(table);
        }
    }

    /// A setting's dots are part of its name.
    fn setting(&mut self, name: &Name) {
        let parts: Vec<String> = name.as_str().split('.').map(identifier).collect();
        self.put(&parts.join("."));
    }

    fn modes(&mut self, modes: &TransactionModes) {
        let isolation = modes.isolation.map(|isolation| match isolation {
            IsolationLevel::ReadCommitted => "ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::RepeatableRead => "ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::Serializable => "ISOLATION LEVEL SERIALIZABLE",
        });
        let access = modes
            .read_only
            .map(|only| if only { "READ ONLY" } else { "READ WRITE" });
        let deferrable = modes
            .deferrable
            .map(|yes| if yes { "DEFERRABLE" } else { "NOT DEFERRABLE" });
        let words: Vec<&str> = [isolation, access, deferrable].into_iter().flatten().collect();
        if !words.is_empty() {
            self.put(" ");
            self.put(&words.join(", "));
        }
    }

    // ---- writes

    fn insert(&mut self, insert: &Insert) {
        self.with(&insert.with);
        self.put("INSERT INTO ");
        self.object(&insert.table);
        if let Some(alias) = &insert.alias {
            self.named(" AS ", alias);
        }
        self.optional_names(&insert.columns);
        self.put(" ");
        match &insert.source {
            InsertSource::DefaultValues => self.put("DEFAULT VALUES"),
            InsertSource::Query(query) => self.query(query),
        }
        if let Some(conflict) = &insert.on_conflict {
            self.on_conflict(conflict);
        }
        self.returning(insert.returning.as_ref());
    }

    fn on_conflict(&mut self, conflict: &OnConflict) {
        self.put(" ON CONFLICT");
        if !conflict.target.is_empty() {
            self.put(" (");
            self.list(&conflict.target, Self::index_expr);
            self.put(")");
            self.filter(conflict.target_filter.as_ref());
        }
        if let Some(constraint) = &conflict.constraint {
            self.named(" ON CONSTRAINT ", constraint);
        }
        match &conflict.action {
            ConflictAction::Nothing => self.put(" DO NOTHING"),
            ConflictAction::Update { assignments, filter } => {
                self.put(" DO UPDATE");
                self.assignments(assignments);
                self.filter(filter.as_ref());
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        self.put(" SET ");
        self.list(assignments, |printer, assignment| {
            printer.name(&assignment.column);
            printer.put(" = ");
            printer.expr(&assignment.value);
        });
    }

    fn filter(&mut self, filter: Option<&Expr>) {
        if let Some(filter) = filter {
            self.put(" WHERE ");
            self.expr(filter);
        }
    }

    fn returning(&mut self, returning: Option<&Returning>) {
        if let Some(returning) = returning {
            self.put(" RETURNING ");
            self.list(&returning.items, Self::select_item);
            self.target_variables(&returning.into);
        }
    }

    fn target_variables(&mut self, names: &[Name]) {
        if !names.is_empty() {
            self.put(" INTO ");
            self.list(names, Self::variable);
        }
    }

    fn variable(&mut self, name: &Name) {
        self.named(":", name);
    }

    fn update(&mut self, update: &Update) {
        self.with(&update.with);
        self.put("UPDATE ");
        self.flag(update.only, "ONLY ");
        self.object(&update.table);
        if let Some(alias) = &update.alias {
            self.named(" AS ", alias);
        }
        self.assignments(&update.assignments);
        if !update.from.is_empty() {
            self.put(" FROM ");
            self.list(&update.from, Self::table_ref);
        }
        self.filter(update.filter.as_ref());
        self.returning(update.returning.as_ref());
    }

    fn delete(&mut self, delete: &Delete) {
        self.with(&delete.with);
        self.put("DELETE FROM ");
        self.flag(delete.only, "ONLY ");
        self.object(&delete.table);
        if let Some(alias) = &delete.alias {
            self.named(" AS ", alias);
        }
        if !delete.using.is_empty() {
            self.put(" USING ");
            self.list(&delete.using, Self::table_ref);
        }
        self.filter(delete.filter.as_ref());
        self.returning(delete.returning.as_ref());
    }

    fn expr(&mut self, expr: &Expr) {
        self.expr_at(expr, Level::Lowest);
    }
}

fn lock_mode(mode: LockMode) -> &'static str {
    match mode {
        LockMode::AccessShare => "ACCESS SHARE",
        LockMode::RowShare => "ROW SHARE",
        LockMode::RowExclusive => "ROW EXCLUSIVE",
        LockMode::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
        LockMode::Share => "SHARE",
        LockMode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
        LockMode::Exclusive => "EXCLUSIVE",
        LockMode::AccessExclusive => "ACCESS EXCLUSIVE",
    }
}
