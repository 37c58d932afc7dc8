DROP INDEX customer_name;
