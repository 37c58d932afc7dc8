-- Tables as Apache Spark with Delta writes them. `make` runs this; ${to} is where they go.
SET spark.sql.session.timeZone=UTC;

-- Timestamps as INT96, Spark's default: values outside 1677 to 2262 are no nanoseconds of 64 bits.
CREATE TABLE delta.`${to}/int96` (id BIGINT, kind STRING, at TIMESTAMP) USING delta;
INSERT INTO delta.`${to}/int96` SELECT /*+ COALESCE(1) */ * FROM VALUES
  (1L, 'a', TIMESTAMP '9999-12-31 23:59:59.123456'), (2L, 'b', TIMESTAMP '0001-01-01 00:00:00'),
  (3L, 'a', TIMESTAMP '1600-03-01 12:00:00'), (4L, 'b', TIMESTAMP '2024-02-29 01:02:03.000004'), (5L, NULL, NULL);

-- Rows deleted by a deletion vector: 2 and 4 are gone, and their bytes are still in the file.
CREATE TABLE delta.`${to}/vectors` (id BIGINT, kind STRING, amount STRING) USING delta
  TBLPROPERTIES ('delta.enableDeletionVectors' = 'true');
INSERT INTO delta.`${to}/vectors` SELECT /*+ COALESCE(1) */ id, concat('k', id), CAST(id * 10 AS STRING) FROM range(1, 7);
DELETE FROM delta.`${to}/vectors` WHERE id IN (2, 4);

-- The same with column mapping, a column renamed and one dropped.
CREATE TABLE delta.`${to}/mapped` (id BIGINT, kind STRING, gone STRING, amount STRING) USING delta
  TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.enableDeletionVectors' = 'true');
INSERT INTO delta.`${to}/mapped` SELECT /*+ COALESCE(1) */ id, concat('k', id), 'gone', CAST(id * 10 AS STRING) FROM range(1, 5);
DELETE FROM delta.`${to}/mapped` WHERE id = 4;
ALTER TABLE delta.`${to}/mapped` RENAME COLUMN kind TO `weird kind`;
ALTER TABLE delta.`${to}/mapped` DROP COLUMN gone;

-- Mapped by id: readers go by the field ids in the files.
CREATE TABLE delta.`${to}/by_id` (id BIGINT, kind STRING, amount STRING) USING delta
  TBLPROPERTIES ('delta.columnMapping.mode' = 'id');
INSERT INTO delta.`${to}/by_id` VALUES (1L, 'a', '10'), (2L, 'b', '20');

CREATE TABLE delta.`${to}/ntz` (id BIGINT, kind STRING, at TIMESTAMP_NTZ) USING delta;
INSERT INTO delta.`${to}/ntz` SELECT /*+ COALESCE(1) */ * FROM VALUES
  (1L, 'a', TIMESTAMP_NTZ '9999-12-31 23:59:59.123456'), (2L, 'b', TIMESTAMP_NTZ '0001-01-01 00:00:00'), (3L, NULL, NULL);

-- A constraint in Spark's spelling on a name in mixed case, NOT NULL, partitioned by a date that can be NULL.
CREATE TABLE delta.`${to}/rules` (id BIGINT NOT NULL, `Weird Name` STRING, day DATE) USING delta PARTITIONED BY (day)
  TBLPROPERTIES ('delta.columnMapping.mode' = 'name');
ALTER TABLE delta.`${to}/rules` ADD CONSTRAINT named CHECK (`Weird Name` <> '');
INSERT INTO delta.`${to}/rules` VALUES (1L, 'a', DATE '2024-01-01'), (2L, 'b', NULL);

-- Features that delta-rs can't write, and one that it can't read.
CREATE TABLE delta.`${to}/defaults` (id BIGINT, kind STRING DEFAULT 'new') USING delta
  TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported');
INSERT INTO delta.`${to}/defaults` (id) VALUES (1L);
CREATE TABLE delta.`${to}/tracked` (id BIGINT, kind STRING) USING delta TBLPROPERTIES ('delta.enableRowTracking' = 'true');
INSERT INTO delta.`${to}/tracked` VALUES (1L, 'a');
CREATE TABLE delta.`${to}/clustered` (id BIGINT, kind STRING) USING delta CLUSTER BY (id);
INSERT INTO delta.`${to}/clustered` VALUES (1L, 'a');
CREATE TABLE delta.`${to}/timed` (id BIGINT, kind STRING) USING delta TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true');
INSERT INTO delta.`${to}/timed` VALUES (1L, 'a');
CREATE TABLE delta.`${to}/widened` (id INT, kind STRING) USING delta TBLPROPERTIES ('delta.enableTypeWidening' = 'true');
INSERT INTO delta.`${to}/widened` VALUES (1, 'a');
ALTER TABLE delta.`${to}/widened` ALTER COLUMN id TYPE BIGINT;
