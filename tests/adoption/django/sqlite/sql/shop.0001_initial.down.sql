BEGIN;
--
-- Create model Customer
--
DROP TABLE "shop_customer";
COMMIT;
-- printed
