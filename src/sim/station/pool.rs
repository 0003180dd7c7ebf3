//! A pool of connections: idle ones, how many are open, and the line of those who wait.
//!
//! Connections are opened when they are first needed and kept. The one given back last is used
//! first, as common pools do, so that the others may rest.

use std::collections::VecDeque;

/// `C` is a connection, `W` is who waits.
#[derive(Clone, Debug, Hash)]
pub(crate) struct PoolLine<C, W> {
    size: u16,
    /// Idle, in use or being opened.
    open: u16,
    idle: Vec<C>,
    line: VecDeque<W>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted<C> {
    /// An open connection is free.
    Idle(C),
    /// There is room for one more: the caller opens it.
    Open,
    /// All are in use: the asker should stand in line.
    Full,
}

impl<C: Copy + PartialEq, W> PoolLine<C, W> {
    pub(crate) fn new(size: u16) -> PoolLine<C, W> {
        PoolLine {
            size: size.max(1),
            open: 0,
            idle: Vec::new(),
            line: VecDeque::new(),
        }
    }

    pub(crate) fn ask(&mut self) -> Granted<C> {
        if let Some(connection) = self.idle.pop() {
            return Granted::Idle(connection);
        }
        if self.open < self.size {
            self.open += 1;
            return Granted::Open;
        }
        Granted::Full
    }

    pub(crate) fn stand_in_line(&mut self, who: W) {
        self.line.push_back(who);
    }

    /// Who has waited longest, if anybody waits.
    pub(crate) fn next_in_line(&mut self) -> Option<W> {
        self.line.pop_front()
    }

    pub(crate) fn give_back(&mut self, connection: C) {
        self.idle.push(connection);
    }

    /// A connection is gone, whether it was idle or not.
    pub(crate) fn forget(&mut self, connection: C) {
        self.idle.retain(|idle| *idle != connection);
        self.open = self.open.saturating_sub(1);
    }

    /// The process that keeps the pool has crashed.
    pub(crate) fn clear(&mut self) {
        self.open = 0;
        self.idle.clear();
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_opens_up_to_its_size_and_then_makes_wait_in_order() {
        let mut pool = PoolLine::new(2);
        assert_eq!(pool.ask(), Granted::Open);
        assert_eq!(pool.ask(), Granted::Open);
        assert_eq!(pool.ask(), Granted::Full);
        pool.stand_in_line("first");
        pool.stand_in_line("second");
        assert_eq!(pool.next_in_line(), Some("first"));
        pool.give_back(7);
        assert_eq!(pool.ask(), Granted::Idle(7));
        pool.forget(7);
        assert_eq!(pool.ask(), Granted::Open);
    }
}
