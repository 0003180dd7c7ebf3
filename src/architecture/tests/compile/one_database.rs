//! One database: transactions as the scenario writes them.

use program::{Op, Role};

use crate::*;

#[test]
fn an_operation_is_one_transaction() {
    let compilation = compile(ONE, SIGN_UP);
    let create = program(&compilation, "create_user");
    let texts = statements(create);
    assert_eq!(
        texts.len(),
        6,
        "BEGIN, three inserts, COMMIT, and the ROLLBACK of the handler: {texts:?}"
    );
    assert_eq!((texts[0], texts[4], texts[5]), ("BEGIN", "COMMIT", "ROLLBACK"));
    assert!(compilation.weakened.is_empty() && compilation.refusals.is_empty());
}

#[test]
fn the_application_owns_nothing_and_an_auditor_reads_one_schema() {
    let compilation = compile(ONE, SIGN_UP);
    let deployment = &compilation.deployment;
    assert!(deployment.pools.iter().all(|pool| pool.role == "application"));
    let ddl = &deployment.databases[0].definitions;
    let granted = |to: &str| -> Vec<&str> {
        let to_role = |ddl: &&String| ddl.starts_with("GRANT") && ddl.ends_with(&format!(" TO {to}"));
        ddl.iter().filter(to_role).map(String::as_str).collect()
    };
    assert_eq!(
        granted("audit_reader"),
        [
            "GRANT USAGE ON SCHEMA audit TO audit_reader",
            "GRANT SELECT ON ALL TABLES IN SCHEMA audit TO audit_reader"
        ]
    );
    assert_eq!(granted("read_only").len(), 1, "besides the use of the schemas");
}

#[test]
fn a_single_statement_is_one_round_trip() {
    let compilation = compile(ONE, SIGN_UP);
    for name in ["get_user", "user_with_roles", "append_audit", "activity_report"] {
        assert_eq!(statements(program(&compilation, name)).len(), 1, "{name}");
    }
    let update = statements(program(&compilation, "update_user"));
    assert_eq!(
        update[0], "BEGIN",
        "EXPECT must be able to undo its statement: {update:?}"
    );
}

#[test]
fn an_abort_is_decided_inside_of_the_transaction() {
    let compilation = compile(ONE, BANK);
    let listing = text(&compilation, "transfer");
    in_order(
        &listing,
        &[
            "BEGIN",
            "SELECT balance FROM north.accounts WHERE id = $1 FOR UPDATE [source] → before",
            "if (before Less amount)",
            "abort Text(\"not enough money\")",
            "UPDATE north.accounts SET balance = balance - $1, version = version + 1 WHERE id = $2 [amount, source] expecting 1",
            "INSERT INTO news.events",
            "COMMIT",
            "catch",
            "ROLLBACK",
            "rethrow",
        ],
    );
}

#[test]
fn the_isolation_asked_for_is_in_begin() {
    let compilation = compile(ONE, SCHOOL);
    let begins: Vec<&str> = compilation
        .programs
        .iter()
        .flat_map(statements)
        .filter(|sql| sql.starts_with("BEGIN ISOLATION LEVEL"))
        .collect();
    assert!(!begins.is_empty(), "the scenario asks for an isolation level");
}

#[test]
fn a_call_to_the_outside_happens_at_a_node_of_its_own() {
    let compilation = compile(ONE, BOOKING);
    let book = program(&compilation, "book");
    let mut calls = Vec::new();
    visit(book, &book.body, &mut |step| {
        if let Op::Work { node, fails, .. } = &step.op {
            calls.push((
                compilation.deployment.node(*node).name.clone(),
                fails.clone().map(|f| f.denominator),
            ));
        }
    });
    assert_eq!(calls, [("payment".to_owned(), Some(20))]);
    assert!(
        compilation
            .programs
            .iter()
            .flat_map(|p| &p.steps)
            .all(|step| step.role != Role::Compensation)
    );
}

#[test]
fn foreign_keys_across_owners_are_kept() {
    let compilation = compile(ONE, SIGN_UP);
    let ddl = compilation.deployment.databases[0].definitions.join("\n");
    assert!(
        ddl.contains("FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE"),
        "{ddl}"
    );
}

#[test]
fn a_key_to_a_later_table_is_added_afterwards() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY);\nCREATE TABLE a.y (id int PRIMARY KEY, x int REFERENCES a.x);";
    let compilation = compile(
        ONE,
        &small(tables, "id = \"new id\"", "INSERT INTO a.x (id) VALUES (:id);"),
    );
    let ddl = &compilation.deployment.databases[0].definitions;
    assert_eq!(ddl[0], "CREATE SCHEMA a");
    assert!(ddl[2].contains("FOREIGN KEY (x) REFERENCES a.x (id)"), "{ddl:?}");
}

#[test]
fn operands_that_no_column_explains_have_their_type() {
    let compilation = compile(ONE, SHOP);
    let order = text(&compilation, "place_order");
    assert!(order.contains("::integer * $"), "{order}");
    let plain = text(&compile(ONE, SIGN_UP), "get_user");
    assert!(
        plain.contains("tenant_id = $1 AND id = $2"),
        "a column explains these: {plain}"
    );
}
