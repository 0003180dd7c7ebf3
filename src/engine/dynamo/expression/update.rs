//! What an update makes of an item: every right-hand side reads the item as it was.

use super::path::{Path, PathStep};
use super::tree::{SetOperand, SetValue, Update};
use crate::failure::{Fallible, invalid};
use crate::item::Item;
use crate::value::AttributeValue;

impl Update {
    pub(crate) fn apply(&self, old: &Item) -> Fallible<Item> {
        let mut item = old.clone();
        let mut set = Vec::with_capacity(self.set.len());
        for (path, value) in &self.set {
            set.push((path, value.evaluate(old)?));
        }
        // Elements beyond a list's end are put there in the order of their numbers.
        set.sort_by_key(|(path, _)| *path);
        for (path, value) in set {
            put(&mut item, path, value)?;
        }
        for (path, value) in &self.add {
            let sum = match path.get(old) {
                None => value.clone(),
                Some(there) => add(there, value)?,
            };
            put(&mut item, path, sum)?;
        }
        for (path, value) in &self.delete {
            match path.get(old) {
                None => {}
                Some(there) => match subtract(there, value)? {
                    Some(rest) => put(&mut item, path, rest)?,
                    None => remove(&mut item, path)?,
                },
            }
        }
        // From behind, so that each number means the element that it meant before.
        let mut removed: Vec<&Path> = self.remove.iter().collect();
        removed.sort();
        for path in removed.into_iter().rev() {
            remove(&mut item, path)?;
        }
        Ok(item)
    }
}

fn no_such_place() -> Box<crate::Failure> {
    invalid("The document path provided in the update expression is invalid for update")
}

fn wrong_type() -> Box<crate::Failure> {
    invalid("An operand in the update expression has an incorrect data type")
}

impl SetValue {
    fn evaluate(&self, old: &Item) -> Fallible<AttributeValue> {
        let number = |operand: &SetOperand| match operand.evaluate(old)? {
            AttributeValue::N(number) => Ok(number),
            _ => Err(wrong_type()),
        };
        Ok(match self {
            SetValue::Operand(operand) => operand.evaluate(old)?,
            SetValue::Sum(a, b) => AttributeValue::N(number(a)?.checked_add(number(b)?)?),
            SetValue::Difference(a, b) => AttributeValue::N(number(a)?.checked_sub(number(b)?)?),
        })
    }
}

impl SetOperand {
    fn evaluate(&self, old: &Item) -> Fallible<AttributeValue> {
        match self {
            SetOperand::Value(value) => Ok(value.clone()),
            SetOperand::Path(path) => path.get(old).cloned().ok_or_else(|| {
                invalid("The provided expression refers to an attribute that does not exist in the item")
            }),
            SetOperand::IfNotExists(path, otherwise) => match path.get(old) {
                Some(value) => Ok(value.clone()),
                None => otherwise.evaluate(old),
            },
            SetOperand::ListAppend(a, b) => match (a.evaluate(old)?, b.evaluate(old)?) {
                (AttributeValue::L(mut list), AttributeValue::L(more)) => {
                    list.extend(more);
                    Ok(AttributeValue::L(list))
                }
                _ => Err(wrong_type()),
            },
        }
    }
}

/// The value that holds the path's last step; `None` for an attribute of the item itself.
fn parent<'a>(item: &'a mut Item, path: &'a Path) -> Fallible<Option<(&'a mut AttributeValue, &'a PathStep)>> {
    let Some((last, way)) = path.steps.split_last() else {
        return Ok(None);
    };
    let mut value = item.get_mut(&path.attribute).ok_or_else(no_such_place)?;
    for step in way {
        value = match (step, value) {
            (PathStep::Field(name), AttributeValue::M(fields)) => fields.get_mut(name),
            (PathStep::Element(index), AttributeValue::L(values)) => values.get_mut(*index as usize),
            _ => None,
        }
        .ok_or_else(no_such_place)?;
    }
    Ok(Some((value, last)))
}

fn put(item: &mut Item, path: &Path, value: AttributeValue) -> Fallible<()> {
    match parent(item, path)? {
        None => {
            item.insert(path.attribute.clone(), value);
        }
        Some((AttributeValue::M(fields), PathStep::Field(name))) => {
            fields.insert(name.clone(), value);
        }
        Some((AttributeValue::L(values), PathStep::Element(index))) => match values.get_mut(*index as usize) {
            Some(element) => *element = value,
            None => values.push(value),
        },
        Some(_) => return Err(no_such_place()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Fallible<()> {
    match parent(item, path)? {
        None => {
            item.remove(&path.attribute);
        }
        Some((AttributeValue::M(fields), PathStep::Field(name))) => {
            fields.remove(name);
        }
        Some((AttributeValue::L(values), PathStep::Element(index))) => {
            if (*index as usize) < values.len() {
                values.remove(*index as usize);
            }
        }
        Some(_) => return Err(no_such_place()),
    }
    Ok(())
}

/// `ADD`: a sum, or the union of sets of one type.
fn add(there: &AttributeValue, value: &AttributeValue) -> Fallible<AttributeValue> {
    Ok(match (there, value) {
        (AttributeValue::N(a), AttributeValue::N(b)) => AttributeValue::N(a.checked_add(*b)?),
        (AttributeValue::Ss(a), AttributeValue::Ss(b)) => AttributeValue::Ss(a | b),
        (AttributeValue::Ns(a), AttributeValue::Ns(b)) => AttributeValue::Ns(a | b),
        (AttributeValue::Bs(a), AttributeValue::Bs(b)) => AttributeValue::Bs(a | b),
        _ => return Err(wrong_type()),
    })
}

/// `DELETE`: what a set has without these; `None` if that is nothing.
fn subtract(there: &AttributeValue, value: &AttributeValue) -> Fallible<Option<AttributeValue>> {
    Ok(match (there, value) {
        (AttributeValue::Ss(a), AttributeValue::Ss(b)) => {
            Some(a - b).filter(|rest| !rest.is_empty()).map(AttributeValue::Ss)
        }
        (AttributeValue::Ns(a), AttributeValue::Ns(b)) => {
            Some(a - b).filter(|rest| !rest.is_empty()).map(AttributeValue::Ns)
        }
        (AttributeValue::Bs(a), AttributeValue::Bs(b)) => {
            Some(a - b).filter(|rest| !rest.is_empty()).map(AttributeValue::Bs)
        }
        _ => return Err(wrong_type()),
    })
}
