//! What designs weaken and cannot express, and what figures rest on.

use leptos::prelude::*;
use program::{Refusal, Weakening};

use crate::chart::figure::{DataTable, table};

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
        let body = if data.rows.is_empty() {
            view! { <p>{none}</p> }.into_any()
        } else {
            view! { <div class="scroll" tabindex="0" role="region" aria-label=title>{table(&data)}</div> }.into_any()
        };
        view! { <div class="card"><h3>{title}</h3>{body}</div> }
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
    view! {
        <div class="limits">
            {section("Constraints that a design weakens", "None in these designs.", weakened)}
            {section("What a design cannot express", "Everything in this scenario can be expressed.", refused)}
            {(!assumptions.is_empty()).then(|| view! {
                <div class="card"><h3>"What the figures rest on"</h3><ul>{assumptions.iter().map(assumption).collect_view()}</ul></div>
            })}
        </div>
    }
}
