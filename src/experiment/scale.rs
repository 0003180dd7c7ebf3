//! The same workload with fewer initial rows: explorations run hundreds of times and look at one
//! request, so a small population of the same shape will do.

use program::workload::Workload;

/// So many children of a row are kept at least: what stands first among them may mean something.
const CHILDREN: u64 = 4;

/// Scales every table's rows down so that none has more than `limit`, keeping so many children to a
/// parent; only where few parents have more children than that are there fewer. A table that fits is left as it is.
pub(crate) fn scaled(workload: &Workload, limit: u64) -> Workload {
    let mut scaled = workload.clone();
    for index in 0..scaled.tables.len() {
        let rows = match workload.tables[index].parent.clone() {
            Some(mut parent) => {
                let full = &workload.tables[usize::from(parent.table)];
                let parents = scaled.tables[usize::from(parent.table)].rows;
                let kept = (limit / parents.max(1)).max(CHILDREN);
                if parents == full.rows && parent.per <= kept {
                    workload.tables[index].rows
                } else {
                    if parents == full.rows {
                        parent.per = kept;
                    }
                    let rows = parents.saturating_mul(parent.per);
                    scaled.tables[index].parent = Some(parent);
                    rows
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
