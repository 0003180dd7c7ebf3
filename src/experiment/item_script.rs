//! A design's requests to DynamoDB as JSON lines, for another server that speaks its language.
//!
//! ```text
//! {"operation": "CreateTable", "request": …}           the tables, their initial items
//! {"operation": "Query", "request": …, "reply": …}     what operations sent one after the other, what they heard
//! {"table": "main", "items": […]}                      what is there in the end
//! ```

use std::sync::Arc;

use program::Compilation;
use program::profile::Profile;
use program::workload::ClientLoop;
use scenario::Diagnostic;
use serde_json::{Value as Json, json};
use sim::{Checks, ItemsHeld, Options, Simulation};

use crate::settings::{problem, settings};
use crate::{Choice, scale};

/// Initial rows of a table, at most.
const ROWS: u64 = 24;

/// Requests of clients.
const REQUESTS: u64 = 80;

/// Items of one BatchWriteItem.
const BATCH: usize = 25;

/// The chosen designs' requests, those that speak to DynamoDB.
///
/// # Errors
///
/// What is wrong with the scenario or the choice; that no chosen design speaks to DynamoDB.
pub fn item_script(text: &str, choice: &Choice) -> Result<Vec<String>, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(mut scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let settings = settings(&mut scenario, choice)?;
    let compiled = settings
        .designs
        .iter()
        .map(|design| design.compile(&scenario, &settings.sabotage));
    let compiled: Vec<Compilation> = compiled
        .filter(|compilation| !compilation.deployment.item_tables.is_empty())
        .collect();
    if compiled.is_empty() {
        let hint = "--architecture dynamodb-single-table".to_owned();
        return Err(vec![problem(
            "no chosen design speaks to DynamoDB".to_owned(),
            Some(hint),
        )]);
    }
    let one = |full: &Compilation| script_of(full, &settings.profile).map_err(|message| vec![problem(message, None)]);
    compiled.iter().map(one).collect()
}

fn script_of(full: &Compilation, profile: &Profile) -> Result<String, String> {
    let mut workload = scale::scaled(&full.workload, ROWS);
    // Each operation as often as any other.
    for (load, entry) in workload.operations.iter_mut().zip(&full.entries) {
        load.weight = u32::from(entry.is_some());
    }
    workload.clients = ClientLoop::Serial;
    workload.requests = if full.entries.iter().any(Option::is_some) {
        REQUESTS
    } else {
        0
    };
    let compilation = Arc::new(Compilation {
        workload,
        ..full.clone()
    });
    let options = Options {
        checks: Checks::Never,
        statements: true,
        ..Options::of(&compilation)
    };
    let simulation = Simulation::new(compilation, profile, Vec::new(), options);
    let mut simulation = simulation.map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    for held in simulation.items_held() {
        lines.push(json!({ "operation": "CreateTable", "request": read(&held.definition)? }));
        lines.extend(loaded(&held)?);
    }
    simulation.run();
    for sent in simulation.items_sent() {
        let (request, reply) = (read(&sent.body)?, read(&sent.reply)?);
        lines.push(json!({ "operation": sent.operation, "request": request, "reply": reply }));
    }
    for held in simulation.items_held() {
        let items = held
            .items
            .iter()
            .map(|item| read(item))
            .collect::<Result<Vec<Json>, _>>()?;
        lines.push(json!({ "table": held.table, "items": items }));
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

fn loaded(held: &ItemsHeld) -> Result<Vec<Json>, String> {
    let batch = |items: &[String]| -> Result<Json, String> {
        let puts = items
            .iter()
            .map(|item| Ok(json!({ "PutRequest": { "Item": read(item)? } })))
            .collect::<Result<Vec<Json>, String>>()?;
        let table = &held.table;
        Ok(json!({ "operation": "BatchWriteItem", "request": { "RequestItems": { table: puts } } }))
    };
    held.items.chunks(BATCH).map(batch).collect()
}

fn read(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
