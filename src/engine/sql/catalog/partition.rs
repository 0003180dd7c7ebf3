//! How a partitioned table's rows are divided among its partitions.
//!
//! ```text
//! p PARTITION BY RANGE (a)          bounds, in order:  p1 [MINVALUE, 10)   p2 [10, 20)   p9 DEFAULT
//! ```
//!
//! Two questions are asked of a [`PartitionMap`]: where a row goes ([`PartitionMap::route`]), and which partitions can
//! hold a row whose key is within limits ([`PartitionMap::admits`]).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Type, Value};
use syntax::PartitionStrategy;

use super::{IndexKey, Table};
use crate::key::{self, Order};
use crate::types::compare::compare;

/// `PARTITION BY strategy (keys)`, over the partitioned table's columns.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct PartitionKey {
    pub(crate) strategy: PartitionStrategy,
    pub(crate) keys: Vec<IndexKey>,
    pub(crate) types: Vec<Type>,
}

/// Which rows a partition takes.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum PartitionBound {
    Default,
    /// NULL may be one of them.
    List(Vec<Value>),
    /// From the lower bound on, up to but without the upper one.
    Range {
        lower: Vec<Edge>,
        upper: Vec<Edge>,
    },
    Hash {
        modulus: u32,
        remainder: u32,
    },
}

/// A part of a range's bound.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Edge {
    Least,
    At(Value),
    Greatest,
}

impl Edge {
    fn order(&self, other: &Edge) -> Ordering {
        match (self, other) {
            (Edge::At(a), Edge::At(b)) => compare(a, b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Edge::Least => 0,
            Edge::At(_) => 1,
            Edge::Greatest => 2,
        }
    }

    /// How a value compares to it.
    fn order_of(&self, value: &Value) -> Ordering {
        match self {
            Edge::Least => Ordering::Greater,
            Edge::At(at) => compare(value, at),
            Edge::Greatest => Ordering::Less,
        }
    }
}

/// The order of two bounds of a range; behind MINVALUE or MAXVALUE nothing counts.
pub(crate) fn order_of_bounds(a: &[Edge], b: &[Edge]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        match a.order(b) {
            Ordering::Equal if matches!(a, Edge::At(_)) => {}
            order => return order,
        }
    }
    Ordering::Equal
}

/// How a key that may have no NULL compares to a bound.
fn order_of_key(key: &[Value], bound: &[Edge]) -> Ordering {
    let mut orders = key.iter().zip(bound).map(|(value, edge)| edge.order_of(value));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// What is known of one part of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) null: bool,
    pub(crate) equal: Option<Value>,
    /// With whether the value itself is within.
    pub(crate) lower: Option<(Value, bool)>,
    pub(crate) upper: Option<(Value, bool)>,
}

impl Limits {
    fn is_open(&self) -> bool {
        !self.null && self.equal.is_none() && self.lower.is_none() && self.upper.is_none()
    }

    /// Whether a value is within.
    fn hold(&self, value: &Value) -> bool {
        if value.is_null() {
            return self.null || self.is_open();
        }
        let above = |(lower, inclusive): &(Value, bool)| match compare(value, lower) {
            Ordering::Equal => *inclusive,
            order => order.is_gt(),
        };
        let below = |(upper, inclusive): &(Value, bool)| match compare(value, upper) {
            Ordering::Equal => *inclusive,
            order => order.is_lt(),
        };
        !self.null
            && self.equal.as_ref().is_none_or(|equal| compare(value, equal).is_eq())
            && self.lower.as_ref().is_none_or(above)
            && self.upper.as_ref().is_none_or(below)
    }
}

/// The partitions of one table, in the order of their bounds, the default one last.
#[derive(Clone, Debug)]
pub(crate) struct PartitionMap {
    pub(crate) key: Arc<PartitionKey>,
    pub(crate) parts: Vec<Arc<Table>>,
    bounds: Vec<PartitionBound>,
    listed: BTreeMap<Vec<u8>, usize>,
    default: Option<usize>,
}

impl PartitionMap {
    pub(crate) fn new(key: Arc<PartitionKey>, mut parts: Vec<Arc<Table>>) -> PartitionMap {
        parts.sort_by(|a, b| order_of_parts(a, b));
        let bounds: Vec<PartitionBound> = parts.iter().filter_map(|part| part.bound.clone()).collect();
        let mut listed = BTreeMap::new();
        for (at, bound) in bounds.iter().enumerate() {
            if let PartitionBound::List(values) = bound {
                listed.extend(values.iter().map(|value| (list_key(value), at)));
            }
        }
        PartitionMap {
            default: bounds.iter().position(|bound| *bound == PartitionBound::Default),
            key,
            parts,
            bounds,
            listed,
        }
    }

    /// The partition that takes a row with this key.
    pub(crate) fn route(&self, key: &[Value]) -> Option<usize> {
        let found = match self.key.strategy {
            PartitionStrategy::List => key.first().and_then(|value| self.listed.get(&list_key(value)).copied()),
            PartitionStrategy::Range if key.iter().any(Value::is_null) => None,
            PartitionStrategy::Range => {
                // The last one whose lower bound is not above the key.
                let starts_by = |bound: &PartitionBound| match bound {
                    PartitionBound::Range { lower, .. } => order_of_key(key, lower).is_ge(),
                    _ => false,
                };
                let after = self.bounds.partition_point(starts_by);
                let at = after.checked_sub(1);
                at.filter(|at| match &self.bounds[*at] {
                    PartitionBound::Range { upper, .. } => order_of_key(key, upper).is_lt(),
                    _ => false,
                })
            }
            PartitionStrategy::Hash => {
                let hash = super::partition_hash::hash_of(key);
                self.bounds.iter().position(|bound| match bound {
                    PartitionBound::Hash { modulus, remainder } => hash % u64::from(*modulus) == u64::from(*remainder),
                    _ => false,
                })
            }
        };
        found.or(self.default)
    }

    /// Whether a partition can hold a row whose key is within these limits.
    pub(crate) fn admits(&self, at: usize, limits: &[Limits]) -> bool {
        let exact: Option<Vec<Value>> = limits
            .iter()
            .map(|limit| {
                if limit.null {
                    Some(Value::Null)
                } else {
                    limit.equal.clone()
                }
            })
            .collect();
        if let Some(key) = exact {
            return self.route(&key) == Some(at);
        }
        match &self.bounds[at] {
            PartitionBound::Default | PartitionBound::Hash { .. } => true,
            PartitionBound::List(values) => values.iter().any(|value| limits[0].hold(value)),
            PartitionBound::Range { lower, upper } => {
                !limits.iter().any(|limit| limit.null) && !all_below(limits, lower) && !all_from(limits, upper)
            }
        }
    }

    /// The first partition that a new bound would overlap.
    pub(crate) fn overlapping(&self, new: &PartitionBound) -> Option<&Arc<Table>> {
        let at = self.bounds.iter().position(|bound| overlap(bound, new));
        at.map(|at| &self.parts[at])
    }

    /// The default partition.
    pub(crate) fn default_part(&self) -> Option<&Arc<Table>> {
        self.default.map(|at| &self.parts[at])
    }
}

/// Whether every key within the limits lies below a bound.
fn all_below(limits: &[Limits], bound: &[Edge]) -> bool {
    for (limit, edge) in limits.iter().zip(bound) {
        if let Some(equal) = &limit.equal {
            match edge.order_of(equal) {
                Ordering::Equal => continue,
                order => return order.is_lt(),
            }
        }
        return limit
            .upper
            .as_ref()
            .is_some_and(|(upper, inclusive)| match edge.order_of(upper) {
                Ordering::Equal => !inclusive,
                order => order.is_lt(),
            });
    }
    false
}

/// Whether every key within the limits lies at a bound or above it.
fn all_from(limits: &[Limits], bound: &[Edge]) -> bool {
    for (at, (limit, edge)) in limits.iter().zip(bound).enumerate() {
        if let Some(equal) = &limit.equal {
            match edge.order_of(equal) {
                Ordering::Equal => continue,
                order => return order.is_gt(),
            }
        }
        let last = at + 1 == bound.len();
        return limit
            .lower
            .as_ref()
            .is_some_and(|(lower, inclusive)| match edge.order_of(lower) {
                Ordering::Equal => last || !inclusive,
                order => order.is_gt(),
            });
    }
    true
}

fn overlap(a: &PartitionBound, b: &PartitionBound) -> bool {
    match (a, b) {
        (PartitionBound::Default, PartitionBound::Default) => true,
        (PartitionBound::List(a), PartitionBound::List(b)) => a
            .iter()
            .any(|value| b.iter().any(|other| list_key(value) == list_key(other))),
        (
            PartitionBound::Range { lower, upper },
            PartitionBound::Range {
                lower: other_lower,
                upper: other_upper,
            },
        ) => order_of_bounds(lower, other_upper).is_lt() && order_of_bounds(other_lower, upper).is_lt(),
        (
            PartitionBound::Hash { modulus, remainder },
            PartitionBound::Hash {
                modulus: other,
                remainder: rest,
            },
        ) => {
            let common = (*modulus).min(*other).max(1);
            remainder % common == rest % common
        }
        _ => false,
    }
}

fn order_of_parts(a: &Table, b: &Table) -> Ordering {
    let (Some(first), Some(second)) = (&a.bound, &b.bound) else {
        return a.id.cmp(&b.id);
    };
    let rank = |bound: &PartitionBound| *bound == PartitionBound::Default;
    let within = match (first, second) {
        (PartitionBound::List(a), PartitionBound::List(b)) => least(a).cmp(&least(b)),
        (PartitionBound::Range { lower: a, .. }, PartitionBound::Range { lower: b, .. }) => order_of_bounds(a, b),
        (
            PartitionBound::Hash { modulus, remainder },
            PartitionBound::Hash {
                modulus: other,
                remainder: rest,
            },
        ) => (modulus, remainder).cmp(&(other, rest)),
        _ => rank(first).cmp(&rank(second)),
    };
    within.then(a.id.cmp(&b.id))
}

/// NULL comes behind all others.
fn least(values: &[Value]) -> Option<Vec<u8>> {
    values.iter().map(list_key).min()
}

fn list_key(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    key::encode(value, Order::default(), &mut bytes);
    bytes
}
