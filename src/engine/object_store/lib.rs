//! An object store's behaviour (Amazon S3's) as a passive state machine: buckets of objects by key.
//!
//! ```text
//! Request ─ begin ─▶ taken in, or refused at once: no such bucket, too large, too many for the prefix
//!                        │ another request may come in between
//!          finish ◀──────┘ the condition is looked at, the object written, read, listed or deleted
//!            └─▶ Outcome { reply or failure, usage: requests by class, bytes }
//! ```
//!
//! **Consistency** is strong, as S3's has been since December 2020: what is written is read and listed from then on. It
//! is that of one object: there is no transaction over two.
//!
//! **Conditional writes** (`If-None-Match: *`, `If-Match: etag`) compare and swap one object. Of several at a time the
//! first to finish succeeds; the others fail with 412. If the object was deleted while a conditional write was under
//! way, that fails with 409, or with 404 where it wanted an object that is gone (Amazon S3 User Guide, "How to prevent
//! object overwrites with conditional writes", "How to perform conditional deletes").
//!
//! **Architecture invariants.** No clock: `now` is an argument. No price and no latency: requests and bytes are counted.
//! Nothing waits: what is too much is refused. An [`Engine`] can be cloned at any instant, and a clone costs next to
//! nothing; its fingerprint tells two of them apart.
//!
//! Not here: versions, multipart uploads, copies, ranges, metadata, access control, encryption, storage classes.

mod failure;
mod flight;
mod listing;
mod object;
mod request;
mod service;
mod throughput;

pub use failure::{Failure, FailureName};
pub use flight::Flight;
pub use object::{ETag, Object};
pub use request::{Condition, List, Outcome, Page, Reply, Request, Usage};
pub use service::{Engine, Limits, MAX_KEY_BYTES, MAX_KEYS};
