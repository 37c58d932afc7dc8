-- Running downgrade b3 -> b2

DROP TABLE zone;

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'b3';

-- Running downgrade b2 -> b1

UPDATE alembic_version SET version_num='b1' WHERE alembic_version.version_num = 'b2';

-- Running downgrade b1 -> 

DROP TABLE host;

UPDATE alembic_version SET version_num='a2' WHERE alembic_version.version_num = 'b1';

-- Running downgrade a2 -> a1

DROP TABLE route;

UPDATE alembic_version SET version_num='a1' WHERE alembic_version.version_num = 'a2';

-- Running downgrade a1 -> 

DROP TABLE network;

DELETE FROM alembic_version WHERE alembic_version.version_num = 'a1';

