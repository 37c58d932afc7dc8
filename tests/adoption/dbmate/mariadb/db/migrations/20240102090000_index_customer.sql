-- migrate:up
CREATE INDEX customer_name ON customer (name);

-- migrate:down
DROP INDEX customer_name ON customer;
