//! Tables of items (DynamoDB) and the requests to them, as plain data.
//!
//! Expressions are DynamoDB's own texts with `#name` and `:value` placeholders; what stands for a value is an
//! [`Expression`] over registers. How a value becomes an attribute, and back:
//!
//! | SQL | attribute |
//! |---|---|
//! | smallint, int, bigint, numeric | N; how many zeros a numeric had at its end is lost |
//! | double precision | N; S if it is none or has too large an exponent |
//! | text, uuid, date, interval | S |
//! | timestamp | S, `2026-11-21T09:30:00.000000` |
//! | bool | BOOL |
//! | timestamptz | S, `2026-11-21T09:30:00.000000Z`: as long for every instant, so that it sorts by time |
//! | jsonb | S, its text in normal form |
//! | bytea | B |
//! | NULL | the attribute is left out; for a placeholder the NULL type, which equals no attribute that is there |
//! | a list (`Expression::Column`) | as many values, where a list of operands may stand |
//!
//! **NULL is no key.** A read whose key, or a value of whose key condition, is NULL finds nothing, and no request is sent
//! for it. A write of a transaction whose key is NULL is left out (nothing refers to NULL, and NULL is not unique), and
//! an index does not hold an item whose index key is NULL. A transaction with nothing left to write sends no request.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::{NodeId, RegisterId};
use crate::step::ErrorClass;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ItemTable {
    pub name: Arc<str>,
    pub node: NodeId,
    pub key: KeySchema,
    /// Global secondary indexes.
    pub indexes: Vec<SecondaryIndex>,
    /// How it came to these keys: one line per decision, for people.
    pub reasons: Vec<String>,
}

/// Names of attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeySchema {
    pub partition: KeyAttribute,
    pub sort: Option<KeyAttribute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyAttribute {
    pub name: String,
    pub kind: KeyKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    Text,
    Number,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecondaryIndex {
    pub name: String,
    pub key: KeySchema,
    pub projection: Projection,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Projection {
    All,
    KeysOnly,
    Include(Vec<String>),
}

/// Attributes with their values.
pub type Attributes = Vec<(Arc<str>, Expression)>;

/// A DynamoDB expression and what its placeholders stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Phrase {
    /// `attribute_not_exists(#pk)`
    pub text: String,
    /// (`#pk`, `pk`)
    pub names: Vec<(Arc<str>, Arc<str>)>,
    /// (`:email`, operand)
    pub values: Vec<(Arc<str>, Expression)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ItemRequest {
    Get {
        key: Attributes,
        consistent: bool,
    },
    /// Items by their keys, at most 100 a round trip: `key` once for each row. What comes back unprocessed is asked for again.
    BatchGet {
        each: EachRow,
        key: Attributes,
        consistent: bool,
    },
    /// All pages, one after the other; `limit`: until so many items have come through the filter.
    Query {
        /// Once for each row, if it says so: as many requests, so many at a time; what they find comes in the rows' order.
        each: Option<(EachRow, u16)>,
        index: Option<String>,
        key_condition: Phrase,
        filter: Option<Phrase>,
        forward: bool,
        limit: Option<u32>,
        consistent: bool,
    },
    /// All pages, one after the other: reads every item of the table.
    Scan {
        index: Option<String>,
        filter: Option<Phrase>,
        consistent: bool,
    },
    /// One write by itself.
    Write(ItemWrite),
    /// All or nothing, at most 100 writes.
    TransactWrite {
        writes: Vec<TransactedWrite>,
        /// `ClientRequestToken`: a repeat within ten minutes has no second effect.
        token: Option<Expression>,
    },
    /// Items by their keys, at most 100, as of one instant.
    TransactGet {
        keys: Vec<Attributes>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransactedWrite {
    /// Once for each row, if it says so.
    pub each: Option<EachRow>,
    pub write: ItemWrite,
}

/// Operands are worked out once per row, its columns bound to these registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EachRow {
    pub rows: RegisterId,
    pub bind: Vec<RegisterId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ItemWrite {
    pub action: WriteAction,
    pub condition: Option<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WriteAction {
    Put {
        item: Attributes,
    },
    Update {
        key: Attributes,
        update: Phrase,
    },
    Delete {
        key: Attributes,
    },
    /// Only in a transaction: nothing is written.
    Check {
        key: Attributes,
    },
}

/// What must hold for the item as it is, and what it means if it does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    pub phrase: Phrase,
    /// `Refused`: a constraint of the scenario. `Transient`: somebody was faster; read and decide again.
    pub class: ErrorClass,
    /// `duplicate key: auth.users (email)`
    pub message: String,
}
