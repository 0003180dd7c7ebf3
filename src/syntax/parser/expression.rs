//! Expressions: precedence climbing over PostgreSQL's table (gram.y), loosest first.

use super::query::QueryOrExpr;
use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{BinaryOperator, Expr, ExprKind, Span, SyntaxError, UnaryOperator};

/// How tightly an operator binds; a higher one is applied first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precedence {
    Lowest,
    Or,
    And,
    Not,
    /// IS, ISNULL, NOTNULL
    Is,
    Comparison,
    /// BETWEEN, IN, LIKE
    Like,
    /// Every operator that has no level of its own: `||`, `->`.
    Other,
    Add,
    Multiply,
    Power,
    Sign,
    Cast,
}

impl Precedence {
    pub(crate) fn of(operator: BinaryOperator) -> Precedence {
        use BinaryOperator as B;
        match operator {
            B::Or => Precedence::Or,
            B::And => Precedence::And,
            B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => {
                Precedence::Comparison
            }
            B::Concat | B::JsonGet | B::JsonGetText | B::JsonGetPath | B::JsonGetPathText | B::HasKey => {
                Precedence::Other
            }
            B::Contains | B::ContainedBy | B::Overlaps | B::LeftOf | B::RightOf | B::Adjacent => Precedence::Other,
            B::Add | B::Subtract => Precedence::Add,
            B::Multiply | B::Divide | B::Modulo => Precedence::Multiply,
            B::Power => Precedence::Power,
        }
    }

    /// Chains of these need parentheses: `a < b < c` is a syntax error.
    pub(crate) fn is_nonassociative(self) -> bool {
        matches!(self, Precedence::Is | Precedence::Comparison | Precedence::Like)
    }

    pub(crate) fn next(self) -> Precedence {
        use Precedence as P;
        match self {
            P::Lowest => P::Or,
            P::Or => P::And,
            P::And => P::Not,
            P::Not => P::Is,
            P::Is => P::Comparison,
            P::Comparison => P::Like,
            P::Like => P::Other,
            P::Other => P::Add,
            P::Add => P::Multiply,
            P::Multiply => P::Power,
            P::Power => P::Sign,
            P::Sign | P::Cast => P::Cast,
        }
    }
}

/// Where an expression stands: `Restricted` (gram.y's `b_expr`) is the lower end of BETWEEN and a
/// column's DEFAULT, where AND, NOT, IN, LIKE and IS NULL would be ambiguous.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    Full,
    Restricted,
}

/// What stands after a complete operand.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOperator),
    Is,
    IsNull {
        negated: bool,
    },
    Between,
    In,
    Like {
        case_insensitive: bool,
    },
    Cast,
    /// An operator or construct that PostgreSQL knows and we refuse.
    Refused(&'static str),
    UnknownOperator,
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.operand(Precedence::Lowest, Grammar::Full)
    }

    pub(super) fn restricted_expr(&mut self) -> Result<Expr> {
        self.operand(Precedence::Lowest, Grammar::Restricted)
    }

    /// An operand whose operators bind at least as tightly as `least`.
    fn operand(&mut self, least: Precedence, grammar: Grammar) -> Result<Expr> {
        self.nest(|parser| {
            let left = parser.prefixed(grammar)?;
            parser.operators(left, least, grammar)
        })
    }

    /// Goes on behind an operand that is already parsed (a parenthesised query).
    pub(super) fn expr_after(&mut self, left: Expr) -> Result<Expr> {
        self.operators(left, Precedence::Lowest, Grammar::Full)
    }

    fn operators(&mut self, mut left: Expr, least: Precedence, grammar: Grammar) -> Result<Expr> {
        // The level of the infix operator that `left` ends with, for those that do not chain.
        let mut chained = None;
        while let Some((infix, negated)) = self.infix(grammar) {
            let precedence = infix.precedence();
            if precedence < least {
                break;
            }
            if precedence.is_nonassociative() && chained == Some(precedence) {
                return Err(self.unexpected());
            }
            left = self.apply(left, infix, negated, grammar)?;
            self.grow(1)?;
            chained = infix.ends_in_operand(&left).then_some(precedence);
        }
        Ok(left)
    }

    /// What operator is next, and whether NOT stands in front of it.
    fn infix(&self, grammar: Grammar) -> Option<(Infix, bool)> {
        let infix = match self.kind() {
            TokenKind::Operator => match self.operator()? {
                // Named notation and such: no operators.
                "=>" => return None,
                symbol => binary_operator(symbol).map_or(Infix::UnknownOperator, Infix::Binary),
            },
            TokenKind::Cast => Infix::Cast,
            TokenKind::Symbol('[') => Infix::Refused("array subscript"),
            TokenKind::Word(word) => match &**word {
                "is" => Infix::Is,
                "collate" => Infix::Refused("COLLATE"),
                "at" if self.word_at(1) == Some("time") => Infix::Refused("AT TIME ZONE"),
                "operator" if *self.kind_at(1) == TokenKind::Symbol('(') => Infix::Refused("OPERATOR()"),
                _ if grammar == Grammar::Restricted => return None,
                "not" => return keyword_infix(self.word_at(1)?).map(|infix| (infix, true)),
                word => return self.full_infix(word).map(|infix| (infix, false)),
            },
            _ => return None,
        };
        Some((infix, false))
    }

    fn full_infix(&self, word: &str) -> Option<Infix> {
        match word {
            "or" => Some(Infix::Binary(BinaryOperator::Or)),
            "and" => Some(Infix::Binary(BinaryOperator::And)),
            "isnull" => Some(Infix::IsNull { negated: false }),
            "notnull" => Some(Infix::IsNull { negated: true }),
            "overlaps" => Some(Infix::Refused("OVERLAPS")),
            word => keyword_infix(word),
        }
    }

    fn apply(&mut self, left: Expr, infix: Infix, negated: bool, grammar: Grammar) -> Result<Expr> {
        let (start, place) = (left.span, self.span());
        if negated {
            self.advance();
        }
        let kind = match infix {
            Infix::Binary(operator) => return self.binary(left, operator, grammar),
            Infix::Is => self.is_test(left, grammar)?,
            Infix::IsNull { negated } => {
                self.advance();
                let operand = Box::new(left);
                ExprKind::IsNull { operand, negated }
            }
            Infix::Between => self.between(left, negated)?,
            Infix::In => self.in_list(left, negated)?,
            Infix::Like { case_insensitive } => self.like(left, case_insensitive, negated)?,
            Infix::Cast => {
                self.advance();
                let data_type = self.data_type()?;
                let operand = Box::new(left);
                ExprKind::Cast { operand, data_type }
            }
            Infix::Refused(construct) => return Err(self.unsupported(construct)),
            Infix::UnknownOperator => return Err(self.unknown_operator()),
        };
        Ok(Expr::new(kind, self.since(start)).pointing(place))
    }

    fn unknown_operator(&self) -> SyntaxError {
        self.unsupported(&format!("operator {}", self.operator().unwrap_or_default()))
    }

    fn binary(&mut self, left: Expr, operator: BinaryOperator, grammar: Grammar) -> Result<Expr> {
        let place = self.span();
        self.advance();
        if self.at_any(&["any", "some", "all"]) && *self.kind_at(1) == TokenKind::Symbol('(') {
            return Ok(self.quantified(left, operator)?.pointing(place));
        }
        let tighter = Precedence::of(operator).next();
        let right = self.operand(tighter, grammar)?;
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            let mut terms = vec![left, right];
            while self.eat(if operator == BinaryOperator::And { "and" } else { "or" }) {
                terms.push(self.operand(tighter, grammar)?);
            }
            self.grow(chain_height(terms.len()))?;
            return Ok(chain(operator, terms));
        }
        Ok(join(left, operator, right).pointing(place))
    }

    /// `left op ANY (…)`, the cursor at ANY.
    fn quantified(&mut self, left: Expr, operator: BinaryOperator) -> Result<Expr> {
        self.refuse("all", "ALL (…)")?;
        self.advance();
        let start = left.span;
        let open = self.span();
        self.expect_symbol('(')?;
        let mut right = match self.query_or_expr()? {
            QueryOrExpr::Query(query) => Expr::new(ExprKind::Subquery(query), open),
            QueryOrExpr::Expr(expr) => expr,
        };
        self.expect_symbol(')')?;
        right.span = self.since(open);
        Ok(Expr::new(
            ExprKind::Any {
                left: Box::new(left),
                operator,
                right: Box::new(right),
            },
            self.since(start),
        ))
    }

    /// IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM …
    fn is_test(&mut self, left: Expr, grammar: Grammar) -> Result<ExprKind> {
        self.expect("is")?;
        let negated = self.eat("not");
        let operand = Box::new(left);
        if self.eat_words(&["distinct", "from"]) {
            return Ok(ExprKind::IsDistinct {
                left: operand,
                right: Box::new(self.operand(Precedence::Is.next(), grammar)?),
                negated,
            });
        }
        if self.at_any(&["document", "normalized", "nfc", "nfd", "nfkc", "nfkd"]) {
            return Err(self.unsupported("IS DOCUMENT or IS NORMALIZED"));
        }
        if grammar == Grammar::Restricted {
            return Err(self.unexpected());
        }
        let value = match self.word() {
            Some("null") => {
                self.advance();
                return Ok(ExprKind::IsNull { operand, negated });
            }
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some("unknown") => None,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(ExprKind::IsBool {
            operand,
            value,
            negated,
        })
    }

    fn between(&mut self, left: Expr, negated: bool) -> Result<ExprKind> {
        self.expect("between")?;
        self.refuse("symmetric", "BETWEEN SYMMETRIC")?;
        self.eat("asymmetric");
        let low = Box::new(self.restricted_expr()?);
        self.expect("and")?;
        let high = Box::new(self.operand(Precedence::Like.next(), Grammar::Full)?);
        Ok(ExprKind::Between {
            operand: Box::new(left),
            low,
            high,
            negated,
        })
    }

    fn in_list(&mut self, left: Expr, negated: bool) -> Result<ExprKind> {
        self.expect("in")?;
        let operand = Box::new(left);
        self.expect_symbol('(')?;
        let mut list = match self.query_or_expr()? {
            QueryOrExpr::Query(query) => {
                self.expect_symbol(')')?;
                return Ok(ExprKind::InQuery {
                    operand,
                    query,
                    negated,
                });
            }
            QueryOrExpr::Expr(first) => vec![first],
        };
        while self.eat_symbol(',') {
            list.push(self.expr()?);
        }
        self.expect_symbol(')')?;
        Ok(ExprKind::In { operand, list, negated })
    }

    fn like(&mut self, left: Expr, case_insensitive: bool, negated: bool) -> Result<ExprKind> {
        self.advance();
        if self.at_any(&["any", "some", "all"]) {
            return Err(self.unsupported("LIKE ANY"));
        }
        let pattern = Box::new(self.operand(Precedence::Like.next(), Grammar::Full)?);
        self.refuse("escape", "LIKE … ESCAPE")?;
        Ok(ExprKind::Like {
            operand: Box::new(left),
            pattern,
            case_insensitive,
            negated,
        })
    }

    /// Signs, NOT, or a primary.
    fn prefixed(&mut self, grammar: Grammar) -> Result<Expr> {
        let start = self.span();
        let (operator, binds) = match (self.kind(), self.operator()) {
            (_, Some("-")) => (UnaryOperator::Minus, Precedence::Sign),
            (_, Some("+")) => (UnaryOperator::Plus, Precedence::Sign),
            (_, Some("*" | "/" | "%" | "^" | "<" | ">" | "=" | "<=" | ">=" | "<>" | "!=" | "=>")) => {
                return Err(self.unexpected());
            }
            (_, Some(_)) => return Err(self.unknown_operator()),
            (TokenKind::Word(word), _) if &**word == "not" && grammar == Grammar::Full => {
                (UnaryOperator::Not, Precedence::Not)
            }
            _ => return self.primary(),
        };
        self.advance();
        let operand = Box::new(self.operand(binds, grammar)?);
        Ok(Expr::new(ExprKind::Unary { operator, operand }, self.since(start)))
    }
}

impl Infix {
    fn precedence(self) -> Precedence {
        match self {
            Infix::Binary(operator) => Precedence::of(operator),
            Infix::Is | Infix::IsNull { .. } => Precedence::Is,
            Infix::Between | Infix::In | Infix::Like { .. } => Precedence::Like,
            Infix::UnknownOperator | Infix::Refused(_) => Precedence::Other,
            Infix::Cast => Precedence::Cast,
        }
    }

    /// Whether an operator of the same level may not follow.
    fn ends_in_operand(self, result: &Expr) -> bool {
        match self {
            Infix::Binary(_) => !matches!(result.kind, ExprKind::Any { .. }),
            Infix::Between | Infix::Like { .. } => true,
            Infix::Is => matches!(result.kind, ExprKind::IsDistinct { .. }),
            _ => false,
        }
    }
}

fn keyword_infix(word: &str) -> Option<Infix> {
    Some(match word {
        "between" => Infix::Between,
        "in" => Infix::In,
        "like" => Infix::Like {
            case_insensitive: false,
        },
        "ilike" => Infix::Like { case_insensitive: true },
        "similar" => Infix::Refused("SIMILAR TO"),
        _ => return None,
    })
}

fn binary_operator(symbol: &str) -> Option<BinaryOperator> {
    Some(match symbol {
        "=" => BinaryOperator::Equal,
        "<>" | "!=" => BinaryOperator::NotEqual,
        "<" => BinaryOperator::Less,
        "<=" => BinaryOperator::LessOrEqual,
        ">" => BinaryOperator::Greater,
        ">=" => BinaryOperator::GreaterOrEqual,
        "+" => BinaryOperator::Add,
        "-" => BinaryOperator::Subtract,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "^" => BinaryOperator::Power,
        "||" => BinaryOperator::Concat,
        "->" => BinaryOperator::JsonGet,
        "->>" => BinaryOperator::JsonGetText,
        "#>" => BinaryOperator::JsonGetPath,
        "#>>" => BinaryOperator::JsonGetPathText,
        "?" => BinaryOperator::HasKey,
        "@>" => BinaryOperator::Contains,
        "<@" => BinaryOperator::ContainedBy,
        "&&" => BinaryOperator::Overlaps,
        "<<" => BinaryOperator::LeftOf,
        ">>" => BinaryOperator::RightOf,
        "-|-" => BinaryOperator::Adjacent,
        _ => return None,
    })
}

fn join(left: Expr, operator: BinaryOperator, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr::new(
        ExprKind::Binary {
            operator,
            left: Box::new(left),
            right: Box::new(right),
        },
        span,
    )
}

/// A chain of AND or OR this long leans left, as written; a longer one becomes a balanced tree of
/// chains of half that length, which has the same value and order of evaluation and stays low.
const LEANING: usize = 32;

fn chain(operator: BinaryOperator, terms: Vec<Expr>) -> Expr {
    if terms.len() <= LEANING {
        return lean(operator, terms);
    }
    balance(operator, terms)
}

fn balance(operator: BinaryOperator, mut terms: Vec<Expr>) -> Expr {
    if terms.len() <= LEANING / 2 {
        return lean(operator, terms);
    }
    let second = terms.split_off(terms.len() / 2);
    let left = balance(operator, terms);
    join(left, operator, balance(operator, second))
}

fn lean(operator: BinaryOperator, terms: Vec<Expr>) -> Expr {
    let mut terms = terms.into_iter();
    let first = terms
        .next()
        .unwrap_or_else(|| Expr::new(ExprKind::Null, Span::default()));
    terms.fold(first, |left, right| join(left, operator, right))
}

/// By how much `chain` raises its tallest term.
fn chain_height(terms: usize) -> u32 {
    if terms <= LEANING {
        terms as u32
    } else {
        LEANING as u32 / 2 + (terms / (LEANING / 2)).ilog2() + 2
    }
}
