//! Numbers as people read them. Modelled quantities have two significant figures; counted ones all.

pub(crate) use report::number::{count, modelled, plural, split, two_figures};

/// A table as RFC 4180 wants it.
pub(crate) fn csv(header: &[String], rows: &[Vec<String>]) -> String {
    let field = |text: &String| {
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.clone()
        }
    };
    let line = |row: &[String]| row.iter().map(field).collect::<Vec<_>>().join(",") + "\r\n";
    std::iter::once(header)
        .chain(rows.iter().map(Vec::as_slice))
        .map(line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_signs_is_quoted() {
        let table = csv(
            &["a".to_owned(), "b".to_owned()],
            &[vec!["x,y".to_owned(), "say \"z\"".to_owned()]],
        );
        assert_eq!(table, "a,b\r\n\"x,y\",\"say \"\"z\"\"\"\r\n");
    }
}
