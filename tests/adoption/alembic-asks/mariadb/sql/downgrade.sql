-- Running downgrade f5 -> e4

DROP TABLE zone;

UPDATE alembic_version SET version_num='e4' WHERE alembic_version.version_num = 'f5';

-- Running downgrade e4 -> d3

DELETE FROM stats;

UPDATE alembic_version SET version_num='d3' WHERE alembic_version.version_num = 'e4';

-- Running downgrade d3 -> b2, c2

INSERT INTO alembic_version (version_num) VALUES ('c2');

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'd3';

-- Running downgrade b2 -> a1

DELETE FROM orders;

SELECT count(*) FROM orders;

-- Running downgrade z1 -> 

DROP TABLE alone;

DELETE FROM alembic_version WHERE alembic_version.version_num = 'z1';

