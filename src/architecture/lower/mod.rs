//! What every design's compiler needs: programs under construction, transactions, decisions, tables'
//! definitions, the workload. No design's choice is made in here.

pub(crate) mod assembly;
pub(crate) mod builder;
pub(crate) mod decision;
pub(crate) mod definitions;
pub(crate) mod item;
pub(crate) mod later;
pub(crate) mod local;
pub(crate) mod statement;
pub(crate) mod transaction;
pub(crate) mod workload;
