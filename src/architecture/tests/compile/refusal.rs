//! What cannot be expressed is said, with its place and a remedy; the rest is compiled all the same.

use crate::*;

const TABLES: &str = "CREATE TABLE a.x (id int PRIMARY KEY, n int);
CREATE TABLE a.child (id int PRIMARY KEY, x_id int REFERENCES a.x ON DELETE CASCADE);
CREATE TABLE a.heap (n int);
CREATE TABLE b.y (id int PRIMARY KEY, n int);";

#[track_caller]
fn refused(sql: &str, statement: &str, reason: &str) {
    let text = small(TABLES, "id = \"new id\", n = 1", sql);
    let compilation = compile(SAGA, &text);
    let [refusal] = compilation.refusals.as_slice() else {
        panic!("{:?}", compilation.refusals)
    };
    assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    assert!(refusal.statement.starts_with(statement), "{}", refusal.statement);
    assert!(refusal.hint.is_some());
    let line = text.lines().nth(refusal.line as usize - 1).expect("a line of the file");
    assert!(
        line.contains(statement.split(' ').next().unwrap_or_default()),
        "line {}: {line}",
        refusal.line
    );
    assert_eq!(compilation.entries, [None]);
    assert_eq!(compile(ONE, &text).refusals, [], "one database can do it");
}

#[test]
fn a_write_joined_to_another_service() {
    refused(
        "UPDATE a.x SET n = y.n FROM b.y WHERE y.id = x.id AND x.id = :id AND y.n = :n;",
        "UPDATE a.x",
        "joined, row by row, to b.y of another service",
    );
}

#[test]
fn a_correlated_subquery_over_another_service() {
    refused(
        "UPDATE a.x SET n = :n WHERE id = :id AND EXISTS (SELECT 1 FROM b.y WHERE y.id = x.id);",
        "UPDATE a.x",
        "of another service",
    );
}

#[test]
fn a_delete_that_takes_more_with_it() {
    refused(
        "DELETE FROM a.x WHERE id = :id;\nINSERT INTO b.y VALUES (:id, :n);",
        "DELETE FROM a.x",
        "ON DELETE",
    );
}

#[test]
fn an_insert_into_a_table_without_a_key() {
    refused(
        "INSERT INTO a.heap VALUES (:n);\nINSERT INTO b.y VALUES (:id, :n);",
        "INSERT INTO a.heap",
        "no primary key",
    );
}

#[test]
fn an_upsert_without_a_compensation() {
    refused(
        "INSERT INTO a.x VALUES (:id, :n) ON CONFLICT (id) DO UPDATE SET n = :n;\nINSERT INTO b.y VALUES (:id, :n);",
        "INSERT INTO a.x",
        "ON CONFLICT DO UPDATE",
    );
}

#[test]
fn a_call_that_nothing_takes_back() {
    refused(
        "@external(latency = '1 ms') CALL mail.send(:id);\nINSERT INTO a.x VALUES (:id, :n);",
        "CALL mail.send",
        "nothing is known that takes the call to mail.send back",
    );
}

#[test]
fn a_step_after_the_pivot_that_may_fail() {
    refused(
        "@pivot INSERT INTO a.x VALUES (:id, :n);\nINSERT INTO b.y VALUES (:id, :n);",
        "INSERT INTO b.y",
        "comes after the pivot",
    );
}

#[test]
fn a_written_compensation_for_another_service() {
    refused(
        "@compensate(DELETE FROM b.y WHERE id = :id) INSERT INTO a.x VALUES (:id, :n);\nINSERT INTO b.y VALUES (:id, :n);",
        "INSERT INTO a.x",
        "another service than the statement",
    );
}

#[test]
fn the_other_operations_are_compiled_all_the_same() {
    let compilation = compile(SAGA, BOOKING);
    let refused: Vec<_> = compilation.refusals.iter().filter_map(|r| r.operation).collect();
    assert_eq!(refused.len(), 1);
    let missing: Vec<usize> = (0..compilation.entries.len())
        .filter(|i| compilation.entries[*i].is_none())
        .collect();
    assert_eq!(missing, [refused[0].index()]);
    assert_eq!(compilation.workload.operations[missing[0]].name, "reprice");
}
