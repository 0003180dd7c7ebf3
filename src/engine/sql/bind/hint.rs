//! Which column a misspelt name may have meant, by PostgreSQL's measure.

use super::Binder;
use crate::SqlError;

/// More edits than this make another name.
const MOST: usize = 3;

/// The nearest columns so far: one, two that are equally near, or too many.
struct Nearest {
    distance: usize,
    found: Vec<String>,
}

impl Nearest {
    fn note(&mut self, distance: usize, name: String) {
        if distance < self.distance {
            (self.distance, self.found) = (distance, vec![name]);
        } else if distance == self.distance && self.found.len() == 2 {
            // Only something nearer would say anything now.
            self.found.clear();
            self.distance = distance.saturating_sub(1);
        } else if distance == self.distance && distance <= MOST {
            self.found.push(name);
        }
    }
}

impl Binder<'_> {
    /// Adds what the name may have meant, if something in reach is near enough.
    pub(super) fn with_hint(&self, refusal: Box<SqlError>, table: Option<&str>, column: &str) -> Box<SqlError> {
        let mut nearest = Nearest {
            distance: MOST + 1,
            found: Vec::new(),
        };
        for item in self.scopes.iter().rev().flat_map(|scope| &scope.items) {
            let Some(alias) = &item.alias else { continue };
            let penalty = table.map_or(0, |table| edits(table, alias));
            for own in item.columns.iter().filter(|own| own.is_listed()) {
                let distance = edits(&own.name, column);
                // With more than half of it different, it is no misspelling.
                if distance <= column.len() / 2 && distance + penalty <= nearest.distance {
                    nearest.note(distance + penalty, format!("the column \"{alias}.{}\"", own.name));
                }
            }
        }
        match nearest.found.is_empty() {
            true => refusal,
            false => refusal.hint(format!(
                "Perhaps you meant to reference {}.",
                nearest.found.join(" or ")
            )),
        }
    }
}

/// How many characters have to be put in, left out or exchanged to make one of the other (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, character) in from.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (other, wanted) in to.iter().enumerate() {
            let exchanged = before + usize::from(character != *wanted);
            before = row[other + 1];
            row[other + 1] = exchanged.min(before + 1).min(row[other] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in [
            ("", "abc", 3),
            ("name", "nope", 2),
            ("kitten", "sitting", 3),
            ("x", "x", 0),
        ] {
            assert_eq!((edits(from, to), edits(to, from)), (count, count), "{from} {to}");
        }
    }
}
