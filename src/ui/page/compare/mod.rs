//! The board: designs as columns, questions as rows, each number with where it comes from and what it rests on.

mod assumptions;
mod below;
mod board;
mod chip;
mod columns;
mod drawer;
mod frames;
mod prices;

use leptos::prelude::*;
use protocol::RunOptions;
use report::Board;

use crate::browser;
use crate::lab::{Asked, Compared, Lab, Source, lab};

const RECORDED: &str = "recorded/compare.bin";

#[component]
pub(crate) fn ComparePage() -> impl IntoView {
    let lab = lab();
    // The recorded board answers at once what most links ask for; anything else is run.
    lab.arrive(Callback::new(move |()| {
        leptos::task::spawn_local(async move {
            show_recorded(lab).await;
            if untrack(move || is_stale(lab)) {
                lab.compare();
            }
        });
    }));
    leptos::task::spawn_local(show_recorded(lab));
    let open = RwSignal::new(browser::fragment());
    // What stands below the board waits for it: it is drawn in pieces.
    let drawn = RwSignal::new(false);
    let there = move || lab.findings.compared.with(Option::is_some);
    view! {
        <h1 class="compact">"What each design lets through, breaks and costs"</h1>
        <assumptions::Assumptions/>
        <Show when=there fallback=Nothing>
            <board::BoardView open=open all_drawn=drawn/>
            <drawer::Drawer open=open drawn=drawn/>
            <below::Below drawn=drawn/>
        </Show>
    }
}

#[component]
fn Nothing() -> impl IntoView {
    let lab = lab();
    let busy = move || !lab.line.is_idle();
    view! {
        <section class="empty">
            <p>
                <b>{move || if busy() { "The board is being made." } else { "Nothing has been compared yet." }}</b>
                " Each design gets the same probes, faults and load; rows appear as they are found."
            </p>
        </section>
    }
}

/// Is the board about something else than what is chosen now?
fn is_stale(lab: Lab) -> bool {
    let asked = lab.asked_now();
    let chosen = lab.choices.designs.get();
    lab.findings.compared.with(|compared| match compared {
        None => true,
        Some(compared) => {
            asked.as_ref() != Some(&compared.asked) || !columns::has_all(&compared.board, chosen.as_ref())
        }
    })
}

/// The board that came with the site, unless there is one, or the address asks for something else.
async fn show_recorded(lab: Lab) {
    if lab.findings.compared.with_untracked(Option::is_some) {
        return;
    }
    // A site without one has nothing to show at once: no fault of anybody's.
    let Ok(bytes) = browser::fetch_bytes(RECORDED).await else {
        return;
    };
    let Ok(board) = protocol::decode::<Board>(&bytes) else {
        return lab
            .notices
            .say_bad("The recorded board cannot be read: reload the page.".to_owned());
    };
    let link = browser::query().parse::<protocol::Link>().unwrap_or_default();
    let plain = RunOptions {
        architectures: link.options.architectures.clone(),
        ..RunOptions::default()
    };
    let is_asked_for = link.text.is_none()
        && link.scenario.is_none_or(|slug| slug == board.scenario.slug)
        && link.options == plain
        && columns::has_all(&board, Some(&plain.architectures));
    if is_asked_for && lab.findings.compared.with_untracked(Option::is_none) {
        let asked = Asked {
            source: Source::BuiltIn(board.scenario.slug.clone()),
            text: None,
            options: RunOptions::default(),
        };
        lab.findings.compared.set(Some(Compared {
            board: board.into(),
            asked,
            complete: true,
            recorded: true,
        }));
    }
}
