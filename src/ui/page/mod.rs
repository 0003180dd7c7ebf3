//! The app's pages. They share one state, so that going from one to the next loses nothing; pages that are only read
//! are no part of the app, and links to them load them (`rel="external"`).

mod ask;
mod asking;
mod compare;
mod fault_fields;
mod lab;
mod limits;
mod part;
mod run;
mod shell;

use crate::lab::Lab;
use crate::route::{self, Route};
use leptos::prelude::*;
use part::fetched;

/// Below the site's header: the page that the address names.
#[component]
pub(crate) fn Pages() -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    lab.start();
    let route = route::current();
    let page = move || match route.get() {
        Route::Compare => fetched(part::compare, || ()),
        Route::Lab => fetched(part::lab, || ()),
        Route::Run => fetched(part::run, || ()),
        Route::Nowhere => Nowhere().into_any(),
    };
    view! {
        // Drawings refer to them by name.
        <div inner_html=report::html::hatchings()></div>
        <shell::NoticeBar/>
        {page}
    }
}

#[component]
fn Nowhere() -> impl IntoView {
    view! {
        <h1>"There is no such page"</h1>
        <p><a href="../" rel="external">"To the start"</a></p>
    }
}
