//! The row that is written: between the frame, where it is one of the statement's table, and the table that it is in.

use base::Value;

use super::Context;
use super::write_row::generate;
use crate::error::Fallible;
use crate::expr::Environment;
use crate::plan::{Leaf, Placement};
use crate::storage::LockMode;

pub(super) fn frame_row(slots: &[u32], cx: &Context<'_>) -> Vec<Value> {
    slots.iter().map(|slot| cx.run.frame[*slot as usize].clone()).collect()
}

/// The new row of the statement's table in the frame, as a row of the table that it goes to, whose generated columns
/// are computed in the frame, too. `old`: what it has besides.
pub(super) fn new_row(leaf: &Leaf, old: Option<&[Value]>, slots: &[u32], cx: &mut Context<'_>) -> Fallible<Vec<Value>> {
    let mut values = match (&leaf.columns, old) {
        (None, _) => frame_row(slots, cx),
        (Some(_), None) => leaf.row(&frame_row(slots, cx)),
        (Some(_), Some(old)) => {
            let mut values = old.to_vec();
            for (at, value) in frame_row(slots, cx).into_iter().enumerate() {
                if let Some(own) = leaf.column(at) {
                    values[own] = value;
                }
            }
            values
        }
    };
    if leaf.table.columns.iter().any(|column| column.generated().is_some()) {
        generate(&leaf.table, &mut values, cx.transaction_time())?;
        put(leaf, slots, &values, cx);
    }
    Ok(values)
}

/// The table that the row in the frame goes to, locked. `None`: suspended.
pub(super) fn place(
    table: usize,
    placement: Option<&Placement>,
    slots: &[u32],
    cx: &mut Context<'_>,
) -> Fallible<Option<Leaf>> {
    let root = cx.plan.table(table);
    let Some(placement) = placement else {
        return Ok(Some(Leaf::itself(root.clone())));
    };
    let now = cx.transaction_time();
    let mut row = frame_row(slots, cx);
    if root.partition_key.is_none() {
        generate(root, &mut row, now)?;
    }
    let leaf = placement.place(root, &row, now)?;
    let locked = cx.acquire(cx.session.relation_tag(leaf.table.id), LockMode::RowExclusive)?;
    Ok(locked.then_some(leaf))
}

/// A row of the table that it is in, as one of the statement's table into the frame.
pub(super) fn put(leaf: &Leaf, slots: &[u32], values: &[Value], cx: &mut Context<'_>) {
    for (at, slot) in slots.iter().enumerate() {
        if let Some(own) = leaf.column(at) {
            cx.run.frame[*slot as usize] = values[own].clone();
        }
    }
}
