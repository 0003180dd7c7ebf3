//! Single writes: put, update, delete, each with its condition.

use std::sync::Arc;

use base::Time;

use crate::capacity::{Consumption, Units};
use crate::expression::{Condition, Placeholders, Purpose, Update};
use crate::failure::{Failure, Fallible, invalid, invalid_parameter};
use crate::item::Item;
use crate::key::{self, Key};
use crate::request::{Action, Outcome, Reply, ReturnValues, Write};
use crate::schema::TableDefinition;
use crate::service::Engine;
use crate::storage::Table;
use crate::value::{MAX_DEPTH, MAX_ITEM_BYTES, item_size};

/// A write whose expressions were read.
#[derive(Clone, Debug)]
pub(crate) struct Parsed<'a> {
    pub(crate) write: &'a Write,
    condition: Option<Condition>,
    update: Option<Update>,
}

/// A write as it would be done: what was there and what will be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) key: Key,
    pub(crate) old: Option<Arc<Item>>,
    pub(crate) new: Option<Arc<Item>>,
}

pub(crate) fn parse(write: &Write) -> Fallible<Parsed<'_>> {
    let mut placeholders = Placeholders::new(&write.substitutions.names, &write.substitutions.values);
    let update = match &write.action {
        Action::Update { update: Some(text), .. } => Some(placeholders.update(text)?),
        _ => None,
    };
    let condition = match &write.condition {
        Some(text) => Some(placeholders.condition(Purpose::Condition, text)?),
        None => None,
    };
    placeholders.check_unused()?;
    let allowed = match (&write.action, write.returns) {
        (Action::Put { .. } | Action::Delete { .. }, returns) => {
            matches!(returns, ReturnValues::None | ReturnValues::AllOld)
        }
        _ => true,
    };
    if !allowed {
        return Err(invalid("Return values set to invalid value"));
    }
    Ok(Parsed {
        write,
        condition,
        update,
    })
}

impl Write {
    /// Of the item that it writes.
    pub(crate) fn key(&self, definition: &TableDefinition) -> Fallible<Key> {
        match &self.action {
            Action::Put { item } => key::of_item(&definition.key, item),
            Action::Update { key, .. } | Action::Delete { key } | Action::Check { key } => {
                key::of_request(&definition.key, key)
            }
        }
    }
}

impl Parsed<'_> {
    pub(crate) fn holds(&self, old: Option<&Item>) -> bool {
        let nothing = Item::new();
        let old = old.unwrap_or(&nothing);
        self.condition.as_ref().is_none_or(|condition| condition.holds(old))
    }

    /// What the item becomes; `None`: it is deleted, or never was.
    pub(crate) fn result(&self, definition: &TableDefinition, old: Option<&Arc<Item>>) -> Fallible<Option<Arc<Item>>> {
        let new = match &self.write.action {
            Action::Delete { .. } => return Ok(None),
            Action::Check { .. } => return Ok(old.cloned()),
            Action::Put { item } => item.clone(),
            Action::Update { key, .. } => {
                let base = old.map_or_else(|| key.clone(), |old| Item::clone(old));
                match &self.update {
                    None => base,
                    Some(update) => {
                        check_update(update, definition)?;
                        update.apply(&base)?
                    }
                }
            }
        };
        for index in &definition.indexes {
            key::check_index_key(&index.name, &index.key, &new)?;
        }
        if new.values().any(|value| value.depth() > MAX_DEPTH) {
            return Err(invalid("Nesting Levels have exceeded supported limits"));
        }
        if item_size(&new) > MAX_ITEM_BYTES {
            let updated = matches!(self.write.action, Action::Update { .. });
            return Err(invalid(if updated {
                "Item size to update has exceeded the maximum allowed size"
            } else {
                "Item size has exceeded the maximum allowed size"
            }));
        }
        Ok(Some(Arc::new(new)))
    }

    /// What `ReturnValues` asks for.
    fn returned(&self, plan: &Plan) -> Option<Arc<Item>> {
        let touched = |item: Option<&Arc<Item>>| {
            let part = self.update.as_ref()?.paths.project(item?);
            (!part.is_empty()).then(|| Arc::new(part))
        };
        match self.write.returns {
            ReturnValues::None => None,
            ReturnValues::AllOld => plan.old.clone(),
            ReturnValues::AllNew => plan.new.clone(),
            ReturnValues::UpdatedOld => touched(plan.old.as_ref()),
            ReturnValues::UpdatedNew => touched(plan.new.as_ref()),
        }
    }
}

fn check_update(update: &Update, definition: &TableDefinition) -> Fallible<()> {
    match update.paths.attributes().find(|name| definition.key.has(name)) {
        None => Ok(()),
        Some(name) => Err(invalid_parameter(format!(
            "Cannot update attribute {name}. This attribute is part of the key"
        ))),
    }
}

/// What a write costs that has not happened, because of its condition or its transaction.
pub(crate) fn cost_of_looking(table: &Table, old: Option<&Item>, transactional: bool) -> Consumption {
    let units = Units::write(old.map_or(0, item_size), transactional);
    let mut consumption = Consumption::of(&table.definition.name, units);
    consumption.transactional = transactional;
    consumption
}

impl Engine {
    pub(crate) fn write(&mut self, write: &Write, now: Time) -> Fallible<Outcome> {
        if let Action::Check { .. } = write.action {
            return Err(invalid("A condition check can only be part of a transaction"));
        }
        let parsed = parse(write)?;
        let table = self.table(&write.table)?;
        let key = write.key(&table.definition)?;
        if self.is_in_transaction(&write.table, &key) {
            return Err(Failure::conflict());
        }
        let index_delay = self.configuration.index_delay;
        let table = self.table_mut(&write.table)?;
        let old = table.get(&key).cloned();
        if !parsed.holds(old.as_deref()) {
            table.admit_write(&key, old.as_ref(), now)?;
            let consumed = cost_of_looking(table, old.as_deref(), false);
            table.meter.take(&key, true, consumed.own.halves());
            return Ok(Outcome {
                result: Err(Failure::condition(old.filter(|_| write.old_on_failure))),
                consumed: vec![consumed],
            });
        }
        let new = parsed.result(&table.definition, old.as_ref())?;
        table.admit_write(&key, new.as_ref(), now)?;
        let consumed = table.write(&key, new.clone(), false, (now, index_delay));
        let returned = parsed.returned(&Plan { key, old, new });
        Ok(Outcome {
            result: Ok(Reply::Written(returned)),
            consumed: vec![consumed],
        })
    }
}
