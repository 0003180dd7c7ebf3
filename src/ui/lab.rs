//! What the page knows and what can be done with it: the one state that all components share.
//!
//! ```text
//! components ── read signals, call actions ──▶ Lab ── requests ──▶ worker
//!      ▲                                        │
//!      └──────────────── signals ◀── replies ───┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use protocol::{Diagnostic, Link, Reply, Request, RunOptions, ScenarioOutline, Severity, Ticket};
use report::{AtomicityReport, RunReport};

use crate::browser;
use crate::connection::{Connection, Heard};
use crate::fault::FaultForm;

/// Where the scenario comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    BuiltIn(String),
    /// Written here; kept in the browser's storage.
    Own,
    /// Came with a link; replaces nothing until it is taken over.
    Linked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) slug: String,
    pub(crate) title: String,
}

/// What the worker is at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Activity {
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

/// A sentence at the top of the page until it is put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) bad: bool,
}

/// A worker that does not hear Cancel within this time is replaced.
const PATIENCE: Duration = Duration::from_millis(2_000);
const TYPING_PAUSE: Duration = Duration::from_millis(300);
const OWN_TEXT: &str = "scenario";
const EARLIER_TEXT: &str = "scenario.earlier";

#[derive(Clone, Copy)]
pub(crate) struct Lab {
    pub(crate) built_in: RwSignal<Vec<BuiltIn>>,
    pub(crate) source: RwSignal<Source>,
    /// The text of each source: built-in (the chosen one), own, linked.
    built_in_text: RwSignal<Option<(String, String)>>,
    pub(crate) own_text: RwSignal<String>,
    linked_text: RwSignal<String>,
    /// Own text that was replaced by a copy.
    pub(crate) earlier_text: RwSignal<Option<String>>,

    pub(crate) outline: RwSignal<Option<ScenarioOutline>>,
    pub(crate) diagnostics: RwSignal<Vec<Diagnostic>>,
    /// Designs to run; `None`: all.
    pub(crate) designs: RwSignal<Option<Vec<String>>>,
    pub(crate) fault: RwSignal<FaultForm>,
    pub(crate) seed: RwSignal<String>,
    pub(crate) requests: RwSignal<String>,
    /// From a link only; shown, and taken away with one click.
    pub(crate) sabotage: RwSignal<Vec<String>>,

    pub(crate) activity: RwSignal<Activity>,
    pub(crate) notice: RwSignal<Option<Notice>>,
    /// Why the last question was not answered.
    pub(crate) refused: RwSignal<Vec<Diagnostic>>,
    pub(crate) run: RwSignal<Option<Arc<RunReport>>>,
    pub(crate) atomicity: RwSignal<Option<Arc<AtomicityReport>>>,

    connection: StoredValue<Option<Connection>, LocalStorage>,
    next_ticket: StoredValue<Ticket>,
    /// Tickets whose answers still matter.
    checking: StoredValue<Ticket>,
    packing: StoredValue<Ticket>,
    unpacking: StoredValue<Ticket>,
    /// A link's packed text, until there is a worker to unpack it.
    packed: StoredValue<Option<String>>,
    /// A link asked for a run; it starts when its scenario has been checked.
    run_when_checked: StoredValue<bool>,
}

/// The state, from anywhere below the page's root.
pub(crate) fn lab() -> Lab {
    expect_context::<Lab>()
}

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab {
            built_in: RwSignal::new(Vec::new()),
            source: RwSignal::new(Source::BuiltIn(String::new())),
            built_in_text: RwSignal::new(None),
            own_text: RwSignal::new(browser::stored(OWN_TEXT).unwrap_or_default()),
            linked_text: RwSignal::new(String::new()),
            earlier_text: RwSignal::new(browser::stored(EARLIER_TEXT)),
            outline: RwSignal::new(None),
            diagnostics: RwSignal::new(Vec::new()),
            designs: RwSignal::new(None),
            fault: RwSignal::new(FaultForm::default()),
            seed: RwSignal::new(String::new()),
            requests: RwSignal::new(String::new()),
            sabotage: RwSignal::new(Vec::new()),
            activity: RwSignal::new(Activity::Starting),
            notice: RwSignal::new(None),
            refused: RwSignal::new(Vec::new()),
            run: RwSignal::new(None),
            atomicity: RwSignal::new(None),
            connection: StoredValue::new_local(None),
            next_ticket: StoredValue::new(0),
            checking: StoredValue::new(0),
            packing: StoredValue::new(0),
            unpacking: StoredValue::new(0),
            packed: StoredValue::new(None),
            run_when_checked: StoredValue::new(false),
        }
    }

    /// Once, when the page is mounted: reads the link, loads the scenarios, starts the worker.
    pub(crate) fn start(self) {
        let link = match browser::query().parse::<Link>() {
            Ok(link) => link,
            Err(error) => {
                self.say_bad(format!("The link cannot be used: {error}. The page is as without it."));
                Link::default()
            }
        };
        self.follow(&link);
        self.open_connection();
        leptos::task::spawn_local(async move { self.load_scenarios(link.scenario).await });
    }

    fn follow(self, link: &Link) {
        let options = &link.options;
        if !options.architectures.is_empty() {
            self.designs.set(Some(options.architectures.clone()));
        }
        if let Some(fault) = &options.fault {
            self.fault.set(FaultForm::of(fault));
        }
        self.seed
            .set(options.seed.map(|seed| seed.to_string()).unwrap_or_default());
        self.requests.set(
            options
                .requests
                .map(|requests| requests.to_string())
                .unwrap_or_default(),
        );
        self.sabotage.set(options.sabotage.clone());
        self.packed.set_value(link.text.clone());
        self.run_when_checked
            .set_value(link.scenario.is_some() && link.text.is_none());
    }

    async fn load_scenarios(self, wanted: Option<String>) {
        let list = browser::fetch_text("scenarios/index.json").await;
        let list: Result<Vec<BuiltIn>, String> = list.and_then(|text| read_list(&text));
        match list {
            Ok(list) => {
                let known = |slug: &String| list.iter().any(|scenario| scenario.slug == *slug);
                if let Some(slug) = wanted.as_ref().filter(|slug| !known(slug)) {
                    self.run_when_checked.set_value(false);
                    self.say_bad(format!(
                        "The link names a scenario “{slug}”, which is not built in here."
                    ));
                }
                let first = wanted
                    .filter(known)
                    .or_else(|| list.first().map(|first| first.slug.clone()));
                self.built_in.set(list);
                // A link's own text may have arrived meanwhile.
                if let (Some(slug), Source::BuiltIn(_)) = (first, self.source.get_untracked()) {
                    self.choose(Source::BuiltIn(slug));
                }
            }
            Err(error) => self.say_bad(format!("The built-in scenarios could not be loaded: {error}.")),
        }
    }

    // ── The scenario's text ─────────────────────────────────────────────────────────────────────

    /// The text that would run now; `None` while it is being loaded.
    pub(crate) fn text(self) -> Option<String> {
        match self.source.get() {
            Source::BuiltIn(slug) => self.built_in_text.with(|text| {
                text.as_ref()
                    .filter(|(of, _)| *of == slug)
                    .map(|(_, text)| text.clone())
            }),
            Source::Own => Some(self.own_text.get()),
            Source::Linked => Some(self.linked_text.get()),
        }
    }

    pub(crate) fn choose(self, source: Source) {
        self.source.set(source.clone());
        let slug = match source {
            Source::BuiltIn(slug) => slug,
            Source::Own if self.own_text.with_untracked(String::is_empty) => {
                let text = untrack(move || self.built_in_text.with(|text| text.clone()));
                return self.write(text.map(|(_, text)| text).unwrap_or_default());
            }
            Source::Own | Source::Linked => return self.check(),
        };
        leptos::task::spawn_local(async move {
            match browser::fetch_text(&format!("scenarios/{slug}.toml")).await {
                // Some hosts answer with the page itself where there is no file.
                Ok(text) if text.trim_start().starts_with('<') => {
                    self.say_bad(format!("There is no built-in scenario “{slug}”."));
                }
                Ok(text) => {
                    self.built_in_text.set(Some((slug, text)));
                    self.check();
                }
                Err(error) => self.say_bad(format!("The scenario “{slug}” could not be loaded: {error}.")),
            }
        });
    }

    /// What a person typed: kept at once, checked when they pause.
    pub(crate) fn write(self, text: String) {
        if !browser::store(OWN_TEXT, &text) && self.notice.with_untracked(Option::is_none) {
            self.say_bad("This browser keeps nothing for this page: copy your text before you leave.".to_owned());
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

    /// Makes the shown text one's own; what was one's own before can be brought back.
    pub(crate) fn copy_to_own(self) {
        let Some(text) = untrack(move || self.text()) else {
            return;
        };
        let own = self.own_text.get_untracked();
        if !own.is_empty() && own != text {
            browser::store(EARLIER_TEXT, &own);
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
        browser::store(EARLIER_TEXT, &own);
        self.earlier_text.set(Some(own));
        self.source.set(Source::Own);
        self.write(earlier);
    }

    pub(crate) fn drop_earlier(self) {
        browser::forget(EARLIER_TEXT);
        self.earlier_text.set(None);
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────────

    fn check(self) {
        let Some(scenario) = untrack(move || self.text()) else {
            return;
        };
        let ticket = self.ticket();
        self.checking.set_value(ticket);
        self.send(Request::Check { ticket, scenario });
    }

    pub(crate) fn run(self) {
        self.ask(
            "Run".to_owned(),
            |Question {
                 ticket,
                 slug,
                 scenario,
                 options,
             }| Request::Run {
                ticket,
                slug,
                scenario,
                options,
            },
        );
    }

    /// Every crash of one operation.
    pub(crate) fn explore(self, operation: String) {
        let title = format!("Every crash of {operation}");
        self.ask(
            title,
            |Question {
                 ticket,
                 slug,
                 scenario,
                 options,
             }| Request::Atomicity {
                ticket,
                slug,
                scenario,
                options,
                operation,
            },
        );
    }

    fn ask(self, title: String, request: impl FnOnce(Question) -> Request) {
        let idle = self.activity.with_untracked(|activity| *activity == Activity::Idle);
        let (Some(scenario), Ok(options), true) = (untrack(move || self.text()), untrack(move || self.options()), idle)
        else {
            return;
        };
        self.refused.set(Vec::new());
        let ticket = self.ticket();
        self.activity.set(Activity::Busy {
            ticket,
            title,
            done: 0,
            of: 0,
            what: "preparing".to_owned(),
            cancelling: false,
        });
        let slug = match self.source.get_untracked() {
            Source::BuiltIn(slug) => slug,
            Source::Own | Source::Linked => String::new(),
        };
        self.show_in_address();
        self.send(request(Question {
            ticket,
            slug,
            scenario,
            options,
        }));
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
            let deaf = self
                .activity
                .with_untracked(|now| matches!(now, Activity::Busy { ticket, .. } if *ticket == asked));
            if deaf {
                self.replace_worker(
                    "Cancelled: the worker did not hear it, so it was replaced.".to_owned(),
                    false,
                );
            }
        };
        set_timeout(replace_if_deaf, PATIENCE);
    }

    /// What the form asks for, or what is wrong in it.
    pub(crate) fn options(self) -> Result<RunOptions, String> {
        let number = |text: String, what: &str| match text.trim() {
            "" => Ok(None),
            text => text
                .replace([',', '_', ' '], "")
                .parse()
                .map(Some)
                .map_err(|_| format!("“{text}” is not a {what}.")),
        };
        let options = RunOptions {
            architectures: self.designs.get().unwrap_or_default(),
            seed: number(self.seed.get(), "seed: a whole number")?,
            fault: self.fault.with(FaultForm::sentence),
            requests: number(self.requests.get(), "number of requests")?,
            sabotage: self.sabotage.get(),
            target_p99_ms: None,
        };
        if self.designs.with(|designs| designs.as_ref().is_some_and(Vec::is_empty)) {
            return Err("Choose at least one design.".to_owned());
        }
        Ok(options)
    }

    // ── The link ────────────────────────────────────────────────────────────────────────────────

    /// Makes the address say what runs. A text of one's own is packed by the worker first.
    fn show_in_address(self) {
        let Ok(options) = untrack(move || self.options()) else {
            return;
        };
        match self.source.get_untracked() {
            Source::BuiltIn(slug) => {
                browser::set_query(
                    &Link {
                        scenario: Some(slug),
                        text: None,
                        options,
                    }
                    .to_string(),
                );
            }
            Source::Own | Source::Linked => {
                let Some(scenario) = untrack(move || self.text()) else {
                    return;
                };
                let ticket = self.ticket();
                self.packing.set_value(ticket);
                self.send(Request::Pack { ticket, scenario });
            }
        }
    }

    fn packed(self, packed: String) {
        let Ok(options) = untrack(move || self.options()) else {
            return;
        };
        let link = Link {
            scenario: None,
            text: Some(packed),
            options,
        }
        .to_string();
        if link.parse::<Link>().is_ok() {
            browser::set_query(&link);
        } else {
            self.say_bad("This scenario is too long for a link: keep it as a file.".to_owned());
        }
    }

    // ── Answers ─────────────────────────────────────────────────────────────────────────────────

    fn hear(self, heard: Heard) {
        match heard {
            Heard::Reply(Reply::Panicked { message }) | Heard::Broken(message) => self.broken(&message),
            Heard::Reply(reply) => self.take(reply),
        }
    }

    fn take(self, reply: Reply) {
        let busy_with = self.activity.with_untracked(|activity| match activity {
            Activity::Busy { ticket, .. } => Some(*ticket),
            _ => None,
        });
        match reply {
            Reply::Ready { version } if version == protocol::VERSION => self.ready(),
            Reply::Ready { .. } => {
                self.connection.set_value(None);
                self.activity.set(Activity::Absent(
                    "Page and worker are of different builds: reload the page.".to_owned(),
                ));
            }
            Reply::Checked {
                ticket,
                outline,
                diagnostics,
            } if ticket == self.checking.get_value() => {
                self.checked(outline, diagnostics);
            }
            Reply::Progress {
                ticket,
                done: now,
                of: all,
                what: doing,
            } if busy_with == Some(ticket) => {
                self.activity.update(|activity| {
                    if let Activity::Busy { done, of, what, .. } = activity {
                        (*done, *of, *what) = (now, all, doing);
                    }
                });
            }
            Reply::Ran { ticket, report } if busy_with == Some(ticket) => {
                self.run.set(Some(Arc::new(*report)));
                self.activity.set(Activity::Idle);
            }
            Reply::Explored { ticket, report } if busy_with == Some(ticket) => {
                self.atomicity.set(Some(Arc::new(*report)));
                self.activity.set(Activity::Idle);
            }
            Reply::Refused { ticket, diagnostics } if busy_with == Some(ticket) => {
                self.refused.set(diagnostics);
                self.activity.set(Activity::Idle);
            }
            Reply::Cancelled { ticket } if busy_with == Some(ticket) => {
                self.activity.set(Activity::Idle);
                self.say("Cancelled. What was there before still is.".to_owned());
            }
            Reply::Packed { ticket, packed } if ticket == self.packing.get_value() => self.packed(packed),
            Reply::Unpacked { ticket, scenario } if ticket == self.unpacking.get_value() => {
                self.linked_text.set(scenario);
                self.say("This link carries a scenario of its own. Look at it, then run it.".to_owned());
                self.choose(Source::Linked);
            }
            Reply::Refused { ticket, diagnostics } if ticket == self.unpacking.get_value() => {
                self.say_bad(format!("The link's scenario cannot be used: {}.", reasons(diagnostics)));
            }
            Reply::Refused { ticket, diagnostics } if ticket == self.packing.get_value() => {
                self.say_bad(format!("There is no link to this run: {}.", reasons(diagnostics)));
            }
            // Answers to questions that were taken back.
            _ => {}
        }
    }

    fn ready(self) {
        self.activity.set(Activity::Idle);
        if let Some(packed) = self.packed.get_value() {
            self.packed.set_value(None);
            let ticket = self.ticket();
            self.unpacking.set_value(ticket);
            self.send(Request::Unpack { ticket, packed });
        }
        self.check();
    }

    fn checked(self, outline: Option<ScenarioOutline>, diagnostics: Vec<Diagnostic>) {
        let works = !diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error);
        self.diagnostics.set(diagnostics);
        if let Some(outline) = outline {
            let first = outline
                .operations
                .iter()
                .find(|operation| operation.writes)
                .or(outline.operations.first());
            let first = first.map(|operation| operation.name.clone()).unwrap_or_default();
            if self.fault.with_untracked(|fault| fault.operation.is_empty()) {
                self.fault.update(|fault| fault.operation = first);
            }
            self.outline.set(Some(outline));
        }
        if works && self.run_when_checked.get_value() {
            self.run_when_checked.set_value(false);
            self.run();
        }
    }

    // ── The worker's life ───────────────────────────────────────────────────────────────────────

    pub(crate) fn open_connection(self) {
        self.activity.set(Activity::Starting);
        match Connection::open(move |heard| self.hear(heard)) {
            Ok(connection) => self.connection.set_value(Some(connection)),
            Err(error) => self
                .activity
                .set(Activity::Absent(format!("The worker could not be started: {error}."))),
        }
    }

    fn broken(self, message: &str) {
        if self.activity.with_untracked(|activity| *activity == Activity::Starting) {
            self.connection.set_value(None);
            self.activity
                .set(Activity::Absent(format!("The worker could not be started: {message}.")));
        } else {
            let text = format!(
                "The worker stopped with a defect of ours: {message}. A new one took its place; your text and your last results are untouched."
            );
            self.replace_worker(text, true);
        }
    }

    fn replace_worker(self, text: String, bad: bool) {
        // Dropping it within its own callback would free the callback that runs.
        let old = self.connection.try_update_value(Option::take).flatten();
        set_timeout(move || drop(old), Duration::ZERO);
        self.notice.set(Some(Notice { text, bad }));
        self.open_connection();
    }

    fn send(self, request: Request) {
        let sent = self
            .connection
            .with_value(|connection| connection.as_ref().map(|connection| connection.send(&request)));
        if let Some(Err(error)) = sent {
            self.broken(&error);
        }
    }

    fn ticket(self) -> Ticket {
        self.next_ticket.update_value(|ticket| *ticket = ticket.wrapping_add(1));
        self.next_ticket.get_value()
    }

    pub(crate) fn say(self, text: String) {
        self.notice.set(Some(Notice { text, bad: false }));
    }

    fn say_bad(self, text: String) {
        self.notice.set(Some(Notice { text, bad: true }));
    }
}

/// What every long question needs.
struct Question {
    ticket: Ticket,
    slug: String,
    scenario: String,
    options: RunOptions,
}

fn reasons(diagnostics: Vec<Diagnostic>) -> String {
    let messages: Vec<String> = diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect();
    messages.join("; ")
}

fn read_list(text: &str) -> Result<Vec<BuiltIn>, String> {
    let list: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let word = |item: &serde_json::Value, name: &str| item[name].as_str().map(str::to_owned);
    let entry = |item| {
        Some(BuiltIn {
            slug: word(item, "slug")?,
            title: word(item, "title")?,
        })
    };
    let items = list.as_array().ok_or("it is no list")?;
    items
        .iter()
        .map(|item| entry(item).ok_or_else(|| "an entry has no name".to_owned()))
        .collect()
}
