-- a ledger is made, and a run begins
CREATE TABLE "app"."triphase_meta" ("key" text COLLATE "C" NOT NULL PRIMARY KEY, "value" text NOT NULL);
CREATE TABLE "app"."triphase_run" ("id" integer NOT NULL PRIMARY KEY CHECK (id = 1), "run_id" text COLLATE "C" NOT NULL, "who" text NOT NULL, "host" text NOT NULL, "pid" bigint NOT NULL, "since" timestamptz NOT NULL, "command" text NOT NULL, "session" text NOT NULL, "epoch" bigint NOT NULL DEFAULT 0, "lease_until" timestamptz);
CREATE TABLE "app"."triphase_ledger" ("release" text COLLATE "C" NOT NULL, "step" text COLLATE "C" NOT NULL, "name" text NOT NULL, "add_state" text NOT NULL DEFAULT 'pending', "add_at" timestamptz, "add_detail" text, "simdrop_state" text NOT NULL DEFAULT 'pending', "simdrop_at" timestamptz, "simdrop_detail" text, "drop_state" text NOT NULL DEFAULT 'pending', "drop_at" timestamptz, "drop_detail" text, "h_add" text, "h_simdrop" text, "h_drop" text, "h_rollback_simdrop" text, "h_rollback_add" text, PRIMARY KEY ("release", "step"));
CREATE TABLE "app"."triphase_history" ("id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "at" timestamptz NOT NULL, "run_id" text NOT NULL, "command" text NOT NULL, "who" text NOT NULL, "host" text NOT NULL, "tool" text NOT NULL, "release" text COLLATE "C" NOT NULL, "step" text COLLATE "C" NOT NULL, "verb" text NOT NULL, "statement" integer, "hash" text, "outcome" text NOT NULL, "detail" text);
INSERT INTO "app"."triphase_meta" ("key", "value") VALUES ('format', '1.0');
INSERT INTO "app"."triphase_run" ("id", "run_id", "who", "host", "pid", "since", "command", "session") VALUES (1, 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'o''me@here', 'here', 7, clock_timestamp(), 'triphase ff', '17') ON CONFLICT ("id") DO UPDATE SET "run_id" = excluded."run_id", "who" = excluded."who", "host" = excluded."host", "pid" = excluded."pid", "since" = excluded."since", "command" = excluded."command", "session" = excluded."session";

-- a run begins
INSERT INTO "app"."triphase_run" ("id", "run_id", "who", "host", "pid", "since", "command", "session") VALUES (1, 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'o''me@here', 'here', 7, clock_timestamp(), 'triphase ff', '17') ON CONFLICT ("id") DO UPDATE SET "run_id" = excluded."run_id", "who" = excluded."who", "host" = excluded."host", "pid" = excluded."pid", "since" = excluded."since", "command" = excluded."command", "session" = excluded."session";
INSERT INTO "app"."triphase_meta" ("key", "value") VALUES ('guards', '{"protected":true}') ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', '', '', 'guards', NULL, NULL, 'recorded', 'protected: true');

-- the fence
SELECT 1 FROM "app"."triphase_run" WHERE "id" = 1 AND "run_id" = 'rrrrrrrrrrrrrrrrrrrrrrrrrr' FOR SHARE;

-- how it is asked
SELECT "value" FROM "app"."triphase_meta" WHERE "key" = 'format';
SELECT CAST('clock' AS text), CAST(CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS text), CAST((SELECT coalesce(max("id"), 0) FROM "app"."triphase_history") AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text) UNION ALL SELECT CAST('meta' AS text), "key", "value", CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text) FROM "app"."triphase_meta" UNION ALL SELECT CAST('run' AS text), "run_id", "who", "host", CAST("pid" AS text), CAST(CAST(extract(epoch FROM "since") * 1000000 AS bigint) AS text), "command", CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text) FROM "app"."triphase_run" UNION ALL SELECT CAST('step' AS text), "release", "step", "name", "add_state", CAST(CAST(extract(epoch FROM "add_at") * 1000000 AS bigint) AS text), "add_detail", "simdrop_state", CAST(CAST(extract(epoch FROM "simdrop_at") * 1000000 AS bigint) AS text), "simdrop_detail", "drop_state", CAST(CAST(extract(epoch FROM "drop_at") * 1000000 AS bigint) AS text), "drop_detail", CASE WHEN "h_add" IS NULL THEN NULL ELSE '1' END, CASE WHEN "h_simdrop" IS NULL THEN NULL ELSE '1' END, CASE WHEN "h_drop" IS NULL THEN NULL ELSE '1' END, CASE WHEN "h_rollback_simdrop" IS NULL THEN NULL ELSE '1' END, CASE WHEN "h_rollback_add" IS NULL THEN NULL ELSE '1' END FROM "app"."triphase_ledger";
SELECT "run_id", "who", "host", CAST("pid" AS text), CAST(CAST(extract(epoch FROM "since") * 1000000 AS bigint) AS text), "command", "session" FROM "app"."triphase_run" WHERE "id" = 1;
SELECT CAST(CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS text);
SELECT CAST("id" AS text), CAST(CAST(extract(epoch FROM "at") * 1000000 AS bigint) AS text), "run_id", "command", "who", "tool", "release", "step", "verb", CAST("statement" AS text), "hash", "outcome", "detail" FROM "app"."triphase_history" WHERE NOT EXISTS (SELECT 1 FROM "app"."triphase_meta", "app"."triphase_run", "app"."triphase_ledger" WHERE 1 = 0) ORDER BY "app"."triphase_history"."id" DESC LIMIT 50;

-- it stands where it stood
SELECT (SELECT coalesce(max("id"), 0) FROM "app"."triphase_history") = 12 AND (SELECT "value" FROM "app"."triphase_meta" WHERE "key" = 'format') = '1.0';

-- a statement that commits by itself is about to be sent
INSERT INTO "app"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail", "drop_state", "drop_at", "drop_detail", "h_rollback_add") VALUES ('v2', 'names', 'names', 'running', clock_timestamp(), '{"who":"o''me@here","seq":3,"checksum":"t1:6d1076d38e926a883d3e2ae5f4c7a294","trying":0,"attempt":1,"hashes":["0123456789abcdef"]}', 'pending', NULL, '{"empty":true}', E'{"checksum":"t1:6d1076d38e926a883d3e2ae5f4c7a294","label":"lossless","actions":[{"kind":"sql","text":"UPDATE t SET a = ''it''''s \\\\ \\"so\\"''"}]}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail", "drop_state" = excluded."drop_state", "drop_at" = excluded."drop_at", "drop_detail" = excluded."drop_detail", "h_rollback_add" = excluded."h_rollback_add";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'add', 1, '0123456789abcdef', 'attempting', NULL);

-- a phase is done
INSERT INTO "app"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names', 'names', 'done', clock_timestamp(), '{"who":"o''me@here","seq":3,"checksum":"t1:6d1076d38e926a883d3e2ae5f4c7a294","attempt":1,"hashes":["0123456789abcdef"]}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'add', NULL, NULL, 'done', NULL);

-- a phase has failed
INSERT INTO "app"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail") VALUES ('v2', 'names', 'names', 'failed', clock_timestamp(), '{"who":"o''me@here","seq":3,"checksum":"t1:6d1076d38e926a883d3e2ae5f4c7a294","attempt":1,"hashes":["0123456789abcdef"]}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'add', NULL, NULL, 'failed', NULL);

-- repair: a row is replaced
INSERT INTO "app"."triphase_ledger" ("release", "step", "name", "add_state", "add_at", "add_detail", "simdrop_state", "simdrop_at", "simdrop_detail", "drop_state", "drop_at", "drop_detail") VALUES ('v2', 'names', 'names', 'done', CAST('2023-11-14T22:13:20.123456Z' AS timestamptz), '{}', 'pending', NULL, '{}', 'pending', NULL, '{}') ON CONFLICT ("release", "step") DO UPDATE SET "name" = excluded."name", "add_state" = excluded."add_state", "add_at" = excluded."add_at", "add_detail" = excluded."add_detail", "simdrop_state" = excluded."simdrop_state", "simdrop_at" = excluded."simdrop_at", "simdrop_detail" = excluded."simdrop_detail", "drop_state" = excluded."drop_state", "drop_at" = excluded."drop_at", "drop_detail" = excluded."drop_detail";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'repair accept', NULL, NULL, 'recorded', NULL);

-- repair forget
DELETE FROM "app"."triphase_ledger" WHERE "release" = 'v2' AND "step" = 'names';
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'repair forget', NULL, NULL, 'recorded', NULL);

-- repair handler
UPDATE "app"."triphase_ledger" SET "h_rollback_add" = E'{"checksum":"t1:6d1076d38e926a883d3e2ae5f4c7a294","label":"lossless","actions":[{"kind":"sql","text":"UPDATE t SET a = ''it''''s \\\\ \\"so\\"''"}]}' WHERE "release" = 'v2' AND "step" = 'names';
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'repair handler rollback_add', NULL, NULL, 'recorded', NULL);

-- repair rename
UPDATE "app"."triphase_ledger" SET "release" = 'v2', "step" = 'first_names', "name" = 'first names' WHERE "release" = 'v2' AND "step" = 'names';
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'repair rename', NULL, NULL, 'recorded', NULL);

-- rollout
INSERT INTO "app"."triphase_meta" ("key", "value") VALUES ('rollout/v2', '{"who":"o''me@here","at":' || CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) || '}') ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value";
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'rollout', NULL, NULL, 'recorded', NULL);

-- rollout --revoke
DELETE FROM "app"."triphase_meta" WHERE "key" = 'rollout/v2';
INSERT INTO "app"."triphase_history" ("at", "run_id", "command", "who", "host", "tool", "release", "step", "verb", "statement", "hash", "outcome", "detail") VALUES (clock_timestamp(), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase ff', 'o''me@here', 'here', '0.0.0', 'v2', 'names', 'rollout', NULL, NULL, 'recorded', NULL);

-- it was tried before
SELECT EXISTS (SELECT 1 FROM "app"."triphase_history" WHERE "release" = 'v2' AND "step" = 'names' AND "verb" = 'add' AND "outcome" = 'attempting' AND "statement" = 1);

-- stored handlers
SELECT "release", "step", "h_add", "h_simdrop", "h_drop", "h_rollback_simdrop", "h_rollback_add" FROM "app"."triphase_ledger" WHERE ("release", "step") IN (VALUES ('v2', 'names'));

