//! The condition of a query on a path's keys: the partition, and what is known of the sort key.
//!
//! | known of the sort key `user_roles#<role_id>` | |
//! |---|---|
//! | all of it | `sk = user_roles#member` |
//! | its beginning | `begins_with(sk, user_roles#)` |
//! | a range of the next column | `sk BETWEEN user_roles#a AND user_roles#b$`; perhaps too much, never too little |

use program::{AFTER_SEPARATOR, Expression, KEY_SEPARATOR, Operator, Phrase};
use scenario::ColumnId;

use super::fetch::{Items, Known};
use super::layout::{KeyPath, Part};
use super::row::{key_of, key_parts};

impl Items<'_> {
    /// The condition on a path's keys, and the two ends of its range if both are given.
    pub(crate) fn key_condition(
        &self,
        path: &KeyPath,
        index: Option<usize>,
        known: &Known,
        value: &dyn Fn(ColumnId) -> Expression,
    ) -> (Phrase, Option<(Expression, Expression)>) {
        let names = &self.site.layout.names;
        let (partition, sort) = match index {
            None => (names.partition.clone(), names.sort.clone()),
            Some(index) => (names.index_partition(index), names.index_sort(index)),
        };
        let mut phrase = Phrase {
            text: "#pk = :pk".to_owned(),
            names: vec![("#pk".into(), partition)],
            values: vec![(":pk".into(), key_of(&path.partition, value))],
        };
        let given = |part: &&Part| part.column().is_none_or(|column| known.equal.contains_key(&column));
        let fixed: Vec<Part> = path.sort.iter().take_while(given).cloned().collect();
        let range = path
            .sort
            .get(fixed.len())
            .and_then(Part::column)
            .and_then(|column| known.ranges.get(&column));
        let whole = fixed.len() == path.sort.len();
        let beginning = |separator: char| {
            let key = key_of(&fixed, value);
            Expression::binary(Operator::Concat, key, Expression::text(&separator.to_string()))
        };
        let bounded = |bound: &Expression| {
            let mut parts = key_parts(&fixed, value);
            parts.push(bound.clone());
            Expression::Key(parts)
        };
        let after =
            |key: Expression| Expression::binary(Operator::Concat, key, Expression::text(&AFTER_SEPARATOR.to_string()));
        let mut condition = |text: &str, values: Vec<(&str, Expression)>| {
            phrase.text.push_str(text);
            phrase.names.push(("#sk".into(), sort.clone()));
            phrase
                .values
                .extend(values.into_iter().map(|(name, value)| (name.into(), value)));
        };
        let mut order = None;
        match range {
            _ if whole => condition(" AND #sk = :sk", vec![(":sk", key_of(&fixed, value))]),
            None if fixed.is_empty() => {}
            None => condition(" AND begins_with(#sk, :sk)", vec![(":sk", beginning(KEY_SEPARATOR))]),
            Some((Some(low), Some(high))) => {
                order = Some((low.clone(), high.clone()));
                let values = vec![(":low", bounded(low)), (":high", after(bounded(high)))];
                condition(" AND #sk BETWEEN :low AND :high", values);
            }
            Some((Some(low), None)) if fixed.is_empty() => condition(" AND #sk >= :low", vec![(":low", bounded(low))]),
            Some((None, Some(high))) if fixed.is_empty() => {
                condition(" AND #sk <= :high", vec![(":high", after(bounded(high)))]);
            }
            Some((low, high)) => {
                let low = low.as_ref().map_or_else(|| beginning(KEY_SEPARATOR), &bounded);
                let high = high
                    .as_ref()
                    .map_or_else(|| beginning(AFTER_SEPARATOR), |high| after(bounded(high)));
                condition(" AND #sk BETWEEN :low AND :high", vec![(":low", low), (":high", high)]);
            }
        }
        (phrase, order)
    }
}
