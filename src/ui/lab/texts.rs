//! Texts (scenarios, or schedules): the built-in ones, one's own, the one that came with a link; which of them is shown, and
//! what the worker says about it.

use std::time::Duration;

use leptos::prelude::*;
use protocol::{BuiltIn, Diagnostic, Request, ScenarioOutline, ScheduleOutline, Severity, Ticket};

use super::line::Line;
use super::notice::Notices;
use crate::browser;

/// What the texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Scenario,
    /// Sessions and their steps, in isolationtester's format.
    Schedule,
}

impl Subject {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Subject::Scenario => "scenario",
            Subject::Schedule => "schedule",
        }
    }

    /// Where one's own is kept.
    fn key(self) -> &'static str {
        self.noun()
    }

    fn earlier_key(self) -> &'static str {
        match self {
            Subject::Scenario => "scenario.earlier",
            Subject::Schedule => "schedule.earlier",
        }
    }

    /// Of a built-in one, below the site's root.
    fn file(self, slug: &str) -> String {
        match self {
            Subject::Scenario => format!("scenarios/{slug}.toml"),
            Subject::Schedule => format!("schedules/{slug}.spec"),
        }
    }

    fn list(self) -> &'static str {
        match self {
            Subject::Scenario => "scenarios/index.bin",
            Subject::Schedule => "schedules/index.bin",
        }
    }
}

/// Where the text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    BuiltIn(String),
    /// Written here; kept in the browser's storage.
    Own,
    /// Came with a link; replaces nothing until it is taken over.
    Linked,
}

const TYPING_PAUSE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy)]
pub(crate) struct Texts {
    pub(crate) subject: Subject,
    pub(crate) built_in: RwSignal<Vec<BuiltIn>>,
    pub(crate) source: RwSignal<Source>,
    /// The text of each source: built-in (the chosen one), own, linked.
    built_in_text: RwSignal<Option<(String, String)>>,
    pub(crate) own_text: RwSignal<String>,
    linked_text: RwSignal<String>,
    /// Own text that was replaced by a copy.
    pub(crate) earlier_text: RwSignal<Option<String>>,
    /// Of the last text that could be read, if it is a scenario.
    pub(crate) outline: RwSignal<Option<ScenarioOutline>>,
    /// Of the text that is shown, if it is a schedule that can be read.
    pub(crate) schedule: RwSignal<Option<ScheduleOutline>>,
    pub(crate) diagnostics: RwSignal<Vec<Diagnostic>>,
    /// The question whose answer still matters.
    checking: StoredValue<Ticket>,
    line: Line,
    notices: Notices,
}

impl Texts {
    pub(crate) fn new(subject: Subject, line: Line, notices: Notices) -> Texts {
        let own = browser::stored(subject.key()).unwrap_or_default();
        let source = match subject {
            // A schedule is short: whoever has written one goes on with it.
            Subject::Schedule if !own.is_empty() => Source::Own,
            _ => Source::BuiltIn(String::new()),
        };
        Texts {
            subject,
            built_in: RwSignal::new(Vec::new()),
            source: RwSignal::new(source),
            built_in_text: RwSignal::new(None),
            own_text: RwSignal::new(own),
            linked_text: RwSignal::new(String::new()),
            earlier_text: RwSignal::new(browser::stored(subject.earlier_key())),
            outline: RwSignal::new(None),
            schedule: RwSignal::new(None),
            diagnostics: RwSignal::new(Vec::new()),
            checking: StoredValue::new(0),
            line,
            notices,
        }
    }

    /// Loads the list of built-in texts; gives whether the wanted one is among them, or none was wanted.
    pub(crate) async fn load(self, wanted: Option<String>) -> bool {
        let noun = self.subject.noun();
        let list = browser::fetch_bytes(self.subject.list()).await;
        let list: Vec<BuiltIn> = match list.and_then(|bytes| protocol::decode(&bytes)) {
            Ok(list) => list,
            Err(error) => {
                self.notices
                    .say_bad(format!("The built-in {noun}s could not be loaded: {error}."));
                return false;
            }
        };
        let known = |slug: &String| list.iter().any(|scenario| scenario.slug == *slug);
        let unknown = wanted.as_ref().filter(|slug| !known(slug));
        if let Some(slug) = unknown {
            self.notices
                .say_bad(format!("The link names a {noun} “{slug}”, which is not built in here."));
        }
        let found = unknown.is_none();
        let first = wanted
            .filter(known)
            .or_else(|| list.first().map(|first| first.slug.clone()));
        self.built_in.set(list);
        // A link's own text may have arrived meanwhile, or somebody wants to write and waits for a text to begin with.
        match (first, self.source.get_untracked()) {
            (Some(slug), Source::BuiltIn(_)) => self.choose(Source::BuiltIn(slug)),
            (Some(slug), Source::Own) if self.own_text.with_untracked(String::is_empty) => self.fetch(slug),
            _ => {}
        }
        found
    }

    /// The text that would run now; `None` while it is being loaded.
    pub(crate) fn text(self) -> Option<String> {
        match self.source.get() {
            Source::BuiltIn(slug) => self.built_in_text.with(|text| {
                text.as_ref()
                    .filter(|(of, _)| *of == slug)
                    .map(|(_, text)| text.clone())
            }),
            Source::Own => Some(self.own_text.get()),
            Source::Linked => Some(self.linked_text.get()).filter(|text| !text.is_empty()),
        }
    }

    /// Of a built-in scenario; else empty.
    pub(crate) fn slug(self) -> String {
        match self.source.get() {
            Source::BuiltIn(slug) => slug,
            Source::Own | Source::Linked => String::new(),
        }
    }

    pub(crate) fn choose(self, source: Source) {
        self.source.set(source.clone());
        let slug = match source {
            Source::BuiltIn(slug) => slug,
            Source::Own if self.own_text.with_untracked(String::is_empty) => return self.begin_with_built_in(),
            Source::Own | Source::Linked => return self.check(),
        };
        self.fetch(slug);
    }

    /// One's own text begins as the built-in one that was shown, once that is there.
    fn begin_with_built_in(self) {
        if let Some((_, text)) = self.built_in_text.get_untracked() {
            self.write(text);
        }
    }

    fn fetch(self, slug: String) {
        leptos::task::spawn_local(async move {
            let noun = self.subject.noun();
            match browser::fetch_text(&self.subject.file(&slug)).await {
                // Some hosts answer with the page itself where there is no file.
                Ok(text) if text.trim_start().starts_with('<') => {
                    self.notices.say_bad(format!("There is no built-in {noun} “{slug}”."))
                }
                Ok(text) => {
                    self.built_in_text.set(Some((slug, text)));
                    let is_empty = self.own_text.with_untracked(String::is_empty);
                    if is_empty && self.source.get_untracked() == Source::Own {
                        self.begin_with_built_in();
                    } else {
                        self.check();
                    }
                }
                Err(error) => self
                    .notices
                    .say_bad(format!("The {noun} “{slug}” could not be loaded: {error}.")),
            }
        });
    }

    /// A link brings a text, which is still packed: nothing else is to be run meanwhile.
    pub(crate) fn await_linked(self) {
        self.linked_text.set(String::new());
        self.outline.set(None);
        self.schedule.set(None);
        self.source.set(Source::Linked);
    }

    /// The text that was awaited cannot be used.
    pub(crate) fn do_without_linked(self) {
        let first = self
            .built_in
            .with_untracked(|list| list.first().map(|first| first.slug.clone()));
        match first {
            Some(slug) => self.choose(Source::BuiltIn(slug)),
            // Chosen as soon as the list has come.
            None => self.source.set(Source::BuiltIn(String::new())),
        }
    }

    pub(crate) fn show_linked(self, text: String) {
        self.linked_text.set(text);
        self.choose(Source::Linked);
    }

    // ── One's own ───────────────────────────────────────────────────────────────────────────────

    /// What a person typed: kept at once, checked when they pause.
    pub(crate) fn write(self, text: String) {
        if !browser::store(self.subject.key(), &text) {
            self.notices
                .mention_bad("This browser keeps nothing for this page: copy your text before you leave.".to_owned());
        }
        self.own_text.set(text.clone());
        let still_the_same = move || self.own_text.with_untracked(|now| *now == text);
        let check = move || {
            if still_the_same() {
                self.check();
            }
        };
        set_timeout(check, TYPING_PAUSE);
    }

    /// Makes the shown text one's own.
    pub(crate) fn copy_to_own(self) {
        if let Some(text) = untrack(move || self.text()) {
            self.take_over(text);
        }
    }

    /// Makes a text one's own; what was one's own before can be brought back.
    pub(crate) fn take_over(self, text: String) {
        let own = self.own_text.get_untracked();
        if !own.is_empty() && own != text {
            browser::store(self.subject.earlier_key(), &own);
            self.earlier_text.set(Some(own));
        }
        self.source.set(Source::Own);
        self.write(text);
    }

    /// Exchanges one's own text with the earlier one.
    pub(crate) fn bring_back(self) {
        let Some(earlier) = self.earlier_text.get_untracked() else {
            return;
        };
        let own = self.own_text.get_untracked();
        browser::store(self.subject.earlier_key(), &own);
        self.earlier_text.set(Some(own));
        self.source.set(Source::Own);
        self.write(earlier);
    }

    pub(crate) fn drop_earlier(self) {
        browser::forget(self.subject.earlier_key());
        self.earlier_text.set(None);
    }

    // ── What the worker says about it ───────────────────────────────────────────────────────────

    pub(crate) fn check(self) {
        let Some(text) = untrack(move || self.text()) else {
            return;
        };
        let ticket = self.line.ticket();
        self.checking.set_value(ticket);
        self.line.send(match self.subject {
            Subject::Scenario => Request::Check { ticket, scenario: text },
            Subject::Schedule => Request::CheckSchedule { ticket, schedule: text },
        });
    }

    /// Is this about the text that is shown now?
    pub(crate) fn awaits(self, ticket: Ticket) -> bool {
        ticket == self.checking.get_value()
    }

    pub(crate) fn schedule_checked(
        self,
        ticket: Ticket,
        outline: Option<ScheduleOutline>,
        diagnostics: Vec<Diagnostic>,
    ) {
        if self.awaits(ticket) {
            self.schedule.set(outline);
            self.diagnostics.set(diagnostics);
        }
    }

    /// Gives whether the text was found to be without errors.
    pub(crate) fn checked(self, outline: Option<ScenarioOutline>, diagnostics: Vec<Diagnostic>) -> bool {
        let works = diagnostics
            .iter()
            .all(|diagnostic| diagnostic.severity != Severity::Error);
        self.diagnostics.set(diagnostics);
        if outline.is_some() {
            self.outline.set(outline);
        }
        works
    }
}
