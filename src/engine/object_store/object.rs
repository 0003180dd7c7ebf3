//! What a bucket holds: bytes, and the tag that tells one content from another.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Time, hex};
use md5::{Digest, Md5};

/// The MD5 of the content, as of an object that was put in one request and is not encrypted by a key of its owner's
/// (Amazon S3 API Reference, "Object").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ETag([u8; 16]);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub content: Arc<[u8]>,
    pub etag: ETag,
    /// When it was written.
    pub modified: Time,
}

impl ETag {
    pub fn of(content: &[u8]) -> ETag {
        ETag(Md5::digest(content).into())
    }

    /// Is this how a request writes it: with or without its quotes?
    pub(crate) fn is(self, written: &str) -> bool {
        let bare = written.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        bare.unwrap_or(written) == hex(&self.0)
    }
}

/// With its quotes, as HTTP has it.
impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", hex(&self.0))
    }
}

impl Object {
    pub(crate) fn new(content: Arc<[u8]>, now: Time) -> Object {
        Object {
            etag: ETag::of(&content),
            content,
            modified: now,
        }
    }
}

/// The tag stands for the content.
impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.etag, self.content.len(), self.modified).hash(state);
    }
}
