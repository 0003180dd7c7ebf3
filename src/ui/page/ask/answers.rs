//! Both answers, statement by statement: the same, differing, or differing as it is known.

use std::collections::BTreeMap;

use leptos::prelude::*;
use program::SqlAnswer;
use report::VersionDifferences;

use super::asking::{Answers, AskedDatabase, AskedStatement};
use crate::chart::figure::{DataTable, table};
use crate::format::{count, plural};

/// Tenants and rows that are listed, at most.
const MOST_TENANTS: usize = 8;
const MOST_ROWS: usize = 5;

pub(super) fn view(answers: &Answers) -> impl IntoView + use<> {
    let statements = || answers.databases.iter().flat_map(|database| &database.statements);
    let differing = statements().filter(|asked| !asked.agrees()).count() as u64;
    let all = statements().count() as u64;
    let verdict = if differing == 0 {
        format!(
            "The same answers to {}, whatever the order of the rows.",
            plural(all, "statement", "statements")
        )
    } else {
        format!("{} of {all} statements are answered differently.", count(differing))
    };
    let version = answers.version.split(" on ").next().unwrap_or_default().to_owned();
    let several = (answers.databases.len() > 1).then(|| {
        view! { <p class="hint">"Its databases were asked one after the other; what the application makes of their rows was not asked."</p> }
    });
    view! {
        <div class="answers">
            <p class:bad=differing != 0><b>{verdict}</b> " " <span class="tag checked">{version}</span></p>
            {several}
            {answers.databases.iter().map(|asked| database(asked, answers)).collect_view()}
            {known(&answers.known)}
        </div>
    }
}

fn database(asked: &AskedDatabase, answers: &Answers) -> impl IntoView + use<> {
    let column = answers.tenant_column.as_deref();
    let counted = asked
        .statements
        .iter()
        .rev()
        .find_map(|asked| by_tenant(asked, column?));
    let counted = counted.map(|data| {
        let label = format!("Rows by tenant, {}", asked.name);
        view! { <div class="scroll" tabindex="0" role="region" aria-label=label>{table(&data)}</div> }
    });
    let statements = asked.statements.iter();
    let statements = statements.map(|asked| statement(asked, &answers.known)).collect_view();
    view! {
        <h4>{asked.name.clone()}</h4>
        {counted}
        <ol class="asked">{statements}</ol>
    }
}

/// Rows by tenant in both answers, the most first; `None` if neither says whose rows they are.
fn by_tenant(asked: &AskedStatement, column: &str) -> Option<DataTable> {
    let (ours, theirs) = (asked.ours.by(column), asked.theirs.by(column));
    if ours.is_empty() && theirs.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (tenant, rows) in &ours {
        counts.entry(tenant).or_default().0 = *rows;
    }
    for (tenant, rows) in &theirs {
        counts.entry(tenant).or_default().1 = *rows;
    }
    let mut counts: Vec<(&str, (u64, u64))> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (ours, theirs))| std::cmp::Reverse((*ours).max(*theirs)));
    let mut data = DataTable::new(&["Tenant", "rows here", "rows in PostgreSQL"]);
    let mut row = |name: String, (ours, theirs): (u64, u64)| data.rows.push(vec![name, count(ours), count(theirs)]);
    let rest = counts.split_off(counts.len().min(MOST_TENANTS));
    for (tenant, rows) in &counts {
        row((*tenant).to_owned(), *rows);
    }
    let sum = |(a, b): (u64, u64), (_, (ours, theirs)): &(&str, (u64, u64))| (a + ours, b + theirs);
    if !rest.is_empty() {
        row(format!("{} others", rest.len()), rest.iter().fold((0, 0), sum));
    }
    let all = counts.iter().chain(&rest).fold((0, 0), sum);
    row("all".to_owned(), all);
    Some(data)
}

impl AskedStatement {
    fn agrees(&self) -> bool {
        self.ours.agrees_with(&self.theirs)
    }
}

fn statement(asked: &AskedStatement, known: &VersionDifferences) -> impl IntoView + use<> {
    let agrees = asked.agrees();
    let heard = if agrees {
        view! { <span>"= " {summary(&asked.ours)}</span> }.into_any()
    } else {
        let reason = known.explain(&asked.ours, &asked.theirs);
        let reason = match reason {
            Some(known) => format!("A known difference between the versions: {}", known.reason),
            None => "Not a difference that is known between the versions.".to_owned(),
        };
        view! {
            <span class="bad">"≠ here: " {summary(&asked.ours)} "; PostgreSQL: " {summary(&asked.theirs)} ". " {reason}</span>
        }
        .into_any()
    };
    let rows = sample(asked).map(|(ours, theirs)| {
        view! {
            <details><summary>"Some of the rows"</summary>
                <div class="pair">
                    <div class="scroll" tabindex="0" role="region" aria-label="Rows here"><p class="hint">"here"</p>{table(&ours)}</div>
                    <div class="scroll" tabindex="0" role="region" aria-label="Rows in PostgreSQL"><p class="hint">"PostgreSQL"</p>{table(&theirs)}</div>
                </div>
            </details>
        }
    });
    view! { <li class:differs=!agrees><code>{asked.sql.clone()}</code> {heard} {rows}</li> }
}

fn summary(answer: &SqlAnswer) -> String {
    match answer {
        SqlAnswer::Rows { rows, .. } => plural(rows.len() as u64, "row", "rows"),
        SqlAnswer::Done { rows: 0 } => "done".to_owned(),
        SqlAnswer::Done { rows } => format!("{} changed", plural(*rows, "row", "rows")),
        SqlAnswer::Refused { sqlstate, message } => format!("{message} ({sqlstate})"),
    }
}

/// The first rows of both, in one order.
fn sample(asked: &AskedStatement) -> Option<(DataTable, DataTable)> {
    let first = |answer: &SqlAnswer| match answer {
        SqlAnswer::Rows { columns, rows } if !rows.is_empty() => {
            let mut sorted: Vec<&Vec<Option<String>>> = rows.iter().collect();
            sorted.sort_unstable();
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
            Some(DataTable {
                header: columns.clone(),
                rows: sorted
                    .iter()
                    .take(MOST_ROWS)
                    .map(|row| row.iter().map(text).collect())
                    .collect(),
            })
        }
        _ => None,
    };
    let (ours, theirs) = (first(&asked.ours), first(&asked.theirs));
    (ours.is_some() || theirs.is_some()).then(|| (ours.unwrap_or_default(), theirs.unwrap_or_default()))
}

fn known(known: &VersionDifferences) -> impl IntoView + use<> {
    let mut data = DataTable::new(&["Why", &known.older, &known.newer, "seen in"]);
    for difference in &known.differences {
        data.rows.push(vec![
            difference.reason.clone(),
            difference.older.join("\n"),
            difference.newer.join("\n"),
            difference.script.clone(),
        ]);
    }
    let title = format!(
        "{} known between the versions",
        plural(known.differences.len() as u64, "difference is", "differences are")
    );
    view! {
        <details class="known"><summary>{title}</summary>
            <p class="hint">"Our engine follows " {known.older.clone()} ". All golden scripts were run on both: these lines differ, no others."</p>
            <div class="scroll" tabindex="0" role="region" aria-label="Known differences">{table(&data)}</div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_beyond_the_first_are_summed() {
        let answer = |more: usize| SqlAnswer::Rows {
            columns: vec!["tenant_id".to_owned()],
            rows: (0..12 + more).map(|row| vec![Some((row % 12).to_string())]).collect(),
        };
        let asked = AskedStatement {
            sql: String::new(),
            ours: answer(0),
            theirs: answer(1),
        };
        let data = by_tenant(&asked, "tenant_id").expect("rows by tenant");
        assert_eq!(data.rows.len(), MOST_TENANTS + 2);
        assert_eq!(data.rows[0], ["0", "1", "2"]);
        assert_eq!(data.rows[MOST_TENANTS], ["4 others", "4", "4"]);
        assert_eq!(data.rows[MOST_TENANTS + 1], ["all", "12", "13"]);
        assert!(!asked.agrees() && by_tenant(&asked, "owner").is_none());
    }
}
