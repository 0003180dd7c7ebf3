//! Programs: the physical steps of an operation on one deployment, as plain data.
//!
//! ```text
//! Program ── body: Block ──▶ StepId, StepId, …          steps live in one arena, so that a
//!    │                         │                          position is a small path of indexes
//!    └ steps: Vec<Step> ◀──────┘                          (Clone + Hash: forked and resumed)
//! ```
//!
//! The interpreter's state is a stack of (block, index), the registers and the connections held.
//! Control structure nests by `Block`; nothing jumps.
//!
//! A **saga** is not a step kind: it is a pattern of these. Its durable log is a table; every savepoint
//! is a statement on it; an action is guarded by `If position < k`, so that the same program, called
//! with the position and the registers read back from the log, resumes where it stood. What the
//! parts *mean* is said by [`Role`], for drawings and for the explorer.

use base::{Nanos, Type};
use serde::{Deserialize, Serialize};

use crate::bus::BusRequest;
use crate::expression::Expression;
use crate::ids::{
    BucketId, ConnectionId, ItemTableId, NodeId, OperationId, PoolId, ProgramId, RegisterId, RouteId, StepId, TopicId,
};
use crate::item::ItemRequest;
use crate::object::{ObjectColumn, ObjectRequest};

/// Steps run one after the other.
pub type Block = Vec<StepId>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Program {
    /// `create_user`, `create_user · auth`.
    pub name: String,
    /// The node whose process runs it: the actor that crashes with it.
    pub home: NodeId,
    /// Which operation it belongs to, if any (a relay belongs to none).
    pub operation: Option<OperationId>,
    pub kind: ProgramKind,
    /// Filled, in this order, by the caller's arguments.
    pub parameters: Vec<RegisterId>,
    pub registers: Vec<Register>,
    /// Where it takes connections from; `ConnectionId` indexes this.
    pub connections: Vec<Connect>,
    pub steps: Vec<Step>,
    pub body: Block,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Connect {
    Pool(PoolId),
    /// One of several pools, by the key of [`Op::Acquire`].
    Route(RouteId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProgramKind {
    /// A client's request arrives here.
    Entry,
    /// Called by another program: a service's local transaction, a compensation, a consumer.
    Called,
    /// Runs for ever on its node, again `every` so long after it last ended: relays.
    Periodic { every: Nanos },
    /// A consumer of a topic: as `Periodic`, with a copy of its own for each partition, whose number is its first parameter.
    Consumer { topic: TopicId, every: Nanos },
    /// Runs once when its node starts again after a crash, before it takes requests.
    Recovery,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Register {
    pub name: String,
    /// What it holds.
    pub kind: RegisterKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RegisterKind {
    Value(Option<Type>),
    Rows,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// A few words for drawings: `INSERT auth.users`, `save position 1`.
    pub label: String,
    pub role: Role,
    pub op: Op,
    /// Which statement of the operation it comes from (0-based), if it comes from one.
    pub source: Option<u16>,
}

/// What a step is for. It changes no behaviour: drawings, findings and sabotage read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// What the operation asks for.
    Work,
    /// A saga action that can be undone.
    Compensatable,
    /// The saga's go / no-go.
    Pivot,
    /// A saga action after the pivot: retried until it succeeds.
    Retriable,
    /// Undoes a compensatable action.
    Compensation,
    /// A savepoint of the saga's durable log.
    SagaLog,
    /// Keeps a repeated request from having a second effect.
    Idempotency,
    /// A row of the outbox, its relay, the bus behind it.
    Outbox,
    /// Transaction control, connections, routing.
    Plumbing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Takes a connection from the pool; waits in line if none is free. One that the program still holds
    /// (it repeats itself after a failure) is kept, unless it broke or came from another pool.
    Acquire {
        connection: ConnectionId,
        /// Which pool of a [`Connect::Route`]; a key that the route does not have fails with
        /// [`ErrorClass::Refused`].
        key: Option<Expression>,
    },
    /// The keys of a route, in its order, as rows of one column: from memory, in no time.
    RouteKeys {
        route: RouteId,
        into: RegisterId,
    },
    /// Gives it back. The interpreter also gives back, after a ROLLBACK, what a program still holds when it ends.
    Release {
        connection: ConnectionId,
    },
    /// One round trip: an SQL text with `$1…` and its operands. Text is prepared once per connection; but the
    /// commands of two-phase commit take no parameters, and their `$1` is written into them.
    Statement {
        connection: ConnectionId,
        sql: String,
        operands: Vec<Expression>,
        into: Into,
        /// Fails with [`ErrorClass::Expectation`] if another number of rows was returned or changed.
        expect_rows: Option<u64>,
    },
    /// A request to a table of items: one round trip, and one more for each further page of what it reads.
    Item {
        table: ItemTableId,
        request: ItemRequest,
        /// What becomes a column of the rows that come back: (attribute, type); a missing attribute is NULL.
        columns: Vec<(String, Type)>,
        into: Into,
    },
    /// A request to a bucket: one round trip, or one for each row's key, and one more for each further page of a listing.
    Object {
        bucket: BucketId,
        request: ObjectRequest,
        columns: Vec<ObjectColumn>,
        into: Into,
    },
    /// A request to an event bus: one round trip. `Into::Count` counts messages.
    Bus {
        topic: TopicId,
        request: BusRequest,
        into: Into,
    },
    Set {
        register: RegisterId,
        value: Expression,
    },
    If {
        condition: Expression,
        then: Block,
        otherwise: Block,
    },
    /// Once per row, columns bound to registers; one after the other, or `parallel` at a time.
    ForEach {
        rows: RegisterId,
        bind: Vec<RegisterId>,
        body: Block,
        parallel: u16,
        /// Row sets that each iteration fills for itself; after the last one each holds all of their rows, in the
        /// order of the iterations, whichever was done first.
        gather: Vec<RegisterId>,
    },
    /// All branches at once; ends when all have ended, fails if one has failed.
    Par {
        branches: Vec<Block>,
    },
    /// If `body` fails with one of `catches`: the error's text goes to `error`, then `handler` runs.
    Try {
        body: Block,
        catches: Catches,
        error: Option<RegisterId>,
        handler: Block,
    },
    /// Repeats `body` while it fails with one of `catches`, at most `attempts` times (0: for ever).
    Retry {
        body: Block,
        catches: Catches,
        attempts: u32,
        backoff: Backoff,
    },
    /// Runs another program on its home node and waits: request and reply travel the link and can
    /// be lost, late or doubled. `into` binds what the callee returns; a row-set register travels as a
    /// whole, as an argument (`Register`) and as a returned value. The callee's failure reaches the caller
    /// as it is: class, SQLSTATE, message. A callee goes on when its caller is gone.
    /// `Nanos::MAX` waits for ever: a call within one process.
    Call {
        program: ProgramId,
        arguments: Vec<Expression>,
        into: Vec<RegisterId>,
        timeout: Nanos,
    },
    /// Runs another program on its home node and does not wait: fire and forget.
    Send {
        program: ProgramId,
        arguments: Vec<Expression>,
    },
    /// The client-side join of API composition: row-set registers become tables, and `sql` is
    /// evaluated over them in the service's own memory. Costs the service's CPU, no round trip.
    Compose {
        tables: Vec<ComposeTable>,
        sql: String,
        operands: Vec<Expression>,
        into: Into,
    },
    /// Time passing at a node outside of any engine: application work or a call to the outside.
    Work {
        node: NodeId,
        duration: Duration,
        fails: Option<Failure>,
    },
    /// Fails: with [`ErrorClass::Aborted`] because the operation says so, with another class because the program checks
    /// what an engine would. As any failure it ends the program unless a `Try` or `Retry` around it, in the same
    /// program, catches its class.
    Abort {
        class: ErrorClass,
        message: Expression,
    },
    /// Fails with the error that a `Try` caught.
    Rethrow {
        error: RegisterId,
    },
    /// Ends the program with these values, from inside whatever blocks.
    Return {
        values: Vec<RegisterId>,
    },
}

/// Where a result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Into {
    #[default]
    Nothing,
    /// The columns of the only row; NULLs if there is none; more than one row fails with SQLSTATE 21000.
    Values(Vec<RegisterId>),
    Rows(RegisterId),
    /// How many rows were returned or changed, as bigint.
    Count(RegisterId),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ComposeTable {
    /// As the query names it: `auth.users`.
    pub name: String,
    pub columns: Vec<(String, Type)>,
    pub rows: RegisterId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Duration {
    Constant(Nanos),
    /// Drawn from the exponential distribution with this mean.
    Exponential(Nanos),
}

/// An external call that is refused in `numerator` of `denominator` cases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    pub numerator: u32,
    pub denominator: u32,
    pub message: String,
}

/// The n-th repetition waits `first * 2^n`, at most `limit`, of which a random half is jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Backoff {
    pub first: Nanos,
    pub limit: Nanos,
}

/// Classes of failure that a program can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// The engine refused: constraint, condition, syntax, type. Has a code.
    Refused,
    /// Serialization failure, deadlock (40001, 40P01), conflict, throttling: it may be run again.
    Transient,
    /// The other side could not be reached, or the connection broke: the effect is unknown.
    Unavailable,
    /// No answer in time: the effect is unknown.
    Timeout,
    /// `ABORT WHEN`, or a refused external call.
    Aborted,
    /// `EXPECT n ROWS` was not met.
    Expectation,
}

/// A set of error classes, as bits (`1 << class`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catches(pub u8);

impl Catches {
    pub const ALL: Catches = Catches(0b11_1111);

    pub fn of(classes: &[ErrorClass]) -> Catches {
        Catches(classes.iter().fold(0, |bits, class| bits | 1 << *class as u8))
    }

    pub fn contains(self, class: ErrorClass) -> bool {
        self.0 & (1 << class as u8) != 0
    }
}

/// A failure as a program, a client or a report sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Error {
    pub class: ErrorClass,
    /// What an engine calls it: a SQLSTATE (`23505`), or an AWS error name.
    pub code: Option<String>,
    pub message: String,
}

impl Program {
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }
}
