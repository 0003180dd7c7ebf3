//! What a deployment costs a month: a price book, what a run used of it, and the bill, line by line.
//!
//! ```text
//! PriceBook (public/prices/*.json: dated, a source for each price)
//! Deployment + Usage (what a run measured) ─bill─▶ Bill ─▶ lines: what, quantity × price = result, and why
//! ```
//!
//! **The sizing rule**, the same for every design: *each SQL server gets the cheapest class on which its
//! processors are busy for at most 60 % of the time under the stated load, the data that the run works on and its
//! connections fit its memory, and the 99th percentile of all requests meets the target.* Whoever asks for a bill has run the
//! design with as many processors as the deployment says; [`sizing`] says what to try next.
//!
//! Sizes are in GB of 2³⁰ bytes, as AWS bills them. A month has the price book's hours.
//!
//! **Architecture invariant:** this room runs nothing and knows no simulator. Amounts are whole picodollars;
//! nothing here is a float.

mod bill;
mod change;
mod fleet;
mod number;
mod price_book;
pub mod sizing;
mod usage;

pub use bill::{Bill, Kind, Line, bill};
pub use change::{PriceChange, PriceChangeError};
pub use fleet::{Fleet, FleetError, Instances};
pub use number::grouped;
pub use price_book::{Assumption, Engine, InstanceClass, Price, PriceBook, Sizing};
pub use usage::{NodeUsage, Usage};
