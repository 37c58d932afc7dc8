//! The binary is killed at every point it passes, its lease ended, and run again: the end is that of a run that nobody killed, nothing has
//! run twice, and nobody is asked anything.

use super::Shore;

const V1: &str = "
steps:
  s:
    add:
      - INSERT INTO log VALUES (1)
      - UPDATE log SET n = n + 1 WHERE n = 1
      - expect: SELECT count(*) = 1 FROM log WHERE n = 2
      - INSERT INTO log VALUES (3)
    simdrop: INSERT INTO log VALUES (4)
    drop: DELETE FROM log WHERE n = 99
    rollback_simdrop: INSERT INTO log VALUES (5)
    rollback_add:
      - INSERT INTO log VALUES (6)
      - INSERT INTO log VALUES (7)
";

const WAYS: &[(&[&str], &str)] =
    &[(&[], "ff"), (&["add v1", "simdrop v1"], "rollback_simdrop v1"), (&["add v1"], "rollback_add v1")];

fn prepared(before: &[&str]) -> Shore {
    let shore = Shore::new();
    shore.create("log", &[("n", "long")], serde_json::json!([[0]]));
    shore.release("v1", V1);
    for line in before {
        shore.ok(line);
    }
    shore
}

fn end(shore: &Shore) -> (Vec<String>, String) {
    (shore.query("log", "SELECT n FROM t ORDER BY n"), shore.states("v1", "s"))
}

#[test]
fn at_every_point() {
    let mut killed = 0;
    for (before, line) in WAYS {
        let whole = prepared(before);
        let log = whole.path("points");
        whole.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let points = std::fs::read_to_string(&log).unwrap();
        let expected = end(&whole);
        for point in points.lines() {
            let (number, name) = point.split_once(' ').unwrap();
            let shore = prepared(before);
            let run = shore.command(line).var("TRIPHASE_FAILPOINT", number).run();
            assert_eq!(run.code, -9, "{line} at {point}: {run:?}");
            shore.ok("show");
            shore.ok("unlock --force");
            let again = shore.run(line);
            assert!(again.code == 0, "{line} after a kill at {point}: {again:?}");
            assert_eq!(end(&shore), expected, "{line} after a kill at {number} {name}");
            killed += 1;
        }
    }
    println!("killed {killed} times");
    assert!(killed > 30, "{killed}");
}
