//! A fault as the form holds it, and as the sentence that worker, command line and link understand.
//!
//! The sentence is what counts. A sentence that the form has no fields for is kept as it is written.

/// The form's fields. What a kind does not need is kept for when the person changes their mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultForm {
    pub(crate) kind: Kind,
    pub(crate) actor: String,
    pub(crate) place: String,
    pub(crate) step: String,
    pub(crate) operation: String,
    /// After a crash; empty: stays down.
    pub(crate) restart: String,
    pub(crate) delay: String,
    pub(crate) at: String,
    pub(crate) written: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Crash,
    CrashAt,
    LoseRequest,
    LoseReply,
    DelayRequest,
    DelayReply,
    Duplicate,
    Refuse,
    Written,
}

impl Kind {
    pub(crate) const ALL: [(Kind, &str, &str); 10] = [
        (Kind::None, "none", "none added"),
        (Kind::Crash, "crash", "crash at a step"),
        (Kind::CrashAt, "crash-at", "crash at an instant"),
        (Kind::LoseRequest, "lose-request", "lose a request"),
        (Kind::LoseReply, "lose-reply", "lose a reply"),
        (Kind::DelayRequest, "delay-request", "delay a request"),
        (Kind::DelayReply, "delay-reply", "delay a reply"),
        (Kind::Duplicate, "duplicate", "send a request twice"),
        (Kind::Refuse, "refuse", "refuse a step"),
        (Kind::Written, "written", "as written …"),
    ];

    pub(crate) fn from_name(name: &str) -> Kind {
        Kind::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map_or(Kind::None, |(kind, ..)| *kind)
    }

    pub(crate) fn name(self) -> &'static str {
        Kind::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("none", |(_, name, _)| name)
    }

    pub(crate) fn is_crash(self) -> bool {
        matches!(self, Kind::Crash | Kind::CrashAt)
    }

    pub(crate) fn is_delay(self) -> bool {
        matches!(self, Kind::DelayRequest | Kind::DelayReply)
    }

    /// Does it strike at a step of an operation?
    pub(crate) fn has_step(self) -> bool {
        !matches!(self, Kind::None | Kind::CrashAt | Kind::Written)
    }
}

pub(crate) const ACTORS: [&str; 6] = ["orchestrator", "service", "server", "relay", "bus", "client"];
pub(crate) const PLACES: [&str; 3] = ["before", "during", "after"];

impl Default for FaultForm {
    fn default() -> FaultForm {
        FaultForm {
            kind: Kind::None,
            actor: ACTORS[0].to_owned(),
            place: "after".to_owned(),
            step: "3".to_owned(),
            operation: String::new(),
            restart: "500".to_owned(),
            delay: "50".to_owned(),
            at: "1000".to_owned(),
            written: String::new(),
        }
    }
}

impl FaultForm {
    /// What worker, command line and link understand; `None`: nothing breaks.
    pub(crate) fn sentence(&self) -> Option<String> {
        let FaultForm {
            actor,
            place,
            step,
            operation,
            restart,
            delay,
            at,
            written,
            ..
        } = self;
        let restart = if restart.is_empty() {
            String::new()
        } else {
            format!(" restart after {restart} ms")
        };
        let step = format!("step {step} of {operation}");
        Some(match self.kind {
            Kind::None => return None,
            Kind::Crash => format!("crash {actor} {place} {step}{restart}"),
            Kind::CrashAt => format!("crash {actor} at {at} ms{restart}"),
            Kind::LoseRequest => format!("lose request of {step}"),
            Kind::LoseReply => format!("lose reply of {step}"),
            Kind::DelayRequest => format!("delay request of {step} by {delay} ms"),
            Kind::DelayReply => format!("delay reply of {step} by {delay} ms"),
            Kind::Duplicate => format!("duplicate request of {step}"),
            Kind::Refuse => format!("refuse {step}"),
            Kind::Written => {
                let written = written.trim();
                return (!written.is_empty()).then(|| written.to_owned());
            }
        })
    }

    /// The form that would say this sentence; as written, if none would.
    pub(crate) fn of(sentence: &str) -> FaultForm {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        FaultForm::from_words(&words)
            .filter(|form| form.sentence().as_deref() == Some(&words.join(" ")))
            .unwrap_or_else(|| FaultForm {
                kind: Kind::Written,
                written: sentence.to_owned(),
                ..FaultForm::default()
            })
    }

    fn from_words(words: &[&str]) -> Option<FaultForm> {
        let own = |text: &str| text.to_owned();
        let base = FaultForm::default();
        let at_step = |kind, step: &str, operation: &str| FaultForm {
            kind,
            step: own(step),
            operation: own(operation),
            ..FaultForm::default()
        };
        let (words, restart) = match words {
            [rest @ .., "restart", "after", millis, "ms"] => (rest, own(millis)),
            _ => (words, String::new()),
        };
        Some(match words {
            ["crash", actor, "at", at, "ms"] => FaultForm {
                kind: Kind::CrashAt,
                actor: own(actor),
                at: own(at),
                restart,
                ..base
            },
            ["crash", actor, place, "step", step, "of", operation] => {
                let form = at_step(Kind::Crash, step, operation);
                FaultForm {
                    actor: own(actor),
                    place: own(place),
                    restart,
                    ..form
                }
            }
            ["lose", "request", "of", "step", step, "of", operation] => at_step(Kind::LoseRequest, step, operation),
            ["lose", "reply", "of", "step", step, "of", operation] => at_step(Kind::LoseReply, step, operation),
            ["delay", what, "of", "step", step, "of", operation, "by", delay, "ms"] => {
                let kind = if *what == "reply" {
                    Kind::DelayReply
                } else {
                    Kind::DelayRequest
                };
                FaultForm {
                    delay: own(delay),
                    ..at_step(kind, step, operation)
                }
            }
            ["duplicate", "request", "of", "step", step, "of", operation] => at_step(Kind::Duplicate, step, operation),
            ["refuse", "step", step, "of", operation] => at_step(Kind::Refuse, step, operation),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_what_it_says() {
        for (kind, ..) in Kind::ALL
            .into_iter()
            .filter(|(kind, ..)| !matches!(kind, Kind::None | Kind::Written))
        {
            let form = FaultForm {
                kind,
                operation: "create_user".to_owned(),
                ..FaultForm::default()
            };
            let sentence = form.sentence().unwrap();
            let back = FaultForm::of(&sentence);
            assert_eq!((back.kind, back.sentence()), (kind, Some(sentence)));
        }
    }

    #[test]
    fn a_crash_without_a_restart_stays_down() {
        let form = FaultForm::of("crash server after step 3 of create_user");
        assert_eq!((form.kind, form.restart.as_str()), (Kind::Crash, ""));
    }

    #[test]
    fn what_the_form_has_no_field_for_is_kept_as_written() {
        for sentence in [
            "crash server at 120 us",
            "lose reply of step 2 of a in request 7",
            "eat the database",
        ] {
            let form = FaultForm::of(sentence);
            assert_eq!((form.kind, form.sentence().as_deref()), (Kind::Written, Some(sentence)));
        }
    }
}
