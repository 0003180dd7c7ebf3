//! What every room may lean on: virtual time, money, values, seeded random streams, stable hashes and
//! the one set of floating-point functions that gives the same bits natively and in WebAssembly.
//!
//! **Architecture invariant:** this crate depends on nothing of ours and knows no domain word
//! (no table, no step, no scenario). Nothing here reads a clock or a source of entropy.

pub mod decimal;
pub mod fingerprint;
pub mod float;
pub mod interval;
pub mod map;
pub mod math;
pub mod money;
pub mod random;
pub mod range;
pub mod sorted;
pub mod time;
pub mod uuid;
pub mod value;

pub use decimal::Decimal;
pub use fingerprint::{Fingerprint, Fingerprinter};
pub use float::Float;
pub use interval::Interval;
pub use money::{Money, NotMoney};
pub use sorted::SortedMap;
pub use time::{Nanos, Time};
pub use uuid::Uuid;
pub use value::{Row, Type, Value, from_hex, hex};
