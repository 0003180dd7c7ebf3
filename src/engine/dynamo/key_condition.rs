//! Key conditions of a query: which keys, as a range of bytes.

use std::ops::Bound;

use crate::expression::{Comparison, Condition, Operand, Path};
use crate::failure::{Failure, Fallible, invalid, invalid_parameter};
use crate::key::{partition_prefix, push_open, push_part};
use crate::schema::{KeyAttribute, KeySchema};
use crate::value::AttributeValue;

pub(crate) type KeyBound = Bound<Vec<u8>>;

/// Keys from here to there. All begin with `prefix`, the partition key's.
#[derive(Clone, Debug)]
pub(crate) struct KeyRange {
    pub(crate) prefix: Vec<u8>,
    pub(crate) from: KeyBound,
    pub(crate) to: KeyBound,
}

/// A condition on one key attribute.
enum Term<'a> {
    Compare(Comparison, &'a AttributeValue),
    Between(&'a AttributeValue, &'a AttributeValue),
    BeginsWith(&'a AttributeValue),
}

impl Term<'_> {
    fn values(&self) -> impl Iterator<Item = &AttributeValue> {
        let (first, second) = match self {
            Term::Compare(_, value) | Term::BeginsWith(value) => (*value, None),
            Term::Between(low, high) => (*low, Some(*high)),
        };
        std::iter::once(first).chain(second)
    }
}

pub(crate) fn key_range(condition: &Condition, schema: &KeySchema) -> Fallible<KeyRange> {
    let mut terms = Vec::new();
    collect(condition, &mut terms)?;
    let named_before =
        |(index, (name, _)): (usize, &(&str, Term<'_>))| terms[..index].iter().any(|(other, _)| other == name);
    if terms.iter().enumerate().any(named_before) {
        return Err(invalid(
            "KeyConditionExpressions must only contain one condition per key",
        ));
    }
    if terms.len() > 2 {
        return Err(invalid("Conditions can be of length 1 or 2 only"));
    }
    let term = |attribute: &KeyAttribute| {
        let found = terms.iter().find(|(name, _)| **name == *attribute.name);
        found.map(|(_, term)| term)
    };
    let missed = |name: &str| invalid(format!("Query condition missed key schema element: {name}"));
    let unsupported = || invalid("Query key condition not supported");
    let partition = term(&schema.partition).ok_or_else(|| missed(&schema.partition.name))?;
    let sort = match &schema.sort {
        Some(sort) if terms.len() == 2 => Some((sort, term(sort).ok_or_else(|| missed(&sort.name))?)),
        None if terms.len() == 2 => return Err(unsupported()),
        _ => None,
    };
    for (attribute, term) in [(&schema.partition, partition)].into_iter().chain(sort) {
        check_types(attribute, term)?;
    }
    let Term::Compare(Comparison::Equal, partition) = partition else {
        return Err(unsupported());
    };
    let prefix = partition_prefix(partition);
    let (from, to) = match sort {
        None => (Bound::Included(prefix.clone()), beyond(prefix.clone())),
        Some((_, term)) => sort_range(&prefix, term).ok_or_else(unsupported)?,
    };
    Ok(KeyRange { prefix, from, to })
}

/// Conditions that are joined by AND, each on one attribute.
fn collect<'a>(condition: &'a Condition, terms: &mut Vec<(&'a str, Term<'a>)>) -> Fallible<()> {
    match condition {
        Condition::And(parts) => parts.iter().try_for_each(|part| collect(part, terms)),
        Condition::Compare(comparison, a, b) if *comparison != Comparison::NotEqual => {
            let (path, value, comparison) = match (a, b) {
                (Operand::Path(path), Operand::Value(value)) => (path, value, *comparison),
                (Operand::Value(value), Operand::Path(path)) => (path, value, mirrored(*comparison)),
                _ => return Err(odd_operands(&[a, b])),
            };
            terms.push((attribute(path)?, Term::Compare(comparison, value)));
            Ok(())
        }
        Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
            terms.push((attribute(path)?, Term::Between(low, high)));
            Ok(())
        }
        Condition::BeginsWith(Operand::Path(path), Operand::Value(value)) => {
            terms.push((attribute(path)?, Term::BeginsWith(value)));
            Ok(())
        }
        Condition::Between(a, b, c) => Err(odd_operands(&[a, b, c])),
        Condition::BeginsWith(a, b) => Err(odd_operands(&[a, b])),
        other => Err(invalid(format!(
            "Invalid operator used in KeyConditionExpression: {}",
            other.name()
        ))),
    }
}

fn odd_operands(operands: &[&Operand]) -> Box<Failure> {
    let paths = operands
        .iter()
        .filter(|operand| matches!(operand, Operand::Path(_)))
        .count();
    if operands.iter().any(|operand| matches!(operand, Operand::Size(_))) {
        return invalid("KeyConditionExpressions cannot contain nested operations");
    }
    invalid(if paths > 1 {
        "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
    } else {
        "Invalid condition in KeyConditionExpression: No key attribute specified"
    })
}

fn attribute(path: &Path) -> Fallible<&str> {
    if path.steps.is_empty() {
        return Ok(&path.attribute);
    }
    Err(invalid(
        "KeyConditionExpressions cannot have conditions on nested attributes",
    ))
}

fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        other => other,
    }
}

fn check_types(attribute: &KeyAttribute, term: &Term<'_>) -> Fallible<()> {
    for value in term.values() {
        if !attribute.kind.takes(value) {
            return Err(invalid_parameter("Condition parameter type does not match schema type"));
        }
        let is_empty = match value {
            AttributeValue::S(text) => text.is_empty(),
            AttributeValue::B(bytes) => bytes.is_empty(),
            _ => false,
        };
        if is_empty && !matches!(term, Term::BeginsWith(_)) {
            return Err(invalid(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty string value. Key: {}",
                attribute.name
            )));
        }
    }
    Ok(())
}

/// `None` for what has no range.
fn sort_range(prefix: &[u8], term: &Term<'_>) -> Option<(KeyBound, KeyBound)> {
    let at = |value: &AttributeValue| {
        let mut bytes = prefix.to_vec();
        push_part(value, &mut bytes);
        bytes
    };
    let start = || Bound::Included(prefix.to_vec());
    let end = || beyond(prefix.to_vec());
    // An index's key goes on behind the sort key: what begins with the value's bytes has the value.
    Some(match term {
        Term::Compare(Comparison::Equal, value) => (Bound::Included(at(value)), beyond(at(value))),
        Term::Compare(Comparison::Less, value) => (start(), Bound::Excluded(at(value))),
        Term::Compare(Comparison::LessOrEqual, value) => (start(), beyond(at(value))),
        Term::Compare(Comparison::Greater, value) => (including(beyond(at(value))), end()),
        Term::Compare(Comparison::GreaterOrEqual, value) => (Bound::Included(at(value)), end()),
        Term::Compare(Comparison::NotEqual, _) => return None,
        Term::Between(low, high) => (Bound::Included(at(low)), beyond(at(high))),
        Term::BeginsWith(AttributeValue::N(_)) => return None,
        Term::BeginsWith(value) => {
            let mut bytes = prefix.to_vec();
            push_open(value, &mut bytes);
            (Bound::Included(bytes.clone()), beyond(bytes))
        }
    })
}

/// Before the first that does not begin so.
fn beyond(mut bytes: Vec<u8>) -> Bound<Vec<u8>> {
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Bound::Excluded(bytes);
        }
    }
    Bound::Unbounded
}

/// As a lower bound: from there on.
fn including(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Excluded(bytes) => Bound::Included(bytes),
        other => other,
    }
}
