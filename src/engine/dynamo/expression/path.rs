//! Document paths: where in an item something is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::item::Item;
use crate::value::AttributeValue;

/// `name.part[2]`: an attribute and the way into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    pub(crate) attribute: Arc<str>,
    pub(crate) steps: Vec<PathStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PathStep {
    Field(Arc<str>),
    Element(u32),
}

impl Path {
    pub(crate) fn get<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        let mut value = item.get(&self.attribute)?;
        for step in &self.steps {
            value = match (step, value) {
                (PathStep::Field(name), AttributeValue::M(fields)) => fields.get(name)?,
                (PathStep::Element(index), AttributeValue::L(values)) => values.get(*index as usize)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// As AWS prints a path in its messages: `[a, b, [2]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.attribute)?;
        for step in &self.steps {
            match step {
                PathStep::Field(name) => write!(f, ", {name}")?,
                PathStep::Element(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}

/// Paths of which none leads through another: what a projection keeps, what an update changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathTree {
    attributes: BTreeMap<Arc<str>, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Whole(Path),
    Fields(BTreeMap<Arc<str>, Node>),
    Elements(BTreeMap<u32, Node>),
}

/// Two paths that cannot stand in one expression.
#[derive(Clone, Debug)]
pub(super) struct Clash {
    /// One leads through the other; else they take the same thing for a map and for a list.
    pub(super) overlap: bool,
    pub(super) one: Path,
}

impl PathTree {
    pub(super) fn insert(&mut self, path: &Path) -> Result<(), Clash> {
        match self.attributes.get_mut(&path.attribute) {
            Some(node) => node.insert(path, &path.steps),
            None => {
                self.attributes
                    .insert(path.attribute.clone(), Node::new(path, &path.steps));
                Ok(())
            }
        }
    }

    /// What of the item these paths lead to, elements of lists closed up.
    pub(crate) fn project(&self, item: &Item) -> Item {
        project_fields(&self.attributes, item)
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.attributes.keys()
    }
}

fn project_fields(nodes: &BTreeMap<Arc<str>, Node>, fields: &Item) -> Item {
    let kept = nodes.iter().filter_map(|(name, node)| {
        let value = fields.get(name)?;
        Some((name.clone(), node.project(value)?))
    });
    kept.collect()
}

impl Node {
    fn new(path: &Path, steps: &[PathStep]) -> Node {
        match steps.split_first() {
            None => Node::Whole(path.clone()),
            Some((PathStep::Field(name), rest)) => Node::Fields([(name.clone(), Node::new(path, rest))].into()),
            Some((PathStep::Element(index), rest)) => Node::Elements([(*index, Node::new(path, rest))].into()),
        }
    }

    fn insert(&mut self, path: &Path, steps: &[PathStep]) -> Result<(), Clash> {
        let clash = |overlap, node: &Node| Clash {
            overlap,
            one: node.first().clone(),
        };
        match (&mut *self, steps.split_first()) {
            (Node::Whole(_), _) | (_, None) => Err(clash(true, self)),
            (Node::Fields(fields), Some((PathStep::Field(name), rest))) => match fields.get_mut(name) {
                Some(node) => node.insert(path, rest),
                None => {
                    fields.insert(name.clone(), Node::new(path, rest));
                    Ok(())
                }
            },
            (Node::Elements(elements), Some((PathStep::Element(index), rest))) => match elements.get_mut(index) {
                Some(node) => node.insert(path, rest),
                None => {
                    elements.insert(*index, Node::new(path, rest));
                    Ok(())
                }
            },
            _ => Err(clash(false, self)),
        }
    }

    /// Any path that leads through here; each node was made for one.
    fn first(&self) -> &Path {
        let mut node = self;
        loop {
            let inner = match node {
                Node::Whole(path) => return path,
                Node::Fields(fields) => fields.values().next(),
                Node::Elements(elements) => elements.values().next(),
            };
            match inner {
                Some(inner) => node = inner,
                None => unreachable!("a node is made with what is below it"),
            }
        }
    }

    fn project(&self, value: &AttributeValue) -> Option<AttributeValue> {
        match (self, value) {
            (Node::Whole(_), value) => Some(value.clone()),
            (Node::Fields(nodes), AttributeValue::M(fields)) => {
                let kept = project_fields(nodes, fields);
                (!kept.is_empty()).then_some(AttributeValue::M(kept))
            }
            (Node::Elements(nodes), AttributeValue::L(values)) => {
                let kept = nodes
                    .iter()
                    .filter_map(|(index, node)| node.project(values.get(*index as usize)?));
                let kept: Vec<AttributeValue> = kept.collect();
                (!kept.is_empty()).then_some(AttributeValue::L(kept))
            }
            _ => None,
        }
    }
}
