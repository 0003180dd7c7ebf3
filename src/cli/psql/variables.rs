//! psql's variables: `\set x 5`, then `:x`, `:'x'` or `:"x"` in SQL and in backslash commands.

use std::collections::BTreeMap;

pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn new() -> Variables {
        let mut variables = Variables(BTreeMap::new());
        for (name, value) in [("ERROR", "false"), ("SQLSTATE", "00000"), ("ROW_COUNT", "0")] {
            variables.set(name, value);
        }
        variables
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(String::as_str), Some("on" | "true" | "1"))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What a reference at the start of `text` stands for, and its length.
    pub(super) fn reference(&self, text: &str) -> Option<(String, usize)> {
        let rest = text.strip_prefix(':')?;
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let name_start = 1 + usize::from(quote.is_some());
        let length = text[name_start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()))
            .unwrap_or(text.len() - name_start);
        let end = name_start + length;
        let value = self.0.get(&text[name_start..end])?;
        match quote {
            None => Some((value.clone(), end)),
            Some(quote) if text[end..].starts_with(quote) => {
                let quoted = match quote {
                    '"' => format!("\"{}\"", value.replace('"', "\"\"")),
                    _ => syntax::quote_string(value),
                };
                Some((quoted, end + 1))
            }
            Some(_) => None,
        }
    }

    /// The statement with its references replaced, or `None` if there are none. Inside of quotes
    /// and behind a colon (`::`) nothing is replaced.
    pub(super) fn interpolate(&self, text: &str) -> Option<String> {
        let mut replaced = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(lexeme) = syntax::next_lexeme(text, at) {
            let colon = text[at..].starts_with(':') && !text[..at].ends_with(':');
            match self.reference(&text[at..]).filter(|_| colon) {
                Some((value, length)) => {
                    replaced.push_str(&text[copied..at]);
                    replaced.push_str(&value);
                    at += length;
                    copied = at;
                }
                None => at += lexeme.length,
            }
        }
        (copied > 0).then(|| replaced + &text[copied..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_outside_of_quotes_are_replaced() {
        let mut variables = Variables::new();
        variables.set("x", "5");
        variables.set("s", "it's");
        for (text, expected) in [
            ("SELECT :x + :x", Some("SELECT 5 + 5")),
            (
                "SELECT f(:x, ':x', :'s', :\"x\")",
                Some("SELECT f(5, ':x', 'it''s', \"5\")"),
            ),
            ("SELECT a::x, :unknown, ':x'", None),
            ("SELECT $$:x$$ /* :x */ -- :x", None),
        ] {
            assert_eq!(variables.interpolate(text).as_deref(), expected);
        }
    }
}
