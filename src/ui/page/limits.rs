//! What designs weaken and cannot express, and what figures rest on.

use leptos::prelude::*;
use program::{Refusal, Weakening};

use crate::chart::figure::{DataTable, table};
use crate::format::count;

/// One design's limits.
pub(crate) struct Limited {
    pub(crate) title: String,
    pub(crate) weakened: Vec<Weakening>,
    pub(crate) refusals: Vec<Refusal>,
}

/// What the designs weaken and refuse, and what the figures rest on.
#[component]
pub(crate) fn Limits(designs: Vec<Limited>, assumptions: Vec<(String, String)>) -> impl IntoView {
    let mut weakened = DataTable::new(&["Constraint", "design", "becomes", "why"]);
    let mut refused = DataTable::new(&["Statement", "design", "place", "why"]);
    for design in &designs {
        weakened.rows.extend(design.weakened.iter().map(|weakening| {
            vec![
                weakening.constraint.clone(),
                design.title.clone(),
                weakening.becomes.clone(),
                weakening.reason.clone(),
            ]
        }));
        refused.rows.extend(design.refusals.iter().map(|refusal| {
            let reason = refusal
                .hint
                .as_ref()
                .map_or(refusal.reason.clone(), |hint| format!("{} ({hint})", refusal.reason));
            let place = format!("line {}, column {}", refusal.line, refusal.column);
            vec![refusal.statement.clone(), design.title.clone(), place, reason]
        }));
    }
    let section = |title: &'static str, none: &'static str, data: DataTable| {
        let number = data.rows.len() as u64;
        if number == 0 {
            return view! { <div class="card"><h3>{title}</h3><p>{none}</p></div> }.into_any();
        }
        view! {
            <details class="card"><summary><h3>{title}</h3> <span class="hint">{count(number)}</span></summary>
                <div class="scroll" tabindex="0" role="region" aria-label=title>{table(&data)}</div>
            </details>
        }
        .into_any()
    };
    let assumption = |(figure, source): &(String, String)| {
        // What is assumed wholly or in part wears the weaker word.
        let (class, word) = if source.contains("assumed") {
            ("tag assumed", "assumed")
        } else {
            ("tag modelled", "sourced")
        };
        let why = source
            .trim_start_matches("assumed")
            .trim_start_matches(':')
            .trim()
            .to_owned();
        view! { <li><code>{figure.clone()}</code> <span class=class>{word}</span> <small>{why}</small></li> }
    };
    let guessed = assumptions
        .iter()
        .filter(|(_, source)| source.contains("assumed"))
        .count() as u64;
    let assumed = format!(
        "{} of {} assumed, wholly or in part",
        count(guessed),
        count(assumptions.len() as u64)
    );
    view! {
        <div class="limits">
            {section("Constraints that a design weakens", "None in these designs.", weakened)}
            {section("What a design cannot express", "Everything in this scenario can be expressed.", refused)}
            {(!assumptions.is_empty()).then(|| view! {
                <details class="card"><summary><h3>"What the figures rest on"</h3> <span class="hint">{assumed}</span></summary>
                    <ul>{assumptions.iter().map(assumption).collect_view()}</ul>
                </details>
            })}
        </div>
    }
}
