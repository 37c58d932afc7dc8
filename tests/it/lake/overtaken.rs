//! Others commit between a run's look at a table and its commit: at every commit of every operation. The run is held there by a
//! failpoint, so that each race happens, every time.

use super::{
    Shore,
    cases::{At, Case, Kind, Life, Row, cases, same},
    tables::{absent, by_operation, check, lake, lake_of, region, row, ways},
};
use crate::harness::{Run, table, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where runs are held: before each commit to a table, and before each that puts files in the place of others.
const COMMITS: &str = "before a table commit,before an adoption";

/// Runs a command line, held before each commit to a table but those of files; `then` is told which time that is, from 1.
pub fn held(shore: &Shore, line: &str, mut then: impl FnMut(u32)) -> Run {
    held_at(shore, "before a table commit", line, |n, _| then(n))
}

/// Runs a command line, held at these points; `then` is told which time that is, from 1, and the point.
fn held_at(shore: &Shore, points: &str, line: &str, mut then: impl FnMut(u32, &str)) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = |n: u32, kind: &str| folder.path().join(format!("{n}.{kind}"));
    let command = shore
        .command(line)
        .var("TRIPHASE_PAUSE_AT", points)
        .var("TRIPHASE_PAUSE_IN", folder.path().display().to_string());
    let mut child = command.spawn();
    for n in 1.. {
        let met = || std::fs::read_to_string(file(n, "met")).unwrap_or_default();
        until("a commit, or the end", || child.try_wait().unwrap().is_some() || !met().is_empty());
        if met().is_empty() {
            break;
        }
        then(n, &met());
        std::fs::write(file(n, "go"), "").unwrap();
    }
    command.end(child)
}

/// The act that the ledger says is at work: its step, and which of the handler's it is.
fn at_work(shore: &Shore) -> (String, String) {
    let last = "SELECT step, coalesce(statement, 0) FROM t WHERE outcome = 'attempting' ORDER BY id DESC LIMIT 1";
    let found = shore.query("_triphase/ledger", last).pop().unwrap();
    let (step, statement) = found.rsplit_once(' ').unwrap();
    (step.to_owned(), statement.to_owned())
}

/// How often others came first, by step.
type Races = BTreeMap<&'static str, usize>;

/// Tables that others write while runs work on them.
struct Rivals {
    shore: Shore,
    cases: Vec<Case>,
    rows: Vec<Vec<Row>>,
    next: i64,
    races: Races,
}

impl Rivals {
    fn new(cases: Vec<Case>) -> Self {
        let rows = cases.iter().map(Case::first_rows).collect();
        Self { shore: lake_of(&cases), cases, rows, next: 100, races: Races::new() }
    }

    /// Overtakes each commit of a command: first a row is appended, the next time another changes and one goes; then it may pass. `new`: the
    /// new application works, and the old one before it.
    fn overtake(&mut self, line: &str, new: bool) {
        let Self { shore, cases, rows, next, races } = self;
        let mut met: BTreeMap<(String, String, String), u32> = BTreeMap::new();
        let run = held_at(shore, COMMITS, line, |_, point| {
            let (step, statement) = at_work(shore);
            let at = cases.iter().position(|case| case.table == step).unwrap();
            let (case, rows) = (&cases[at], &mut rows[at]);
            let path = shore.table(&case.path());
            let times = met.entry((step.clone(), statement, point.to_owned())).or_default();
            *times += 1;
            if case.life() == Life::Made {
                // There is nothing yet that others could change.
                return;
            }
            if case.life() == Life::Ends && new {
                // Nobody can write it but for its properties, and at drop a commit of others refuses: `a_commit_that_refuses_the_act`.
                if *times == 1 && line.starts_with("rollback") {
                    shore.python.call("set_properties", json!([path, {"others.key": "v"}])).unwrap();
                    *races.entry(case.table).or_default() += 1;
                }
                return;
            }
            *next += 1;
            // Where a table takes both ways, old writers come first until drop; a new column that is never NULL takes only the new way.
            let first = new && (line.starts_with("drop") || step.starts_with("add_"));
            let raced = match *times {
                1 => {
                    let mut row = Row { new: first, ..row(*next) };
                    let written = shore.python.call("put", json!([path, ways(case, std::slice::from_ref(&row))]));
                    // The table was on its way already, and the row was said as the other application says it.
                    row.new = first == (written.unwrap() == json!(0));
                    rows.push(row);
                    true
                }
                2 => {
                    let to = format!("u{next}");
                    // While a generated column is not filled, the library's own updates fail: the plan says so. A column may have got
                    // its new name already.
                    let columns = shore.columns(&case.path());
                    let at = if columns.iter().any(|name| name == "area") { At::Hidden } else { At::Before };
                    let changed = shore.python.call("update", json!([path, region(case, at, &to), "id = 1"])).is_ok();
                    if changed {
                        rows.iter_mut().filter(|row| row.id == 1).for_each(|row| row.region = Some(to.clone()));
                    }
                    let late: Vec<usize> = (0..rows.len()).filter(|n| rows[*n].id > 100).collect();
                    if let [gone, _, ..] = late[..] {
                        let row = rows.remove(gone);
                        shore.python.call("delete", json!([path, format!("id = {}", row.id)])).unwrap();
                    }
                    changed || late.len() > 1
                }
                _ => false,
            };
            *races.entry(case.table).or_default() += usize::from(raced);
        });
        run.exits(0);
    }

    /// What a command has made of the rows, and whether the tables show that.
    fn see(&mut self, line: &str, at: At, then: fn(&Case, &mut Row)) {
        let dropped = line.starts_with("drop");
        for (case, rows) in self.cases.iter().zip(&mut self.rows) {
            let gone = match case.life() {
                Life::Stays | Life::OneWay => false,
                Life::Made => at == At::Before,
                Life::Ends => dropped,
            };
            let said = format!("after `{line}`, overtaken, on {:?}", case.kind);
            if gone {
                absent(&self.shore, case, false, &said);
                continue;
            }
            rows.iter_mut().for_each(|row| then(case, row));
            check(&self.shore, case, &case.columns(at), rows, &said);
        }
    }

    fn walk(&mut self, ways: &[Overtaken]) {
        for (line, new, at, then) in ways {
            self.overtake(line, *new);
            self.see(line, *at, *then);
        }
    }
}

/// A command, whether the new application writes meanwhile, how far the step is then, and what becomes of a row.
type Overtaken = (&'static str, bool, At, fn(&Case, &mut Row));

const ADDED: fn(&Case, &mut Row) = |case, row| (case.on_add)(row);
const HIDDEN: fn(&Case, &mut Row) = |case, row| (case.on_hide)(row);

/// Every case on the first of these kinds that it runs on.
fn every_commit(title: &str, kinds: &[Kind]) {
    let on = |case: Case| kinds.iter().find(|kind| case.on.contains(kind)).map(|kind| case.clone().on_a(*kind));
    let all: Vec<Case> = cases().into_iter().filter_map(on).collect();
    let (one_way, both_ways): (Vec<Case>, Vec<Case>) = all.into_iter().partition(|case| case.life() == Life::OneWay);
    let mut rivals = Rivals::new(both_ways);
    rivals.walk(&[
        ("add v2 --yes", false, At::Added, ADDED),
        ("rollback_add v2 --yes", false, At::Before, |case, row| (case.on_undo)(row)),
        ("add v2 --yes", false, At::Added, ADDED),
        ("simdrop v2 --yes", false, At::Hidden, HIDDEN),
        ("rollback_simdrop v2 --yes --accept-loss", true, At::Added, |case, row| (case.back)(row)),
    ]);
    rivals.shore.ok("simdrop v2 --yes");
    rivals.walk(&[("drop v2 --yes", true, At::Hidden, |_, _| {})]);
    let (mut all, mut races) = (rivals.cases, rivals.races);
    if !one_way.is_empty() {
        let mut rivals = Rivals::new(one_way);
        rivals.walk(&[("add v3 --yes", false, At::Added, ADDED)]);
        all.append(&mut rivals.cases);
        races.append(&mut rivals.races);
    }
    let raced = |case: &Case| (case.key(), races.get(case.table).copied().unwrap_or_default());
    // A table that is not there yet has no writers (`claimed` tries what others can do to it), and one that is mapped already is not changed.
    let idle = |case: &&Case| case.life == Life::Made || case.life != case.life();
    let raced = by_operation(all.iter().filter(|case| !idle(case)).map(raced)).into_iter();
    let rows = raced.map(|(operation, (cases, races))| {
        assert!(races > 0, "{operation} was never overtaken");
        format!("| {title} | `{operation}` | {cases} | {races} commits overtaken | no row lost, none wrong |")
    });
    let rows: Vec<String> = rows.collect();
    println!("{}", rows.join("\n"));
    table("CONTRIBUTING.md", title, &rows);
}

#[test]
fn every_commit_on_a_partitioned_table() {
    every_commit("race, unmapped", &[Kind::Partitioned, Kind::Constrained, Kind::Plain]);
}

#[test]
fn every_commit_on_a_mapped_and_constrained_table() {
    every_commit("race, mapped", &[Kind::Full, Kind::Mapped]);
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
            "drop_column: {table: T, column: size}",
            Kind::Mapped,
            &["add v2"],
            "rollback_add v2",
            row(fine(), json!("n"), Value::Null),
            "was never NULL",
        ),
        one(
            "set_not_null: {table: T, column: amount, up: \"NULLIF(note, 'n')\"}",
            Kind::Partitioned,
            &["add v2"],
            "simdrop v2",
            row(Value::Null, json!("n"), json!(5)),
            "is to be never NULL",
        ),
        one(
            "repartition: {table: T, partition_by: [region]}",
            Kind::Mapped,
            &["add v2"],
            "simdrop v2",
            json!([[{"id": 66, "region": "__HIVE_DEFAULT_PARTITION__", "amount": "1", "note": "n", "size": 5}]]),
            "is read as NULL there",
        ),
        one(
            "add_column: {table: T, column: colour, type: string}",
            Kind::Plain,
            &["add v2"],
            "rollback_add v2",
            json!([[{"id": 66, "region": "x", "amount": "1", "note": "n", "size": 5, "colour": "blue"}]]),
            "others have written to `colour`",
        ),
        one(
            "add_column: {table: T, column: loud, type: string, up: upper(note), nullable: false}",
            Kind::Mapped,
            &["add v2"],
            "simdrop v2",
            json!([[{"id": 66, "region": "x", "amount": "1", "note": null, "size": 5}]]),
            "is to be never NULL",
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
    let mut counts = vec![];
    for (n, one) in spoiled().into_iter().enumerate() {
        let case = same("sales", &[], "", one.operation);
        counts.push((case.key(), 1));
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
    let title = "race, a row in the way";
    let rows = by_operation(counts.into_iter()).into_iter().map(|(operation, (cases, _))| {
        format!("| {title} | `{operation}` | {cases} | {cases} × overtaken | refused, and nothing changed |")
    });
    table("CONTRIBUTING.md", title, &rows.collect::<Vec<_>>());
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
