//! Files in an object store: keys, which requests a statement becomes, what is decided before the first write.

use program::{ErrorClass, ObjectRequest, ObjectState, Step};

use crate::listing::expression;
use crate::*;

const OBJECTS: &str = "object-store";

const TABLES: &str = "CREATE TABLE a.users (id text PRIMARY KEY, team int NOT NULL, email text NOT NULL UNIQUE, n int NOT NULL DEFAULT 0 CHECK (n >= 0));\n\
    CREATE TABLE b.notes (user_id text NOT NULL REFERENCES a.users ON DELETE CASCADE, no int NOT NULL, words text, PRIMARY KEY (user_id, no));";

fn act(parameters: &str, sql: &str) -> Compilation {
    compile(OBJECTS, &small(TABLES, parameters, sql))
}

/// What is asked of the bucket, in the order of the program's text.
fn requests(compilation: &Compilation) -> Vec<(String, String)> {
    let program = program(compilation, "act");
    let mut found = Vec::new();
    visit(program, &program.body, &mut |step: &Step| {
        if let Op::Object { request, .. } = &step.op {
            let (verb, key) = match request {
                ObjectRequest::Get { key, .. } => ("GET", key),
                ObjectRequest::List { prefix, .. } => ("LIST", prefix),
                ObjectRequest::Put { key, .. } => ("PUT", key),
                ObjectRequest::Delete { key, .. } => ("DELETE", key),
            };
            found.push((verb.to_owned(), expression(program, key)));
        }
    });
    found
}

fn verbs(compilation: &Compilation) -> Vec<String> {
    requests(compilation).into_iter().map(|(verb, _)| verb).collect()
}

fn weakened(compilation: &Compilation) -> Vec<&str> {
    compilation.weakened.iter().map(|w| w.constraint.as_str()).collect()
}

#[test]
fn a_row_by_its_key_is_a_get_and_any_other_a_listing_and_gets() {
    let by_key = act(
        "id = \"new id\"",
        "SELECT words FROM b.notes WHERE user_id = :id AND no = 3;",
    );
    assert_eq!(
        requests(&by_key),
        [("GET".to_owned(), "path(b.notes/, id, Int8(3), .json)".to_owned())]
    );
    let by_part = act("id = \"new id\"", "SELECT words FROM b.notes WHERE user_id = :id;");
    assert_eq!(verbs(&by_part), ["LIST", "GET"]);
    assert_eq!(requests(&by_part)[0].1, "path(b.notes/, id, /)");
    // The second part of a key alone is no beginning.
    let whole = act("n = \"between 1 and 9\"", "SELECT words FROM b.notes WHERE no = :n;");
    assert_eq!(requests(&whole)[0].1, "path(b.notes/, , )");
}

#[test]
fn a_join_fetches_by_the_keys_that_it_has() {
    let joined = act(
        "id = \"new id\"",
        "SELECT u.email, n.words FROM a.users u JOIN b.notes n ON n.user_id = u.id WHERE u.id = :id;",
    );
    assert_eq!(verbs(&joined), ["GET", "LIST", "GET"]);
}

#[test]
fn the_tenant_leads_the_key_where_every_row_has_one() {
    let text = |null: &str| {
        format!(
            "title = \"T\"\ntenant_column = \"team\"\n[schema]\nsql = \"\"\"\nCREATE TABLE a.users (id text PRIMARY KEY, team int {null});\n\"\"\"\n\
             [population]\ntenants = 2\n[[operation]]\nname = \"act\"\nparameters = {{ t = \"tenant\", id = \"new id\" }}\n\
             sql = \"SELECT team FROM a.users WHERE id = :id AND team = :t;\"\n[load]\nclients = \"serial\"\nrequests = 1\n"
        )
    };
    let led = compile(OBJECTS, &text("NOT NULL"));
    assert_eq!(requests(&led)[0].1, "path(a.users/, t, id, .json)");
    assert!(weakened(&led).contains(&"PRIMARY KEY of a.users"));
    let nullable = compile(OBJECTS, &text(""));
    assert_eq!(requests(&nullable)[0].1, "path(a.users/, id, .json)");
}

#[test]
fn an_insert_creates_and_an_update_replaces_what_it_has_read() {
    let conditions = |compilation: &Compilation| -> Vec<(bool, ErrorClass)> {
        let program = program(compilation, "act");
        let mut found = Vec::new();
        visit(program, &program.body, &mut |step: &Step| {
            if let Op::Object {
                request: ObjectRequest::Put { condition, .. } | ObjectRequest::Delete { condition, .. },
                ..
            } = &step.op
                && let Some(condition) = condition
            {
                found.push((condition.holds == ObjectState::Absent, condition.class));
            }
        });
        found
    };
    let insert = act(
        "id = \"new id\"",
        "INSERT INTO b.notes (user_id, no, words) VALUES (:id, 1, 'x');",
    );
    assert_eq!(conditions(&insert), [(true, ErrorClass::Refused)]);
    assert_eq!(verbs(&insert), ["GET", "PUT"], "the row that it refers to is looked up");
    let update = act(
        "id = \"new id\"",
        "UPDATE b.notes SET words = 'y' WHERE user_id = :id AND no = 1;",
    );
    assert_eq!(conditions(&update), [(false, ErrorClass::Transient); 2]);
    // Read, put; and once more if somebody was faster.
    assert_eq!(verbs(&update), ["GET", "PUT", "GET", "PUT"]);
    let sabotaged = compile_with(
        OBJECTS,
        &small(
            TABLES,
            "id = \"new id\"",
            "UPDATE b.notes SET words = 'y' WHERE user_id = :id AND no = 1;",
        ),
        &[architecture::Sabotage::WithoutConditions],
    );
    assert_eq!(conditions(&sabotaged), []);
}

#[test]
fn a_unique_value_has_an_object_of_its_own() {
    let insert = act(
        "id = \"new id\", email = \"new email\"",
        "INSERT INTO a.users (id, team, email) VALUES (:id, 1, :email);",
    );
    let asked = requests(&insert);
    // Both are looked for before either is put.
    assert_eq!(verbs(&insert), ["GET", "GET", "PUT", "PUT"], "{asked:?}");
    assert!(asked[2].1.starts_with("path(unique/a.users.email/"), "{asked:?}");
    assert!(weakened(&insert).contains(&"a.users UNIQUE (email)"));
    let free = compile_with(
        OBJECTS,
        &small(
            TABLES,
            "id = \"new id\", email = \"new email\"",
            "INSERT INTO a.users (id, team, email) VALUES (:id, 1, :email);",
        ),
        &[architecture::Sabotage::WithoutGuards],
    );
    assert_eq!(verbs(&free), ["PUT"]);
}

#[test]
fn everything_is_decided_before_the_first_write() {
    let compilation = act(
        "id = \"new id\", other = \"new id\"",
        "UPDATE a.users SET n = n - 1 WHERE id = :id;\nEXPECT 1 ROW;\n\
         UPDATE a.users SET n = n + 1 WHERE id = :other;\nEXPECT 1 ROW;\n\
         SELECT n INTO :left FROM a.users WHERE id = :id;\nABORT WHEN :left > 5 MESSAGE 'too much';",
    );
    let program = program(&compilation, "act");
    let mut kinds = Vec::new();
    visit(program, &program.body, &mut |step: &Step| match &step.op {
        Op::Abort { class, .. } => kinds.push(format!("{class:?}")),
        Op::Object {
            request: ObjectRequest::Put { .. },
            ..
        } => kinds.push("PUT".to_owned()),
        _ => {}
    });
    let first = kinds.iter().position(|kind| kind == "PUT").unwrap();
    let abort = kinds.iter().position(|kind| kind == "Aborted").unwrap();
    assert!(abort < first, "{kinds:?}");
    let sees_its_own = program.steps.iter().any(|step| step.label == "a.users as left so far");
    assert!(sees_its_own, "a statement sees what those before it have decided");
    assert!(weakened(&compilation).contains(&"operation act: all or nothing"));
    let one = act("id = \"new id\"", "UPDATE a.users SET n = n - 1 WHERE id = :id;");
    assert!(!weakened(&one).contains(&"operation act: all or nothing"));
}

#[test]
fn what_refers_to_a_deleted_row_is_deleted_before_it() {
    let compilation = act("id = \"new id\"", "DELETE FROM a.users WHERE id = :id;");
    let deleted: Vec<String> = requests(&compilation)
        .into_iter()
        .filter(|(verb, _)| verb == "DELETE")
        .map(|(_, key)| key)
        .collect();
    assert!(deleted[0].starts_with("path(b.notes/"), "{deleted:?}");
    assert!(
        deleted.iter().any(|key| key.starts_with("path(a.users/")),
        "{deleted:?}"
    );
    assert!(
        deleted
            .last()
            .is_some_and(|key| key.starts_with("path(unique/a.users.email/")),
        "{deleted:?}"
    );
}

#[test]
fn what_cannot_be_expressed_says_where_and_what_would_help() {
    let refused = |tables: &str, sql: &str| {
        let compilation = compile(OBJECTS, &small(tables, "id = \"new id\"", sql));
        let refusal = compilation.refusals.first().expect("a refusal").clone();
        assert!(refusal.line > 0 && refusal.hint.is_some(), "{refusal:?}");
        (refusal.reason, refusal.statement)
    };
    let (reason, statement) = refused(TABLES, "UPDATE b.notes SET no = no + 1 WHERE user_id = :id;");
    assert!(reason.contains("b.notes.no, which is in the object's key"), "{reason}");
    assert!(statement.starts_with("UPDATE b.notes"), "{statement}");
    let keyless = "CREATE TABLE a.log (id text NOT NULL, words text);";
    let (reason, _) = refused(keyless, "INSERT INTO a.log (id) VALUES (:id);");
    assert!(reason.contains("no primary key"), "{reason}");
    let tree = "CREATE TABLE a.tree (id text PRIMARY KEY, parent text REFERENCES a.tree ON DELETE CASCADE);";
    let (reason, _) = refused(tree, "DELETE FROM a.tree WHERE id = :id;");
    assert!(reason.contains("leads from a.tree to itself"), "{reason}");
}

#[test]
fn rows_are_loaded_with_the_objects_of_their_values_and_read_back_from_their_folder() {
    let compilation = act("id = \"new id\"", "SELECT n FROM a.users WHERE id = :id;");
    let users = &compilation.logical_tables[0];
    assert_eq!((users.loads.len(), users.reads.len()), (2, 1));
    let program::Read::Objects { prefix, .. } = &users.reads[0] else {
        panic!("objects")
    };
    assert_eq!(prefix, "a.users/");
    let shown = &compilation.deployment.buckets[0].reasons;
    assert!(shown.contains(&"a.users: a.users/<id>.json".to_owned()), "{shown:?}");
    assert!(
        shown.contains(&"act: a.users by id → GET by the whole key".to_owned()),
        "{shown:?}"
    );
}
