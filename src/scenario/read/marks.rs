//! `@marks` in front of a statement.

use syntax::{Attribute, AttributeArgument, Expr, ExprKind, Span, Statement};

use super::present;
use crate::document::Reading;
use crate::phrase::{Phrase, PhraseError, parse_duration};
use crate::{Action, Compensation, External, Marks, Source, names};

const MARKS: [&str; 5] = ["asynchronous", "pivot", "retriable", "compensate", "external"];

/// The marks of a statement; `external` is there only if `@external` is.
pub(super) fn marks(
    attributes: &[Attribute],
    statement: &Statement,
    source: &Source,
    reading: &mut Reading<'_>,
) -> (Marks, Option<External>) {
    let mut marks = Marks::default();
    let mut external = None;
    for (position, attribute) in attributes.iter().enumerate() {
        let name = attribute.name.as_str();
        let place = source.place(attribute.span);
        if attributes[..position].iter().any(|other| other.name == attribute.name) {
            reading.error(place, format!("@{name} is written twice"), None);
        }
        let takes_arguments = matches!(name, "compensate" | "external");
        if !takes_arguments && MARKS.contains(&name) && !attribute.arguments.is_empty() {
            reading.error(place, format!("@{name} takes no arguments"), None);
        }
        match name {
            "asynchronous" => marks.asynchronous = true,
            "pivot" => marks.pivot = true,
            "retriable" => marks.retriable = true,
            "compensate" => marks.compensation = compensation(attribute, statement, source, reading),
            "external" if matches!(statement, Statement::Call { .. }) => {
                external = Some(self::external(attribute, source, reading));
            }
            "external" => reading.error(place, "@external belongs to CALL", "CALL payment.charge(…)".to_owned()),
            _ => reading.error(
                place,
                format!("there is no mark @{name}"),
                names::suggestion(name, &MARKS, "marks"),
            ),
        }
    }
    if marks.pivot && marks.retriable {
        let message = "@pivot may fail, @retriable may not: a statement is one of them";
        reading.error(source.place(attributes[0].span), message, None);
    }
    (marks, external)
}

fn compensation(
    attribute: &Attribute,
    statement: &Statement,
    source: &Source,
    reading: &mut Reading<'_>,
) -> Compensation {
    const HINT: &str = "@compensate(DELETE FROM …), @compensate(CALL …) or @compensate(nothing)";
    let place = source.place(attribute.span);
    if matches!(statement, Statement::Query(_)) {
        reading.error(place, "a query has no effect to compensate", None);
        return Compensation::Derived;
    }
    match &attribute.arguments[..] {
        [AttributeArgument::Statement(written)] => match **written {
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Call { .. } => {
                return Compensation::Written(Box::new(present::statement(written)));
            }
            _ => reading.error(
                place,
                "a compensation is a statement that writes, or a CALL",
                HINT.to_owned(),
            ),
        },
        [
            AttributeArgument::Expr(Expr {
                kind: ExprKind::Column(path),
                ..
            }),
        ] if path.last().is_some_and(|word| word.as_str() == "nothing") => {
            return Compensation::Nothing;
        }
        _ => reading.error(place, "@compensate takes one statement", HINT.to_owned()),
    }
    Compensation::Derived
}

fn external(attribute: &Attribute, source: &Source, reading: &mut Reading<'_>) -> External {
    let mut external = External {
        latency: base::Nanos::ZERO,
        fails: None,
        message: "refused".to_owned(),
    };
    for argument in &attribute.arguments {
        let AttributeArgument::Named(name, value) = argument else {
            let hint = "@external(latency = '80 ms', fails = '1 of 100', message = 'card declined')".to_owned();
            reading.error(source.place(attribute.span), "@external takes named arguments", hint);
            continue;
        };
        let ExprKind::String(text) = &value.kind else {
            reading.error(
                source.place(value.span),
                format!("{} must be a string", name.as_str()),
                None,
            );
            continue;
        };
        let result = match name.as_str() {
            "latency" => parse_duration(text).map(|latency| external.latency = latency),
            "fails" => fails(text).map(|share| external.fails = Some(share)),
            "message" => {
                external.message = text.to_string();
                Ok(())
            }
            other => {
                let hint = names::suggestion(other, &["latency", "fails", "message"], "it takes");
                reading.error(source.place(name.span), format!("@external takes no \"{other}\""), hint);
                Ok(())
            }
        };
        if let Err(error) = result {
            // Past the opening quote; a doubled quote before the place would shift it by one.
            let span = Span {
                start: value.span.start + 1 + error.offset,
                end: value.span.end,
            };
            reading.error(source.place(span), error.message, error.hint);
        }
    }
    external
}

/// `1 of 100`
fn fails(text: &str) -> Result<(u32, u32), PhraseError> {
    let mut phrase = Phrase::new(text)?;
    let hint = |error: PhraseError| error.with_hint("for example: fails = '1 of 100'".to_owned());
    let numerator = phrase.whole("how many calls").map_err(hint)?;
    phrase.expect("of").map_err(hint)?;
    let denominator = phrase.whole("how many calls").map_err(hint)?;
    phrase.end().map_err(hint)?;
    match (u32::try_from(numerator), u32::try_from(denominator)) {
        (Ok(numerator), Ok(denominator)) if numerator <= denominator && denominator > 0 => Ok((numerator, denominator)),
        _ => Err(hint(PhraseError::new(
            0,
            format!("{numerator} of {denominator} is no share"),
        ))),
    }
}

/// Compensatable statements, then at most one pivot, then retriable ones.
pub(super) fn order(statements: &[crate::Statement], reading: &mut Reading<'_>) {
    let mut pivot = false;
    let mut retriable = false;
    for statement in statements {
        let place = statement.place;
        let marks = &statement.marks;
        let must_succeed = pivot || marks.retriable || marks.asynchronous;
        if marks.pivot && pivot {
            reading.error(place, "an operation has one @pivot", None);
        }
        if marks.pivot && retriable {
            reading.error(
                place,
                "@pivot stands after a @retriable statement",
                "what may fail comes first".to_owned(),
            );
        }
        let effect = !statement.writes.is_empty() || matches!(statement.action, Action::Call { .. });
        if retriable && !pivot && effect && !must_succeed && !marks.pivot {
            let hint = "mark it @retriable too, or move it up".to_owned();
            reading.error(place, "a statement that may fail stands after a @retriable one", hint);
        }
        if must_succeed && matches!(statement.action, Action::AbortWhen { .. }) {
            let hint = "decide before the pivot".to_owned();
            reading.error(place, "ABORT WHEN after the @pivot could not undo what is done", hint);
        }
        if must_succeed && statement.expect_rows.is_some() {
            let hint = "check before the pivot".to_owned();
            reading.error(
                place,
                "EXPECT after the @pivot: what must succeed cannot be refused",
                hint,
            );
        }
        if must_succeed && marks.compensation != Compensation::Derived {
            reading.warning(place, "this compensation never runs: nothing after it can fail", None);
        }
        pivot |= marks.pivot;
        retriable |= marks.retriable;
    }
    asynchronous_last(statements, reading);
}

fn asynchronous_last(statements: &[crate::Statement], reading: &mut Reading<'_>) {
    let Some(first) = statements.iter().position(|statement| statement.marks.asynchronous) else {
        return;
    };
    for statement in &statements[first..] {
        if !statement.marks.asynchronous {
            let hint = "what may wait comes last".to_owned();
            reading.error(
                statement.place,
                "this statement comes after an @asynchronous one but is not one",
                hint,
            );
        }
        if let Action::Sql(sql) = &statement.action
            && statement.marks.asynchronous
            && matches!(**sql, syntax::Statement::Query(_))
        {
            reading.error(
                statement.place,
                "nobody waits for the rows of an @asynchronous query",
                None,
            );
        }
    }
}
