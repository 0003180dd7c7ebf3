//! Tables as they are defined: keys, global secondary indexes, throughput.

use std::sync::Arc;

use crate::failure::{Failure, FailureName, Fallible, invalid, invalid_parameter};
use crate::item::Item;
use crate::value::AttributeValue;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableDefinition {
    pub name: Arc<str>,
    pub key: KeySchema,
    pub indexes: Vec<IndexDefinition>,
    pub throughput: Throughput,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySchema {
    pub partition: KeyAttribute,
    pub sort: Option<KeyAttribute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyAttribute {
    pub name: Arc<str>,
    pub kind: KeyType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    S,
    N,
    B,
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexDefinition {
    pub name: Arc<str>,
    pub key: KeySchema,
    pub projection: Projection,
    pub throughput: Throughput,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    All,
    KeysOnly,
    Include(Vec<Arc<str>>),
}

/// How much a table or an index may be asked for.
///
/// | | table's limit | partitions | partition's limit |
/// |---|---|---|---|
/// | `Unlimited` | none | 1 | none |
/// | `OnDemand` | none | as said: a new table has 4, and so takes 4,000 writes a second | 3,000 read and 1,000 write units a second |
/// | `Provisioned` | the given rates; up to 300 s of what was not used is kept | as many as the rates need | as above |
///
/// A partition keeps one second's units. Not modelled: partitions that split as load or data grow, adaptive
/// capacity's isolation of one hot item, the account's quotas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Throughput {
    #[default]
    Unlimited,
    OnDemand {
        partitions: u32,
    },
    Provisioned {
        read_units: u32,
        write_units: u32,
    },
}

/// Of a new on-demand table.
pub const NEW_TABLE_PARTITIONS: u32 = 4;
const MAX_INDEXES: usize = 20;
const MAX_INCLUDED: usize = 100;

impl KeyType {
    pub fn name(self) -> &'static str {
        match self {
            KeyType::S => "S",
            KeyType::N => "N",
            KeyType::B => "B",
        }
    }

    pub(crate) fn takes(self, value: &AttributeValue) -> bool {
        matches!(
            (self, value),
            (KeyType::S, AttributeValue::S(_))
                | (KeyType::N, AttributeValue::N(_))
                | (KeyType::B, AttributeValue::B(_))
        )
    }
}

impl KeySchema {
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes().any(|attribute| &*attribute.name == name)
    }

    /// The key's attributes, taken from an item.
    pub(crate) fn key_of(&self, item: &Item) -> Item {
        let pairs = self
            .attributes()
            .filter_map(|attribute| item.get_key_value(&attribute.name));
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl TableDefinition {
    pub(crate) fn check(&self) -> Fallible<()> {
        let name_is_legal = |name: &str| {
            (3..=255).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        for name in self.indexes.iter().map(|index| &index.name).chain([&self.name]) {
            if !name_is_legal(name) {
                let message = format!("a name has 3 to 255 letters, digits, '_', '-' and '.': {name}");
                return Err(invalid_parameter(message));
            }
        }
        if self.indexes.len() > MAX_INDEXES {
            let message = format!("GlobalSecondaryIndex count exceeds the per-table limit of {MAX_INDEXES}");
            return Err(Failure::new(FailureName::Limit, message));
        }
        let mut included = 0;
        for (i, index) in self.indexes.iter().enumerate() {
            if self.indexes[..i].iter().any(|other| other.name == index.name) {
                return Err(invalid_parameter(format!("Duplicate index name: {}", index.name)));
            }
            if let Projection::Include(names) = &index.projection {
                included += names.len();
                if names.is_empty() {
                    return Err(invalid_parameter(
                        "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
                    ));
                }
            }
        }
        if included > MAX_INCLUDED {
            return Err(invalid_parameter(
                "More than 100 non-key attributes are projected by all indexes together",
            ));
        }
        for key in self.indexes.iter().map(|index| &index.key).chain([&self.key]) {
            if key.sort.as_ref().is_some_and(|sort| sort.name == key.partition.name) {
                return Err(invalid(
                    "Both the Hash Key and the Range Key element in the KeySchema have the same name",
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|index| &*index.name == name)
    }
}

impl IndexDefinition {
    /// The item as the index holds it.
    pub(crate) fn project(&self, table: &KeySchema, item: &Arc<Item>) -> Arc<Item> {
        let included: &[Arc<str>] = match &self.projection {
            Projection::All => return item.clone(),
            Projection::KeysOnly => &[],
            Projection::Include(names) => names,
        };
        let kept = |name: &str| self.key.has(name) || table.has(name) || included.iter().any(|other| &**other == name);
        let pairs = item.iter().filter(|(name, _)| kept(name));
        Arc::new(pairs.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}
