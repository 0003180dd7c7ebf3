//! Rows as values: `ROW(a, b)`, `(a, b)`, a table's whole row; their comparison.

use base::Value;
use syntax::{Expr, Span};

use super::Binder;
use super::coerce::operator_missing;
use super::expression::boolean;
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, Comparison, Function};
use crate::types::SqlType;

impl Binder<'_> {
    pub(super) fn row_value(&mut self, items: &[Expr], span: Span) -> Fallible<Bound> {
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            let part = self.expression(item)?;
            if let SqlType::ListOf(_) = part.data_type {
                return Err(unsupported("an array in a row value").at(item.span));
            }
            parts.push(self.settle(part)?);
        }
        Ok(record(parts, span))
    }

    /// A table's row: NULL where an outer join has none.
    pub(super) fn whole_row(&mut self, (level, item): (usize, usize), span: Span) -> Fallible<Bound> {
        let columns = self.columns_at(level, item);
        let Some(place) = columns.iter().find(|column| !column.is_listed()) else {
            return Err(unsupported("the whole row of what is no table").at(span));
        };
        let there = Bound::slot(self.slot_at(level, place.source), place.data_type);
        let parts = columns.iter().filter(|column| column.is_listed());
        let parts = parts.map(|column| Bound::slot(self.slot_at(level, column.source), column.data_type));
        let row = record(parts.collect(), span);
        let nothing = boolean(BoundKind::IsNull(Box::new(there)), span);
        let branches = vec![(nothing, Bound::constant(Value::Null, SqlType::RECORD))];
        Ok(Bound::new(
            BoundKind::Case(branches, Box::new(row)),
            SqlType::RECORD,
            span,
        ))
    }

    /// `(a, b) < (c, d)`: by the first parts that differ. `span`: the operator's.
    pub(super) fn row_comparison(
        &mut self,
        comparison: Comparison,
        symbol: &str,
        left: &[Expr],
        right: &[Expr],
        span: Span,
    ) -> Fallible<Bound> {
        if left.len() != right.len() {
            return Err(error(state::SYNTAX_ERROR, "unequal number of entries in row expressions").at(span));
        }
        if left.is_empty() {
            return Err(error(state::FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length").at(span));
        }
        let mut pairs = Vec::new();
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (self.expression(left)?, self.expression(right)?);
            pairs.push(self.comparable(symbol, left, right, span)?);
        }
        let compare = |comparison: Comparison, (left, right): &(Bound, Bound)| {
            let sides = (Box::new(left.clone()), Box::new(right.clone()));
            boolean(BoundKind::Compare(comparison, sides.0, sides.1), span)
        };
        let each = |comparison| pairs.iter().map(|pair| compare(comparison, pair)).collect();
        let strict = match comparison {
            Comparison::Equal => return Ok(Bound::and(each(comparison))),
            Comparison::NotEqual => return Ok(boolean(BoundKind::Or(each(comparison)), span)),
            Comparison::Less | Comparison::LessOrEqual => Comparison::Less,
            Comparison::Greater | Comparison::GreaterOrEqual => Comparison::Greater,
        };
        if pairs
            .iter()
            .any(|(left, right)| left.is_volatile() || right.is_volatile())
        {
            return Err(unsupported("an order of row values that call volatile functions").at(span));
        }
        // By the last pair, if those before are equal; and so on.
        let order = pairs.iter().rev().fold(None, |rest: Option<Bound>, pair| match rest {
            None => Some(compare(comparison, pair)),
            Some(rest) => {
                let behind = Bound::and(vec![compare(Comparison::Equal, pair), rest]);
                Some(boolean(BoundKind::Or(vec![compare(strict, pair), behind]), span))
            }
        });
        Ok(Bound::and(order.into_iter().collect()))
    }

    /// Refuses records that cannot be compared with each other, or of which that is not known.
    pub(super) fn check_records(&self, symbol: &str, left: &Bound, right: &Bound, span: Span) -> Fallible<()> {
        let (found_left, found_right) = (left.data_type, right.data_type);
        if found_left != SqlType::RECORD || found_right != SqlType::RECORD {
            return match found_left == SqlType::RECORD || found_right == SqlType::RECORD {
                true if found_left != SqlType::Unknown && found_right != SqlType::Unknown => {
                    Err(operator_missing(symbol, found_left, found_right, span))
                }
                _ => Ok(()),
            };
        }
        let (Some(left), Some(right)) = (parts(left), parts(right)) else {
            return Err(unsupported("a comparison of records whose columns are not known").at(span));
        };
        let types = |parts: &[Bound]| parts.iter().map(|part| part.data_type).collect::<Vec<_>>();
        if types(left) != types(right) {
            // PostgreSQL refuses it when it comes to the parts that differ.
            return Err(unsupported("a comparison of records of different types").at(span));
        }
        Ok(())
    }
}

fn record(parts: Vec<Bound>, span: Span) -> Bound {
    Bound::new(BoundKind::Call(Function::Record, parts), SqlType::RECORD, span)
}

/// What a record is made of.
fn parts(record: &Bound) -> Option<&[Bound]> {
    match &record.kind {
        BoundKind::Call(Function::Record, parts) => Some(parts),
        BoundKind::Case(_, otherwise) => parts(otherwise),
        _ => None,
    }
}
