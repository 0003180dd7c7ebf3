//! What the pages know and what can be done with it: the one state that all of them share, so that a text, a choice and
//! a result survive the way from one page to the next.
//!
//! ```text
//! components ── read signals, call actions ──▶ texts, choices ──▶ line ──▶ worker
//!      ▲                                                            │
//!      └────── signals ◀── findings, texts, address ◀── replies ────┘
//! ```

mod choices;
mod findings;
mod line;
mod link;
mod notice;
mod texts;

use std::sync::Arc;

use leptos::prelude::*;
use protocol::{Experiment, Question, Reply, Request, RunOptions, Ticket};

pub(crate) use choices::{Choices, Chosen};
pub(crate) use findings::{Asked, Compared, Findings, opened};
pub(crate) use line::{Activity, Line};
pub(crate) use link::Address;
pub(crate) use notice::Notices;
pub(crate) use texts::{Source, Subject, Texts};

#[derive(Clone, Copy)]
pub(crate) struct Lab {
    pub(crate) notices: Notices,
    pub(crate) line: Line,
    pub(crate) texts: Texts,
    pub(crate) choices: Choices,
    pub(crate) address: Address,
    pub(crate) findings: Findings,
    /// What a link asks for as soon as its scenario has been checked.
    awaited: StoredValue<Option<Callback<()>>>,
}

/// The state, from anywhere below the page's root.
pub(crate) fn lab() -> Lab {
    expect_context::<Lab>()
}

impl Lab {
    pub(crate) fn new(subject: Subject) -> Lab {
        let notices = Notices::new();
        let line = Line::new(notices);
        let texts = Texts::new(subject, line, notices);
        let choices = Choices::new();
        Lab {
            notices,
            line,
            texts,
            choices,
            address: Address::new(line, notices, texts, choices),
            findings: Findings::new(),
            awaited: StoredValue::new(None),
        }
    }

    /// Once, before any page is drawn: starts the worker. Beside schedules there is much to read, so there it is started
    /// when somebody turns to them.
    pub(crate) fn start(self) {
        self.line.listen(Callback::new(move |reply| self.take(reply)));
        if self.texts.subject == Subject::Scenario {
            self.line.wake();
        }
    }

    /// When a page opens: does what the address asks for. `then` is what this page does with a scenario that a link
    /// names, as soon as it has been checked; a text that came with the link is looked at first.
    ///
    /// A page that is reached without a link goes on with what is there.
    pub(crate) fn arrive(self, then: Callback<()>) {
        let link = self.address.read();
        let first = untrack(move || self.texts.built_in.with(Vec::is_empty));
        self.awaited.set_value(None);
        if link.is_empty() && !first {
            return;
        }
        self.address.follow(&link);
        if !link.is_empty() {
            self.line.wake();
        }
        if link.scenario.is_some() {
            self.texts.source.set(Source::BuiltIn(String::new()));
        }
        if self.line.has_worker() {
            self.address.unpack();
        }
        if link.scenario.is_some() && link.text.is_none() {
            self.awaited.set_value(Some(then));
        }
        leptos::task::spawn_local(async move {
            if !self.texts.load(link.scenario).await {
                self.awaited.set_value(None);
            }
        });
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────────

    pub(crate) fn run(self) {
        self.ask("Run".to_owned(), Experiment::Run, None);
    }

    /// Every crash of one operation.
    pub(crate) fn explore(self, operation: String) {
        let title = format!("Every crash of {operation}");
        self.ask(title, Experiment::Atomicity { operation }, None);
    }

    /// The board of the scenario, row by row.
    pub(crate) fn compare(self) {
        if self.line.has_worker() {
            self.findings.asked.set_value(untrack(move || self.asked_now()));
            self.ask("Compare".to_owned(), Experiment::Compare, None);
        }
    }

    /// Orders of the schedule's steps: those that it lists, or all.
    pub(crate) fn interleave(self, listed: bool) -> bool {
        let title = if listed {
            "Listed permutations"
        } else {
            "All interleavings"
        };
        let level = Some(self.choices.level.get_untracked()).filter(|level| !level.is_empty());
        self.ask(title.to_owned(), Experiment::Interleave { listed, level }, None)
    }

    /// What a board would be asked for now; `None` while there is no text, or something is wrong in the choices.
    pub(crate) fn asked_now(self) -> Option<Asked> {
        let source = self.texts.source.get();
        let text = match source {
            Source::BuiltIn(_) => None,
            Source::Own | Source::Linked => Some(self.texts.text()?),
        };
        let options = RunOptions {
            architectures: Vec::new(),
            ..self.choices.options().ok()?
        };
        Some(Asked { source, text, options })
    }

    /// One operation on one or two designs, message by message; gives whether it could be asked for.
    pub(crate) fn draw(self) -> bool {
        let Some(operation) = untrack(move || self.operation()) else {
            return false;
        };
        let pair = untrack(move || self.pair());
        self.ask("Draw".to_owned(), Experiment::Draw { operation }, Some(pair))
    }

    /// The operation that is drawn: the chosen one, else the first that writes.
    pub(crate) fn operation(self) -> Option<String> {
        let first = |outline: &protocol::ScenarioOutline| {
            let operations = &outline.operations;
            let writing = operations.iter().find(|operation| operation.writes);
            let first = writing.or(operations.first());
            first.map(|operation| operation.name.clone())
        };
        let of_scenario = || self.texts.outline.with(|outline| outline.as_ref().and_then(first));
        self.choices.operation.get().or_else(of_scenario)
    }

    /// The designs that are drawn: the first two of those that are chosen.
    pub(crate) fn pair(self) -> Vec<String> {
        let all = |outline: &protocol::ScenarioOutline| {
            let designs = outline.architectures.iter();
            designs.map(|design| design.slug.clone()).collect::<Vec<_>>()
        };
        let of_scenario = || self.texts.outline.with(|outline| outline.as_ref().map(all));
        let mut designs = self.choices.designs.get().or_else(of_scenario).unwrap_or_default();
        designs.truncate(2);
        designs
    }

    /// Asks a long question about the text and the choices of now, unless something is wrong in them; gives
    /// whether it was asked. `designs`: instead of those that are chosen.
    fn ask(self, title: String, experiment: Experiment, designs: Option<Vec<String>>) -> bool {
        let text = untrack(move || self.texts.text());
        let options = untrack(move || self.choices.options());
        let (Some(text), Ok(mut options)) = (text, options) else {
            return false;
        };
        let Some(ticket) = self.line.begin(title) else {
            return false;
        };
        self.notices.pass();
        self.findings.refused.set(Vec::new());
        self.address.show();
        if let Some(designs) = designs {
            options.architectures = designs;
        }
        self.line.send(Request::Ask(Question {
            ticket,
            slug: untrack(move || self.texts.slug()),
            text,
            options,
            experiment,
        }));
        true
    }

    /// Can a question be asked?
    pub(crate) fn is_ready(self) -> bool {
        self.texts.outline.with(Option::is_some) && self.line.is_idle() && self.choices.options().is_ok()
    }

    // ── Answers ─────────────────────────────────────────────────────────────────────────────────

    fn take(self, reply: Reply) {
        let busy_with = self.line.busy_with();
        match reply {
            Reply::Ready { .. } => {
                self.address.unpack();
                self.texts.check();
            }
            Reply::Checked {
                ticket,
                outline,
                diagnostics,
            } => self.checked(ticket, outline, diagnostics),
            Reply::ScheduleChecked {
                ticket,
                outline,
                diagnostics,
            } => self.texts.schedule_checked(ticket, outline, diagnostics),
            Reply::Interleaved { ticket, report } if busy_with == Some(ticket) => {
                self.findings.interleaved.set(Some(report));
                self.line.end();
            }
            Reply::Ran { ticket, report } if busy_with == Some(ticket) => {
                self.findings.run.set(Some(report));
                self.line.end();
            }
            Reply::Explored { ticket, report } if busy_with == Some(ticket) => {
                self.findings.atomicity.set(Some(report));
                self.line.end();
            }
            Reply::Compared {
                ticket,
                board,
                complete,
            } if busy_with == Some(ticket) => {
                if let Some(asked) = self.findings.asked.get_value() {
                    self.findings.compared.set(Some(Compared {
                        board: Arc::new(*board),
                        asked,
                        complete,
                        recorded: false,
                    }));
                }
                if complete {
                    self.line.end();
                }
            }
            Reply::Drawn { ticket, report } if busy_with == Some(ticket) => {
                self.findings.drawn.set(Some(report));
                self.line.end();
            }
            Reply::Packed { ticket, packed } => self.address.packed(ticket, packed),
            Reply::Unpacked { ticket, text } => self.address.unpacked(ticket, text),
            Reply::Refused { ticket, diagnostics } => {
                if let Some(diagnostics) = self.address.refused(ticket, diagnostics)
                    && busy_with == Some(ticket)
                {
                    match self.texts.subject {
                        Subject::Scenario => self.findings.refused.set(diagnostics),
                        // All that can be wrong is in the text, and told where it stands.
                        Subject::Schedule => self.texts.diagnostics.set(diagnostics),
                    }
                    self.line.end();
                }
            }
            // Answers to questions that were taken back.
            _ => {}
        }
    }

    fn checked(
        self,
        ticket: Ticket,
        outline: Option<protocol::ScenarioOutline>,
        diagnostics: Vec<protocol::Diagnostic>,
    ) {
        if !self.texts.awaits(ticket) {
            return;
        }
        if let Some(outline) = &outline {
            self.choices.fit(outline);
        }
        let works = self.texts.checked(outline, diagnostics);
        if works && let Some(then) = self.awaited.get_value() {
            self.awaited.set_value(None);
            then.run(());
        }
    }
}
