//! Circles in the graph of dependencies, and which anomaly each is.

use base::Value;
use report::isolation::Anomaly;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ww,
    Wr,
    Rw,
}

/// Transaction `to` depends on `from`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<'a> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    /// Over a row that a condition missed.
    pub(super) missed: bool,
    /// The row: its table and primary key.
    pub(super) key: &'a (usize, Vec<Value>),
    /// That read; of a ww, that wrote later.
    pub(super) operation: usize,
}

type Circle<'e, 'a> = Vec<&'e Edge<'a>>;

/// Each anomaly that the graph holds, with the edges that make it.
pub(super) fn anomalies<'e, 'a>(edges: &'e [Edge<'a>], transactions: usize) -> Vec<(Anomaly, Circle<'e, 'a>)> {
    let mut found = Vec::new();
    for anomaly in Anomaly::ALL {
        let circle = match anomaly {
            // Seen in single reads.
            Anomaly::G1a | Anomaly::G1b => None,
            Anomaly::Otv | Anomaly::Pmp | Anomaly::P4 => pair(edges, anomaly),
            _ => Walk::new(edges, transactions, anomaly).circle(),
        };
        found.extend(circle.map(|circle| (anomaly, circle)));
    }
    found
}

/// The anomalies of two edges between two transactions.
fn pair<'e, 'a>(edges: &'e [Edge<'a>], anomaly: Anomaly) -> Option<Circle<'e, 'a>> {
    let back = |forth: &&Edge<'a>| {
        let is_back =
            |back: &&Edge<'a>| back.from == forth.to && back.to == forth.from && is_pair(anomaly, forth, back);
        edges.iter().find(is_back)
    };
    let forths = edges.iter().filter(|edge| edge.kind == Kind::Rw);
    forths.filter_map(|forth| Some(vec![forth, back(&forth)?])).next()
}

fn is_pair(anomaly: Anomaly, rw: &Edge<'_>, back: &Edge<'_>) -> bool {
    match anomaly {
        // What was seen of the other has vanished in the same or a later step.
        Anomaly::Otv => back.kind == Kind::Wr && back.operation <= rw.operation,
        Anomaly::Pmp => back.kind == Kind::Wr && rw.missed,
        Anomaly::P4 => back.kind == Kind::Ww && back.key == rw.key && !rw.missed,
        _ => false,
    }
}

/// Looks for a circle that passes each transaction at most once.
struct Walk<'e, 'a> {
    edges: &'e [Edge<'a>],
    transactions: usize,
    anomaly: Anomaly,
    path: Circle<'e, 'a>,
}

impl<'e, 'a> Walk<'e, 'a> {
    fn new(edges: &'e [Edge<'a>], transactions: usize, anomaly: Anomaly) -> Walk<'e, 'a> {
        Walk {
            edges,
            transactions,
            anomaly,
            path: Vec::new(),
        }
    }

    fn circle(mut self) -> Option<Circle<'e, 'a>> {
        let starts = 0..self.transactions;
        starts
            .into_iter()
            .any(|start| self.goes_on(start, start))
            .then_some(self.path)
    }

    /// Is there a way from here back to the start, over transactions behind it?
    fn goes_on(&mut self, start: usize, here: usize) -> bool {
        for edge in self.edges.iter().filter(|edge| edge.from == here) {
            let passed = self.path.iter().any(|one| one.from == edge.to);
            let closes = edge.to == start;
            if !self.may_hold(edge) || edge.to < start || (passed && !closes) || self.is_double(edge) {
                continue;
            }
            self.path.push(edge);
            if if closes {
                self.is_wanted()
            } else {
                self.goes_on(start, edge.to)
            } {
                return true;
            }
            self.path.pop();
        }
        false
    }

    /// One between the same two that makes no other circle was tried before.
    fn is_double(&self, edge: &Edge<'a>) -> bool {
        let same = |other: &&Edge<'a>| {
            (other.from, other.to, other.kind, other.missed) == (edge.from, edge.to, edge.kind, edge.missed)
        };
        self.edges
            .iter()
            .find(same)
            .is_some_and(|first| !std::ptr::eq(first, edge))
    }

    fn may_hold(&self, edge: &Edge<'a>) -> bool {
        match self.anomaly {
            Anomaly::G0 => edge.kind == Kind::Ww,
            Anomaly::G1c => edge.kind != Kind::Rw,
            Anomaly::G2Item => !(edge.kind == Kind::Rw && edge.missed),
            _ => true,
        }
    }

    fn is_wanted(&self) -> bool {
        let rw = self.path.iter().filter(|edge| edge.kind == Kind::Rw);
        match self.anomaly {
            Anomaly::G1c => self.path.iter().any(|edge| edge.kind == Kind::Wr),
            Anomaly::GSingle => rw.count() == 1,
            Anomaly::G2Item => rw.count() >= 2,
            Anomaly::G2 => rw.clone().count() >= 2 && rw.clone().any(|edge| edge.missed),
            _ => true,
        }
    }
}
