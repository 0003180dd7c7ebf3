//! Questions that are answered at once: is this scenario or schedule sound, what does this link say.

use protocol::{
    ArchitectureOutline, Diagnostic, OperationOutline, ProbeOutline, Reply, ScenarioOutline, ScheduleOutline, Severity,
    Ticket,
};

pub(crate) fn check(ticket: Ticket, text: &str) -> Reply {
    let checked = experiment::check(text);
    Reply::Checked {
        ticket,
        outline: checked.outline.map(outline),
        diagnostics: diagnostics(checked.diagnostics),
    }
}

pub(crate) fn check_schedule(ticket: Ticket, text: &str) -> Reply {
    let checked = experiment::schedule::check(text);
    Reply::ScheduleChecked {
        ticket,
        outline: checked.outline.map(|outline| ScheduleOutline {
            listed: outline.listed,
            interleavings: outline.interleavings,
        }),
        diagnostics: diagnostics(checked.diagnostics),
    }
}

fn outline(outline: experiment::Outline) -> ScenarioOutline {
    let operation = |operation: experiment::OperationOutline| OperationOutline {
        name: operation.name,
        title: operation.title,
        writes: operation.writes,
    };
    let probe = |(slug, title): (&str, &str)| ProbeOutline {
        slug: slug.to_owned(),
        title: title.to_owned(),
    };
    let design = |design: experiment::DesignOutline| ArchitectureOutline {
        by_default: design.by_default,
        slug: design.slug,
        title: design.title,
        summary: design.summary,
        refusals: u32::try_from(design.refusals).unwrap_or(u32::MAX),
        asks: design.asks.into_iter().map(probe).collect(),
    };
    ScenarioOutline {
        title: outline.title,
        seed: outline.seed,
        requests: outline.requests,
        operations: outline.operations.into_iter().map(operation).collect(),
        architectures: outline.designs.into_iter().map(design).collect(),
    }
}

/// The text in the form that a link carries.
pub(crate) fn pack(ticket: Ticket, text: &str) -> Reply {
    match scenario::pack(text) {
        Ok(packed) => Reply::Packed { ticket, packed },
        Err(error) => refused(ticket, error.to_string()),
    }
}

/// What a stranger's link carries; bounded.
pub(crate) fn unpack(ticket: Ticket, packed: &str) -> Reply {
    match scenario::unpack(packed) {
        Ok(text) => Reply::Unpacked { ticket, text },
        Err(error) => refused(ticket, error.to_string()),
    }
}

fn refused(ticket: Ticket, message: String) -> Reply {
    let diagnostic = Diagnostic {
        line: 0,
        column: 0,
        severity: Severity::Error,
        message,
        hint: None,
    };
    Reply::Refused {
        ticket,
        diagnostics: vec![diagnostic],
    }
}

pub(crate) fn diagnostics(found: Vec<scenario::Diagnostic>) -> Vec<Diagnostic> {
    let diagnostic = |found: scenario::Diagnostic| Diagnostic {
        line: found.place.line,
        column: found.place.column,
        severity: match found.severity {
            scenario::Severity::Error => Severity::Error,
            scenario::Severity::Warning => Severity::Warning,
        },
        message: found.message,
        hint: found.hint,
    };
    found.into_iter().map(diagnostic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_survives_its_link() {
        let text = "title = \"Grüße\"\n".repeat(100);
        let Reply::Packed { packed, .. } = pack(1, &text) else {
            panic!("refused")
        };
        assert_eq!(unpack(2, &packed), Reply::Unpacked { ticket: 2, text });
    }

    #[test]
    fn a_hostile_text_is_refused_in_a_sentence() {
        for packed in ["", "1.000000.AAAA", "9.000000.AAAA", "<script>", "1.5e2a90.nVPBbtswDL3"] {
            let reply = unpack(1, packed);
            let Reply::Refused { diagnostics, .. } = &reply else {
                panic!("{packed}: {reply:?}")
            };
            assert!(!diagnostics[0].message.is_empty());
        }
    }
}
