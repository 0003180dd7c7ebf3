//! The store: buckets and the requests to them.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Fingerprint, SortedMap, Time};

use crate::failure::{Failure, FailureName};
use crate::flight::{Flight, Flights};
use crate::listing;
use crate::object::Object;
use crate::request::{Condition, Outcome, Reply, Request, Usage};
use crate::throughput::Prefixes;

/// Of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1_024;

/// On a page of a listing.
pub const MAX_KEYS: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Of an object that is put in one request (Amazon S3 User Guide, "Uploading objects").
    pub object_bytes: u64,
    /// So many parts of a key, each up to a `/`, make the prefix whose requests are limited; `None`: no limit.
    pub prefix_depth: Option<u8>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            object_bytes: 5 * 1024 * 1024 * 1024,
            prefix_depth: Some(1),
        }
    }
}

/// See the crate's text. A clone shares what neither copy has changed since.
#[derive(Clone, Debug, Hash)]
pub struct Engine {
    limits: Limits,
    buckets: BTreeMap<Arc<str>, Bucket>,
    flights: Flights,
}

#[derive(Clone, Debug)]
struct Bucket {
    objects: SortedMap<Arc<Object>>,
    prefixes: Prefixes,
    bytes: u64,
}

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        Engine {
            limits,
            buckets: BTreeMap::new(),
            flights: Flights::default(),
        }
    }

    /// Both instants of a request, one right after the other.
    pub fn request(&mut self, request: &Request, now: Time) -> Outcome {
        match self.begin(request, now) {
            Ok(flight) => self.finish(request, flight, now),
            Err(outcome) => outcome,
        }
    }

    /// A request comes in. The error is all that comes of it.
    pub fn begin(&mut self, request: &Request, now: Time) -> Result<Flight, Outcome> {
        let refused = |failure: Failure| {
            let throttled = failure.name == FailureName::SlowDown;
            let usage = if throttled {
                Usage {
                    throttled: 1,
                    ..Usage::default()
                }
            } else {
                request.used()
            };
            Outcome {
                result: Err(failure),
                usage,
            }
        };
        self.admit(request, now).map_err(refused)?;
        Ok(match request {
            Request::PutObject {
                bucket,
                key,
                condition: Some(_),
                ..
            } => self.flights.add(bucket, key, true),
            Request::DeleteObject {
                bucket,
                key,
                condition: Some(_),
            } => self.flights.add(bucket, key, false),
            _ => Flight(None),
        })
    }

    fn admit(&mut self, request: &Request, now: Time) -> Result<(), Failure> {
        let (key, write) = match request {
            Request::CreateBucket { .. } => return Ok(()),
            Request::PutObject { key, content, .. } => {
                if content.len() as u64 > self.limits.object_bytes {
                    return Err(FailureName::EntityTooLarge.into());
                }
                (key, true)
            }
            Request::DeleteObject { key, .. } => (key, true),
            Request::GetObject { key, .. } | Request::HeadObject { key, .. } => (key, false),
            Request::ListObjectsV2(list) => (&list.prefix, false),
        };
        if key.len() > MAX_KEY_BYTES {
            return Err(FailureName::KeyTooLong.into());
        }
        let bucket = self.bucket(request.bucket())?;
        if bucket.prefixes.admit(key, write, now) {
            Ok(())
        } else {
            Err(FailureName::SlowDown.into())
        }
    }

    /// It is carried out. Exactly once for each that has come in.
    pub fn finish(&mut self, request: &Request, flight: Flight, now: Time) -> Outcome {
        let overtaken = self.flights.end(flight);
        let result = match request {
            Request::CreateBucket { bucket } => self.create_bucket(bucket),
            Request::PutObject {
                bucket,
                key,
                content,
                condition,
            } => self.put(bucket, key, content, condition.as_ref(), overtaken, now),
            Request::GetObject { bucket, key } | Request::HeadObject { bucket, key } => self.get(bucket, key),
            Request::DeleteObject { bucket, key, condition } => self.delete(bucket, key, condition.as_ref(), overtaken),
            Request::ListObjectsV2(list) => self
                .bucket(&list.bucket)
                .and_then(|bucket| listing::page(&bucket.objects, list))
                .map(Reply::Page),
        };
        let mut usage = request.used();
        usage.bytes_out = match (request, &result) {
            (Request::GetObject { .. }, Ok(Reply::Object(object))) => object.content.len() as u64,
            (_, Ok(Reply::Page(page))) => page.bytes(),
            _ => 0,
        };
        Outcome { result, usage }
    }

    pub fn create_bucket(&mut self, name: &Arc<str>) -> Result<Reply, Failure> {
        if !is_bucket_name(name) {
            return Err(FailureName::InvalidBucketName.into());
        }
        if self.buckets.contains_key(name) {
            return Err(FailureName::BucketAlreadyOwnedByYou.into());
        }
        let bucket = Bucket {
            objects: SortedMap::new(),
            prefixes: Prefixes::new(self.limits.prefix_depth),
            bytes: 0,
        };
        self.buckets.insert(Arc::clone(name), bucket);
        Ok(Reply::BucketCreated)
    }

    fn put(
        &mut self,
        bucket: &Arc<str>,
        key: &Arc<str>,
        content: &Arc<[u8]>,
        condition: Option<&Condition>,
        overtaken: bool,
        now: Time,
    ) -> Result<Reply, Failure> {
        let place = self.bucket(bucket)?;
        let there = place.objects.get(key.as_bytes());
        match (condition, there) {
            (Some(Condition::Match(_)), None) => return Err(FailureName::NoSuchKey.into()),
            _ if overtaken => return Err(FailureName::ConditionalRequestConflict.into()),
            (Some(Condition::Absent), Some(_)) => return Err(FailureName::PreconditionFailed.into()),
            (Some(Condition::Match(wanted)), Some(object)) if !object.etag.is(wanted) => {
                return Err(FailureName::PreconditionFailed.into());
            }
            _ => {}
        }
        let object = Arc::new(Object::new(Arc::clone(content), now));
        let etag = object.etag;
        place.insert(key, object);
        self.flights.put(bucket, key);
        Ok(Reply::Put(etag))
    }

    fn get(&mut self, bucket: &Arc<str>, key: &Arc<str>) -> Result<Reply, Failure> {
        let found = self.bucket(bucket)?.objects.get(key.as_bytes());
        found
            .map(|object| Reply::Object(Arc::clone(object)))
            .ok_or_else(|| FailureName::NoSuchKey.into())
    }

    fn delete(
        &mut self,
        bucket: &Arc<str>,
        key: &Arc<str>,
        condition: Option<&Condition>,
        overtaken: bool,
    ) -> Result<Reply, Failure> {
        let place = self.bucket(bucket)?;
        match (condition, place.objects.get(key.as_bytes())) {
            _ if overtaken => return Err(FailureName::ConditionalRequestConflict.into()),
            (Some(_), None) => return Err(FailureName::NoSuchKey.into()),
            (Some(Condition::Match(wanted)), Some(object)) if **wanted != *"*" && !object.etag.is(wanted) => {
                return Err(FailureName::PreconditionFailed.into());
            }
            (Some(Condition::Absent), Some(_)) => return Err(FailureName::PreconditionFailed.into()),
            _ => {}
        }
        if place.remove(key) {
            self.flights.deleted(bucket, key);
        }
        Ok(Reply::Deleted)
    }

    fn bucket(&mut self, name: &str) -> Result<&mut Bucket, Failure> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| FailureName::NoSuchBucket.into())
    }

    /// Puts an object there before a run begins: nothing is counted, and no limit of a prefix is met.
    pub fn load(&mut self, bucket: &Arc<str>, key: &Arc<str>, content: Arc<[u8]>) -> Result<(), Failure> {
        if key.len() > MAX_KEY_BYTES {
            return Err(FailureName::KeyTooLong.into());
        }
        let object = Arc::new(Object::new(content, Time::ZERO));
        self.bucket(bucket)?.insert(key, object);
        Ok(())
    }

    /// All objects of a bucket whose keys begin so, in the order of their keys, for whoever stands outside of the run.
    pub fn objects<'o>(&'o self, bucket: &str, prefix: &'o str) -> impl Iterator<Item = (&'o str, &'o Object)> + 'o {
        let from = std::ops::Bound::Included(prefix.as_bytes());
        let range = self
            .buckets
            .get(bucket)
            .map(|bucket| bucket.objects.range(from, std::ops::Bound::Unbounded));
        let named = range
            .into_iter()
            .flatten()
            .filter_map(|(key, object)| Some((std::str::from_utf8(key).ok()?, &**object)));
        named.take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Of all objects, with their keys, as they are billed.
    pub fn stored_bytes(&self) -> u64 {
        self.buckets.values().map(|bucket| bucket.bytes).sum()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }
}

impl Bucket {
    fn insert(&mut self, key: &str, object: Arc<Object>) {
        self.bytes += stored(key, &object);
        if let Some(before) = self.objects.insert(key.as_bytes().into(), object) {
            self.bytes -= stored(key, &before);
        }
    }

    fn remove(&mut self, key: &str) -> bool {
        let before = self.objects.remove(key.as_bytes());
        self.bytes -= before.as_ref().map_or(0, |before| stored(key, before));
        before.is_some()
    }
}

fn stored(key: &str, object: &Object) -> u64 {
    (key.len() + object.content.len()) as u64
}

impl Hash for Bucket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.objects.len().hash(state);
        for entry in self.objects.iter() {
            entry.hash(state);
        }
        self.prefixes.hash(state);
    }
}

/// 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit first and last (Amazon S3 User Guide, "Bucket
/// naming rules"; of the rules for particular beginnings and ends nothing is checked).
fn is_bucket_name(name: &str) -> bool {
    let plain = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|c| plain(c) || matches!(c, b'-' | b'.'))
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && !name.contains("..")
}
