-- SET, SHOW, custom settings, psql's own commands.
SET app.tenant_id = '7';
SELECT current_setting('app.tenant_id');
SHOW app.tenant_id;
SELECT current_setting('app.nothing');
SELECT current_setting('app.nothing', true);
BEGIN;
SET LOCAL app.tenant_id = '8';
SELECT current_setting('app.tenant_id');
COMMIT;
SELECT current_setting('app.tenant_id');
BEGIN;
SET app.tenant_id = '9';
ROLLBACK;
SELECT current_setting('app.tenant_id');
SET LOCAL app.tenant_id = '1';
SET nosuchsetting = 1;
SHOW nosuchsetting;
SHOW server_version_num;
SELECT current_user, session_user, current_schema();
\set n 5
\echo n is :n and :'n'
SELECT :n + 1 AS six, :'n' AS text, ':n' AS plain;
\pset null (null)
SELECT NULL AS nothing;
\echo :SQLSTATE :ROW_COUNT
SELECT 1 / 0;
\echo :SQLSTATE :LAST_ERROR_MESSAGE
SELECT 3 AS three, 'x' AS letter \gset
\echo :three :letter
SELECT 'SELECT 4 AS four', 'SELECT 5 AS five' \gexec
\t
SELECT 1;
\t
\frobnicate
\q
SELECT 'not reached';
