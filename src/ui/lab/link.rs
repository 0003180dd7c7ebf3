//! The address: what it says when a page opens, and what it says once something has run, so that it can be given away.

use leptos::prelude::*;
use protocol::{Diagnostic, Link, Request, RunOptions, Ticket};
use report::ScenarioSummary;

use super::choices::Choices;
use super::line::Line;
use super::notice::Notices;
use super::texts::{Source, Subject, Texts};
use crate::browser;

#[derive(Clone, Copy)]
pub(crate) struct Address {
    packing: StoredValue<Ticket>,
    unpacking: StoredValue<Ticket>,
    /// A link's packed text, until there is a worker to unpack it.
    packed: StoredValue<Option<String>>,
    /// The packed text that the address had last: of what was asked about, or came with a link.
    carried: StoredValue<Option<String>>,
    line: Line,
    notices: Notices,
    texts: Texts,
    choices: Choices,
}

impl Address {
    pub(crate) fn new(line: Line, notices: Notices, texts: Texts, choices: Choices) -> Address {
        Address {
            packing: StoredValue::new(0),
            unpacking: StoredValue::new(0),
            packed: StoredValue::new(None),
            carried: StoredValue::new(None),
            line,
            notices,
            texts,
            choices,
        }
    }

    /// What the address says now; a link that cannot be used is told, and says nothing.
    pub(crate) fn read(self) -> Link {
        browser::query().parse().unwrap_or_else(|error| {
            self.notices
                .say_bad(format!("The link cannot be used: {error}. The page is as without it."));
            Link::default()
        })
    }

    /// Makes its choices; its text waits for the worker.
    pub(crate) fn follow(self, link: &Link) {
        self.choices.follow(link);
        self.packed.set_value(link.text.clone());
        if link.text.is_some() {
            self.carried.set_value(link.text.clone());
            self.texts.await_linked();
        }
    }

    /// There is a worker: a text that came packed can be read.
    pub(crate) fn unpack(self) {
        if let Some(packed) = self.packed.get_value() {
            self.packed.set_value(None);
            let ticket = self.line.ticket();
            self.unpacking.set_value(ticket);
            self.line.send(Request::Unpack { ticket, packed });
        }
    }

    pub(crate) fn unpacked(self, ticket: Ticket, text: String) {
        if ticket != self.unpacking.get_value() {
            return;
        }
        if self.texts.own_text.with_untracked(|own| *own == text) {
            self.texts.choose(Source::Own);
        } else {
            let noun = self.texts.subject.noun();
            self.notices.say(format!(
                "This link carries a {noun} of its own. Look at it, then run it."
            ));
            self.texts.show_linked(text);
        }
    }

    /// Makes the address say what runs. A text of one's own is packed by the worker first.
    pub(crate) fn show(self) {
        let Ok(link) = untrack(move || self.choices.link()) else {
            return;
        };
        match self.texts.source.get_untracked() {
            Source::BuiltIn(slug) => {
                let scenario = Some(slug);
                browser::set_query(&Link { scenario, ..link }.to_string());
            }
            Source::Own | Source::Linked => {
                let Some(text) = untrack(move || self.texts.text()) else {
                    return;
                };
                let ticket = self.line.ticket();
                self.packing.set_value(ticket);
                self.line.send(Request::Pack { ticket, text });
            }
        }
    }

    pub(crate) fn packed(self, ticket: Ticket, packed: String) {
        let Ok(link) = untrack(move || self.choices.link()) else {
            return;
        };
        if ticket != self.packing.get_value() {
            return;
        }
        let text = Some(packed.clone());
        let link = Link { text, ..link }.to_string();
        if link.parse::<Link>().is_ok() {
            self.carried.set_value(Some(packed));
            browser::set_query(&link);
        } else {
            self.notices.say_bad(format!(
                "This {} is too long for a link: keep it as a file.",
                self.texts.subject.noun()
            ));
        }
    }

    /// The run page on one operation of a scenario under the options. One's own scenario has no name (an empty slug): its
    /// text goes with the link, packed as when it was asked about. `None`: it was not.
    pub(crate) fn run_page(self, slug: &str, operation: Option<String>, options: RunOptions) -> Option<String> {
        let scenario = (!slug.is_empty()).then(|| slug.to_owned());
        let text = if scenario.is_none() {
            Some(self.carried.get_value()?)
        } else {
            None
        };
        let link = Link {
            scenario,
            text,
            operation,
            options,
            ..Link::default()
        };
        Some(format!("../run/?{link}"))
    }

    /// As [`Address::run_page`], of a design in a run's report; `fault`: instead of the scenario's own.
    pub(crate) fn run_of(
        self,
        run: &ScenarioSummary,
        operation: &str,
        design: &str,
        fault: Option<&str>,
    ) -> Option<String> {
        let options = RunOptions {
            architectures: vec![design.to_owned()],
            seed: Some(run.seed),
            fault: fault.map(str::to_owned),
            ..RunOptions::default()
        };
        self.run_page(&run.slug, Some(operation.to_owned()), options)
    }

    /// Gives the diagnostics back if they are about something else.
    pub(crate) fn refused(self, ticket: Ticket, diagnostics: Vec<Diagnostic>) -> Option<Vec<Diagnostic>> {
        let what = if ticket == self.unpacking.get_value() {
            self.texts.do_without_linked();
            match self.texts.subject {
                Subject::Scenario => "The link's scenario cannot be used",
                Subject::Schedule => "The link's schedule cannot be used",
            }
        } else if ticket == self.packing.get_value() {
            "There is no link to this run"
        } else {
            return Some(diagnostics);
        };
        let reasons: Vec<String> = diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect();
        self.notices.say_bad(format!("{what}: {}.", reasons.join("; ")));
        None
    }
}
