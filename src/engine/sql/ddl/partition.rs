//! Partitioned tables and their partitions: keys, bounds, what a partition takes over, ATTACH and DETACH.

use std::sync::Arc;

use base::{Type, Value};
use syntax::{Expr, ExprKind, ObjectName, PartitionBy, PartitionStrategy, Span};

use super::Definer;
use super::table::shown;
use crate::bind::{Binder, RowClause};
use crate::catalog::{
    Edge, ForeignKey, Index, IndexColumn, IndexKey, PartitionBound, PartitionKey, PartitionMap, Table, order_of_bounds,
};
use crate::error::{Fallible, error, state, unsupported};
use crate::exec::partition_key_of;
use crate::storage::LockMode;

impl Definer<'_> {
    /// `PARTITION BY …` of a table whose columns are there.
    pub(super) fn partition_key(&mut self, table: &Table, by: &PartitionBy) -> Fallible<PartitionKey> {
        if by.strategy == PartitionStrategy::List && by.keys.len() != 1 {
            let message = "cannot use \"list\" partition strategy with more than one column";
            return Err(error(state::INVALID_OBJECT_DEFINITION, message));
        }
        let (mut keys, mut types) = (Vec::new(), Vec::new());
        for key in &by.keys {
            let (key, data_type) = self.partition_key_part(table, key)?;
            let hashed = matches!(data_type, Type::Int4 | Type::Int8 | Type::Text | Type::Bool);
            if data_type == Type::Jsonb || (by.strategy == PartitionStrategy::Hash && !hashed) {
                return Err(unsupported(format!("a partition key of type {}", data_type.name())));
            }
            keys.push(key);
            types.push(data_type);
        }
        Ok(PartitionKey {
            strategy: by.strategy,
            keys,
            types,
        })
    }

    fn partition_key_part(&mut self, table: &Table, key: &Expr) -> Fallible<(IndexKey, Type)> {
        if let ExprKind::Column(names) = &key.kind
            && let Some(name) = names.last()
        {
            let column = table.column(&name.text).ok_or_else(|| {
                let message = format!("column \"{}\" named in partition key does not exist", name.text);
                error(state::UNDEFINED_COLUMN, message).at(name.span)
            })?;
            let definition = &table.columns[usize::from(column)];
            if definition.generated().is_some() {
                let message = "cannot use generated column in partition key";
                return Err(error(state::INVALID_OBJECT_DEFINITION, message)
                    .detail(format!("Column \"{}\" is a generated column.", name.text))
                    .at(name.span));
            }
            return Ok((IndexKey::Column(column), definition.data_type));
        }
        let whole = Arc::new(table.clone());
        let expression = Binder::row_expression(self.names(), whole, key, RowClause::PartitionKey)?;
        let data_type = expression.bound.data_type.settled();
        Ok((IndexKey::Expression(Arc::new(expression)), data_type))
    }

    /// `FOR VALUES …` of a new partition of this table, if none is in its way.
    pub(super) fn partition_bound(
        &mut self,
        parent: &Table,
        name: &str,
        bound: &syntax::PartitionBound,
    ) -> Fallible<PartitionBound> {
        let Some(key) = parent.partition_key.clone() else {
            let message = format!("\"{}\" is not partitioned", parent.name);
            return Err(error(state::WRONG_OBJECT_TYPE, message));
        };
        let written = bound;
        let bound = self.evaluate_bound(&key, name, bound)?;
        let map = self.core.catalog.partition_map(parent, self.own());
        if let Some(other) = map.as_ref().and_then(|map| map.overlapping(&bound)) {
            let place = overlap_place(written, &bound, other);
            let message = if bound == PartitionBound::Default {
                format!(
                    "partition \"{name}\" conflicts with existing default partition \"{}\"",
                    other.name
                )
            } else {
                format!("partition \"{name}\" would overlap partition \"{}\"", other.name)
            };
            let refusal = error(state::INVALID_OBJECT_DEFINITION, message);
            return Err(match place {
                Some(place) => refusal.at(place),
                None => refusal,
            });
        }
        Ok(bound)
    }

    fn evaluate_bound(
        &mut self,
        key: &PartitionKey,
        name: &str,
        bound: &syntax::PartitionBound,
    ) -> Fallible<PartitionBound> {
        Ok(match (bound, key.strategy) {
            (syntax::PartitionBound::Default, PartitionStrategy::Hash) => {
                let message = "a hash-partitioned table may not have a default partition";
                return Err(error(state::INVALID_TABLE_DEFINITION, message));
            }
            (syntax::PartitionBound::Default, _) => PartitionBound::Default,
            (syntax::PartitionBound::In(values), PartitionStrategy::List) => {
                let mut list: Vec<Value> = Vec::new();
                for value in values {
                    let value = self.bound_value(value, key.types[0])?;
                    if !list.contains(&value) {
                        list.push(value);
                    }
                }
                PartitionBound::List(list)
            }
            (syntax::PartitionBound::Range { from, to }, PartitionStrategy::Range) => {
                let lower = self.range_bound(from, key, "FROM")?;
                let upper = self.range_bound(to, key, "TO")?;
                if order_of_bounds(&lower, &upper).is_ge() {
                    let message = format!("empty range bound specified for partition \"{name}\"");
                    let detail = format!(
                        "Specified lower bound {} is greater than or equal to upper bound {}.",
                        bound_text(&lower),
                        bound_text(&upper)
                    );
                    let place = from.first().map_or_else(Span::default, |first| first.span);
                    return Err(error(state::INVALID_OBJECT_DEFINITION, message)
                        .detail(detail)
                        .at(place));
                }
                PartitionBound::Range { lower, upper }
            }
            (syntax::PartitionBound::Hash { modulus, remainder }, PartitionStrategy::Hash) => {
                if *modulus == 0 {
                    let message = "modulus for hash partition must be an integer value greater than zero";
                    return Err(error(state::INVALID_TABLE_DEFINITION, message));
                }
                if remainder >= modulus {
                    let message = "remainder for hash partition must be less than modulus";
                    return Err(error(state::INVALID_TABLE_DEFINITION, message));
                }
                PartitionBound::Hash {
                    modulus: *modulus,
                    remainder: *remainder,
                }
            }
            (_, strategy) => {
                let strategy = match strategy {
                    PartitionStrategy::List => "list",
                    PartitionStrategy::Range => "range",
                    PartitionStrategy::Hash => "hash",
                };
                let message = format!("invalid bound specification for a {strategy} partition");
                return Err(error(state::INVALID_TABLE_DEFINITION, message));
            }
        })
    }

    fn range_bound(&mut self, values: &[Expr], key: &PartitionKey, clause: &str) -> Fallible<Vec<Edge>> {
        if values.len() != key.types.len() {
            let message = format!("{clause} must specify exactly one value per partitioning column");
            return Err(error(state::INVALID_TABLE_DEFINITION, message));
        }
        let mut edges = Vec::with_capacity(values.len());
        for (value, data_type) in values.iter().zip(&key.types) {
            edges.push(match &value.kind {
                ExprKind::Column(names) if names.len() == 1 && names[0].as_str() == "minvalue" => Edge::Least,
                ExprKind::Column(names) if names.len() == 1 && names[0].as_str() == "maxvalue" => Edge::Greatest,
                _ => match self.bound_value(value, *data_type)? {
                    Value::Null => {
                        let message = "cannot specify NULL in range bound";
                        return Err(error(state::INVALID_TABLE_DEFINITION, message));
                    }
                    value => Edge::At(value),
                },
            });
        }
        Ok(edges)
    }

    fn bound_value(&mut self, value: &Expr, data_type: Type) -> Fallible<Value> {
        if let ExprKind::Column(_) = value.kind {
            let message = "cannot use column reference in partition bound expression";
            return Err(error(state::INVALID_COLUMN_REFERENCE, message).at(value.span));
        }
        let bound = Binder::constant_of(self.names(), value, data_type)?;
        self.evaluate_constant(&bound)
    }

    /// The default partition must hold no row that a new partition takes.
    pub(super) fn check_default_partition(&mut self, parent: &Table, bound: &PartitionBound) -> Fallible<()> {
        let Some(map) = self.core.catalog.partition_map(parent, self.own()) else {
            return Ok(());
        };
        let Some(default) = map.default_part().cloned() else {
            return Ok(());
        };
        let mut parts = map.parts.clone();
        if !parts.iter().any(|part| part.bound.as_ref() == Some(bound)) {
            let mut one = (*default).clone();
            one.bound = Some(bound.clone());
            parts.push(Arc::new(one));
        }
        let map = PartitionMap::new(map.key.clone(), parts);
        self.check_routes(parent, &map, &default, &|goes_to, _| {
            let moves = goes_to.is_some_and(|part| part.bound.as_ref() == Some(bound));
            moves.then(|| {
                format!(
                    "updated partition constraint for default partition \"{}\" would be violated by some row",
                    default.name
                )
            })
        })
    }

    /// Asks of each row of a table, and of those below it, whether it may go where the map says; a message refuses it.
    fn check_routes(
        &mut self,
        parent: &Table,
        map: &PartitionMap,
        held: &Arc<Table>,
        refusal: &dyn Fn(Option<&Table>, &Table) -> Option<String>,
    ) -> Fallible<()> {
        let now = self.core.timestamp(self.session.transaction.started);
        for leaf in self.core.catalog.descendants(held, self.own()) {
            let columns = leaf.columns_of(parent);
            self.each_row(&leaf, &mut |values| {
                let own =
                    |column: &Option<u16>| column.map_or(Value::Null, |column| values[usize::from(column)].clone());
                let row: Vec<Value> = columns.iter().map(own).collect();
                let key = partition_key_of(&map.key, &row, now)?;
                let goes_to = map.route(&key).map(|at| &*map.parts[at]);
                match refusal(goes_to, &leaf) {
                    Some(message) => Err(error(state::CHECK_VIOLATION, message)),
                    None => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// Gives a partition the keys, indexes and foreign keys of its table that `before` had not.
    pub(super) fn adopt_keys(&mut self, mut part: Table, parent: &Table, before: &Table) -> Fallible<Table> {
        let columns = part.columns_of(parent);
        let own = |column: u16| columns[usize::from(column)].unwrap_or(column);
        for index in &parent.indexes {
            if before.indexes.iter().any(|known| known.name == index.name) {
                continue;
            }
            let adopted = self.adopted_index(&part, index, &own)?;
            if index.primary {
                for column in adopted.key_columns() {
                    self.require_not_null(&part, column)?;
                    part.columns[usize::from(column)].not_null = true;
                }
            }
            self.build_index(&part, &adopted)?;
            part.indexes.push(adopted);
        }
        for key in &parent.foreign_keys {
            if before.foreign_keys.iter().any(|known| known.name == key.name) {
                continue;
            }
            let adopted = ForeignKey {
                columns: key.columns.iter().map(|column| own(*column)).collect(),
                ..key.clone()
            };
            self.check_foreign_rows(&part, &adopted)?;
            part.foreign_keys.push(adopted);
        }
        Ok(part)
    }

    fn adopted_index(&mut self, part: &Table, index: &Index, own: &dyn Fn(u16) -> u16) -> Fallible<Index> {
        let mut columns = Vec::new();
        for key in &index.columns {
            let adopted = match &key.key {
                IndexKey::Column(column) => IndexKey::Column(own(*column)),
                IndexKey::Expression(expression) => {
                    let whole = Arc::new(part.clone());
                    let clause = RowClause::IndexExpression;
                    let bound = Binder::row_expression(self.names(), whole, &expression.expression, clause)?;
                    IndexKey::Expression(Arc::new(bound))
                }
            };
            columns.push(IndexColumn {
                key: adopted,
                order: key.order,
            });
        }
        let filter = match &index.filter {
            Some(filter) => {
                let whole = Arc::new(part.clone());
                let clause = RowClause::IndexCondition;
                Some(Binder::row_condition(self.names(), whole, &filter.expression, clause)?)
            }
            None => None,
        };
        let name = if index.constraint {
            let suffix = if index.primary { "pkey" } else { "key" };
            let named: Vec<u16> = columns.iter().filter_map(IndexColumn::column).collect();
            let named = if index.primary { &[][..] } else { &named[..] };
            self.constraint_name(part, None, named, suffix)?
        } else {
            self.derived_index_name(
                part,
                &columns,
                &index.included.iter().map(|column| own(*column)).collect::<Vec<_>>(),
            )
        };
        Ok(Index {
            id: (self.core.storage).create_index(self.xid, part.heap, part.key_of(&columns)),
            name,
            columns,
            part_of: Some(index.name.clone()),
            included: index.included.iter().map(|column| own(*column)).collect(),
            filter,
            ..index.clone()
        })
    }

    /// A unique key of a partitioned table is enforced part by part, so that it must say to which part a row belongs.
    pub(super) fn check_partition_key_in(&self, table: &Table, columns: &[u16], primary: bool) -> Fallible<()> {
        let Some(key) = &table.partition_key else {
            return Ok(());
        };
        let kind = if primary { "PRIMARY KEY" } else { "UNIQUE" };
        for part in &key.keys {
            match part {
                IndexKey::Expression(_) => {
                    let message = format!("unsupported {kind} constraint with partition key definition");
                    return Err(error(state::FEATURE_NOT_SUPPORTED, message).detail(format!(
                        "{kind} constraints cannot be used when partition keys include expressions."
                    )));
                }
                IndexKey::Column(column) if !columns.contains(column) => {
                    let message = "unique constraint on partitioned table must include all partitioning columns";
                    return Err(error(state::FEATURE_NOT_SUPPORTED, message).detail(format!(
                        "{kind} constraint on table \"{}\" lacks column \"{}\" which is part of the partition key.",
                        table.name,
                        table.columns[usize::from(*column)].name
                    )));
                }
                IndexKey::Column(_) => {}
            }
        }
        Ok(())
    }

    /// ATTACH PARTITION. `None`: waits for a lock.
    pub(super) fn attach(
        &mut self,
        parent: Table,
        name: &ObjectName,
        bound: &syntax::PartitionBound,
    ) -> Fallible<Option<Table>> {
        let part = self.table(name)?;
        self.must_own(&part)?;
        if !self.lock(part.id, LockMode::AccessExclusive)? {
            return Ok(None);
        }
        if part.bound.is_some() {
            let message = format!("\"{}\" is already a partition", part.name);
            return Err(error(state::WRONG_OBJECT_TYPE, message));
        }
        if !part.parents.is_empty() {
            return Err(error(
                state::WRONG_OBJECT_TYPE,
                "cannot attach inheritance child as partition",
            ));
        }
        let mut part = (*part).clone();
        for (_, column) in part.live_columns() {
            if parent.column(&column.name).is_none() {
                let message = format!(
                    "table \"{}\" contains column \"{}\" not found in parent \"{}\"",
                    part.name, column.name, parent.name
                );
                return Err(error(state::DATATYPE_MISMATCH, message)
                    .detail("The new partition may contain only the columns present in parent."));
            }
        }
        let bound = self.partition_bound(&parent, &part.name, bound)?;
        for (_, column) in parent.live_columns() {
            let Some(own) = part.column(&column.name) else {
                let message = format!("child table is missing column \"{}\"", column.name);
                return Err(error(state::DATATYPE_MISMATCH, message));
            };
            let own = &part.columns[usize::from(own)];
            if own.data_type != column.data_type {
                let message = format!(
                    "child table \"{}\" has different type for column \"{}\"",
                    part.name, column.name
                );
                return Err(error(state::DATATYPE_MISMATCH, message));
            }
            if column.not_null && !own.not_null {
                let message = format!("column \"{}\" in child table must be marked NOT NULL", column.name);
                return Err(error(state::DATATYPE_MISMATCH, message));
            }
        }
        for check in &parent.checks {
            if !part.checks.iter().any(|own| own.name == check.name) {
                let message = format!("child table is missing constraint \"{}\"", check.name);
                return Err(error(state::DATATYPE_MISMATCH, message));
            }
        }
        self.check_default_partition(&parent, &bound)?;
        self.check_rows_within(&parent, &Arc::new(part.clone()), &bound)?;
        part.parents = vec![parent.id];
        part.bound = Some(bound);
        let nothing = Table {
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            ..parent.clone()
        };
        // An index that is the same is taken; others are built.
        let mut have = nothing.clone();
        for index in &parent.indexes {
            let columns = part.columns_of(&parent);
            let same = |own: &Index| {
                let keys = index
                    .columns
                    .iter()
                    .map(|key| key.column().and_then(|column| columns[usize::from(column)]));
                let plain = keys.eq(own.columns.iter().map(IndexColumn::column));
                plain
                    && own.unique == index.unique
                    && own.filter.is_none()
                    && index.filter.is_none()
                    && own.part_of.is_none()
                    && own.constraint == index.constraint
                    && own.primary == index.primary
            };
            if let Some(own) = part.indexes.iter_mut().find(|own| same(own)) {
                own.part_of = Some(index.name.clone());
                have.indexes.push(index.clone());
            }
        }
        let part = self.adopt_keys(part, &parent, &have)?;
        let (was, part) = (part.clone(), self.alter(part));
        if part.has_children {
            let without = Table {
                indexes: Vec::new(),
                foreign_keys: Vec::new(),
                ..was
            };
            for child in self.core.catalog.children(&part, self.own()) {
                let child = self.adopt_keys((*child).clone(), &part, &without)?;
                self.alter(child);
            }
        }
        let mut parent = parent;
        parent.has_children = true;
        Ok(Some((*self.alter(parent)).clone()))
    }

    /// Every row of a table that becomes a partition must be one that it takes.
    fn check_rows_within(&mut self, parent: &Table, part: &Arc<Table>, bound: &PartitionBound) -> Fallible<()> {
        let Some(map) = self.core.catalog.partition_map(parent, self.own()) else {
            return Ok(());
        };
        let mut parts = map.parts.clone();
        let mut one = (**part).clone();
        one.bound = Some(bound.clone());
        parts.push(Arc::new(one));
        let map = PartitionMap::new(map.key.clone(), parts);
        self.check_routes(parent, &map, part, &|goes_to, leaf| {
            let stays = goes_to.is_some_and(|to| to.id == part.id);
            (!stays).then(|| {
                format!(
                    "partition constraint of relation \"{}\" is violated by some row",
                    leaf.name
                )
            })
        })
    }

    /// DETACH PARTITION. `None`: waits for a lock.
    pub(super) fn detach(&mut self, parent: Table, name: &ObjectName) -> Fallible<Option<Table>> {
        if parent.partition_key.is_none() {
            let message = format!("table \"{}\" is not partitioned", parent.name);
            return Err(error(state::WRONG_OBJECT_TYPE, message));
        }
        let part = self.table(name)?;
        if part.bound.is_none() || !part.parents.contains(&parent.id) {
            let message = format!(
                "relation \"{}\" is not a partition of relation \"{}\"",
                part.name, parent.name
            );
            return Err(error(state::UNDEFINED_TABLE, message));
        }
        if !self.lock(part.id, LockMode::AccessExclusive)? {
            return Ok(None);
        }
        let referencing = self.core.catalog.referencing_itself(&parent, self.own());
        if let Some((child, _)) = referencing.first() {
            return Err(unsupported(format!(
                "DETACH PARTITION of a table that {} refers to",
                shown(child)
            )));
        }
        let mut part = (*part).clone();
        part.parents.clear();
        part.bound = None;
        for index in &mut part.indexes {
            index.part_of = None;
        }
        self.alter(part);
        Ok(Some(parent))
    }
}

/// Where a bound begins to overlap another partition's.
fn overlap_place(written: &syntax::PartitionBound, bound: &PartitionBound, other: &Table) -> Option<Span> {
    match (written, bound, &other.bound) {
        (syntax::PartitionBound::In(written), PartitionBound::List(values), Some(PartitionBound::List(others))) => {
            let at = values.iter().position(|value| others.contains(value))?;
            written.get(at).map(|value| value.span)
        }
        (
            syntax::PartitionBound::Range { from, to },
            PartitionBound::Range { lower, .. },
            Some(PartitionBound::Range { lower: other, .. }),
        ) => {
            let within = order_of_bounds(lower, other).is_ge();
            let place = if within { from } else { to };
            place.first().map(|value| value.span)
        }
        _ => None,
    }
}

fn bound_text(bound: &[Edge]) -> String {
    let part = |edge: &Edge| match edge {
        Edge::Least => "MINVALUE".to_owned(),
        Edge::Greatest => "MAXVALUE".to_owned(),
        Edge::At(value @ (Value::Text(_) | Value::Date(_) | Value::Timestamptz(_))) => format!("'{value}'"),
        Edge::At(value) => value.to_string(),
    };
    format!("({})", bound.iter().map(part).collect::<Vec<_>>().join(", "))
}
