--
-- Create model Order
--
DROP TABLE `shop_order` CASCADE;
-- printed
