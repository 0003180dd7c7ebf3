//! Play, step, rewind, slow down, zoom; and the slider that is the cursor for keyboards and screen readers.

use leptos::prelude::*;

use super::breaking::Panel;
use super::playback::Playback;
use super::score::SLOWDOWNS;

/// With `panel`, the buttons that open the choice of faults.
#[component]
pub(crate) fn Controls(playback: Playback, panel: Option<RwSignal<Option<Panel>>>) -> impl IntoView {
    let last = playback.events().saturating_sub(1);
    let now = move || playback.cursor.get().at.to_string();
    let slide = move |event| playback.slide(event_target_value(&event).parse().unwrap_or(0));
    let choose_speed = move |event| {
        playback.slowdown.set(event_target_value(&event).parse().unwrap_or(1));
    };
    let speed = move |slowdown: u64| {
        let title = match slowdown {
            1 => "real time".to_owned(),
            _ => format!("1/{} speed", crate::format::count(slowdown)),
        };
        let chosen = move || playback.slowdown.get() == slowdown;
        view! { <option value=slowdown.to_string() selected=chosen>{title}</option> }
    };
    let choose_zoom = move |event| playback.zoom.set(event_target_value(&event).parse().unwrap_or(1));
    let zoom = move |(zoom, title): (u32, &'static str)| {
        let chosen = move || playback.zoom.get() == zoom;
        view! { <option value=zoom.to_string() selected=chosen>{title}</option> }
    };
    const ZOOMS: [(u32, &str); 4] = [
        (0, "all of it"),
        (1, "step by step"),
        (2, "twice as wide"),
        (4, "four times"),
    ];
    let panel_button = move |which: Panel, title: &'static str| {
        panel.map(|panel| {
            let open = move || panel.get() == Some(which);
            let toggle = move |_| panel.update(|now| *now = (*now != Some(which)).then_some(which));
            view! {
                <button type="button" class="button small" aria-expanded=move || if open() { "true" } else { "false" } on:click=toggle>{title}</button>
            }
        })
    };
    view! {
        <div class="controls" role="group" aria-label="Player">
            <button type="button" class="button small" on:click=move |_| playback.rewind()>"Rewind"</button>
            <button type="button" class="button small" on:click=move |_| playback.step_back()>"◀\u{fe0e} Step"</button>
            <button type="button" class="button small primary play" on:click=move |_| playback.toggle()>
                {move || if playback.playing.get() { "Pause" } else { "Play" }}
            </button>
            <button type="button" class="button small" on:click=move |_| playback.step_forward()>"Step ▶\u{fe0e}"</button>
            <span class="clock"><b>{now}</b> " of " {playback.end().to_string()}</span>
            <select class="small" aria-label="Speed" on:change=choose_speed>{SLOWDOWNS.map(speed).collect_view()}</select>
            <select class="small" aria-label="Zoom" on:change=choose_zoom>{ZOOMS.map(zoom).collect_view()}</select>
            <span class="break-buttons">{panel_button(Panel::Nodes, "Kill a node")} {panel_button(Panel::Links, "Cut a link")}</span>
            <input type="range" class="time" min="0" max=last.to_string() step="1" aria-label="Time cursor" aria-valuetext=move || playback.sentence()
                prop:value=move || playback.cursor.get().index().to_string() on:input=slide/>
        </div>
    }
}
