//! What is asked of the store, and what it answers.

use std::sync::Arc;

use crate::failure::Failure;
use crate::object::{ETag, Object};

/// Keys are UTF-8 and sort by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    CreateBucket {
        bucket: Arc<str>,
    },
    PutObject {
        bucket: Arc<str>,
        key: Arc<str>,
        content: Arc<[u8]>,
        condition: Option<Condition>,
    },
    GetObject {
        bucket: Arc<str>,
        key: Arc<str>,
    },
    /// The same without the content.
    HeadObject {
        bucket: Arc<str>,
        key: Arc<str>,
    },
    /// That there is no such object is no error, unless a condition wants one.
    DeleteObject {
        bucket: Arc<str>,
        key: Arc<str>,
        condition: Option<Condition>,
    },
    ListObjectsV2(List),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// `If-None-Match: *`: there is no such object. Only of a PUT.
    Absent,
    /// `If-Match`: the object has this tag; with or without quotes. `*`, of a DELETE: there is one.
    Match(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    pub bucket: Arc<str>,
    /// Empty: of the whole bucket.
    pub prefix: Arc<str>,
    /// What has this behind the prefix is rolled up into one common prefix, up to and with the delimiter.
    pub delimiter: Option<Arc<str>>,
    /// Keys behind this one.
    pub start_after: Option<Arc<str>>,
    /// From the page before; goes before `start_after`.
    pub continuation: Option<Arc<str>>,
    /// At most 1,000, whatever is asked for; a common prefix counts as a key.
    pub max_keys: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    BucketCreated,
    Put(ETag),
    /// Of a HEAD the content is not sent.
    Object(Arc<Object>),
    Deleted,
    Page(Page),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    pub objects: Vec<(Arc<str>, Arc<Object>)>,
    pub common_prefixes: Vec<Arc<str>>,
    /// Where the next page goes on; `None`: this is the last.
    pub next: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub result: Result<Reply, Failure>,
    pub usage: Usage,
}

/// Counted work, by the classes that S3 bills: PUT and LIST, GET and HEAD, and DELETE, which is free. Answers of 503 are not
/// billed (Amazon S3 User Guide, "Billing for Amazon S3 error responses").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    pub puts: u64,
    pub lists: u64,
    pub gets: u64,
    pub deletes: u64,
    pub throttled: u64,
    /// Content taken.
    pub bytes_in: u64,
    /// Content and pages given.
    pub bytes_out: u64,
}

impl Usage {
    pub fn add(&mut self, other: Usage) {
        self.puts += other.puts;
        self.lists += other.lists;
        self.gets += other.gets;
        self.deletes += other.deletes;
        self.throttled += other.throttled;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

impl Request {
    pub fn bucket(&self) -> &Arc<str> {
        match self {
            Request::CreateBucket { bucket }
            | Request::PutObject { bucket, .. }
            | Request::GetObject { bucket, .. }
            | Request::HeadObject { bucket, .. }
            | Request::DeleteObject { bucket, .. }
            | Request::ListObjectsV2(List { bucket, .. }) => bucket,
        }
    }

    /// `PUT`
    pub fn verb(&self) -> &'static str {
        match self {
            Request::CreateBucket { .. } => "CREATE BUCKET",
            Request::PutObject { .. } => "PUT",
            Request::GetObject { .. } => "GET",
            Request::HeadObject { .. } => "HEAD",
            Request::DeleteObject { .. } => "DELETE",
            Request::ListObjectsV2(_) => "LIST",
        }
    }

    pub(crate) fn used(&self) -> Usage {
        let mut usage = Usage::default();
        match self {
            Request::CreateBucket { .. } => {}
            Request::PutObject { content, .. } => {
                usage.puts = 1;
                usage.bytes_in = content.len() as u64;
            }
            Request::GetObject { .. } | Request::HeadObject { .. } => usage.gets = 1,
            Request::DeleteObject { .. } => usage.deletes = 1,
            Request::ListObjectsV2(_) => usage.lists = 1,
        }
        usage
    }
}

impl Page {
    /// As the XML that S3 sends: about so much around each key, and around the page.
    pub(crate) fn bytes(&self) -> u64 {
        const PAGE: u64 = 300;
        const OBJECT: u64 = 200;
        const PREFIX: u64 = 51;
        let objects = self.objects.iter().map(|(key, _)| OBJECT + key.len() as u64);
        let prefixes = self.common_prefixes.iter().map(|prefix| PREFIX + prefix.len() as u64);
        PAGE + objects.sum::<u64>() + prefixes.sum::<u64>()
    }
}
