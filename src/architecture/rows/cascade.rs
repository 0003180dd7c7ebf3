//! Rows that refer to a deleted one, as they become.

use scenario::{ForeignKey, Table};
use syntax::identifier;

use super::reading::{REVISION, ids, stored, tracked};
use crate::sql::Text;
use crate::sql::text::qualified;

/// The referring rows as they become.
pub(crate) fn changed_with(table: &Table, key: &ForeignKey, cascade: bool, overlaid: bool) -> Text {
    let mut list: Vec<String> = Vec::new();
    for id in ids(table) {
        let column = table.column(id);
        list.push(if !cascade && key.columns.contains(&id) {
            let kind = crate::lower::definitions::short_type(column.data_type);
            format!("CAST(NULL AS {kind})")
        } else {
            identifier(&column.name)
        });
    }
    list.push(identifier(REVISION));
    for id in tracked(table) {
        let name = &table.column(id).name;
        list.push(identifier(&if overlaid { stored(name) } else { name.clone() }));
    }
    list.push(cascade.to_string());
    let from = qualified(&table.schema, &table.name);
    Text::new(format!("SELECT {} FROM {from}", list.join(", ")))
}
