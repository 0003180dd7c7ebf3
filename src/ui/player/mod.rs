//! A player of executions: one or two drawings, the sentences beside them, one time cursor for all.
//!
//! ```text
//! score ──▶ playback ──▶ picture, story, controls      the order of events; the cursor and its clock; what is seen
//!               ▲───────────── clicks, keys, drags
//! ```
//!
//! Whoever shows it says what can be done besides looking: with a [`Breaking`] it offers the faults that can strike
//! where the cursor stands.

mod breaking;
mod controls;
mod picture;
mod playback;
mod score;
mod steps;
mod story;

use leptos::prelude::*;
use report::{Sequence, Strike};
use web_sys::KeyboardEvent;

pub(crate) use breaking::Breaking;
use breaking::{BreakPanel, Panel};
use controls::Controls;
use picture::Picture;
use playback::Playback;
use steps::Steps;
use story::Story;

use crate::chart::legend::legend;

/// One design's execution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Execution {
    /// The design's title.
    pub(crate) title: String,
    pub(crate) sequence: Sequence,
    /// What can be broken in it; empty if that is not known.
    pub(crate) strikes: Vec<Strike>,
    /// With a fault: the first instant that is not as it would have been.
    pub(crate) departs: Option<base::Time>,
}

/// `now` is where the cursor begins, and is told where it is. At most two executions.
#[component]
pub(crate) fn Player(
    executions: Vec<Execution>,
    #[prop(optional)] now: Option<RwSignal<base::Time>>,
    #[prop(optional)] breaking: Option<Breaking>,
) -> impl IntoView {
    let playback = Playback::new(
        executions.iter().map(|execution| execution.sequence.clone()).collect(),
        now,
    );
    on_cleanup(move || playback.pause());
    let panel = RwSignal::new(None::<Panel>);
    let several = executions.len() > 1;
    let execution = |(index, (execution, selected)): (usize, (&Execution, RwSignal<Option<u32>>))| {
        let sequence = execution.sequence.clone();
        let (title, sentences) = (sequence.title.clone(), sequence.sentences.clone());
        view! {
            <section class="run" aria-label=title>
                <div class="drawing">
                    {several.then(|| view! { <h4 class="run-title">{execution.title.clone()}</h4> })}
                    <Picture playback=playback index=index sequence=sequence selected=selected/>
                </div>
                <Story playback=playback index=index sentences=sentences/>
            </section>
        }
    };
    let selected: Vec<RwSignal<Option<u32>>> = executions.iter().map(|_| RwSignal::new(None)).collect();
    let pairs = || executions.iter().zip(selected.iter().copied());
    let views = pairs().enumerate().map(execution).collect_view();
    let steps = pairs().map(|(execution, selected)| {
        let title = several.then(|| view! { <h4>{execution.title.clone()}</h4> });
        view! { {title} <Steps sequence=execution.sequence.clone() selected=selected/> }
    });
    let steps = steps.collect_view();
    let offers_faults = breaking.is_some();
    let panels = breaking.map(|breaking| {
        view! { <BreakPanel playback=playback executions=executions.clone() breaking=breaking panel=panel/> }
    });
    view! {
        <div class="player" on:keydown=move |event| key(playback, &event)>
            {views}
            <div class="deck">
                <Controls playback=playback panel=offers_faults.then_some(panel)/>
                {panels}
            </div>
            {legend()}
            {steps}
            <p class="visually-hidden" aria-live="polite">{move || playback.said.get()}</p>
        </div>
    }
}

impl PlayerProps {
    /// To look at one execution.
    pub(crate) fn of(execution: Execution) -> PlayerProps {
        PlayerProps {
            executions: vec![execution],
            now: None,
            breaking: None,
        }
    }
}

/// Arrows step, Home and End go to the ends, Space plays. What a control does with a key of its own stays its own.
fn key(playback: Playback, event: &KeyboardEvent) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() {
        return;
    }
    let tag = event_target::<web_sys::Element>(event).tag_name();
    let (moves, plays) = match tag.as_str() {
        "SELECT" | "TEXTAREA" => return,
        "INPUT" => (false, true),
        "BUTTON" | "SUMMARY" | "A" => (true, false),
        _ => (true, true),
    };
    match event.key().as_str() {
        "ArrowRight" if moves => playback.step_forward(),
        "ArrowLeft" if moves => playback.step_back(),
        "Home" if moves => playback.rewind(),
        "End" if moves => playback.wind(),
        " " if plays => playback.toggle(),
        _ => return,
    }
    event.prevent_default();
}
