PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('e4');
INSERT INTO alembic_version VALUES('z1');
CREATE TABLE customer (id integer);
INSERT INTO customer VALUES(1);
CREATE TABLE stats (n integer);
INSERT INTO stats VALUES(1);
CREATE TABLE orders (id integer);
CREATE TABLE alone (id integer);
COMMIT;
