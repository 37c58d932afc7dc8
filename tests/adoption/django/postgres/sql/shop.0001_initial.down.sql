BEGIN;
--
-- Create model Customer
--
DROP TABLE "shop_customer" CASCADE;
COMMIT;
-- printed
