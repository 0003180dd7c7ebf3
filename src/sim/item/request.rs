//! A step's request as the requests that DynamoDB gets: pages and batches one after the other; what comes back
//! becomes rows, or the failure that the step's conditions say it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Nanos, Row, Type};
use engine_dynamo::{
    Action, AttributeValue, BatchGet, CancellationReason, Failure, FailureName, Get, Item, PagedRead, Query, Reply,
    Request, ReturnValues, Scan, Substitutions, Write,
};
use program::{
    Attributes, Condition, EachRow, Error, ErrorClass, ItemRequest, ItemTable, ItemWrite, Phrase, WriteAction,
};

use super::convert::{self, Columns};
use super::table::elements;
use crate::activation::{Register, Scope};
use crate::expression::{self, Present};

/// A step's request on its way: the requests that it takes, and what has come of each so far.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ItemCall {
    table: Arc<str>,
    /// One, but for a query of each row.
    parts: Vec<Part>,
    /// Parts begun, and those of them that wait for an answer.
    begun: usize,
    pub(crate) open: usize,
    /// Parts that may wait at once.
    parallel: usize,
    /// Of a transaction: which of the step's writes each action comes from.
    sources: Vec<u16>,
    /// What taking answers and sending requests in between has cost the service.
    pub(crate) owed: Nanos,
}

#[derive(Clone, Debug, Hash)]
struct Part {
    /// The next page or batch, or the whole.
    request: Arc<Request>,
    /// Keys of a batch that were not asked for yet.
    left: Vec<Item>,
    /// Items that may still come.
    room: Option<u32>,
    rows: Vec<Row>,
    /// Items written, or read.
    count: u64,
}

/// What a step's request becomes.
pub(crate) enum Made {
    Call(ItemCall),
    /// There is nothing to ask for.
    Nothing,
}

const MAX_BATCH: usize = 100;

/// So many items are made rows of one by one.
const FEW: usize = 8;

/// Works out operands of one step.
pub(crate) struct Maker<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) present: Present,
}

impl Maker<'_> {
    pub(crate) fn make(
        &self,
        table: &ItemTable,
        request: &ItemRequest,
        columns: &[(String, Type)],
    ) -> Result<Made, Error> {
        let name = Arc::clone(&table.name);
        let mut call = ItemCall {
            table: name.clone(),
            parts: Vec::new(),
            begun: 0,
            open: 0,
            parallel: 1,
            sources: Vec::new(),
            owed: Nanos::ZERO,
        };
        match request {
            ItemRequest::Get { key, consistent } => {
                let get = self.get(&name, key, *consistent)?;
                call.parts.extend(get.map(|get| Part::new(Request::GetItem(get))));
            }
            ItemRequest::BatchGet { each, key, consistent } => {
                let mut keys = Vec::new();
                self.each(Some(each), |maker| {
                    keys.extend(maker.key(key)?.filter(|key| !keys.contains(key)));
                    Ok(())
                })?;
                call.parts.extend(Part::of_batch(&name, keys, *consistent));
            }
            ItemRequest::Query { each, limit, .. } => {
                let (each, parallel) = each.as_ref().map(|(each, parallel)| (each, *parallel)).unzip();
                call.parallel = usize::from(parallel.unwrap_or(1)).max(1);
                self.each(each, |maker| {
                    let query = maker.query(&name, request)?;
                    call.parts.extend(query.map(|query| Part {
                        room: *limit,
                        ..Part::new(Request::Query(query))
                    }));
                    Ok(())
                })?;
            }
            ItemRequest::Scan {
                index,
                filter,
                consistent,
            } => {
                let mut substitutions = Substitutions::default();
                let filter = filter
                    .as_ref()
                    .map(|filter| self.phrase(filter, &mut substitutions))
                    .transpose()?;
                call.parts.push(Part::new(Request::Scan(Scan {
                    segment: None,
                    read: paged(name, index, filter, substitutions, None, *consistent),
                })));
            }
            ItemRequest::Write(write) => {
                if let Some(mut write) = self.write(table, write)? {
                    write.returns = match write.action {
                        Action::Update { .. } if !columns.is_empty() => ReturnValues::AllNew,
                        Action::Delete { .. } if !columns.is_empty() => ReturnValues::AllOld,
                        _ => ReturnValues::None,
                    };
                    call.parts.push(Part::new(Request::Write(write)));
                }
            }
            ItemRequest::TransactWrite { writes, token } => {
                let mut all = Vec::new();
                for (source, write) in (0..).zip(writes) {
                    self.each(write.each.as_ref(), |maker| {
                        if let Some(write) = maker.write(table, &write.write)? {
                            all.push(write);
                            call.sources.push(source);
                        }
                        Ok(())
                    })?;
                }
                let token = token.as_ref().map(|token| self.value(token)).transpose()?;
                let token = token
                    .filter(|token| !token.is_null())
                    .map(|token| token.to_string().into());
                if !all.is_empty() {
                    call.parts
                        .push(Part::new(Request::TransactWriteItems { writes: all, token }));
                }
            }
            ItemRequest::TransactGet { keys } => {
                let mut gets = Vec::with_capacity(keys.len());
                for key in keys {
                    gets.extend(self.get(&name, key, true)?);
                }
                if !gets.is_empty() {
                    call.parts.push(Part::new(Request::TransactGetItems { gets }));
                }
            }
        }
        Ok(if call.parts.is_empty() {
            Made::Nothing
        } else {
            Made::Call(call)
        })
    }

    /// `None` if a part of the key is NULL: there is no such item.
    fn key(&self, key: &Attributes) -> Result<Option<Item>, Error> {
        let item = self.item(key)?;
        Ok((item.len() == key.len()).then_some(item))
    }

    fn get(&self, table: &Arc<str>, key: &Attributes, consistent: bool) -> Result<Option<Get>, Error> {
        Ok(self.key(key)?.map(|key| Get {
            table: table.clone(),
            key,
            consistent,
            projection: None,
            substitutions: Substitutions::default(),
        }))
    }

    /// `None` if a value of the key condition is NULL: nothing has such a key.
    fn query(&self, table: &Arc<str>, request: &ItemRequest) -> Result<Option<Query>, Error> {
        let ItemRequest::Query {
            index,
            key_condition,
            filter,
            forward,
            limit,
            consistent,
            ..
        } = request
        else {
            return Ok(None);
        };
        for (_, expression) in &key_condition.values {
            if self.value(expression)?.is_null() {
                return Ok(None);
            }
        }
        let mut substitutions = Substitutions::default();
        let key_condition = self.phrase(key_condition, &mut substitutions)?;
        let filter = filter
            .as_ref()
            .map(|filter| self.phrase(filter, &mut substitutions))
            .transpose()?;
        Ok(Some(Query {
            key_condition,
            forward: *forward,
            read: paged(table.clone(), index, filter, substitutions, *limit, *consistent),
        }))
    }

    fn value(&self, expression: &program::Expression) -> Result<base::Value, Error> {
        expression::evaluate(expression, self.scope, self.present)
    }

    /// With the registers as they are; or as they are for each row, one after the other.
    fn each(&self, each: Option<&EachRow>, mut make: impl FnMut(Maker<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let Some(each) = each else {
            return make(Maker { ..*self });
        };
        let Some(Register::Rows(rows)) = self.scope.registers.get(each.rows.index()) else {
            return Ok(());
        };
        let mut scope = self.scope.clone();
        for row in rows.iter() {
            for (column, register) in each.bind.iter().enumerate() {
                let value = row.get(column).cloned().unwrap_or(base::Value::Null);
                scope.registers[register.index()] = Register::Value(value);
            }
            make(Maker { scope: &scope, ..*self })?;
        }
        Ok(())
    }

    fn item(&self, attributes: &Attributes) -> Result<Item, Error> {
        let mut item = Item::with_capacity(attributes.len());
        for (name, expression) in attributes {
            if let Some(attribute) = convert::attribute(&self.value(expression)?) {
                item.insert(Arc::clone(name), attribute);
            }
        }
        Ok(item)
    }

    /// The expression's text. A placeholder that stands for a list becomes as many.
    fn phrase(&self, phrase: &Phrase, substitutions: &mut Substitutions) -> Result<Arc<str>, Error> {
        let mut text: Arc<str> = phrase.text.as_str().into();
        for (placeholder, name) in &phrase.names {
            let known = substitutions.names.insert(Arc::clone(placeholder), Arc::clone(name));
            if known.is_some_and(|known| known != *name) {
                return Err(ambiguous(placeholder));
            }
        }
        for (placeholder, expression) in &phrase.values {
            let value = self.value(expression)?;
            let Some(elements) = elements(&value) else {
                let attribute = convert::attribute(&value).unwrap_or(AttributeValue::Null);
                if substitutions
                    .values
                    .get(placeholder)
                    .is_some_and(|known| *known != attribute)
                {
                    return Err(ambiguous(placeholder));
                }
                substitutions.values.insert(Arc::clone(placeholder), attribute);
                continue;
            };
            let mut names = Vec::new();
            // Of nothing, one that no attribute equals: `IN ()` cannot be written.
            let elements = if elements.is_empty() {
                vec![AttributeValue::Null]
            } else {
                elements
            };
            for (number, element) in elements.into_iter().enumerate() {
                let name = format!("{placeholder}_{number}");
                substitutions.values.insert(name.as_str().into(), element);
                names.push(name);
            }
            text = replace_placeholder(&text, placeholder, &names.join(", ")).into();
        }
        Ok(text)
    }

    /// `None` if its key is NULL.
    fn write(&self, table: &ItemTable, write: &ItemWrite) -> Result<Option<Write>, Error> {
        let mut substitutions = Substitutions::default();
        let action = match &write.action {
            WriteAction::Put { item } => {
                let item = self.item(item)?;
                let has = |attribute: &program::KeyAttribute| item.contains_key(attribute.name.as_str());
                (has(&table.key.partition) && table.key.sort.as_ref().is_none_or(has)).then_some(Action::Put { item })
            }
            WriteAction::Update { key, update } => match self.key(key)? {
                None => None,
                Some(key) => Some(Action::Update {
                    key,
                    update: Some(self.phrase(update, &mut substitutions)?),
                }),
            },
            WriteAction::Delete { key } => self.key(key)?.map(|key| Action::Delete { key }),
            WriteAction::Check { key } => self.key(key)?.map(|key| Action::Check { key }),
        };
        let Some(action) = action else { return Ok(None) };
        let condition = match &write.condition {
            Some(condition) => Some(self.phrase(&condition.phrase, &mut substitutions)?),
            None => None,
        };
        Ok(Some(Write {
            table: Arc::clone(&table.name),
            action,
            condition,
            substitutions,
            returns: ReturnValues::None,
            old_on_failure: false,
        }))
    }
}

/// `:ids` by `:ids_0, :ids_1`, but not in `:ids_too`.
fn replace_placeholder(text: &str, placeholder: &str, by: &str) -> String {
    let mut result = String::with_capacity(text.len() + by.len());
    let mut rest = text;
    while let Some(at) = rest.find(placeholder) {
        let behind = &rest[at + placeholder.len()..];
        let ends = !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        result.push_str(&rest[..at]);
        result.push_str(if ends { by } else { placeholder });
        rest = behind;
    }
    result.push_str(rest);
    result
}

fn ambiguous(placeholder: &str) -> Error {
    Error {
        class: ErrorClass::Refused,
        code: Some(FailureName::Validation.name().to_owned()),
        message: format!("{placeholder} stands for two things in one request"),
    }
}

fn paged(
    table: Arc<str>,
    index: &Option<String>,
    filter: Option<Arc<str>>,
    substitutions: Substitutions,
    limit: Option<u32>,
    consistent: bool,
) -> PagedRead {
    PagedRead {
        table,
        index: index.as_deref().map(Arc::from),
        substitutions,
        // A limit counts items before the filter: with one, there would be many small pages.
        limit: limit.filter(|_| filter.is_none()).map(|limit| limit.max(1)),
        filter,
        consistent,
        ..PagedRead::default()
    }
}

impl Part {
    fn new(request: Request) -> Part {
        Part {
            request: Arc::new(request),
            left: Vec::new(),
            room: None,
            rows: Vec::new(),
            count: 0,
        }
    }

    /// `None` if there are no keys.
    fn of_batch(table: &Arc<str>, keys: Vec<Item>, consistent: bool) -> Option<Part> {
        let mut part = Part {
            left: keys,
            ..Part::new(Request::DescribeTable { table: table.clone() })
        };
        (!part.left.is_empty()).then(|| {
            part.next_batch(table, consistent);
            part
        })
    }

    fn next_batch(&mut self, table: &Arc<str>, consistent: bool) {
        let rest = self.left.split_off(self.left.len().min(MAX_BATCH));
        let batch = BatchGet {
            keys: std::mem::replace(&mut self.left, rest),
            consistent,
            ..BatchGet::default()
        };
        self.request = Arc::new(Request::BatchGetItem {
            tables: BTreeMap::from([(table.clone(), batch)]),
        });
    }

    fn turn_page(&mut self, last: Item) {
        match Arc::make_mut(&mut self.request) {
            Request::Query(Query { read, .. }) | Request::Scan(Scan { read, .. }) => {
                read.start = Some(last);
                read.limit = read.limit.and(self.room);
            }
            _ => {}
        }
    }

    fn keep(&mut self, items: impl Iterator<Item = Arc<Item>>, columns: &[(String, Type)]) {
        let before = self.rows.len();
        if items.size_hint().0 < FEW {
            self.rows.extend(items.map(|item| convert::row(&item, columns)));
        } else {
            let mut columns = Columns::new(columns.iter().map(|(name, data_type)| (name.as_str(), *data_type)));
            self.rows.extend(items.map(|item| columns.row(&item)));
        }
        self.count += (self.rows.len() - before) as u64;
    }
}

impl ItemCall {
    /// Another part that may be asked for now.
    pub(crate) fn next_part(&mut self) -> Option<u16> {
        if self.begun == self.parts.len() || self.open == self.parallel {
            return None;
        }
        self.begun += 1;
        self.open += 1;
        u16::try_from(self.begun - 1).ok()
    }

    pub(crate) fn request(&self, part: u16) -> Option<Arc<Request>> {
        self.parts.get(usize::from(part)).map(|part| Arc::clone(&part.request))
    }

    /// Takes in a reply; true if the part has more to ask for.
    pub(crate) fn take(&mut self, part: u16, request: &ItemRequest, columns: &[(String, Type)], reply: Reply) -> bool {
        let table = self.table.clone();
        let Some(part) = self.parts.get_mut(usize::from(part)) else {
            return false;
        };
        match reply {
            Reply::Item(item) => part.keep(item.into_iter(), columns),
            Reply::Written(item) => {
                part.count += 1;
                part.rows.extend(item.map(|item| convert::row(&item, columns)));
            }
            Reply::Items(items) => part.keep(items.into_iter().flatten(), columns),
            Reply::Transacted => {
                let written = |source: &&u16| match request {
                    ItemRequest::TransactWrite { writes, .. } => writes
                        .get(usize::from(**source))
                        .is_some_and(|write| !matches!(write.write.action, WriteAction::Check { .. })),
                    _ => false,
                };
                part.count = self.sources.iter().filter(written).count() as u64;
            }
            Reply::Page(page) => {
                let room = part.room.unwrap_or(u32::MAX);
                let before = part.count;
                part.keep(page.items.into_iter().take(room as usize), columns);
                let taken = u32::try_from(part.count - before).unwrap_or(u32::MAX);
                part.room = part.room.map(|room| room.saturating_sub(taken));
                if part.room != Some(0)
                    && let Some(last) = page.last
                {
                    part.turn_page(last);
                    return true;
                }
            }
            Reply::BatchGot {
                mut responses,
                mut unprocessed,
            } => {
                part.keep(responses.remove(&table).unwrap_or_default().into_iter(), columns);
                let again = unprocessed.remove(&table).map(|batch| batch.keys);
                part.left.extend(again.into_iter().flatten());
                if !part.left.is_empty() {
                    part.next_batch(
                        &table,
                        matches!(request, ItemRequest::BatchGet { consistent: true, .. }),
                    );
                    return true;
                }
            }
            Reply::Table(_) | Reply::BatchWritten { .. } => {}
        }
        self.open -= 1;
        false
    }

    /// Everything that has come, in the order of the parts.
    pub(crate) fn gathered(self) -> (Vec<Row>, u64) {
        let count = self.parts.iter().map(|part| part.count).sum();
        (self.parts.into_iter().flat_map(|part| part.rows).collect(), count)
    }

    /// A failure as the step's conditions mean it.
    pub(crate) fn error(&self, request: &ItemRequest, failure: &Failure) -> Error {
        let plain = |class| Error {
            class,
            code: Some(failure.name.name().to_owned()),
            message: failure.message.clone(),
        };
        let meant = |condition: Option<&Condition>| match condition {
            Some(condition) => Error {
                message: condition.message.clone(),
                ..plain(condition.class)
            },
            None => plain(ErrorClass::Refused),
        };
        match (failure.name, request) {
            (FailureName::ConditionalCheckFailed, ItemRequest::Write(write)) => meant(write.condition.as_ref()),
            (FailureName::TransactionCanceled, _) => {
                let writes: &[_] = match request {
                    ItemRequest::TransactWrite { writes, .. } => writes,
                    _ => &[],
                };
                let reason = |(number, reason): (usize, &CancellationReason)| match reason {
                    CancellationReason::None => None,
                    CancellationReason::ConditionalCheckFailed(_) => {
                        let source = self.sources.get(number).map_or(number, |source| usize::from(*source));
                        Some(meant(
                            writes.get(source).and_then(|write| write.write.condition.as_ref()),
                        ))
                    }
                    CancellationReason::ValidationError(message) => Some(Error {
                        message: message.clone(),
                        ..plain(ErrorClass::Refused)
                    }),
                    _ => Some(Error {
                        message: reason.message().unwrap_or_default().to_owned(),
                        ..plain(ErrorClass::Transient)
                    }),
                };
                // What may be otherwise next time comes first: a constraint that is broken still is then.
                let errors: Vec<Error> = failure.reasons.iter().enumerate().filter_map(reason).collect();
                let transient = errors.iter().find(|error| error.class == ErrorClass::Transient);
                let first = transient.or_else(|| errors.first()).cloned();
                first.unwrap_or_else(|| plain(ErrorClass::Refused))
            }
            (name, _) if name.is_transient() => plain(ErrorClass::Transient),
            _ => plain(ErrorClass::Refused),
        }
    }
}
