BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE network (id integer);

INSERT INTO network VALUES (1);

INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;

-- Running upgrade a1 -> a2

CREATE TABLE route (id integer);

UPDATE alembic_version SET version_num='a2' WHERE alembic_version.version_num = 'a1';

-- Running upgrade  -> b1

CREATE TABLE host (id integer);

UPDATE alembic_version SET version_num='b1' WHERE alembic_version.version_num = 'a2';

-- Running upgrade b1 -> b2

CREATE TABLE hostname (id integer);

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'b1';

-- Running upgrade b2 -> b3

CREATE TABLE zone (id integer);

UPDATE alembic_version SET version_num='b3' WHERE alembic_version.version_num = 'b2';

COMMIT;

