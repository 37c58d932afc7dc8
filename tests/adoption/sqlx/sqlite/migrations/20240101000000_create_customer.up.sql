CREATE TABLE customer (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL);
