//! Conditions, key conditions and filters.

use super::{Fault, Mistake, Parser};
use crate::expression::condition::order;
use crate::expression::token::TokenKind;
use crate::expression::tree::{Comparison, Condition, Operand};
use crate::failure::Fallible;
use crate::value::AttributeValue;

const MAX_IN: usize = 100;

/// What stands in parentheses may be an operand or a condition; where only one of them can stand is known later.
enum Node {
    Operand(Operand),
    Condition {
        condition: Condition,
        /// A function other than `size`.
        function: bool,
    },
}

/// A node, and whether it stood in parentheses.
type Grouped = (Node, bool);

impl Parser<'_, '_> {
    pub(super) fn whole_condition(&mut self) -> Fallible<Condition> {
        let (node, _) = self.any()?;
        let condition = self.condition_of(node)?;
        self.expect_end()?;
        Ok(condition)
    }

    fn any(&mut self) -> Fallible<Grouped> {
        self.chain("OR", Condition::Or, |parser| {
            parser.chain("AND", Condition::And, Self::negation)
        })
    }

    /// Parts with a word between them; one part alone is itself.
    fn chain(
        &mut self,
        word: &str,
        join: fn(Vec<Condition>) -> Condition,
        part: impl Fn(&mut Self) -> Fallible<Grouped>,
    ) -> Fallible<Grouped> {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![self.condition_of(first.0)?];
        while self.take_word(word) {
            self.operator()?;
            let (node, _) = part(self)?;
            parts.push(self.condition_of(node)?);
        }
        Ok((plain(join(parts)), false))
    }

    fn negation(&mut self) -> Fallible<Grouped> {
        if !self.take_word("NOT") {
            return self.comparison();
        }
        self.operator()?;
        let (node, _) = self.comparison()?;
        let condition = self.condition_of(node)?;
        Ok((plain(Condition::Not(Box::new(condition))), false))
    }

    /// A bare operand is no condition.
    fn condition_of(&mut self, node: Node) -> Fallible<Condition> {
        match node {
            Node::Condition { condition, .. } => Ok(condition),
            Node::Operand(Operand::Size(_)) => {
                self.misused("size");
                Ok(Condition::And(Vec::new()))
            }
            Node::Operand(_) => Err(self.syntax_error()),
        }
    }

    fn operand_of(&mut self, node: Node) -> Fallible<Operand> {
        match node {
            Node::Operand(operand) => Ok(operand),
            Node::Condition {
                condition,
                function: true,
            } => {
                self.misused(condition.name());
                Ok(Operand::Value(AttributeValue::Null))
            }
            Node::Condition { .. } => Err(self.syntax_error()),
        }
    }

    fn misused(&mut self, function: &str) {
        self.mistake(Mistake::MisusedFunction, || {
            format!("The function is not allowed to be used this way in an expression; function: {function}")
        });
    }

    fn operand(&mut self) -> Fallible<Operand> {
        let (node, _) = self.primary()?;
        self.operand_of(node)
    }

    fn comparison(&mut self) -> Fallible<Grouped> {
        let (left, grouped) = self.primary()?;
        let comparison = match self.peek() {
            TokenKind::Symbol(symbol) => Comparison::of(symbol),
            _ => None,
        };
        let condition = if let Some(comparison) = comparison {
            self.next += 1;
            let left = self.operand_of(left)?;
            let right = self.operand()?;
            self.compare(comparison, left, right)
        } else if self.take_word("BETWEEN") {
            let operand = self.operand_of(left)?;
            let low = self.operand()?;
            if !self.take_word("AND") {
                return Err(self.syntax_error());
            }
            let high = self.operand()?;
            self.between(operand, low, high)
        } else if self.take_word("IN") {
            let operand = self.operand_of(left)?;
            let list = self.arguments()?;
            if list.len() > MAX_IN {
                let count = list.len();
                self.fault(Fault::OperandCount, || {
                    format!("The IN operator is provided with too many operands; number of operands: {count}")
                });
            }
            Condition::In(operand, list)
        } else {
            return Ok((left, grouped));
        };
        self.operator()?;
        self.conditions += 1;
        Ok((plain(condition), false))
    }

    fn compare(&mut self, comparison: Comparison, left: Operand, right: Operand) -> Condition {
        self.check_distinct(comparison.symbol(), &left, &right);
        Condition::Compare(comparison, left, right)
    }

    fn between(&mut self, operand: Operand, low: Operand, high: Operand) -> Condition {
        if let (Operand::Value(low), Operand::Value(high)) = (&low, &high) {
            let bounds = || {
                format!(
                    "lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}",
                    bound(low),
                    bound(high)
                )
            };
            if low.type_name() != high.type_name() {
                self.fault(Fault::OperandType, || {
                    format!(
                        "The BETWEEN operator requires same data type for lower and upper bounds; {}",
                        bounds()
                    )
                });
            } else if order(low, high).is_some_and(std::cmp::Ordering::is_gt) {
                self.fault(Fault::OperandType, || {
                    format!(
                        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {}",
                        bounds()
                    )
                });
            }
        }
        Condition::Between(operand, low, high)
    }

    fn check_distinct(&mut self, what: &str, left: &Operand, right: &Operand) {
        if let (Operand::Path(left), Operand::Path(right)) = (left, right)
            && left == right
        {
            self.fault(Fault::Distinct, || {
                format!(
                    "The first operand must be distinct from the remaining operands for this operator or function; \
                     operator: {what}, first operand: {left}"
                )
            });
        }
    }

    fn primary(&mut self) -> Fallible<Grouped> {
        if self.take("(") {
            let (node, grouped) = self.nested(Self::any)?;
            self.expect(")")?;
            if grouped {
                self.mistake(Mistake::Parentheses, || {
                    "The expression has redundant parentheses;".to_owned()
                });
            }
            return Ok((node, true));
        }
        if self.at_call() && !self.is_keyword(self.slice(self.next)) {
            return Ok((self.call()?, false));
        }
        let operand = if self.peek() == TokenKind::Value {
            Operand::Value(self.value()?)
        } else {
            Operand::Path(self.path()?)
        };
        Ok((Node::Operand(operand), false))
    }

    fn arguments(&mut self) -> Fallible<Vec<Operand>> {
        self.expect("(")?;
        let mut arguments = vec![self.nested(Self::operand)?];
        while self.take(",") {
            arguments.push(self.nested(Self::operand)?);
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn call(&mut self) -> Fallible<Node> {
        let name = self.slice(self.next);
        self.next += 1;
        let arguments = self.arguments()?;
        self.operator()?;
        let node = match name {
            "size" => self.size(arguments),
            _ => Node::Condition {
                condition: self.function(name, arguments),
                function: true,
            },
        };
        if name != "size" {
            self.conditions += 1;
        }
        Ok(node)
    }

    fn size(&mut self, arguments: Vec<Operand>) -> Node {
        Node::Operand(match <[Operand; 1]>::try_from(arguments) {
            Ok([Operand::Path(path)]) => Operand::Size(path),
            Ok([Operand::Value(value)]) if value.length().is_none() => {
                self.wrong_type("size", &value);
                Operand::Value(value)
            }
            Ok([Operand::Value(value)]) => {
                let length = value.length().and_then(|length| i64::try_from(length).ok());
                Operand::Value(AttributeValue::number(length.unwrap_or(i64::MAX)))
            }
            Ok([operand @ Operand::Size(_)]) => {
                self.wrong_type("size", &AttributeValue::number(0));
                operand
            }
            Err(arguments) => {
                self.wrong_count("size", arguments.len());
                Operand::Value(AttributeValue::Null)
            }
        })
    }

    /// A function that is a condition. If anything is wrong with it, whatever condition will do.
    fn function(&mut self, name: &str, arguments: Vec<Operand>) -> Condition {
        let wrong = || Condition::And(Vec::new());
        let expected = match name {
            "attribute_exists" | "attribute_not_exists" => 1,
            "attribute_type" | "begins_with" | "contains" => 2,
            _ => {
                self.mistake(Mistake::UnknownFunction, || {
                    format!("Invalid function name; function: {name}")
                });
                return wrong();
            }
        };
        if arguments.len() != expected {
            self.wrong_count(name, arguments.len());
            return wrong();
        }
        let mut arguments = arguments.into_iter();
        match (name, arguments.next(), arguments.next()) {
            ("attribute_exists", Some(Operand::Path(path)), None) => Condition::Exists(path),
            ("attribute_not_exists", Some(Operand::Path(path)), None) => Condition::NotExists(path),
            ("attribute_exists" | "attribute_not_exists", ..) => {
                self.needs_path(name);
                wrong()
            }
            (_, Some(first), Some(second)) => {
                self.check_distinct(name, &first, &second);
                self.binary_function(name, first, second)
            }
            _ => wrong(),
        }
    }

    fn binary_function(&mut self, name: &str, first: Operand, second: Operand) -> Condition {
        match name {
            "begins_with" => {
                for operand in [&first, &second] {
                    match operand {
                        Operand::Value(AttributeValue::S(_) | AttributeValue::B(_)) | Operand::Path(_) => {}
                        Operand::Value(value) => self.wrong_type(name, value),
                        Operand::Size(_) => self.wrong_type(name, &AttributeValue::number(0)),
                    }
                }
                Condition::BeginsWith(first, second)
            }
            "attribute_type" => {
                match &second {
                    Operand::Value(AttributeValue::S(kind)) if !TYPE_NAMES.contains(&&**kind) => {
                        self.fault(Fault::OperandType, || {
                            format!(
                                "Invalid attribute type name found; type: {kind}, valid types: \
                                 {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
                            )
                        });
                    }
                    Operand::Value(AttributeValue::S(_)) => {}
                    Operand::Value(value) => self.wrong_type(name, value),
                    Operand::Size(_) => self.wrong_type(name, &AttributeValue::number(0)),
                    Operand::Path(_) => self.fault(Fault::OperandType, || {
                        "Incorrect operand type for operator or function; operator or function: attribute_type, \
                         operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
                            .to_owned()
                    }),
                }
                match first {
                    Operand::Path(path) => Condition::HasType(path, second),
                    _ => {
                        self.needs_path(name);
                        Condition::And(Vec::new())
                    }
                }
            }
            _ => Condition::Contains(first, second),
        }
    }
}

const TYPE_NAMES: [&str; 10] = ["S", "N", "B", "NULL", "SS", "BOOL", "L", "BS", "NS", "M"];

fn plain(condition: Condition) -> Node {
    Node::Condition {
        condition,
        function: false,
    }
}

/// As messages show a value: `{S:a}`.
fn bound(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("{{S:{text}}}"),
        AttributeValue::N(number) => format!("{{N:{number}}}"),
        other => format!("{{{}}}", other.type_name()),
    }
}
