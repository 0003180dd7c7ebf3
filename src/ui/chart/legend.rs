//! What the signs of a drawn execution mean.

use leptos::prelude::*;

pub(crate) fn legend() -> impl IntoView {
    let sign = |title: &'static str, drawing: AnyView| {
        view! { <li><svg width="24" height="16" viewBox="0 0 24 16" aria-hidden="true">{drawing}</svg>{title}</li> }
    };
    view! {
        <ul class="keys">
            {sign("work", view! { <rect class="work" x="1" y="2" width="20" height="12" rx="2.5"></rect> }.into_any())}
            {sign("waiting, with the cause", view! { <rect class="wait" x="1" y="3" width="20" height="10" rx="2"></rect> }.into_any())}
            {sign("transaction", view! { <path class="bracket" d="M2 3v8h18v-8"></path> }.into_any())}
            {sign("commit", view! { <circle class="commit" cx="11" cy="8" r="4.2"></circle> }.into_any())}
            {sign("pivot", view! { <path class="pivot" d="M11 1.5l6.5 6.5-6.5 6.5-6.5-6.5z"></path> }.into_any())}
            {sign("undoes", view! { <rect class="work undone" x="1" y="2" width="20" height="12" rx="2.5"></rect><path class="undo" d="M17 8h-12m4 -3.500l-4 3.500 4 3.500"></path> }.into_any())}
            {sign("fault", view! { <path class="fault" d="M6 3l10 10M16 3l-10 10"></path> }.into_any())}
            {sign("idle time left out", view! { <path class="break" d="M8 1l3 3-5 5 3 4M15 1l3 3-5 5 3 4"></path> }.into_any())}
            {sign("others see half of it", view! { <rect class="part" x="1" y="3" width="20" height="10" rx="2"></rect> }.into_any())}
            {sign("invariant broken", view! { <rect class="broken" x="1" y="3" width="20" height="10" rx="2"></rect> }.into_any())}
        </ul>
    }
}
