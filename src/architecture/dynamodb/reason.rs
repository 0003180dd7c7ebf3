//! Why the table's keys are as they are, for people: a line per table, per index, per access pattern.

use scenario::{Scenario, Table};

use super::layout::{Access, KeyPath, Layout, Part, index_name, names};
use super::pattern::Pattern;
use super::size;

pub(crate) fn reasons(scenario: &Scenario, layout: &Layout) -> Vec<String> {
    let schema = &scenario.schema;
    let mut lines = Vec::new();
    for id in schema.ids() {
        let (table, placed) = (schema.table(id), layout.table(id));
        lines.push(format!(
            "{}: {}; {}",
            table.full_name(),
            path(table, &placed.base, "pk", "sk"),
            placed.reason
        ));
        for (index, secondary) in placed.secondary.iter().enumerate() {
            let name = index_name(index);
            let keys = path(table, secondary, &format!("{name}pk"), &format!("{name}sk"));
            lines.push(format!("{}: {keys}; the base key does not serve it", table.full_name()));
        }
        for partial in &placed.partial {
            lines.push(format!(
                "{} UNIQUE ({}) WHERE {}: a guard item for each row that is covered, outside of any tenant's partition",
                table.full_name(),
                names(table, &partial.columns),
                syntax::print_expr(&partial.filter)
            ));
        }
        for guard in &placed.guards {
            lines.push(format!(
                "{} UNIQUE ({}): a guard item per value, outside of any tenant's partition",
                table.full_name(),
                names(table, guard)
            ));
        }
    }
    let led = schema.ids().filter(|id| layout.table(*id).tenant.is_some());
    let led: Vec<String> = led.map(|id| schema.table(id).full_name()).collect();
    if !led.is_empty() {
        lines.push(format!(
            "the tenant leads the keys of {}: every pattern on them knows it, so dynamodb:LeadingKeys can enforce it",
            led.join(", ")
        ));
    }
    let mut seen: Vec<String> = Vec::new();
    for pattern in &layout.patterns {
        let line = served(scenario, layout, pattern);
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    lines.extend(seen);
    lines
}

/// `user_with_roles: permissions.user_roles by user_id → Query on the table`
fn served(scenario: &Scenario, layout: &Layout, pattern: &Pattern) -> String {
    let table = scenario.schema.table(pattern.table);
    let columns: Vec<_> = pattern.equal.iter().copied().collect();
    let by = if columns.is_empty() {
        "all".to_owned()
    } else {
        format!("by {}", names(table, &columns))
    };
    let how = match layout.serves(pattern) {
        Access::Get => "Get by the whole key".to_owned(),
        Access::Query { index: None } => "Query on the table, one item collection".to_owned(),
        Access::Query { index: Some(index) } => format!("Query on {}, eventually consistent", index_name(index)),
        Access::Scan => format!("needs a scan: {}", scan_cost(scenario, layout)),
    };
    format!("{}: {} {by} → {how}", pattern.operation, table.full_name())
}

/// `about 1,200 items, 45.5 read units each time`
pub(crate) fn scan_cost(scenario: &Scenario, layout: &Layout) -> String {
    let (items, bytes) = size::whole(scenario, layout);
    // Half a unit for each 4 KB, eventually consistent.
    let halves = bytes.div_ceil(4096);
    let units = if halves % 2 == 0 {
        (halves / 2).to_string()
    } else {
        format!("{}.5", halves / 2)
    };
    format!("it reads every item, at first about {items}, for about {units} read units")
}

fn path(table: &Table, path: &KeyPath, partition: &str, sort: &str) -> String {
    let written = |parts: &[Part]| {
        let part = |part: &Part| match part {
            Part::Word(word) => word.clone(),
            Part::Column(id) => format!("<{}>", table.column(*id).name),
            Part::Unique => "<unique>".to_owned(),
        };
        parts.iter().map(part).collect::<Vec<_>>().join("#")
    };
    format!(
        "{partition} = {}, {sort} = {}",
        written(&path.partition),
        written(&path.sort)
    )
}
