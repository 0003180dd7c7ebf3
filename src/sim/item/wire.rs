//! Requests to tables of items in the form in which every client of DynamoDB sends them, for another server to answer.

use std::sync::Arc;

use engine_dynamo::wire::{Report, item_json, reply_json, request_json};
use engine_dynamo::{Engine, Outcome, Request};
use program::RequestId;

/// A request to a table of items, with its answer: bodies of AWS JSON 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSent {
    /// `None` for relays and recovery.
    pub request: Option<RequestId>,
    /// `TransactWriteItems`
    pub operation: &'static str,
    pub body: String,
    /// A failure has a `__type`.
    pub reply: String,
}

/// A table of items as it is at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemsHeld {
    pub table: String,
    /// The body of the CreateTable that makes it.
    pub definition: String,
    /// In the order of their keys.
    pub items: Vec<String>,
}

/// A request as a run keeps it: who does not ask for its wire form need not have what makes it.
#[derive(Clone, Debug)]
pub(crate) struct KeptItem {
    pub(crate) on_behalf: Option<RequestId>,
    pub(crate) request: Arc<Request>,
    pub(crate) outcome: Outcome,
}

impl ItemSent {
    pub(crate) fn of(kept: &KeptItem) -> ItemSent {
        let (operation, body) = request_json(&kept.request);
        ItemSent {
            request: kept.on_behalf,
            operation,
            body: body.to_string(),
            reply: reply_json(&kept.outcome, Report::None).to_string(),
        }
    }
}

impl ItemsHeld {
    pub(crate) fn of(engine: &Engine, table: &str) -> Option<ItemsHeld> {
        let definition = engine.definition(table)?;
        let (_, body) = request_json(&Request::CreateTable((**definition).clone()));
        Some(ItemsHeld {
            table: table.to_owned(),
            definition: body.to_string(),
            items: engine.items(table).map(|item| item_json(item).to_string()).collect(),
        })
    }
}
