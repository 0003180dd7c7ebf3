//! One order of steps, conducted as isolationtester conducts it: what it would see happen, as data.
//!
//! isolationtester watches real sessions run side by side. A step that waits is left waiting, and the others go on; before
//! a session's next step its earlier one must have ended. What waits longer than isolationtester does is cancelled.

use base::Nanos;

use super::spec::{Place, Spec, Turn};
use super::stage::{Reply, Request, Stage};

/// How long isolationtester waits before it asks whether a step is blocked.
pub(super) const POLL: Nanos = Nanos::from_millis(10);

/// How long it waits before it cancels a step.
pub(super) const MOST_WAIT_SECONDS: u64 = 300;

/// Something that happened, and who waits after it.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) event: Event,
    pub(super) waiting: Vec<Waiting>,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A step was sent. It gave this; `None`: it waits, or is not to be reported yet.
    Began { place: Place, gave: Option<Vec<Reply>> },
    /// A step that waited has ended.
    Ended { place: Place, gave: Vec<Reply> },
    /// Nothing would have ended the step.
    Cancelled { place: Place },
}

/// A session that waits, for what and for which others.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) session: usize,
    pub(super) what: String,
    pub(super) holders: Vec<usize>,
}

/// Steps that are never reported, since each is to be reported after the other.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    pub(super) steps: Vec<Place>,
}

/// All steps of a spec, as requests, session by session.
pub(super) fn requests(spec: &Spec) -> Vec<Vec<Request>> {
    let session = |session: &super::Session| session.steps.iter().map(|step| Request::parse(&step.sql)).collect();
    spec.sessions.iter().map(session).collect()
}

/// The sessions are the stage's first actors. What happened before an error happened.
pub(super) fn conduct(
    stage: &mut Stage,
    requests: &[Vec<Request>],
    order: &[Turn],
) -> (Vec<Moment>, Result<(), Stuck>) {
    let player = || Player {
        step: None,
        after: Vec::new(),
    };
    let mut conductor = Conductor {
        stage,
        players: requests.iter().map(|_| player()).collect(),
        waiting: Vec::new(),
        moments: Vec::new(),
    };
    let ended = conductor.steps(requests, order);
    (conductor.moments, ended)
}

struct Conductor<'a> {
    stage: &'a mut Stage,
    players: Vec<Player>,
    /// Sessions whose steps have been reported as waiting, in the order in which they began.
    waiting: Vec<usize>,
    moments: Vec<Moment>,
}

struct Player {
    /// What it does, as long as its end has not been reported.
    step: Option<Place>,
    /// Steps whose ends are to be reported first.
    after: Vec<Place>,
}

impl Conductor<'_> {
    fn steps(&mut self, requests: &[Vec<Request>], order: &[Turn]) -> Result<(), Stuck> {
        for turn in order {
            let Place { session, step } = turn.place;
            self.end_earlier_step(session);
            self.players[session].step = Some(turn.place);
            self.players[session].after.clone_from(&turn.after);
            self.stage.send(session, &requests[session][step]);
            self.stage.settle();
            let reported = self.has_ended(session) && !turn.reported_waiting;
            let gave = reported.then(|| self.take(session));
            self.note(Event::Began {
                place: turn.place,
                gave,
            });
            self.report_ended();
            if self.players[session].step.is_some() {
                self.waiting.push(session);
                self.stage.now += POLL;
            }
        }
        self.report_ended();
        while !self.waiting.is_empty() {
            match self.waiting.iter().find(|session| !self.stage.is_idle(**session)) {
                Some(session) => self.let_time_pass(*session),
                None => return Err(self.stuck()),
            }
            self.report_ended();
        }
        Ok(())
    }

    /// A session does one thing at a time: its earlier step must end before the next begins. It is
    /// reported before others that have ended meanwhile.
    fn end_earlier_step(&mut self, session: usize) {
        if self.players[session].step.is_none() {
            return;
        }
        while !self.stage.is_idle(session) {
            self.let_time_pass(session);
        }
        self.waiting.retain(|other| *other != session);
        self.report(session);
        self.report_ended();
    }

    /// Until the next timer; where there is none, the step is cancelled.
    fn let_time_pass(&mut self, session: usize) {
        if self.stage.let_time_pass() {
            return;
        }
        if let Some(place) = self.players[session].step {
            self.note(Event::Cancelled { place });
        }
        self.stage.now += Nanos::from_secs(MOST_WAIT_SECONDS);
        self.stage.cancel(session);
    }

    /// Reports the steps that waited and have ended, in the order in which they began. One that is to be reported after
    /// others may let more of them be.
    fn report_ended(&mut self) {
        loop {
            let before = self.waiting.len();
            for session in self.waiting.clone() {
                if self.has_ended(session) {
                    self.report(session);
                }
            }
            let players = &self.players;
            self.waiting.retain(|session| players[*session].step.is_some());
            if self.waiting.len() == before {
                return;
            }
        }
    }

    fn report(&mut self, session: usize) {
        if let Some(place) = self.players[session].step {
            let gave = self.take(session);
            self.note(Event::Ended { place, gave });
        }
    }

    fn take(&mut self, session: usize) -> Vec<Reply> {
        self.players[session].step = None;
        self.players[session].after.clear();
        self.stage.take_replies(session)
    }

    /// Ended, and no step is under way whose end is to be reported before this one's.
    fn has_ended(&self, session: usize) -> bool {
        let after = &self.players[session].after;
        let held = |player: &Player| player.step.is_some_and(|step| after.contains(&step));
        self.stage.is_idle(session) && !self.players.iter().any(held)
    }

    fn note(&mut self, event: Event) {
        let waits = |session| {
            let (what, holders) = self.stage.waits_for(session)?;
            Some(Waiting {
                session,
                what: what.to_owned(),
                holders,
            })
        };
        self.moments.push(Moment {
            event,
            waiting: (0..self.players.len()).filter_map(waits).collect(),
        });
    }

    fn stuck(&self) -> Stuck {
        let steps = self.waiting.iter().filter_map(|session| self.players[*session].step);
        Stuck { steps: steps.collect() }
    }
}
