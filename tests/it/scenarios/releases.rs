//! The project that most scenarios work on. Its SQL is the same on all engines, but where an index is dropped.

use crate::harness::Bench;

/// A table and a row in it. Nothing to contract.
pub const V1: &str = "
description: Customers
steps:
  customer:
    add: CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL)
    rollback_add: DROP TABLE customer
  ada:
    add: INSERT INTO customer VALUES (1, 'Ada Lovelace')
    rollback_add: DELETE FROM customer WHERE id = 1
";

/// A column takes another's place, through all three phases.
pub const V2: &str = "
description: Split the customer's name
steps:
  names:
    add: |
      ALTER TABLE customer ADD COLUMN first_name varchar(40);
      UPDATE customer SET first_name = substr(name, 1, 3);
    simdrop: ALTER TABLE customer RENAME COLUMN name TO _simdrop_name
    drop: ALTER TABLE customer DROP COLUMN _simdrop_name
    rollback_simdrop: ALTER TABLE customer RENAME COLUMN _simdrop_name TO name
    rollback_add: ALTER TABLE customer DROP COLUMN first_name
  names_index:
    after: [names]
    add:
      - expect: SELECT count(*) = 1 FROM customer WHERE first_name = 'Ada'
      - sql: CREATE INDEX customer_first_name ON customer (first_name)
    rollback_add:
      mysql: DROP INDEX customer_first_name ON customer
      default: DROP INDEX customer_first_name
";

/// One more table.
pub const V3: &str = "
steps:
  orders:
    add: CREATE TABLE orders (id integer PRIMARY KEY)
    rollback_add: DROP TABLE orders
";

/// Writes all three.
pub fn sample(bench: &Bench) {
    bench.release("v1", V1);
    bench.release("v2", V2);
    bench.release("v3", V3);
}

/// The columns of `customer`, sorted.
pub fn columns(bench: &Bench) -> String {
    let sql = match bench.db.engine() {
        crate::harness::Engine::Sqlite => "SELECT name FROM pragma_table_info('customer') ORDER BY 1",
        crate::harness::Engine::Postgres => {
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'customer' ORDER BY column_name COLLATE \"C\""
        }
        crate::harness::Engine::Mariadb => {
            "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 'customer' \
             ORDER BY BINARY column_name"
        }
    };
    bench.db.query(sql).join(" ")
}
