-- Indexes of expressions, partial ones, INCLUDE, storage parameters; which of them a conflict is about.
CREATE TABLE people (id int PRIMARY KEY, email text, name text, active bool NOT NULL DEFAULT true, score int);
CREATE UNIQUE INDEX ON people (lower(email));
CREATE INDEX ON people (lower(name), score) INCLUDE (email);
CREATE INDEX ON people ((score + 1));
CREATE UNIQUE INDEX active_name ON people (name) WHERE active;
INSERT INTO people VALUES (1, 'Ann@x.org', 'Ann', true, 10), (2, 'bob@x.org', 'Bob', false, 20), (3, NULL, 'Bob', false, NULL);
INSERT INTO people VALUES (4, 'ANN@x.org', 'Anna', true, 1);
INSERT INTO people VALUES (4, 'anna@x.org', 'Ann', true, 1);
INSERT INTO people VALUES (4, NULL, 'Bob', true, 1);
INSERT INTO people VALUES (5, NULL, 'Bob', true, 1);
UPDATE people SET email = upper(email) WHERE id = 1;
UPDATE people SET email = 'BOB@X.org' WHERE id = 1;
SELECT id, email FROM people WHERE lower(email) = 'ann@x.org';
SELECT id FROM people WHERE lower(email) > 'b' ORDER BY id;
SELECT id FROM people WHERE score + 1 = 21;
SELECT id FROM people WHERE 11 = score + 1;
SELECT id FROM people WHERE lower(name) = 'bob' ORDER BY id;
SELECT id FROM people WHERE name = 'Bob' AND active;

INSERT INTO people VALUES (9, 'aNN@x.org', 'other', true, 0) ON CONFLICT (lower(email)) DO UPDATE SET score = people.score + 100 RETURNING id, email, score;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (name) WHERE active DO UPDATE SET score = excluded.score - 1 RETURNING id, email, score;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (name) DO NOTHING;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (name) WHERE score > 3 DO NOTHING;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (upper(email)) DO NOTHING;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (id, lower(email)) DO NOTHING;
INSERT INTO people VALUES (1, 'new@x.org', 'New', true, 0) ON CONFLICT (id) WHERE active DO NOTHING;
INSERT INTO people VALUES (9, 'new@x.org', 'Ann', true, 0) ON CONFLICT (name) WHERE active AND score > 3 DO NOTHING;

CREATE TABLE high (k int, v int);
CREATE UNIQUE INDEX high_k ON high (k) WHERE v > 10;
INSERT INTO high VALUES (1, 5), (1, 11), (1, 6);
INSERT INTO high VALUES (1, 12);
INSERT INTO high VALUES (1, 12) ON CONFLICT (k) WHERE v > 20 DO UPDATE SET v = high.v + 1;
INSERT INTO high VALUES (1, 12) ON CONFLICT (k) WHERE v > 5 DO UPDATE SET v = 0;
SELECT * FROM high ORDER BY v;
SELECT * FROM high WHERE k = 1 AND v > 11;
SELECT * FROM high WHERE k = 1 AND v > 10;
SELECT * FROM high WHERE k = 1 AND v > 9;
SELECT * FROM high WHERE k = 1 AND v = 12;

CREATE INDEX ON people (now());
CREATE INDEX ON people (sum(score));
CREATE INDEX ON people (nope);
CREATE INDEX ON people (id) INCLUDE (nope);
CREATE INDEX ON people ((id));
CREATE UNIQUE INDEX ON people ((score > 0));
CREATE UNIQUE INDEX twice ON people ((score * 0), name);

CREATE TABLE roomy (a int, b text) WITH (fillfactor = 50);
CREATE INDEX ON roomy (a) WITH (fillfactor = 70, deduplicate_items = off);
INSERT INTO roomy SELECT g, 'x' FROM generate_series(1, 1000) g;
UPDATE roomy SET b = 'y' WHERE a = 500;
SELECT * FROM roomy WHERE a BETWEEN 499 AND 501 ORDER BY a;
CREATE TABLE bad (a int) WITH (fillfactor = 5);
CREATE TABLE bad (a int) WITH (fillfactor = x);
CREATE TABLE bad (a int) WITH (nosuch = 1);

-- What a column is gone from goes with it.
ALTER TABLE people DROP COLUMN email;
INSERT INTO people VALUES (20, 'Ann', true, 0);
INSERT INTO people (id, name, active) VALUES (20, 'Ann', false) RETURNING *;
