//! Into which partition a written row goes.

use std::sync::Arc;

use base::Value;

use crate::bind::Names;
use crate::catalog::{PartitionMap, Reference, Table};
use crate::error::{Fallible, error, state};
use crate::exec::{failing_row, partition_key_of};

/// The table that a row is in, and where the columns of the statement's table are in it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Leaf {
    pub(crate) table: Arc<Table>,
    /// `None`: at the same places.
    pub(crate) columns: Option<Arc<[Option<u16>]>>,
    /// Which index of the statement's table each index is a part of; `None`: itself.
    pub(crate) indexes: Option<Arc<[Option<usize>]>>,
}

/// How rows of a table that is written are placed.
#[derive(Debug)]
pub(crate) struct Placement {
    /// The partitioned tables that it is a part of: the row must be one that it takes.
    above: Vec<Above>,
    below: Option<Division>,
}

#[derive(Debug)]
struct Above {
    map: PartitionMap,
    part: usize,
    /// Where that table's columns are in the one that is written.
    columns: Vec<Option<u16>>,
}

/// A partitioned table.
#[derive(Debug)]
struct Division {
    table: Arc<Table>,
    map: PartitionMap,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    leaf: Leaf,
    /// Where the columns of the table right above are in it.
    columns: Vec<Option<u16>>,
    below: Option<Box<Division>>,
}

/// Foreign keys to the tables that a statement may write, by table.
#[derive(Debug, Default)]
pub(crate) struct Referencing(Vec<(crate::storage::RelationId, Vec<Reference>)>);

impl Referencing {
    pub(crate) fn new<'t>(tables: impl Iterator<Item = &'t Arc<Table>>, names: Names<'_>) -> Referencing {
        let of = |table: &Arc<Table>| (table.id, names.catalog.referencing(table, names.own));
        Referencing(
            tables
                .map(of)
                .filter(|(_, references)| !references.is_empty())
                .collect(),
        )
    }

    pub(crate) fn to(&self, table: &Table) -> &[Reference] {
        let found = self.0.iter().find(|(id, _)| *id == table.id);
        found.map_or(&[], |(_, references)| references)
    }
}

impl Leaf {
    /// The statement's own table.
    pub(crate) fn itself(table: Arc<Table>) -> Leaf {
        Leaf {
            table,
            columns: None,
            indexes: None,
        }
    }

    /// Where a column of the statement's table is.
    pub(crate) fn column(&self, column: usize) -> Option<usize> {
        match &self.columns {
            None => Some(column),
            Some(columns) => columns.get(column).copied().flatten().map(usize::from),
        }
    }

    /// Which index of the statement's table an index is a part of.
    pub(crate) fn index(&self, at: usize) -> Option<usize> {
        match &self.indexes {
            None => Some(at),
            Some(indexes) => indexes.get(at).copied().flatten(),
        }
    }

    /// A row of the statement's table as one of this one.
    pub(crate) fn row(&self, values: &[Value]) -> Vec<Value> {
        if self.columns.is_none() {
            return values.to_vec();
        }
        let mut row = vec![Value::Null; self.table.columns.len()];
        for (at, value) in values.iter().enumerate() {
            if let Some(own) = self.column(at) {
                row[own] = value.clone();
            }
        }
        row
    }
}

impl Placement {
    /// `None`: the table is neither partitioned nor a partition.
    pub(crate) fn of(table: &Arc<Table>, names: Names<'_>) -> Option<Placement> {
        let mut above = Vec::new();
        let mut part = table.id;
        for whole in names.catalog.partitioned_above(table, names.own) {
            let map = names.catalog.partition_map(&whole, names.own)?;
            let at = map.parts.iter().position(|one| one.id == part)?;
            part = whole.id;
            above.push(Above {
                part: at,
                map,
                columns: table.columns_of(&whole),
            });
        }
        let below = Division::of(table, &Leaf::itself(table.clone()), table, names);
        (!above.is_empty() || below.is_some()).then_some(Placement { above, below })
    }

    /// All tables that rows may go to.
    pub(crate) fn leaves<'p>(&'p self, into: &mut Vec<&'p Arc<Table>>) {
        if let Some(below) = &self.below {
            below.leaves(into);
        }
    }

    /// Where a row of the statement's table goes.
    pub(crate) fn place(&self, table: &Arc<Table>, values: &[Value], now: i64) -> Fallible<Leaf> {
        for above in &self.above {
            let own = |column: &Option<u16>| column.map_or(Value::Null, |column| values[usize::from(column)].clone());
            let row: Vec<Value> = above.columns.iter().map(own).collect();
            let key = partition_key_of(&above.map.key, &row, now)?;
            if above.map.route(&key) != Some(above.part) {
                let message = format!("new row for relation \"{}\" violates partition constraint", table.name);
                return Err(error(state::CHECK_VIOLATION, message).detail(failing_row(table, values)));
            }
        }
        let Some(mut division) = self.below.as_ref() else {
            return Ok(Leaf::itself(table.clone()));
        };
        let mut row = values.to_vec();
        loop {
            let key = partition_key_of(&division.map.key, &row, now)?;
            let Some(at) = division.map.route(&key) else {
                return Err(division.no_part(&key));
            };
            let part = &division.parts[at];
            let Some(below) = &part.below else {
                return Ok(part.leaf.clone());
            };
            let mut moved = vec![Value::Null; part.leaf.table.columns.len()];
            for (value, column) in row.into_iter().zip(&part.columns) {
                if let Some(column) = column {
                    moved[usize::from(*column)] = value;
                }
            }
            (row, division) = (moved, &**below);
        }
    }
}

impl Division {
    /// `root`: the statement's table.
    fn of(table: &Arc<Table>, at: &Leaf, root: &Arc<Table>, names: Names<'_>) -> Option<Division> {
        let map = names.catalog.partition_map(table, names.own)?;
        let part = |part: &Arc<Table>| {
            let of_root = |index: &crate::catalog::Index| {
                let whole = index.part_of.as_ref()?;
                let above = table.indexes.iter().position(|own| own.name == *whole)?;
                at.index(above)
            };
            let leaf = Leaf {
                table: part.clone(),
                columns: Some(part.columns_of(root).into()),
                indexes: Some(part.indexes.iter().map(of_root).collect()),
            };
            Part {
                columns: part.columns_of(table),
                below: Division::of(part, &leaf, root, names).map(Box::new),
                leaf,
            }
        };
        Some(Division {
            table: table.clone(),
            parts: map.parts.iter().map(part).collect(),
            map,
        })
    }

    fn leaves<'p>(&'p self, into: &mut Vec<&'p Arc<Table>>) {
        for part in &self.parts {
            match &part.below {
                Some(below) => below.leaves(into),
                None => into.push(&part.leaf.table),
            }
        }
    }

    fn no_part(&self, key: &[Value]) -> Box<crate::SqlError> {
        let names = self.map.key.keys.iter().map(|part| match part {
            crate::catalog::IndexKey::Column(column) => self.table.columns[usize::from(*column)].name.to_string(),
            crate::catalog::IndexKey::Expression(expression) => syntax::print_key(&expression.expression),
        });
        let values = key.iter().map(|value| match value {
            Value::Null => "null".to_owned(),
            value => value.to_string(),
        });
        let message = format!("no partition of relation \"{}\" found for row", self.table.name);
        error(state::CHECK_VIOLATION, message).detail(format!(
            "Partition key of the failing row contains ({}) = ({}).",
            names.collect::<Vec<_>>().join(", "),
            values.collect::<Vec<_>>().join(", ")
        ))
    }
}
