//! Items: attributes by name, one after the other in the names' order.
//!
//! A table's items are small and of few kinds, so an item is one row of memory that is searched from its beginning,
//! and [`Finder`] looks first where the item before had its attribute.

use std::sync::Arc;

use crate::value::AttributeValue;

/// Attributes by name; a key is an item of its key attributes alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    /// In order of the names' bytes, each once.
    attributes: Vec<(Arc<str>, AttributeValue)>,
}

/// With so few attributes, most names are ruled out by their lengths before a search by halves has ended.
const FEW: usize = 24;

impl Item {
    pub fn new() -> Item {
        Item::default()
    }

    pub fn with_capacity(attributes: usize) -> Item {
        Item {
            attributes: Vec::with_capacity(attributes),
        }
    }

    /// Where the name is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.attributes.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.attributes.len() > FEW {
            return self.place(name).ok();
        }
        self.attributes.iter().position(|(other, _)| **other == *name)
    }

    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.position(name).map(|at| &self.attributes[at].1)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut AttributeValue> {
        self.position(name).map(|at| &mut self.attributes[at].1)
    }

    pub fn get_key_value(&self, name: &str) -> Option<(&Arc<str>, &AttributeValue)> {
        let (name, value) = &self.attributes[self.position(name)?];
        Some((name, value))
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Gives back what was there.
    pub fn insert(&mut self, name: Arc<str>, value: AttributeValue) -> Option<AttributeValue> {
        // Those that make items often do it in order.
        let place = match self.attributes.last() {
            Some((last, _)) if **last < *name => Err(self.attributes.len()),
            _ => self.place(&name),
        };
        match place {
            Ok(at) => Some(std::mem::replace(&mut self.attributes[at].1, value)),
            Err(at) => {
                self.attributes.insert(at, (name, value));
                None
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<AttributeValue> {
        self.position(name).map(|at| self.attributes.remove(at).1)
    }

    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// In order of the names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &AttributeValue)> + Clone {
        self.attributes.iter().map(|(name, value)| (name, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.attributes.iter().map(|(name, _)| name)
    }

    pub fn values(&self) -> impl Iterator<Item = &AttributeValue> {
        self.attributes.iter().map(|(_, value)| value)
    }
}

impl Extend<(Arc<str>, AttributeValue)> for Item {
    fn extend<T: IntoIterator<Item = (Arc<str>, AttributeValue)>>(&mut self, pairs: T) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl FromIterator<(Arc<str>, AttributeValue)> for Item {
    fn from_iter<T: IntoIterator<Item = (Arc<str>, AttributeValue)>>(pairs: T) -> Item {
        let mut item = Item::new();
        item.extend(pairs);
        item
    }
}

impl IntoIterator for Item {
    type Item = (Arc<str>, AttributeValue);
    type IntoIter = std::vec::IntoIter<(Arc<str>, AttributeValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.attributes.into_iter()
    }
}

/// Finds one attribute in item after item.
#[derive(Clone, Debug)]
pub struct Finder<'a> {
    name: &'a str,
    /// Where it was last.
    at: usize,
}

impl<'a> Finder<'a> {
    pub fn new(name: &'a str) -> Finder<'a> {
        Finder { name, at: 0 }
    }

    pub fn find<'i>(&mut self, item: &'i Item) -> Option<&'i AttributeValue> {
        if let Some((name, value)) = item.attributes.get(self.at)
            && **name == *self.name
        {
            return Some(value);
        }
        self.at = item.position(self.name)?;
        item.attributes.get(self.at).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::Fingerprint;

    use super::*;

    #[test]
    fn an_item_is_a_sorted_map() {
        let mut stream = base::random::Stream::new(3, "items", 0);
        let (mut item, mut map) = (Item::new(), BTreeMap::new());
        for n in 0..2_000 {
            let name: Arc<str> = format!("n{}", stream.below(40)).into();
            let value = AttributeValue::number(n);
            if stream.below(3) == 0 {
                assert_eq!(item.remove(&name), map.remove(&name));
            } else {
                assert_eq!(
                    item.insert(name.clone(), value.clone()),
                    map.insert(name.clone(), value)
                );
            }
            assert!(item.iter().eq(map.iter()));
            assert_eq!(item.get(&name), map.get(&name));
            assert_eq!(Fingerprint::of(&item), Fingerprint::of(&map));
        }
    }

    #[test]
    fn a_finder_finds_what_is_there_wherever_it_is() {
        let item = |names: &[&str]| -> Item {
            names
                .iter()
                .map(|name| (Arc::from(*name), AttributeValue::text(*name)))
                .collect()
        };
        let mut finder = Finder::new("b");
        for names in [&["a", "b"][..], &["b"], &["a", "c"], &[], &["c", "b", "a"], &["b"]] {
            let item = item(names);
            assert_eq!(finder.find(&item), item.get("b"), "{names:?}");
        }
    }
}
