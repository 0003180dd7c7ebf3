//! Behaviour of the whole engine: against recorded servers, and what no server shows on demand.

mod fork;
mod golden;
mod indexes;
mod lab;
mod limits;
mod throttling;
mod transactions;
