//! Why a request is refused. The names are those of Kafka's protocol, which other buses speak too.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    pub name: FailureName,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureName {
    UnknownTopicOrPartition,
    TopicAlreadyExists,
    InvalidPartitions,
    /// A message is larger than the bus takes.
    MessageTooLarge,
    /// An offset that the partition does not have.
    OffsetOutOfRange,
    /// The replicas are too far behind: to be tried again later.
    ThrottlingQuotaExceeded,
}

impl FailureName {
    /// `UNKNOWN_TOPIC_OR_PARTITION`
    pub fn name(self) -> &'static str {
        match self {
            FailureName::UnknownTopicOrPartition => "UNKNOWN_TOPIC_OR_PARTITION",
            FailureName::TopicAlreadyExists => "TOPIC_ALREADY_EXISTS",
            FailureName::InvalidPartitions => "INVALID_PARTITIONS",
            FailureName::MessageTooLarge => "MESSAGE_TOO_LARGE",
            FailureName::OffsetOutOfRange => "OFFSET_OUT_OF_RANGE",
            FailureName::ThrottlingQuotaExceeded => "THROTTLING_QUOTA_EXCEEDED",
        }
    }

    /// May the same request go well later?
    pub fn is_transient(self) -> bool {
        self == FailureName::ThrottlingQuotaExceeded
    }
}

impl Failure {
    pub(crate) fn new(name: FailureName, message: impl Into<String>) -> Failure {
        Failure {
            name,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.name(), self.message)
    }
}

impl std::error::Error for Failure {}
