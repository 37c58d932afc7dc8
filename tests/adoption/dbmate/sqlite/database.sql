PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "schema_migrations" (version varchar(128) primary key);
INSERT INTO schema_migrations VALUES('20240101120000');
INSERT INTO schema_migrations VALUES('20240102090000');
CREATE TABLE customer (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL -- as on the invoice; see ticket 7
);
INSERT INTO customer VALUES(1,'Ada; Lovelace');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('customer',1);
CREATE INDEX customer_name ON customer (name);
COMMIT;
