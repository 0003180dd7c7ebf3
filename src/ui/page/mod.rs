//! The one page of this stage: choose, run, read.

mod atomicity;
mod board;
mod editor;
mod evidence;
mod experiment;
mod fault_fields;
mod latency;
mod programs;
mod results;
mod shell;

use leptos::prelude::*;

use crate::lab::Lab;

#[component]
pub(crate) fn Page() -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    lab.start();
    view! {
        <shell::Header/>
        <main class="wrap">
            <h1>"Same workload. Different designs. Break one step."</h1>
            <p class="lead">
                "One scenario, written once in SQL, compiled to each database design and run on real engines in this page, in virtual time. See what a crash leaves behind, and what the walls cost."
            </p>
            <shell::NoticeBar/>
            <experiment::Experiment/>
            <results::Results/>
        </main>
        <shell::Footer/>
    }
}
