//! Topics of an event bus and the requests to them, as plain data.
//!
//! A message is a row: its values come in the order of the topic's fields. Messages of one key go to one partition and
//! keep their order; between partitions there is none. A group is given a message again until it has committed it.
//!
//! What a consumer reads comes as rows of a position and the fields; the position is what it commits.

use base::{Nanos, Type};
use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::NodeId;
use crate::item::EachRow;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
    pub node: NodeId,
    pub partitions: u16,
    /// What its messages carry, in order.
    pub fields: Vec<(String, Type)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BusRequest {
    /// One message, or one for each row: one round trip, all of them or none. With no row nothing is sent.
    Publish {
        each: Option<EachRow>,
        /// Which partition: as text.
        key: Expression,
        fields: Vec<Expression>,
        acks: Acks,
    },
    /// What the group has not committed of a partition, in order. While there is nothing the bus holds the request back,
    /// at most so long.
    Read {
        group: String,
        partition: Expression,
        limit: u32,
        wait: Nanos,
    },
    /// The group has handled the partition up to and with this position.
    Commit {
        group: String,
        partition: Expression,
        position: Expression,
    },
}

/// When a publisher has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Acks {
    /// When the bus has the messages: a crash may lose what was acknowledged.
    Leader,
    /// When its replicas have them, too.
    All,
}
