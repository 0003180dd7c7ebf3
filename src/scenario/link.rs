//! A run as a link: everything that a person chose, in a query string.
//!
//! ```text
//! v=1.5e2a90&scenario=sign-up&seed=9&fault=crash+server+at+120+ms     a built-in scenario and what differs
//! v=1.0c77d1&text=nVPBbtswDL3…&designs=schemas-in-one-database         an own one: deflate, base64url
//! ```
//!
//! `v` is the version and a check over all that follows it, so that a link cut short by a mail program is
//! noticed and not half obeyed. Written by hand, the check may be left out: `v=1&scenario=sign-up`.
//!
//! A link is a stranger's text: length and unpacked size are bounded, and whatever is wrong with it ends in
//! one sentence.

use std::fmt;

use base::Fingerprinter;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::Fault;
use crate::read::limits::FILE_BYTES;

/// Raised when an older reader would misunderstand a newer link.
pub const LINK_VERSION: u32 = 1;

/// Longest link that is read or written. Browsers take more, mail programs and chats often less.
pub const MAX_LINK_BYTES: usize = 64 * 1024;

const MAX_DESIGNS: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub scenario: LinkedScenario,
    /// Slugs with variants; empty: those that the page shows by itself.
    pub architectures: Vec<String>,
    /// In place of the scenario's own.
    pub fault: Option<Fault>,
    pub seed: Option<u64>,
    pub requests: Option<u64>,
    /// The operation that is looked at.
    pub operation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkedScenario {
    /// By its slug: `sign-up`.
    BuiltIn(String),
    /// The text of a file.
    Own(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LinkError {}

fn error<T>(message: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Result<T, LinkError> {
    let hint = hint.into().map(str::to_owned);
    Err(LinkError {
        message: message.into(),
        hint,
    })
}

impl Link {
    /// The query string, without `?`. Refused if it would not be read again: too long, or a name that is none.
    pub fn to_query(&self) -> Result<String, LinkError> {
        let mut fields = form_urlencoded::Serializer::new(String::new());
        if let LinkedScenario::BuiltIn(slug) = &self.scenario {
            fields.append_pair("scenario", slug);
        }
        if !self.architectures.is_empty() {
            fields.append_pair("designs", &self.architectures.join(","));
        }
        if let Some(operation) = &self.operation {
            fields.append_pair("operation", operation);
        }
        if let Some(fault) = &self.fault {
            fields.append_pair("fault", &fault.to_string());
        }
        for (key, number) in [("seed", self.seed), ("requests", self.requests)] {
            if let Some(number) = number {
                fields.append_pair(key, &number.to_string());
            }
        }
        if let LinkedScenario::Own(text) = &self.scenario {
            fields.append_pair("text", &pack(text)?);
        }
        let rest = fields.finish();
        let query = format!("v={LINK_VERSION}.{}&{rest}", check(&rest));
        match Link::parse(&query)? {
            link if link == *self => Ok(query),
            _ => error("the link would not be read as it was meant", None),
        }
    }

    /// Reads a query string, with or without `?`.
    pub fn parse(query: &str) -> Result<Link, LinkError> {
        if query.len() > MAX_LINK_BYTES {
            return error(
                format!("the link has {} bytes, the limit is {MAX_LINK_BYTES}", query.len()),
                None,
            );
        }
        let query = query.strip_prefix('?').unwrap_or(query);
        let Some((version, rest)) = query.strip_prefix("v=").and_then(|rest| rest.split_once('&')) else {
            return error("this is no link to a run", "it begins with v=1&scenario=…");
        };
        verify(version, rest)?;
        fields(rest)
    }
}

fn verify(version: &str, rest: &str) -> Result<(), LinkError> {
    let (version, given) = version
        .split_once('.')
        .map_or((version, None), |(version, check)| (version, Some(check)));
    match version.parse::<u32>() {
        Ok(LINK_VERSION) => {}
        Ok(newer) if newer > LINK_VERSION => {
            let message = format!("the link is of version {newer}, and only version {LINK_VERSION} is known here");
            return error(message, "reload the page to get its newest version");
        }
        _ => return error("the link's version is no number that was ever used", None),
    }
    match given {
        Some(given) if given != check(rest) => error(
            "the link is damaged or cut short: its check does not fit",
            "copy it again, as a whole",
        ),
        _ => Ok(()),
    }
}

fn fields(rest: &str) -> Result<Link, LinkError> {
    let mut seen: Vec<String> = vec![];
    let mut scenario = None;
    let mut link = Link {
        scenario: LinkedScenario::BuiltIn(String::new()),
        architectures: vec![],
        fault: None,
        seed: None,
        requests: None,
        operation: None,
    };
    for (key, value) in form_urlencoded::parse(rest.as_bytes()) {
        if seen.iter().any(|known| *known == key) {
            return error(format!("the link says \"{}\" twice", shown(&key)), None);
        }
        seen.push(key.to_string());
        match &*key {
            "scenario" | "text" if scenario.is_some() => return error("the link names two scenarios", None),
            "scenario" if is_slug(&value, "-") => scenario = Some(LinkedScenario::BuiltIn(value.into_owned())),
            "scenario" => return error(format!("\"{}\" is no scenario's name", shown(&value)), None),
            "text" => scenario = Some(LinkedScenario::Own(unpack(&value)?)),
            "designs" => link.architectures = designs(&value)?,
            "operation" if is_slug(&value, "_") => link.operation = Some(value.into_owned()),
            "operation" => return error(format!("\"{}\" is no operation's name", shown(&value)), None),
            "fault" => match value.parse() {
                Ok(fault) => link.fault = Some(fault),
                Err(problem) => return error(format!("the link's fault cannot be read: {problem}"), None),
            },
            "seed" => link.seed = Some(number(&key, &value)?),
            "requests" => link.requests = Some(number(&key, &value)?),
            _ => {
                return error(
                    format!("the link says \"{}\", which means nothing here", shown(&key)),
                    None,
                );
            }
        }
    }
    match scenario {
        Some(scenario) => Ok(Link { scenario, ..link }),
        None => error("the link names no scenario", "for example v=1&scenario=sign-up"),
    }
}

fn designs(value: &str) -> Result<Vec<String>, LinkError> {
    let designs: Vec<String> = value.split(',').map(str::to_owned).collect();
    if designs.len() > MAX_DESIGNS {
        return error(
            format!("the link names {} designs, the limit is {MAX_DESIGNS}", designs.len()),
            None,
        );
    }
    match designs.iter().find(|design| !is_slug(design, "-+")) {
        Some(design) => error(format!("\"{}\" is no design's name", shown(design)), None),
        None => Ok(designs),
    }
}

/// Lower-case letters, digits and some signs.
fn is_slug(text: &str, signs: &str) -> bool {
    let belongs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || signs.contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(belongs)
}

fn number(key: &str, value: &str) -> Result<u64, LinkError> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(number) if is_number => Ok(number),
        _ => error(format!("the link's {key} is no number: \"{}\"", shown(value)), None),
    }
}

/// The start of a stranger's text, for a message.
fn shown(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if clean.len() < text.len() {
        format!("{clean}…")
    } else {
        clean
    }
}

fn check(rest: &str) -> String {
    let mut hasher = Fingerprinter::new();
    std::hash::Hasher::write(&mut hasher, rest.as_bytes());
    format!("{:06x}", hasher.finish64() & 0xff_ffff)
}

fn pack(text: &str) -> Result<String, LinkError> {
    if text.len() > FILE_BYTES {
        return error(
            format!("the scenario has {} bytes, the limit is {FILE_BYTES}", text.len()),
            None,
        );
    }
    let packed = URL_SAFE_NO_PAD.encode(compress_to_vec(text.as_bytes(), 9));
    if packed.len() > MAX_LINK_BYTES - 1024 {
        return error("the scenario is too long for a link", "save it as a file instead");
    }
    Ok(packed)
}

fn unpack(packed: &str) -> Result<String, LinkError> {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(packed) else {
        return error(
            "the scenario in the link is damaged: letters are missing or wrong",
            "copy it again, as a whole",
        );
    };
    let text = match decompress_to_vec_with_limit(&bytes, FILE_BYTES) {
        Ok(text) => text,
        Err(problem) if problem.status == TINFLStatus::HasMoreOutput => {
            return error(
                format!("the scenario in the link unpacks to more than {FILE_BYTES} bytes"),
                None,
            );
        }
        Err(_) => {
            return error(
                "the scenario in the link cannot be unpacked",
                "copy it again, as a whole",
            );
        }
    };
    match String::from_utf8(text) {
        Ok(text) => Ok(text),
        Err(_) => error("the scenario in the link is no text", None),
    }
}
