BEGIN;
--
-- Create index customer_name on field(s) name of model customer
--
DROP INDEX IF EXISTS "customer_name";
COMMIT;
-- printed
