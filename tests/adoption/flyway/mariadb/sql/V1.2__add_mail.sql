ALTER TABLE customer ADD COLUMN mail text;
