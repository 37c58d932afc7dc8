BEGIN;

CREATE TABLE customer (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL);
INSERT INTO customer (name) VALUES ('Ada');

COMMIT;
