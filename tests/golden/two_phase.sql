-- Not for PGlite, which is started without room for prepared transactions.
-- PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED: what one session can see.
CREATE TABLE stock (id int PRIMARY KEY, amount int NOT NULL);
INSERT INTO stock VALUES (1, 10), (2, 20);

-- Outside of a block there is nothing to prepare.
PREPARE TRANSACTION 'nothing';
SELECT gid, owner FROM pg_prepared_xacts;

-- A block that is prepared is over, and not yet seen.
BEGIN;
UPDATE stock SET amount = 5 WHERE id = 1;
PREPARE TRANSACTION 'take five';
SELECT * FROM stock ORDER BY id;
SELECT gid, owner, prepared <= now() AS earlier FROM pg_prepared_xacts;
SELECT count(*) FROM pg_catalog.pg_prepared_xacts AS p WHERE p.gid LIKE 'take%';
COMMIT PREPARED 'take five';
SELECT * FROM stock ORDER BY id;
SELECT gid FROM pg_prepared_xacts;

-- One that is rolled back.
BEGIN;
DELETE FROM stock;
PREPARE TRANSACTION 'clear';
ROLLBACK PREPARED 'clear';
SELECT count(*) FROM stock;

-- Identifiers.
BEGIN;
INSERT INTO stock VALUES (3, 30);
PREPARE TRANSACTION 'three';
BEGIN;
INSERT INTO stock VALUES (4, 40);
PREPARE TRANSACTION 'three';
SELECT 'the block is over' AS still;
SELECT id FROM stock ORDER BY id;
COMMIT PREPARED 'four';
ROLLBACK PREPARED 'four';
BEGIN;
COMMIT PREPARED 'three';
ROLLBACK;
BEGIN;
ROLLBACK PREPARED 'three';
COMMIT;
COMMIT PREPARED 'three';
COMMIT PREPARED 'three';
SELECT id FROM stock ORDER BY id;
BEGIN;
PREPARE TRANSACTION '12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890';
SELECT gid FROM pg_prepared_xacts;
BEGIN;
PREPARE TRANSACTION '';
SELECT '<' || gid || '>' AS gid FROM pg_prepared_xacts;
COMMIT PREPARED '';

-- A failed block is rolled back.
BEGIN;
SELECT 1 / 0;
PREPARE TRANSACTION 'failed';
SELECT gid FROM pg_prepared_xacts;
BEGIN;
SELECT 1 / 0;
COMMIT PREPARED 'failed';
ROLLBACK;

-- Savepoints: what was released counts, what was rolled back does not.
BEGIN;
SAVEPOINT a;
INSERT INTO stock VALUES (5, 50);
RELEASE a;
SAVEPOINT b;
INSERT INTO stock VALUES (6, 60);
ROLLBACK TO b;
SAVEPOINT c;
INSERT INTO stock VALUES (7, 70);
PREPARE TRANSACTION 'savepoints';
COMMIT PREPARED 'savepoints';
SELECT id FROM stock ORDER BY id;

-- Definitions.
BEGIN;
CREATE TABLE shelf (id int PRIMARY KEY);
INSERT INTO shelf VALUES (1);
PREPARE TRANSACTION 'shelf';
SELECT * FROM shelf;
COMMIT PREPARED 'shelf';
SELECT * FROM shelf;
BEGIN;
DROP TABLE shelf;
PREPARE TRANSACTION 'no shelf';
ROLLBACK PREPARED 'no shelf';
SELECT * FROM shelf;

-- Read-only transactions are prepared like others.
BEGIN READ ONLY;
SELECT count(*) FROM stock;
PREPARE TRANSACTION 'reading';
SELECT gid FROM pg_prepared_xacts;
COMMIT PREPARED 'reading';

-- Settings stay as after a commit.
BEGIN;
SET application_name = 'kept';
SET LOCAL client_min_messages = 'error';
PREPARE TRANSACTION 'settings';
SHOW application_name;
SHOW client_min_messages;
ROLLBACK PREPARED 'settings';
SHOW application_name;

-- Locks for a session and for a transaction on the same object.
BEGIN;
SELECT pg_advisory_lock(1);
SELECT pg_advisory_xact_lock(2);
PREPARE TRANSACTION 'two locks';
SELECT pg_advisory_unlock(1);
SELECT pg_try_advisory_lock(2);
ROLLBACK PREPARED 'two locks';
SELECT pg_try_advisory_lock(2);
BEGIN;
SELECT pg_advisory_xact_lock(2);
PREPARE TRANSACTION 'both';
SELECT gid FROM pg_prepared_xacts;
SELECT pg_advisory_unlock_all();

-- Its locks keep others waiting.
BEGIN;
UPDATE stock SET amount = 0 WHERE id = 1;
PREPARE TRANSACTION 'held';
SET lock_timeout = '20ms';
DROP TABLE stock;
ROLLBACK PREPARED 'held';
RESET lock_timeout;
UPDATE stock SET amount = 1 WHERE id = 1;

-- Who may end it.
CREATE ROLE two_phase_clerk;
BEGIN;
PREPARE TRANSACTION 'of postgres';
SET ROLE two_phase_clerk;
COMMIT PREPARED 'of postgres';
BEGIN;
PREPARE TRANSACTION 'of the clerk';
SELECT gid, owner FROM pg_prepared_xacts ORDER BY gid;
COMMIT PREPARED 'of the clerk';
RESET ROLE;
COMMIT PREPARED 'of postgres';
DROP ROLE two_phase_clerk;

SHOW max_prepared_transactions;
SET max_prepared_transactions = 5;
DROP TABLE shelf, stock;
