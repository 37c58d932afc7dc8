--
-- Create index customer_name on field(s) name of model customer
--
DROP INDEX `customer_name` ON `shop_customer`;
-- printed
