BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE customer (id integer);

INSERT INTO customer VALUES (1);

INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;

-- Running upgrade  -> z1

CREATE TABLE alone (id integer);

INSERT INTO alembic_version (version_num) VALUES ('z1') RETURNING alembic_version.version_num;

-- Running upgrade a1 -> c2

CREATE TABLE stats (n integer);

UPDATE alembic_version SET version_num='c2' WHERE alembic_version.version_num = 'a1';

-- Running upgrade a1 -> b2

CREATE TABLE orders (id integer);

INSERT INTO alembic_version (version_num) VALUES ('b2') RETURNING alembic_version.version_num;

-- Running upgrade b2, c2 -> d3

DELETE FROM alembic_version WHERE alembic_version.version_num = 'c2';

UPDATE alembic_version SET version_num='d3' WHERE alembic_version.version_num = 'b2';

-- Running upgrade d3 -> e4

SELECT count(*) FROM customer;

