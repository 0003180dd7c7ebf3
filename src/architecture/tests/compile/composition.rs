//! API composition: what is fetched, from whom, in which order.

use crate::*;

const TABLES: &str = "CREATE TABLE a.x (id int PRIMARY KEY, y_id int, kind text, note text);
CREATE TABLE b.y (id int PRIMARY KEY, z_id int, size int);
CREATE TABLE c.z (id int PRIMARY KEY, label text UNIQUE);
CREATE TABLE c.w (id int PRIMARY KEY, z_id int);";

fn composed(parameters: &str, sql: &str) -> String {
    let compilation = compile(SAGA, &small(TABLES, parameters, sql));
    assert_eq!(compilation.refusals, []);
    compilation
        .programs
        .iter()
        .map(|program| listing::listing(&compilation, program))
        .collect()
}

#[test]
fn the_most_selective_table_comes_first_and_gives_its_keys_to_the_next() {
    let compilation = compile(SAGA, SIGN_UP);
    let entry = text(&compilation, "user_with_roles");
    in_order(
        &entry,
        &[
            "call user_with_roles · read auth for statement 1 [tenant, id]",
            "call user_with_roles · read permissions for statement 1 [rows of auth.users[*].0]",
            "compose auth.users, permissions.user_roles, permissions.roles: SELECT u.id, u.email",
        ],
    );
    let read = text(&compilation, "user_with_roles · read permissions for statement 1");
    in_order(
        &read,
        &[
            "SELECT user_id, role_id FROM permissions.user_roles WHERE user_id = ANY ($1)",
            "SELECT id, name FROM permissions.roles WHERE id = ANY ($1) [rows of permissions.user_roles[*].1]",
        ],
    );
}

#[test]
fn owners_that_wait_for_the_same_keys_are_asked_at_once() {
    let entry = text(&compile(SAGA, SIGN_UP), "activity_report");
    in_order(
        &entry,
        &[
            "read auth",
            "par",
            "branch",
            "read permissions",
            "branch",
            "read audit",
            "compose",
        ],
    );
}

#[test]
fn only_the_columns_used_are_fetched() {
    let all = composed(
        "id = 1",
        "SELECT x.note FROM a.x JOIN b.y ON y.id = x.y_id WHERE x.id = :id;",
    );
    assert!(all.contains("SELECT id, y_id, note FROM a.x WHERE id = $1"), "{all}");
    assert!(all.contains("SELECT id FROM b.y WHERE id = ANY ($1)"), "{all}");
    let star = composed(
        "id = 1",
        "SELECT y.* FROM a.x JOIN b.y ON y.id = x.y_id WHERE x.id = :id;",
    );
    assert!(star.contains("SELECT id, z_id, size FROM b.y"), "{star}");
}

#[test]
fn a_predicate_on_the_outer_side_stays_with_the_join() {
    let all = composed(
        "n = 1",
        "SELECT x.id FROM a.x LEFT JOIN b.y ON y.id = x.y_id WHERE y.size IS NULL AND x.kind = 'k' AND x.id > :n;",
    );
    assert!(
        all.contains("FROM b.y WHERE id = ANY ($1)"),
        "leaving rows out would make NULLs: {all}"
    );
    assert!(all.contains("FROM a.x WHERE kind = 'k' AND id > $1"), "{all}");
}

#[test]
fn an_on_condition_filters_only_the_side_that_may_be_missing() {
    let all = composed(
        "n = 1",
        "SELECT x.id FROM a.x LEFT JOIN b.y ON y.id = x.y_id AND y.size > 5 AND x.kind = 'k' WHERE x.id = :n;",
    );
    assert!(all.contains("FROM b.y WHERE size > 5 AND id = ANY ($1)"), "{all}");
    assert!(
        all.contains("FROM a.x WHERE id = $1 "),
        "its own rows come in any case: {all}"
    );
}

#[test]
fn a_full_join_is_fetched_whole() {
    let all = composed(
        "n = 1",
        "SELECT x.id, y.id FROM a.x FULL JOIN b.y ON y.id = x.y_id WHERE x.id = :n;",
    );
    assert!(all.contains("FROM a.x []") && all.contains("FROM b.y []"), "{all}");
}

#[test]
fn tables_without_a_selection_are_fetched_at_once() {
    let all = composed(
        "n = 1",
        "SELECT count(*) FROM a.x JOIN b.y ON y.id = x.y_id WHERE :n = 1;",
    );
    in_order(&all, &["par", "branch", "branch", "compose"]);
    assert!(all.contains("SELECT id FROM b.y []"), "no list of all keys: {all}");
}

#[test]
fn a_correlated_subquery_takes_the_outer_keys() {
    let sql =
        "SELECT x.id FROM a.x WHERE x.kind = :k AND NOT EXISTS (SELECT 1 FROM b.y WHERE y.id = x.y_id AND size > 3);";
    let all = composed("k = \"value 'k'\"", sql);
    assert!(
        all.contains("SELECT id, size FROM b.y WHERE size > 3 AND id = ANY ($1)"),
        "{all}"
    );
}

#[test]
fn a_table_that_appears_twice_is_fetched_for_both() {
    let sql = "SELECT p.id, q.id FROM a.x p JOIN a.x q ON q.y_id = p.y_id JOIN b.y ON y.id = p.y_id WHERE p.id = :n AND q.kind = 'k';";
    let all = composed("n = 1", sql);
    assert!(
        all.contains("FROM a.x WHERE (id = $1 OR kind = 'k')")
            || all.contains("FROM a.x WHERE ((id = $1) OR (kind = 'k'))"),
        "{all}"
    );
}

#[test]
fn an_or_beside_keys_keeps_its_brackets() {
    let sql = "SELECT y.id FROM a.x JOIN b.y ON y.id = x.y_id WHERE x.id = :n AND (y.size = 1 OR y.size = 2);";
    let all = composed("n = 1", sql);
    assert!(all.contains("WHERE (size = 1 OR size = 2) AND id = ANY ($1)"), "{all}");
}

#[test]
fn using_joins_like_on() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY, k int);\nCREATE TABLE b.y (id int PRIMARY KEY, k int);";
    let sql = "SELECT x.id FROM a.x JOIN b.y USING (k) WHERE x.id = :n;";
    let compilation = compile(SAGA, &small(tables, "n = 1", sql));
    let all: String = compilation
        .programs
        .iter()
        .map(|p| listing::listing(&compilation, p))
        .collect();
    assert!(all.contains("SELECT k FROM b.y WHERE k = ANY ($1)"), "{all}");
}

#[test]
fn a_unique_column_is_a_key() {
    let sql = "SELECT y.id FROM b.y JOIN c.z ON z.id = y.z_id WHERE z.label = :l AND y.size > 1;";
    let all = composed("l = \"value 'l'\"", sql);
    assert!(all.contains("FROM c.z WHERE label = $1"), "{all}");
    assert!(all.contains("FROM b.y WHERE size > 1 AND z_id = ANY ($1)"), "{all}");
}

#[test]
fn decisions_on_several_owners_are_composed() {
    let sql = "SELECT count(*) INTO :found FROM a.x JOIN b.y ON y.id = x.y_id WHERE x.id = :n;
ABORT WHEN :found > 0 MESSAGE 'there is one';
UPDATE c.z SET label = 'l' WHERE id = :n;";
    let all = composed("n = 1", sql);
    in_order(
        &all,
        &[
            "compose a.x, b.y: SELECT count(*)",
            "→ found",
            "if (found Greater Int8(0))",
            "abort Text(\"there is one\")",
            "call act · step 2 at c",
        ],
    );
}
