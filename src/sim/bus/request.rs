//! A step's request as the bus gets it, and what comes back as rows.

use base::{Row, Value};
use engine_event_bus::{Delivered, Failure, Message, Reply, Request};
use engine_sql::{Output, Tag};
use program::{Acks, BusRequest, Error, ErrorClass, Expression, Topic};

use crate::activation::{Register, Scope};
use crate::control::bind_row;
use crate::expression::{self, Present};

/// `None`: there is nothing to send.
pub(super) fn make(
    topic: &Topic,
    request: &BusRequest,
    scope: &Scope,
    present: Present,
) -> Result<Option<Request>, Error> {
    let name = topic.name.as_str().into();
    let number = |expression: &Expression| match expression::evaluate(expression, scope, present)?.as_i64() {
        Some(number) if number >= 0 => Ok(number as u64),
        _ => Err(refused("a partition and a position are whole numbers from 0")),
    };
    let partition = |expression| number(expression).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    Ok(Some(match request {
        BusRequest::Publish {
            each,
            key,
            fields,
            acks,
        } => {
            let mut messages = Vec::new();
            match each {
                None => messages.push(message(key, fields, scope, present)?),
                Some(each) => {
                    let Some(Register::Rows(rows)) = scope.registers.get(each.rows.index()) else {
                        return Ok(None);
                    };
                    let mut own = scope.clone();
                    for row in rows.iter() {
                        bind_row(&mut own, &each.bind, row);
                        messages.push(message(key, fields, &own, present)?);
                    }
                }
            }
            if messages.is_empty() {
                return Ok(None);
            }
            Request::Publish {
                topic: name,
                messages,
                acks: match acks {
                    Acks::Leader => engine_event_bus::Acks::Leader,
                    Acks::All => engine_event_bus::Acks::All,
                },
            }
        }
        BusRequest::Read {
            group,
            partition: of,
            limit,
            ..
        } => Request::Fetch {
            topic: name,
            group: group.as_str().into(),
            partition: partition(of)?,
            limit: *limit,
        },
        BusRequest::Commit {
            group,
            partition: of,
            position,
        } => Request::Commit {
            topic: name,
            group: group.as_str().into(),
            partition: partition(of)?,
            next: number(position)?.saturating_add(1),
        },
    }))
}

/// A key of NULL is a key like any other: all such messages go to one partition.
fn message(key: &Expression, fields: &[Expression], scope: &Scope, present: Present) -> Result<Message, Error> {
    let fields = fields.iter().map(|field| expression::evaluate(field, scope, present));
    Ok(Message {
        key: expression::evaluate(key, scope, present)?.to_string().into(),
        body: fields.collect::<Result<Row, Error>>()?,
    })
}

/// A step's output: rows of a position and the fields, or the number of messages.
pub(super) fn output(reply: Reply) -> Output {
    let (rows, count) = match reply {
        Reply::Published(places) => (Vec::new(), places.len()),
        Reply::Fetched(messages) => {
            let rows: Vec<Row> = messages.iter().map(row).collect();
            let count = rows.len();
            (rows, count)
        }
        Reply::Committed => (Vec::new(), 0),
    };
    Output {
        tag: Tag {
            verb: "",
            rows: Some(count as u64),
        },
        rows,
        ..Output::default()
    }
}

fn row(delivered: &Delivered) -> Row {
    let position = Value::Int8(i64::try_from(delivered.offset).unwrap_or(i64::MAX));
    std::iter::once(position)
        .chain(delivered.message.body.iter().cloned())
        .collect()
}

pub(super) fn error(failure: &Failure) -> Error {
    let class = if failure.name.is_transient() {
        ErrorClass::Transient
    } else {
        ErrorClass::Refused
    };
    Error {
        class,
        code: Some(failure.name.name().to_owned()),
        message: failure.message.clone(),
    }
}

fn refused(message: &str) -> Error {
    Error {
        class: ErrorClass::Refused,
        code: None,
        message: message.to_owned(),
    }
}
