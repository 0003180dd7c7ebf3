-- WITH: in front of writes, with writes in it, once or in place.
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE log (id int, note text);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
WITH x AS (SELECT 4 AS id, 40 AS v) INSERT INTO t SELECT * FROM x RETURNING *;
WITH x AS (SELECT id FROM t WHERE v > 30) UPDATE t SET v = v + 1 FROM x WHERE t.id = x.id RETURNING t.*;
WITH x (a) AS (SELECT id FROM t WHERE v = 41) DELETE FROM t USING x WHERE t.id = x.a RETURNING *;
WITH gone AS (DELETE FROM t WHERE id = 3 RETURNING *) INSERT INTO log SELECT id, 'deleted ' || v FROM gone;
SELECT * FROM t ORDER BY id;
SELECT * FROM log;
WITH changed AS (UPDATE t SET v = v * 2 RETURNING id, v) SELECT sum(v), count(*) FROM changed;
WITH changed AS (UPDATE t SET v = 0 RETURNING id) SELECT v FROM t ORDER BY id;
SELECT * FROM t ORDER BY id;
-- What nobody reads runs all the same, and all of it.
WITH a AS (INSERT INTO log VALUES (7, 'unread') RETURNING *), b AS (UPDATE t SET v = 5) SELECT 1 AS one;
WITH a AS (INSERT INTO log SELECT g, 'many' FROM generate_series(1, 3) g RETURNING id) SELECT id FROM a LIMIT 1;
SELECT note, count(*) FROM log GROUP BY note ORDER BY note;
SELECT * FROM t ORDER BY id;
-- The same row twice: the second change of one command is left out.
WITH first AS (UPDATE t SET v = 100 WHERE id = 1 RETURNING v) UPDATE t SET v = first.v + 1 FROM first RETURNING id, t.v;
SELECT * FROM t ORDER BY id;
WITH a AS (UPDATE t SET v = v + 1 WHERE id = 1 RETURNING v) SELECT (SELECT v FROM a) AS again, v FROM a;
WITH upsert AS (UPDATE t SET v = v + 1 WHERE id = 9 RETURNING id) INSERT INTO t SELECT 9, 90 WHERE NOT EXISTS (SELECT 1 FROM upsert);
WITH upsert AS (UPDATE t SET v = v + 1 WHERE id = 9 RETURNING id) INSERT INTO t SELECT 9, 90 WHERE NOT EXISTS (SELECT 1 FROM upsert);
SELECT * FROM t ORDER BY id;
-- Referential actions see the rows of all of them.
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int, p_id int REFERENCES p);
WITH new_p AS (INSERT INTO p VALUES (1) RETURNING id) INSERT INTO c SELECT 1, id FROM new_p;
WITH new_c AS (INSERT INTO c VALUES (2, 2)) INSERT INTO p VALUES (2);
WITH new_c AS (INSERT INTO c VALUES (2, 3)) INSERT INTO p VALUES (4);
SELECT * FROM c ORDER BY id;
-- Errors.
WITH a AS (UPDATE t SET v = 1) SELECT * FROM a;
SELECT * FROM (WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a) s;
WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1;
WITH a (x, y) AS (DELETE FROM t WHERE id = 0 RETURNING id) SELECT * FROM a;
WITH a AS (INSERT INTO t VALUES (1, 1) RETURNING id) SELECT * FROM a;
BEGIN READ ONLY;
WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a;
ROLLBACK;
-- Once or in place.
WITH x AS MATERIALIZED (SELECT id FROM t) SELECT count(*) FROM x a, x b;
WITH x AS NOT MATERIALIZED (SELECT id FROM t) SELECT count(*) FROM x a, x b;
WITH x AS (SELECT id FROM t), y AS (SELECT id + 1 AS id FROM x) SELECT x.id FROM x JOIN y USING (id) ORDER BY 1;
