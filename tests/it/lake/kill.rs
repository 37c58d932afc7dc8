//! The binary is killed at every point it passes, its lease ended, and run again: the end is that of a run that nobody killed, nothing has
//! run twice, and nobody is asked anything.

use super::{
    Shore,
    cases::{Case, Kind, cases, lake},
};

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

/// A lake with one of each that a purge removes: a hidden column, files of a rewrite, a folder put aside.
fn left_behind() -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let columns = "[{name: id, type: long}, {name: amount, type: string}]";
    shore.release("v1", &format!("steps:\n  make:\n    create_table: {{table: sales, columns: {columns}}}\n"));
    shore.ok("ff v1");
    shore.release("v2", "steps:\n  extra:\n    add_column: {table: sales, column: extra, type: string}\n");
    shore.ok("add v2");
    shore.python.call("merge_insert", serde_json::json!([shore.table("sales"), ["id", "amount"], 1])).unwrap();
    shore.python.call("update", serde_json::json!([shore.table("sales"), {"extra": "'theirs'"}, "id = 1"])).unwrap();
    shore.ok("rollback_add v2 --yes");
    for file in [
        "sales/triphase-stage/v9/a",
        "sales/triphase-stage/v9/b",
        "_triphase/damaged-x/ledger/a",
        "_triphase/damaged-x/b",
    ] {
        shore.write(&format!("lake/{file}.parquet"), "left");
    }
    shore
}

/// What is left of it: the columns, the rows, and the files.
fn remains(shore: &Shore) -> (Vec<String>, Vec<String>, usize, String) {
    let left = |(path, bytes): &(std::path::PathBuf, Vec<u8>)| path.is_file() && bytes == b"left";
    let files = shore.everything().iter().filter(|one| left(one)).count();
    let rows = shore.query("sales", "SELECT id, amount FROM t");
    (shore.columns("sales"), rows, files, shore.states("v2", "extra"))
}

/// `repair purge` goes on where it was killed, and the ledger knows of everything that is gone.
#[test]
fn at_every_point_of_a_purge() {
    let line = "repair purge --reason clean";
    let shore = left_behind();
    let (columns, .., files, _) = remains(&shore);
    assert_eq!((columns.len(), files), (3, 4), "{columns:?}");
    let things = [columns[2].as_str(), "triphase-stage", "_triphase/damaged-x"];
    let ready = shore.keep();
    let log = shore.path("points");
    shore.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
    let points = std::fs::read_to_string(&log).unwrap();
    let expected = remains(&shore);
    assert_eq!((expected.0.len(), expected.2), (2, 0), "{expected:?}");
    let mut killed = 0;
    for point in points.lines() {
        shore.restore(&ready);
        let number = point.split(' ').next().unwrap();
        let run = shore.command(line).var("TRIPHASE_FAILPOINT", number).run();
        assert_eq!(run.code, -9, "{line} at {point}: {run:?}");
        // The ledger never says of what is still there that it is gone.
        let (columns, _, files, _) = remains(&shore);
        let said = |history: &str, thing: &str| {
            let of = |line: &&str| line.contains("repair purge") && line.contains(thing);
            let lines: Vec<&str> = history.lines().filter(of).collect();
            (!lines.is_empty(), lines.iter().any(|line| !line.contains("attempting")))
        };
        let history = shore.ok("history").stdout;
        assert!(!(columns.len() == 3 && said(&history, things[0]).1), "at {point}: {history}");
        assert!(!(files > 2 && said(&history, things[1]).1), "at {point}: {history}");
        assert!(!(files > 0 && said(&history, things[2]).1), "at {point}: {history}");
        shore.ok("show --objects");
        shore.ok("unlock --force");
        shore.ok(line);
        pretty_assertions::assert_eq!(remains(&shore), expected, "after a kill at {}", point);
        let history = shore.ok("history").stdout;
        for thing in things {
            assert!(said(&history, thing).0, "after a kill at {point} the ledger knows nothing of {thing}: {history}");
        }
        shore.ok("show --objects").hides("_tp_").hides("triphase-stage").hides("damaged-");
        killed += 1;
    }
    println!("killed {killed} times");
    assert!(killed > 15, "{killed}");
}

/// The operations that are swept, each on a kind of table, and two that make and end one.
fn swept() -> Vec<(Kind, Case)> {
    let named = |kind, table| (kind, cases().into_iter().find(|case| case.table == table).unwrap());
    let whole = |table, operation| {
        let mut case = cases().remove(0);
        (case.table, case.operation) = (table, operation);
        (Kind::Plain, case)
    };
    vec![
        named(Kind::Plain, "add_required"),
        named(Kind::Full, "change_type"),
        named(Kind::Mapped, "rename_sync"),
        named(Kind::Mapped, "detach_purge"),
        named(Kind::Constrained, "drop_rewrite"),
        named(Kind::Plain, "repartition"),
        named(Kind::Plain, "backfill"),
        whole("drop_table", "drop_table: {table: T}"),
        whole("create_table", "create_table: {table: made/new, columns: [{name: id, type: long}]}"),
    ]
}

/// What an operation leaves: the table as the other library sees it, its properties, and the step's states.
fn left(shore: &Shore, table: &str) -> Vec<String> {
    let ask = |what: &str| match shore.python.call(what, serde_json::json!([shore.table(table)])) {
        Ok(value) => value.to_string(),
        // Which file is missing first is of no interest.
        Err(error) => error.split(':').next().unwrap().to_owned(),
    };
    ["look", "hidden", "configuration", "partitions"].map(ask).into()
}

#[test]
fn at_every_point_of_operations() {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for three in swept().chunks(3) {
        std::thread::scope(|scope| {
            let one = |(kind, case): &(Kind, Case)| {
                let (kind, case) = (*kind, case.clone());
                scope.spawn(move || (case.table, sweep(kind, &case)))
            };
            let running: Vec<_> = three.iter().map(one).collect();
            counts.extend(running.into_iter().map(|thread| thread.join().unwrap()));
        });
    }
    println!("| operation | killed |\n|---|---|");
    for (table, killed) in &counts {
        println!("| `{table}` | {killed} |");
    }
    let all: usize = counts.iter().map(|(_, killed)| killed).sum();
    println!("killed {all} times in {} operations", counts.len());
    assert!(all > 100, "{all}");
}

/// Kills each command of an operation at every point, and runs it again.
fn sweep(kind: Kind, case: &Case) -> usize {
    let shore = lake(kind, std::slice::from_ref(case));
    let table = if case.table == "create_table" { "made/new" } else { case.table };
    let fresh = shore.keep();
    let mut killed = 0;
    let undone: &[(&[&str], &str)] = &[
        (&[], "ff v2 --yes"),
        (&["add v2 --yes", "simdrop v2 --yes"], "rollback_simdrop v2 --yes --accept-loss"),
        (&["add v2 --yes"], "rollback_add v2 --yes"),
    ];
    for (before, line) in undone {
        shore.restore(&fresh);
        for line in *before {
            shore.ok(line);
        }
        let ready = shore.keep();
        let log = shore.path("points");
        let _ = std::fs::remove_file(&log);
        shore.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let points = std::fs::read_to_string(&log).unwrap_or_default();
        let (expected, states) = (left(&shore, table), shore.states("v2", case.table));
        for point in points.lines() {
            shore.restore(&ready);
            let number = point.split(' ').next().unwrap();
            let run = shore.command(line).var("TRIPHASE_FAILPOINT", number).run();
            assert_eq!(run.code, -9, "{}: {line} at {point}: {run:?}", case.table);
            shore.ok("show");
            shore.ok("unlock --force");
            let again = shore.run(line);
            assert!(again.code == 0, "{}: {line} after a kill at {point}: {again:?}", case.table);
            let said = format!("{}: {line} after a kill at {point}", case.table);
            pretty_assertions::assert_eq!(left(&shore, table), expected, "{}", said);
            assert_eq!(shore.states("v2", case.table), states, "{said}");
            killed += 1;
        }
    }
    killed
}
