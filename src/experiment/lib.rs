//! Experiments: a scenario's text and a choice in, a report out.
//!
//! ```text
//! text, choice ─check─▶ Outline
//!              ─compile─▶ Compilations
//!              ─RunJob─▶ load run of every design ─▶ RunReport
//!              ─DrawJob─▶ one request alone, drawn, and where it can be broken ─▶ DrawReport
//!              ─ProbeJob─▶ queries without their tenant filter ─▶ ProbeReport
//!              ─AtomicityJob─▶ a fault at every physical step ─▶ AtomicityReport
//!              ─Ground::check─▶ one number, and whether it is as a decision claims ─▶ CheckFinding
//!              ─BoardJob─▶ all of these, a question a row ─▶ Board
//!              ─BillJob─▶ runs until each design has its size ─▶ BillReport
//! schedules    ─schedule─▶ what isolationtester prints; all interleavings; the matrix of anomalies
//! ```
//!
//! Long work is a [`Job`], stepped in slices by whoever asked for it.
//!
//! **Architecture invariant:** nothing here decides how a design behaves (that is `architecture`) or how
//! time passes (that is `sim`); it asks, and writes down what was found.

mod alone;
mod atomicity;
mod bill;
mod board;
mod claims;
mod crash;
mod design_report;
mod design_sheet;
mod draw;
mod fault;
mod home;
mod item_script;
mod job;
pub mod library;
mod listing;
mod outline;
mod picture;
mod postgres;
mod probe;
mod request;
mod run;
mod same_rows;
mod scale;
pub mod schedule;
mod script;
mod sequence;
mod settings;
mod solo;
mod summary;
mod upkeep;

pub use atomicity::AtomicityJob;
pub use bill::BillJob;
pub use board::BoardJob;
pub use claims::{Ground, LatencyClaim};
pub use design_sheet::design_sheets;
pub use draw::DrawJob;
pub use home::{RecordedBoard, record_board};
pub use item_script::item_script;
pub use job::{Job, Progress};
pub use outline::{Checked, DesignOutline, OperationOutline, Outline, check, compilation_document, compile, describe};
pub use postgres::PostgresJob;
pub use probe::ProbeJob;
pub use run::RunJob;
pub use script::script;
pub use settings::{Choice, MOST_REQUESTS, Settings, settings};
