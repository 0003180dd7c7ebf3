//! The parts that the program is cut into when the site is built, so that nobody waits for what they do not look at.
//!
//! ```text
//! what all pages share ──┬─ compare │ lab │ run    fetched with the page that it draws; `lab` draws both pages with a text to write
//!                        └─ postgres               fetched when somebody asks; so is `run`, for its player, from other pages
//! ```
//!
//! What can be had from a part is a function that draws. What only its functions use is put into files of its own by
//! `xtask/parts.rs`. All parts are one program in one memory: state is shared as if nothing had been cut.

use leptos::prelude::*;

use super::ask::{Conversation, ConversationProps};
use super::{compare, isolation, lab, run};
use crate::player::{Player, PlayerProps};

pub(super) type Draw<Props> = fn(Props) -> AnyView;

/// Why a part is not there: the browser's console knows more.
pub(super) type NotFetched = leptos::wasm_split::SplitLoaderError;

/// Unit tests are linked whole: there, nothing is fetched.
macro_rules! parts {
    ($($part:ident::$name:ident: $props:ty => $draw:expr;)*) => { $(
        #[cfg(not(test))]
        #[leptos::wasm_split::wasm_split($part, wasm_split_path = leptos::wasm_split, fallible)]
        pub(super) fn $name() -> Result<Draw<$props>, NotFetched> {
            Ok($draw)
        }

        #[cfg(test)]
        pub(super) async fn $name() -> Result<Draw<$props>, NotFetched> {
            Ok($draw)
        }
    )* };
}

parts! {
    compare::compare: () => |()| compare::ComparePage().into_any();
    lab::isolation: () => |()| isolation::SchedulePage().into_any();
    lab::lab: () => |()| lab::LabPage().into_any();
    run::run: () => |()| run::RunPage().into_any();
    run::player: PlayerProps => |props| Player(props).into_any();
    postgres::conversation: ConversationProps => |props| Conversation(props).into_any();
}

/// What a part draws, as soon as it is there. One that cannot be had can be asked for again.
pub(super) fn fetched<Props, Part>(part: fn() -> Part, props: impl Fn() -> Props + Send + 'static) -> AnyView
where
    Props: 'static,
    Part: Future<Output = Result<Draw<Props>, NotFetched>> + 'static,
{
    let drawn = RwSignal::new(None);
    let fetch = move || {
        drawn.set(None);
        leptos::task::spawn_local(async move {
            let part = part().await.ok();
            // Nobody may want to see it any more.
            let _ = drawn.try_set(Some(part));
        });
    };
    fetch();
    let view = move || match drawn.get() {
        None => ().into_any(),
        Some(Some(draw)) => draw(props()),
        Some(None) => missing(fetch),
    };
    view.into_any()
}

fn missing(fetch: impl Fn() + Send + 'static) -> AnyView {
    view! {
        <p class="bad" role="alert">
            "A part of the page could not be fetched. "
            <button type="button" class="button small" on:click=move |_| fetch()>"Try again"</button>
        </p>
    }
    .into_any()
}
