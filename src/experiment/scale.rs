//! The same workload with fewer initial rows: explorations run hundreds of times and look at one
//! request, so a small population of the same shape will do.

use program::workload::Workload;

/// Scales every table's rows down so that none has more than `limit`, keeping so many children to a
/// parent. A table that fits is left as it is.
pub(crate) fn scaled(workload: &Workload, limit: u64) -> Workload {
    let mut scaled = workload.clone();
    for index in 0..scaled.tables.len() {
        let rows = match &scaled.tables[index].parent {
            Some(parent) => {
                let (full, per) = (&workload.tables[usize::from(parent.table)], parent.per);
                let parents = scaled.tables[usize::from(parent.table)].rows;
                if parents == full.rows {
                    workload.tables[index].rows
                } else {
                    parents.saturating_mul(per)
                }
            }
            // Operations rely on the row that each tenant has.
            None if workload.tables[index].one_each => workload.tables[index].rows,
            None => workload.tables[index].rows.min(limit),
        };
        scaled.tables[index].rows = rows;
    }
    scaled
}
