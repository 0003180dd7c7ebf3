//! Which partitions can hold rows that a statement asks for, by its conditions on the partition keys.
//!
//! What is constant is decided when the statement is planned, so that the other partitions are not even locked; what
//! depends on parameters or on rows of other tables, each time that the partitions are read.

use base::Value;

use super::access::key_of;
use crate::bind::{Level, RangeTable};
use crate::catalog::{Limits, PartitionMap};
use crate::error::Fallible;
use crate::expr::{Bound, BoundKind, Comparison, Program, Slot};

/// A condition on the key of one level, by the number of its parts.
#[derive(Debug)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Compare(usize, Comparison, Program),
    In(usize, Vec<Program>),
    /// A list parameter.
    List(usize, Program),
    Null(usize),
}

/// The conditions on one level's key.
#[derive(Debug)]
pub(crate) struct Pruning {
    pub(crate) map: std::sync::Arc<PartitionMap>,
    pub(crate) test: Test,
}

impl Pruning {
    pub(crate) fn of(level: &Level, tables: &[RangeTable], own: &[Slot], conditions: &[Bound]) -> Pruning {
        let range = &tables[level.table];
        let keys: Vec<Option<Bound>> = level.map.key.keys.iter().map(|key| key_of(key, range)).collect();
        let tests = conditions.iter().filter_map(|condition| test_of(condition, &keys, own));
        Pruning {
            map: level.map.clone(),
            test: Test::All(tests.collect()),
        }
    }

    /// Whether each of the partitions may hold rows. `value`: what a program gives; `None`: not known yet.
    pub(crate) fn survivors(&self, value: &mut dyn FnMut(&Program) -> Fallible<Option<Value>>) -> Fallible<Vec<bool>> {
        self.pass(std::slice::from_ref(&self.test), value)
    }

    /// Whether all is known when the statement is planned.
    pub(crate) fn is_constant(&self) -> bool {
        self.test.is_constant()
    }

    /// All of these tests together.
    fn pass(&self, tests: &[Test], value: &mut dyn FnMut(&Program) -> Fallible<Option<Value>>) -> Fallible<Vec<bool>> {
        let parts = self.map.parts.len();
        let mut limits = vec![Limits::default(); self.map.key.keys.len()];
        let mut alive = vec![true; parts];
        for test in tests {
            let set = match test {
                Test::All(tests) => self.pass(tests, value)?,
                Test::Any(tests) => {
                    let mut any = vec![false; parts];
                    for test in tests {
                        unite(&mut any, &self.pass(std::slice::from_ref(test), value)?);
                    }
                    any
                }
                Test::Compare(key, comparison, program) => {
                    match value(program)? {
                        None => {}
                        Some(Value::Null) => return Ok(vec![false; parts]),
                        Some(found) => narrow(&mut limits[*key], *comparison, found),
                    }
                    continue;
                }
                Test::Null(key) => {
                    limits[*key].null = true;
                    continue;
                }
                Test::In(key, programs) => {
                    let mut values = Vec::new();
                    for program in programs {
                        values.push(value(program)?);
                    }
                    self.one_of(*key, values)
                }
                Test::List(key, program) => match value(program)? {
                    Some(Value::List(items)) => self.one_of(*key, items.iter().cloned().map(Some).collect()),
                    _ => continue,
                },
            };
            alive.iter_mut().zip(set).for_each(|(alive, passes)| *alive &= passes);
        }
        for (at, alive) in alive.iter_mut().enumerate() {
            *alive = *alive && self.map.admits(at, &limits);
        }
        Ok(alive)
    }

    fn one_of(&self, key: usize, values: Vec<Option<Value>>) -> Vec<bool> {
        let parts = self.map.parts.len();
        let mut any = vec![false; parts];
        for value in values {
            let Some(value) = value else {
                return vec![true; parts];
            };
            if value.is_null() {
                continue;
            }
            let mut limits = vec![Limits::default(); self.map.key.keys.len()];
            limits[key].equal = Some(value);
            for (at, any) in any.iter_mut().enumerate() {
                *any |= self.map.admits(at, &limits);
            }
        }
        any
    }
}

impl Test {
    fn is_constant(&self) -> bool {
        match self {
            Test::All(tests) | Test::Any(tests) => tests.iter().all(Test::is_constant),
            Test::Compare(_, _, program) => program.constant().is_some(),
            Test::In(_, programs) => programs.iter().all(|program| program.constant().is_some()),
            Test::List(..) => false,
            Test::Null(_) => true,
        }
    }
}

fn unite(into: &mut [bool], set: &[bool]) {
    into.iter_mut().zip(set).for_each(|(into, one)| *into |= one);
}

fn narrow(limits: &mut Limits, comparison: Comparison, value: Value) {
    match comparison {
        Comparison::Equal => limits.equal = Some(value),
        Comparison::Greater => limits.lower = Some((value, false)),
        Comparison::GreaterOrEqual => limits.lower = Some((value, true)),
        Comparison::Less => limits.upper = Some((value, false)),
        Comparison::LessOrEqual => limits.upper = Some((value, true)),
        Comparison::NotEqual => {}
    }
}

/// What a condition says about a key, if anything.
fn test_of(condition: &Bound, keys: &[Option<Bound>], own: &[Slot]) -> Option<Test> {
    let part = |operand: &Bound| keys.iter().position(|key| key.as_ref() == Some(operand));
    let free = |expression: &Bound| {
        let mut slots = Vec::new();
        expression.slots(&mut slots);
        !slots.iter().any(|slot| own.contains(slot)) && !expression.is_volatile() && !expression.has_subquery()
    };
    match &condition.kind {
        BoundKind::And(parts) => {
            let tests: Vec<Test> = parts.iter().filter_map(|part| test_of(part, keys, own)).collect();
            (!tests.is_empty()).then_some(Test::All(tests))
        }
        BoundKind::Or(parts) => {
            let tests: Option<Vec<Test>> = parts.iter().map(|part| test_of(part, keys, own)).collect();
            tests.map(Test::Any)
        }
        BoundKind::Compare(comparison, left, right) => match (part(left), part(right)) {
            (Some(key), _) if free(right) => Some(Test::Compare(key, *comparison, Program::new(right))),
            (_, Some(key)) if free(left) => Some(Test::Compare(key, comparison.mirrored(), Program::new(left))),
            _ => None,
        },
        BoundKind::In(operand, list) if list.iter().all(free) => {
            part(operand).map(|key| Test::In(key, list.iter().map(Program::new).collect()))
        }
        BoundKind::Any(Comparison::Equal, operand, list) if free(list) => {
            part(operand).map(|key| Test::List(key, Program::new(list)))
        }
        BoundKind::IsNull(operand) => part(operand).map(Test::Null),
        _ => None,
    }
}
