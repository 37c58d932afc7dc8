-- triphase 0.0.0: triphase sql rollback_add v2 --cascade
-- made by tester@HOST, for a bare psql; not through a transaction-mode pooler
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
SELECT '"public"' || coalesce(', ' || nullif(nullif(current_setting('search_path'), ''), '""'), '') AS triphase_path \gset
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET search_path = :triphase_path;
SET lock_timeout = '2000ms';
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
SELECT format('SET %I = 0', name) FROM pg_catalog.pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout') \gexec
DO 'BEGIN IF NOT (current_database() = ''DATABASE'') THEN RAISE EXCEPTION USING MESSAGE = ''this script was made for database DATABASE; nothing was changed'', ERRCODE = ''P0001''; END IF; END';
DO 'BEGIN IF NOT (pg_try_advisory_lock(1953655152, -274599051)) THEN RAISE EXCEPTION USING MESSAGE = ''another run of triphase holds the lock; nothing was changed'', ERRCODE = ''P0001''; END IF; END';
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
DO 'BEGIN IF NOT ((SELECT coalesce(max("id"), 0) FROM "public"."triphase_history") = 10 AND (SELECT "value" FROM "public"."triphase_meta" WHERE "key" = ''format'') = ''1.0'' AND EXISTS (SELECT 1 FROM "public"."triphase_run" WHERE "id" = 1 AND "run_id" = ''RUN'')) THEN RAISE EXCEPTION USING MESSAGE = ''the ledger is no longer as it was when this script was made: make it again'', ERRCODE = ''P0001''; END IF; END';
INSERT INTO "public"."triphase_run" (id, run_id, who, host, pid, since, command, session) VALUES (1, '', '', '', 0, clock_timestamp(), '', '') ON CONFLICT (id) DO NOTHING;
DO 'BEGIN PERFORM 1 FROM "public"."triphase_run" WHERE id = 1 FOR UPDATE; END';
DO 'BEGIN IF NOT (NOT EXISTS (SELECT 1 FROM "public"."triphase_run" WHERE lease_until > clock_timestamp())) THEN RAISE EXCEPTION USING MESSAGE = ''another run of triphase holds the lock by a lease; nothing was changed'', ERRCODE = ''P0001''; END IF; END';
INSERT INTO "public"."triphase_run" ("id", "run_id", "who", "host", "pid", "since", "command", "session") VALUES (1, 'RUN', 'tester@HOST', 'HOST', PID, clock_timestamp(), 'triphase sql rollback_add v2 --cascade', 'psql') ON CONFLICT ("id") DO UPDATE SET "run_id" = excluded."run_id", "who" = excluded."who", "host" = excluded."host", "pid" = excluded."pid", "since" = excluded."since", "command" = excluded."command", "session" = excluded."session"
;
UPDATE "public"."triphase_run" SET epoch = epoch + 1, lease_until = NULL WHERE id = 1;
COMMIT;

BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
DO 'BEGIN PERFORM 1 FROM "public"."triphase_run" WHERE id = 1 AND run_id = ''RUN'' FOR KEY SHARE; IF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = ''the lock is another run''''s now'', ERRCODE = ''TP001''; END IF; END';
ALTER TABLE customer RENAME COLUMN _simdrop_name TO name;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
INSERT INTO "public"."triphase_ledger" ("release", "step", "name", "simdrop_state", "simdrop_at", "simdrop_detail") VALUES ('v2', 'names_index', 'names_index', 'rolled_back', clock_timestamp(), '{"empty":true,"who":"tester@HOST","seq":10,"attempt":2}'), ('v2', 'names', 'names', 'rolled_back', clock_timestamp(), '{"who":"tester@HOST","seq":9,"checksum":"t1:aba3f65dac45de9a710da8c5cb21d50a","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "simdrop_state" = excluded."simdrop_state", "simdrop_at" = excluded."simdrop_at", "simdrop_detail" = excluded."simdrop_detail";
INSERT INTO "public"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names_index', 'rollback_simdrop', NULL, NULL, 'nothing', NULL), (clock_timestamp(), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names', 'rollback_simdrop', NULL, NULL, 'done', NULL)
;
COMMIT;

BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
DO 'BEGIN PERFORM 1 FROM "public"."triphase_run" WHERE id = 1 AND run_id = ''RUN'' FOR KEY SHARE; IF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = ''the lock is another run''''s now'', ERRCODE = ''TP001''; END IF; END';
DROP INDEX customer_first_name;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
INSERT INTO "public"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names_index', 'names_index', 'rolled_back', clock_timestamp(), '{"who":"tester@HOST","seq":8,"checksum":"t1:5dd2391691ea6560b81e9a4057a03829","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO "public"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names_index', 'rollback_add', NULL, NULL, 'done', NULL)
;
COMMIT;

BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
DO 'BEGIN PERFORM 1 FROM "public"."triphase_run" WHERE id = 1 AND run_id = ''RUN'' FOR KEY SHARE; IF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = ''the lock is another run''''s now'', ERRCODE = ''TP001''; END IF; END';
ALTER TABLE customer DROP COLUMN first_name;
RESET SESSION AUTHORIZATION;
RESET ROLE;
SET LOCAL search_path = :triphase_path;
SET LOCAL lock_timeout = '2000ms';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
INSERT INTO "public"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names', 'names', 'rolled_back', clock_timestamp(), '{"who":"tester@HOST","seq":7,"checksum":"t1:212d1b5ee25ea8465e92c00bfc8972b1","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO "public"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names', 'rollback_add', NULL, NULL, 'done', NULL)
;
COMMIT;
DO 'BEGIN PERFORM pg_advisory_unlock(1953655152, -274599051); END';
