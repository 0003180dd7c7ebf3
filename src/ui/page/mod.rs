//! The app's pages. They share one state, so that going from one to the next loses nothing; pages that are only read
//! are no part of the app, and links to them load them (`rel="external"`).

mod ask;
mod asking;
mod compare;
mod editor;
mod fault_fields;
mod isolation;
mod lab;
mod limits;
mod part;
mod run;
mod shell;

use crate::lab::{Lab, Subject};
use crate::route::{self, Route};
use leptos::prelude::*;
use part::fetched;

/// Below the site's header: the page that the address names.
#[component]
pub(crate) fn Pages() -> impl IntoView {
    // The way from schedules to scenarios loads a page, so that one state never knows both.
    let lab = Lab::new(match Route::now() {
        Route::Isolation => Subject::Schedule,
        _ => Subject::Scenario,
    });
    provide_context(lab);
    lab.start();
    let route = route::current();
    let page = move || match route.get() {
        Route::Compare => fetched(part::compare, || ()),
        Route::Isolation => fetched(part::isolation, || ()),
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
