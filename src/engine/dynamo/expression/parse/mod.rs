//! Expression texts become trees. What is wrong beyond syntax is collected, and the gravest mistake is told, as
//! AWS does: an undefined placeholder is not mentioned while a word is reserved.

mod condition;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::path::{Path, PathStep, PathTree};
use super::reserved::is_reserved;
use super::token::{Token, TokenKind, tokens};
use super::tree::{Condition, Update};
use crate::failure::{Failure, Fallible, invalid};
use crate::item::Item;
use crate::value::AttributeValue;

/// `#name` → attribute.
pub(crate) type Names = BTreeMap<Arc<str>, Arc<str>>;

/// What an expression is for, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Condition,
    Filter,
    KeyCondition,
    Projection,
    Update,
}

/// What the placeholders of a request stand for, and which of them its expressions have used.
#[derive(Clone, Debug)]
pub(crate) struct Placeholders<'a> {
    names: &'a Names,
    values: &'a Item,
    used_names: BTreeSet<&'a str>,
    used_values: BTreeSet<&'a str>,
}

const MAX_EXPRESSION: usize = 4096;
const MAX_OPERATORS: u32 = 300;
/// Parentheses and functions within each other.
const MAX_NESTING: u32 = 50;

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Purpose::Condition => "ConditionExpression",
            Purpose::Filter => "FilterExpression",
            Purpose::KeyCondition => "KeyConditionExpression",
            Purpose::Projection => "ProjectionExpression",
            Purpose::Update => "UpdateExpression",
        }
    }
}

impl<'a> Placeholders<'a> {
    pub(crate) fn new(names: &'a Names, values: &'a Item) -> Placeholders<'a> {
        Placeholders {
            names,
            values,
            used_names: BTreeSet::new(),
            used_values: BTreeSet::new(),
        }
    }

    pub(crate) fn condition(&mut self, purpose: Purpose, text: &str) -> Fallible<Condition> {
        let mut parser = Parser::new(self, purpose, text)?;
        let condition = parser.whole_condition()?;
        parser.finish(condition)
    }

    pub(crate) fn update(&mut self, text: &str) -> Fallible<Update> {
        let mut parser = Parser::new(self, Purpose::Update, text)?;
        let update = parser.whole_update()?;
        parser.finish(update)
    }

    pub(crate) fn projection(&mut self, text: &str) -> Fallible<PathTree> {
        let mut parser = Parser::new(self, Purpose::Projection, text)?;
        let mut paths = PathTree::default();
        loop {
            let path = parser.path()?;
            parser.add_path(&mut paths, &path);
            if !parser.take(",") {
                break;
            }
        }
        parser.expect_end()?;
        parser.finish(paths)
    }

    /// All expressions of the request have been read: is anything left?
    pub(crate) fn check_unused(&self) -> Fallible<()> {
        fn unused<'k>(given: impl Iterator<Item = &'k Arc<str>>, used: &BTreeSet<&str>) -> Option<String> {
            let left: Vec<&str> = given.map(|key| &**key).filter(|key| !used.contains(key)).collect();
            (!left.is_empty()).then(|| left.join(", "))
        }
        if let Some(names) = unused(self.names.keys(), &self.used_names) {
            let message =
                format!("Value provided in ExpressionAttributeNames unused in expressions: keys: {{{names}}}");
            return Err(invalid(message));
        }
        if let Some(values) = unused(self.values.keys(), &self.used_values) {
            let message =
                format!("Value provided in ExpressionAttributeValues unused in expressions: keys: {{{values}}}");
            return Err(invalid(message));
        }
        Ok(())
    }
}

/// Kinds of mistake, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mistake {
    Parentheses,
    UnknownFunction,
    MisusedFunction,
    Reserved,
    Section,
    /// In the n-th simple condition of a condition; in an update all are in one.
    In(u32, Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Placeholder,
    Overlap,
    OperandCount,
    Distinct,
    OperandType,
}

struct Parser<'p, 'a> {
    placeholders: &'p mut Placeholders<'a>,
    purpose: Purpose,
    text: &'p str,
    tokens: Vec<Token>,
    next: usize,
    nesting: u32,
    operators: u32,
    /// Simple conditions read so far.
    conditions: u32,
    mistakes: BTreeMap<Mistake, String>,
}

impl<'p, 'a> Parser<'p, 'a> {
    fn new(placeholders: &'p mut Placeholders<'a>, purpose: Purpose, text: &'p str) -> Fallible<Parser<'p, 'a>> {
        let parser = Parser {
            placeholders,
            purpose,
            text,
            tokens: if text.len() > MAX_EXPRESSION {
                Vec::new()
            } else {
                tokens(text)
            },
            next: 0,
            nesting: 0,
            operators: 0,
            conditions: 0,
            mistakes: BTreeMap::new(),
        };
        if text.len() > MAX_EXPRESSION {
            let size = text.len();
            let message = format!("Expression size has exceeded the maximum allowed size; expression size: {size}");
            return Err(parser.refusal(&message));
        }
        if text.trim().is_empty() {
            return Err(parser.refusal("The expression can not be empty;"));
        }
        Ok(parser)
    }

    fn finish<T>(self, tree: T) -> Fallible<T> {
        match self.mistakes.first_key_value() {
            Some((_, message)) => Err(self.refusal(message)),
            None => Ok(tree),
        }
    }

    fn refusal(&self, message: &str) -> Box<Failure> {
        invalid(format!("Invalid {}: {message}", self.purpose.name()))
    }

    fn mistake(&mut self, mistake: Mistake, message: impl FnOnce() -> String) {
        self.mistakes.entry(mistake).or_insert_with(message);
    }

    fn fault(&mut self, fault: Fault, message: impl FnOnce() -> String) {
        self.mistake(Mistake::In(self.conditions, fault), message);
    }

    fn peek(&self) -> TokenKind {
        self.tokens.get(self.next).map_or(TokenKind::End, |token| token.kind)
    }

    fn slice(&self, index: usize) -> &'p str {
        let range = self.tokens.get(index).map_or(0..0, |token| token.at.clone());
        &self.text[range]
    }

    fn take(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == TokenKind::Symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Fallible<()> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    fn expect_end(&self) -> Fallible<()> {
        if self.peek() == TokenKind::End {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek() == TokenKind::Word && self.slice(self.next).eq_ignore_ascii_case(word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    /// At the next token, shown between its neighbours.
    fn syntax_error(&self) -> Box<Failure> {
        let token = match self.peek() {
            TokenKind::End => "<EOF>",
            _ => self.slice(self.next),
        };
        let place = |index: usize| self.tokens.get(index).map(|token| token.at.clone());
        let from = place(self.next.saturating_sub(1)).map_or(0, |at| at.start);
        let to = place(self.next + 1)
            .or_else(|| place(self.next))
            .map_or(from, |at| at.end);
        let near = self.text.get(from..to).unwrap_or_default();
        self.refusal(&format!("Syntax error; token: \"{token}\", near: \"{near}\""))
    }

    fn operator(&mut self) -> Fallible<()> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            let message = format!(
                "The expression contains too many operators and functions; maximum: {MAX_OPERATORS}, found: {}",
                self.operators
            );
            return Err(self.refusal(&message));
        }
        Ok(())
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Fallible<T>) -> Fallible<T> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let message = format!("The expression is nested too deeply; maximum: {MAX_NESTING}");
            return Err(self.refusal(&message));
        }
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// Does a function's call stand here?
    fn at_call(&self) -> bool {
        let after = self.tokens.get(self.next + 1).map(|token| token.kind);
        self.peek() == TokenKind::Word && after == Some(TokenKind::Symbol("("))
    }

    fn path(&mut self) -> Fallible<Path> {
        let attribute = self.path_name()?;
        let mut steps = Vec::new();
        loop {
            if self.take(".") {
                steps.push(PathStep::Field(self.path_name()?));
            } else if self.take("[") {
                if self.peek() != TokenKind::Index {
                    return Err(self.syntax_error());
                }
                let digits = self.slice(self.next);
                let Ok(index) = digits.parse() else {
                    let message = format!("List index is not within the allowable range; index: [{digits}]");
                    return Err(self.refusal(&message));
                };
                steps.push(PathStep::Element(index));
                self.next += 1;
                self.expect("]")?;
            } else {
                return Ok(Path { attribute, steps });
            }
        }
    }

    fn path_name(&mut self) -> Fallible<Arc<str>> {
        let text = self.slice(self.next);
        match self.peek() {
            TokenKind::Word if !text.starts_with('_') && !self.is_keyword(text) => {
                if is_reserved(text) {
                    self.mistake(Mistake::Reserved, || {
                        format!("Attribute name is a reserved keyword; reserved keyword: {text}")
                    });
                }
                self.next += 1;
                Ok(text.into())
            }
            TokenKind::Name => {
                self.next += 1;
                let names = self.placeholders.names;
                let Some((placeholder, name)) = names.get_key_value(text) else {
                    self.fault(Fault::Placeholder, || {
                        format!(
                            "An expression attribute name used in the document path is not defined; attribute name: {text}"
                        )
                    });
                    return Ok(text.into());
                };
                self.placeholders.used_names.insert(placeholder);
                Ok(name.clone())
            }
            _ => Err(self.syntax_error()),
        }
    }

    fn is_keyword(&self, word: &str) -> bool {
        let keywords: &[&str] = match self.purpose {
            Purpose::Update => &["SET", "REMOVE", "ADD", "DELETE"],
            Purpose::Projection => &[],
            _ => &["BETWEEN", "IN", "AND", "OR", "NOT"],
        };
        keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
    }

    /// What a value's placeholder stands for.
    fn value(&mut self) -> Fallible<AttributeValue> {
        if self.peek() != TokenKind::Value {
            return Err(self.syntax_error());
        }
        let text = self.slice(self.next);
        self.next += 1;
        let values = self.placeholders.values;
        let Some((placeholder, value)) = values.get_key_value(text) else {
            self.fault(Fault::Placeholder, || {
                format!("An expression attribute value used in expression is not defined; attribute value: {text}")
            });
            return Ok(AttributeValue::Null);
        };
        self.placeholders.used_values.insert(placeholder);
        Ok(value.clone())
    }

    fn add_path(&mut self, paths: &mut PathTree, path: &Path) {
        if let Err(clash) = paths.insert(path) {
            let what = if clash.overlap { "overlap" } else { "conflict" };
            self.fault(Fault::Overlap, || {
                format!(
                    "Two document paths {what} with each other; must remove or rewrite one of these paths; \
                     path one: {}, path two: {path}",
                    clash.one
                )
            });
        }
    }

    fn wrong_type(&mut self, what: &str, value: &AttributeValue) {
        self.fault(Fault::OperandType, || {
            format!(
                "Incorrect operand type for operator or function; operator or function: {what}, operand type: {}",
                value.type_name()
            )
        });
    }

    fn wrong_count(&mut self, what: &str, count: usize) {
        self.fault(Fault::OperandCount, || {
            format!(
                "Incorrect number of operands for operator or function; operator or function: {what}, \
                 number of operands: {count}"
            )
        });
    }

    fn needs_path(&mut self, what: &str) {
        self.fault(Fault::OperandType, || {
            format!("Operator or function requires a document path; operator or function: {what}")
        });
    }
}
