-- Running upgrade  -> z1

CREATE TABLE alone (id integer);

INSERT INTO alembic_version (version_num) VALUES ('z1') RETURNING version_num;

-- Running upgrade e4 -> f5

CREATE TABLE zone (id integer);

UPDATE alembic_version SET version_num='f5' WHERE alembic_version.version_num = 'e4';

