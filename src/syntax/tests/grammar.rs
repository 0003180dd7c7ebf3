//! Which tree a text gives: precedence, names, strings, the scenario's own statements, and errors.

use syntax::{
    AttributeArgument, Dialect, ExprKind, SelectItem, Statement, parse_expression, parse_script, parse_statement,
    print, print_expr,
};

/// Each pair must give the same tree: the table of precedence of PostgreSQL (gram.y).
#[test]
fn operators_bind_as_in_postgresql() {
    for (text, meaning) in [
        ("-2 ^ 2", "(-2) ^ 2"),
        ("2 ^ 3 ^ 2", "(2 ^ 3) ^ 2"),
        ("-a::integer", "-(a::integer)"),
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a || b + c", "a || (b + c)"),
        ("a -> b || c", "(a -> b) || c"),
        ("a || b = c || d", "(a || b) = (c || d)"),
        ("NOT a = b", "NOT (a = b)"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("NOT a AND b", "(NOT a) AND b"),
        ("a OR b AND c", "a OR (b AND c)"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a = b IS DISTINCT FROM c = d", "(a = b) IS DISTINCT FROM (c = d)"),
        ("a = b LIKE c", "a = (b LIKE c)"),
        ("a LIKE b || c", "a LIKE (b || c)"),
        ("a LIKE b = c", "(a LIKE b) = c"),
        ("a BETWEEN b AND c AND d", "(a BETWEEN b AND c) AND d"),
        ("a BETWEEN b = c AND d", "a BETWEEN (b = c) AND d"),
        ("a IN (1, 2) = b", "(a IN (1, 2)) = b"),
        ("a NOT IN (1) OR b", "(a NOT IN (1)) OR b"),
        ("a IS NULL IS NULL", "(a IS NULL) IS NULL"),
        ("a = NOT b = c", "a = (NOT (b = c))"),
        ("a ISNULL", "a IS NULL"),
        ("a NOTNULL", "a IS NOT NULL"),
        ("a != b", "a <> b"),
        ("a=-1", "a = (-1)"),
        ("a<-1", "a < (-1)"),
        ("a*-b", "a * (-b)"),
        ("CAST(a AS integer)", "a::integer"),
        ("int '5'", "'5'::integer"),
        ("timestamp with time zone '2000-01-01'", "'2000-01-01'::timestamptz"),
        ("(a)", "a"),
        ("((SELECT 1) + 2)", "(SELECT 1) + 2"),
        ("((SELECT 1) UNION SELECT 2)", "(SELECT 1 UNION SELECT 2)"),
        ("a IN ((SELECT 1))", "a IN (SELECT 1)"),
        ("substring(a FROM 2 FOR 3)", "substring(a, 2, 3)"),
        ("trim(LEADING 'x' FROM a)", "ltrim(a, 'x')"),
    ] {
        let parse = |text| parse_expression(text, Dialect::Postgres).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parse(text), parse(meaning), "{text} means {meaning}");
    }
}

#[test]
fn only_the_parentheses_that_are_needed_are_printed() {
    for text in [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "-(a ^ b)",
        "- -a",
        "(-5)::integer",
        "NOT a AND (b OR c)",
        "(a = b) = c",
        "(a IS NULL) IS NOT TRUE",
        "a BETWEEN (b IN (1)) AND c",
        "ROW(a)",
        "(a, b)",
        "count(*) FILTER (WHERE a > 0)",
        "current_timestamp",
        "coalesce(a, b)",
        "\"left\" = left(a, 1)",
        "a = ANY ($1)",
    ] {
        let expr = parse_expression(text, Dialect::Postgres).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(print_expr(&expr), text);
    }
}

#[test]
fn names_fold_and_strings_unescape_as_in_postgresql() {
    for (text, value) in [
        ("'it''s'", "it's"),
        ("'a\\n'", "a\\n"),
        ("E'a\\n\\'\\x41\\u00e4'", "a\n'Aä"),
        ("$$it's$$", "it's"),
        ("$tag$ $$ $tag$", " $$ "),
        ("'one'\n  'two'", "onetwo"),
        ("'one' -- comment\n'two'", "onetwo"),
    ] {
        match parse_expression(text, Dialect::Postgres).map(|expr| expr.kind) {
            Ok(ExprKind::String(string)) => assert_eq!(&*string, value),
            other => panic!("{text}: {other:?}"),
        }
    }
    for (text, printed) in [
        ("Users.\"Id\"", "users.\"Id\""),
        // Only ASCII letters fold.
        ("ÄPFEL", "\"Äpfel\""),
        ("select_", "select_"),
    ] {
        let expr = parse_expression(text, Dialect::Postgres).unwrap();
        assert_eq!(print_expr(&expr), printed);
    }
}

#[test]
fn spans_point_at_the_text() {
    let text = "SELECT ä, b + c FROM s.t WHERE é = 'x'";
    let Ok(Statement::Query(query)) = parse_statement(text, Dialect::Postgres) else {
        panic!()
    };
    let syntax::QueryBody::Select(select) = &query.body else {
        panic!()
    };
    let of = |span: syntax::Span| &text[span.start as usize..span.end as usize];
    let SelectItem::Expr { expr, .. } = &select.items[1] else {
        panic!()
    };
    assert_eq!(of(expr.span), "b + c");
    assert_eq!(of(select.filter.as_ref().unwrap().span), "é = 'x'");
    let syntax::TableRef::Table { name, .. } = &select.from[0] else {
        panic!()
    };
    assert_eq!(of(name.span()), "s.t");
}

#[test]
fn scenarios_have_variables_marks_and_checks() {
    let text = "
        @compensate(DELETE FROM auth.users WHERE id = :id)
        INSERT INTO auth.users (id) VALUES (:id) RETURNING id INTO :new;
        @external(latency = '80 ms', fails = '1 in 100') @pivot
        CALL payment(:id, 5);
        SELECT balance INTO :balance FROM accounts WHERE id = :id FOR UPDATE;
        EXPECT 1 ROW;
        ABORT WHEN :balance < 5 MESSAGE 'not enough';
    ";
    let items = parse_script(text, Dialect::Scenario).unwrap();
    assert_eq!(items.len(), 5);
    assert!(matches!(
        &items[0].attributes[0].arguments[..],
        [AttributeArgument::Statement(_)]
    ));
    assert!(matches!(
        &items[1].attributes[0].arguments[..],
        [AttributeArgument::Named(..), AttributeArgument::Named(..)]
    ));
    assert_eq!(items[1].attributes[1].name.as_str(), "pivot");
    assert_eq!(print(&items[1].statement), "CALL payment(:id, 5)");
    assert_eq!(items[3].statement, Statement::Expect { rows: 1 });
    for item in &items {
        let again = parse_statement(&print(&item.statement), Dialect::Scenario).unwrap();
        assert_eq!(again, item.statement);
    }
    for (statement, near) in [("SELECT :x", ":"), ("EXPECT 1 ROW", "EXPECT"), ("@pivot SELECT 1", "@")] {
        let error = parse_statement(statement, Dialect::Postgres).unwrap_err();
        assert_eq!(error.message, format!("syntax error at or near \"{near}\""));
    }
}

#[test]
fn a_prepared_statement_is_one_statement() {
    assert!(parse_statement("SELECT 1;", Dialect::Postgres).is_ok());
    let two = parse_statement("SELECT 1; SELECT 2", Dialect::Postgres).unwrap_err();
    assert_eq!(two.message, "cannot insert multiple commands into a prepared statement");
    assert_eq!(
        parse_script("SELECT 1;; SELECT 2;", Dialect::Postgres).unwrap().len(),
        2
    );
    assert!(parse_script(" -- nothing\n", Dialect::Postgres).unwrap().is_empty());
}
