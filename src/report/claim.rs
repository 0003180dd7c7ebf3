//! Claims of decisions as something that can be measured, and what was found.
//!
//! A check measures one number and says what it should be:
//!
//! | measure | number | needs |
//! |---|---|---|
//! | `latency` | ms of one request alone, in a system that is up | design, operation |
//! | `round trips` | messages and their answers on the way of one request alone, the person's own not counted | design, operation |
//! | `broken` | explored faults that leave an invariant broken | design, operation |
//! | `window` | ms that others can see half of one request, when nothing fails | design, operation |
//! | `refusals` | statements that cannot be expressed | design |
//! | `weakened` | constraints that are enforced less strictly, or not at all | design |
//! | `different tables` | tables whose rows differ from the other design's after the same requests | design, against |
//! | `price` | dollars a month | fleet |
//!
//! With `against`, another design or fleet, the number becomes the quotient of the two (but for
//! `different tables`).

use std::fmt;
use std::str::FromStr;

use base::Nanos;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The condition that it is measured under, in words; empty: none.
    pub under: String,
    pub measure: Measure,
    /// Slugs with variants.
    pub design: Option<String>,
    pub against: Option<String>,
    pub operation: Option<String>,
    /// What every round trip between two machines takes instead of the profile's figure.
    pub round_trip: Option<Nanos>,
    /// `4 db.t3.small, 20 GB each`
    pub fleet: Option<String>,
    pub expect: Expectation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    Latency,
    RoundTrips,
    Broken,
    Window,
    Refusals,
    Weakened,
    DifferentTables,
    Price,
}

/// `at most 0`, `at least 2`, `exactly 3`, `within 20 % of 15`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
    Within { percent: f64, of: f64 },
}

/// What the checks of one claim found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimFinding {
    pub adr: String,
    pub claim: String,
    pub verdict: ClaimVerdict,
    pub checks: Vec<CheckFinding>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckFinding {
    pub under: String,
    /// The number with its unit: `25.8 ms`, `7 of 64 faults`.
    pub found: String,
    pub expected: String,
    pub holds: bool,
}

/// Always: in this model, under its assumptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    Holds,
    /// Some of its checks hold: under their conditions only.
    HoldsUnder,
    DoesNotHold,
    NotTested,
}

impl Measure {
    pub const ALL: [Measure; 8] = [
        Measure::Latency,
        Measure::RoundTrips,
        Measure::Broken,
        Measure::Window,
        Measure::Refusals,
        Measure::Weakened,
        Measure::DifferentTables,
        Measure::Price,
    ];

    /// As files write it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Latency => "latency",
            Measure::RoundTrips => "round trips",
            Measure::Broken => "broken",
            Measure::Window => "window",
            Measure::Refusals => "refusals",
            Measure::Weakened => "weakened",
            Measure::DifferentTables => "different tables",
            Measure::Price => "price",
        }
    }

    /// Of its number.
    pub fn unit(self) -> &'static str {
        match self {
            Measure::Latency | Measure::Window => "ms",
            Measure::RoundTrips => "round trips",
            Measure::Broken => "faults",
            Measure::Refusals => "statements",
            Measure::Weakened => "constraints",
            Measure::DifferentTables => "tables",
            Measure::Price => "dollars",
        }
    }

    /// What the number rests on, in the words of the site's tags.
    pub fn provenance(self) -> &'static str {
        match self {
            Measure::Latency | Measure::Window => "modelled",
            Measure::Price => "priced",
            _ => "counted",
        }
    }
}

impl Expectation {
    pub fn holds(&self, found: f64) -> bool {
        /// Sums of floats differ in the last bits.
        const SLACK: f64 = 1e-9;
        match self {
            Expectation::AtMost(most) => found <= most + SLACK,
            Expectation::AtLeast(least) => found >= least - SLACK,
            Expectation::Exactly(number) => (found - number).abs() <= SLACK,
            Expectation::Within { percent, of } => (found - of).abs() <= of.abs() * percent / 100.0 + SLACK,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::AtMost(number) => write!(f, "at most {number}"),
            Expectation::AtLeast(number) => write!(f, "at least {number}"),
            Expectation::Exactly(number) => write!(f, "exactly {number}"),
            Expectation::Within { percent, of } => write!(f, "within {percent} % of {of}"),
        }
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Expectation, String> {
        let number = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|number| number.is_finite() && *number >= 0.0)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = match words.as_slice() {
            ["at", "most", most] => number(most).map(Expectation::AtMost),
            ["at", "least", least] => number(least).map(Expectation::AtLeast),
            ["exactly", exactly] => number(exactly).map(Expectation::Exactly),
            ["within", percent, "%", "of", of] => number(percent)
                .zip(number(of))
                .map(|(percent, of)| Expectation::Within { percent, of }),
            _ => None,
        };
        read.ok_or_else(|| format!("“{text}” is no expectation"))
    }
}

impl ClaimVerdict {
    pub fn of(checks: &[CheckFinding]) -> ClaimVerdict {
        let holding = checks.iter().filter(|check| check.holds).count();
        match holding {
            _ if checks.is_empty() => ClaimVerdict::NotTested,
            0 => ClaimVerdict::DoesNotHold,
            all if all == checks.len() => ClaimVerdict::Holds,
            _ => ClaimVerdict::HoldsUnder,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            ClaimVerdict::Holds => "Holds in this model",
            ClaimVerdict::HoldsUnder => "Holds under conditions",
            ClaimVerdict::DoesNotHold => "Does not hold in this model",
            ClaimVerdict::NotTested => "Not tested",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_print_as_they_are_read() {
        for text in ["at most 0", "at least 2.5", "exactly 3", "within 20 % of 15"] {
            assert_eq!(text.parse::<Expectation>().expect("it is one").to_string(), text);
        }
        for text in [
            "",
            "at most",
            "about 3",
            "within 20 of 15",
            "at least NaN",
            "at most -1",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
        let within: Expectation = "within 20 % of 15".parse().expect("it is one");
        assert!(within.holds(12.0) && within.holds(18.0) && !within.holds(18.1));
    }

    #[test]
    fn a_verdict_is_that_of_all_checks() {
        let check = |holds| CheckFinding {
            under: String::new(),
            found: String::new(),
            expected: String::new(),
            holds,
        };
        assert_eq!(ClaimVerdict::of(&[]), ClaimVerdict::NotTested);
        assert_eq!(ClaimVerdict::of(&[check(true), check(true)]), ClaimVerdict::Holds);
        assert_eq!(ClaimVerdict::of(&[check(true), check(false)]), ClaimVerdict::HoldsUnder);
        assert_eq!(ClaimVerdict::of(&[check(false)]), ClaimVerdict::DoesNotHold);
    }
}
