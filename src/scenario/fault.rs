//! What is broken on purpose, as a sentence: shared by the file, the command line and the page.
//!
//! ```text
//! crash ACTOR (before | during | after) STEP [restart after DURATION]
//! crash ACTOR at DURATION [restart after DURATION]
//! lose (request | reply) of STEP
//! delay (request | reply) of STEP by DURATION
//! duplicate request of STEP
//! refuse STEP
//!
//! ACTOR = client | orchestrator | service | server | relay | bus
//! STEP  = step N of OPERATION [in request N]
//! ```
//!
//! Steps count from 1 and are physical: the same number is another statement on another design.
//! Requests count from 0, in order of arrival.

use std::fmt;
use std::str::FromStr;

use base::{Nanos, Time};

use crate::phrase::{Exact, Phrase, PhraseError};
use crate::{Operation, names};

/// One fault. Which node and which physical step it strikes is the design's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub action: FaultAction,
    pub moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// `crash orchestrator … [restart after 500 ms]`; without: stays down.
    Crash { actor: Actor, restart_after: Option<Nanos> },
    /// `lose reply of step …`
    Lose(Message),
    /// `delay request of step … by 50 ms`
    Delay(Message, Nanos),
    /// `duplicate request of step …`
    Duplicate,
    /// `refuse step …`: it fails as if the engine had refused it.
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    Request,
    Reply,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `at 120 ms`: crashes only.
    At(Time),
    Step {
        place: StepPlace,
        /// The n-th physical step of the operation, from 1.
        step: u32,
        operation: String,
        /// `in request 12`, from 0; `None`: whichever request comes first.
        request: Option<u64>,
    },
}

/// Where within the step. Message faults and refusals strike `During` it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPlace {
    /// Nothing of it has happened.
    Before,
    /// Its effect has happened; the one who asked does not know yet.
    During,
    /// The one who asked has the answer.
    After,
}

/// Whom a crash takes, by role in the operation, so that one fault means the same on every design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    Client,
    /// The process that runs the operation's entry program.
    Orchestrator,
    /// The service that runs the step.
    Service,
    /// The database server that the step works on.
    Server,
    /// The process that runs the relays.
    Relay,
    /// The event bus.
    Bus,
}

const HINT: &str = "for example: crash orchestrator after step 3 of create_user restart after 500 ms";

const ACTORS: [(&str, Actor); 6] = [
    ("client", Actor::Client),
    ("orchestrator", Actor::Orchestrator),
    ("service", Actor::Service),
    ("server", Actor::Server),
    ("relay", Actor::Relay),
    ("bus", Actor::Bus),
];

const PLACES: [(&str, StepPlace); 3] = [
    ("before", StepPlace::Before),
    ("during", StepPlace::During),
    ("after", StepPlace::After),
];

impl FromStr for Fault {
    type Err = PhraseError;

    fn from_str(text: &str) -> Result<Fault, PhraseError> {
        let mut phrase = Phrase::new(text)?;
        let fault = fault(&mut phrase).map_err(|error| {
            if error.hint.is_none() {
                error.with_hint(HINT.to_owned())
            } else {
                error
            }
        })?;
        phrase.end()?;
        Ok(fault)
    }
}

impl Fault {
    /// A sentence over a scenario's operations: also refuses one that the scenario does not have.
    pub fn parse(text: &str, operations: &[Operation]) -> Result<Fault, PhraseError> {
        let fault: Fault = text.parse()?;
        let Moment::Step { operation, .. } = &fault.moment else {
            return Ok(fault);
        };
        let known: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
        if known.contains(&operation.as_str()) {
            return Ok(fault);
        }
        let offset = Phrase::new(text)?.offset_of(operation);
        let error = PhraseError::new(offset, format!("there is no operation \"{operation}\""));
        Err(error.with_hint(names::suggestion(operation, &known, "operations")))
    }
}

fn fault(phrase: &mut Phrase<'_>) -> Result<Fault, PhraseError> {
    const VERBS: [&str; 5] = ["crash", "lose", "delay", "duplicate", "refuse"];
    match phrase.one_of(&VERBS, "what to break")? {
        "crash" => crash(phrase),
        "lose" => {
            let message = message(phrase)?;
            Ok(Fault {
                action: FaultAction::Lose(message),
                moment: step(phrase, StepPlace::During)?,
            })
        }
        "delay" => {
            let message = message(phrase)?;
            let moment = step(phrase, StepPlace::During)?;
            phrase.expect("by")?;
            Ok(Fault {
                action: FaultAction::Delay(message, phrase.duration("a duration")?),
                moment,
            })
        }
        "duplicate" => {
            phrase.expect("request")?;
            phrase.expect("of")?;
            Ok(Fault {
                action: FaultAction::Duplicate,
                moment: step(phrase, StepPlace::During)?,
            })
        }
        _ => Ok(Fault {
            action: FaultAction::Refuse,
            moment: step(phrase, StepPlace::During)?,
        }),
    }
}

fn crash(phrase: &mut Phrase<'_>) -> Result<Fault, PhraseError> {
    let actor = phrase.one_of(&ACTORS.map(|(name, _)| name), "whom to crash")?;
    let actor = ACTORS
        .iter()
        .find(|(name, _)| *name == actor)
        .map_or(Actor::Server, |(_, actor)| *actor);
    let place = phrase.one_of(&["at", "before", "during", "after"], "when")?;
    let moment = match PLACES.iter().find(|(name, _)| *name == place) {
        Some(&(_, place)) => step(phrase, place)?,
        None => Moment::At(Time(phrase.duration("an instant")?.0)),
    };
    let restart_after = if phrase.accept("restart") {
        phrase.expect("after")?;
        Some(phrase.duration("a duration")?)
    } else {
        None
    };
    Ok(Fault {
        action: FaultAction::Crash { actor, restart_after },
        moment,
    })
}

fn message(phrase: &mut Phrase<'_>) -> Result<Message, PhraseError> {
    let message = phrase.one_of(&["request", "reply"], "which message")?;
    phrase.expect("of")?;
    Ok(if message == "reply" {
        Message::Reply
    } else {
        Message::Request
    })
}

fn step(phrase: &mut Phrase<'_>, place: StepPlace) -> Result<Moment, PhraseError> {
    phrase.expect("step")?;
    let offset = phrase.offset();
    let number = phrase.whole("the number of a step")?;
    let step = u32::try_from(number)
        .ok()
        .filter(|&step| step > 0)
        .ok_or_else(|| PhraseError::new(offset, "steps count from 1").with_hint(HINT.to_owned()))?;
    phrase.expect("of")?;
    let operation = phrase.word("the name of an operation")?.to_owned();
    let request = if phrase.accept("in") {
        phrase.expect("request")?;
        Some(phrase.whole("the number of a request")?)
    } else {
        None
    };
    Ok(Moment::Step {
        place,
        step,
        operation,
        request,
    })
}

/// The sentence, readable by [`Fault::from_str`].
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            FaultAction::Crash { actor, restart_after } => {
                write!(f, "crash {actor} ")?;
                match &self.moment {
                    Moment::At(instant) => write!(f, "at {}", Exact(Nanos(instant.0)))?,
                    Moment::Step { place, .. } => write!(f, "{place} {}", self.moment)?,
                }
                match restart_after {
                    Some(span) => write!(f, " restart after {}", Exact(span)),
                    None => Ok(()),
                }
            }
            FaultAction::Lose(message) => write!(f, "lose {message} of {}", self.moment),
            FaultAction::Delay(message, by) => write!(f, "delay {message} of {} by {}", self.moment, Exact(by)),
            FaultAction::Duplicate => write!(f, "duplicate request of {}", self.moment),
            FaultAction::Refuse => write!(f, "refuse {}", self.moment),
        }
    }
}

/// `step 3 of create_user`
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::At(instant) => write!(f, "at {}", Exact(Nanos(instant.0))),
            Moment::Step {
                step,
                operation,
                request,
                ..
            } => {
                write!(f, "step {step} of {operation}")?;
                match request {
                    Some(request) => write!(f, " in request {request}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Message::Request => "request",
            Message::Reply => "reply",
        })
    }
}

impl fmt::Display for StepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            PLACES
                .iter()
                .find(|(_, place)| place == self)
                .map_or("", |(name, _)| name),
        )
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            ACTORS
                .iter()
                .find(|(_, actor)| actor == self)
                .map_or("", |(name, _)| name),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_print_as_they_were_read() {
        for text in [
            "crash orchestrator after step 3 of create_user restart after 500 ms",
            "crash client before step 1 of create_user",
            "crash service during step 2 of create_user in request 17",
            "crash relay at 1 s restart after 250 us",
            "crash server at 120 ms",
            "lose reply of step 2 of create_user",
            "lose request of step 2 of create_user in request 0",
            "delay request of step 2 of x by 50 ms",
            "delay reply of step 12 of x by 1 min",
            "duplicate request of step 2 of x",
            "refuse step 2 of create_user",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
        let spaced: Fault = "crash   server at\t1.5 s".parse().unwrap();
        assert_eq!(spaced.to_string(), "crash server at 1500 ms");
    }

    #[test]
    fn a_slip_is_pointed_at_and_named() {
        for (text, offset, message, hint) in [
            (
                "",
                0,
                "expected what to break, found the end",
                "what to break: crash, lose, delay, duplicate, refuse",
            ),
            (
                "crahs server at 1 s",
                0,
                "expected what to break, found \"crahs\"",
                "did you mean \"crash\"?",
            ),
            (
                "crash sever at 1 s",
                6,
                "expected whom to crash, found \"sever\"",
                "did you mean \"server\"?",
            ),
            ("crash server after step 0 of x", 24, "steps count from 1", HINT),
            (
                "crash server after step two of x",
                24,
                "expected the number of a step, found \"two\"",
                HINT,
            ),
            ("lose reply step 2 of x", 11, "expected \"of\", found \"step\"", HINT),
            (
                "crash server at noon",
                16,
                "expected an instant, found \"noon\"",
                "a number and a unit (ns, us, ms, s, min, h, days), for example 80 ms",
            ),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert_eq!(
                (error.offset, error.message.as_str(), error.hint.as_deref()),
                (offset, message, Some(hint))
            );
        }
        assert_eq!("refuse step 1 of x y".parse::<Fault>().unwrap_err().offset, 19);
    }
}
