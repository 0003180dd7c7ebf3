//! The scenario file: its grammar, its parser with places and hints, its checks, its URL form.
//!
//! ```text
//! text ─toml_edit→ document ─parse→ logical schema, population, operations, … ─check→ Scenario
//!                                             └──── every fault with line:column and a hint ────▶ Diagnostics
//! ```
//!
//! **Architecture invariant:** this room knows no architecture and no program: a [`Scenario`] says what
//! is asked, never how a design lays it out. No panic can be reached from a file or a link.
//!
#![doc = include_str!("reference.md")]

mod diagnostic;
mod document;
mod fault;
mod generator;
mod link;
mod names;
mod operation;
mod phrase;
mod population;
mod read;
mod scenario;
mod schema;
mod source;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use fault::{Actor, Fault, FaultAction, Message, Moment, StepPlace};
pub use generator::{Draw, Generator};
pub use link::{LinkError, MAX_PACKED_BYTES, pack, unpack};
pub use operation::{Action, Compensation, External, Marks, Operation, Parameter, Statement, Variable};
pub use phrase::{PhraseError, parse_duration};
pub use population::{Count, Population, TablePopulation, TenantSizes};
pub use read::limits::FILE_BYTES as MAX_FILE_BYTES;
pub use read::parse;
pub use scenario::{ArchitectureOptions, ClientLoop, ClientRetry, Invariant, Load, OptionValue, Scenario};
pub use schema::{Check, Class, Column, ColumnId, ForeignKey, Index, IndexColumn, Schema, Table, TableId, Unique};
pub use source::Source;

/// What a text turned out to be: a scenario if there is no error, and everything that was noticed.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub scenario: Option<Scenario>,
    /// By place.
    pub diagnostics: Vec<Diagnostic>,
}
