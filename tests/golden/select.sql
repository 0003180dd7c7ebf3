-- Values, operators, tables, joins, aggregates, order.
SELECT 1;
SELECT 1 AS one, 'two' AS two, true AS three, NULL AS four;
SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3, 2 + 3 * 4, (2 + 3) * 4;
SELECT 2147483647 + 1;
SELECT 2147483647::bigint + 1;
SELECT 9223372036854775807 + 1;
SELECT 1 / 0;
SELECT 'a' || 'b' || 1, 'a' || NULL;
SELECT 1 = 1, 1 <> 1, NULL = NULL, NULL IS NULL, 1 IS DISTINCT FROM NULL;
SELECT true AND NULL, false AND NULL, true OR NULL, NOT NULL::boolean;
SELECT 3 BETWEEN 1 AND 5, 3 NOT BETWEEN 1 AND 5, 2 IN (1, 2, NULL), 3 IN (1, 2, NULL), 3 NOT IN (1, 2);
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'ABC' ILIKE 'abc', 'a%c' LIKE 'a\%c';
SELECT CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 'x' END;
SELECT coalesce(NULL, 2, 3), nullif(1, 1), nullif(1, 2), greatest(1, 3, 2), least(1, 3, 2);
SELECT upper('abc'), lower('ABC'), length('häß'), abs(-5);
SELECT '5'::int + 1, '12'::bigint, 5::text || '!', 't'::boolean, 'no'::boolean;
SELECT 'x'::int;
SELECT '99999999999'::int;
SELECT 'maybe'::boolean;

CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, city text, points bigint);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total int NOT NULL);
INSERT INTO users VALUES (1, 'Ada', 'London', 10), (2, 'Bob', 'Paris', NULL), (3, 'Cyd', NULL, 30), (4, 'Dan', 'Paris', 20);
INSERT INTO orders VALUES (10, 1, 100), (11, 1, 50), (12, 2, 70), (13, NULL, 5);

SELECT * FROM users ORDER BY id;
SELECT u.name, u.points FROM users u ORDER BY points;
SELECT name FROM users ORDER BY points DESC;
SELECT name FROM users ORDER BY points DESC NULLS LAST, name;
SELECT name, city FROM users ORDER BY 2, 1;
SELECT name AS n FROM users ORDER BY n DESC LIMIT 2;
SELECT name FROM users ORDER BY id LIMIT 2 OFFSET 1;
SELECT name FROM users ORDER BY id OFFSET 3;
SELECT name FROM users WHERE city = 'Paris' AND points > 5;
SELECT name FROM users WHERE city IS NULL;
SELECT DISTINCT city FROM users ORDER BY city;
SELECT DISTINCT ON (city) city, name FROM users ORDER BY city, id DESC;

SELECT u.name, o.total FROM users u JOIN orders o ON o.user_id = u.id ORDER BY o.id;
SELECT u.name, o.total FROM users u LEFT JOIN orders o ON o.user_id = u.id ORDER BY u.id, o.id;
SELECT u.name, o.total FROM users u RIGHT JOIN orders o ON o.user_id = u.id ORDER BY o.id;
SELECT u.name, o.total FROM users u FULL JOIN orders o ON o.user_id = u.id ORDER BY u.id, o.id;
SELECT count(*) FROM users CROSS JOIN orders;
SELECT u.name, o.id FROM users u, orders o WHERE u.id = o.user_id AND o.total > 60 ORDER BY 2;
SELECT a.name, b.name FROM users a JOIN users b ON a.city = b.city AND a.id < b.id;

SELECT count(*), count(city), sum(points), min(points), max(points), min(name) FROM users;
SELECT count(*), sum(points) FROM users WHERE false;
SELECT city, count(*), sum(points) FROM users GROUP BY city ORDER BY city;
SELECT city, count(*) AS n FROM users GROUP BY city HAVING count(*) > 1;
SELECT count(DISTINCT city) FROM users;
SELECT count(*) FILTER (WHERE points > 15) FROM users;
SELECT u.name, count(o.id), coalesce(sum(o.total), 0) AS spent FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id, u.name ORDER BY spent DESC, u.name;

SELECT name FROM users WHERE id IN (SELECT user_id FROM orders) ORDER BY id;
SELECT name FROM users WHERE id NOT IN (SELECT user_id FROM orders);
SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.total > 60) ORDER BY id;
SELECT name FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id) ORDER BY id;
SELECT name, (SELECT sum(total) FROM orders o WHERE o.user_id = u.id) AS total FROM users u ORDER BY id;
SELECT (SELECT id FROM users);
SELECT x.city, x.n FROM (SELECT city, count(*) AS n FROM users GROUP BY city) x WHERE x.n = 2;
WITH rich AS (SELECT * FROM users WHERE points >= 20) SELECT name FROM rich ORDER BY name;

SELECT city FROM users UNION SELECT 'Rome' ORDER BY 1;
SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 2;
SELECT city FROM users EXCEPT SELECT 'Paris' ORDER BY 1;
SELECT id FROM users INTERSECT SELECT user_id FROM orders ORDER BY id;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, t) ORDER BY n DESC;
SELECT * FROM generate_series(1, 3) AS g;

-- Refusals.
SELECT nope FROM users;
SELECT u.nope FROM users u;
SELECT x.id FROM users;
SELECT id FROM users, orders;
SELECT * FROM nowhere;
SELECT * FROM no.where;
SELECT nope(1);
SELECT name, count(*) FROM users;
SELECT name FROM users WHERE count(*) > 1;
SELECT name FROM users GROUP BY city;
SELECT sum(name) FROM users;
SELECT name + 1 FROM users;
SELECT 1 + 'a';
SELECT 1 WHERE 1;
SELECT name FROM users ORDER BY 3;
SELECT 1 UNION SELECT 'a';
SELECT 1 UNION SELECT 1, 2;
SELECT name FROM users LIMIT -1;
SELECT CASE WHEN true THEN 1 ELSE 'a' END;
SELECT DISTINCT name FROM users ORDER BY id;
