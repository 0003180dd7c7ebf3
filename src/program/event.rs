//! Trace events. One event reads as one sentence; the sentences of a run are its story.

use std::fmt;

use base::{Nanos, Time};
use serde::{Deserialize, Serialize};

use crate::bus::BusRequest;
use crate::compilation::Compilation;
use crate::ids::{NodeId, OperationId, ProgramId, RequestId, StepId};
use crate::step::{Op, Role};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    pub at: Time,
    /// Where it happens.
    pub node: NodeId,
    /// On whose behalf; `None` for relays, recovery and the machinery itself.
    pub request: Option<RequestId>,
    pub kind: EventKind,
}

/// A running program: which one, and its number among the run's activations, in order of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Activation {
    pub program: ProgramId,
    pub number: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    RequestIssued {
        operation: OperationId,
        attempt: u32,
    },
    RequestAnswered {
        operation: OperationId,
        latency: Nanos,
        outcome: Outcome,
    },
    ProgramStarted {
        activation: Activation,
    },
    ProgramEnded {
        activation: Activation,
        outcome: Outcome,
    },
    StepStarted {
        activation: Activation,
        step: StepId,
    },
    StepEnded {
        activation: Activation,
        step: StepId,
        outcome: Outcome,
        rows: u64,
    },
    /// A message leaves for another node (a step's request or its reply) and arrives when this says.
    MessageSent {
        activation: Activation,
        step: StepId,
        to: NodeId,
        reply: bool,
        arrives: Time,
    },
    MessageLost {
        activation: Activation,
        step: StepId,
        to: NodeId,
        reply: bool,
    },
    WaitStarted {
        activation: Activation,
        step: StepId,
        cause: WaitCause,
    },
    WaitEnded {
        activation: Activation,
        step: StepId,
        cause: WaitCause,
    },
    /// The CPU of this node works on the step for so long from now.
    WorkStarted {
        activation: Activation,
        step: StepId,
        duration: Nanos,
    },
    TransactionBegun {
        activation: Activation,
        step: StepId,
    },
    TransactionCommitted {
        activation: Activation,
        step: StepId,
        wrote: bool,
    },
    TransactionRolledBack {
        activation: Option<Activation>,
    },
    WalFlushed {
        commits: u32,
    },
    /// The replicas of an event bus have what so many requests wrote.
    Replicated {
        requests: u32,
    },
    /// A table of items has used capacity for the step, in half units.
    CapacityConsumed {
        activation: Activation,
        step: StepId,
        read_halves: u64,
        write_halves: u64,
        transactional: bool,
    },
    /// An object store has answered a request of the step, which moved so much content.
    ObjectServed {
        activation: Activation,
        step: StepId,
        request: ObjectVerb,
        bytes: u64,
    },
    NodeCrashed,
    NodeRestarted,
    InvariantBroken {
        invariant: u16,
        rows: u64,
    },
    InvariantHolds {
        invariant: u16,
    },
    /// It is the session's no longer: it waits, with its locks, until somebody commits it or rolls it back.
    TransactionPrepared {
        activation: Activation,
        step: StepId,
    },
}

/// What an object store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectVerb {
    Get,
    List,
    Put,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    Failed(crate::step::Error),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WaitCause {
    Cpu,
    Connection,
    /// What the lock is on, as the engine names it: `transaction 17`, `tuple (0,3) of auth.users`.
    Lock(String),
    Flush,
    /// Until the bus's replicas have it.
    Replicas,
    /// At the bus, for messages to come.
    Messages,
    Backoff,
    NodeDown,
}

impl Event {
    /// The event as a sentence, names taken from the compilation that ran.
    pub fn sentence(&self, compilation: &Compilation) -> String {
        Sentence {
            event: self,
            compilation,
        }
        .to_string()
    }
}

fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

struct Sentence<'a> {
    event: &'a Event,
    compilation: &'a Compilation,
}

impl Sentence<'_> {
    fn node(&self, id: NodeId) -> &str {
        &self.compilation.deployment.node(id).name
    }

    fn program(&self, activation: &Activation) -> &str {
        &self.compilation.programs[activation.program.index()].name
    }

    fn step(&self, activation: &Activation, step: StepId) -> &str {
        &self.compilation.programs[activation.program.index()].step(step).label
    }

    fn operation(&self, id: OperationId) -> &str {
        &self.compilation.workload.operation(id).name
    }

    fn invariant(&self, index: u16) -> &str {
        &self.compilation.invariants[usize::from(index)].name
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Failed(error) => match &error.code {
                Some(state) => write!(f, "{} ({state})", error.message),
                None => f.write_str(&error.message),
            },
        }
    }
}

impl fmt::Display for WaitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitCause::Cpu => f.write_str("a processor"),
            WaitCause::Connection => f.write_str("a connection"),
            WaitCause::Lock(what) => write!(f, "a lock on {what}"),
            WaitCause::Flush => f.write_str("the WAL's flush"),
            WaitCause::Replicas => f.write_str("the replicas"),
            WaitCause::Messages => f.write_str("messages"),
            WaitCause::Backoff => f.write_str("its next attempt"),
            WaitCause::NodeDown => f.write_str("a node that is down"),
        }
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = self.node(self.event.node);
        match &self.event.kind {
            EventKind::RequestIssued { operation, attempt: 1 } => {
                write!(f, "{here} asks for {}", self.operation(*operation))
            }
            EventKind::RequestIssued { operation, attempt } => {
                write!(
                    f,
                    "{here} asks for {} again (attempt {attempt})",
                    self.operation(*operation)
                )
            }
            EventKind::RequestAnswered {
                operation,
                latency,
                outcome: Outcome::Done,
            } => {
                write!(
                    f,
                    "{here} has its answer to {} after {latency}",
                    self.operation(*operation)
                )
            }
            EventKind::RequestAnswered {
                operation,
                latency,
                outcome,
            } => {
                write!(
                    f,
                    "{here} hears that {} failed after {latency}: {outcome}",
                    self.operation(*operation)
                )
            }
            EventKind::ProgramStarted { activation } => write!(f, "{here} starts {}", self.program(activation)),
            EventKind::ProgramEnded { activation, outcome } => {
                write!(f, "{here} ends {}: {outcome}", self.program(activation))
            }
            EventKind::StepStarted { activation, step } => write!(f, "{here} begins {}", self.step(activation, *step)),
            EventKind::StepEnded {
                activation,
                step,
                outcome: Outcome::Done,
                rows,
            } => {
                let definition = self.compilation.programs[activation.program.index()].step(*step);
                write!(f, "{here} has {} done", definition.label)?;
                match (definition.role, &definition.op) {
                    // BEGIN and COMMIT have no rows that anybody would count.
                    (Role::Plumbing, _) => Ok(()),
                    (_, Op::Bus { request, .. }) => match (request, rows) {
                        (BusRequest::Commit { .. }, _) => Ok(()),
                        (_, 1) => f.write_str(" (1 message)"),
                        (_, rows) => write!(f, " ({rows} messages)"),
                    },
                    _ => write!(f, " ({})", counted(*rows)),
                }
            }
            EventKind::StepEnded {
                activation,
                step,
                outcome,
                ..
            } => {
                write!(f, "{here} sees {} fail: {outcome}", self.step(activation, *step))
            }
            EventKind::MessageSent {
                activation,
                step,
                to,
                reply,
                ..
            } => write!(
                f,
                "{here} sends {} {} {} {}",
                if *reply { "the answer of" } else { "the request of" },
                self.step(activation, *step),
                if *reply { "back to" } else { "to" },
                self.node(*to)
            ),
            EventKind::MessageLost {
                activation,
                step,
                to,
                reply,
            } => write!(
                f,
                "the {} of {} from {here} to {} is lost",
                if *reply { "answer" } else { "request" },
                self.step(activation, *step),
                self.node(*to)
            ),
            EventKind::WaitStarted {
                activation,
                step,
                cause,
            } => {
                write!(f, "{here} waits for {cause} in {}", self.step(activation, *step))
            }
            EventKind::WaitEnded {
                activation,
                step,
                cause,
            } => {
                write!(
                    f,
                    "{here} has waited for {cause} and goes on with {}",
                    self.step(activation, *step)
                )
            }
            EventKind::WorkStarted {
                activation,
                step,
                duration,
            } => {
                write!(f, "{here} works on {} for {duration}", self.step(activation, *step))
            }
            EventKind::TransactionBegun { activation, .. } => {
                write!(f, "{here} begins a transaction for {}", self.program(activation))
            }
            EventKind::TransactionCommitted { activation, .. } => {
                write!(f, "{here} commits for {}", self.program(activation))
            }
            EventKind::TransactionPrepared { activation, .. } => {
                write!(f, "{here} is prepared to commit for {}", self.program(activation))
            }
            EventKind::TransactionRolledBack {
                activation: Some(activation),
            } => {
                write!(f, "{here} rolls back for {}", self.program(activation))
            }
            EventKind::TransactionRolledBack { activation: None } => {
                write!(f, "{here} rolls back a transaction nobody holds any more")
            }
            EventKind::Replicated { requests } => {
                write!(f, "{here} has on its replicas what {requests} requests wrote")
            }
            EventKind::WalFlushed { commits } => write!(f, "{here} flushes its WAL for {commits} commits"),
            EventKind::CapacityConsumed {
                activation,
                step,
                read_halves,
                write_halves,
                ..
            } => {
                let units = |halves: &u64, what: &str| match halves {
                    0 => String::new(),
                    halves => format!(" {} {what} units", *halves as f64 / 2.0),
                };
                let (reads, writes) = (units(read_halves, "read"), units(write_halves, "write"));
                let and = if reads.is_empty() || writes.is_empty() {
                    ""
                } else {
                    " and"
                };
                write!(
                    f,
                    "{here} uses{reads}{and}{writes} for {}",
                    self.step(activation, *step)
                )
            }
            EventKind::ObjectServed {
                activation,
                step,
                request,
                bytes,
            } => {
                let step = self.step(activation, *step);
                match request {
                    ObjectVerb::Get => write!(f, "{here} gives {bytes} bytes for {step}"),
                    ObjectVerb::List => write!(f, "{here} gives a page of {bytes} bytes for {step}"),
                    ObjectVerb::Put => write!(f, "{here} takes {bytes} bytes for {step}"),
                    ObjectVerb::Delete => write!(f, "{here} deletes an object for {step}"),
                }
            }
            EventKind::NodeCrashed => write!(f, "{here} crashes"),
            EventKind::NodeRestarted => write!(f, "{here} is up again"),
            EventKind::InvariantBroken { invariant, rows } => {
                write!(f, "“{}” breaks: {}", self.invariant(*invariant), counted(*rows))
            }
            EventKind::InvariantHolds { invariant } => write!(f, "“{}” holds again", self.invariant(*invariant)),
        }
    }
}
