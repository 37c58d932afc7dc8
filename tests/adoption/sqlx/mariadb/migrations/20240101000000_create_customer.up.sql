CREATE TABLE customer (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL);
