//! Aggregates and GROUP BY.

use std::sync::Arc;

use base::Type;
use syntax::{FunctionCall, Span};

use super::function::missing;
use super::{Binder, ScopeItem, Source};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, Slot};
use crate::types::{CastContext, SqlType};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grouping {
    /// With the slot that holds the group's value afterwards: for a column, its own.
    pub(crate) keys: Vec<(Bound, Slot)>,
    pub(crate) aggregates: Vec<Aggregate>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) function: AggregateFunction,
    pub(crate) argument: Option<Bound>,
    /// Of `string_agg`.
    pub(crate) separator: Option<Bound>,
    pub(crate) distinct: bool,
    pub(crate) filter: Option<Bound>,
    pub(crate) slot: Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AggregateFunction {
    CountRows,
    Count,
    /// Of int, as bigint.
    Sum,
    /// As numeric.
    Total,
    Average,
    Min,
    Max,
    BoolAnd,
    BoolOr,
    StringAgg,
}

/// A column that a slot holds: its table's alias, name, type, source.
type Found = (Option<Arc<str>>, Arc<str>, SqlType, Source);

impl Binder<'_> {
    /// The slot of an aggregate's result, or `None` if the name is not an aggregate's.
    pub(crate) fn aggregate_call(&mut self, name: &str, call: &FunctionCall, span: Span) -> Fallible<Option<Bound>> {
        let known = [
            "count",
            "sum",
            "avg",
            "min",
            "max",
            "bool_and",
            "every",
            "bool_or",
            "string_agg",
        ];
        if !known.contains(&name) {
            return Ok(None);
        }
        if let Some(refusal) = self.scope().no_aggregates {
            return Err(error(state::GROUPING_ERROR, refusal).at(span));
        }
        let outside = self
            .scope()
            .no_aggregates
            .replace("aggregate function calls cannot be nested");
        let arguments = self.expressions(&call.arguments);
        let filter = call.filter.as_ref().map(|filter| self.expression(filter)).transpose();
        self.scope().no_aggregates = outside;
        let filter = filter?.map(|filter| self.condition(filter, "FILTER")).transpose()?;
        let (function, mut arguments, data_type) = self.aggregate_function(name, call.star, arguments?, span)?;
        let separator = if function == AggregateFunction::StringAgg {
            arguments.pop()
        } else {
            None
        };
        let aggregate = Aggregate {
            function,
            argument: arguments.pop(),
            separator,
            distinct: call.distinct,
            filter,
            slot: 0,
        };
        let slot = self.aggregate_slot(aggregate);
        Ok(Some(Bound::new(BoundKind::Slot(slot), SqlType::Is(data_type), span)))
    }

    /// Equal calls share a slot.
    fn aggregate_slot(&mut self, mut aggregate: Aggregate) -> Slot {
        let known = self.scope().aggregates.iter().find(|other| {
            let same = Aggregate {
                slot: other.slot,
                ..aggregate.clone()
            };
            **other == same
        });
        if let Some(known) = known {
            return known.slot;
        }
        aggregate.slot = self.new_slot();
        let slot = aggregate.slot;
        self.scope().aggregates.push(aggregate);
        slot
    }

    fn aggregate_function(
        &mut self,
        name: &str,
        star: bool,
        mut arguments: Vec<Bound>,
        span: Span,
    ) -> Fallible<(AggregateFunction, Vec<Bound>, Type)> {
        use AggregateFunction as F;
        if star {
            if name == "count" {
                return Ok((F::CountRows, Vec::new(), Type::Int8));
            }
            return Err(missing(name, &[], span));
        }
        if name == "string_agg" && arguments.len() == 2 {
            let mut texts = Vec::new();
            for argument in arguments {
                let coerced = self.try_coerce(argument.clone(), Type::Text, CastContext::Implicit)?;
                texts.push(coerced.ok_or_else(|| missing(name, &[argument], span))?);
            }
            return Ok((F::StringAgg, texts, Type::Text));
        }
        if arguments.len() != 1 {
            return Err(missing(name, &arguments, span));
        }
        let argument = arguments.remove(0);
        let argument = if argument.data_type == SqlType::Unknown && !matches!(name, "bool_and" | "bool_or" | "every") {
            self.settle(argument)?
        } else {
            argument
        };
        let data_type = argument.data_type.settled();
        let (function, result) = match (name, data_type) {
            ("count", _) => (F::Count, Type::Int8),
            ("sum", Type::Int2 | Type::Int4) => (F::Sum, Type::Int8),
            ("sum", Type::Float8 | Type::Interval) => (F::Total, data_type),
            ("avg", Type::Float8) => (F::Average, Type::Float8),
            ("sum", Type::Int8 | Type::Numeric) => (F::Total, Type::Numeric),
            ("avg", Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric) => (F::Average, Type::Numeric),
            ("min" | "max", Type::Bool | Type::Jsonb | Type::Uuid | Type::Bytea | Type::Daterange | Type::Record) => {
                return Err(missing(name, &[argument], span));
            }
            ("min" | "max", Type::Regclass) => {
                return Err(unsupported(format!("{name} of regclass")).at(span));
            }
            ("min", _) => (F::Min, data_type),
            ("max", _) => (F::Max, data_type),
            ("bool_and" | "every", Type::Bool) => (F::BoolAnd, Type::Bool),
            ("bool_or", Type::Bool) => (F::BoolOr, Type::Bool),
            _ => return Err(missing(name, &[argument], span)),
        };
        Ok((function, vec![argument], result))
    }

    /// Rewrites an expression that stands above a grouping: group keys become their slots. Any other
    /// column of this level is refused, unless its table's primary key is among the keys.
    pub(crate) fn above_grouping(
        &mut self,
        expression: &mut Bound,
        grouping: &mut Grouping,
        items: &[ScopeItem],
    ) -> Fallible<()> {
        if let Some((key, slot)) = grouping.keys.iter().find(|(key, _)| key == expression) {
            expression.kind = BoundKind::Slot(*slot);
            expression.data_type = key.data_type;
            return Ok(());
        }
        let span = expression.span;
        match &expression.kind {
            BoundKind::Slot(slot) => self.check_grouped(*slot, grouping, items, span)?,
            BoundKind::Subquery(subquery) => {
                for slot in &subquery.outer.clone() {
                    self.check_grouped(*slot, grouping, items, span)?;
                }
            }
            _ => {}
        }
        for child in expression.children_mut() {
            self.above_grouping(child, grouping, items)?;
        }
        Ok(())
    }

    fn check_grouped(&mut self, slot: Slot, grouping: &mut Grouping, items: &[ScopeItem], span: Span) -> Fallible<()> {
        if grouping.keys.iter().any(|(_, key)| *key == slot) {
            return Ok(());
        }
        let Some((item, name, data_type, source)) = self.column_of_slot(slot, items) else {
            return Ok(());
        };
        if let Source::Column(table, _) | Source::System(table, _) = source
            && self.grouped_by_key(table, grouping)
        {
            grouping.keys.push((Bound::slot(slot, data_type), slot));
            return Ok(());
        }
        let message = format!(
            "column \"{}{name}\" must appear in the GROUP BY clause or be used in an aggregate function",
            item.map(|alias| format!("{alias}.")).unwrap_or_default()
        );
        Err(error(state::GROUPING_ERROR, message).at(span))
    }

    fn column_of_slot(&self, slot: Slot, items: &[ScopeItem]) -> Option<Found> {
        let mut columns = items
            .iter()
            .flat_map(|item| item.columns.iter().map(move |column| (item, column)));
        let found = columns.find(|(_, column)| match column.source {
            Source::Slot(found) => found == slot,
            Source::Column(table, number) => self.tables[table].wanted.contains(&(number, slot)),
            Source::System(table, column) => self.tables[table].system.contains(&(column, slot)),
        });
        found.map(|(item, column)| (item.alias.clone(), column.name.clone(), column.data_type, column.source))
    }

    fn grouped_by_key(&self, table: usize, grouping: &Grouping) -> bool {
        let range = &self.tables[table];
        range.table.primary_key().is_some_and(|key| {
            key.columns.iter().all(|part| {
                let slot = range.wanted.iter().find(|(column, _)| part.column() == Some(*column));
                slot.is_some_and(|(_, slot)| grouping.keys.iter().any(|(_, key)| key == slot))
            })
        })
    }
}
