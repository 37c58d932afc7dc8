//! Others commit between a run's look at a table and its commit: at every commit of every operation. The run is held there by a
//! failpoint, so that each race happens, every time.

use super::{
    Shore,
    cases::{Case, Kind, OLD, Row, See, cases, check, first_rows, lake, ways},
};
use crate::harness::{Run, until};
use serde_json::{Value, json};

/// Runs a command line, held before each commit to a table; `then` is told which time that is, from 1.
fn held(shore: &Shore, line: &str, mut then: impl FnMut(u32)) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = |n: u32, kind: &str| folder.path().join(format!("{n}.{kind}"));
    let command = shore
        .command(line)
        .var("TRIPHASE_PAUSE_AT", "before a table commit")
        .var("TRIPHASE_PAUSE_IN", folder.path().display().to_string());
    let mut child = command.spawn();
    for n in 1.. {
        let mut ended = false;
        until("a commit, or the end", || {
            ended = child.try_wait().unwrap().is_some();
            ended || file(n, "met").exists()
        });
        if !file(n, "met").exists() {
            break;
        }
        then(n);
        std::fs::write(file(n, "go"), "").unwrap();
    }
    command.end(child)
}

/// The table of the step that the ledger says is at work.
fn at_work(shore: &Shore) -> String {
    let last = "SELECT step FROM t WHERE outcome = 'attempting' ORDER BY id DESC LIMIT 1";
    shore.query("_triphase/ledger", last).pop().unwrap()
}

/// Overtakes every second try of a command: a row comes, another changes, one goes.
fn overtaken(shore: &Shore, line: &str, cases: &[Case], rows: &mut [Vec<Row>], next: &mut i64, new: bool) -> u32 {
    let mut times = 0;
    let run = held(shore, line, |n| {
        if n % 2 == 0 {
            return;
        }
        let name = at_work(shore);
        let at = cases.iter().position(|case| case.table == name).unwrap();
        let (case, rows, table) = (&cases[at], &mut rows[at], shore.table(&name));
        *next += 1;
        let id = *next;
        // Where a table takes both ways, old writers come first until drop; a new column that is never NULL takes only the new way.
        let first = new && (line.starts_with("drop") || name.starts_with("add_"));
        let mut row = Row {
            id,
            region: Some("late".to_owned()),
            amount: Some((id * 10).to_string()),
            note: format!("n{id}"),
            size: Some(id),
            late: false,
            new: first,
        };
        match n % 3 {
            0 => {
                let gone = rows.iter().rposition(|row| row.id > 100);
                if let Some(gone) = gone {
                    let row = rows.remove(gone);
                    shore.python.call("delete", json!([table, format!("id = {}", row.id)])).unwrap();
                    times += 1;
                }
            }
            1 => {
                let which = shore.python.call("put", json!([table, ways(case, std::slice::from_ref(&row))])).unwrap();
                // The table was on its way already, and the row was said as the other application says it.
                row.new = first == (which == json!(0));
                rows.push(row);
                times += 1;
            }
            _ => {
                let region = format!("u{id}");
                let set = json!([table, {"region": format!("'{region}'")}, "id = 1"]);
                // While a generated column is not filled, the library's own updates fail: the plan says so.
                if shore.python.call("update", set).is_ok() {
                    rows.iter_mut().filter(|row| row.id == 1).for_each(|row| row.region = Some(region.clone()));
                    times += 1;
                }
            }
        }
    });
    run.exits(0);
    times
}

/// A command, whether the new application writes meanwhile, and what becomes of a row.
type Overtaken = (&'static str, bool, fn(&Case, &mut Row));

fn every_commit(kind: Kind) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.on.contains(&kind)).collect();
    let shore = lake(kind, &cases);
    let mut rows: Vec<Vec<Row>> = cases.iter().map(|_| first_rows()).collect();
    let mut next = 100;
    let mut races = 0;
    let added =
        |case: &Case| -> Vec<(&'static str, See)> { OLD.iter().copied().chain(case.added.iter().copied()).collect() };
    let ways: [Overtaken; 5] = [
        ("add v2 --yes", false, |case, row| (case.on_add)(row)),
        ("rollback_add v2 --yes", false, |_, _| {}),
        ("add v2 --yes", false, |case, row| (case.on_add)(row)),
        ("simdrop v2 --yes", false, |_, row| row.late = false),
        ("rollback_simdrop v2 --yes --accept-loss", true, |case, row| (case.back)(row)),
    ];
    for (line, new, then) in ways {
        races += overtaken(&shore, line, &cases, &mut rows, &mut next, new);
        for (case, rows) in cases.iter().zip(&mut rows) {
            rows.iter_mut().for_each(|row| then(case, row));
            let columns = match line.split(' ').next() {
                Some("rollback_add") => OLD.to_vec(),
                Some("simdrop") => case.hidden.clone(),
                _ => added(case),
            };
            check(&shore, case, &columns, rows, &format!("after `{line}`, overtaken, on {kind:?}"));
        }
    }
    shore.ok("simdrop v2 --yes");
    races += overtaken(&shore, "drop v2 --yes", &cases, &mut rows, &mut next, true);
    for (case, rows) in cases.iter().zip(&mut rows) {
        check(&shore, case, &case.hidden, rows, &format!("after drop, overtaken, on {kind:?}"));
    }
    println!("{kind:?}: {} operations, {races} races", cases.len());
    assert!(races > 50, "{races}");
}

#[test]
fn every_commit_on_a_partitioned_table() {
    every_commit(Kind::Partitioned);
}

#[test]
fn every_commit_on_a_mapped_and_constrained_table() {
    every_commit(Kind::Full);
}

/// A command, the row that comes before its last commit, what it then says, and what mends it.
struct Spoiled {
    operation: &'static str,
    kind: Kind,
    before: &'static [&'static str],
    line: &'static str,
    row: Value,
    says: &'static str,
}

fn spoiled() -> Vec<Spoiled> {
    let row = |amount: Value, note: Value, size: Value| {
        json!([[{"id": 66, "region": "x", "amount": amount, "note": note, "size": size}],
               [{"id": 66, "region": "x", "amount": 5, "note": note, "size": size}],
               [{"id": 66, "region": "x", "amount": amount, "note": note, "size": size, "colour": null}]])
    };
    let fine = || json!("1");
    let one = |operation, kind, before, line, row, says| Spoiled { operation, kind, before, line, row, says };
    let sized = "add_constraint: {table: T, name: sized, check: size > 0}";
    vec![
        one(sized, Kind::Plain, &["add v2"], "simdrop v2", row(fine(), json!("n"), json!(-5)), "1 row"),
        one(
            "add_constraint: {table: T, name: sized, check: size > 0, enforce: add}",
            Kind::Plain,
            &[],
            "add v2",
            row(fine(), json!("n"), json!(-5)),
            "1 row",
        ),
        one(
            "set_not_null: {table: T, column: note}",
            Kind::Plain,
            &["add v2"],
            "simdrop v2",
            row(fine(), Value::Null, json!(5)),
            "is to be never NULL",
        ),
        one(
            "change_type: {table: T, column: amount, type: long, down: CAST(amount AS string)}",
            Kind::Mapped,
            &[],
            "add v2",
            row(json!("no number"), json!("n"), json!(5)),
            "1 row",
        ),
        one(
            "change_type: {table: T, column: amount, type: long, down: CAST(amount AS string), rewrite: true}",
            Kind::Plain,
            &["add v2"],
            "simdrop v2",
            row(json!("no number"), json!("n"), json!(5)),
            "1 row",
        ),
        one(
            "drop_constraint: {table: T, name: short}",
            Kind::Constrained,
            &["add v2", "simdrop v2"],
            "rollback_simdrop v2",
            row(fine(), json!(""), json!(5)),
            "1 row",
        ),
        one(
            "drop_not_null: {table: T, column: size}",
            Kind::Plain,
            &["add v2"],
            "rollback_add v2",
            row(fine(), json!("n"), Value::Null),
            "1 row",
        ),
        one(
            "drop_column: {table: T, column: amount, hide: detach, key: [id]}",
            Kind::Mapped,
            &["add v2"],
            "simdrop v2",
            json!([[{"id": 1, "region": "x", "amount": "5", "note": "n", "size": 5}]]),
            "does not tell all rows apart",
        ),
    ]
}

/// H1 and H2: a row that an operation can't have comes between its look and its commit. It is refused, counted and shown; the table is
/// as it was, with the row; without the row it goes through.
#[test]
fn a_row_that_spoils_it_comes_just_before_the_commit() {
    for (n, one) in spoiled().into_iter().enumerate() {
        let operation = Box::leak(one.operation.to_owned().into_boxed_str());
        let mut case = cases().remove(0);
        (case.table, case.operation) = ("sales", operation);
        let shore = lake(one.kind, &[case]);
        for line in one.before {
            shore.ok(line);
        }
        let table = shore.table("sales");
        let look = || shore.python.call("look", json!([table])).unwrap();
        let properties = || shore.python.call("configuration", json!([table])).unwrap();
        let (before, kept) = (look(), properties());
        let mut came = false;
        let run = held(&shore, one.line, |_| {
            // The first commit of all: whatever comes later follows it.
            if !came {
                shore.python.call("add_row", json!([table, one.row])).unwrap();
                came = true;
            }
        });
        assert!(came, "{n}: {run:?}");
        let run = run.exits(1).says(one.says);
        assert_eq!(look()[0], before[0], "{n} {}: {run:?}", one.operation);
        assert_eq!(properties(), kept, "{n} {}", one.operation);
        let rows = |value: &Value| value[1].as_array().unwrap().len();
        assert_eq!(rows(&look()), rows(&before) + 1, "{n}: the row that came is gone");
        shore.python.call("delete", json!([table, "id = 66 OR size = 5"])).unwrap();
        shore.ok(one.line);
        let found = look();
        assert!(rows(&found) >= 2, "{n}: {found}");
    }
}

/// A table that a step has made is taken away only while nobody else has committed to it, up to the very last commit.
#[test]
fn a_table_that_others_begin_to_use_just_before_the_commit_stays() {
    let mut case = cases().remove(0);
    (case.table, case.operation) = ("sales", "create_table: {table: raw/new, columns: [{name: id, type: long}]}");
    let shore = lake(Kind::Plain, &[case]);
    shore.ok("add v2");
    let mut came = false;
    let run = held(&shore, "rollback_add v2", |_| {
        if !came {
            shore.append("raw/new", &[("id", "long")], json!([[7]])).unwrap();
            came = true;
        }
    });
    run.exits(1).says("others have committed to table `raw/new`");
    assert_eq!(shore.query("raw/new", "SELECT id FROM t"), ["7"]);
}

/// A mapped table with a column that changes its type, and the release that changes it.
fn changing(settings: &str) -> Shore {
    let mut case = cases().remove(0);
    (case.table, case.operation) =
        ("sales", "change_type: {table: T, column: amount, type: long, down: CAST(amount AS string)}");
    let shore = lake(Kind::Mapped, &[case]);
    shore.target(settings);
    shore
}

/// Whatever the writer before each commit does, it is never one that the step makes impossible.
fn another(shore: &Shore, n: u32) {
    let set = json!([shore.table("sales"), {"note": format!("'n{n}'")}, "id = 1"]);
    shore.python.call("update", set).unwrap();
}

/// Of a step's last phase, each of so many commits is overtaken: it gets in all the same, however often it was too late.
#[test]
fn a_commit_that_is_overtaken_again_and_again_gets_in() {
    const TIMES: u32 = 25;
    let shore = changing("writers: [spark]\nlock_retry_for: 1h\n");
    shore.ok("add v2");
    for (line, type_name) in [("simdrop v2", "long"), ("rollback_simdrop v2", "string")] {
        let mut met = 0;
        held(&shore, line, |n| {
            met = n;
            if n <= TIMES {
                another(&shore, n);
            }
        })
        .exits(0);
        assert!(met > TIMES, "{line}: {met}");
        let columns = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
        let amount = columns.as_array().unwrap().iter().find(|column| column[0] == "amount").unwrap();
        assert_eq!(amount[1], type_name, "{line}");
    }
}

/// Who never gets in ends, and says after how long; nothing is lost by it, and the next run gets in.
#[test]
fn who_is_always_overtaken_gives_up_in_the_end() {
    let shore = changing("writers: [spark]\nlock_retry_for: 1s\n");
    shore.ok("add v2");
    let before = shore.query("sales", "SELECT count(*) FROM t");
    let run = held(&shore, "simdrop v2", |n| another(&shore, n)).exits(4);
    run.says("others commit to the table without a pause; given up after `lock_retry_for: 1s`");
    assert_eq!(shore.states("v2", "sales"), "done failed pending");
    shore.ok("simdrop v2");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), before);
}

/// Values that were detached come back file by file: appends beside it cost no second look at the table.
#[test]
fn values_come_back_beside_a_writer_that_is_always_first() {
    let mut case = cases().remove(0);
    (case.table, case.operation) = ("sales", "drop_column: {table: T, column: note, hide: detach, key: [id]}");
    let shore = lake(Kind::Mapped, &[case]);
    shore.target("writers: [spark]\nlock_retry_for: 1h\n");
    let before = shore.query("sales", "SELECT id, note FROM t ORDER BY id");
    shore.ok("add v2");
    shore.ok("simdrop v2");
    // Every row is written anew without the column.
    shore.python.call("update", json!([shore.table("sales"), {"region": "'moved'"}])).unwrap();
    let mut came = 0;
    held(&shore, "rollback_simdrop v2", |n| {
        if n <= 12 {
            shore
                .python
                .call("update", json!([shore.table("sales"), {"region": format!("'r{n}'")}, "id = 1"]))
                .unwrap();
            came += 1;
        }
    })
    .exits(0);
    assert_eq!(came, 12);
    assert_eq!(shore.query("sales", "SELECT id, note FROM t ORDER BY id"), before);
}
