-- Keys, checks, references: exact words of each refusal.
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE, CONSTRAINT code_short CHECK (length(code) < 5));
CREATE TABLE child (
  id int PRIMARY KEY,
  parent_id int REFERENCES parent (id),
  amount int CHECK (amount > 0),
  low int,
  high int,
  CHECK (low < high),
  CONSTRAINT by_code UNIQUE (parent_id, amount)
);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, NULL);
INSERT INTO parent VALUES (1, 'c');
INSERT INTO parent VALUES (5, 'a');
INSERT INTO parent VALUES (6, 'too long');
INSERT INTO parent VALUES (NULL, 'n');
INSERT INTO child VALUES (1, 1, 5, 1, 2);
INSERT INTO child VALUES (2, 9, 5, 1, 2);
INSERT INTO child VALUES (2, NULL, 5, 1, 2);
INSERT INTO child VALUES (3, 1, 0, 1, 2);
INSERT INTO child VALUES (3, 1, NULL, 2, 2);
INSERT INTO child VALUES (3, 1, 5, NULL, 2);
UPDATE child SET parent_id = 7 WHERE id = 1;
UPDATE child SET amount = -1;
UPDATE parent SET id = 10 WHERE id = 1;
UPDATE parent SET code = 'x' WHERE id = 1;
UPDATE parent SET id = 20 WHERE id = 2;
DELETE FROM parent WHERE id = 1;
DELETE FROM parent WHERE id = 20;
SELECT * FROM parent ORDER BY id;
SELECT * FROM child ORDER BY id;

-- Actions.
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b ON DELETE SET NULL);
CREATE TABLE d (id int PRIMARY KEY, c_id int DEFAULT 0 REFERENCES c ON DELETE SET DEFAULT);
INSERT INTO a VALUES (1), (2);
INSERT INTO b VALUES (11, 1), (12, 2);
INSERT INTO c VALUES (0, NULL), (21, 11), (22, 12);
INSERT INTO d VALUES (31, 21), (32, 22);
UPDATE a SET id = 5 WHERE id = 2;
SELECT * FROM b ORDER BY id;
DELETE FROM a WHERE id = 1;
SELECT * FROM b ORDER BY id;
SELECT * FROM c ORDER BY id;
DELETE FROM c WHERE id = 22;
SELECT * FROM d ORDER BY id;
DELETE FROM c WHERE id = 0;

-- Several columns, and to oneself.
CREATE TABLE pair (x int, y text, PRIMARY KEY (x, y));
CREATE TABLE uses (id int PRIMARY KEY, x int, y text, CONSTRAINT uses_pair FOREIGN KEY (x, y) REFERENCES pair);
INSERT INTO pair VALUES (1, 'a'), (1, 'b');
INSERT INTO pair VALUES (1, 'a');
INSERT INTO uses VALUES (1, 1, 'a'), (2, 1, NULL);
INSERT INTO uses VALUES (3, 1, 'c');
DELETE FROM pair WHERE y = 'a';
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree);
INSERT INTO tree VALUES (1, NULL), (2, 1), (4, 3), (3, 2);
INSERT INTO tree VALUES (5, 6);
DELETE FROM tree WHERE id = 1;
DELETE FROM tree;
SELECT count(*) FROM tree;

-- Adding and dropping them later.
CREATE TABLE late (id int, n int);
INSERT INTO late VALUES (1, 1), (1, NULL);
ALTER TABLE late ADD PRIMARY KEY (id);
ALTER TABLE late ADD CONSTRAINT positive CHECK (n > 5);
ALTER TABLE late ALTER COLUMN n SET NOT NULL;
ALTER TABLE late ADD CONSTRAINT to_parent FOREIGN KEY (id) REFERENCES child;
DELETE FROM late WHERE n IS NULL;
ALTER TABLE late ADD PRIMARY KEY (id), ADD CONSTRAINT positive CHECK (n > 0);
INSERT INTO late VALUES (2, 0);
ALTER TABLE late DROP CONSTRAINT positive;
INSERT INTO late VALUES (2, 0);
ALTER TABLE late DROP CONSTRAINT positive;
ALTER TABLE late DROP CONSTRAINT IF EXISTS positive;
CREATE UNIQUE INDEX late_n ON late (n);
INSERT INTO late VALUES (3, 0);
DROP INDEX late_n;
INSERT INTO late VALUES (3, 0);
CREATE UNIQUE INDEX late_n ON late (n);
SELECT * FROM late ORDER BY id;

-- Refusals of the definitions themselves.
CREATE TABLE bad (id int PRIMARY KEY, other int PRIMARY KEY);
CREATE TABLE bad (id int REFERENCES nowhere);
CREATE TABLE bad (id int REFERENCES child (low));
CREATE TABLE bad (id text REFERENCES child);
CREATE TABLE bad (id int, FOREIGN KEY (nope) REFERENCES child);
CREATE TABLE bad (id int CHECK (nope > 1));
CREATE TABLE bad (id int, UNIQUE (nope));
CREATE TABLE bad (id int CHECK (id + 1));
DROP TABLE parent;
