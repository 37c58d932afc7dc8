BEGIN;
--
-- Create model Customer
--
CREATE TABLE "shop_customer" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" text NOT NULL);
COMMIT;
-- printed
