DROP INDEX customer_name ON customer;
