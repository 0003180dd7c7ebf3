//! A step's request as the requests that the object store gets, and what comes back as rows.

use std::sync::Arc;

use base::{Nanos, Row, Value};
use engine_object_store::{Condition, Failure, FailureName, List, MAX_KEYS, Reply, Request};
use program::{
    Bucket, EachRow, Error, ErrorClass, Expression, ObjectColumn, ObjectCondition, ObjectRequest, ObjectState,
};

use super::convert;
use crate::activation::{Register, Scope};
use crate::control::bind_row;
use crate::expression::{self, Present};

/// A step's request on its way: the requests that it takes, and what has come of each so far.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ObjectCall {
    /// One, but for those of each row.
    parts: Vec<Part>,
    /// Parts begun, and those of them that wait for an answer.
    begun: usize,
    pub(crate) open: usize,
    /// Parts that may wait at once.
    parallel: usize,
    /// What taking answers and sending requests in between has cost the service.
    pub(crate) owed: Nanos,
}

#[derive(Clone, Debug, Hash)]
struct Part {
    /// The next page, or the whole.
    request: Arc<Request>,
    rows: Vec<Row>,
    /// Objects written, deleted or read.
    count: u64,
}

/// Works out operands of one step.
pub(crate) struct Maker<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) present: Present,
}

impl Maker<'_> {
    /// `None`: there is nothing to ask for.
    pub(crate) fn make(&self, bucket: &Bucket, request: &ObjectRequest) -> Result<Option<ObjectCall>, Error> {
        let mut call = ObjectCall {
            parts: Vec::new(),
            begun: 0,
            open: 0,
            parallel: 1,
            owed: Nanos::ZERO,
        };
        match request {
            ObjectRequest::Get { each, .. } | ObjectRequest::List { each, .. } => {
                let parallel = each.as_ref().map_or(1, |(_, parallel)| *parallel);
                call.parallel = usize::from(parallel).max(1);
                self.each(each.as_ref().map(|(each, _)| each), |maker| {
                    call.parts.extend(maker.one(bucket, request)?.map(Part::new));
                    Ok(())
                })?;
            }
            ObjectRequest::Put { .. } | ObjectRequest::Delete { .. } => {
                call.parts.extend(self.one(bucket, request)?.map(Part::new));
            }
        }
        Ok((!call.parts.is_empty()).then_some(call))
    }

    /// `None` if the key, or a tag that must match, is NULL.
    fn one(&self, bucket: &Bucket, request: &ObjectRequest) -> Result<Option<Request>, Error> {
        let (ObjectRequest::Get { key, .. }
        | ObjectRequest::List { prefix: key, .. }
        | ObjectRequest::Put { key, .. }
        | ObjectRequest::Delete { key, .. }) = request;
        let Some(key) = self.text(key)? else { return Ok(None) };
        let bucket = Arc::clone(&bucket.name);
        Ok(Some(match request {
            ObjectRequest::Get { .. } => Request::GetObject { bucket, key },
            ObjectRequest::List { .. } => Request::ListObjectsV2(List {
                bucket,
                prefix: key,
                delimiter: None,
                start_after: None,
                continuation: None,
                max_keys: MAX_KEYS,
            }),
            ObjectRequest::Put { fields, condition, .. } => {
                let mut values = Vec::with_capacity(fields.len());
                for (name, expression) in fields {
                    values.push((&**name, self.value(expression)?));
                }
                Request::PutObject {
                    bucket,
                    key,
                    content: convert::content(values),
                    condition: self.condition(condition.as_ref())?,
                }
            }
            ObjectRequest::Delete { condition, .. } => Request::DeleteObject {
                bucket,
                key,
                condition: self.condition(condition.as_ref())?,
            },
        }))
    }

    fn condition(&self, condition: Option<&ObjectCondition>) -> Result<Option<Condition>, Error> {
        Ok(match condition.map(|condition| &condition.holds) {
            None => None,
            Some(ObjectState::Absent) => Some(Condition::Absent),
            // NULL is no object's tag.
            Some(ObjectState::Tagged(tag)) => Some(Condition::Match(self.text(tag)?.unwrap_or_default())),
        })
    }

    fn value(&self, expression: &Expression) -> Result<Value, Error> {
        expression::evaluate(expression, self.scope, self.present)
    }

    fn text(&self, expression: &Expression) -> Result<Option<Arc<str>>, Error> {
        let value = self.value(expression)?;
        Ok((!value.is_null()).then(|| value.to_string().into()))
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
            bind_row(&mut scope, &each.bind, row);
            make(Maker { scope: &scope, ..*self })?;
        }
        Ok(())
    }
}

impl Part {
    fn new(request: Request) -> Part {
        Part {
            request: Arc::new(request),
            rows: Vec::new(),
            count: 0,
        }
    }
}

impl ObjectCall {
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
    pub(crate) fn take(&mut self, part: u16, columns: &[ObjectColumn], reply: Option<Reply>) -> bool {
        let Some(part) = self.parts.get_mut(usize::from(part)) else {
            return false;
        };
        match reply {
            Some(Reply::Object(object)) => {
                if let Request::GetObject { key, .. } = &*part.request {
                    part.rows.push(convert::row(key, &object, columns));
                }
                part.count += 1;
            }
            Some(Reply::Put(_) | Reply::Deleted) => part.count += 1,
            Some(Reply::Page(page)) => {
                let rows = page
                    .objects
                    .iter()
                    .map(|(key, object)| convert::row(key, object, columns));
                part.rows.extend(rows);
                part.count += page.objects.len() as u64;
                if let (Some(next), Request::ListObjectsV2(list)) = (page.next, Arc::make_mut(&mut part.request)) {
                    list.continuation = Some(next);
                    return true;
                }
            }
            // A read of what is not there.
            None | Some(Reply::BucketCreated) => {}
        }
        self.open -= 1;
        false
    }

    /// Everything that has come, in the order of the parts.
    pub(crate) fn gathered(self) -> (Vec<Row>, u64) {
        let count = self.parts.iter().map(|part| part.count).sum();
        (self.parts.into_iter().flat_map(|part| part.rows).collect(), count)
    }
}

/// A failure as the step's condition means it; a read of what is not there has no reply.
pub(crate) fn meant(request: &ObjectRequest, failure: Failure) -> Result<Option<Reply>, Error> {
    let condition = match request {
        ObjectRequest::Put { condition, .. } | ObjectRequest::Delete { condition, .. } => condition.as_ref(),
        ObjectRequest::Get { .. } if failure.name == FailureName::NoSuchKey => return Ok(None),
        ObjectRequest::Get { .. } | ObjectRequest::List { .. } => None,
    };
    let code = Some(failure.name.name().to_owned());
    let unmet = matches!(failure.name, FailureName::PreconditionFailed | FailureName::NoSuchKey);
    Err(match condition.filter(|_| unmet) {
        Some(condition) => Error {
            class: condition.class,
            code,
            message: condition.message.clone(),
        },
        None => Error {
            class: if failure.name.is_transient() {
                ErrorClass::Transient
            } else {
                ErrorClass::Refused
            },
            code,
            message: failure.message,
        },
    })
}
