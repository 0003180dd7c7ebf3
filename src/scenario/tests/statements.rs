//! Statements that PostgreSQL 15 takes over these tables, and that therefore must not be complained of. Each was
//! prepared on a real server (`:x` as a parameter).

const SCHEMA: &str = "
CREATE TABLE auth.users (id text PRIMARY KEY, age int, big bigint, active bool NOT NULL DEFAULT true, since timestamptz, meta jsonb, email text UNIQUE);
CREATE TABLE audit.logs (id text PRIMARY KEY, user_id text REFERENCES auth.users, kind text NOT NULL DEFAULT 'x', at timestamptz DEFAULT now(), n int);
";

const STATEMENTS: &str = "
SELECT id, age FROM auth.users;
SELECT users.id, auth.users.age FROM auth.users;
SELECT u.* FROM auth.users AS u WHERE u.age > 3 AND u.big < 4000000000;
SELECT * FROM auth.users u, audit.logs l WHERE u.id = l.user_id;
SELECT id FROM auth.users ORDER BY age DESC NULLS LAST, 1 LIMIT 10 OFFSET 2;
SELECT age AS years, count(*) FROM auth.users GROUP BY years HAVING count(*) > 1 ORDER BY years;
SELECT age, count(*) AS n FROM auth.users GROUP BY 1 ORDER BY n DESC;
SELECT DISTINCT age FROM auth.users;
SELECT DISTINCT ON (age) age, id FROM auth.users ORDER BY age, id;
SELECT u.id FROM auth.users u JOIN audit.logs l ON l.user_id = u.id AND l.kind = 'x' WHERE u.age IS NOT NULL;
SELECT id, kind FROM auth.users JOIN audit.logs USING (id);
SELECT id FROM auth.users NATURAL JOIN audit.logs;
SELECT u.id, l.id FROM auth.users u LEFT JOIN audit.logs l ON l.user_id = u.id RIGHT JOIN audit.logs m ON m.id = l.id;
SELECT u.id FROM auth.users u CROSS JOIN audit.logs l;
SELECT a.id, b.id FROM auth.users a JOIN auth.users b ON a.age < b.age;
SELECT id FROM auth.users WHERE id IN (SELECT user_id FROM audit.logs WHERE logs.user_id = users.id);
SELECT id FROM auth.users u WHERE EXISTS (SELECT 1 FROM audit.logs WHERE user_id = u.id AND age > 3);
SELECT (SELECT max(n) FROM audit.logs WHERE user_id = u.id) AS last FROM auth.users u;
SELECT id FROM auth.users WHERE age = ANY (ARRAY[1, 2, 3]);
SELECT id FROM auth.users WHERE age = ANY (SELECT n FROM audit.logs);
SELECT id FROM auth.users WHERE (id, age) IN (SELECT user_id, n FROM audit.logs);
SELECT s.id, s.total FROM (SELECT user_id AS id, sum(n) AS total FROM audit.logs GROUP BY user_id) s WHERE s.total > 3;
SELECT s.a FROM (SELECT id, age FROM auth.users) AS s (a, b) WHERE s.b = 3;
WITH old AS (SELECT id FROM auth.users WHERE age > 60) SELECT old.id, l.kind FROM old JOIN audit.logs l ON l.user_id = old.id;
WITH a (x) AS (SELECT id FROM auth.users), b AS (SELECT x FROM a) SELECT x FROM b;
SELECT id FROM auth.users UNION ALL SELECT user_id FROM audit.logs ORDER BY id;
SELECT id FROM auth.users EXCEPT SELECT user_id FROM audit.logs;
VALUES (1, 'a'), (2, 'b');
SELECT column1 FROM (VALUES (1), (2)) AS v;
SELECT coalesce(age, 0) + 1, lower(email) || '@', length(id) FROM auth.users;
SELECT CASE WHEN age > 60 THEN 'old' WHEN active THEN 'young' ELSE NULL END FROM auth.users;
SELECT CASE age WHEN 1 THEN 'one' END FROM auth.users;
SELECT meta -> 'a' ->> 'b' FROM auth.users WHERE meta @> '{\"a\": 1}';
SELECT id FROM auth.users WHERE email LIKE 'a%' OR email ILIKE '%b' OR id NOT LIKE 'c';
SELECT id FROM auth.users WHERE since > now() AND since < '2026-01-01' AND age BETWEEN 1 AND 3;
SELECT id FROM auth.users WHERE NOT active OR active IS NOT TRUE OR age IS DISTINCT FROM 3;
SELECT count(*) FILTER (WHERE active), count(DISTINCT age), min(since), max(email) FROM auth.users;
SELECT id FROM auth.users WHERE age = '3' AND big = 3 AND age = big;
SELECT id::text, age::bigint, '3'::int, NULL::text FROM auth.users;
SELECT id FROM auth.users FOR UPDATE;
SELECT u.id FROM auth.users u JOIN audit.logs l ON l.user_id = u.id FOR NO KEY UPDATE OF u SKIP LOCKED;
SELECT 1 FROM auth.users WHERE -age < 3 AND age % 2 = 1;
SELECT 1 WHERE 1 < 2;
INSERT INTO auth.users (id, age) VALUES ('a', 1), ('b', NULL);
INSERT INTO auth.users VALUES ('a', 1, 2, true, now(), '{}', 'e');
INSERT INTO auth.users VALUES ('a', 1);
INSERT INTO auth.users (id, active, since) VALUES ('a', DEFAULT, DEFAULT);
INSERT INTO audit.logs (id, user_id, n) SELECT id, id, age FROM auth.users WHERE age > 3;
INSERT INTO auth.users (id, email) VALUES ('a', 'b') ON CONFLICT DO NOTHING;
INSERT INTO auth.users (id, email) VALUES ('a', 'b') ON CONFLICT (email) DO UPDATE SET age = users.age + 1, email = excluded.email WHERE users.age < 3;
INSERT INTO auth.users AS u (id) VALUES ('a') ON CONFLICT (id) DO UPDATE SET age = u.age + 1 RETURNING u.id, age;
UPDATE auth.users SET age = age + 1, since = now(), meta = '{}', email = 3 WHERE id = 'a';
UPDATE auth.users u SET age = l.n FROM audit.logs l WHERE l.user_id = u.id RETURNING u.id, l.kind;
UPDATE auth.users SET age = DEFAULT, big = age, active = age > 3;
UPDATE auth.users SET age = (SELECT max(n) FROM audit.logs l WHERE l.user_id = users.id);
DELETE FROM auth.users WHERE id = 'a' RETURNING *;
DELETE FROM audit.logs l USING auth.users u WHERE l.user_id = u.id AND u.age > 3;
DELETE FROM auth.users WHERE id NOT IN (SELECT user_id FROM audit.logs);
SELECT id FROM auth.users WHERE id = :text AND age = :int AND active = :bool AND since < :instant AND big > :big;
SELECT id FROM auth.users WHERE age IN (:int, 3) AND :int BETWEEN age AND 9 AND coalesce(age, :int) = 3 LIMIT :big;
INSERT INTO auth.users (id, age, big, active, since) VALUES (:text, :int, :big, :bool, :instant);
UPDATE auth.users SET age = age + :int WHERE id = :text;
";

#[test]
fn what_postgresql_takes_is_not_complained_of() {
    let mut complaints = String::new();
    for sql in STATEMENTS.lines().filter(|line| !line.is_empty()) {
        let file = format!(
            r#"
title = "x"
[schema]
sql = '''{SCHEMA}'''
[[operation]]
name = "x"
sql = '''{sql}'''
[operation.parameters]
text = "text of 3"
int = "between 1 and 9"
big = "between 1 and 9"
bool = "one of [true, false]"
instant = "now"
"#
        );
        let diagnostics = scenario::parse(&file).diagnostics;
        for found in diagnostics
            .iter()
            .filter(|found| !found.message.ends_with("is not used"))
        {
            complaints += &format!("{sql}\n{found}\n");
        }
    }
    assert_eq!(complaints, "");
}
