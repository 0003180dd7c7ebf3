//! What a cell rests on: statement and rows, or schedule, then formula, then the way to see it again.

use leptos::ev;
use leptos::html::Section;
use leptos::prelude::*;
use report::html::{cell_name, evidence};
use report::{Board, BoardDesign, BoardRow, Cell, Evidence};

use crate::browser;
use crate::lab::{Asked, Compared, Source, lab};
use crate::page::ask::AskPostgres;
use crate::page::part::{self, fetched};
use crate::player::{Execution, PlayerProps};

#[component]
pub(super) fn Drawer(open: RwSignal<Option<String>>, drawn: RwSignal<bool>) -> impl IntoView {
    let lab = lab();
    let place = NodeRef::<Section>::new();
    let close = move || {
        if let Some(name) = open.get_untracked() {
            open.set(None);
            browser::focus(&format!("[data-cell=\"{name}\"]"));
        }
    };
    let escape = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" && !event.default_prevented() {
            close();
        }
    });
    on_cleanup(move || escape.remove());
    Effect::new(move |_| browser::set_fragment(open.get().as_deref()));
    Effect::new(move |_| {
        if let Some(place) = place.get().filter(|_| drawn.get()) {
            browser::bring_into_view(&place);
            // Where the focus cannot be had, nothing is lost.
            let _ = place.focus();
        }
    });
    // The same question has the same answer: a board that grows leaves alone what is open, and what is asked there.
    let shown = Memo::new(move |_| {
        let name = open.get()?;
        lab.findings.compared.with(|compared| {
            let compared = compared.as_ref()?;
            find(&compared.board, &name).map(|_| (name, compared.asked.clone()))
        })
    });
    let content = move || {
        let (name, _) = shown.get()?;
        lab.findings.compared.with_untracked(|compared| {
            let compared = compared.as_ref()?;
            let (row, design, cell) = find(&compared.board, &name)?;
            Some(view! {
                <section class="drawer card" id="evidence" node_ref=place tabindex="-1" aria-label="Evidence">
                    {inside(compared, row, design, cell, Callback::new(move |()| close()))}
                </section>
            })
        })
    };
    view! { <div>{content}</div> }
}

fn find<'a>(board: &'a Board, name: &str) -> Option<(&'a BoardRow, &'a BoardDesign, &'a Cell)> {
    let rows = board.sections.iter().flat_map(|section| &section.rows);
    rows.into_iter().find_map(|row| {
        let mut cells = board.designs.iter().zip(&row.cells);
        let (design, cell) = cells.find(|(design, _)| cell_name(row, design) == name)?;
        Some((row, design, cell))
    })
}

fn inside(
    compared: &Compared,
    row: &BoardRow,
    design: &BoardDesign,
    cell: &Cell,
    close: Callback<()>,
) -> impl IntoView + use<> {
    let lab = lab();
    let schedule = cell.evidence.iter().find_map(|piece| match piece {
        Evidence::Schedule(sequence) => Some(sequence.clone()),
        _ => None,
    });
    let schedule = schedule.map(|sequence| {
        let execution = Execution {
            title: design.title.clone(),
            sequence: *sequence,
            strikes: Vec::new(),
            departs: None,
        };
        fetched(part::player, move || PlayerProps::of(execution.clone()))
    });
    let probe = cell.evidence.iter().find_map(|piece| match piece {
        Evidence::OnPostgres { probe } => Some(probe.clone()),
        _ => None,
    });
    let architecture = design.architecture.clone();
    let postgres = probe.map(|probe| view! { <AskPostgres architecture=architecture probe=probe/> });
    let replay = replay(&compared.asked, design, cell)
        .map(|address| view! { <a class="button primary" href=address>"See it again"</a> });
    let copy = move |_| {
        lab.address.show();
        leptos::task::spawn_local(async move {
            let Some(address) = browser::address() else { return };
            lab.notices.say(if browser::copy(&address).await {
                "The link to this cell is copied.".to_owned()
            } else {
                format!("The browser does not let the page copy. The link is: {address}")
            });
        });
    };
    let nothing = cell.evidence.is_empty().then(|| view! { <p>{cell.words.clone()}</p> });
    view! {
        <div class="drawer-head">
            <div>
                <h2>{row.title.clone()} ": " {cell.sentence()}</h2>
                <p class="hint">{design.title.clone()} " · " {row.note.clone()}</p>
            </div>
            <button type="button" class="button small" on:click=move |_| close.run(())>"Close"</button>
        </div>
        <div class="pieces" inner_html=evidence(cell)></div>
        {nothing}
        {postgres}
        {schedule}
        <div class="links">
            {replay}
            <button type="button" class="button" on:click=copy>"Copy link to this cell"</button>
            <a class="button" rel="external" href=format!("../designs/{}/", slug_of_page(&design.architecture))>"About this design"</a>
        </div>
    }
}

/// Variants share their design's page.
fn slug_of_page(architecture: &str) -> &str {
    architecture.split_once('+').map_or(architecture, |(slug, _)| slug)
}

/// The address that draws what a cell was found with; a text of one's own is still there when it opens.
fn replay(asked: &Asked, design: &BoardDesign, cell: &Cell) -> Option<String> {
    let fault = cell.evidence.iter().find_map(|piece| match piece {
        Evidence::Replay { fault, .. } => Some(fault.clone()),
        _ => None,
    })?;
    let mut options = asked.options.clone();
    options.architectures = vec![design.architecture.clone()];
    options.fault = fault.or(options.fault);
    let operation = cell.evidence.iter().find_map(|piece| match piece {
        Evidence::Schedule(sequence) => Some(sequence.operation.clone()),
        _ => None,
    });
    let slug = match &asked.source {
        Source::BuiltIn(slug) => slug,
        Source::Own | Source::Linked => "",
    };
    lab().address.run_page(slug, operation, options)
}
