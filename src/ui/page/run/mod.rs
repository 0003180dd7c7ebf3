//! One operation on one or two designs, message by message.

use leptos::prelude::*;

use crate::lab::lab;
use crate::page::lab::Results;

#[component]
pub(crate) fn RunPage() -> impl IntoView {
    let lab = lab();
    lab.arrive(Callback::new(move |()| lab.run()));
    view! {
        <h1>"One run, message by message"</h1>
        <Results/>
    }
}
