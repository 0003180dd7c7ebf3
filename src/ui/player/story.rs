//! The sentences of one execution; the one that the cursor has come to is marked and stays in sight.

use leptos::html::Ol;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use report::{Sentence, Tone};

use super::playback::Playback;

#[component]
pub(crate) fn Story(playback: Playback, index: usize, sentences: Vec<Sentence>) -> impl IntoView {
    let list = NodeRef::<Ol>::new();
    let current = Memo::new(move |_| playback.current(index));
    // Within the list only: the page stays where it is.
    Effect::new(move |_| {
        let (Some(list), sentence) = (list.get(), current.get()) else {
            return;
        };
        let item = list.children().item(sentence.unwrap_or(0) as u32);
        if let Some(item) = item.and_then(|item| item.dyn_into::<web_sys::HtmlElement>().ok()) {
            let middle = item.offset_top() - list.client_height() / 2 + item.offset_height() / 2;
            list.set_scroll_top(middle);
        }
    });
    let item = move |(sentence, said): (usize, Sentence)| {
        let Sentence { at, text, tone, .. } = said;
        let now = move || current.get() == Some(sentence);
        let ahead = move || current.get().is_none_or(|current| sentence > current);
        view! {
            <li class:now=now class:ahead=ahead class:bad=tone == Tone::Bad class:good=tone == Tone::Good>
                <button type="button" aria-current=move || now().then_some("step") on:click=move |_| playback.to_sentence(index, sentence)>
                    <time>{at.to_string()}</time> <span>{text}</span>
                </button>
            </li>
        }
    };
    view! {
        <div class="story">
            <h4>"What happened"</h4>
            <p>"One sentence an event."</p>
            <ol node_ref=list class="sentences">{sentences.into_iter().enumerate().map(item).collect_view()}</ol>
        </div>
    }
}
