//! The app's pages. They share one state, so that going from one to the next loses nothing; pages that are only read
//! are no part of the app, and links to them load them (`rel="external"`).

mod compare;
mod fault_fields;
mod lab;
mod run;
mod shell;

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::browser;
use crate::lab::Lab;

/// Below the site's header: the page that the address names.
#[component]
pub(crate) fn Pages() -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    lab.start();
    view! {
        // Drawings refer to them by name.
        <div inner_html=report::html::hatchings()></div>
        <shell::NoticeBar/>
        <Router base=browser::site_path()>
            <Current/>
            <FlatRoutes fallback=Nowhere>
                <Route path=path!("/compare") view=compare::ComparePage/>
                <Route path=path!("/lab") view=lab::LabPage/>
                <Route path=path!("/run") view=run::RunPage/>
            </FlatRoutes>
        </Router>
    }
}

/// Keeps what stands outside of the app in step: the header's current link.
#[component]
fn Current() -> impl IntoView {
    let path = use_location().pathname;
    Effect::new(move |_| browser::mark_current(&path.get()));
}

#[component]
fn Nowhere() -> impl IntoView {
    view! {
        <h1>"There is no such page"</h1>
        <p><a href="../" rel="external">"To the start"</a></p>
    }
}
