//! An assumption as a chip that opens into a small form. Esc and a click elsewhere close it; the focus goes back.

use leptos::ev;
use leptos::html::{Button, Div, Li};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::browser;

/// Which chip is open: at most one.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub(super) name: RwSignal<Option<&'static str>>,
    /// Told whenever one was closed.
    pub(super) closed: Callback<()>,
}

impl Opened {
    fn close(self) {
        self.name.set(None);
        self.closed.run(());
    }
}

#[component]
pub(super) fn Chip(
    name: &'static str,
    #[prop(into)] value: Signal<String>,
    opened: Opened,
    children: ChildrenFn,
) -> impl IntoView {
    let place = NodeRef::<Li>::new();
    let button = NodeRef::<Button>::new();
    let form = NodeRef::<Div>::new();
    let is_open = Memo::new(move |_| opened.name.get() == Some(name));
    // How far the form has to move to the left for the window to show all of it.
    let beyond = RwSignal::new(0.0);
    let focus_button = move || {
        if let Some(button) = button.get_untracked() {
            // Where it cannot be had, nothing is lost.
            let _ = button.focus();
        }
    };
    let toggle = move |_| {
        let open = is_open.get_untracked();
        if opened.name.get_untracked().is_some() {
            opened.close();
        }
        if !open {
            opened.name.set(Some(name));
        }
    };
    let escape = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && is_open.get_untracked() {
            event.stop_propagation();
            opened.close();
            focus_button();
        }
    };
    let is_outside = move |target: Option<web_sys::EventTarget>| {
        let node = target.and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let place = place.get_untracked();
        place.is_some_and(|place| !place.contains(node.as_ref()))
    };
    let pointer = window_event_listener(ev::pointerdown, move |event| {
        if is_open.get_untracked() && is_outside(event.target()) {
            opened.close();
        }
    });
    on_cleanup(move || pointer.remove());
    let leave = move |event: ev::FocusEvent| {
        if is_open.get_untracked() && event.related_target().is_some() && is_outside(event.related_target()) {
            opened.close();
        }
    };
    Effect::new(move |_| {
        let Some(form) = form.get().filter(|_| is_open.get()) else {
            return;
        };
        let first = form.query_selector("select, input, button").ok().flatten();
        if let Some(first) = first.and_then(|first| first.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = first.focus();
        }
    });
    // What is chosen changes the chip's width, and that may take it to another line.
    Effect::new(move |_| {
        value.track();
        if is_open.get() {
            request_animation_frame(move || {
                if let Some(form) = form.get_untracked() {
                    let moved = beyond.get_untracked();
                    beyond.set(browser::beyond_the_window(&form, moved));
                }
            });
        }
    });
    let children = StoredValue::new(children);
    view! {
        <li class="chip-place" node_ref=place on:keydown=escape on:focusout=leave>
            <button type="button" class="chip" node_ref=button aria-expanded=move || if is_open.get() { "true" } else { "false" } on:click=toggle>
                {name} " " <b>{move || value.get()}</b>
            </button>
            <Show when=move || is_open.get()>
                <div class="popover" role="group" aria-label=name node_ref=form style:margin-left=move || format!("-{}px", beyond.get())>
                    {children.with_value(|children| children())}
                    <button type="button" class="button small" on:click=move |_| { opened.close(); focus_button(); }>"Done"</button>
                </div>
            </Show>
        </li>
    }
}
