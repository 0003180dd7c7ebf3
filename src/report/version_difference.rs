//! Where two versions of PostgreSQL are known to answer differently: recorded, with a reason each.

use program::SqlAnswer;
use serde::{Deserialize, Serialize};

/// Of the version that our engine follows and the one that a page can ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDifferences {
    /// `PostgreSQL 15`
    pub older: String,
    /// `PostgreSQL 18.6 (PGlite 0.5.16)`
    pub newer: String,
    pub differences: Vec<VersionDifference>,
}

/// Lines that one prints in the place of the other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDifference {
    /// Where it was seen.
    pub script: String,
    pub older: Vec<String>,
    pub newer: Vec<String>,
    pub reason: String,
}

impl VersionDifferences {
    /// The known difference that two answers are a case of, whatever the names in them.
    pub fn explain(&self, older: &SqlAnswer, newer: &SqlAnswer) -> Option<&VersionDifference> {
        let (older, newer) = (refusal(older), refusal(newer));
        if older.is_none() && newer.is_none() {
            return None;
        }
        self.differences
            .iter()
            .find(|known| says(&known.older, older) && says(&known.newer, newer))
    }
}

fn refusal(answer: &SqlAnswer) -> Option<&str> {
    match answer {
        SqlAnswer::Refused { message, .. } => Some(message),
        SqlAnswer::Rows { .. } | SqlAnswer::Done { .. } => None,
    }
}

/// Is this error among the lines; or no error at all?
fn says(lines: &[String], message: Option<&str>) -> bool {
    let mut errors = lines.iter().filter_map(|line| line.strip_prefix("ERROR:  "));
    match message {
        Some(message) => errors.any(|error| shape(error) == shape(message)),
        None => errors.next().is_none(),
    }
}

/// The text with nothing between its quotes.
fn shape(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_difference_is_known_whatever_the_names() {
        let known = VersionDifferences {
            differences: vec![VersionDifference {
                script: "names.sql".to_owned(),
                older: vec!["ERROR:  role \"a\" is unknown".to_owned()],
                newer: vec!["ERROR:  no role \"a\"".to_owned(), "DETAIL:  none".to_owned()],
                reason: "worded anew".to_owned(),
            }],
            ..VersionDifferences::default()
        };
        let refused = |message: &str| SqlAnswer::Refused {
            sqlstate: "42704".to_owned(),
            message: message.to_owned(),
        };
        let (ours, theirs) = (refused("role \"x\" is unknown"), refused("no role \"x\""));
        assert!(known.explain(&ours, &theirs).is_some());
        assert!(known.explain(&theirs, &ours).is_none());
        assert!(known.explain(&ours, &SqlAnswer::Done { rows: 1 }).is_none());
        let done = SqlAnswer::Done { rows: 1 };
        assert!(
            known.explain(&done, &SqlAnswer::Done { rows: 2 }).is_none(),
            "other rows are never explained away"
        );
    }
}
