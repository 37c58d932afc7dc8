BEGIN;
--
-- Create index customer_name on field(s) name of model customer
--
CREATE INDEX "customer_name" ON "shop_customer" ("name");
COMMIT;
-- printed
