//! A running program as plain data: where it stands, what it knows, what it holds.
//!
//! ```text
//! Activation ── scopes: registers and connections (one; parallel rows have their own)
//!     └ fibers: one, and one more for each branch that runs at the same time
//!          └ frames: the path of blocks down to the step that runs
//! ```
//!
//! Everything is `Clone + Hash`: an activation in the middle of anything can be forked.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{Nanos, Row, Value};
use engine_event_bus::Request;
use engine_sql::Output;
use program::{Block, Error, NodeId, Op, Program, RequestId, StepId, StepPoint};

use crate::arena::Key;
use crate::item::ItemCall;
use crate::object::ObjectCall;

pub(crate) type Rows = Arc<[Row]>;

/// What a register holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Register {
    Value(Value),
    Rows(Rows),
    /// What a `Try` has caught: to an expression its text, to `Rethrow` the whole error.
    Error(Arc<Error>),
}

impl Register {
    pub(crate) const NULL: Register = Register::Value(Value::Null);
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Activation {
    pub(crate) id: program::Activation,
    pub(crate) node: NodeId,
    pub(crate) request: Option<RequestId>,
    pub(crate) origin: Origin,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) fibers: Vec<Fiber>,
    /// Set by `Return` inside a branch; the program ends when the other branches have ended.
    pub(crate) returned: Option<Vec<Register>>,
    /// Branches that have not begun; empty whenever the activation is at rest.
    pub(crate) ready: VecDeque<u16>,
}

/// Who started it and hears of its end.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Origin {
    Client,
    Caller(Caller),
    /// `Send`, or a second copy of a doubled message.
    Nobody,
    /// A round of a relay or a consumer, by the plan's number; `changes` is what had been changed in the world when it
    /// began.
    Periodic {
        index: u16,
        changes: u64,
    },
    Recovery,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Caller {
    pub(crate) fiber: FiberRef,
    pub(crate) node: NodeId,
    pub(crate) activation: program::Activation,
    pub(crate) step: StepId,
    pub(crate) request: Option<RequestId>,
    pub(crate) armed: Armed,
}

/// A fiber at one of its waits. A later wait has a later ticket, so that whatever comes too late is
/// recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FiberRef {
    pub(crate) activation: Key,
    pub(crate) fiber: u16,
    pub(crate) ticket: u32,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Scope {
    pub(crate) registers: Vec<Register>,
    pub(crate) connections: Vec<Option<Key>>,
    /// False: free for another parallel row.
    pub(crate) live: bool,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Fiber {
    pub(crate) scope: u16,
    pub(crate) parent: Option<u16>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) ticket: u32,
    pub(crate) pending: Pending,
    /// The step that it is in.
    pub(crate) step: StepId,
    pub(crate) armed: Armed,
    /// What has come for the step, until it is taken.
    pub(crate) answer: Option<Answer>,
    /// What is about to leave.
    pub(crate) outgoing: Vec<Register>,
    /// A request to a table of items that takes several round trips.
    pub(crate) item: Option<Box<ItemCall>>,
    /// A request to an object store, likewise.
    pub(crate) object: Option<Box<ObjectCall>>,
    /// A request to a bus that is about to leave.
    pub(crate) bus: Option<Arc<Request>>,
}

/// What a fiber waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pending {
    Nothing,
    /// Its node's processor prepares the request.
    Sending,
    /// The answer is under way.
    Answer,
    /// Its node's processor takes the answer.
    Taking,
    /// A connection, in the pool's line or being opened.
    Connection,
    /// The next attempt of a `Retry`.
    Backoff,
    /// Its own branches.
    Branches,
    /// Work at its own node.
    Working,
    /// A fault has struck at this point of the step; goes on from there if it still exists.
    Struck(StepPoint),
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum Answer {
    Output(Result<Output, Error>),
    Returned(Result<Vec<Register>, Error>),
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Frame {
    /// The step whose block this is; `None`: the program's body.
    pub(crate) owner: Option<StepId>,
    /// Which of its blocks.
    pub(crate) part: u16,
    /// The next step in it.
    pub(crate) index: u32,
    pub(crate) kind: FrameKind,
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum FrameKind {
    /// Ends when its block ends.
    Plain,
    Rows {
        rows: Rows,
        next: u32,
        /// Of each iteration so far: what it has put into the row sets to gather.
        gathered: Vec<Vec<Rows>>,
    },
    Try,
    Retry {
        attempt: u32,
    },
    /// Waits for branches; `rows` of a parallel `ForEach` that have not begun.
    Fork {
        open: u16,
        rows: Option<Rows>,
        next: u32,
        failed: Option<(u16, Error)>,
        /// As of `Rows`, with the number of the iteration: they end in any order.
        gathered: Vec<(u16, Vec<Rows>)>,
    },
    /// The lowest frame of a branch.
    Branch {
        number: u16,
    },
}

/// Faults that wait for the messages of the present step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Armed {
    pub(crate) lose_request: bool,
    pub(crate) lose_reply: bool,
    pub(crate) delay_request: Nanos,
    pub(crate) delay_reply: Nanos,
    pub(crate) duplicate: bool,
    /// Index of the fault whose message the refusal bears.
    pub(crate) refuse: Option<u16>,
}

impl Fiber {
    pub(crate) fn new(scope: u16, parent: Option<u16>, frame: Frame) -> Fiber {
        Fiber {
            scope,
            parent,
            frames: vec![frame],
            ticket: 0,
            pending: Pending::Nothing,
            step: StepId(0),
            armed: Armed::default(),
            answer: None,
            outgoing: Vec::new(),
            item: None,
            object: None,
            bus: None,
        }
    }
}

impl Frame {
    pub(crate) fn new(owner: Option<StepId>, part: u16, kind: FrameKind) -> Frame {
        Frame {
            owner,
            part,
            index: 0,
            kind,
        }
    }

    /// The steps of the block.
    pub(crate) fn block<'a>(&self, program: &'a Program) -> &'a [StepId] {
        let Some(owner) = self.owner else { return &program.body };
        block(&program.step(owner).op, self.part)
    }
}

fn block(op: &Op, part: u16) -> &[StepId] {
    const NONE: &Block = &Vec::new();
    match (op, part) {
        (Op::If { then, .. }, 0) => then,
        (Op::If { otherwise, .. }, _) => otherwise,
        (Op::ForEach { body, .. } | Op::Retry { body, .. } | Op::Try { body, .. }, 0) => body,
        (Op::Try { handler, .. }, _) => handler,
        (Op::Par { branches }, part) => branches.get(usize::from(part)).unwrap_or(NONE),
        _ => NONE,
    }
}

impl Activation {
    pub(crate) fn scope(&mut self, fiber: u16) -> &mut Scope {
        let scope = self.fibers[usize::from(fiber)].scope;
        &mut self.scopes[usize::from(scope)]
    }

    /// Is the connection in this place one that the surrounding program has taken, not this parallel row?
    pub(crate) fn is_inherited(&self, fiber: u16, slot: usize) -> bool {
        let state = &self.fibers[usize::from(fiber)];
        let own = self.scopes[usize::from(state.scope)].connections[slot];
        state.parent.is_some_and(|parent| {
            let outer = self.fibers[usize::from(parent)].scope;
            outer != state.scope && self.scopes[usize::from(outer)].connections[slot] == own
        })
    }

    pub(crate) fn fiber(&mut self, fiber: u16) -> &mut Fiber {
        &mut self.fibers[usize::from(fiber)]
    }

    /// A new branch, to be run when its parent waits; takes the place of one that has ended.
    pub(crate) fn spawn(&mut self, scope: u16, parent: u16, frame: Frame) {
        let ended = |fiber: &Fiber| fiber.parent.is_some() && fiber.frames.is_empty();
        let index = match self.fibers.iter().position(ended) {
            Some(index) => {
                // Its ticket stays: what comes late for the one before must not be taken for the new one.
                let ticket = self.fibers[index].ticket;
                self.fibers[index] = Fiber {
                    ticket,
                    ..Fiber::new(scope, Some(parent), frame)
                };
                index
            }
            None => {
                self.fibers.push(Fiber::new(scope, Some(parent), frame));
                self.fibers.len() - 1
            }
        };
        self.ready.push_back(index as u16);
    }

    /// Makes the fiber wait; the reference is what wakes it.
    pub(crate) fn wait(&mut self, key: Key, fiber: u16, pending: Pending) -> FiberRef {
        let state = self.fiber(fiber);
        state.ticket = state.ticket.wrapping_add(1);
        state.pending = pending;
        FiberRef {
            activation: key,
            fiber,
            ticket: state.ticket,
        }
    }
}
