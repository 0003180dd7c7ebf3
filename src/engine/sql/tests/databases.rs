//! `CREATE DATABASE … TEMPLATE`: a copy with rows, indexes, keys and sequences, that has its own life from then on.

use base::Time;
use engine_sql::{Progress, Server, ServerConfig, SqlError};

const TEMPLATE: &str = "
    CREATE SCHEMA shop;
    CREATE TABLE shop.kinds (id int PRIMARY KEY, title text NOT NULL UNIQUE);
    CREATE TABLE shop.things (
        id serial PRIMARY KEY,
        kind int NOT NULL REFERENCES shop.kinds ON DELETE CASCADE,
        price int CHECK (price > 0)
    );
    CREATE INDEX things_by_kind ON shop.things (kind);
    INSERT INTO shop.kinds VALUES (1, 'book'), (2, 'game');
    INSERT INTO shop.things (kind, price) VALUES (1, 10), (1, 20), (2, 30);
";

fn server() -> Server {
    let mut server = Server::new(ServerConfig::default());
    server.create_database("original").expect("a database");
    server.run_script("original", TEMPLATE).expect("the template");
    server.create_database_from("copy", "original").expect("a copy");
    server
}

fn run(server: &mut Server, database: &str, sql: &str) -> Result<(), SqlError> {
    server.run_script(database, sql)
}

fn read(server: &Server, database: &str, sql: &str) -> String {
    let output = server
        .read(database, sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let row = |row: &base::Row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    output.rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

const THINGS: &str =
    "SELECT t.id, k.title, t.price FROM shop.things t JOIN shop.kinds k ON k.id = t.kind ORDER BY t.id";

#[test]
fn a_copy_has_the_rows_and_neither_sees_what_happens_to_the_other() {
    let mut server = server();
    let all = "1 book 10, 2 book 20, 3 game 30";
    assert_eq!(read(&server, "copy", THINGS), all);
    run(
        &mut server,
        "copy",
        "UPDATE shop.things SET price = 11 WHERE id = 1; DELETE FROM shop.things WHERE id = 3",
    )
    .unwrap();
    run(&mut server, "original", "INSERT INTO shop.kinds VALUES (3, 'tool')").unwrap();
    assert_eq!(read(&server, "original", THINGS), all);
    assert_eq!(read(&server, "copy", THINGS), "1 book 11, 2 book 20");
    assert_eq!(read(&server, "copy", "SELECT count(*) FROM shop.kinds"), "2");
}

#[test]
fn constraints_of_a_copy_look_at_the_copy() {
    let mut server = server();
    let refused = |server: &mut Server, sql: &str| run(server, "copy", sql).expect_err(sql).sqlstate;
    assert_eq!(refused(&mut server, "INSERT INTO shop.kinds VALUES (1, 'x')"), "23505");
    assert_eq!(
        refused(&mut server, "INSERT INTO shop.kinds VALUES (9, 'book')"),
        "23505"
    );
    assert_eq!(
        refused(&mut server, "INSERT INTO shop.things (kind, price) VALUES (3, 5)"),
        "23503"
    );
    assert_eq!(
        refused(&mut server, "INSERT INTO shop.things (kind, price) VALUES (1, 0)"),
        "23514"
    );
    run(&mut server, "original", "INSERT INTO shop.kinds VALUES (3, 'tool')").unwrap();
    assert_eq!(
        refused(&mut server, "INSERT INTO shop.things (kind, price) VALUES (3, 5)"),
        "23503"
    );
    run(&mut server, "copy", "DELETE FROM shop.kinds WHERE id = 1").unwrap();
    assert_eq!(read(&server, "copy", THINGS), "3 game 30");
    assert_eq!(read(&server, "original", "SELECT count(*) FROM shop.things"), "3");
}

#[test]
fn privileges_and_policies_are_copied() {
    let mut server = Server::new(ServerConfig::default());
    server.create_database("original").expect("a database");
    let template = "
        CREATE SCHEMA app;
        CREATE TABLE app.notes (id int PRIMARY KEY, owner text NOT NULL);
        CREATE ROLE reader LOGIN;
        GRANT USAGE ON SCHEMA app TO reader;
        GRANT SELECT ON app.notes TO reader;
        ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON app.notes USING (owner = current_user);
        INSERT INTO app.notes VALUES (1, 'reader'), (2, 'writer');
    ";
    server.run_script("original", template).expect("the template");
    server.create_database_from("copy", "original").expect("a copy");
    let session = server.connect("copy", "reader", Time::ZERO).expect("a session");
    let mut ask = |sql: &str| {
        let statement = syntax::parse_statement(sql, syntax::Dialect::Postgres).expect("SQL");
        server.start_parsed(session, &statement, &[], Time::ZERO);
        match server.resume(session, Time::ZERO, &mut 1_000_000) {
            Progress::Done(result) => result,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask("SELECT id FROM app.notes").expect("it may read").rows.len(), 1);
    assert_eq!(ask("DELETE FROM app.notes").unwrap_err().sqlstate, "42501");
}

#[test]
fn a_sequence_goes_on_in_the_copy_by_itself() {
    let mut server = server();
    for (database, kind) in [("copy", 1), ("copy", 1), ("original", 2)] {
        run(
            &mut server,
            database,
            &format!("INSERT INTO shop.things (kind, price) VALUES ({kind}, 1)"),
        )
        .unwrap();
    }
    assert_eq!(read(&server, "copy", "SELECT max(id) FROM shop.things"), "5");
    assert_eq!(read(&server, "original", "SELECT max(id) FROM shop.things"), "4");
}

#[test]
fn copies_survive_a_crash_with_what_was_committed_in_them() {
    let mut server = server();
    server
        .create_database_from("copy of the copy", "copy")
        .expect("another copy");
    run(&mut server, "copy", "INSERT INTO shop.kinds VALUES (3, 'tool')").unwrap();
    let session = server.connect("copy of the copy", "postgres", Time::ZERO).unwrap();
    let open = syntax::parse_statement("BEGIN", syntax::Dialect::Postgres).unwrap();
    server.start_parsed(session, &open, &[], Time::ZERO);
    assert!(matches!(
        server.resume(session, Time::ZERO, &mut 1_000),
        Progress::Done(Ok(_))
    ));
    server.crash();
    server.recover();
    assert_eq!(read(&server, "copy", "SELECT count(*) FROM shop.kinds"), "3");
    assert_eq!(
        read(&server, "copy of the copy", THINGS),
        "1 book 10, 2 book 20, 3 game 30"
    );
    run(
        &mut server,
        "copy of the copy",
        "INSERT INTO shop.things (kind, price) VALUES (2, 1)",
    )
    .unwrap();
    assert_eq!(
        read(&server, "copy of the copy", "SELECT count(*) FROM shop.things"),
        "4"
    );
}

#[test]
fn a_template_that_is_used_or_unknown_is_refused() {
    let mut server = server();
    assert_eq!(
        server.create_database_from("x", "nothing").unwrap_err().sqlstate,
        "3D000"
    );
    assert_eq!(
        server.create_database_from("copy", "original").unwrap_err().sqlstate,
        "42P04"
    );
    server.connect("original", "postgres", Time::ZERO).unwrap();
    let error = server.create_database_from("x", "original").unwrap_err();
    assert_eq!(error.sqlstate, "55006");
    assert_eq!(
        error.message,
        "source database \"original\" is being accessed by other users"
    );
}

#[test]
fn many_reads_are_one_look() {
    let server = server();
    let before = server.fingerprint();
    let outputs = server.read_all([("original", THINGS), ("copy", THINGS), ("copy", "SELECT 1")]);
    assert_eq!(
        outputs
            .expect("they are read")
            .iter()
            .map(|output| output.rows.len())
            .sum::<usize>(),
        7
    );
    assert_eq!(server.fingerprint(), before);
    assert!(
        server
            .read_all([("copy", "SELECT 1"), ("copy", "DELETE FROM shop.things")])
            .is_err()
    );
}
