//! The border of the two sides: what an architecture *produces* and the simulator *runs*.
//!
//! ```text
//! Scenario ─architecture→ Compilation { Deployment, Programs, Workload, … } ─sim→ Events
//! ```
//!
//! Everything here is plain data: it can be simulated, explored, drawn, priced, printed as SQL and
//! sent to a real server. A program is never Rust control flow.
//!
//! **Architecture invariant:** no SQL parser, no engine, no scenario in here. SQL travels as text.

pub mod answer;
pub mod bus;
pub mod compilation;
pub mod deployment;
pub mod event;
pub mod expression;
pub mod fault;
pub mod ids;
pub mod invariant;
pub mod item;
pub mod key;
pub mod object;
pub mod profile;
pub mod step;
pub mod workload;

pub use answer::*;
pub use bus::*;
pub use compilation::*;
pub use deployment::*;
pub use event::*;
pub use expression::*;
pub use fault::*;
pub use ids::*;
pub use invariant::*;
pub use item::*;
pub use key::*;
pub use object::*;
pub use step::*;
