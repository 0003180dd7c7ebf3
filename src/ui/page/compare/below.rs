//! Below the board: whole distributions of latencies, what designs weaken and cannot express, what rests on assumptions.

use std::sync::Arc;

use leptos::prelude::*;
use report::{Board, BoardRow, Evidence, Latency};

use super::columns::columns;
use super::frames::one_by_one;
use crate::chart::figure::DataTable;
use crate::format::modelled;
use crate::lab::lab;
use crate::page::lab::latency::{ByDesign, distribution, percentiles};
use crate::page::limits::{Limited, Limits};

#[component]
pub(super) fn Below(drawn: RwSignal<bool>) -> impl IntoView {
    let lab = lab();
    let board = Memo::new(move |_| {
        lab.findings
            .compared
            .with(|compared| compared.as_ref().map(|compared| compared.board.clone()))
    });
    let pieces = Memo::new(move |_| {
        if drawn.get() && board.with(Option::is_some) {
            2
        } else {
            0
        }
    });
    let begun = one_by_one(pieces, || ());
    let piece = move |place: usize, draw: fn(&Arc<Board>, &[usize]) -> AnyView| {
        let its_turn = Memo::new(move |_| begun.get() > place);
        move || {
            let board = board.get().filter(|_| its_turn.get())?;
            let shown = columns(&board, lab.choices.designs.get().as_ref());
            Some(draw(&board, &shown))
        }
    };
    view! { <div class="below">{piece(0, latencies)} {piece(1, limits)}</div> }
}

fn latency_of(row: &BoardRow, column: usize) -> Option<Latency> {
    row.cells.get(column)?.evidence.iter().find_map(|piece| match piece {
        Evidence::Distribution(latency) => Some((**latency).clone()),
        _ => None,
    })
}

fn latencies(board: &Arc<Board>, shown: &[usize]) -> AnyView {
    let rows = board.sections.iter().flat_map(|section| &section.rows);
    let timed: Vec<BoardRow> = rows
        .filter(|row| shown.iter().any(|column| latency_of(row, *column).is_some()))
        .cloned()
        .collect();
    let titles: Vec<(usize, String)> = timed.iter().map(|row| row.title.clone()).enumerate().collect();
    let chosen = RwSignal::new(0_usize);
    let tab = move |(index, title): (usize, String)| {
        let pressed = move || if chosen.get() == index { "true" } else { "false" };
        view! { <button type="button" class="tab" aria-pressed=pressed on:click=move |_| chosen.set(index)>{title}</button> }
    };
    let (board, shown) = (board.clone(), shown.to_vec());
    let charts = move || {
        let row = timed.get(chosen.get())?;
        let of = |column: &usize| Some((board.designs.get(*column)?.title.clone(), latency_of(row, *column)));
        let designs: ByDesign = shown.iter().filter_map(of).collect();
        Some(
            view! { <div class="charts">{percentiles(&row.title, &designs, table(&designs))} {distribution(&row.title, &designs)}</div> },
        )
    };
    (!titles.is_empty()).then(|| {
        view! {
            <section aria-labelledby="latencies">
                <h2 id="latencies">"All latencies"</h2>
                <div class="tabs" role="group" aria-label="Operation">{titles.into_iter().map(tab).collect_view()}</div>
                {charts}
            </section>
        }
    })
    .into_any()
}

fn table(designs: &ByDesign) -> DataTable {
    let mut table = DataTable::new(&["Design", "p50", "p90", "p99", "max"]);
    for (title, latency) in designs {
        let values = latency
            .as_ref()
            .map(|latency| [latency.p50, latency.p90, latency.p99, latency.max].map(modelled));
        let mut row = vec![title.clone()];
        row.extend(values.unwrap_or_else(|| std::array::from_fn(|_| "–".to_owned())));
        table.rows.push(row);
    }
    table
}

fn limits(board: &Arc<Board>, shown: &[usize]) -> AnyView {
    let designs = shown.iter().filter_map(|column| board.designs.get(*column));
    let limited = designs.map(|design| Limited {
        title: design.title.clone(),
        weakened: design.weakened.clone(),
        refusals: design.refusals.clone(),
    });
    let limited: Vec<Limited> = limited.collect();
    view! {
        <section aria-labelledby="limits">
            <h2 id="limits">"What each cannot do"</h2>
            <Limits designs=limited assumptions=board.scenario.assumptions.clone()/>
        </section>
    }
    .into_any()
}
