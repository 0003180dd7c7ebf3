//! Every order of steps, depth first: what two orders begin with is run once, on a fork of the server.
//!
//! Plain data, stepped by its caller: one turn (a step of a session, until it has ended or waits) at a time.

use std::sync::Arc;

use engine_sql::TransactionStatus;

use super::conduct::POLL;
use super::result::Results;
use super::stage::{Request, Stage};

/// Sessions at the start of what they do.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Its first actors are the sessions.
    pub stage: Stage,
    pub database: String,
    pub parts: Vec<Part>,
}

/// One session's steps.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub steps: Vec<Act>,
    /// Sessions of the same kind stand in equal states and do the same: which is which makes no difference.
    pub kind: usize,
}

/// A step with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub name: String,
    pub request: Request,
}

impl Cast {
    /// The number of a step among all.
    pub(super) fn flat(&self, session: usize, step: usize) -> usize {
        let before = self.parts[..session].iter().map(|part| part.steps.len());
        before.sum::<usize>() + step
    }

    pub(super) fn steps(&self) -> usize {
        self.parts.iter().map(|part| part.steps.len()).sum()
    }
}

/// Which orders.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The steps that each session takes.
    pub(super) steps: Vec<Vec<usize>>,
    /// Another session's turn comes only between transactions.
    pub(super) serial: bool,
    /// Of orders that differ in which of several equal sessions is which, only one.
    pub(super) symmetric: bool,
    /// Only this one, given by its sessions turn by turn.
    pub(super) order: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(super) struct Search {
    cast: Arc<Cast>,
    scope: Scope,
    stack: Vec<Node>,
}

/// A point in several orders, and which session's turn is to be tried next.
#[derive(Clone, Debug)]
struct Node {
    state: State,
    next: usize,
}

#[derive(Clone, Debug)]
struct State {
    stage: Stage,
    /// Steps that each session has begun.
    begun: Vec<usize>,
    /// The sessions, turn by turn.
    order: Vec<u8>,
    /// For each step of all its result's number, or [`NONE`].
    results: Vec<u32>,
    /// Steps in the order in which they ended.
    ends: Vec<u8>,
    waited: bool,
}

/// The step was not run.
pub(super) const NONE: u32 = u32::MAX;

/// What came of one order, or of all that begin alike.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// There is more to be done.
    Turn,
    Ended(Ended),
    /// The last turn's session waits for ever, so none of these orders can go on.
    Stuck {
        order: Vec<u8>,
        schedules: u64,
    },
    /// A statement took too much work.
    Exhausted {
        session: usize,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) order: Vec<u8>,
    pub(super) results: Vec<u32>,
    pub(super) ends: Vec<u8>,
    /// The number of what the tables hold in the end.
    pub(super) rows: u32,
    /// A step waited for another session.
    pub(super) waited: bool,
}

impl Search {
    pub(super) fn new(cast: &Arc<Cast>, scope: Scope) -> Search {
        let state = State {
            stage: cast.stage.clone(),
            begun: vec![0; cast.parts.len()],
            order: Vec::new(),
            results: vec![NONE; cast.steps()],
            ends: Vec::new(),
            waited: false,
        };
        Search {
            cast: Arc::clone(cast),
            scope,
            stack: vec![Node { state, next: 0 }],
        }
    }

    /// One turn more; `None`: all orders have been run.
    pub(super) fn step(&mut self, known: &mut Results) -> Option<Found> {
        loop {
            let node = self.stack.last_mut()?;
            let sessions = self.cast.parts.len();
            let may = |session: &usize| self.scope.lets(&self.cast, &node.state, *session);
            let Some(session) = (node.next..sessions).find(may) else {
                self.stack.pop();
                continue;
            };
            let last = !(session + 1..sessions).any(|session| may(&session));
            node.next = session + 1;
            let mut state = if last {
                // Nobody forks from here any more.
                self.stack.pop().map(|node| node.state)?
            } else {
                node.state.clone()
            };
            return Some(self.turn(&mut state, session, known).unwrap_or_else(|()| {
                self.stack.push(Node { state, next: 0 });
                Found::Turn
            }));
        }
    }

    /// `Err`: the order goes on.
    fn turn(&self, state: &mut State, session: usize, known: &mut Results) -> Result<Found, ()> {
        let cast = &*self.cast;
        let step = self.scope.steps[session][state.begun[session]];
        let earlier_ended = state.wait_for(session, cast, &self.scope, known);
        state.order.push(session as u8);
        state.begun[session] += 1;
        if !earlier_ended {
            return Ok(Found::Stuck {
                schedules: self.scope.orders(&state.begun).unwrap_or(u64::MAX),
                order: std::mem::take(&mut state.order),
            });
        }
        state.stage.send(session, &cast.parts[session].steps[step].request);
        state.stage.settle();
        state.collect(cast, &self.scope, known);
        if !state.stage.is_idle(session) {
            state.waited = true;
            state.stage.now += POLL;
        }
        if state.stage.exhausted {
            return Ok(Found::Exhausted { session });
        }
        if self.scope.is_over(&state.begun) {
            Ok(self.end(state, known))
        } else {
            Err(())
        }
    }

    fn end(&self, state: &mut State, known: &mut Results) -> Found {
        for session in 0..self.cast.parts.len() {
            if !state.wait_for(session, &self.cast, &self.scope, known) {
                return Found::Stuck {
                    order: std::mem::take(&mut state.order),
                    schedules: 1,
                };
            }
        }
        Found::Ended(Ended {
            rows: known.rows(&state.stage.server, &self.cast.database),
            order: std::mem::take(&mut state.order),
            results: std::mem::take(&mut state.results),
            ends: std::mem::take(&mut state.ends),
            waited: state.waited,
        })
    }
}

impl State {
    /// Lets time pass until the session's step has ended; false if it never does.
    fn wait_for(&mut self, session: usize, cast: &Cast, scope: &Scope, known: &mut Results) -> bool {
        while !self.stage.is_idle(session) {
            if !self.stage.let_time_pass() {
                return false;
            }
        }
        self.collect(cast, scope, known);
        true
    }

    /// Keeps what the steps gave that have ended.
    fn collect(&mut self, cast: &Cast, scope: &Scope, known: &mut Results) {
        for place in 0..self.stage.finished().len() {
            let session = self.stage.finished()[place];
            let Some(begun) = self.begun.get(session).and_then(|begun| begun.checked_sub(1)) else {
                continue;
            };
            let step = scope.steps[session][begun];
            let flat = cast.flat(session, step);
            if self.results[flat] == NONE {
                let gave = self.stage.take_replies(session);
                let watched = &cast.parts[session].steps[step].request.watched;
                self.results[flat] = known.step(gave, watched, self.stage.status(session));
                self.ends.push(flat as u8);
            }
        }
    }
}

impl Scope {
    /// All orders of all steps.
    pub(super) fn all(cast: &Cast) -> Scope {
        Scope {
            steps: cast.parts.iter().map(|part| (0..part.steps.len()).collect()).collect(),
            serial: false,
            symmetric: true,
            order: None,
        }
    }

    fn is_over(&self, begun: &[usize]) -> bool {
        self.steps.iter().zip(begun).all(|(steps, begun)| steps.len() == *begun)
    }

    /// May it be this session's turn?
    fn lets(&self, cast: &Cast, state: &State, session: usize) -> bool {
        if state.begun[session] == self.steps[session].len() {
            return false;
        }
        if let Some(order) = &self.order {
            return order.get(state.order.len()).copied().map(usize::from) == Some(session);
        }
        if self.serial {
            let last = state.order.last().map(|last| usize::from(*last));
            return last.is_none_or(|last| {
                last == session || (state.stage.is_idle(last) && state.stage.status(last) == TransactionStatus::Idle)
            });
        }
        // Of equal sessions the first begins first.
        let kind = cast.parts[session].kind;
        let begins_early = |(other, part): (usize, &Part)| part.kind == kind && state.begun[other] == 0;
        let mut before = cast.parts[..session].iter().enumerate();
        !self.symmetric || state.begun[session] > 0 || !before.any(begins_early)
    }

    /// How many orders there are of what is left, `None` if more than can be counted.
    pub(super) fn orders(&self, begun: &[usize]) -> Option<u64> {
        if self.order.is_some() {
            return Some(1);
        }
        let mut orders = 1_u64;
        let mut placed = 0_u64;
        for (steps, begun) in self.steps.iter().zip(begun) {
            for n in 1..=(steps.len() - begun) as u64 {
                placed += 1;
                orders = orders.checked_mul(placed)? / n;
            }
        }
        Some(orders)
    }
}
