//! The link that reproduces a run: the query part of the page's address.
//!
//! ```text
//! ?v=1.5e2a90&scenario=sign-up&on=schemas-in-one-database,database-per-service
//!     &fault=crash+orchestrator+after+step+3+of+create_user&seed=7&requests=2000
//! ```
//!
//! `v` is the version and a check over all that follows it: a link cut short by a mail program is refused, not half
//! obeyed. Written by hand, the check may be left out: `v=1&scenario=sign-up`.
//!
//! A scenario of one's own travels as `text=…` instead of a name, packed; only the worker unpacks it
//! (bounded). A link is written by strangers: its size is bounded, every part is checked, and what is
//! not understood is refused by name instead of being dropped.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::RunOptions;

/// Raised when an old link would be misread.
const VERSION: &str = "1";

/// Longer ones are refused before they are read.
const MOST_BYTES: usize = 65_536;

const MOST_NAMES: usize = 16;
const MOST_PRICES: usize = 64;

/// What stays readable in an address.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b',')
    .remove(b'/')
    .remove(b'=');

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Of a built-in scenario, or schedule.
    pub scenario: Option<String>,
    /// A text of one's own, packed; goes before `scenario`.
    pub text: Option<String>,
    pub options: RunOptions,
    /// The operation that is drawn.
    pub operation: Option<String>,
    /// Where the time cursor stands in its drawing, in nanoseconds since it was asked for.
    pub at_ns: Option<u64>,
    /// Of transaction isolation, for transactions of a schedule that name none: `repeatable-read`.
    pub level: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    TooLong {
        bytes: usize,
    },
    OtherVersion(String),
    /// Its check does not fit.
    Damaged,
    /// Not `name=value`, or bytes that are no text.
    Malformed(String),
    Unknown(String),
    Twice(String),
    Value {
        name: &'static str,
        value: String,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::TooLong { bytes } => {
                write!(f, "the link has {bytes} bytes; at most {MOST_BYTES} are read")
            }
            LinkError::OtherVersion(version) => {
                write!(
                    f,
                    "the link is of version “{version}”, and this page reads version {VERSION}"
                )
            }
            LinkError::Damaged => f.write_str("the link is damaged or cut short; copy it again, as a whole"),
            LinkError::Malformed(part) => write!(f, "“{part}” in the link is not name=value"),
            LinkError::Unknown(name) => write!(f, "the link says “{name}”, which this page does not know"),
            LinkError::Twice(name) => write!(f, "the link says “{name}” twice"),
            LinkError::Value { name, value } => write!(f, "“{value}” is not a {name}"),
        }
    }
}

impl std::error::Error for LinkError {}

impl Link {
    /// Does it name anything to run?
    pub fn is_empty(&self) -> bool {
        *self == Link::default()
    }
}

impl fmt::Display for Link {
    /// Without the `?`; empty if the link says nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let mut rest = String::new();
        let mut part = |name: &str, value: Option<&str>| match value {
            // A `+` is a space: faults are sentences, and stay readable.
            Some(value) => write!(
                rest,
                "&{name}={}",
                utf8_percent_encode(value, ESCAPED).to_string().replace("%20", "+")
            ),
            None => Ok(()),
        };
        let options = &self.options;
        let list = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        let scenario = if self.text.is_some() {
            None
        } else {
            self.scenario.as_deref()
        };
        part("scenario", scenario)?;
        part("on", list(&options.architectures).as_deref())?;
        part("fault", options.fault.as_deref())?;
        part("sabotage", list(&options.sabotage).as_deref())?;
        part("seed", options.seed.map(|seed| seed.to_string()).as_deref())?;
        part(
            "requests",
            options.requests.map(|requests| requests.to_string()).as_deref(),
        )?;
        part(
            "target",
            options.target_p99_ms.map(|target| target.to_string()).as_deref(),
        )?;
        part("prices", list(&options.prices).as_deref())?;
        part("operation", self.operation.as_deref())?;
        part("at_ns", self.at_ns.map(|at| at.to_string()).as_deref())?;
        part("level", self.level.as_deref())?;
        part("text", self.text.as_deref())?;
        write!(f, "v={VERSION}.{}{rest}", check(&rest))
    }
}

impl FromStr for Link {
    type Err = LinkError;

    /// With or without the leading `?`.
    fn from_str(query: &str) -> Result<Link, LinkError> {
        if query.len() > MOST_BYTES {
            return Err(LinkError::TooLong { bytes: query.len() });
        }
        let query = query.trim_start_matches('?');
        verify(query)?;
        let mut link = Link::default();
        let mut seen: Vec<String> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let malformed = || LinkError::Malformed(excerpt(part));
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value)
                .decode_utf8()
                .map_err(|_| malformed())?
                .into_owned();
            if seen.iter().any(|known| known == name) {
                return Err(LinkError::Twice(excerpt(name)));
            }
            link.take(name, value)?;
            seen.push(name.to_owned());
        }
        if !link.is_empty() && !seen.iter().any(|name| name == "v") {
            return Err(LinkError::OtherVersion("none".to_owned()));
        }
        Ok(link)
    }
}

impl Link {
    fn take(&mut self, name: &str, value: String) -> Result<(), LinkError> {
        let wrong = |name: &'static str, value: &str| LinkError::Value {
            name,
            value: excerpt(value),
        };
        match name {
            "v" if version(&value).0 == VERSION => {}
            "v" => return Err(LinkError::OtherVersion(excerpt(&value))),
            "scenario" if is_slug(&value) => self.scenario = Some(value),
            "scenario" => return Err(wrong("scenario's name", &value)),
            "on" => self.options.architectures = names(&value).ok_or_else(|| wrong("list of designs", &value))?,
            "sabotage" => self.options.sabotage = names(&value).ok_or_else(|| wrong("list of names", &value))?,
            "fault" => self.options.fault = Some(value),
            "seed" => self.options.seed = Some(value.parse().map_err(|_| wrong("seed", &value))?),
            "requests" => self.options.requests = Some(value.parse().map_err(|_| wrong("number of requests", &value))?),
            "target" => {
                let target = value.parse().map_err(|_| wrong("target in ms", &value))?;
                self.options.target_p99_ms = Some(target);
            }
            "prices" => self.options.prices = prices(&value).ok_or_else(|| wrong("list of prices", &value))?,
            "operation" if is_name(&value) => self.operation = Some(value),
            "operation" => return Err(wrong("name of an operation", &value)),
            "at_ns" => self.at_ns = Some(value.parse().map_err(|_| wrong("number of nanoseconds", &value))?),
            "level" if is_slug(&value) => self.level = Some(value),
            "level" => return Err(wrong("level of transaction isolation", &value)),
            "text" => self.text = Some(value),
            other => return Err(LinkError::Unknown(excerpt(other))),
        }
        Ok(())
    }
}

/// The version, and the check if there is one.
fn version(value: &str) -> (&str, Option<&str>) {
    value
        .split_once('.')
        .map_or((value, None), |(version, check)| (version, Some(check)))
}

/// Of a link with a check, all that follows it must be as it was written.
fn verify(query: &str) -> Result<(), LinkError> {
    let Some(value) = query.strip_prefix("v=") else {
        return Ok(());
    };
    let (value, rest) = value.split_at(value.find('&').unwrap_or(value.len()));
    match version(value) {
        (VERSION, Some(given)) if given != check(rest) => Err(LinkError::Damaged),
        _ => Ok(()),
    }
}

fn check(rest: &str) -> String {
    let mut hasher = base::Fingerprinter::new();
    std::hash::Hasher::write(&mut hasher, rest.as_bytes());
    format!("{:06x}", hasher.finish64() & 0xff_ffff)
}

fn names(value: &str) -> Option<Vec<String>> {
    let names: Vec<String> = value
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    (names.len() <= MOST_NAMES && names.iter().all(|name| is_slug(name))).then_some(names)
}

/// `sql_storage_usd_per_gb_month=0.2,rds-postgresql/db.t3.small=0.03`. What they mean only the price book knows.
fn prices(value: &str) -> Option<Vec<String>> {
    let prices: Vec<String> = value.split(',').map(str::to_owned).collect();
    let is_sound = |price: &String| price.len() <= 120 && !price.chars().any(char::is_control);
    (prices.len() <= MOST_PRICES && prices.iter().all(is_sound)).then_some(prices)
}

/// A name that is safe to look up: `database-per-service+unprotected`.
fn is_slug(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '+');
    !name.is_empty() && name.len() <= 80 && name.chars().all(fits)
}

/// A name within a scenario: `create_user`. Whether there is such an operation only the scenario knows.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 80 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// Enough to recognise it, however long or odd it is.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Link {
        Link {
            scenario: Some("sign-up".to_owned()),
            text: None,
            options: RunOptions {
                architectures: vec![
                    "schemas-in-one-database".to_owned(),
                    "database-per-service+unprotected".to_owned(),
                ],
                seed: Some(u64::MAX),
                fault: Some("crash server after step 3 of create_user restart after 500 ms".to_owned()),
                requests: Some(2_000),
                sabotage: vec!["compensation".to_owned()],
                target_p99_ms: Some(60),
                prices: vec![
                    "sql_storage_usd_per_gb_month=0.2".to_owned(),
                    "rds-postgresql/db.t3.small=0.03".to_owned(),
                ],
            },
            operation: Some("create_user".to_owned()),
            at_ns: Some(3_850_000),
            level: Some("repeatable-read".to_owned()),
        }
    }

    #[test]
    fn a_link_reproduces_what_it_was_made_of() {
        let link = sample();
        assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn a_link_stays_readable() {
        let text = sample().to_string();
        assert!(
            text.starts_with("v=1.") && text.contains("&scenario=sign-up&on=schemas-in-one-database,"),
            "{text}"
        );
        assert!(
            text.contains("&prices=sql_storage_usd_per_gb_month=0.2,rds-postgresql/db.t3.small=0.03&"),
            "{text}"
        );
        assert!(
            text.contains("&fault=crash+server+after+step+3+of+create_user+restart+after+500+ms&"),
            "{text}"
        );
    }

    #[test]
    fn a_link_that_is_cut_short_or_changed_is_refused() {
        let text = sample().to_string();
        // `v=1` alone says nothing, and nothing is what it opens.
        for end in (1..text.len()).filter(|end| *end != "v=1".len()) {
            assert!(text[..end].parse::<Link>().is_err(), "{}", &text[..end]);
        }
        let changed = text.replace("seed=1", "seed=2");
        assert_eq!(changed.parse::<Link>(), Err(LinkError::Damaged));
        assert!(
            "v=1&scenario=sign-up".parse::<Link>().is_ok(),
            "by hand, without a check"
        );
    }

    #[test]
    fn signs_in_a_value_survive() {
        let mut link = sample();
        link.options.fault = Some("100 % & more + “quotes” = ü\n".to_owned());
        assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn own_text_goes_before_a_name() {
        let mut link = sample();
        link.text = Some("1.eJzT0y".to_owned());
        let read: Link = link.to_string().parse().unwrap();
        assert_eq!((read.scenario, read.text.as_deref()), (None, Some("1.eJzT0y")));
    }

    #[test]
    fn an_address_without_a_query_is_no_link() {
        assert_eq!("".parse(), Ok(Link::default()));
        assert_eq!("?".parse(), Ok(Link::default()));
        assert_eq!(Link::default().to_string(), "");
    }

    #[test]
    fn hostile_and_truncated_links_are_refused_by_name() {
        for (query, says) in [
            (
                "v=1&scenario=../../etc/passwd",
                "“../../etc/passwd” is not a scenario's name",
            ),
            ("v=1&scenario=<script>", "“<script>” is not a scenario's name"),
            ("v=1&seed=-1", "“-1” is not a seed"),
            ("v=1&seed=99999999999999999999999", "is not a seed"),
            ("v=1&requests=1e9", "“1e9” is not a number of requests"),
            ("v=1&on=a,b c", "“a,b c” is not a list of designs"),
            (
                "v=1&level=high level",
                "“high level” is not a level of transaction isolation",
            ),
            ("v=1&scenario", "“scenario” in the link is not name=value"),
            ("v=1&fault=%ff%fe", "is not name=value"),
            ("v=1&seed=1&seed=2", "the link says “seed” twice"),
            (
                "v=1&onload=alert(1)",
                "the link says “onload”, which this page does not know",
            ),
            ("v=9&scenario=sign-up", "version “9”"),
            ("scenario=sign-up", "version “none”"),
        ] {
            let error = query.parse::<Link>().expect_err(query).to_string();
            assert!(error.contains(says), "{query}: {error}");
        }
    }

    #[test]
    fn a_long_link_is_refused_before_it_is_read() {
        let query = format!("v=1&text={}", "A".repeat(MOST_BYTES));
        assert!(matches!(query.parse::<Link>(), Err(LinkError::TooLong { .. })));
        let many = format!("v=1&on={}", "a,".repeat(1_000));
        assert!(many.parse::<Link>().expect_err("too many names").to_string().len() < 200);
    }
}
