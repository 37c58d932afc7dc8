-- triphase 0.0.0: triphase sql rollback_add v2 --cascade
-- made by tester@HOST, for a bare sqlite3
.bail on
PRAGMA busy_timeout = 2000;
PRAGMA foreign_keys = OFF;
PRAGMA defer_foreign_keys = OFF;
PRAGMA ignore_check_constraints = OFF;
PRAGMA legacy_alter_table = OFF;
PRAGMA locking_mode = NORMAL;
PRAGMA query_only = OFF;
PRAGMA recursive_triggers = OFF;
PRAGMA reverse_unordered_selects = OFF;
PRAGMA synchronous = FULL;
PRAGMA writable_schema = OFF;
CREATE TEMP TABLE triphase_seen (ok CONSTRAINT "the ledger is not as it was when this script was made: make it again" CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0));
CREATE TEMP TABLE triphase_fence (ok CONSTRAINT "another run has the lock" CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0));
CREATE TEMP TABLE triphase_expect (ok CONSTRAINT "expect: not one row with one value, true or not zero" CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0));
CREATE TEMP TABLE triphase_orphans (ok CONSTRAINT "foreign keys are violated before the handler already: run it with triphase itself, which can tell what it brought" CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0));
CREATE TEMP TABLE triphase_keys (ok CONSTRAINT "foreign keys are violated after the handler" CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0));
BEGIN IMMEDIATE;
INSERT INTO temp.triphase_seen SELECT (SELECT coalesce(max("id"), 0) FROM main."triphase_history") = 10 AND (SELECT "value" FROM main."triphase_meta" WHERE "key" = 'format') = '1.0' AND EXISTS (SELECT 1 FROM main."triphase_run" WHERE "id" = 1 AND "run_id" = 'RUN');
INSERT INTO main."triphase_run" ("id", "run_id", "who", "host", "pid", "since", "command", "session") VALUES (1, 'RUN', 'tester@HOST', 'HOST', PID, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'triphase sql rollback_add v2 --cascade', 'script') ON CONFLICT ("id") DO UPDATE SET "run_id" = excluded."run_id", "who" = excluded."who", "host" = excluded."host", "pid" = excluded."pid", "since" = excluded."since", "command" = excluded."command", "session" = excluded."session"
;
COMMIT;
BEGIN IMMEDIATE;
INSERT INTO temp.triphase_fence SELECT EXISTS (SELECT 1 FROM main."triphase_run" WHERE "id" = 1 AND "run_id" = 'RUN');
ALTER TABLE customer RENAME COLUMN _simdrop_name TO name;
INSERT INTO main."triphase_ledger" ("release", "step", "name", "simdrop_state", "simdrop_at", "simdrop_detail") VALUES ('v2', 'names_index', 'names_index', 'rolled_back', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{"empty":true,"who":"tester@HOST","seq":10,"attempt":2}'), ('v2', 'names', 'names', 'rolled_back', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{"who":"tester@HOST","seq":9,"checksum":"t1:aba3f65dac45de9a710da8c5cb21d50a","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "simdrop_state" = excluded."simdrop_state", "simdrop_at" = excluded."simdrop_at", "simdrop_detail" = excluded."simdrop_detail";
INSERT INTO main."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names_index', 'rollback_simdrop', NULL, NULL, 'nothing', NULL), (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names', 'rollback_simdrop', NULL, NULL, 'done', NULL)
;
COMMIT;
BEGIN IMMEDIATE;
INSERT INTO temp.triphase_fence SELECT EXISTS (SELECT 1 FROM main."triphase_run" WHERE "id" = 1 AND "run_id" = 'RUN');
DROP INDEX customer_first_name;
INSERT INTO main."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names_index', 'names_index', 'rolled_back', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{"who":"tester@HOST","seq":8,"checksum":"t1:5dd2391691ea6560b81e9a4057a03829","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO main."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names_index', 'rollback_add', NULL, NULL, 'done', NULL)
;
COMMIT;
BEGIN IMMEDIATE;
INSERT INTO temp.triphase_fence SELECT EXISTS (SELECT 1 FROM main."triphase_run" WHERE "id" = 1 AND "run_id" = 'RUN');
ALTER TABLE customer DROP COLUMN first_name;
INSERT INTO main."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names', 'names', 'rolled_back', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{"who":"tester@HOST","seq":7,"checksum":"t1:212d1b5ee25ea8465e92c00bfc8972b1","attempt":2}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO main."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'RUN', 'triphase sql rollback_add v2 --cascade', 'tester@HOST', 'HOST', '0.0.0', 'v2', 'names', 'rollback_add', NULL, NULL, 'done', NULL)
;
COMMIT;
