PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "flyway_schema_history" (
    "installed_rank" INT NOT NULL PRIMARY KEY,
    "version" VARCHAR(50),
    "description" VARCHAR(200) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "script" VARCHAR(1000) NOT NULL,
    "checksum" INT,
    "installed_by" VARCHAR(100) NOT NULL,
    "installed_on" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')),
    "execution_time" INT NOT NULL,
    "success" BOOLEAN NOT NULL
);
INSERT INTO flyway_schema_history VALUES(1,'1','create customer','SQL','V1__create_customer.sql',-2077021041,'','2026-11-21 16:17:53.719',3,1);
INSERT INTO flyway_schema_history VALUES(2,'1.2','add mail','SQL','V1.2__add_mail.sql',-2026855646,'','2026-11-21 16:17:53.729',0,1);
INSERT INTO flyway_schema_history VALUES(3,'1.10','index customer','SQL','V1.10__index_customer.sql',962198333,'','2026-11-21 16:17:53.736',0,1);
INSERT INTO flyway_schema_history VALUES(4,NULL,'customer names','SQL','R__customer_names.sql',-1525948743,'','2026-11-21 16:17:53.741',0,1);
CREATE TABLE customer (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, mail text);
INSERT INTO customer VALUES(1,'Grüße an Ada',NULL);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('customer',1);
CREATE INDEX "flyway_schema_history_s_idx" ON "flyway_schema_history" ("success");
CREATE INDEX customer_name
    ON customer (name);
CREATE VIEW customer_names AS SELECT name FROM customer;
COMMIT;
