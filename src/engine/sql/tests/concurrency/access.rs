//! Roles, settings and policies as state of a server: what a connection keeps, what a fork, a crash and a wait leave.

use base::Value;
use engine_sql::SessionId;

use crate::lab::{At, Lab};

const SHOP: &str = "
    CREATE ROLE app LOGIN;
    CREATE ROLE nobody;
    CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, amount int NOT NULL);
    INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO app;
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON orders USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::int);";

fn app(lab: &mut Lab) -> SessionId {
    lab.server
        .connect("postgres", "app", lab.now)
        .expect("a role that may log in")
}

fn values(at: &At) -> String {
    match at {
        At::Done(Ok(output)) => {
            let row = |row: &base::Row| row.iter().map(Value::to_string).collect::<Vec<_>>().join(",");
            output.rows.iter().map(row).collect::<Vec<_>>().join(";")
        }
        other => other.tag(),
    }
}

const IDS: &str = "SELECT id FROM orders ORDER BY id";

#[test]
fn a_session_is_the_role_that_it_logged_in_as() {
    let mut lab = Lab::new(SHOP);
    let session = app(&mut lab);
    assert_eq!(
        values(&lab.run(session, "SELECT current_user, session_user")),
        "app,app"
    );
    assert_eq!(values(&lab.run(session, IDS)), "");
    assert_eq!(
        lab.run(session, "DROP TABLE orders").tag(),
        "42501: must be owner of table orders"
    );
    let refused = lab.server.connect("postgres", "nobody", lab.now).expect_err("no LOGIN");
    assert_eq!(refused.sqlstate, "28000");
    assert_eq!(lab.read(IDS), "1;2;3", "an observer sees everything");
}

#[test]
fn a_pooled_connection_keeps_what_was_set_for_the_session() {
    let mut lab = Lab::new(SHOP);
    let session = app(&mut lab);
    lab.all(
        session,
        &["BEGIN", "SELECT set_config('app.tenant_id', '1', true)", "COMMIT"],
    );
    assert_eq!(values(&lab.run(session, IDS)), "", "gone with its transaction");
    lab.all(session, &["SELECT set_config('app.tenant_id', '2', false)"]);
    assert_eq!(
        values(&lab.run(session, IDS)),
        "3",
        "the next user of the connection has it"
    );
    let other = app(&mut lab);
    assert_eq!(values(&lab.run(other, IDS)), "");
    lab.server.disconnect(session, lab.now);
    let again = app(&mut lab);
    assert_eq!(values(&lab.run(again, IDS)), "", "lost with the connection");
}

#[test]
fn one_prepared_text_means_something_else_to_another_role() {
    let mut lab = Lab::new(SHOP);
    let (owner, session) = (lab.connect(), app(&mut lab));
    let text = lab.server.prepare(owner, IDS).expect("it is SQL");
    for (session, expected) in [(owner, "1;2;3"), (session, ""), (owner, "1;2;3")] {
        assert_eq!(lab.server.prepare(session, IDS), Ok(text));
        lab.server.start(session, text, &[], lab.now);
        assert_eq!(values(&lab.resume(session)), expected);
    }
    lab.all(owner, &["REVOKE SELECT ON orders FROM app"]);
    lab.server.start(session, text, &[], lab.now);
    assert_eq!(lab.resume(session).tag(), "42501: permission denied for table orders");
}

#[test]
fn an_updated_row_is_checked_against_the_policies_again() {
    let mut lab = Lab::new(SHOP);
    let (owner, session) = (lab.connect(), app(&mut lab));
    lab.all(owner, &["BEGIN", "UPDATE orders SET tenant_id = 2 WHERE id = 1"]);
    lab.all(session, &["SELECT set_config('app.tenant_id', '1', false)"]);
    assert!(
        lab.run(session, "UPDATE orders SET amount = amount + 1 WHERE id = 1")
            .is_blocked()
    );
    lab.all(owner, &["COMMIT"]);
    assert_eq!(lab.woken(), [session]);
    assert_eq!(lab.resume(session).tag(), "UPDATE 0", "it is another tenant's row now");
    assert_eq!(lab.read("SELECT amount FROM orders WHERE id = 1"), "10");
}

#[test]
fn definitions_of_access_roll_back_and_survive_crashes() {
    let mut lab = Lab::new(SHOP);
    let owner = lab.connect();
    let before = lab.server.fingerprint();
    let mut fork = lab.clone();
    assert_eq!(fork.server.fingerprint(), before);
    fork.all(owner, &["ALTER TABLE orders DISABLE ROW LEVEL SECURITY"]);
    assert_ne!(fork.server.fingerprint(), before, "row security is part of the state");
    let session = app(&mut fork);
    assert_eq!(values(&fork.run(session, IDS)), "1;2;3");

    lab.all(
        owner,
        &[
            "BEGIN",
            "DROP POLICY tenant ON orders",
            "CREATE ROLE late LOGIN",
            "REVOKE ALL ON orders FROM app",
            "ROLLBACK",
        ],
    );
    lab.all(
        owner,
        &["GRANT SELECT ON orders TO PUBLIC", "CREATE ROLE kept LOGIN IN ROLE app"],
    );
    lab.all(owner, &["BEGIN", "ALTER ROLE kept BYPASSRLS"]);
    lab.server.crash();
    lab.server.recover();
    assert!(lab.server.connect("postgres", "late", lab.now).is_err());
    let kept = lab
        .server
        .connect("postgres", "kept", lab.now)
        .expect("committed before the crash");
    assert_eq!(values(&lab.run(kept, IDS)), "", "not committed before the crash");
    lab.all(kept, &["SET app.tenant_id = '1'"]);
    assert_eq!(values(&lab.run(kept, IDS)), "1;2");
}

#[test]
fn settings_are_part_of_the_state() {
    let mut lab = Lab::new(SHOP);
    let session = app(&mut lab);
    let before = lab.server.fingerprint();
    lab.all(session, &["BEGIN", "SET LOCAL app.tenant_id = '1'"]);
    let within = lab.server.fingerprint();
    assert_ne!(before, within);
    let mut fork = lab.clone();
    assert_eq!(values(&fork.run(session, IDS)), "1;2");
    lab.all(session, &["ROLLBACK"]);
    assert_eq!(
        values(&lab.run(session, "SELECT current_setting('app.tenant_id') = ''")),
        "t"
    );
}
