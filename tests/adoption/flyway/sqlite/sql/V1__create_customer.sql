CREATE TABLE customer (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL);
INSERT INTO customer (name) VALUES ('Grüße an ${who}');
