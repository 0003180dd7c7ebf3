//! The wire form: AWS JSON 1.0, as boto3 and every other client speak it.
//!
//! ```text
//! X-Amz-Target: DynamoDB_20120810.PutItem     {"TableName": "t", "Item": {"pk": {"S": "a"}}}
//! ```

mod read;
mod reply;
mod request;
mod value;

use serde_json::Value as Json;

use crate::failure::Failure;
use crate::request::Request;

pub use reply::{failure_json, reply_json};
pub use request::request_json;
pub use value::{item_json, value_json};

/// A request as it comes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WireRequest {
    pub request: Request,
    pub report: Report,
}

/// `ReturnConsumedCapacity`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Report {
    #[default]
    None,
    Total,
    Indexes,
}

/// The operation's name and its body.
pub fn parse_request(operation: &str, body: &Json) -> Result<WireRequest, Box<Failure>> {
    read::request(operation, body)
}
