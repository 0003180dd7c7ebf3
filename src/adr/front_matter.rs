//! The front matter: TOML into an article, with the place of everything that is wrong.

use std::ops::Range;

use base::Nanos;
use report::{Check, Measure};
use toml_edit::{Document, Item, Table, TableLike};

use crate::article::{Article, Claim, Fault, Source, Status};

/// Lines of the file before the front matter's first one.
const BEFORE: usize = 1;

/// A round trip longer than this is no network's.
const MOST_ROUND_TRIP_MS: i64 = 10_000;

pub(crate) fn read(matter: &str, body: &str) -> Result<Article, Vec<Fault>> {
    let mut reading = Reading {
        text: matter,
        faults: Vec::new(),
    };
    let document: Document<&str> = match Document::parse(matter) {
        Ok(document) => document,
        Err(error) => {
            reading.fault(error.span(), error.message().to_owned(), None);
            return Err(reading.faults);
        }
    };
    let article = reading.article(document.as_table(), body);
    if reading.faults.is_empty() {
        Ok(article)
    } else {
        Err(reading.faults)
    }
}

struct Reading<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn article(&mut self, table: &Table, body: &str) -> Article {
        const KNOWN: [&str; 12] = [
            "slug",
            "title",
            "summary",
            "status",
            "date",
            "system",
            "sources",
            "supersedes",
            "superseded_by",
            "scenario",
            "designs",
            "claims",
        ];
        self.known(table, &KNOWN);
        let status = self.status(table);
        let article = Article {
            slug: self.slug(table, "slug"),
            title: self.required(table, "title"),
            summary: self.required(table, "summary"),
            status,
            date: self.date(table),
            system: self.optional(table, "system").unwrap_or_default(),
            sources: self.tables(table, "sources", Reading::source),
            supersedes: self.strings(table, "supersedes"),
            superseded_by: self.optional(table, "superseded_by"),
            scenario: self.optional(table, "scenario"),
            designs: self.strings(table, "designs"),
            claims: self.tables(table, "claims", Reading::claim),
            body: body.to_owned(),
        };
        if article.status == Status::Superseded && article.superseded_by.is_none() {
            let place = table.get("status").and_then(Item::span);
            let hint = "say by which: `superseded_by = \"slug\"`, or in words if it is not here";
            self.fault(place, "a superseded decision has a successor".to_owned(), Some(hint));
        }
        self.unique_claims(table, &article.claims);
        article
    }

    fn unique_claims(&mut self, table: &Table, claims: &[Claim]) {
        for (index, claim) in claims.iter().enumerate() {
            if claims[..index].iter().any(|other| other.id == claim.id) {
                let place = table.get("claims").and_then(Item::as_array_of_tables);
                let place = place.and_then(|tables| tables.get(index)).and_then(Table::span);
                self.fault(place, format!("there are two claims \"{}\"", claim.id), None);
            }
        }
    }

    fn status(&mut self, table: &Table) -> Status {
        let text = self.required(table, "status");
        if let Some(status) = Status::ALL.into_iter().find(|status| status.name() == text) {
            return status;
        }
        if !text.is_empty() {
            let known: Vec<&str> = Status::ALL.into_iter().map(Status::name).collect();
            let hint = format!("there are: {}", known.join(", "));
            self.fault(
                table.get("status").and_then(Item::span),
                format!("unknown status \"{text}\""),
                Some(&hint),
            );
        }
        Status::Proposed
    }

    fn date(&mut self, table: &Table) -> String {
        let text = self.required(table, "date");
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').collect();
        let sound = match parts.as_slice() {
            [year] => digits(year, 4),
            [year, month] => digits(year, 4) && digits(month, 2),
            [year, month, day] => digits(year, 4) && digits(month, 2) && digits(day, 2),
            _ => false,
        };
        if !sound && !text.is_empty() {
            self.fault(
                table.get("date").and_then(Item::span),
                format!("\"{text}\" is no date"),
                Some("write \"2021-12-15\", or \"2025-12\" or \"2025\" if no more is known"),
            );
        }
        text
    }

    fn slug(&mut self, table: &dyn TableLike, key: &str) -> String {
        let text = self.required(table, key);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !text.is_empty() && !text.chars().all(allowed) {
            self.fault(
                table.get(key).and_then(Item::span),
                format!("\"{text}\" cannot be part of an address"),
                Some("small letters, digits and hyphens"),
            );
        }
        text
    }

    fn source(&mut self, table: &dyn TableLike) -> Source {
        self.known(table, &["title", "url"]);
        let url = self.optional(table, "url");
        if url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            self.fault(
                table.get("url").and_then(Item::span),
                "an address of a source begins with https://".to_owned(),
                None,
            );
        }
        Source {
            title: self.required(table, "title"),
            url,
        }
    }

    fn claim(&mut self, table: &dyn TableLike) -> Claim {
        self.known(table, &["id", "text", "says", "note", "checks"]);
        Claim {
            id: self.slug(table, "id"),
            text: self.required(table, "text"),
            says: self.optional(table, "says"),
            note: self.optional(table, "note"),
            checks: self.tables(table, "checks", Reading::check),
        }
    }

    fn check(&mut self, table: &dyn TableLike) -> Check {
        const KNOWN: [&str; 8] = [
            "under",
            "measure",
            "design",
            "against",
            "operation",
            "round_trip_ms",
            "fleet",
            "expect",
        ];
        self.known(table, &KNOWN);
        let measure = self.measure(table);
        for key in needed(measure) {
            if table.get(key).is_none() {
                self.fault(
                    span(table),
                    format!("\"{}\" is measured with `{key}`", measure.name()),
                    None,
                );
            }
        }
        Check {
            under: self.optional(table, "under").unwrap_or_default(),
            measure,
            design: self.optional(table, "design"),
            against: self.optional(table, "against"),
            operation: self.optional(table, "operation"),
            round_trip: self.round_trip(table),
            fleet: self.optional(table, "fleet"),
            expect: self.expectation(table),
        }
    }

    fn measure(&mut self, table: &dyn TableLike) -> Measure {
        let text = self.required(table, "measure");
        if let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.name() == text) {
            return measure;
        }
        if !text.is_empty() {
            let known: Vec<&str> = Measure::ALL.into_iter().map(Measure::name).collect();
            let hint = format!("there are: {}", known.join(", "));
            let place = table.get("measure").and_then(Item::span);
            self.fault(place, format!("nothing measures \"{text}\""), Some(&hint));
        }
        Measure::Price
    }

    fn expectation(&mut self, table: &dyn TableLike) -> report::Expectation {
        let text = self.required(table, "expect");
        match text.parse() {
            Ok(expectation) => expectation,
            Err(message) => {
                let hint = "write `at most 0`, `at least 2`, `exactly 3` or `within 20 % of 15`";
                self.fault(table.get("expect").and_then(Item::span), message, Some(hint));
                report::Expectation::Exactly(0.0)
            }
        }
    }

    fn round_trip(&mut self, table: &dyn TableLike) -> Option<Nanos> {
        let item = table.get("round_trip_ms")?;
        let millis = item
            .as_integer()
            .filter(|millis| (0..=MOST_ROUND_TRIP_MS).contains(millis));
        if millis.is_none() {
            let hint = format!("a whole number from 0 to {MOST_ROUND_TRIP_MS}");
            self.fault(item.span(), "this is no round trip".to_owned(), Some(&hint));
        }
        millis.map(|millis| Nanos::from_millis(millis.unsigned_abs()))
    }

    /// Every `[[key]]`.
    fn tables<T>(&mut self, table: &dyn TableLike, key: &str, read: fn(&mut Self, &dyn TableLike) -> T) -> Vec<T> {
        match table.get(key) {
            None => Vec::new(),
            Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| read(self, table)).collect(),
            Some(other) => {
                let hint = format!("write `[[{key}]]`, one for each");
                self.fault(other.span(), format!("`{key}` is a list of tables"), Some(&hint));
                Vec::new()
            }
        }
    }

    fn strings(&mut self, table: &dyn TableLike, key: &str) -> Vec<String> {
        let Some(item) = table.get(key) else {
            return Vec::new();
        };
        let texts = item
            .as_array()
            .map(|array| array.iter().map(|value| value.as_str()).collect());
        let texts: Option<Vec<&str>> = texts.and_then(|texts: Vec<Option<&str>>| texts.into_iter().collect());
        if texts.is_none() {
            self.fault(item.span(), format!("`{key}` is a list of texts"), None);
        }
        texts.unwrap_or_default().into_iter().map(str::to_owned).collect()
    }

    fn required(&mut self, table: &dyn TableLike, key: &str) -> String {
        match self.optional(table, key) {
            Some(text) if !text.trim().is_empty() => text,
            Some(_) => {
                self.fault(table.get(key).and_then(Item::span), format!("`{key}` is empty"), None);
                String::new()
            }
            None => {
                if table.get(key).is_none() {
                    let hint = format!("write `{key} = \"…\"`");
                    self.fault(span(table), format!("`{key}` is missing"), Some(&hint));
                }
                String::new()
            }
        }
    }

    fn optional(&mut self, table: &dyn TableLike, key: &str) -> Option<String> {
        let item = table.get(key)?;
        let text = item.as_str();
        if text.is_none() {
            self.fault(item.span(), format!("`{key}` is a text in quotes"), None);
        }
        text.map(str::to_owned)
    }

    fn known(&mut self, table: &dyn TableLike, known: &[&str]) {
        for (key, item) in table.iter() {
            if !known.contains(&key) {
                let hint = format!("there are: {}", known.join(", "));
                self.fault(item.span(), format!("unknown key `{key}`"), Some(&hint));
            }
        }
    }

    fn fault(&mut self, place: Option<Range<usize>>, message: String, hint: Option<&str>) {
        let before = self
            .text
            .get(..place.map_or(0, |place| place.start))
            .unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.faults.push(Fault {
            line: BEFORE + before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            hint: hint.map(str::to_owned),
        });
    }
}

/// Of a table: where its first value stands.
fn span(table: &dyn TableLike) -> Option<Range<usize>> {
    table
        .iter()
        .filter_map(|(_, item)| item.span())
        .min_by_key(|span| span.start)
}

fn needed(measure: Measure) -> &'static [&'static str] {
    match measure {
        Measure::Latency | Measure::RoundTrips | Measure::Broken | Measure::Window => &["design", "operation"],
        Measure::Refusals | Measure::Weakened => &["design"],
        Measure::DifferentTables => &["design", "against"],
        Measure::Price => &["fleet"],
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    const SOUND: &str = r#"+++
slug = "one"
title = "One"
summary = "In short."
status = "accepted"
date = "2025-10"
system = "sv-sdk"

[[claims]]
id = "fast"
text = "It is fast."
says = "~15 ms"

[[claims.checks]]
under = "5 ms"
measure = "latency"
design = "schemas-in-one-database"
operation = "get_user"
round_trip_ms = 5
expect = "within 20 % of 15"
+++

# One
"#;

    fn faults(text: &str) -> Vec<String> {
        parse(text)
            .expect_err("it is wrong")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn an_article_is_read_with_its_claims() {
        let article = parse(SOUND).expect("it is sound");
        assert!(article.is_studied());
        assert_eq!(article.body, "# One\n");
        let check = &article.claims[0].checks[0];
        assert_eq!(check.measure, report::Measure::Latency);
        assert_eq!(check.round_trip, Some(base::Nanos::from_millis(5)));
        assert_eq!(check.expect.to_string(), "within 20 % of 15");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |from: &str, to: &str| faults(&SOUND.replace(from, to));
        assert_eq!(
            wrong("status = \"accepted\"", "status = \"agreed\""),
            ["5:10: unknown status \"agreed\"; there are: proposed, accepted, superseded, deprecated, rejected"]
        );
        assert_eq!(wrong("date = \"2025-10\"", "date = \"October\"").len(), 1);
        assert!(wrong("measure = \"latency\"", "measure = \"speed\"")[0].starts_with("16:11: nothing measures"));
        assert!(wrong("expect = \"within 20 % of 15\"", "expect = \"quick\"")[0].contains("at most 0"));
        assert!(wrong("operation = \"get_user\"\n", "")[0].contains("`operation`"));
        assert!(wrong("slug = \"one\"", "slug = \"One!\"")[0].contains("address"));
        assert!(wrong("slug = \"one\"\n", "")[0].contains("`slug` is missing"));
        assert!(wrong("says =", "say =")[0].contains("unknown key `say`"));
        assert!(wrong("status = \"accepted\"", "status = \"superseded\"")[0].contains("successor"));
        assert!(faults("# One\n")[0].contains("no front matter"));
        assert!(faults("+++\nslug = \n+++\n\n# One\n")[0].starts_with("2:"));
    }
}
