-- migrate:up
CREATE TABLE customer (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    name varchar(200) NOT NULL -- as on the invoice; see ticket 7
);
INSERT INTO customer (name) VALUES ('Ada; Lovelace');

-- migrate:down
DROP TABLE customer;
