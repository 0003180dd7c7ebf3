//! `[load]`: how requests arise, and what clients do when no answer comes.

use base::Nanos;

use crate::document::{Keys, Reading, Text};
use crate::phrase::{Phrase, PhraseError, parse_duration};
use crate::{ClientLoop, ClientRetry, Load};

use super::limits;

/// What holds where `[load]` says nothing.
pub(super) const DEFAULT: Load = Load {
    clients: ClientLoop::Open {
        requests_per_second: 100,
    },
    requests: 1_000,
    retry: ClientRetry {
        timeout: Nanos::from_secs(1),
        attempts: 1,
    },
};

pub(super) fn load(mut keys: Keys<'_>, reading: &mut Reading<'_>) -> Load {
    let mut load = DEFAULT;
    if let Some(text) = keys.text("clients", reading) {
        match clients(text.value) {
            Ok(clients) => load.clients = clients,
            Err(error) => {
                let hint = "\"open 120 per second\", \"closed 20 think 50 ms\" or \"serial\"".to_owned();
                reading.phrase_error(
                    &text,
                    if error.hint.is_none() {
                        error.with_hint(hint)
                    } else {
                        error
                    },
                );
            }
        }
    }
    if let Some(requests) = keys.whole("requests", 1..limits::REQUESTS + 1, reading) {
        load.requests = requests;
    }
    if let Some(text) = keys.text("timeout", reading) {
        load.retry.timeout = duration(&text, reading).unwrap_or(load.retry.timeout);
    }
    if let Some(attempts) = keys.whole("attempts", 1..101, reading) {
        load.retry.attempts = attempts as u32;
    }
    keys.finish(reading);
    load
}

fn clients(text: &str) -> Result<ClientLoop, PhraseError> {
    let mut phrase = Phrase::new(text)?;
    let clients = match phrase.one_of(&["open", "closed", "serial"], "how requests arise")? {
        "open" => {
            let requests_per_second = within(&mut phrase, 1, 1_000_000, "requests")?;
            phrase.expect("per")?;
            phrase.expect("second")?;
            ClientLoop::Open { requests_per_second }
        }
        "closed" => {
            let clients = within(&mut phrase, 1, 10_000, "clients")?;
            let think = if phrase.accept("think") {
                phrase.duration("a duration")?
            } else {
                Nanos::ZERO
            };
            ClientLoop::Closed { clients, think }
        }
        _ => ClientLoop::Serial,
    };
    phrase.end()?;
    Ok(clients)
}

fn within(phrase: &mut Phrase<'_>, low: u64, high: u64, what: &str) -> Result<u32, PhraseError> {
    let offset = phrase.offset();
    let number = phrase.whole(&format!("a number of {what}"))?;
    if !(low..=high).contains(&number) {
        return Err(PhraseError::new(offset, format!("{what} lie between {low} and {high}")));
    }
    Ok(number as u32)
}

fn duration(text: &Text<'_>, reading: &mut Reading<'_>) -> Option<Nanos> {
    let duration = parse_duration(text.value).and_then(|duration| {
        if duration == Nanos::ZERO {
            Err(PhraseError::new(0, "a timeout is longer than nothing"))
        } else {
            Ok(duration)
        }
    });
    duration.map_err(|error| reading.phrase_error(text, error)).ok()
}
