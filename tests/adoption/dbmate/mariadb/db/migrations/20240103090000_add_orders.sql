-- migrate:up
CREATE TABLE orders (id integer PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customer (id));

-- migrate:down
DROP TABLE orders;
