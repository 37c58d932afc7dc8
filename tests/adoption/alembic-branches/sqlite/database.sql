PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('b2');
CREATE TABLE network (id integer);
INSERT INTO network VALUES(1);
CREATE TABLE route (id integer);
CREATE TABLE host (id integer);
CREATE TABLE hostname (id integer);
COMMIT;
