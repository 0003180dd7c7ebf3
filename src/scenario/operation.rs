//! Operations: named, parameterised transactions over the logical schema, with marks for what SQL cannot
//! say.

use base::{Nanos, Type};
use std::sync::Arc;
use syntax::{Expr, IsolationLevel, Span};

use crate::{Generator, Place, Source, TableId};

#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub name: String,
    /// For people; the name if the file gives none.
    pub title: String,
    /// How often it is asked for, relative to the others.
    pub weight: u32,
    /// What the file asks for; `None`: the engine's default (read committed).
    pub isolation: Option<IsolationLevel>,
    pub parameters: Vec<Parameter>,
    /// Bound by `INTO`, in order of first binding.
    pub variables: Vec<Variable>,
    pub statements: Vec<Statement>,
    /// No statement writes or calls.
    pub read_only: bool,
    /// The index of the parameter that is the request's tenant; `None`: there is none, or a statement names other
    /// tenants: the operation crosses tenants.
    pub tenant: Option<u16>,
    /// Of all spans below.
    pub source: Source,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    /// From its use in the SQL, else from its generator.
    pub data_type: Type,
    pub generator: Generator,
    pub place: Place,
}

/// `SELECT … INTO :x`: the value of the only row's column; NULL if there is no row.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    pub data_type: Type,
    /// The first statement that binds it.
    pub statement: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub action: Action,
    pub marks: Marks,
    /// `EXPECT n ROWS` behind it.
    pub expect_rows: Option<u64>,
    /// Tables it reads (also those it reads in order to write), sorted.
    pub reads: Vec<TableId>,
    /// Tables it writes, sorted; referential actions not counted.
    pub writes: Vec<TableId>,
    pub span: Span,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A query, insert, update or delete.
    Sql(Box<syntax::Statement>),
    /// `ABORT WHEN condition [MESSAGE 'text']`: rolls the operation back and answers with the message.
    AbortWhen { condition: Expr, message: Option<Arc<str>> },
    /// `CALL payment.charge(:amount)`: a call to the outside.
    Call {
        name: String,
        arguments: Vec<Expr>,
        external: External,
    },
}

/// What SQL cannot say, written `@mark` in front of a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// `@asynchronous`: need not be done when the client gets its answer, but must be done.
    pub asynchronous: bool,
    /// `@pivot`: go or no-go; after it the operation may not be undone.
    pub pivot: bool,
    /// `@retriable`: always succeeds in the end; belongs after the pivot.
    pub retriable: bool,
    pub compensation: Compensation,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Compensation {
    /// A design that needs one derives it from the statement.
    #[default]
    Derived,
    /// `@compensate(DELETE FROM …)`
    Written(Box<syntax::Statement>),
    /// `@compensate(nothing)`: leaving the effect is right.
    Nothing,
}

/// `@external(latency = '80 ms', fails = '1 of 100', message = 'card declined')`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The mean; drawn from the exponential distribution.
    pub latency: Nanos,
    /// So many of so many calls are refused.
    pub fails: Option<(u32, u32)>,
    /// What a refusal says.
    pub message: String,
}

impl Operation {
    pub fn tables(&self) -> Vec<TableId> {
        let mut tables: Vec<TableId> = self
            .statements
            .iter()
            .flat_map(|s| s.reads.iter().chain(&s.writes))
            .copied()
            .collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }
}
