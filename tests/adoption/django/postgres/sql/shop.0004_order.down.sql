BEGIN;
--
-- Create model Order
--
DROP TABLE "shop_order" CASCADE;
COMMIT;
-- printed
