-- Rows as values.
CREATE TABLE t (id int PRIMARY KEY, name text, paid bool);
INSERT INTO t VALUES (1, 'Ann', true), (2, 'Bo "B" (jr), x', NULL), (3, '', false), (4, NULL, NULL);
CREATE TABLE u (id int, note text);
INSERT INTO u VALUES (1, 'one'), (3, NULL);
SELECT ROW(1, 'a', NULL, true), (1, 2.50), ROW();
SELECT ROW(id, name, paid) FROM t ORDER BY id;
SELECT (SELECT ROW(u.id, u.note) FROM u WHERE u.id = t.id) AS found FROM t ORDER BY id;
SELECT ROW(1, ROW(2, 'x y'), date '2024-02-29', '\x00'::bytea, 'back\slash')::text;
-- A table's row.
SELECT t FROM t ORDER BY id;
SELECT t, u FROM t LEFT JOIN u ON u.id = t.id ORDER BY t.id;
SELECT t.id, (SELECT t) FROM t WHERE id < 3 ORDER BY id;
SELECT count(u), count(*) FROM t LEFT JOIN u USING (id);
-- NULL.
SELECT ROW(NULL, NULL) IS NULL, ROW(1, NULL) IS NULL, ROW(1, NULL) IS NOT NULL, ROW(1, 2) IS NOT NULL, ROW() IS NULL;
SELECT t.id, u IS NULL, u IS NOT NULL, NOT u IS NULL FROM t LEFT JOIN u USING (id) ORDER BY 1;
-- Comparison of rows.
SELECT (1, 2) = (1, 2), (1, 2) = (1, NULL), (1, 2) = (2, NULL), (1, 2) <> (2, NULL), (1, 2) <> (1, NULL);
SELECT (1, 2) < (1, 3), (1, 2) < (1, NULL), (1, 2) < (2, NULL), (1, 2) >= (1, 2), (2, 0) > (1, 9), (1, 2) <= (1, 1);
SELECT id FROM t WHERE (paid, id) > (false, 1) ORDER BY id;
SELECT id FROM t WHERE (id, name) IN ((1, 'Ann'), (2, 'Ann'));
SELECT ROW(1, 2) < ROW(1, 2, 3);
SELECT ROW(1, 2) = ROW('a', 2);
SELECT ROW(1, 2) = ROW(1, true);
SELECT ROW() = ROW();
-- Comparison of values.
SELECT a.id, b.id FROM t a, t b WHERE a = b ORDER BY a.id;
SELECT ROW(id, name) FROM t ORDER BY ROW(paid, id) DESC;
SELECT DISTINCT ROW(paid) FROM t ORDER BY 1;
SELECT paid, ROW(paid, 1) AS r, count(*) FROM t GROUP BY paid, r ORDER BY r;
SELECT CASE WHEN id = 1 THEN ROW(id, 1) END, COALESCE(NULL, ROW(1, 2)) FROM t WHERE id < 3 ORDER BY id;
SELECT ROW(1, 2) = 1;
SELECT ROW(1, 2) = '(1,2)';
SELECT ROW(1, 2)::int;
SELECT max(ROW(id)) FROM t;
INSERT INTO u VALUES (ROW(1, 2));
CREATE TABLE bad AS SELECT ROW(1, 2) AS r;
SELECT nobody FROM t;
