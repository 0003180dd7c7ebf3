-- Functions in SQL.
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
SELECT plus(1, 2), plus(NULL, 2);
SELECT id, plus(n, id) FROM t WHERE plus(id, 1) > 2 ORDER BY id;
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT sum(n) FROM t $$;
SELECT total();
CREATE FUNCTION bump(key int) RETURNS bool AS $$
  UPDATE t SET n = n + 1 WHERE id = $1;
  SELECT true;
$$ LANGUAGE sql;
SELECT bump(1), bump(2);
SELECT * FROM t ORDER BY id;
SELECT bump(id) FROM t WHERE id > 1 ORDER BY id;
SELECT * FROM t ORDER BY id;
CREATE FUNCTION added(int, int) RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES ($1, $2) RETURNING n + 1';
SELECT added(4, 40);
SELECT * FROM t ORDER BY id;
CREATE FUNCTION nothing(int) RETURNS int LANGUAGE sql AS 'SELECT n FROM t WHERE id = $1';
SELECT nothing(99), nothing(4);
CREATE FUNCTION strictly(int) RETURNS int LANGUAGE sql STRICT AS 'SELECT coalesce($1, 5)';
SELECT strictly(NULL), strictly(3);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT plus($1, $1)';
SELECT twice(twice(3));
-- A row that a function has changed in the meantime.
UPDATE t SET n = 0 WHERE bump(id) AND id = 1;
SELECT * FROM t ORDER BY id;
DELETE FROM t WHERE bump(id) AND id = 2;
SELECT * FROM t ORDER BY id;
INSERT INTO t SELECT 7, 7 WHERE bump(3);
SELECT * FROM t ORDER BY id;
-- Definitions.
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 - $2';
SELECT plus(5, 2);
CREATE OR REPLACE FUNCTION plus(int, int) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION bad() RETURNS int LANGUAGE nosuch AS 'SELECT 1';
SELECT nosuch(1);
SELECT plus(1);
DROP FUNCTION plus(int);
DROP FUNCTION plus(int, int);
SELECT plus(5, 2);
DROP FUNCTION nosuch;
BEGIN;
CREATE FUNCTION gone() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT gone();
ROLLBACK;
SELECT gone();
