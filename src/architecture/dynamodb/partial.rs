//! Partial unique indexes: a guard item for the values of each row that fulfils the condition, of no other.
//!
//! ```text
//! UNIQUE (bed) WHERE left_at IS NULL      unique#care.stays.bed WHERE left_at IS NULL#bed-7#true
//! ```
//!
//! A change takes the values of rows that come to fulfil it, and frees those of rows that no longer do.

use program::{Attributes, Block, EachRow, Expression, ItemWrite, TransactedWrite, WriteAction};
use scenario::{ColumnId, Table, TableId};
use syntax::{identifier, print_expr};

use super::Site;
use super::commit::Guard;
use super::operation::Writer;
use super::reading::{GONE, REVISION, stored};
use super::row::Value;
use super::work::TableWork;
use super::write_once;
use crate::Sabotage;
use crate::lower::builder::register;
use crate::rows::partial::Partial;

impl Site {
    pub(crate) fn partially_guarded(&self, table: TableId) -> &[Partial] {
        if self.has(Sabotage::WithoutGuards) {
            &[]
        } else {
            &self.layout.table(table).partial
        }
    }

    fn partial_key(&self, table: &Table, partial: &Partial, value: Value<'_>, covered: Expression) -> Attributes {
        let name = partial.name(table);
        let columns = partial.columns.iter().map(|id| value(*id));
        self.named_guard_key(&name, columns.chain([covered]))
    }

    /// For the first rows: an item without a key where the row is not covered.
    pub(crate) fn partial_guard_of_row(&self, table: &Table, partial: &Partial, value: Value<'_>) -> Attributes {
        let null = Expression::Constant(base::Value::Null);
        let covered = partial.covered(table, value).unwrap_or(null);
        let key = self.partial_key(table, partial, value, covered);
        self.named_guard(&partial.name(table), key)
    }
}

impl Writer<'_, '_> {
    pub(crate) fn partial_guards(
        &mut self,
        id: TableId,
        work: &TableWork,
        steps: &mut Block,
        writes: &mut Vec<TransactedWrite>,
    ) {
        let scenario = self.assembly.scenario;
        let table = scenario.schema.table(id);
        for partial in self.site.partially_guarded(id) {
            let moves = partial.watched(table).iter().any(|id| work.assigned.contains(id));
            if !moves && !work.inserts && !work.deletes {
                continue;
            }
            for guard in [Guard::Take, Guard::Free] {
                let Some(each) = self.partial_keys(id, partial, guard, steps) else {
                    continue;
                };
                let value = |column: ColumnId| {
                    let place = partial.columns.iter().position(|known| *known == column).unwrap_or(0);
                    register(each.bind[place])
                };
                let covered = Expression::Constant(base::Value::Bool(true));
                let key = self.site.partial_key(table, partial, &value, covered);
                let (action, condition) = match guard {
                    Guard::Take => {
                        let item = self.site.named_guard(&partial.name(table), key);
                        let condition = self.must_be_new(table, &partial.columns, false);
                        (WriteAction::Put { item }, Some(condition))
                    }
                    Guard::Free => (WriteAction::Delete { key }, None),
                };
                writes.push(write_once(Some(each), ItemWrite { action, condition }));
            }
        }
    }

    fn partial_keys(&mut self, id: TableId, partial: &Partial, guard: Guard, steps: &mut Block) -> Option<EachRow> {
        let table = self.assembly.scenario.schema.table(id);
        let names = |name: &dyn Fn(&str) -> String| -> String {
            let names = partial
                .columns
                .iter()
                .map(|id| identifier(&name(&table.column(*id).name)));
            names.collect::<Vec<_>>().join(", ")
        };
        let (revision, gone) = (identifier(REVISION), identifier(GONE));
        let taken = format!(
            "SELECT {} FROM written.rows WHERE NOT {gone} AND ({})",
            names(&str::to_owned),
            print_expr(&partial.filter)
        );
        let freed = format!(
            "SELECT {} FROM written.rows WHERE {revision} IS NOT NULL AND ({})",
            names(&stored),
            partial.before(table)
        );
        let sql = match guard {
            Guard::Take => format!("{taken} EXCEPT ALL {freed}"),
            Guard::Free => format!("{freed} EXCEPT ALL {taken}"),
        };
        self.guard_values(id, &partial.columns, guard, &partial.name(table), &sql, steps)
    }
}
