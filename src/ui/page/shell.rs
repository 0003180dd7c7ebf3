//! What frames the page: header with the theme, notices, footer.

use leptos::prelude::*;

use crate::browser;
use crate::lab::lab;

/// The pages to read, as in their own header (`xtask/frame.rs`).
const LINKS: [(&str, &str); 3] = [
    ("home/", "Kill a server"),
    ("adr/", "Decisions"),
    ("designs/", "Designs"),
];

#[component]
pub(crate) fn Header() -> impl IntoView {
    view! {
        <header class="top">
            <div class="wrap">
                <span class="brand">
                    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
                        <rect x="1" y="1" width="8" height="18" rx="2" fill="currentColor"></rect>
                        <path d="M13 2v3M13 8v3M13 14v3" stroke="currentColor" stroke-width="2.4"></path>
                        <rect x="16" y="1" width="3" height="18" rx="1.2" fill="currentColor" opacity=".45"></rect>
                    </svg>
                    "ADR Lab"
                </span>
                <nav aria-label="Site">
                    <ul>
                        {LINKS.map(|(path, title)| view! { <li><a href=path>{title}</a></li> })}
                    </ul>
                </nav>
                <ThemeButton/>
            </div>
        </header>
    }
}

/// Light or dark: the system's until one is chosen here.
#[component]
fn ThemeButton() -> impl IntoView {
    let chosen = browser::stored("theme");
    let dark = RwSignal::new(chosen.map_or_else(browser::prefers_dark, |theme| theme == "dark"));
    let toggle = move |_| {
        dark.update(|dark| *dark = !*dark);
        let theme = if dark.get_untracked() { "dark" } else { "light" };
        browser::set_theme(Some(theme));
        browser::store("theme", theme);
    };
    view! {
        <button type="button" class="button quiet" on:click=toggle>
            {move || if dark.get() { "Light theme" } else { "Dark theme" }}
        </button>
    }
}

#[component]
pub(crate) fn NoticeBar() -> impl IntoView {
    let lab = lab();
    let notice = move || {
        lab.notice.get().map(|notice| {
            view! {
                <div class="notice" class:bad=notice.bad>
                    <p>{notice.text}</p>
                    <button type="button" class="button small" on:click=move |_| lab.notice.set(None)>"Close"</button>
                </div>
            }
        })
    };
    // Present from the start, so that a screen reader hears what appears in it.
    view! { <div role="status" class="notices">{notice}</div> }
}

#[component]
pub(crate) fn Footer() -> impl IntoView {
    view! {
        <footer>
            <div class="wrap">
                <dl class="provenance">
                    <div><dt><span class="tag counted">"counted"</span></dt><dd>"exact: rows, messages, schedules"</dd></div>
                    <div><dt><span class="tag modelled">"modelled"</span></dt><dd>"counted work × a hardware profile, two significant figures"</dd></div>
                    <div><dt><span class="tag assumed">"assumed"</span></dt><dd>"an input without a source, yours to change"</dd></div>
                </dl>
                <p>"Nothing leaves this browser. No invariant broken means none found in these runs, never “safe”."</p>
            </div>
        </footer>
    }
}
