CREATE TABLE customer (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL) DEFAULT CHARSET = utf8mb4;
INSERT INTO customer (name) VALUES ('Grüße an ${who}');
