//! The frame of a chart: its title, the chart, the same figures as a table and as CSV.

use leptos::prelude::*;

use crate::browser;
use crate::format::csv;

/// Figures as text, with units in the header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DataTable {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl DataTable {
    pub(crate) fn new(header: &[&str]) -> DataTable {
        DataTable {
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

/// `file` names the CSV file.
pub(crate) fn figure(title: String, note: String, file: String, chart: AnyView, data: DataTable) -> impl IntoView {
    let file = format!("{file}.csv");
    let for_file = data.clone();
    let save = move |_| {
        browser::download(&file, &csv(&for_file.header, &for_file.rows));
    };
    // A distribution has thousands of cells, and few look at them.
    let opened = RwSignal::new(false);
    let table = move || opened.get().then(|| table(&data));
    view! {
        <figure class="chart">
            <figcaption><h3>{title}</h3> <p>{note}</p></figcaption>
            {chart}
            <div class="chart-tools">
                <details on:toggle=move |_| opened.set(true)><summary>"Show as table"</summary><div class="scroll" tabindex="0" role="region" aria-label="Table">{table}</div></details>
                <button type="button" class="button small" on:click=save>"CSV"</button>
            </div>
        </figure>
    }
}

/// The first column names the row.
pub(crate) fn table(data: &DataTable) -> impl IntoView + use<> {
    let head = data
        .header
        .iter()
        .map(|name| view! { <th scope="col">{name.clone()}</th> })
        .collect_view();
    let row = |row: &Vec<String>| {
        let mut cells = row.iter().cloned();
        let name = cells.next().unwrap_or_default();
        view! { <tr><th scope="row">{name}</th>{cells.map(|cell| view! { <td>{cell}</td> }).collect_view()}</tr> }
    };
    view! {
        <table class="data"><thead><tr>{head}</tr></thead><tbody>{data.rows.iter().map(row).collect_view()}</tbody></table>
    }
}
