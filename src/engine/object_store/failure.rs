//! Refusals, named and worded as Amazon S3 names and words them (Amazon S3 API Reference, "Error responses").

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    pub name: FailureName,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureName {
    BucketAlreadyOwnedByYou,
    /// Somebody else's request got in between.
    ConditionalRequestConflict,
    EntityTooLarge,
    InvalidArgument,
    InvalidBucketName,
    KeyTooLong,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
    /// More requests than the key's prefix takes.
    SlowDown,
}

impl FailureName {
    /// `NoSuchKey`
    pub fn name(self) -> &'static str {
        match self {
            FailureName::BucketAlreadyOwnedByYou => "BucketAlreadyOwnedByYou",
            FailureName::ConditionalRequestConflict => "ConditionalRequestConflict",
            FailureName::EntityTooLarge => "EntityTooLarge",
            FailureName::InvalidArgument => "InvalidArgument",
            FailureName::InvalidBucketName => "InvalidBucketName",
            FailureName::KeyTooLong => "KeyTooLongError",
            FailureName::NoSuchBucket => "NoSuchBucket",
            FailureName::NoSuchKey => "NoSuchKey",
            FailureName::PreconditionFailed => "PreconditionFailed",
            FailureName::SlowDown => "SlowDown",
        }
    }

    /// Of HTTP.
    pub fn status(self) -> u16 {
        match self {
            FailureName::EntityTooLarge
            | FailureName::InvalidArgument
            | FailureName::InvalidBucketName
            | FailureName::KeyTooLong => 400,
            FailureName::NoSuchBucket | FailureName::NoSuchKey => 404,
            FailureName::BucketAlreadyOwnedByYou | FailureName::ConditionalRequestConflict => 409,
            FailureName::PreconditionFailed => 412,
            FailureName::SlowDown => 503,
        }
    }

    /// May the same request go well later?
    pub fn is_transient(self) -> bool {
        matches!(self, FailureName::SlowDown | FailureName::ConditionalRequestConflict)
    }

    fn message(self) -> &'static str {
        match self {
            FailureName::BucketAlreadyOwnedByYou => {
                "Your previous request to create the named bucket succeeded and you already own it."
            }
            FailureName::ConditionalRequestConflict => {
                "The conditional request cannot succeed due to a conflicting operation against this resource."
            }
            FailureName::EntityTooLarge => "Your proposed upload exceeds the maximum allowed size",
            FailureName::InvalidArgument => "Invalid Argument",
            FailureName::InvalidBucketName => "The specified bucket is not valid.",
            FailureName::KeyTooLong => "Your key is too long",
            FailureName::NoSuchBucket => "The specified bucket does not exist",
            FailureName::NoSuchKey => "The specified key does not exist.",
            FailureName::PreconditionFailed => "At least one of the pre-conditions you specified did not hold",
            FailureName::SlowDown => "Please reduce your request rate.",
        }
    }
}

impl Failure {
    pub(crate) fn worded(name: FailureName, message: impl Into<String>) -> Failure {
        Failure {
            name,
            message: message.into(),
        }
    }
}

impl From<FailureName> for Failure {
    fn from(name: FailureName) -> Failure {
        Failure::worded(name, name.message())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.name(), self.message)
    }
}

impl std::error::Error for Failure {}
