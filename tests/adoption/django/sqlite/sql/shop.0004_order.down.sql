BEGIN;
--
-- Create model Order
--
DROP TABLE "shop_order";
COMMIT;
-- printed
