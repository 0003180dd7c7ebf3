//! Where things queue: processors, the WAL's flush, pools of connections.
//!
//! A station knows who waits and in what order; it knows no time and schedules nothing. The caller
//! decides how long what has started takes, and says when it has ended.

mod cpu;
mod group_commit;
mod pool;

pub(crate) use cpu::Cpu;
pub(crate) use group_commit::{Flush, GroupCommit};
pub(crate) use pool::{Granted, PoolLine};
