//! The line to the worker: one long question at a time, its progress, its end; and the worker's own life.
//!
//! What an answer means is not known here: answers go to whoever opened the line.

use std::time::Duration;

use leptos::prelude::*;
use protocol::{Reply, Request, Ticket};

use super::notice::Notices;
use crate::connection::{Connection, Heard};

/// What the worker is at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Activity {
    /// Nobody has needed it yet.
    Asleep,
    /// It is being loaded.
    Starting,
    Idle,
    Busy {
        ticket: Ticket,
        title: String,
        done: u64,
        of: u64,
        what: String,
        cancelling: bool,
    },
    /// It cannot be had; the sentence says why.
    Absent(String),
}

/// A worker that does not hear Cancel within this time is replaced.
const PATIENCE: Duration = Duration::from_millis(2_000);

#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) activity: RwSignal<Activity>,
    notices: Notices,
    connection: StoredValue<Option<Connection>, LocalStorage>,
    next_ticket: StoredValue<Ticket>,
    /// Who takes answers.
    take: StoredValue<Option<Callback<Reply>>>,
}

impl Line {
    pub(crate) fn new(notices: Notices) -> Line {
        Line {
            activity: RwSignal::new(Activity::Asleep),
            notices,
            connection: StoredValue::new_local(None),
            next_ticket: StoredValue::new(0),
            take: StoredValue::new(None),
        }
    }

    /// `take` gets every answer, the first being `Ready` of a worker that fits.
    pub(crate) fn listen(self, take: Callback<Reply>) {
        self.take.set_value(Some(take));
    }

    /// Starts the worker, unless that has been done.
    pub(crate) fn wake(self) {
        if self.activity.with_untracked(|activity| *activity == Activity::Asleep) {
            self.reopen();
        }
    }

    pub(crate) fn reopen(self) {
        self.activity.set(Activity::Starting);
        match Connection::open(move |heard| self.hear(heard)) {
            Ok(connection) => self.connection.set_value(Some(connection)),
            Err(error) => self.absent(format!("The worker could not be started: {error}.")),
        }
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────────

    pub(crate) fn ticket(self) -> Ticket {
        self.next_ticket.update_value(|ticket| *ticket = ticket.wrapping_add(1));
        self.next_ticket.get_value()
    }

    pub(crate) fn send(self, request: Request) {
        let sent = self
            .connection
            .with_value(|connection| connection.as_ref().map(|connection| connection.send(&request)));
        if let Some(Err(error)) = sent {
            self.broken(&error);
        }
    }

    pub(crate) fn is_idle(self) -> bool {
        self.activity.with(|activity| *activity == Activity::Idle)
    }

    /// Will a question be answered now?
    pub(crate) fn has_worker(self) -> bool {
        self.activity
            .with_untracked(|activity| matches!(activity, Activity::Idle | Activity::Busy { .. }))
    }

    /// Of the long question that is being worked on.
    pub(crate) fn busy_with(self) -> Option<Ticket> {
        self.activity.with_untracked(|activity| match activity {
            Activity::Busy { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    /// A long question begins; `None` while there is another, or no worker.
    pub(crate) fn begin(self, title: String) -> Option<Ticket> {
        if !untrack(move || self.is_idle()) {
            return None;
        }
        let ticket = self.ticket();
        self.activity.set(Activity::Busy {
            ticket,
            title,
            done: 0,
            of: 0,
            what: "preparing".to_owned(),
            cancelling: false,
        });
        Some(ticket)
    }

    /// The long question has its answer.
    pub(crate) fn end(self) {
        self.activity.set(Activity::Idle);
    }

    pub(crate) fn cancel(self) {
        let mut asked = None;
        self.activity.update(|activity| {
            if let Activity::Busy { ticket, cancelling, .. } = activity {
                *cancelling = true;
                asked = Some(*ticket);
            }
        });
        let Some(asked) = asked else { return };
        self.send(Request::Cancel { ticket: asked });
        let replace_if_deaf = move || {
            if self.busy_with() == Some(asked) {
                self.replace_worker();
                self.notices
                    .say("Cancelled: the worker did not hear it, so it was replaced.".to_owned());
            }
        };
        set_timeout(replace_if_deaf, PATIENCE);
    }

    // ── Answers ─────────────────────────────────────────────────────────────────────────────────

    fn hear(self, heard: Heard) {
        match heard {
            Heard::Reply(Reply::Panicked { message }) | Heard::Broken(message) => self.broken(&message),
            Heard::Reply(Reply::Ready { version }) if version != protocol::VERSION => {
                self.connection.set_value(None);
                self.absent("Page and worker are of different builds: reload the page.".to_owned());
            }
            Heard::Reply(Reply::Progress {
                ticket,
                done: now,
                of: all,
                what: doing,
            }) => self.activity.update(|activity| match activity {
                Activity::Busy {
                    ticket: current,
                    done,
                    of,
                    what,
                    ..
                } if *current == ticket => (*done, *of, *what) = (now, all, doing),
                _ => {}
            }),
            Heard::Reply(Reply::Cancelled { ticket }) => {
                if self.busy_with() == Some(ticket) {
                    self.end();
                    self.notices
                        .say("Cancelled. What was there before still is.".to_owned());
                }
            }
            Heard::Reply(reply) => {
                if matches!(reply, Reply::Ready { .. }) {
                    self.end();
                }
                if let Some(take) = self.take.get_value() {
                    take.run(reply);
                }
            }
        }
    }

    // ── The worker's life ───────────────────────────────────────────────────────────────────────

    fn broken(self, message: &str) {
        if self.activity.with_untracked(|activity| *activity == Activity::Starting) {
            self.connection.set_value(None);
            self.absent(format!("The worker could not be started: {message}."));
        } else {
            self.replace_worker();
            self.notices.say_bad(format!(
                "The worker stopped with a defect of ours: {message}. A new one took its place; your text and your last results are untouched."
            ));
        }
    }

    fn replace_worker(self) {
        // Dropping it within its own callback would free the callback that runs.
        let old = self.connection.try_update_value(Option::take).flatten();
        set_timeout(move || drop(old), Duration::ZERO);
        self.reopen();
    }

    fn absent(self, why: String) {
        self.activity.set(Activity::Absent(why));
    }
}
