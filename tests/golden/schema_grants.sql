-- What decision 004 grants, and what it means: ALL ON SCHEMA is USAGE and CREATE, and no right on any table.
CREATE SCHEMA auth;
CREATE SCHEMA audit;
CREATE TABLE auth.users (id int PRIMARY KEY, email text);
CREATE TABLE audit.audit_logs (id int PRIMARY KEY, user_id int);
INSERT INTO auth.users VALUES (1, 'ada@example.org');
INSERT INTO audit.audit_logs VALUES (1, 1);
CREATE ROLE sv_sdk_user;
CREATE ROLE readonly_user;
CREATE ROLE auditor_user;
GRANT ALL ON SCHEMA auth TO sv_sdk_user;
GRANT ALL ON SCHEMA audit TO sv_sdk_user;
GRANT USAGE ON SCHEMA auth, audit TO readonly_user;
GRANT SELECT ON ALL TABLES IN SCHEMA auth TO readonly_user;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO readonly_user;
GRANT USAGE ON SCHEMA audit TO auditor_user;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO auditor_user;

-- The application can make tables and read none.
SET ROLE sv_sdk_user;
SELECT * FROM auth.users;
INSERT INTO audit.audit_logs VALUES (2, 1);
CREATE TABLE auth.mine (id int);
INSERT INTO auth.mine VALUES (1);
SELECT * FROM auth.mine;
RESET ROLE;

-- The reader reads what was there, and not what comes later.
SET ROLE readonly_user;
SELECT * FROM auth.users;
SELECT * FROM audit.audit_logs;
UPDATE auth.users SET email = 'x';
SELECT * FROM auth.mine;
RESET ROLE;
CREATE TABLE auth.sessions (id int PRIMARY KEY);
SET ROLE readonly_user;
SELECT * FROM auth.sessions;
RESET ROLE;

-- The auditor sees one schema.
SET ROLE auditor_user;
SELECT * FROM audit.audit_logs;
SELECT * FROM auth.users;
DELETE FROM audit.audit_logs;
RESET ROLE;

-- What the application needs.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth, audit TO sv_sdk_user;
SET ROLE sv_sdk_user;
SELECT * FROM auth.users;
INSERT INTO audit.audit_logs VALUES (2, 1);
SELECT count(*) FROM audit.audit_logs;
DROP TABLE auth.users;
RESET ROLE;
