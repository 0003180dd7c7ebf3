//! One's own scenario: choose or write it, choose designs and a fault, run it, break it at every step, read what happened.

mod atomicity;
mod board;
mod evidence;
mod experiment;
pub(crate) mod latency;
mod postgres;
mod programs;
mod results;

use leptos::prelude::*;

use crate::lab::lab;

#[component]
pub(crate) fn LabPage() -> impl IntoView {
    let lab = lab();
    lab.arrive(Callback::new(move |()| lab.run()));
    view! {
        <h1>"Your workload on every design"</h1>
        <p class="lead">
            "Tables, operations and load, written once in SQL. Each design is compiled from them and run on real engines in this page, in virtual time: change a line, break a step, and see what it leaves behind."
        </p>
        <experiment::Experiment/>
        <results::Results/>
        <postgres::OnPostgres/>
    }
}
