//! The board: designs as columns, questions as rows, each number with where it comes from and what it rests on.

use leptos::prelude::*;

use crate::lab::lab;

#[component]
pub(crate) fn ComparePage() -> impl IntoView {
    let lab = lab();
    lab.arrive(Callback::new(move |()| lab.run()));
    view! { <h1>"What each design lets through, breaks and costs"</h1> }
}
