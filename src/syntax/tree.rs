//! The SQL tree: what every other room sees of SQL. Plain data, with the span of the source text on
//! every node that a message may point at.
//!
//! Names are folded as PostgreSQL folds them (unquoted → lower case). Equality ignores spans, so
//! that trees of differently laid-out texts compare equal.

use std::fmt;
use std::sync::Arc;

use crate::Span;
use crate::access::{AlterPolicy, CreatePolicy, Grant, GrantRole, RoleOptions};
use crate::definition::{AlterAction, CreateFunction, CreateIndex, CreateTable, CreateTableAs, FunctionName};
use crate::expression::{Expr, ExprKind};

/// A folded identifier.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    pub text: Arc<str>,
    pub span: Span,
}

impl Name {
    pub fn new(text: impl Into<Arc<str>>) -> Name {
        Name {
            text: text.into(),
            span: Span::default(),
        }
    }
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `schema.name` or `name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    pub schema: Option<Name>,
    pub name: Name,
}

impl ObjectName {
    pub fn span(&self) -> Span {
        self.schema
            .as_ref()
            .map_or(self.name.span, |schema| schema.span.to(self.name.span))
    }
}

/// One statement of a script with its span (without the semicolon) and its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScriptItem {
    /// `@pivot`, `@retriable`, `@asynchronous`, …: only where the dialect allows them (scenarios).
    pub attributes: Vec<Attribute>,
    pub statement: Statement,
    pub span: Span,
}

/// `@name` or `@name(argument, …)` in front of a statement of a scenario's operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    pub name: Name,
    pub arguments: Vec<AttributeArgument>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeArgument {
    /// `latency = '80 ms'`
    Named(Name, Expr),
    /// A whole statement: the written compensation of `@compensate(DELETE FROM …)`.
    Statement(Box<Statement>),
    Expr(Expr),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Statement {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    CreateSchema {
        name: Name,
        if_not_exists: bool,
    },
    DropSchema {
        names: Vec<Name>,
        if_exists: bool,
        cascade: bool,
    },
    CreateTable(Box<CreateTable>),
    CreateTableAs(Box<CreateTableAs>),
    CreateFunction(Box<CreateFunction>),
    DropFunction {
        functions: Vec<FunctionName>,
        if_exists: bool,
    },
    DropTable {
        names: Vec<ObjectName>,
        if_exists: bool,
        cascade: bool,
    },
    AlterTable {
        table: ObjectName,
        actions: Vec<AlterAction>,
    },
    CreateIndex(Box<CreateIndex>),
    DropIndex {
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    Truncate {
        tables: Vec<ObjectName>,
    },
    CreateRole {
        name: Name,
        options: RoleOptions,
    },
    AlterRole {
        name: Name,
        options: RoleOptions,
    },
    DropRole {
        names: Vec<Name>,
        if_exists: bool,
    },
    Grant(Box<Grant>),
    GrantRole(Box<GrantRole>),
    CreatePolicy(Box<CreatePolicy>),
    AlterPolicy(Box<AlterPolicy>),
    DropPolicy {
        name: Name,
        table: ObjectName,
        if_exists: bool,
    },
    Begin {
        modes: TransactionModes,
    },
    Commit {
        /// `AND CHAIN`: a new transaction with the same modes begins at once.
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    /// `PREPARE TRANSACTION 'identifier'`
    PrepareTransaction(Arc<str>),
    CommitPrepared(Arc<str>),
    RollbackPrepared(Arc<str>),
    Savepoint(Name),
    RollbackTo(Name),
    Release(Name),
    SetTransaction {
        modes: TransactionModes,
        session: bool,
    },
    /// `SET [LOCAL] name = value`; `None` is DEFAULT. A dotted custom name is one text. SET ROLE and SET SESSION
    /// AUTHORIZATION set `role` and `session_authorization`.
    Set {
        local: bool,
        name: Name,
        value: Option<Vec<Expr>>,
    },
    Show(Name),
    /// `SET CONSTRAINTS … DEFERRED | IMMEDIATE`; no names: ALL.
    SetConstraints {
        names: Vec<ObjectName>,
        deferred: bool,
    },
    Lock {
        tables: Vec<ObjectName>,
        mode: LockMode,
        nowait: bool,
    },
    Explain {
        analyze: bool,
        statement: Box<Statement>,
    },
    Analyze {
        table: Option<ObjectName>,
    },
    Vacuum {
        table: Option<ObjectName>,
    },
    /// Scenario only: `EXPECT n ROW[S]`, about the statement before.
    Expect {
        rows: u64,
    },
    /// Scenario only: `ABORT WHEN condition [MESSAGE 'text']`.
    AbortWhen {
        condition: Expr,
        message: Option<Arc<str>>,
    },
    /// Scenario only: `CALL name(arguments)`, a call to the outside (payment, e-mail).
    Call {
        name: ObjectName,
        arguments: Vec<Expr>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransactionModes {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// Transaction isolation. READ UNCOMMITTED is read committed, as in PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsolationLevel {
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// The eight table lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

// ---- queries

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    pub with: Vec<CommonTable>,
    pub body: QueryBody,
    pub order_by: Vec<OrderBy>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    pub locking: Vec<Locking>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommonTable {
    pub name: Name,
    pub columns: Vec<Name>,
    /// `[NOT] MATERIALIZED`, where it is said.
    pub materialized: Option<bool>,
    /// A query, or a write.
    pub statement: Box<Statement>,
}

impl CommonTable {
    /// The query, if it is no write.
    pub fn query(&self) -> Option<&Query> {
        match &*self.statement {
            Statement::Query(query) => Some(query),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueryBody {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    SetOperation {
        operator: SetOperator,
        all: bool,
        left: Box<Query>,
        right: Box<Query>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Select {
    pub distinct: Distinct,
    pub items: Vec<SelectItem>,
    /// Scenario only: `INTO :x, :y`.
    pub into: Vec<Name>,
    /// Comma-separated items; joins are inside.
    pub from: Vec<TableRef>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub having: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Distinct {
    All,
    Distinct,
    On(Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SelectItem {
    /// `*` or `t.*`
    Star {
        qualifier: Option<ObjectName>,
        span: Span,
    },
    Expr {
        expr: Expr,
        alias: Option<Name>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableRef {
    Table {
        name: ObjectName,
        /// Without its partitions and the tables that inherit from it.
        only: bool,
        alias: Option<TableAlias>,
    },
    Derived {
        query: Box<Query>,
        alias: Option<TableAlias>,
    },
    Join {
        left: Box<TableRef>,
        right: Box<TableRef>,
        kind: JoinKind,
        condition: JoinCondition,
    },
    /// `generate_series(1, n) AS t`
    Function {
        name: ObjectName,
        arguments: Vec<Expr>,
        alias: Option<TableAlias>,
        span: Span,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableAlias {
    pub name: Name,
    pub columns: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JoinCondition {
    None,
    On(Expr),
    Using(Vec<Name>),
    Natural,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderBy {
    pub expr: Expr,
    pub descending: bool,
    /// `None`: PostgreSQL's default, nulls last ascending and first descending.
    pub nulls_first: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Locking {
    pub strength: RowLock,
    pub of: Vec<Name>,
    pub wait: LockWait,
}

/// The four row lock strengths, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowLock {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockWait {
    Wait,
    NoWait,
    SkipLocked,
}

// ---- writes

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Insert {
    pub with: Vec<CommonTable>,
    pub table: ObjectName,
    pub alias: Option<Name>,
    pub columns: Vec<Name>,
    pub source: InsertSource,
    pub on_conflict: Option<OnConflict>,
    pub returning: Option<Returning>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InsertSource {
    DefaultValues,
    /// VALUES (with `Expr::Default` allowed) or SELECT.
    Query(Box<Query>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnConflict {
    /// Columns and expressions whose unique indexes are meant; empty: all, or that of the constraint.
    pub target: Vec<Expr>,
    /// Also those partial ones whose condition follows from this.
    pub target_filter: Option<Expr>,
    pub constraint: Option<Name>,
    pub action: ConflictAction,
}

impl OnConflict {
    /// The targets that are plain columns.
    pub fn columns(&self) -> impl Iterator<Item = &Name> {
        self.target.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Column(names) => names.last(),
            _ => None,
        })
    }

    /// The first target that is no plain column.
    pub fn expression(&self) -> Option<&Expr> {
        let is_column = |expr: &&Expr| matches!(expr.kind, ExprKind::Column(_));
        self.target.iter().find(|expr| !is_column(expr))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConflictAction {
    Nothing,
    Update {
        assignments: Vec<Assignment>,
        filter: Option<Expr>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    pub column: Name,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Returning {
    pub items: Vec<SelectItem>,
    /// Scenario only: `RETURNING … INTO :x`.
    pub into: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    pub with: Vec<CommonTable>,
    pub table: ObjectName,
    pub only: bool,
    pub alias: Option<Name>,
    pub assignments: Vec<Assignment>,
    pub from: Vec<TableRef>,
    pub filter: Option<Expr>,
    pub returning: Option<Returning>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    pub with: Vec<CommonTable>,
    pub table: ObjectName,
    pub only: bool,
    pub alias: Option<Name>,
    pub using: Vec<TableRef>,
    pub filter: Option<Expr>,
    pub returning: Option<Returning>,
}
