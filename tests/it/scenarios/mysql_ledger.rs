//! A MySQL or MariaDB ledger that is not whole: there DDL commits by itself, and so does what takes a table of it away.

use crate::harness::{Bench, Engine};

const TABLES: [&str; 4] = ["triphase_meta", "triphase_run", "triphase_ledger", "triphase_history"];

#[test]
fn a_handler_that_drops_the_ledger_is_told_so() {
    for dropped in [&TABLES[..], &TABLES[1..2], &TABLES[2..3], &TABLES[3..]] {
        let bench = Bench::new(Engine::Mariadb);
        let drop = format!("DROP TABLE {}", dropped.join(", "));
        bench
            .release("v1", &format!("steps:\n  one:\n    add:\n      - CREATE TABLE t (id integer)\n      - {drop}\n"));
        bench
            .ends(8, "ff")
            .says(&format!("`{drop}` was applied and could not be recorded"))
            .says("the ledger is not whole: restore its tables from a backup");
    }
}

/// What else stands between two statements may go on before anybody looks.
#[test]
fn a_ledger_that_goes_in_mid_run_is_told_so() {
    let bench = Bench::new(Engine::Mariadb);
    let gone = format!("DROP TABLE {}", TABLES.join(", "));
    // Its own session ends with the statement, and the next round finds no ledger.
    bench
        .db
        .client(&format!("DELIMITER //\nCREATE PROCEDURE p() BEGIN {gone}; KILL CONNECTION connection_id(); END//\n"));
    bench.release("v1", "steps:\n  one:\n    add: CALL p()\n");
    bench.ends(8, "ff").says("the ledger's tables are gone, which were there when this run began");
}
