//! The log of one server: commits that wait share a flush.
//!
//! ```text
//! commit a ─▶ [ flush 1: a     ]
//! commit b ──────▶ waits       [ flush 2: b c ]
//! commit c ─────────▶ waits    [              ]
//! ```
//!
//! A flush covers everything that was written when it began; what is written meanwhile waits for the
//! next one, which begins as soon as this one ends.

/// `W` is who waits, `P` a position in the log.
#[derive(Clone, Debug, Hash)]
pub(crate) struct GroupCommit<W, P> {
    /// The running flush covers the log up to here.
    running: Option<P>,
    waiting: Vec<(P, W)>,
}

/// What has to be done after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// A flush starts now, of everything written so far; the caller says when it has ended.
    Starts,
    /// One is running, or nobody waits.
    Nothing,
}

impl<W, P: Copy + Ord + Default> GroupCommit<W, P> {
    pub(crate) fn new() -> GroupCommit<W, P> {
        GroupCommit {
            running: None,
            waiting: Vec::new(),
        }
    }

    /// Someone waits until the log is flushed up to `position`; `written` is where it ends now.
    pub(crate) fn join(&mut self, position: P, who: W, written: P) -> Flush {
        self.waiting.push((position, who));
        self.start(written)
    }

    /// Flushes what nobody waits for; a flush that is running will do.
    pub(crate) fn flush(&mut self, written: P) -> Flush {
        if self.running.is_some() {
            return Flush::Nothing;
        }
        self.running = Some(written);
        Flush::Starts
    }

    fn start(&mut self, written: P) -> Flush {
        if self.running.is_some() || self.waiting.is_empty() {
            return Flush::Nothing;
        }
        self.running = Some(written);
        Flush::Starts
    }

    /// The running flush has ended: how far it went, and who is served, in order of joining.
    pub(crate) fn finish(&mut self) -> (P, Vec<W>) {
        let covered = self.running.take().unwrap_or_default();
        let (served, rest) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(position, _)| *position <= covered);
        self.waiting = rest;
        let served: Vec<(P, W)> = served;
        (covered, served.into_iter().map(|(_, who)| who).collect())
    }

    /// To be asked after [`GroupCommit::finish`]: those who came meanwhile share the next flush.
    pub(crate) fn next(&mut self, written: P) -> Flush {
        self.start(written)
    }

    pub(crate) fn clear(&mut self) {
        self.running = None;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use engine_sql::Lsn;

    use super::*;

    #[test]
    fn commits_that_come_during_a_flush_share_the_next() {
        let mut wal = GroupCommit::new();
        assert_eq!(wal.join(Lsn(10), 'a', Lsn(12)), Flush::Starts);
        assert_eq!(
            wal.join(Lsn(12), 'x', Lsn(12)),
            Flush::Nothing,
            "written before the flush began: covered by it"
        );
        assert_eq!(wal.join(Lsn(20), 'b', Lsn(20)), Flush::Nothing);
        assert_eq!(wal.join(Lsn(30), 'c', Lsn(30)), Flush::Nothing);
        assert_eq!(wal.finish(), (Lsn(12), vec!['a', 'x']));
        assert_eq!(wal.next(Lsn(30)), Flush::Starts);
        assert_eq!(wal.finish(), (Lsn(30), vec!['b', 'c']));
        assert_eq!(wal.next(Lsn(30)), Flush::Nothing);
    }
}
