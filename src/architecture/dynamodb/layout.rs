//! Where each row lies: its keys in the one table and in its indexes, chosen for the access patterns.
//!
//! ```text
//! pk                    sk                       gsi1pk                    gsi1sk
//! users#new-user-7      users                                                             a row by its primary key
//! users#new-user-7      user_roles#member        user_roles#role_id#member …              collected with its user
//! t#7#users#new-user-7  users                                                             the tenant leads
//! unique#auth.users.email#a@example.org                                                   a guard: the key is taken
//! ```
//!
//! The rules, in this order:
//!
//! 1. A row's key is its primary key. If patterns give a part of a composite primary key, that part is the
//!    partition key and the rest the sort key: the rows are one item collection. If that part is a foreign key, the
//!    collection is that of the row it refers to.
//! 2. The tenant leads the partition key if every pattern on the table knows it (`dynamodb:LeadingKeys` can then
//!    be enforced), and everything that refers to the table has a tenant too.
//! 3. What the base table does not serve is served by a global secondary index: partitioned by the fewest columns that
//!    a pattern gives; further columns, ranges and the primary key go to the sort key. Indexes are overloaded: the
//!    first one that each table needs is `gsi1` of all.
//! 4. A pattern that gives no column by equality reads every item: a scan.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Type;
use scenario::{ColumnId, ForeignKey, Scenario, Schema, Table, TableId};

use super::choice::{Choice, choice};
use super::pattern::{Pattern, deleted_from, patterns};
use super::reading::uniques;
pub(crate) use crate::rows::names;
use crate::rows::partial::{Partial, partial};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) names: AttributeNames,
    pub(crate) tables: Vec<TableLayout>,
    /// How many global secondary indexes there are.
    pub(crate) indexes: usize,
    pub(crate) patterns: Vec<Pattern>,
}

/// Attributes that are no columns; no column has such a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeNames {
    pub(crate) partition: Arc<str>,
    pub(crate) sort: Arc<str>,
    pub(crate) entity: Arc<str>,
    pub(crate) revision: Arc<str>,
    suffix: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableLayout {
    /// What its keys begin with: the table's name, with its owner if another one has that name too.
    pub(crate) entity: String,
    pub(crate) base: KeyPath,
    /// Why the base key is as it is.
    pub(crate) reason: String,
    /// By index: the n-th is in `gsi<n>`.
    pub(crate) secondary: Vec<KeyPath>,
    /// Keys held unique by guards.
    pub(crate) guards: Vec<Vec<ColumnId>>,
    /// Keys of some rows, held unique by guards.
    pub(crate) partial: Vec<Partial>,
    /// The tenant leads the partition key.
    pub(crate) tenant: Option<ColumnId>,
    /// Rows of it are deleted: whoever refers to one counts its revision up, so that a deletion that does not know of
    /// it fails.
    pub(crate) touched: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPath {
    pub(crate) partition: Vec<Part>,
    pub(crate) sort: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Word(String),
    Column(ColumnId),
    /// A text that no other row has: for tables without a key.
    Unique,
}

/// How a pattern is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The whole base key is known.
    Get,
    /// `None`: the base table.
    Query {
        index: Option<usize>,
    },
    Scan,
}

impl AttributeNames {
    fn new(schema: &Schema) -> AttributeNames {
        const NAMES: [&str; 4] = ["pk", "sk", "entity", "revision"];
        let columns: BTreeSet<&str> = schema
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| column.name.as_str()))
            .collect();
        let taken = |suffix: &str| {
            let index = |name: &&str| name.starts_with("gsi") && name.ends_with(suffix);
            NAMES
                .iter()
                .any(|name| columns.contains(format!("{name}{suffix}").as_str()))
                || columns.iter().any(index)
        };
        let mut suffix = String::new();
        while taken(&suffix) {
            suffix.push('_');
        }
        let [partition, sort, entity, revision] = NAMES.map(|name| Arc::from(format!("{name}{suffix}")));
        AttributeNames {
            partition,
            sort,
            entity,
            revision,
            suffix,
        }
    }

    /// Of the n-th index, from 0.
    pub(crate) fn index_partition(&self, index: usize) -> Arc<str> {
        format!("gsi{}pk{}", index + 1, self.suffix).into()
    }

    pub(crate) fn index_sort(&self, index: usize) -> Arc<str> {
        format!("gsi{}sk{}", index + 1, self.suffix).into()
    }
}

pub(crate) fn index_name(index: usize) -> String {
    format!("gsi{}", index + 1)
}

impl KeyPath {
    pub(crate) fn columns(&self) -> BTreeSet<ColumnId> {
        let parts = self.partition.iter().chain(&self.sort);
        parts.filter_map(Part::column).collect()
    }

    fn partition_columns(&self) -> BTreeSet<ColumnId> {
        self.partition.iter().filter_map(Part::column).collect()
    }
}

impl Part {
    pub(crate) fn column(&self) -> Option<ColumnId> {
        match self {
            Part::Column(id) => Some(*id),
            Part::Word(_) | Part::Unique => None,
        }
    }
}

impl TableLayout {
    /// What serves a look-up that knows these columns.
    pub(crate) fn access(&self, known: &BTreeSet<ColumnId>, ranges: &BTreeSet<ColumnId>) -> Access {
        let partition =
            |path: &KeyPath| !path.partition.contains(&Part::Unique) && path.partition_columns().is_subset(known);
        if partition(&self.base) && self.base.columns().is_subset(known) {
            return Access::Get;
        }
        let paths =
            std::iter::once((None, &self.base)).chain(self.secondary.iter().enumerate().map(|(i, p)| (Some(i), p)));
        let usable = paths.filter(|(_, path)| partition(path));
        // The base table before an index, else the one that narrows most.
        let narrowness = |path: &KeyPath| {
            let sorted = path.sort.iter().filter_map(Part::column);
            let (mut fixed, mut ranged) = (path.partition_columns().len(), 0);
            for column in sorted {
                if known.contains(&column) {
                    fixed += 1;
                    continue;
                }
                ranged = usize::from(ranges.contains(&column));
                break;
            }
            (fixed, ranged)
        };
        let mut best: Option<((usize, usize), Option<usize>)> = None;
        for (index, path) in usable {
            let narrowness = narrowness(path);
            if best.is_none_or(|(most, _)| narrowness > most) {
                best = Some((narrowness, index));
            }
        }
        best.map_or(Access::Scan, |(_, index)| Access::Query { index })
    }

    /// Does a look-up that knows these columns bring rows with these values only?
    pub(crate) fn tells_apart(&self, known: &BTreeSet<ColumnId>) -> bool {
        let path = match self.access(known, &BTreeSet::new()) {
            Access::Get => &self.base,
            Access::Query { index } => self.path(index),
            Access::Scan => return false,
        };
        let given = |part: &&Part| part.column().is_none_or(|column| known.contains(&column));
        let sorted = path.sort.iter().take_while(given).filter_map(Part::column);
        let told: BTreeSet<ColumnId> = sorted.chain(path.partition_columns()).collect();
        known.is_subset(&told)
    }

    pub(crate) fn path(&self, index: Option<usize>) -> &KeyPath {
        match index {
            Some(index) => &self.secondary[index],
            None => &self.base,
        }
    }
}

impl Layout {
    pub(crate) fn new(scenario: &Scenario, unplanned: &[String]) -> Layout {
        let schema = &scenario.schema;
        let patterns = patterns(scenario, unplanned);
        let deleted = deleted_from(scenario);
        let leading: Vec<Option<ColumnId>> = schema.ids().map(|id| leading_tenant(schema, &patterns, id)).collect();
        let mut tables: Vec<TableLayout> = Vec::new();
        for id in schema.ids() {
            let table = schema.table(id);
            let entity = entity(schema, table);
            let choice = choice(scenario, table);
            let tenant = leading[id.index()];
            let (base, reason) = base_key(schema, &patterns, id, &leading, &tables, &choice);
            tables.push(TableLayout {
                entity,
                base,
                reason,
                secondary: Vec::new(),
                guards: uniques(table),
                partial: partial(table),
                tenant,
                touched: deleted.contains(&id),
            });
        }
        for id in schema.ids() {
            if choice(scenario, schema.table(id)) != Choice::Scan {
                tables[id.index()].secondary = secondary(schema, &patterns, id, &tables[id.index()]);
            }
        }
        Layout {
            names: AttributeNames::new(schema),
            indexes: tables.iter().map(|table| table.secondary.len()).max().unwrap_or(0),
            tables,
            patterns,
        }
    }

    pub(crate) fn table(&self, id: TableId) -> &TableLayout {
        &self.tables[id.index()]
    }

    /// What a pattern knows when the tenant counts.
    pub(crate) fn serves(&self, pattern: &Pattern) -> Access {
        let table = self.table(pattern.table);
        let mut known = pattern.equal.clone();
        known.extend(table.tenant);
        table.access(&known, &pattern.ranges)
    }
}

pub(crate) fn entity(schema: &Schema, table: &Table) -> String {
    let same = schema.tables.iter().filter(|other| other.name == table.name);
    if same.count() > 1 {
        table.full_name()
    } else {
        table.name.clone()
    }
}

/// The tenant column, if it can lead the key.
fn leading_tenant(schema: &Schema, patterns: &[Pattern], id: TableId) -> Option<ColumnId> {
    let table = schema.table(id);
    let tenant = table.tenant.filter(|tenant| table.column(*tenant).not_null)?;
    let known = patterns
        .iter()
        .filter(|pattern| pattern.table == id)
        .all(|pattern| pattern.of_tenant);
    let refers = |other: &&Table| other.foreign_keys.iter().any(|key: &ForeignKey| key.table == id);
    let referred = schema
        .tables
        .iter()
        .filter(refers)
        .all(|other| other.tenant.is_some_and(|column| other.column(column).not_null));
    let in_key = table.primary_key.contains(&tenant) || table.primary_key.is_empty();
    (known && referred && !in_key).then_some(tenant)
}

fn base_key(
    schema: &Schema,
    patterns: &[Pattern],
    id: TableId,
    leading: &[Option<ColumnId>],
    before: &[TableLayout],
    choice: &Choice,
) -> (KeyPath, String) {
    let table = schema.table(id);
    let entity = entity(schema, table);
    let tenant = leading[id.index()];
    let led = |mut parts: Vec<Part>| {
        if let Some(tenant) = tenant {
            parts.splice(0..0, [Part::Word("t".to_owned()), Part::Column(tenant)]);
        }
        parts
    };
    if table.primary_key.is_empty() {
        let base = KeyPath {
            partition: vec![Part::Word(entity.clone()), Part::Unique],
            sort: vec![Part::Word(entity)],
        };
        return (
            base,
            "it has no primary key: each row gets a text of its own".to_owned(),
        );
    }
    let whole = || KeyPath {
        partition: led(words_and(&entity, &table.primary_key)),
        sort: vec![Part::Word(entity.clone())],
    };
    let (columns, why) = match choice {
        Choice::Partition(columns) => (columns.clone(), "the scenario says so".to_owned()),
        _ => match collected_by(patterns, id, table) {
            Some(found) => found,
            None => {
                return (
                    whole(),
                    format!("by its primary key ({})", names(table, &table.primary_key)),
                );
            }
        },
    };
    if columns.len() == table.primary_key.len() {
        return (
            whole(),
            format!("by its primary key ({}): {why}", names(table, &table.primary_key)),
        );
    }
    let rest = table.primary_key.iter().filter(|column| !columns.contains(column));
    let mut sort = vec![Part::Word(entity.clone())];
    sort.extend(rest.map(|column| Part::Column(*column)));
    let parent = table
        .foreign_keys
        .iter()
        .find_map(|key| parent_partition(key, &columns, tenant, before));
    let (partition, reason) = match parent {
        Some((partition, parent)) => (partition, format!("lies with its {parent}: {why}")),
        None => (
            led(words_and(&entity, &columns)),
            format!("collected by {}: {why}", names(table, &columns)),
        ),
    };
    (KeyPath { partition, sort }, reason)
}

fn words_and(entity: &str, columns: &[ColumnId]) -> Vec<Part> {
    let columns = columns.iter().map(|column| Part::Column(*column));
    std::iter::once(Part::Word(entity.to_owned())).chain(columns).collect()
}

/// The part of a composite primary key by which most is asked.
fn collected_by(patterns: &[Pattern], id: TableId, table: &Table) -> Option<(Vec<ColumnId>, String)> {
    let key: BTreeSet<ColumnId> = table.primary_key.iter().copied().collect();
    let of_table = || patterns.iter().filter(|pattern| pattern.table == id);
    let mut candidates: Vec<BTreeSet<ColumnId>> = Vec::new();
    let foreign = table
        .foreign_keys
        .iter()
        .map(|key| key.columns.iter().copied().collect());
    let asked = of_table().map(|pattern| pattern.equal.intersection(&key).copied().collect());
    for candidate in foreign.chain(asked) {
        let candidate: BTreeSet<ColumnId> = candidate;
        if !candidate.is_empty()
            && candidate.is_subset(&key)
            && candidate.len() < key.len()
            && !candidates.contains(&candidate)
        {
            candidates.push(candidate);
        }
    }
    let asks = |candidate: &BTreeSet<ColumnId>| {
        let partly = |pattern: &&Pattern| candidate.is_subset(&pattern.equal) && !key.is_subset(&pattern.equal);
        of_table().filter(partly).cloned().collect::<Vec<Pattern>>()
    };
    // What decides on a write must be read strongly, which no index allows: it comes first.
    let weight = |candidate: &BTreeSet<ColumnId>| {
        let asking = asks(candidate);
        let sum = |decides: bool| {
            let counted = asking.iter().filter(|pattern| pattern.decides || !decides);
            counted.map(|pattern| u64::from(pattern.weight)).sum::<u64>()
        };
        (sum(true), sum(false))
    };
    let best = candidates.iter().rev().max_by_key(|candidate| weight(candidate))?;
    let asking = asks(best);
    if asking.is_empty() {
        return None;
    }
    let columns: Vec<ColumnId> = table
        .primary_key
        .iter()
        .filter(|column| best.contains(column))
        .copied()
        .collect();
    let mut operations: Vec<&str> = asking.iter().map(|pattern| pattern.operation.as_str()).collect();
    operations.dedup();
    let why = format!("read by {} in {}", names(table, &columns), operations.join(", "));
    Some((columns, why))
}

/// The partition of the row that these columns refer to, in the words of the row that refers.
fn parent_partition(
    key: &ForeignKey,
    columns: &[ColumnId],
    tenant: Option<ColumnId>,
    before: &[TableLayout],
) -> Option<(Vec<Part>, String)> {
    let same = key.columns.len() == columns.len() && key.columns.iter().all(|column| columns.contains(column));
    let parent = before.get(key.table.index()).filter(|_| same)?;
    if tenant.is_some() != parent.tenant.is_some() {
        return None;
    }
    let mut partition = Vec::new();
    // A parent that is itself collected by a part of its key has rows beside it that are not this row's parent.
    let parents = parent.base.partition_columns();
    if !key.referenced.iter().all(|referenced| parents.contains(referenced)) {
        return None;
    }
    for part in &parent.base.partition {
        partition.push(match part {
            Part::Column(id) if Some(*id) == parent.tenant => Part::Column(tenant?),
            Part::Column(id) => {
                let position = key.referenced.iter().position(|referenced| referenced == id)?;
                Part::Column(key.columns[position])
            }
            Part::Word(word) => Part::Word(word.clone()),
            Part::Unique => return None,
        });
    }
    Some((partition, parent.entity.clone()))
}

/// Indexes for what the base table does not serve.
fn secondary(schema: &Schema, patterns: &[Pattern], id: TableId, layout: &TableLayout) -> Vec<KeyPath> {
    let table = schema.table(id);
    let can_be_key = |column: &ColumnId| table.column(*column).data_type != Type::Jsonb;
    let mut wanted: Vec<(BTreeSet<ColumnId>, BTreeSet<ColumnId>)> = patterns
        .iter()
        .filter(|pattern| pattern.table == id)
        .map(|pattern| {
            let mut equal: BTreeSet<ColumnId> = pattern.equal.iter().copied().filter(can_be_key).collect();
            // It leads anyhow; a pattern that gives nothing else is one on all rows of the tenant.
            if equal.len() > 1 {
                equal.retain(|column| Some(*column) != layout.tenant);
            }
            (equal, pattern.ranges.iter().copied().filter(can_be_key).collect())
        })
        .filter(|(equal, _): &(BTreeSet<ColumnId>, _)| !equal.is_empty())
        .collect();
    wanted.sort_by_key(|(equal, ranges)| (equal.len(), equal.clone(), std::cmp::Reverse(ranges.len())));
    let mut paths: Vec<(BTreeSet<ColumnId>, Vec<ColumnId>)> = Vec::new();
    for (equal, ranges) in wanted {
        let mut known = equal.clone();
        known.extend(layout.tenant);
        if layout.access(&known, &ranges) != Access::Scan {
            continue;
        }
        let sortable = |column: &ColumnId| table.column(*column).not_null;
        let further: Vec<ColumnId> = match paths.iter().find(|(partition, _)| partition.is_subset(&equal)) {
            Some((partition, _)) => equal.difference(partition).copied().collect(),
            None => Vec::new(),
        };
        let further: Vec<ColumnId> = further.into_iter().chain(ranges).filter(sortable).collect();
        match paths.iter_mut().find(|(partition, _)| partition.is_subset(&equal)) {
            Some((_, sort)) if sort.is_empty() => sort.extend(further),
            Some(_) => {}
            None => paths.push((equal, further)),
        }
    }
    let path = |(partition, sort): (BTreeSet<ColumnId>, Vec<ColumnId>)| index_path(table, layout, &partition, sort);
    paths.into_iter().map(path).collect()
}

fn index_path(table: &Table, layout: &TableLayout, columns: &BTreeSet<ColumnId>, sort: Vec<ColumnId>) -> KeyPath {
    let mut partition = Vec::new();
    if let Some(tenant) = layout.tenant {
        partition.extend([Part::Word("t".to_owned()), Part::Column(tenant)]);
    }
    partition.push(Part::Word(layout.entity.clone()));
    for column in columns.iter().filter(|column| Some(**column) != layout.tenant) {
        partition.push(Part::Word(table.column(*column).name.clone()));
        partition.push(Part::Column(*column));
    }
    let mut sorted = sort;
    let key = table.primary_key.iter().filter(|column| !columns.contains(column));
    for column in key {
        if !sorted.contains(column) {
            sorted.push(*column);
        }
    }
    let mut sort: Vec<Part> = sorted.into_iter().map(Part::Column).collect();
    if sort.is_empty() {
        sort.push(Part::Word(layout.entity.clone()));
    }
    KeyPath { partition, sort }
}
