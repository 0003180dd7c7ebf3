//! Expressions: from names and literals to typed trees.

use base::decimal::MOST_DIGITS;
use base::{Float, Type, Value};
use syntax::{BinaryOperator, DataType, DataTypeKind, Expr, ExprKind, Query, Span, UnaryOperator};

use super::Binder;
use super::coerce::{fitted, not_unique, operator_missing};
use super::json::json_first;
use crate::catalog::Modifier;
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::function::Arithmetic;
use crate::expr::{Bound, BoundKind, Comparison, Function, RangeFunction, SubqueryKind, SubqueryUse};
use crate::types::{CastContext, SqlType, can_cast, input};

impl Binder<'_> {
    pub(crate) fn expression(&mut self, expression: &Expr) -> Fallible<Bound> {
        let bound = self.placed(expression, expression.place)?;
        Ok(Bound {
            span: expression.span,
            ..bound
        })
    }

    /// `span`: what messages point at.
    fn placed(&mut self, expression: &Expr, span: Span) -> Fallible<Bound> {
        match &expression.kind {
            ExprKind::Null => Ok(literal(Value::Null, SqlType::Unknown, span)),
            ExprKind::Bool(truth) => Ok(literal(Value::Bool(*truth), SqlType::BOOL, span)),
            ExprKind::Number(digits) => number(digits, span),
            ExprKind::String(text) => Ok(literal(Value::Text(text.clone()), SqlType::Unknown, span)),
            ExprKind::Parameter(number) => self.parameter(*number, span),
            ExprKind::Variable(name) => {
                Err(unsupported(format!("the variable :{} outside of a scenario", name.text)).at(span))
            }
            ExprKind::Column(names) => self.column(names, span),
            ExprKind::Default => Err(error(state::SYNTAX_ERROR, "DEFAULT is not allowed in this context").at(span)),
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand, span),
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right, span),
            ExprKind::IsNull { operand, negated } => {
                let operand = self.expression(operand)?;
                let operand = self.settle(operand)?;
                if operand.data_type == SqlType::RECORD {
                    let function = Function::RecordIsNull { negated: *negated };
                    return Ok(boolean(BoundKind::Call(function, vec![operand]), span));
                }
                Ok(negate_if(*negated, boolean(BoundKind::IsNull(Box::new(operand)), span)))
            }
            ExprKind::IsBool {
                operand,
                value,
                negated,
            } => {
                let clause = match value {
                    Some(true) => "IS TRUE",
                    Some(false) => "IS FALSE",
                    None => "IS UNKNOWN",
                };
                let operand = self.expression(operand)?;
                let operand = self.condition(operand, clause)?;
                Ok(negate_if(
                    *negated,
                    boolean(BoundKind::IsBool(Box::new(operand), *value), span),
                ))
            }
            ExprKind::IsDistinct { left, right, negated } => {
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                let (left, right) = self.comparable("=", left, right, span)?;
                let distinct = boolean(BoundKind::IsDistinct(Box::new(left), Box::new(right)), span);
                Ok(negate_if(*negated, distinct))
            }
            ExprKind::Between {
                operand,
                low,
                high,
                negated,
            } => self.between(operand, low, high, *negated, span),
            ExprKind::In { operand, list, negated } => self.in_list(operand, list, *negated, span),
            ExprKind::InQuery {
                operand,
                query,
                negated,
            } => {
                let operand = self.expression(operand)?;
                let found = self.any_query(Comparison::Equal, operand, query, span)?;
                Ok(negate_if(*negated, found))
            }
            ExprKind::Any { left, operator, right } => self.any(left, *operator, right, span),
            ExprKind::Like {
                operand,
                pattern,
                case_insensitive,
                negated,
            } => {
                let symbol = if *case_insensitive { "~~*" } else { "~~" };
                let (operand, pattern) = (self.expression(operand)?, self.expression(pattern)?);
                let (operand, pattern) = self.both_text(symbol, operand, pattern, span)?;
                let function = Function::Like {
                    case_insensitive: *case_insensitive,
                };
                let like = boolean(BoundKind::Call(function, vec![operand, pattern]), span);
                Ok(negate_if(*negated, like))
            }
            ExprKind::Exists { query } => {
                let (id, outer, _) = self.subquery(query)?;
                Ok(boolean(
                    BoundKind::Subquery(SubqueryUse {
                        id,
                        kind: SubqueryKind::Exists,
                        outer,
                    }),
                    span,
                ))
            }
            ExprKind::Subquery(query) => self.scalar_subquery(query, span),
            ExprKind::Array(items) => {
                let items = self.expressions(items)?;
                let (items, element) = self.unify(items, "ARRAY")?;
                Ok(Bound::new(BoundKind::Array(items), SqlType::ListOf(element), span))
            }
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref(), span),
            ExprKind::Cast { operand, data_type } => self.cast(operand, data_type, span),
            ExprKind::Function(call) => self.function_call(call, span),
            ExprKind::Row(items) => self.row_value(items, span),
        }
    }

    pub(crate) fn expressions(&mut self, items: &[Expr]) -> Fallible<Vec<Bound>> {
        items.iter().map(|item| self.expression(item)).collect()
    }

    fn parameter(&mut self, number: u32, span: Span) -> Fallible<Bound> {
        if number == 0 || number > 65_535 || self.arguments.lacks(number) {
            return Err(error(state::UNDEFINED_TABLE, format!("there is no parameter ${number}")).at(span));
        }
        let at = number as usize - 1;
        if self.params.len() <= at {
            self.params.resize(at + 1, SqlType::Unknown);
        }
        Ok(Bound::new(BoundKind::Param(number - 1), self.params[at], span))
    }

    /// A parameter that got its type after this node was made.
    fn refresh(&self, mut expression: Bound) -> Bound {
        if let BoundKind::Param(number) = expression.kind {
            expression.data_type = self.params[number as usize];
        }
        expression
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expr, span: Span) -> Fallible<Bound> {
        let operand = self.expression(operand)?;
        if operator == UnaryOperator::Not {
            let operand = self.condition(operand, "NOT")?;
            return Ok(boolean(BoundKind::Not(Box::new(operand)), span));
        }
        let symbol = if operator == UnaryOperator::Minus { "-" } else { "+" };
        let data_type = match operand.data_type {
            SqlType::Is(found @ (Type::Numeric | Type::Float8 | Type::Interval)) => found,
            SqlType::Is(found) if found.is_whole() => found,
            found => {
                return Err(error(
                    state::UNDEFINED_FUNCTION,
                    format!("operator does not exist: {symbol} {found}"),
                )
                .hint("No operator matches the given name and argument type. You might need to add an explicit type cast.")
                .at(span));
            }
        };
        if operator == UnaryOperator::Plus {
            return Ok(operand);
        }
        let found = operand.data_type;
        let folded = match &operand.kind {
            BoundKind::Const(Value::Int2(n)) => n.checked_neg().map(Value::Int2),
            BoundKind::Const(Value::Int4(n)) => n.checked_neg().map(Value::Int4),
            BoundKind::Const(Value::Int8(n)) => n.checked_neg().map(Value::Int8),
            BoundKind::Const(Value::Numeric(number)) => Some(Value::numeric(number.negated())),
            _ => None,
        };
        let kind = match folded {
            Some(value) => BoundKind::Const(value),
            None => BoundKind::Call(Function::Negate(data_type), vec![operand]),
        };
        Ok(Bound::new(kind, found, span))
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, span: Span) -> Fallible<Bound> {
        if let (Some(comparison), ExprKind::Row(left), ExprKind::Row(right)) =
            (comparison(operator), &left.kind, &right.kind)
        {
            return self.row_comparison(comparison, operator.symbol(), left, right, span);
        }
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            return self.logical(operator, left, right, span);
        }
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let left = self.refresh(left);
        if let Some(comparison) = comparison(operator) {
            return self.compare(comparison, operator.symbol(), left, right, span);
        }
        match operator {
            _ if json_first(operator, &left, &right) => self.json_operator(operator, left, right, span),
            BinaryOperator::Add => self.arithmetic(Arithmetic::Add, left, right, span),
            BinaryOperator::Subtract => self.arithmetic(Arithmetic::Subtract, left, right, span),
            BinaryOperator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right, span),
            BinaryOperator::Divide => self.arithmetic(Arithmetic::Divide, left, right, span),
            BinaryOperator::Modulo => self.arithmetic(Arithmetic::Modulo, left, right, span),
            BinaryOperator::Power => Err(unsupported("the operator ^ (double precision)").at(span)),
            BinaryOperator::Concat => self.append(left, right, span),
            BinaryOperator::Contains
            | BinaryOperator::ContainedBy
            | BinaryOperator::Overlaps
            | BinaryOperator::LeftOf
            | BinaryOperator::RightOf
            | BinaryOperator::Adjacent => self.containment(operator, left, right, span),
            other if (left.data_type, right.data_type) == (SqlType::Unknown, SqlType::Unknown) => {
                Err(not_unique(other.symbol(), span))
            }
            other => Err(operator_missing(other.symbol(), left.data_type, right.data_type, span)),
        }
    }

    /// The operators of ranges of days.
    fn containment(&mut self, operator: BinaryOperator, left: Bound, right: Bound, span: Span) -> Fallible<Bound> {
        let (found_left, found_right) = (left.data_type, right.data_type);
        let missing = || operator_missing(operator.symbol(), found_left, found_right, span);
        // A literal is read as what it is compared with.
        let both = match (found_left, found_right) {
            (SqlType::Is(found), SqlType::Unknown) | (SqlType::Unknown, SqlType::Is(found)) => Some(found),
            (SqlType::Is(left), SqlType::Is(right)) if left == right => Some(left),
            _ => None,
        };
        let function = match (operator, both, found_left, found_right) {
            (BinaryOperator::Contains, None, SqlType::DATERANGE, SqlType::Is(Type::Date)) => {
                Function::Range(RangeFunction::ContainsDay)
            }
            (BinaryOperator::ContainedBy, None, SqlType::Is(Type::Date), SqlType::DATERANGE) => {
                let call = Function::Range(RangeFunction::ContainsDay);
                return Ok(boolean(BoundKind::Call(call, vec![right, left]), span));
            }
            (_, Some(Type::Daterange), ..) => Function::Range(RangeFunction::Relate(operator)),
            (_, Some(Type::Int4 | Type::Int8), ..) => {
                return Err(unsupported(format!("the operator {} of integers", operator.symbol())).at(span));
            }
            _ => return Err(missing()),
        };
        let mut sides = Vec::with_capacity(2);
        for side in [left, right] {
            let side = match both {
                Some(both) => self
                    .try_coerce(side, both, CastContext::Implicit)?
                    .ok_or_else(missing)?,
                None => side,
            };
            sides.push(side);
        }
        Ok(boolean(BoundKind::Call(function, sides), span))
    }

    fn logical(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, span: Span) -> Fallible<Bound> {
        let symbol = operator.symbol();
        let mut parts = Vec::new();
        for side in [left, right] {
            let side = self.expression(side)?;
            let side = self.condition(side, symbol)?;
            // A chain of one operator becomes one flat list.
            match (operator, side.kind) {
                (BinaryOperator::And, BoundKind::And(inner)) | (BinaryOperator::Or, BoundKind::Or(inner)) => {
                    parts.extend(inner);
                }
                (_, kind) => parts.push(boolean(kind, side.span)),
            }
        }
        let kind = if operator == BinaryOperator::And {
            BoundKind::And(parts)
        } else {
            BoundKind::Or(parts)
        };
        Ok(boolean(kind, span))
    }

    /// Two sides that can be compared with each other.
    pub(crate) fn comparable(
        &mut self,
        symbol: &str,
        left: Bound,
        right: Bound,
        span: Span,
    ) -> Fallible<(Bound, Bound)> {
        let (found_left, found_right) = (left.data_type, right.data_type);
        match (found_left, found_right) {
            (SqlType::Unknown, SqlType::Unknown) => Ok((self.settle(left)?, self.settle(right)?)),
            (SqlType::Is(a), SqlType::Is(b)) if a == b => Ok((left, right)),
            (SqlType::Is(a), SqlType::Is(b)) if a.is_whole() && b.is_whole() => Ok((left, right)),
            // Numbers with numbers, dates with instants: as the wider of both.
            (SqlType::Is(a), SqlType::Is(b)) if a != Type::Text && b != Type::Text => {
                let to = if can_cast(found_left, b, CastContext::Implicit) {
                    b
                } else {
                    a
                };
                let left = self.try_coerce(left, to, CastContext::Implicit)?;
                let right = self.try_coerce(right, to, CastContext::Implicit)?;
                left.zip(right)
                    .ok_or_else(|| operator_missing(symbol, found_left, found_right, span))
            }
            (SqlType::Unknown, SqlType::Is(known)) => {
                let left = self.try_coerce(left, known, CastContext::Implicit)?;
                left.map(|left| (left, right))
                    .ok_or_else(|| operator_missing(symbol, found_left, found_right, span))
            }
            (SqlType::Is(known), SqlType::Unknown) => {
                let right = self.try_coerce(right, known, CastContext::Implicit)?;
                right
                    .map(|right| (left, right))
                    .ok_or_else(|| operator_missing(symbol, found_left, found_right, span))
            }
            (SqlType::Is(a), SqlType::Is(b)) if can_cast(found_left, b, CastContext::Implicit) => {
                let cast = self.try_coerce(left, b, CastContext::Implicit)?;
                let missing = || operator_missing(symbol, SqlType::Is(a), found_right, span);
                cast.map(|left| (left, right)).ok_or_else(missing)
            }
            (SqlType::Is(a), SqlType::Is(_)) if can_cast(found_right, a, CastContext::Implicit) => {
                let cast = self.try_coerce(right, a, CastContext::Implicit)?;
                let missing = || operator_missing(symbol, found_left, found_right, span);
                cast.map(|right| (left, right)).ok_or_else(missing)
            }
            _ => Err(operator_missing(symbol, found_left, found_right, span)),
        }
    }

    pub(crate) fn compare(
        &mut self,
        comparison: Comparison,
        symbol: &str,
        left: Bound,
        right: Bound,
        span: Span,
    ) -> Fallible<Bound> {
        self.check_records(symbol, &left, &right, span)?;
        let (left, right) = self.comparable(symbol, left, right, span)?;
        Ok(boolean(
            BoundKind::Compare(comparison, Box::new(left), Box::new(right)),
            span,
        ))
    }

    /// `text || anything`, `anything || text`.
    fn append(&mut self, left: Bound, right: Bound, span: Span) -> Fallible<Bound> {
        let textual = |data_type| matches!(data_type, SqlType::TEXT | SqlType::Unknown);
        let (found_left, found_right) = (left.data_type, right.data_type);
        if found_left == SqlType::BYTEA || found_right == SqlType::BYTEA {
            let other = |found| matches!(found, SqlType::BYTEA | SqlType::Unknown);
            if other(found_left) && other(found_right) {
                let left = self.try_coerce(left, Type::Bytea, CastContext::Implicit)?;
                let right = self.try_coerce(right, Type::Bytea, CastContext::Implicit)?;
                let sides = [left, right].into_iter().flatten().collect();
                let call = BoundKind::Call(Function::Append, sides);
                return Ok(Bound::new(call, SqlType::BYTEA, span));
            }
        }
        if !textual(found_left) && !textual(found_right) {
            return Err(operator_missing("||", found_left, found_right, span));
        }
        let left = self.try_coerce(left, Type::Text, CastContext::Assignment)?;
        let right = self.try_coerce(right, Type::Text, CastContext::Assignment)?;
        match (left, right) {
            (Some(left), Some(right)) => Ok(Bound::new(
                BoundKind::Call(Function::Append, vec![left, right]),
                SqlType::TEXT,
                span,
            )),
            _ => Err(operator_missing("||", found_left, found_right, span)),
        }
    }

    fn both_text(&mut self, symbol: &str, left: Bound, right: Bound, span: Span) -> Fallible<(Bound, Bound)> {
        let (found_left, found_right) = (left.data_type, right.data_type);
        let left = self.try_coerce(left, Type::Text, CastContext::Implicit)?;
        let right = self.try_coerce(right, Type::Text, CastContext::Implicit)?;
        left.zip(right)
            .ok_or_else(|| operator_missing(symbol, found_left, found_right, span))
    }

    fn between(&mut self, operand: &Expr, low: &Expr, high: &Expr, negated: bool, span: Span) -> Fallible<Bound> {
        let operand = self.expression(operand)?;
        let (low, high) = (self.expression(low)?, self.expression(high)?);
        let operand = self.refresh(operand);
        let above = self.compare(Comparison::GreaterOrEqual, ">=", operand.clone(), low, span)?;
        let operand = self.refresh(operand);
        let below = self.compare(Comparison::LessOrEqual, "<=", operand, high, span)?;
        Ok(negate_if(negated, Bound::and(vec![above, below])))
    }

    fn in_list(&mut self, operand: &Expr, list: &[Expr], negated: bool, span: Span) -> Fallible<Bound> {
        if let ExprKind::Row(left) = &operand.kind {
            let mut alternatives = Vec::new();
            for item in list {
                let ExprKind::Row(right) = &item.kind else {
                    return Err(unsupported("IN of a row value and something else").at(item.span));
                };
                alternatives.push(self.row_comparison(Comparison::Equal, "=", left, right, span)?);
            }
            return Ok(negate_if(negated, boolean(BoundKind::Or(alternatives), span)));
        }
        let mut operand = self.expression(operand)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let item = self.expression(item)?;
            let (left, item) = self.comparable("=", self.refresh(operand), item, span)?;
            operand = left;
            items.push(item);
        }
        Ok(negate_if(
            negated,
            boolean(BoundKind::In(Box::new(operand), items), span),
        ))
    }

    fn any(&mut self, left: &Expr, operator: BinaryOperator, right: &Expr, span: Span) -> Fallible<Bound> {
        let comparison =
            comparison(operator).ok_or_else(|| unsupported(format!("{} ANY", operator.symbol())).at(span))?;
        let left = self.expression(left)?;
        if let ExprKind::Subquery(query) = &right.kind {
            return self.any_query(comparison, left, query, span);
        }
        let right = self.expression(right)?;
        let mut left = self.refresh(left);
        if let (SqlType::Unknown, SqlType::ListOf(element)) = (left.data_type, right.data_type)
            && let Some(coerced) = self.try_coerce(left.clone(), element, CastContext::Implicit)?
        {
            left = coerced;
        }
        let left = self.settle(left)?;
        let element = left.data_type.settled();
        let right = self.coerce_list(right, element)?;
        Ok(boolean(
            BoundKind::Any(comparison, Box::new(left), Box::new(right)),
            span,
        ))
    }

    fn any_query(&mut self, comparison: Comparison, operand: Bound, query: &Query, span: Span) -> Fallible<Bound> {
        if operand.data_type == SqlType::RECORD {
            return Err(unsupported("a row value and a subquery").at(operand.span));
        }
        let (id, mut outer, types) = self.subquery(query)?;
        let [column] = types[..] else {
            let message = if types.len() > 1 {
                "subquery has too many columns"
            } else {
                "subquery has too few columns"
            };
            return Err(error(state::SYNTAX_ERROR, message).at(span));
        };
        let other = Bound::new(BoundKind::Const(Value::Null), column, span);
        let (operand, _) = self.comparable("=", self.refresh(operand), other, span)?;
        outer.sort_unstable();
        Ok(boolean(
            BoundKind::Subquery(SubqueryUse {
                id,
                kind: SubqueryKind::Any(comparison, Box::new(operand)),
                outer,
            }),
            span,
        ))
    }

    fn scalar_subquery(&mut self, query: &Query, span: Span) -> Fallible<Bound> {
        let (id, outer, types) = self.subquery(query)?;
        let [data_type] = types[..] else {
            return Err(error(state::SYNTAX_ERROR, "subquery must return only one column").at(span));
        };
        let kind = BoundKind::Subquery(SubqueryUse {
            id,
            kind: SubqueryKind::Scalar,
            outer,
        });
        Ok(Bound::new(kind, data_type, span))
    }

    /// Binds an expression's subquery; gives its number, what it reads from outside, its columns' types.
    fn subquery(&mut self, query: &Query) -> Fallible<(u32, Vec<u32>, Vec<SqlType>)> {
        self.push_scope(Vec::new());
        let bound = self.query(query);
        let scope = self.pop_scope();
        let bound = bound?;
        let types = bound.output.iter().map(|target| target.data_type).collect();
        let id = self.subqueries.len() as u32;
        self.subqueries.push((bound, !scope.outer.is_empty()));
        Ok((id, scope.outer, types))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> Fallible<Bound> {
        let operand = operand.map(|operand| self.expression(operand)).transpose()?;
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for (condition, value) in branches {
            let bound = self.expression(condition)?;
            conditions.push(match &operand {
                Some(operand) => self.compare(Comparison::Equal, "=", operand.clone(), bound, condition.span)?,
                None => self.condition(bound, "CASE/WHEN")?,
            });
            values.push(self.expression(value)?);
        }
        values.push(match otherwise {
            Some(otherwise) => self.expression(otherwise)?,
            None => literal(Value::Null, SqlType::Unknown, span),
        });
        let (mut values, data_type) = self.unify(values, "CASE")?;
        let otherwise = values.pop().unwrap_or_else(|| super::null_of(data_type));
        let branches = conditions.into_iter().zip(values).collect();
        Ok(Bound::new(
            BoundKind::Case(branches, Box::new(otherwise)),
            SqlType::Is(data_type),
            span,
        ))
    }

    fn cast(&mut self, operand: &Expr, data_type: &DataType, span: Span) -> Fallible<Bound> {
        let to = column_type(data_type)?;
        let operand = self.expression(operand)?;
        if to == Type::Regclass {
            return self.regclass(operand, span);
        }
        let found = operand.data_type;
        if !can_cast(found, to, CastContext::Explicit) {
            let message = format!("cannot cast type {found} to {}", to.name());
            return Err(error(state::CANNOT_COERCE, message).at(span));
        }
        // Text as text is itself; a literal takes the type here and now.
        let cast = self.try_coerce(operand, to, CastContext::Explicit)?;
        let modifier = column_modifier(data_type)?;
        cast.map(|cast| fitted(Bound { span, ..cast }, modifier, true))
            .ok_or_else(|| {
                error(
                    state::CANNOT_COERCE,
                    format!("cannot cast type {found} to {}", to.name()),
                )
            })
    }
}

fn literal(value: Value, data_type: SqlType, span: Span) -> Bound {
    Bound::new(BoundKind::Const(value), data_type, span)
}

pub(crate) fn boolean(kind: BoundKind, span: Span) -> Bound {
    Bound::new(kind, SqlType::BOOL, span)
}

fn negate_if(negated: bool, expression: Bound) -> Bound {
    let span = expression.span;
    if negated {
        boolean(BoundKind::Not(Box::new(expression)), span)
    } else {
        expression
    }
}

/// The narrowest of int and bigint that holds the digits; anything else would be numeric.
fn number(digits: &str, span: Span) -> Fallible<Bound> {
    if let Ok(n) = digits.parse::<i32>() {
        return Ok(literal(Value::Int4(n), SqlType::INT4, span));
    }
    if let Ok(n) = digits.parse::<i64>() {
        return Ok(literal(Value::Int8(n), SqlType::INT8, span));
    }
    // Of more digits than our numeric has: a float, if it is written as one.
    let numeric = input::parse(digits, Type::Numeric, 0);
    if let (Err(_), Some(float)) = (&numeric, Float::parse(digits).filter(|_| digits.contains(['e', 'E']))) {
        return Ok(literal(Value::Float8(float), SqlType::Is(Type::Float8), span));
    }
    Ok(literal(
        numeric.map_err(|refusal| refusal.at(span))?,
        SqlType::NUMERIC,
        span,
    ))
}

pub(crate) fn comparison(operator: BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Equal => Comparison::Equal,
        BinaryOperator::NotEqual => Comparison::NotEqual,
        BinaryOperator::Less => Comparison::Less,
        BinaryOperator::LessOrEqual => Comparison::LessOrEqual,
        BinaryOperator::Greater => Comparison::Greater,
        BinaryOperator::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// The type of a column or a cast, as far as it is in the subset.
pub(crate) fn column_type(data_type: &DataType) -> Fallible<Type> {
    match &data_type.kind {
        DataTypeKind::Known(known) => Ok(*known),
        DataTypeKind::Serial => Ok(Type::Int4),
        DataTypeKind::BigSerial => Ok(Type::Int8),
        DataTypeKind::Digits { .. } => Ok(Type::Numeric),
        DataTypeKind::Length(_) => Ok(Type::Text),
        DataTypeKind::Other(name) => Err(unsupported(format!("type {name}")).at(data_type.span)),
    }
}

/// Longest `varchar(n)`.
const LONGEST: u32 = 10_485_760;

/// What a type takes less of than its plain form.
pub(crate) fn column_modifier(data_type: &DataType) -> Fallible<Option<Modifier>> {
    let refuse = |message: String| Err(error(state::INVALID_PARAMETER_VALUE, message).at(data_type.span));
    Ok(Some(match data_type.kind {
        DataTypeKind::Digits { precision, scale } => {
            if !(1..=1000).contains(&precision) {
                return refuse(format!("NUMERIC precision {precision} must be between 1 and 1000"));
            }
            if scale > 1000 {
                return refuse(format!("NUMERIC scale {scale} must be between -1000 and 1000"));
            }
            if u32::from(precision) > MOST_DIGITS || scale > precision {
                return Err(unsupported(format!("type numeric({precision},{scale})")).at(data_type.span));
            }
            Modifier::Digits { precision, scale }
        }
        DataTypeKind::Length(0) => return refuse("length for type varchar must be at least 1".into()),
        DataTypeKind::Length(length) if length > LONGEST => {
            return refuse(format!("length for type varchar cannot exceed {LONGEST}"));
        }
        DataTypeKind::Length(length) => Modifier::Length(length),
        _ => return Ok(None),
    }))
}
