//! The spec format: `setup {…}`, `teardown {…}`, `session name`, `step name {…}`, `permutation a b …`.
//!
//! In a permutation `a(b)` is not reported as ended before `b` is, and `a(*)` is reported as waiting whether it waits
//! or not. Waiting for notices (`a(b notices 1)`) is refused by name.

use std::fmt;
use std::ops::Range;

use syntax::IsolationLevel;

/// What sessions do, and in which orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Run one after the other by a session of their own, before each permutation.
    pub setups: Vec<String>,
    pub teardown: Option<String>,
    pub sessions: Vec<Session>,
    /// Those that the spec names, each a list of steps.
    pub permutations: Vec<Vec<Turn>>,
    /// Of transactions that do not say themselves how isolated they are; no part of the text.
    pub level: Option<IsolationLevel>,
    /// Where its SQL stands in the text.
    pub(super) blocks: Vec<Block>,
    /// Line and column where the text ends, and more permutations could stand.
    end: (u32, u32),
}

/// A step in a permutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub place: Place,
    /// Reported as waiting at first in any case.
    pub reported_waiting: bool,
    /// Not reported as ended while one of these has not been.
    pub after: Vec<Place>,
}

impl From<Place> for Turn {
    fn from(place: Place) -> Turn {
        Turn {
            place,
            reported_waiting: false,
            after: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub name: String,
    pub setup: Option<String>,
    pub steps: Vec<Step>,
    pub teardown: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    pub sql: String,
}

/// What stands between two braces, in bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) range: Range<usize>,
    /// Run before each permutation, and must not fail. In the text's order they are run.
    pub(super) is_setup: bool,
}

/// A step by its session's and its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub session: usize,
    pub step: usize,
}

/// A refusal with its place; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    pub line: u32,
    pub column: u32,
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for SpecError {}

impl Spec {
    pub fn step(&self, place: Place) -> &Step {
        &self.sessions[place.session].steps[place.step]
    }

    /// The permutations that are named; all interleavings if none is.
    ///
    /// # Errors
    ///
    /// There are more than anybody would read.
    pub fn orders(&self) -> Result<Vec<Vec<Turn>>, SpecError> {
        if !self.permutations.is_empty() {
            return Ok(self.permutations.clone());
        }
        interleavings(&self.sessions).ok_or_else(|| {
            let (line, column) = self.end;
            let message = format!("more than {MOST_PERMUTATIONS} interleavings; name those of interest");
            SpecError { line, column, message }
        })
    }
}

/// More interleavings than this are not printed: nobody would read them.
const MOST_PERMUTATIONS: u64 = 20_000;

pub fn parse(text: &str) -> Result<Spec, SpecError> {
    let mut parser = Parser {
        text,
        at: 0,
        blocks: Vec::new(),
    };
    let mut spec = Spec::default();
    while parser.eat_word("setup") {
        spec.setups.push(parser.block(true)?);
    }
    if parser.eat_word("teardown") {
        spec.teardown = Some(parser.block(false)?);
    }
    while parser.eat_word("session") {
        let session = parser.session(&spec.sessions)?;
        spec.sessions.push(session);
    }
    if spec.sessions.is_empty() {
        return Err(parser.expected("`session`"));
    }
    while parser.eat_word("permutation") {
        let permutation = parser.permutation(&spec)?;
        spec.permutations.push(permutation);
    }
    if !parser.at_end() {
        return Err(parser.expected("`session`, `step`, `permutation` or the end of the text"));
    }
    spec.blocks = parser.blocks;
    spec.end = syntax::line_column(text, text.len() as u32);
    Ok(spec)
}

/// Every order of all steps that keeps each session's own, the first session's steps first.
fn interleavings(sessions: &[Session]) -> Option<Vec<Vec<Turn>>> {
    let lengths: Vec<usize> = sessions.iter().map(|session| session.steps.len()).collect();
    if count(&lengths)? > MOST_PERMUTATIONS {
        return None;
    }
    let mut found = Vec::new();
    let mut next = vec![0; lengths.len()];
    extend(&lengths, &mut next, &mut Vec::new(), &mut found);
    Some(found)
}

/// The multinomial coefficient, `None` if it is too large to matter.
pub(super) fn count(lengths: &[usize]) -> Option<u64> {
    let mut orders = 1_u64;
    let mut placed = 0_u64;
    for &length in lengths {
        for n in 1..=length as u64 {
            placed += 1;
            orders = orders.checked_mul(placed)? / n;
            if orders > u64::from(u32::MAX) {
                return None;
            }
        }
    }
    Some(orders)
}

fn extend(lengths: &[usize], next: &mut [usize], order: &mut Vec<Turn>, found: &mut Vec<Vec<Turn>>) {
    let mut complete = true;
    for session in 0..lengths.len() {
        let step = next[session];
        if step < lengths[session] {
            complete = false;
            next[session] += 1;
            order.push(Turn::from(Place { session, step }));
            extend(lengths, next, order, found);
            order.pop();
            next[session] -= 1;
        }
    }
    if complete {
        found.push(order.clone());
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    blocks: Vec<Block>,
}

impl<'a> Parser<'a> {
    fn error(&self, at: usize, message: String) -> SpecError {
        let (line, column) = syntax::line_column(self.text, at as u32);
        SpecError { line, column, message }
    }

    fn expected(&self, what: &str) -> SpecError {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
        let found = if rest.is_empty() {
            "the end of the text".to_owned()
        } else {
            format!("`{}`", &rest[..end])
        };
        self.error(self.at, format!("expected {what}, found {found}"))
    }

    /// White space and `#` comments.
    fn skip(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            let rest = &self.text[self.at..];
            if !rest.starts_with('#') {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn at_end(&mut self) -> bool {
        self.skip();
        self.at == self.text.len()
    }

    /// The identifier that is next, if one is: its text and length.
    fn peek(&mut self) -> Option<(&'a str, usize)> {
        self.skip();
        let rest = &self.text[self.at..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find(['"', '\n']).filter(|&end| quoted[end..].starts_with('"'))?;
            return Some((&quoted[..end], end + 2));
        }
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let starts_well = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (starts_well && end > 0).then_some((&rest[..end], end))
    }

    fn eat_word(&mut self, keyword: &str) -> bool {
        match self.peek() {
            Some((word, length)) if word == keyword && length == keyword.len() => {
                self.at += length;
                true
            }
            _ => false,
        }
    }

    fn name(&mut self, what: &str) -> Result<(String, usize), SpecError> {
        let Some((word, length)) = self.peek() else {
            return Err(self.expected(what));
        };
        let at = self.at;
        self.at += length;
        Ok((word.to_owned(), at))
    }

    /// `{ … }` without the blanks at its ends (line ends stay: they are printed); braces do not nest.
    fn block(&mut self, is_setup: bool) -> Result<String, SpecError> {
        self.skip();
        let rest = &self.text[self.at..];
        if !rest.starts_with('{') {
            return Err(self.expected("`{`"));
        }
        let Some(end) = rest.find('}') else {
            return Err(self.error(self.at, "this `{` is never closed".to_owned()));
        };
        let sql = &rest[1..end];
        let start = self.at + 1 + sql.len() - sql.trim_start().len();
        let range = start..start + sql.trim().len();
        self.blocks.push(Block { range, is_setup });
        self.at += end + 1;
        Ok(sql.trim_matches([' ', '\t', '\r', '\x0c']).to_owned())
    }

    fn session(&mut self, others: &[Session]) -> Result<Session, SpecError> {
        let (name, _) = self.name("a session's name")?;
        let mut session = Session {
            name,
            ..Session::default()
        };
        if self.eat_word("setup") {
            session.setup = Some(self.block(true)?);
        }
        while self.eat_word("step") {
            let (name, at) = self.name("a step's name")?;
            let known = others.iter().chain([&session]).flat_map(|session| &session.steps);
            if known.into_iter().any(|step| step.name == name) {
                return Err(self.error(at, format!("there are two steps `{name}`")));
            }
            let sql = self.block(false)?;
            session.steps.push(Step { name, sql });
        }
        if session.steps.is_empty() {
            return Err(self.expected("`step`"));
        }
        if self.eat_word("teardown") {
            session.teardown = Some(self.block(false)?);
        }
        Ok(session)
    }

    fn permutation(&mut self, spec: &Spec) -> Result<Vec<Turn>, SpecError> {
        let mut order = Vec::new();
        while self
            .peek()
            .is_some_and(|(word, length)| !(word == "permutation" && length == word.len()))
        {
            let (name, at) = self.name("a step's name")?;
            let Some(place) = place(spec, &name) else {
                return Err(self.error(at, format!("there is no step `{name}`")));
            };
            let mut turn = Turn::from(place);
            self.annotations(spec, &name, &mut turn)?;
            order.push(turn);
        }
        if order.is_empty() {
            return Err(self.expected("a step's name"));
        }
        Ok(order)
    }

    fn eat_symbol(&mut self, symbol: char) -> bool {
        self.skip();
        let found = self.text[self.at..].starts_with(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    /// `(*)`, `(b)`, `(b, c)` behind a step's name.
    fn annotations(&mut self, spec: &Spec, name: &str, turn: &mut Turn) -> Result<(), SpecError> {
        if !self.eat_symbol('(') {
            return Ok(());
        }
        loop {
            if self.eat_symbol('*') {
                turn.reported_waiting = true;
            } else {
                let (other, at) = self.name("`*` or a step's name")?;
                let Some(other) = place(spec, &other).filter(|other| other.session != turn.place.session) else {
                    return Err(self.error(at, format!("`{name}` cannot wait for `{other}`")));
                };
                if self.eat_word("notices") {
                    return Err(self.error(at, "waiting for notices is not supported".to_owned()));
                }
                turn.after.push(other);
            }
            if self.eat_symbol(')') {
                return Ok(());
            }
            if !self.eat_symbol(',') {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }
}

fn place(spec: &Spec, name: &str) -> Option<Place> {
    spec.sessions.iter().enumerate().find_map(|(session, found)| {
        let step = found.steps.iter().position(|step| step.name == name)?;
        Some(Place { session, step })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "
        setup { CREATE TABLE t (a int); }   # a comment
        session s1
        step a { SELECT 1; }
        step \"b c\" { COMMIT }
        session s2
        setup { BEGIN; }
        step d { SELECT 2; }
        teardown { ROLLBACK; }
    ";

    fn names(spec: &Spec) -> Vec<Vec<String>> {
        let name = |turn: &Turn| spec.step(turn.place).name.clone();
        let orders = spec.orders().unwrap();
        orders.iter().map(|order| order.iter().map(name).collect()).collect()
    }

    #[test]
    fn without_permutations_all_interleavings_are_run() {
        let spec = parse(SPEC).unwrap();
        assert_eq!(spec.setups, ["CREATE TABLE t (a int);"]);
        assert_eq!(spec.sessions[1].teardown.as_deref(), Some("ROLLBACK;"));
        assert_eq!(names(&spec), [["a", "b c", "d"], ["a", "d", "b c"], ["d", "a", "b c"]]);
    }

    #[test]
    fn permutations_name_steps() {
        let spec = parse(&format!("{SPEC} permutation d a permutation \"b c\"")).unwrap();
        assert_eq!(names(&spec), [vec!["d", "a"], vec!["b c"]]);
    }

    #[test]
    fn a_step_may_have_to_be_reported_after_others() {
        let spec = parse(&format!("{SPEC} permutation a (d, *) d a")).unwrap();
        let turn = &spec.permutations[0][0];
        assert!(turn.reported_waiting);
        assert_eq!(turn.after, [Place { session: 1, step: 0 }]);
    }

    #[test]
    fn refusals_have_their_place() {
        for (text, message) in [
            ("", "1:1: expected `session`, found the end of the text"),
            ("setup BEGIN", "1:7: expected `{`, found `BEGIN`"),
            ("setup { BEGIN", "1:7: this `{` is never closed"),
            ("session s1", "1:11: expected `step`, found the end of the text"),
            ("session {", "1:9: expected a session's name, found `{`"),
            ("session s setup", "1:16: expected `{`, found the end of the text"),
            (
                "session s\nstep { SELECT 1; }",
                "2:6: expected a step's name, found `{`",
            ),
            ("session s\nstep \"a\n{}", "2:6: expected a step's name, found `\"a`"),
            ("session s\nstep a { SELECT 1;", "2:8: this `{` is never closed"),
            (
                "session s\nstep a {}\nteardown",
                "3:9: expected `{`, found the end of the text",
            ),
            (
                "session s\nstep a {}\npermutation",
                "3:12: expected a step's name, found the end of the text",
            ),
            (
                "session s\nstep a {}\npermutation a(",
                "3:15: expected `*` or a step's name, found the end of the text",
            ),
            (
                "session s\nstep a {}\npermutation a(*",
                "3:16: expected `,` or `)`, found the end of the text",
            ),
            (
                "session s\nstep a {}\npermutation a(c)",
                "3:15: `a` cannot wait for `c`",
            ),
            ("session s\nstep a {}\nstep a {}", "3:6: there are two steps `a`"),
            ("session s\nstep a {}\npermutation b", "3:13: there is no step `b`"),
            (
                "session s\nstep a {}\nsession t\nstep b {}\npermutation a(b notices 1)",
                "5:15: waiting for notices is not supported",
            ),
            (
                "session s\nstep a {}\nstep b {}\npermutation a(b)",
                "4:15: `a` cannot wait for `b`",
            ),
            (
                "session s\nstep a {}\nfrob",
                "3:1: expected `session`, `step`, `permutation` or the end of the text, found `frob`",
            ),
        ] {
            assert_eq!(
                parse(text).map_err(|error| error.to_string()),
                Err(message.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn too_many_interleavings_are_refused() {
        let session = |name: &str| {
            let steps: String = (0..12).map(|n| format!("step {name}{n} {{}}\n")).collect();
            format!("session {name}\n{steps}")
        };
        let spec = parse(&(session("a") + &session("b"))).unwrap();
        let refused = spec.orders().map_err(|error| error.to_string());
        assert_eq!(
            refused,
            Err("27:1: more than 20000 interleavings; name those of interest".to_owned())
        );
    }
}
