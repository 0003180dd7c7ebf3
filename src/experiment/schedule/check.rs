//! What can be said of a spec before it is run: can it be read, and its SQL; what is there to run.

use scenario::{Diagnostic, Place, Severity};
use syntax::{Dialect, SyntaxError};

use super::enumerate::MOST_INTERLEAVINGS;
use super::interleavings::enactment;
use super::spec::{Block, Spec, SpecError, parse};

/// A spec, looked through.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// `None`: it cannot be read.
    pub outline: Option<SpecOutline>,
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecOutline {
    /// Permutations that it lists.
    pub listed: u64,
    /// Interleavings of its steps; `None`: more than are run.
    pub interleavings: Option<u64>,
}

/// Where a spec cannot be read, and which of its SQL cannot: a setup has to work, but what a step is refused for is a
/// result like any other, and only worth a warning.
pub fn check(text: &str) -> Checked {
    let spec = match parse(text) {
        Ok(spec) => spec,
        Err(error) => {
            return Checked {
                outline: None,
                diagnostics: vec![unreadable(error)],
            };
        }
    };
    let interleavings = enactment(&spec).orders();
    Checked {
        outline: Some(SpecOutline {
            listed: spec.permutations.len() as u64,
            interleavings: interleavings.filter(|orders| *orders <= MOST_INTERLEAVINGS),
        }),
        diagnostics: spec.blocks.iter().filter_map(|block| refused(text, block)).collect(),
    }
}

pub(super) fn unreadable(error: SpecError) -> Diagnostic {
    Diagnostic {
        place: Place {
            line: error.line,
            column: error.column,
        },
        severity: Severity::Error,
        message: error.message,
        hint: None,
    }
}

/// That the n-th setup failed, with the place where it stands.
pub(super) fn failed_setup(text: &str, spec: &Spec, nth: usize, message: String) -> Diagnostic {
    let block = spec.blocks.iter().filter(|block| block.is_setup).nth(nth);
    Diagnostic {
        place: block.map_or(Place::default(), |block| place(text, block.range.start)),
        severity: Severity::Error,
        message,
        hint: None,
    }
}

fn refused(text: &str, block: &Block) -> Option<Diagnostic> {
    let SyntaxError {
        message, hint, span, ..
    } = syntax::parse_script(&text[block.range.clone()], Dialect::Postgres).err()?;
    Some(Diagnostic {
        place: place(text, block.range.start + span.start as usize),
        severity: if block.is_setup {
            Severity::Error
        } else {
            Severity::Warning
        },
        message,
        hint,
    })
}

fn place(text: &str, at: usize) -> Place {
    let (line, column) = syntax::line_column(text, at as u32);
    Place { line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(u32, u32, Severity)> {
        let found = check(text).diagnostics;
        let place = |found: &Diagnostic| (found.place.line, found.place.column, found.severity);
        found.iter().map(place).collect()
    }

    #[test]
    fn sql_that_cannot_be_read_is_told_with_its_place_in_the_spec() {
        let text = "setup\n{\n  CREATE TABLE t (a int);\n  SELEC 1;\n}\nsession s\nsetup { BEGIN }\nstep a { SELECT 1; }\nstep b { UPDATE t SE a = 1; }\nteardown { x }";
        assert_eq!(
            places(text),
            [
                (4, 3, Severity::Error),
                (9, 22, Severity::Warning),
                (10, 12, Severity::Warning)
            ]
        );
    }

    #[test]
    fn what_is_there_to_run_is_told() {
        let text = "session a setup { BEGIN; } step a1 { SELECT 1; } step a2 { COMMIT; }\n\
                    session b step b0 { BEGIN; } step b1 { SELECT 2; } step b2 { COMMIT; }";
        // A BEGIN alone is done with what comes after it.
        let of_all = check(text).outline.expect("a spec");
        assert_eq!((of_all.listed, of_all.interleavings), (0, Some(6)));
        let of_listed = check(&format!("{text} permutation a1 b0 b1 permutation a1 a2")).outline;
        let of_listed = of_listed.expect("a spec");
        assert_eq!((of_listed.listed, of_listed.interleavings), (2, Some(2)));
        assert_eq!(check("session").outline, None);
    }
}
