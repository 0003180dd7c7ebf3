//! Names and values as SQL writes them.

use base::Value;

use crate::keyword::{Class, class};

/// In double quotes where PostgreSQL's `quote_ident` puts them.
pub fn identifier(name: &str) -> String {
    let mut bytes = name.bytes();
    let safe = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if safe && class(name) == Class::Free {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// In single quotes, with inner quotes doubled (`standard_conforming_strings` is on).
pub fn quote_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An expression that has this value and, text and NULL apart, this type wherever it stands.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int4(number) if *number >= 0 => number.to_string(),
        Value::Int4(number) => format!("'{number}'::integer"),
        Value::Int2(number) => format!("'{number}'::smallint"),
        Value::Int8(number) => format!("'{number}'::bigint"),
        Value::Text(text) => quote_string(text),
        Value::Timestamptz(_) => format!("'{value}'::timestamptz"),
        Value::Numeric(_) => format!("'{value}'::numeric"),
        Value::Date(_) => format!("'{value}'::date"),
        Value::Timestamp(_) => format!("'{value}'::timestamp"),
        Value::Interval(_) => format!("'{value}'::interval"),
        Value::Float8(_) => format!("'{value}'::double precision"),
        Value::Uuid(_) => format!("'{value}'::uuid"),
        Value::Daterange(_) => format!("'{value}'::daterange"),
        Value::Tid(..) => format!("'{value}'::tid"),
        Value::Oid(_) => format!("'{value}'::oid"),
        Value::Regclass(_, name) => format!("{}::regclass", quote_string(name)),
        Value::Record(items) => format!("ROW({})", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Bytea(_) => format!("'{value}'::bytea"),
        Value::Jsonb(text) => format!("{}::jsonb", quote_string(text)),
        Value::List(items) if items.is_empty() => "'{}'".to_owned(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("ARRAY[{}]", items.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_would_be_read_otherwise() {
        for (name, sql) in [
            ("users", "users"),
            ("_1a", "_1a"),
            ("name", "name"),
            ("Users", "\"Users\""),
            ("user", "\"user\""),
            ("left", "\"left\""),
            ("values", "\"values\""),
            ("1a", "\"1a\""),
            ("a\"b", "\"a\"\"b\""),
            ("", "\"\""),
        ] {
            assert_eq!(identifier(name), sql);
        }
    }

    #[test]
    fn literals_keep_their_type() {
        assert_eq!(literal(&Value::Int4(i32::MIN)), "'-2147483648'::integer");
        assert_eq!(literal(&Value::Int8(5)), "'5'::bigint");
        assert_eq!(literal(&Value::text("it's")), "'it''s'");
        assert_eq!(literal(&Value::Timestamptz(0)), "'2000-01-01 00:00:00+00'::timestamptz");
    }
}
