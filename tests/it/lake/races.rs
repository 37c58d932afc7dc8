//! Others at the same lake: other runs, and other writers of the same tables.

use super::{SALES, Shore};
#[cfg(feature = "failpoints")]
use crate::harness::until;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn eight_runners_do_each_step_once() {
    let shore = Shore::with_sales();
    for n in 1..5 {
        shore.release(
            &format!("v{n}"),
            &format!("steps:\n  a{n}:\n    add: INSERT INTO sales VALUES ({n}0, 'add', 0)\n    drop: INSERT INTO sales VALUES ({n}1, 'drop', 0)\n"),
        );
    }
    let command = shore.command("ff");
    let children: Vec<_> = (0..8).map(|_| command.spawn()).collect();
    for child in children {
        let run = command.end(child);
        assert!([0, 4].contains(&run.code), "{run:?}");
    }
    shore.ok("ff");
    let expected: Vec<String> = (1..5).flat_map(|n| [format!("{n}0"), format!("{n}1")]).collect();
    assert_eq!(shore.query("sales", "SELECT id FROM t WHERE id >= 10 ORDER BY id"), expected);
}

#[test]
fn a_writer_beside_every_phase_loses_nothing() {
    let shore = Shore::with_sales();
    shore.release(
        "v1",
        "
steps:
  s:
    add:
      - UPDATE sales SET kind = 'k' WHERE id BETWEEN 1 AND 3
      - DELETE FROM sales WHERE id = 2
    simdrop: UPDATE sales SET amount = 0 WHERE id = 1
    rollback_simdrop: UPDATE sales SET amount = 10 WHERE id = 1
    rollback_add: INSERT INTO sales VALUES (2, 'b', 20)
",
    );
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::SeqCst) && written < 400 {
                shore.append("sales", SALES, json!([[1000 + written, "w", 1]])).unwrap();
                written += 1;
            }
            written
        });
        for line in ["add v1", "simdrop v1", "rollback_simdrop v1", "rollback_add v1"] {
            shore.ok(line);
        }
        stop.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });
    assert!(written > 0);
    assert_eq!(
        shore.query("sales", "SELECT count(*), count(DISTINCT id) FROM t WHERE kind = 'w'"),
        [format!("{written} {written}")]
    );
    assert_eq!(
        shore.query("sales", "SELECT id, kind, amount FROM t WHERE id < 1000 ORDER BY id"),
        ["1 k 10", "2 b 20", "3 k 30"]
    );
}

/// The holder is held up with its statement announced, and not committed. It lives: it renews its lease.
#[cfg(feature = "failpoints")]
#[test]
fn a_live_holder_is_waited_for_and_ended_only_by_force() {
    let shore = Shore::with_sales();
    shore.release("v1", "steps:\n  s:\n    add: UPDATE sales SET amount = 1\n");
    shore.ok("add v1");
    shore.release(
        "v2",
        "steps:\n  t:\n    add:\n      - UPDATE sales SET amount = amount + 2\n      - expect: SELECT count(*) = 4 FROM sales\n",
    );
    let stage = shore.path("stage");
    std::fs::create_dir(&stage).unwrap();
    let command = shore.command("add v2");
    let command = command.var("TRIPHASE_PAUSE_IN", stage.display().to_string());
    let command = command.var("TRIPHASE_PAUSE_AT", "before a statement");
    let holder = command.spawn();
    until("the statement is announced", || stage.join("1.met").exists());
    shore.ends(4, "add v2 --wait-lock 1s").says("held by run").says("add v2");
    shore.ok("show");
    shore.ends(7, "unlock").says("unlock --force");
    shore.ok("unlock --force").says("ended the lease");
    let fences = || shore.history("sales").iter().filter(|commit| commit["operation"] == "TRIPHASE FENCE").count();
    assert_eq!(fences(), 0);
    shore.append("sales", SALES, json!([[4, "d", 1]])).unwrap();
    shore.ok("add v2");
    assert_eq!(fences(), 1, "who took over commits to the table that the dead run was at");
    // It comes back, and finds that it is fenced off.
    let version = shore.version("sales");
    std::fs::write(stage.join("1.go"), "").unwrap();
    let run = command.end(holder);
    assert_eq!(run.code, 4, "{run:?}");
    assert_eq!(shore.version("sales"), version, "it wrote after it had lost the lease: {run:?}");
    assert_eq!(shore.states("v2", "t").split(' ').next(), Some("done"));
    assert_eq!(shore.query("sales", "SELECT DISTINCT amount FROM t"), ["3"], "the statement ran once");
}
