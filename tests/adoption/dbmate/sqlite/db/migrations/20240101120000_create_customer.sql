-- migrate:up
CREATE TABLE customer (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL -- as on the invoice; see ticket 7
);
INSERT INTO customer (name) VALUES ('Ada; Lovelace');

-- migrate:down
DROP TABLE customer;
