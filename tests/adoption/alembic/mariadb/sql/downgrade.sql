-- Running downgrade 27c6a30d7c24 -> ae1027a6acf

DROP TABLE orders;

UPDATE alembic_version SET version_num='ae1027a6acf' WHERE alembic_version.version_num = '27c6a30d7c24';

-- Running downgrade ae1027a6acf -> 1975ea83b712

DROP INDEX customer_name ON customer;

UPDATE alembic_version SET version_num='1975ea83b712' WHERE alembic_version.version_num = 'ae1027a6acf';

-- Running downgrade 1975ea83b712 -> 

DROP TABLE customer;

DELETE FROM alembic_version WHERE alembic_version.version_num = '1975ea83b712';

