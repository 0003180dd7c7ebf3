//! What all pages of the app share below their header: notices. Header and footer are no part of the app: they are
//! written into every page when the site is built (`style/header.html`, `style/footer.html`).

use leptos::prelude::*;

use crate::lab::lab;

#[component]
pub(crate) fn NoticeBar() -> impl IntoView {
    let notices = lab().notices;
    let notice = move || {
        notices.now().map(|notice| {
            view! {
                <div class="notice" class:bad=notice.bad>
                    <p>{notice.text}</p>
                    <button type="button" class="button small" on:click=move |_| notices.put_away()>"Close"</button>
                </div>
            }
        })
    };
    // Present from the start, so that a screen reader hears what appears in it.
    view! { <div role="status" class="notices">{notice}</div> }
}
