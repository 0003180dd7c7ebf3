//! The board's table, drawn section by section so that the page is never held up; on a phone, question by question.

use std::sync::Arc;

use leptos::ev;
use leptos::html::Ol;
use leptos::prelude::*;
use report::html::{board_head, board_question, board_section};
use report::{Board, BoardRow, BoardSection};
use wasm_bindgen::JsCast;

use super::columns::{columns, with_baseline};
use super::frames::one_by_one;
use crate::browser;
use crate::lab::{Lab, lab};

/// The board and which of its designs are shown.
type Shown = (Arc<Board>, Vec<usize>);

#[component]
pub(super) fn BoardView(open: RwSignal<Option<String>>, all_drawn: RwSignal<bool>) -> impl IntoView {
    let lab = lab();
    let shown = Memo::new(move |_| shown(lab));
    let narrow = browser::narrow();
    // What is open says so wherever the board is written anew.
    Effect::new(move |_| {
        shown.track();
        narrow.track();
        let open = open.get();
        request_animation_frame(move || browser::mark_expanded(open.as_deref()));
    });
    let click = move |event: ev::MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let Some(target) = target else { return };
        let attribute = |name: &str| {
            let element = target.closest(&format!("[{name}]")).ok().flatten()?;
            element.get_attribute(name)
        };
        if let Some(cell) = attribute("data-cell") {
            open.update(|open| *open = (open.as_ref() != Some(&cell)).then_some(cell));
        } else if let (Some(baseline), Some((board, columns))) = (attribute("data-baseline"), shown.get_untracked()) {
            lab.choices
                .designs
                .set(Some(with_baseline(&board, &columns, &baseline)));
            lab.address.show();
            request_animation_frame(|| browser::focus("th.baseline"));
        }
    };
    view! {
        <div class="compare" on:click=click>
            <Show when=move || narrow.get() fallback=move || view! { <Table shown=shown all_drawn=all_drawn/> }>
                <Questions shown=shown all_drawn=all_drawn/>
            </Show>
        </div>
    }
}

fn shown(lab: Lab) -> Option<Shown> {
    let chosen = lab.choices.designs.get();
    let board = lab
        .findings
        .compared
        .with(|compared| compared.as_ref().map(|compared| compared.board.clone()))?;
    let columns = columns(&board, chosen.as_ref());
    Some((board, columns))
}

#[component]
fn Table(shown: Memo<Option<Shown>>, all_drawn: RwSignal<bool>) -> impl IntoView {
    let head = move || shown.with(|shown| shown.as_ref().map(|(board, columns)| board_head(board, columns)));
    let sections = Memo::new(move |_| shown.with(|shown| shown.as_ref().map_or(0, |(board, _)| board.sections.len())));
    let drawn = one_by_one(sections, move || all_drawn.set(true));
    let section = move |index: usize| {
        let rows = Memo::new(move |_| {
            shown.with(|shown| {
                let (board, columns) = shown.as_ref()?;
                Some(board_section(board, board.sections.get(index)?, columns))
            })
        });
        view! { <tbody inner_html=move || rows.get().unwrap_or_default()></tbody> }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="The board">
            <table class="board home compare">
                <thead inner_html=move || head().unwrap_or_default()></thead>
                <For each=move || 0..drawn.get() key=|index| *index children=section/>
            </table>
        </div>
    }
}

/// One question a screen: swiped, or with buttons.
#[component]
fn Questions(shown: Memo<Option<Shown>>, all_drawn: RwSignal<bool>) -> impl IntoView {
    let list = NodeRef::<Ol>::new();
    let at = RwSignal::new(0_usize);
    let number = Memo::new(move |_| shown.with(|shown| shown.as_ref().map_or(0, |(board, _)| board.rows())));
    let drawn = one_by_one(number, move || all_drawn.set(true));
    let question = move |index: usize| {
        let text = Memo::new(move |_| {
            shown.with(|shown| {
                let (board, columns) = shown.as_ref()?;
                let (section, row) = row(board, index)?;
                Some(board_question(board, section, row, columns))
            })
        });
        view! { <li inner_html=move || text.get().unwrap_or_default()></li> }
    };
    let go = move |step: isize| {
        let last = number.get_untracked().saturating_sub(1);
        let to = at.get_untracked().saturating_add_signed(step).min(last);
        at.set(to);
        if let Some(list) = list.get_untracked() {
            list.set_scroll_left(list.client_width().saturating_mul(to as i32));
        }
    };
    let swiped = move |_| {
        if let Some(list) = list.get_untracked() {
            let width = list.client_width().max(1);
            at.set(((list.scroll_left() + width / 2) / width).max(0) as usize);
        }
    };
    let last = move || at.get() + 1 >= number.get();
    let place = move || format!("{} of {}", at.get() + 1, number.get());
    view! {
        <section class="questions card" aria-label="The board, question by question">
            <div class="pager">
                <button type="button" class="button small" prop:disabled=move || at.get() == 0 on:click=move |_| go(-1)>"Previous"</button>
                <span aria-live="polite">{place}</span>
                <button type="button" class="button small" prop:disabled=last on:click=move |_| go(1)>"Next"</button>
            </div>
            <ol node_ref=list tabindex="0" aria-label="Questions" on:scroll=swiped>
                <For each=move || 0..drawn.get() key=|index| *index children=question/>
            </ol>
        </section>
    }
}

fn row(board: &Board, index: usize) -> Option<(&BoardSection, &BoardRow)> {
    let rows = board
        .sections
        .iter()
        .flat_map(|section| section.rows.iter().map(move |row| (section, row)));
    rows.into_iter().nth(index)
}
