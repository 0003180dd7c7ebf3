//! Foreign keys: rows that must be there are looked up before others refer to them. Nothing keeps them there.

use std::collections::{BTreeMap, BTreeSet};

use base::Type;
use program::{Block, ComposeTable, ErrorClass, Expression, Into, Operator, RegisterId, Role};
use scenario::{ColumnId, ForeignKey, TableId};
use syntax::identifier;

use super::REVISION_TYPE;
use super::apply::equal;
use super::fetch::{Known, overlay};
use super::operation::Writer;
use crate::lower::builder::{Mark, register};
use crate::lower::statement;
use crate::rows::check::reference_message;
use crate::rows::keys::{those_wanted, wanted_keys};
use crate::rows::reading::{read_columns, written_columns};
use crate::rows::rows_table;
use crate::sql::Text;

impl Writer<'_, '_> {
    /// The rows that new rows, or the changed columns of old ones, refer to.
    pub(crate) fn references(
        &mut self,
        index: u16,
        id: TableId,
        rows: RegisterId,
        assigned: Option<&BTreeSet<ColumnId>>,
    ) -> Block {
        let scenario = self.assembly.scenario;
        let keys = &scenario.schema.table(id).foreign_keys;
        let concerned = |key: &&ForeignKey| assigned.is_none_or(|set| key.columns.iter().any(|id| set.contains(id)));
        let each = keys.iter().filter(concerned);
        each.flat_map(|key| self.must_be_there(index, id, key, rows)).collect()
    }

    fn must_be_there(&mut self, index: u16, id: TableId, key: &ForeignKey, rows: RegisterId) -> Block {
        let scenario = self.assembly.scenario;
        let (table, parent) = (scenario.schema.table(id), scenario.schema.table(key.table));
        let mut pairs: Vec<(ColumnId, String)> = key
            .referenced
            .iter()
            .zip(&key.columns)
            .map(|(theirs, own)| (*theirs, table.column(*own).name.clone()))
            .collect();
        if let (Some(theirs), Some(own)) = (self.site.layout.table(key.table).tenant, table.tenant)
            && !key.referenced.contains(&theirs)
        {
            pairs.push((theirs, table.column(own).name.clone()));
        }
        let name = self.fresh(&format!("rows of {} that are referred to", parent.full_name()));
        let there = self.builder.rows(&name);
        let changed = || rows_table("changed.rows", written_columns(table, REVISION_TYPE), rows);
        let mut steps = self.rows_with(index, key.table, &pairs, changed(), "true", there);
        let names: Vec<(String, String)> = pairs
            .iter()
            .map(|(theirs, own)| (parent.column(*theirs).name.clone(), own.clone()))
            .collect();
        let known: Vec<String> = names
            .iter()
            .map(|(_, own)| format!("c.{} IS NOT NULL", identifier(own)))
            .collect();
        let missing = |of: &str| format!("NOT EXISTS (SELECT 1 FROM {of} AS p WHERE {})", equal(&names, "p", "c"));
        let mut sql = format!(
            "SELECT 1 FROM changed.rows AS c WHERE {} AND {}",
            known.join(" AND "),
            missing("parent.rows")
        );
        if key.table == id {
            sql.push_str(&format!(" AND {}", missing("changed.rows")));
        }
        let name = self.fresh("references to nothing");
        let count = self.builder.value(&name, Type::Int8);
        let sources = vec![
            changed(),
            rows_table("parent.rows", read_columns(parent, REVISION_TYPE), there),
        ];
        let mark = Mark::new(format!("what must be in {}", parent.full_name()), Role::Work).from(index);
        let into = Into::Count(count);
        steps.push(statement::compose(
            &mut self.builder,
            mark,
            sources,
            &Text::new(sql),
            into,
        ));
        let message = Expression::text(&reference_message(table, key, parent));
        let fail = self.builder.fail(ErrorClass::Refused, message);
        let some = Expression::binary(Operator::Greater, register(count), Expression::int(0));
        steps.push(self.builder.when("if one refers to nothing", some, vec![fail]));
        steps
    }

    /// The rows of a table whose columns have the values of other columns of a row set.
    pub(crate) fn rows_with(
        &mut self,
        index: u16,
        id: TableId,
        pairs: &[(ColumnId, String)],
        source: ComposeTable,
        condition: &str,
        into: RegisterId,
    ) -> Block {
        let schema = &self.assembly.scenario.schema;
        let table = schema.table(id);
        let own: Vec<ColumnId> = pairs.iter().map(|(column, _)| *column).collect();
        let mut steps = Block::new();
        let each = wanted_keys(&mut self.builder, index, table, pairs, source, condition, &mut steps);
        let keys = each.rows;
        let equal: BTreeMap<ColumnId, Expression> = own
            .iter()
            .zip(&each.bind)
            .map(|(column, bound)| (*column, register(*bound)))
            .collect();
        let mut known = Known {
            equal,
            each: Some(each),
        };
        let objects = self.objects();
        objects.add_tenant(id, &mut self.builder, &mut known);
        let layout = self.site.layout.table(id);
        let leading = layout.parts.iter().take_while(|part| known.equal.contains_key(part));
        let told_apart: Vec<&ColumnId> = leading.collect();
        let exact = own.iter().all(|column| told_apart.contains(&column));
        if told_apart.iter().all(|part| !own.contains(part)) {
            // The same prefix for each of the keys: once is enough.
            known.each = None;
            known.equal.retain(|column, _| !own.contains(column));
        }
        steps.extend(objects.look_up(schema, &mut self.builder, index, id, &known, into));
        let pending = self.pending.get(&id).copied();
        if let Some(pending) = pending {
            steps.push(overlay(&mut self.builder, index, table, pending, into, into));
        }
        if !exact || pending.is_some() {
            let columns = read_columns(table, REVISION_TYPE);
            steps.push(those_wanted(&mut self.builder, index, table, columns, &own, keys, into));
        }
        steps
    }
}
