//! Rows as items: their attributes, their keys, the guards that hold a key unique.

use program::{Attributes, Expression, Load, LogicalTable, Operator, Phrase, Read, RegisterId};
use scenario::{ColumnId, Schema, Table, TableId};

use super::Site;
use super::layout::{KeyPath, Part};

/// What stands for a column of a row.
pub(crate) type Value<'v> = &'v dyn Fn(ColumnId) -> Expression;

/// The sort key of a guard.
const GUARD: &str = "unique";

pub(crate) fn key_of(parts: &[Part], value: Value<'_>) -> Expression {
    Expression::Key(key_parts(parts, value))
}

pub(crate) fn key_parts(parts: &[Part], value: Value<'_>) -> Vec<Expression> {
    let part = |part: &Part| match part {
        Part::Word(word) => Expression::text(word),
        Part::Column(id) => value(*id),
        Part::Unique => Expression::RequestKey,
    };
    parts.iter().map(part).collect()
}

impl Site {
    /// The primary key of the item.
    pub(crate) fn key(&self, table: TableId, value: Value<'_>) -> Attributes {
        let base = &self.layout.table(table).base;
        self.key_attributes(key_of(&base.partition, value), key_of(&base.sort, value))
    }

    pub(crate) fn key_attributes(&self, partition: Expression, sort: Expression) -> Attributes {
        let names = &self.layout.names;
        vec![(names.partition.clone(), partition), (names.sort.clone(), sort)]
    }

    /// The whole item.
    pub(crate) fn item(&self, schema: &Schema, id: TableId, value: Value<'_>, revision: Expression) -> Attributes {
        let (table, layout, names) = (schema.table(id), self.layout.table(id), &self.layout.names);
        let mut item = self.key(id, value);
        item.push((names.entity.clone(), Expression::text(&table.full_name())));
        for (index, KeyPath { partition, sort }) in layout.secondary.iter().enumerate() {
            item.push((names.index_partition(index), key_of(partition, value)));
            item.push((names.index_sort(index), key_of(sort, value)));
        }
        let columns = table.columns.iter().zip(0..);
        item.extend(columns.map(|(column, number)| (column.name.as_str().into(), value(ColumnId(number)))));
        item.push((names.revision.clone(), revision));
        item
    }

    /// `unique#auth.users.email#a@example.org`
    pub(crate) fn guard_key(&self, table: &Table, columns: &[ColumnId], value: Value<'_>) -> Attributes {
        self.named_guard_key(&guard_name(table, columns), columns.iter().map(|id| value(*id)))
    }

    pub(crate) fn named_guard_key(&self, name: &str, values: impl Iterator<Item = Expression>) -> Attributes {
        let mut parts = vec![Expression::text(GUARD), Expression::text(name)];
        parts.extend(values);
        self.key_attributes(Expression::Key(parts), Expression::Key(vec![Expression::text(GUARD)]))
    }

    pub(crate) fn guard(&self, table: &Table, columns: &[ColumnId], value: Value<'_>) -> Attributes {
        let key = self.guard_key(table, columns, value);
        self.named_guard(&guard_name(table, columns), key)
    }

    pub(crate) fn named_guard(&self, name: &str, key: Attributes) -> Attributes {
        let mut item = key;
        let entity = format!("{GUARD} {name}");
        item.push((self.layout.names.entity.clone(), Expression::text(&entity)));
        item
    }

    /// `attribute_exists(#pk)`
    pub(crate) fn exists(&self) -> Phrase {
        self.about_key("attribute_exists(#pk)")
    }

    pub(crate) fn exists_not(&self) -> Phrase {
        self.about_key("attribute_not_exists(#pk)")
    }

    fn about_key(&self, text: &str) -> Phrase {
        Phrase {
            text: text.to_owned(),
            names: vec![("#pk".into(), self.layout.names.partition.clone())],
            values: Vec::new(),
        }
    }

    /// The item is as it was read.
    pub(crate) fn unchanged(&self, revision: Expression) -> Phrase {
        Phrase {
            text: "#revision = :revision".to_owned(),
            names: vec![("#revision".into(), self.layout.names.revision.clone())],
            values: vec![(":revision".into(), revision)],
        }
    }

    /// `SET #revision = #revision + :one`
    pub(crate) fn touch(&self) -> Phrase {
        Phrase {
            text: "SET #revision = #revision + :one".to_owned(),
            names: vec![("#revision".into(), self.layout.names.revision.clone())],
            values: vec![(":one".into(), Expression::int(1))],
        }
    }

    pub(crate) fn guarded(&self, table: TableId) -> &[Vec<ColumnId>] {
        if self.has(crate::Sabotage::WithoutGuards) {
            &[]
        } else {
            &self.layout.table(table).guards
        }
    }

    /// Where a table's rows are read back and loaded.
    pub(crate) fn logical_table(&self, schema: &Schema, id: TableId) -> LogicalTable {
        let table = schema.table(id);
        let value = |column: ColumnId| Expression::Register(RegisterId(column.0));
        let mut items = vec![self.item(schema, id, &value, Expression::int(0))];
        items.extend(
            self.guarded(id)
                .iter()
                .map(|columns| self.guard(table, columns, &value)),
        );
        let partial = self.partially_guarded(id).iter();
        items.extend(partial.map(|partial| self.partial_guard_of_row(table, partial, &value)));
        LogicalTable {
            name: table.full_name(),
            columns: table
                .columns
                .iter()
                .map(|column| (column.name.clone(), column.data_type))
                .collect(),
            reads: vec![Read::Items {
                table: self.table,
                with: (self.layout.names.entity.to_string(), table.full_name()),
                attributes: table.columns.iter().map(|column| column.name.clone()).collect(),
            }],
            loads: vec![Load::Items {
                table: self.table,
                items,
            }],
        }
    }
}

/// `auth.users.email`
pub(crate) fn guard_name(table: &Table, columns: &[ColumnId]) -> String {
    format!("{}.{}", table.full_name(), super::layout::names(table, columns))
}

pub(crate) fn next(revision: Expression) -> Expression {
    Expression::binary(Operator::Add, revision, Expression::int(1))
}
