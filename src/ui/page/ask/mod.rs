//! “Ask real PostgreSQL”: a probe's request on PostgreSQL 18 in this page, its answers beside those of our engine.
//!
//! ```text
//! button ─▶ asking: worker (the script) ─▶ pglite (the same statements) ─▶ answers: side by side
//!         part `postgres`, fetched when somebody asks ───────────────────────────────┘
//! ```

mod answers;
mod asking;

use leptos::prelude::*;
use protocol::PgliteFiles;

use crate::browser;
use crate::format::two_figures;
use crate::page::part::{self, fetched};
use asking::{Asking, State};

/// What is asked, and of which files.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    files: PgliteFiles,
    /// A design's slug.
    architecture: String,
    /// A probe's slug.
    probe: String,
}

/// What is asked: the lab's scenario and choices, a design's slug, a probe's slug.
#[component]
pub(crate) fn AskPostgres(architecture: String, probe: String) -> impl IntoView {
    let files = RwSignal::new(None::<Result<PgliteFiles, String>>);
    leptos::task::spawn_local(async move {
        let found = browser::fetch_bytes("pglite.bin").await;
        // The component may be gone by now.
        let _ = files.try_set(Some(found.and_then(|bytes| protocol::decode(&bytes))));
    });
    // Each click is a conversation of its own.
    let conversation = RwSignal::new(None::<Question>);
    let working = RwSignal::new(false);
    let ask = move |_| {
        if let Some(Ok(files)) = files.get_untracked() {
            working.set(true);
            conversation.set(Some(Question {
                files,
                architecture: architecture.clone(),
                probe: probe.clone(),
            }));
        }
    };
    let ready = move || files.with(|files| matches!(files, Some(Ok(_))));
    let answer = move || {
        let question = conversation.get()?;
        Some(fetched(part::conversation, move || ConversationProps {
            question: question.clone(),
            working,
        }))
    };
    view! {
        <section class="ask" aria-label="Ask real PostgreSQL">
            <button type="button" class="button" prop:disabled=move || !ready() || working.get() on:click=ask>"Ask real PostgreSQL"</button>
            <p class="hint">{move || files.get().map(described)}</p>
            <div aria-live="polite">{answer}</div>
        </section>
    }
}

/// A question and what becomes of it; `working` is told whether it still goes on.
#[component]
pub(crate) fn Conversation(question: Question, working: RwSignal<bool>) -> impl IntoView {
    let asking = Asking::new();
    on_cleanup(move || asking.cancel());
    asking.begin(question);
    Effect::new(move |_| working.set(asking.is_working()));
    move || match asking.state.get() {
        State::Idle => ().into_any(),
        State::Working { what, done, of } => self::working(asking, what, done, of),
        State::Answered(answers) => answers::view(&answers).into_any(),
        State::Failed(why) => view! { <p class="bad">{why}</p> }.into_any(),
    }
}

fn described(files: Result<PgliteFiles, String>) -> String {
    match files {
        Ok(files) => format!(
            "The same statements on PostgreSQL 18, in this page: PGlite {}, {} MB, fetched once. It has one connection to one database: what several sessions do to \
             each other, a pool and a crash cannot be asked.",
            files.version,
            two_figures(files.bytes as f64 / 1e6)
        ),
        Err(error) => format!("PostgreSQL cannot be asked here: {error}."),
    }
}

fn working(asking: Asking, what: String, done: u64, of: u64) -> AnyView {
    let bar = if of > 0 {
        view! { <progress max=of.to_string() value=done.to_string() aria-label="PostgreSQL"></progress> }.into_any()
    } else {
        view! { <progress aria-label="PostgreSQL"></progress> }.into_any()
    };
    view! {
        <p class="status">
            {bar} <span class="hint">{what}</span>
            <button type="button" class="button small" on:click=move |_| asking.cancel()>"Cancel"</button>
        </p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_be_fetched_is_said_before() {
        let files = PgliteFiles {
            folder: "pglite-1/".to_owned(),
            bytes: 8_400_000,
            version: "0.5.16".to_owned(),
        };
        assert!(described(Ok(files)).contains("PGlite 0.5.16, 8.4 MB"));
        assert!(described(protocol::decode(b"<html>")).contains("cannot be asked"));
    }
}
