//! The bus as its clients see it.

mod delivery;
mod durability;
mod lab;
mod limits;
mod model;
