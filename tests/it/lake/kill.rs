//! The binary is killed at every point it passes, its lease ended, and run again: the end is that of a run that nobody killed, nothing has
//! run twice, and nobody is asked anything.

use super::{
    Shore,
    cases::{At, Case, Kind, Life, Row, cases},
    tables::{by_operation, lake_of, row, ways},
};
use crate::harness::{table, until};
use serde_json::json;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
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
    shore.create("log", &[("n", "long")], json!([[0]]));
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

/// An operation that was cut short is to be finished. Its handlers are the ledger's (O4): no file was edited.
#[test]
fn what_is_half_way_is_pending_and_no_drift() {
    let retype = "change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}";
    let ways: [(&str, &[&str], &str); 4] = [
        (retype, &[], "add"),
        (retype, &["add v2"], "simdrop"),
        ("add_column: {table: sales, column: colour, type: string, default: \"'red'\"}", &[], "add"),
        ("set_not_null: {table: sales, column: amount, up: \"'0'\"}", &["add v2"], "simdrop"),
    ];
    for (operation, before, verb) in ways {
        let shore = Shore::new();
        shore.target("writers: [spark]\n");
        shore.create("sales", &[("id", "long"), ("amount", "string")], json!([[1, "1"], [2, null]]));
        shore.release("v1", "steps:\n  map:\n    upgrade_column_mapping: {table: sales}\n");
        shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
        shore.ok("ff v1 --yes");
        for line in before {
            shore.ok(line);
        }
        let (line, ready, log) = (format!("{verb} v2"), shore.keep(), shore.path("points"));
        shore.command(&line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let points = std::fs::read_to_string(&log).unwrap();
        // Before its second statement.
        let second = points.lines().filter(|point| point.ends_with(" before a statement")).nth(1);
        let number = second.unwrap_or_else(|| panic!("{operation}: {points}")).split(' ').next().unwrap();
        shore.restore(&ready);
        assert_eq!(shore.command(&line).var("TRIPHASE_FAILPOINT", number).run().code, -9);
        shore.ends(3, "check").says(&format!("triphase {verb} v2")).hides("L6");
        shore.ok("unlock --force");
        shore.ok(&line);
    }
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
    shore.python.call("merge_insert", json!([shore.table("sales"), ["id", "amount"], 1])).unwrap();
    shore.python.call("update", json!([shore.table("sales"), {"extra": "'theirs'"}, "id = 1"])).unwrap();
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

/// What an operation leaves: the table as the other library sees it, its properties, and the step's states.
fn left(shore: &Shore, case: &Case) -> Vec<String> {
    let ask = |what: &str| match shore.python.call(what, json!([shore.table(&case.path())])) {
        Ok(value) => value.to_string(),
        // Which file is missing first is of no interest.
        Err(error) => error.split(':').next().unwrap().to_owned(),
    };
    let mut left: Vec<String> = ["look", "hidden", "configuration", "partitions", "comments"].map(ask).into();
    left.push(shore.states(case.release(), case.table));
    left
}

/// Cases whose commits are, one for one, those of another case: a kill finds nothing new there.
const ALIKE: &[(&str, &str)] = &[
    ("create_unmapped", "create_table"),
    ("drop_purge", "detach_purge"),
    ("drop_required", "drop_required_down"),
    ("drop_down", "drop_required_down"),
    ("rename_constrained", "rename_required"),
    ("change_lossy", "change_type"),
    ("change_required", "change_type"),
    ("drop_not_null", "drop_not_null_down"),
    ("set_comment_table", "set_comment"),
];

/// Each case on one kind of table; what adds a column is taken back otherwise where columns are mapped.
fn swept() -> Vec<Case> {
    let kinds = |case: &Case| {
        let of = |kinds: &[Kind]| kinds.iter().copied().find(|kind| case.on.contains(kind));
        let unmapped = of(&[Kind::Partitioned, Kind::Constrained, Kind::Plain]);
        let mapped = of(&[Kind::Full, Kind::Mapped]);
        let both = ["add_column", "add_default", "upgrade"].contains(&case.table);
        let first: Vec<Kind> = unmapped.into_iter().collect();
        if unmapped.is_none() || both { first.into_iter().chain(mapped).collect() } else { first }
    };
    let all = cases();
    let known = |name: &str| all.iter().any(|case| case.table == name);
    assert!(ALIKE.iter().all(|(one, other)| known(one) && known(other)), "{ALIKE:?}");
    let swept = all.iter().filter(|case| ALIKE.iter().all(|(alike, _)| case.table != *alike));
    swept.flat_map(|case| kinds(case).into_iter().map(|kind| case.clone().on_a(kind))).collect()
}

#[test]
fn at_every_point_of_operations() {
    let (swept, next) = (swept(), AtomicUsize::new(0));
    let counts: Mutex<Vec<(usize, String, usize)>> = Mutex::default();
    // A sweep waits for the disk as often as for the processor.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = swept.get(n) else { return };
                    let begun = Instant::now();
                    let killed = sweep(case);
                    println!("{} on {:?}: killed {killed} times in {:.1?}", case.table, case.kind, begun.elapsed());
                    counts.lock().unwrap().push((n, case.key(), killed));
                }
            });
        }
    });
    let mut counts = counts.into_inner().unwrap();
    counts.sort_unstable();
    let all: usize = counts.iter().map(|(.., killed)| killed).sum();
    let of = counts.into_iter().map(|(_, operation, killed)| (operation, killed));
    let rows = by_operation(of).into_iter().map(|(operation, (cases, killed))| {
        assert!(killed > 0, "{operation} was never killed");
        format!("| killed | `{operation}` | {cases} | {killed} points | {killed} resumed |")
    });
    let rows: Vec<String> = rows.collect();
    println!("{}\nkilled {all} times", rows.join("\n"));
    table("CONTRIBUTING.md", "killed", &rows);
}

/// A row of whoever works at this point.
fn write(shore: &Shore, case: &Case, at: At, id: i64) {
    let mut row = Row { new: at == At::Hidden, ..row(id) };
    (case.row)(&mut row, at);
    shore.python.call("put", json!([shore.table(&case.path()), ways(case, &[row])])).unwrap();
}

/// Kills each command of an operation at every point of it, and runs it again.
fn sweep(case: &Case) -> usize {
    let shore = lake_of(std::slice::from_ref(case));
    let line = |verb: &str| format!("{verb} {} --yes", case.release());
    let mut killed = resumed(&shore, case, &line("add"));
    let added = shore.keep();
    if case.life() != Life::OneWay {
        killed += resumed(&shore, case, &line("rollback_add"));
        shore.restore(&added);
    }
    if case.life() != Life::Made {
        // What simdrop fills in.
        write(&shore, case, At::Added, 101);
    }
    killed += resumed(&shore, case, &line("simdrop"));
    if case.life() == Life::Stays {
        // What the way back fills in.
        write(&shore, case, At::Hidden, 102);
    }
    let hidden = shore.keep();
    if case.life() != Life::OneWay {
        killed += resumed(&shore, case, &format!("{} --accept-loss", line("rollback_simdrop")));
        shore.restore(&hidden);
    }
    killed += resumed(&shore, case, &line("drop"));
    killed
}

/// Kills a command wherever the lake is not as it was at the point before, from the step's first statement on (what comes before is the
/// same for every step, and `at_every_point` is killed there), and runs it again. In the end the lake is as the command leaves it.
fn resumed(shore: &Shore, case: &Case, line: &str) -> usize {
    let ready = shore.keep();
    let points = points(shore, line);
    let expected = left(shore, case);
    let done = shore.keep();
    for point in &points {
        shore.restore(&ready);
        let run = shore.command(line).var("TRIPHASE_FAILPOINT", point.to_string()).run();
        let said = format!("{} on {:?}: {line} killed at point {point}", case.table, case.kind);
        assert_eq!(run.code, -9, "{said}: {run:?}");
        shore.ok("unlock --force");
        let again = shore.run(line);
        assert!(again.code == 0, "{said}: {again:?}");
        pretty_assertions::assert_eq!(left(shore, case), expected, "{}", said);
    }
    shore.restore(&done);
    points.len()
}

/// Runs a command, and gives the points at which something of the lake had just changed: a kill at any other leaves what a kill at the
/// one before it leaves.
fn points(shore: &Shore, line: &str) -> Vec<u32> {
    let folder = tempfile::tempdir().unwrap();
    let file = |n: u32, kind: &str| folder.path().join(format!("{n}.{kind}"));
    let command = shore.command(line).var("TRIPHASE_PAUSE_AT", "*");
    let command = command.var("TRIPHASE_PAUSE_IN", folder.path().display().to_string());
    let mut child = command.spawn();
    let (mut points, mut begun, mut before) = (vec![], false, vec![]);
    for n in 1.. {
        let met = || std::fs::read_to_string(file(n, "met")).unwrap_or_default();
        until("a point, or the end", || child.try_wait().unwrap().is_some() || !met().is_empty());
        if met().is_empty() {
            break;
        }
        let now = shore.names();
        if begun && now != before {
            points.push(n);
        }
        before = now;
        begun |= met() == "after begin";
        std::fs::write(file(n, "go"), "").unwrap();
    }
    command.end(child).exits(0);
    points
}
