//! Refusals, named and worded as AWS words them.

use std::fmt;
use std::sync::Arc;

use crate::item::Item;
use crate::number::NumberError;

/// Inside the engine failures travel boxed: the good path returns one pointer.
pub(crate) type Fallible<T> = Result<T, Box<Failure>>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    pub name: FailureName,
    pub message: String,
    /// The item as it was, if the request asked for it: of a condition that did not hold.
    pub item: Option<Arc<Item>>,
    /// Of a cancelled transaction: one for each action, in their order.
    pub reasons: Vec<CancellationReason>,
    /// Of a throttled request: as `ThrottlingReasons` names them.
    pub throttled: Option<Throttled>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureName {
    ConditionalCheckFailed,
    IdempotentParameterMismatch,
    Limit,
    ProvisionedThroughputExceeded,
    ResourceInUse,
    ResourceNotFound,
    Serialization,
    Throttling,
    TransactionCanceled,
    TransactionConflict,
    TransactionInProgress,
    UnknownOperation,
    Validation,
}

/// Why one action of a transaction kept it from happening, or `None` if it did not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CancellationReason {
    None,
    ConditionalCheckFailed(Option<Arc<Item>>),
    TransactionConflict,
    ProvisionedThroughputExceeded,
    ValidationError(String),
}

/// Which limit was met.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Throttled {
    pub table: Arc<str>,
    pub index: Option<Arc<str>>,
    pub write: bool,
    /// A partition's own limit, not the table's.
    pub partition: bool,
}

impl FailureName {
    /// `ConditionalCheckFailedException`
    pub fn name(self) -> &'static str {
        match self {
            FailureName::ConditionalCheckFailed => "ConditionalCheckFailedException",
            FailureName::IdempotentParameterMismatch => "IdempotentParameterMismatchException",
            FailureName::Limit => "LimitExceededException",
            FailureName::ProvisionedThroughputExceeded => "ProvisionedThroughputExceededException",
            FailureName::ResourceInUse => "ResourceInUseException",
            FailureName::ResourceNotFound => "ResourceNotFoundException",
            FailureName::Serialization => "SerializationException",
            FailureName::Throttling => "ThrottlingException",
            FailureName::TransactionCanceled => "TransactionCanceledException",
            FailureName::TransactionConflict => "TransactionConflictException",
            FailureName::TransactionInProgress => "TransactionInProgressException",
            FailureName::UnknownOperation => "UnknownOperationException",
            FailureName::Validation => "ValidationException",
        }
    }

    /// Asked again it may succeed.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            FailureName::ProvisionedThroughputExceeded
                | FailureName::Throttling
                | FailureName::TransactionConflict
                | FailureName::TransactionInProgress
        )
    }
}

impl CancellationReason {
    pub fn code(&self) -> &'static str {
        match self {
            CancellationReason::None => "None",
            CancellationReason::ConditionalCheckFailed(_) => "ConditionalCheckFailed",
            CancellationReason::TransactionConflict => "TransactionConflict",
            CancellationReason::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
            CancellationReason::ValidationError(_) => "ValidationError",
        }
    }

    pub fn message(&self) -> Option<&str> {
        match self {
            CancellationReason::None => None,
            CancellationReason::ConditionalCheckFailed(_) => Some("The conditional request failed"),
            CancellationReason::TransactionConflict => Some("Transaction is ongoing for the item"),
            CancellationReason::ProvisionedThroughputExceeded => Some(
                "The level of configured provisioned throughput for the table was exceeded. \
                 Consider increasing your provisioning level with the UpdateTable API",
            ),
            CancellationReason::ValidationError(message) => Some(message),
        }
    }
}

impl Failure {
    pub(crate) fn new(name: FailureName, message: impl Into<String>) -> Box<Failure> {
        Box::new(Failure {
            name,
            message: message.into(),
            item: None,
            reasons: Vec::new(),
            throttled: None,
        })
    }

    pub(crate) fn condition(item: Option<Arc<Item>>) -> Box<Failure> {
        Box::new(Failure {
            item,
            ..*Failure::new(FailureName::ConditionalCheckFailed, "The conditional request failed")
        })
    }

    pub(crate) fn conflict() -> Box<Failure> {
        let message = "Transaction is ongoing for the item";
        Failure::new(FailureName::TransactionConflict, message)
    }

    pub(crate) fn cancelled(reasons: Vec<CancellationReason>) -> Box<Failure> {
        let codes: Vec<&str> = reasons.iter().map(CancellationReason::code).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        Box::new(Failure {
            reasons,
            ..*Failure::new(FailureName::TransactionCanceled, message)
        })
    }

    pub(crate) fn throttled(throttled: Throttled) -> Box<Failure> {
        let what = match &throttled.index {
            Some(_) => "one or more global secondary indexes of the table",
            None => "the table",
        };
        let message = format!(
            "The level of configured provisioned throughput for {what} was exceeded. \
             Consider increasing your provisioning level with the UpdateTable API"
        );
        Box::new(Failure {
            throttled: Some(throttled),
            ..*Failure::new(FailureName::ProvisionedThroughputExceeded, message)
        })
    }
}

impl Throttled {
    /// `TableWriteKeyRangeThroughputExceeded`
    pub fn reason(&self) -> String {
        let what = if self.index.is_some() { "Index" } else { "Table" };
        let way = if self.write { "Write" } else { "Read" };
        let limit = if self.partition { "KeyRange" } else { "Provisioned" };
        format!("{what}{way}{limit}ThroughputExceeded")
    }
}

/// The commonest refusal.
pub(crate) fn invalid(message: impl Into<String>) -> Box<Failure> {
    Failure::new(FailureName::Validation, message)
}

/// One that begins as many do.
pub(crate) fn invalid_parameter(message: impl fmt::Display) -> Box<Failure> {
    invalid(format!("One or more parameter values were invalid: {message}"))
}

impl From<NumberError> for Box<Failure> {
    fn from(error: NumberError) -> Box<Failure> {
        invalid(match error {
            NumberError::NotANumber => "The parameter cannot be converted to a numeric value",
            NumberError::TooManyDigits => "Attempting to store more than 38 significant digits in a Number",
            NumberError::Overflow => {
                "Number overflow. Attempting to store a number with magnitude larger than supported range"
            }
            NumberError::Underflow => {
                "Number underflow. Attempting to store a number with magnitude smaller than supported range"
            }
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.name(), self.message)
    }
}
