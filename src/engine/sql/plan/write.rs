//! Plans of INSERT, UPDATE, DELETE.

use super::query::{Planner, compute};
use super::{
    ConflictPlan, ConflictUpdatePlan, DeletePlan, InsertPlan, Placement, PolicyCheck, Referencing, Returning,
    UpdatePlan,
};
use crate::bind::{BoundCheck, BoundDelete, BoundInsert, BoundUpdate, RangeTable, Target};
use crate::expr::{Bound, BoundKind, Program};
use crate::storage::RowLock;

/// What is known of the table that is written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) referencing: Referencing,
    pub(crate) placement: Option<Placement>,
}

pub(crate) fn plan_insert(insert: &BoundInsert, tables: &[RangeTable], written: Written) -> InsertPlan {
    let planner = Planner { tables };
    InsertPlan {
        table: insert.table,
        referencing: written.referencing,
        placement: written.placement,
        row_slots: insert.row_slots.clone(),
        source: insert.source.as_ref().map(|source| planner.query(source)),
        row: insert.row.iter().map(Program::new).collect(),
        checks: checks(&insert.checks),
        conflict: insert.conflict.as_ref().map(|conflict| ConflictPlan {
            arbiters: conflict.arbiters.clone(),
            update: conflict.update.as_ref().map(|update| ConflictUpdatePlan {
                existing: update.existing,
                new: update.new,
                new_slots: update.new_slots.clone(),
                assignments: assignments(&update.assignments),
                filter: update.filter.as_ref().map(Program::new),
                existing_checks: checks(&update.existing_checks),
                checks: checks(&update.checks),
                returning: returning(&update.returning),
            }),
        }),
        returning: returning(&insert.returning),
    }
}

pub(crate) fn plan_update(update: &BoundUpdate, tables: &[RangeTable], written: Written) -> UpdatePlan {
    let planner = Planner { tables };
    UpdatePlan {
        table: update.table,
        new: update.new,
        referencing: written.referencing,
        placement: written.placement,
        new_slots: update.new_slots.clone(),
        input: planner.from(&update.from, update.filter.clone()).0,
        recheck: planner.recheck(&update.from, &update.filter),
        assignments: assignments(&update.assignments),
        strength: strength(update, tables),
        checks: checks(&update.checks),
        returning: returning(&update.returning),
    }
}

/// An update of a column that a foreign key may refer to excludes those who check such keys.
fn strength(update: &BoundUpdate, tables: &[RangeTable]) -> RowLock {
    let target = &tables[update.table];
    let table = &target.table;
    let in_member = target.members.iter().any(|member| {
        let member = &tables[member.table];
        let own = |column: u16| {
            member
                .root_columns
                .as_ref()
                .map_or(Some(column), |own| own[usize::from(column)])
        };
        let written = update.assignments.iter().filter_map(|(column, _)| own(*column));
        let indexes = &member.table.indexes;
        let is_key = |column: u16| indexes.iter().any(|index| index.is_key() && index.covers(column));
        written.into_iter().any(is_key)
    });
    let is_key = |column: u16| table.indexes.iter().any(|index| index.is_key() && index.covers(column));
    let is_written = |column: u16| update.assignments.iter().any(|(written, _)| *written == column);
    let generated = table.live_columns().any(|(column, definition)| {
        let expression = definition.generated();
        is_key(column) && expression.is_some_and(|expression| expression.columns.iter().any(|read| is_written(*read)))
    });
    if in_member || generated || update.assignments.iter().any(|(column, _)| is_key(*column)) {
        RowLock::Update
    } else {
        RowLock::NoKeyUpdate
    }
}

pub(crate) fn plan_delete(delete: &BoundDelete, tables: &[RangeTable], written: Written) -> DeletePlan {
    let planner = Planner { tables };
    DeletePlan {
        table: delete.table,
        referencing: written.referencing,
        input: planner.from(&delete.from, delete.filter.clone()).0,
        recheck: planner.recheck(&delete.from, &delete.filter),
        returning: returning(&delete.returning),
    }
}

fn assignments(assignments: &[(u16, Bound)]) -> Vec<(u16, Program)> {
    assignments
        .iter()
        .map(|(column, value)| (*column, Program::new(value)))
        .collect()
}

fn checks(checks: &[BoundCheck]) -> Vec<PolicyCheck> {
    let plan = |check: &BoundCheck| PolicyCheck {
        policy: check.policy.clone(),
        existing: check.existing,
        condition: Program::new(&check.condition),
    };
    checks.iter().map(plan).collect()
}

fn returning(items: &[(Target, Bound)]) -> Returning {
    let computed: Vec<_> = items
        .iter()
        .filter(|(_, expression)| !matches!(expression.kind, BoundKind::Slot(_)))
        .map(|(target, expression)| (expression.clone(), target.slot))
        .collect();
    Returning {
        compute: compute(&computed),
        output: items.iter().map(|(target, _)| target.slot).collect(),
    }
}
