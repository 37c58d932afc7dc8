//! Every operation forth and back and forth, on tables of each kind, with rows written, changed and deleted by the other library at every
//! point, and read back by it.

use super::{
    Shore,
    cases::{At, Case, KINDS, Kind, Life, Row, cases},
    tables::{absent, check, lake_of, region, row, ways},
};
use serde_json::{Value, json};

/// A table in its course.
struct Course {
    case: Case,
    rows: Vec<Row>,
    /// The way back from simdrop has run.
    back: bool,
}

impl Course {
    fn new(case: Case) -> Self {
        Self { rows: case.first_rows(), case, back: false }
    }

    /// Whether the table is there.
    fn there(&self, at: At, dropped: bool) -> bool {
        match self.case.life() {
            Life::Stays | Life::OneWay => true,
            Life::Made => at != At::Before,
            Life::Ends => !dropped,
        }
    }

    /// A row as the application that works at this point writes it.
    fn row(&self, at: At, id: i64) -> Row {
        let new = at == At::Hidden;
        let mut row = Row { late: at == At::Added && (self.back || !self.case.generates), new, ..row(id) };
        // NULL is a value too, in a partition as elsewhere.
        row.region = row.region.filter(|_| id % 3 != 0);
        row.amount = row.amount.filter(|_| id % 2 == 0);
        (self.case.row)(&mut row, at);
        row
    }

    /// A new row, a change of an old one, and the end of the one before.
    fn write(&mut self, shore: &Shore, at: At, id: i64) {
        let table = shore.table(&self.case.path());
        let row = self.row(at, id);
        let ways = ways(&self.case, std::slice::from_ref(&row));
        let name = self.case.table;
        if self.case.life() == Life::Ends && at == At::Hidden {
            let refused = |what: &str, args: Value| {
                let done = shore.python.call(what, args);
                assert!(done.is_err(), "{name}: a table that is hidden is written: {what}");
            };
            refused("put", json!([table, ways]));
            refused("update", json!([table, region(&self.case, at, "x"), "id = 2"]));
            refused("delete", json!([table, "id = 2"]));
            return;
        }
        let written = shore.python.call("put", json!([table, ways]));
        let which = written.unwrap_or_else(|error| panic!("{name}: {at:?}: {error}"));
        assert!(!row.new || which == json!(0), "{name}: the old application's way fits after simdrop");
        self.rows.push(row);
        let to = format!("u{id}");
        shore
            .python
            .call("update", json!([table, region(&self.case, at, &to), "id = 2"]))
            .unwrap_or_else(|error| panic!("{name}: update {at:?}: {error}"));
        self.rows.iter_mut().filter(|row| row.id == 2).for_each(|row| row.region = Some(to.clone()));
        shore
            .python
            .call("delete", json!([table, format!("id = {}", id - 2)]))
            .unwrap_or_else(|error| panic!("{name}: delete {at:?}: {error}"));
        self.rows.retain(|row| row.id != id - 2 || row.id < 100);
    }

    /// Writes as a writer that looked at the table before the last command, and not since: what is not refused is in the table, as it
    /// should be. Gives how much was not refused.
    fn write_late(&mut self, shore: &Shore, at: At, id: i64) -> usize {
        let table = shore.table(&self.case.path());
        let mut row = self.row(at, id);
        let appended = shore.python.call("held_append", json!([table, ways(&self.case, std::slice::from_ref(&row))]));
        let closed = self.case.life() == Life::Ends && at == At::Hidden;
        assert!(!closed || appended.is_err(), "{}: a table that is hidden is written", self.case.table);
        let mut done = 0;
        if let Ok(which) = appended {
            row.new &= which == json!(0);
            self.rows.push(row);
            done += 1;
        }
        let to = format!("l{id}");
        let updated = shore.python.call("held_update", json!([table, region(&self.case, at, &to), "id = 1"]));
        // The library changes nothing where it is told of a column that the table does not have, and says nothing.
        if updated.is_ok_and(|found| found["num_updated_rows"] != 0) {
            self.rows.iter_mut().filter(|row| row.id == 1).for_each(|row| row.region = Some(to.clone()));
            done += 1;
        }
        done
    }
}

/// What must be as before: columns in order with types, properties, and how the files are laid out.
fn state(shore: &Shore, course: &Course) -> (Value, Value, Value) {
    let table = shore.table(&course.case.path());
    let ask = |what: &str| shore.python.call(what, json!([table])).unwrap();
    let properties = ask("configuration");
    let kept = |(key, _): &(&String, &Value)| !key.starts_with("delta.columnMapping.");
    // A name that was replaced in a constraint and put back is quoted.
    let bare = |value: &Value| json!(value.as_str().unwrap().replace('`', ""));
    let properties = properties.as_object().unwrap().iter().filter(kept).map(|(k, v)| (k.clone(), bare(v))).collect();
    (ask("look")[0].clone(), Value::Object(properties), json!([ask("partitions"), ask("comments")]))
}

/// The courses of a lake, and the rows' ids.
struct Walk {
    kind: Kind,
    shore: Shore,
    courses: Vec<Course>,
    id: i64,
    /// Whether others write who have not looked since the last command.
    late: bool,
    accepted: usize,
    refused: usize,
}

impl Walk {
    fn new(kind: Kind, cases: Vec<Case>) -> Self {
        // Two kinds of table are enough for those: each attempt takes time.
        let late = matches!(kind, Kind::Plain | Kind::Full);
        let shore = lake_of(&cases);
        let courses = cases.into_iter().map(Course::new).collect();
        Self { kind, shore, courses, id: 100, late, accepted: 0, refused: 0 }
    }

    /// Runs a command line, and looks at each table: what it shows, what it shows once it was written, and that it can be.
    fn go(&mut self, line: &str, (from, at): (At, At), then: fn(&Case, &mut Row)) {
        let Self { kind, shore, courses, id, late, accepted, refused } = self;
        let dropped = line.starts_with("drop");
        for course in courses.iter().filter(|course| *late && course.there(from, false) && !line.is_empty()) {
            shore.python.call("hold", json!([shore.table(&course.case.path())])).unwrap();
        }
        if !line.is_empty() {
            shore.ok(line);
        }
        for course in courses.iter_mut() {
            if !course.there(at, dropped) {
                absent(shore, &course.case, *late, &format!("after `{line}` on {kind:?}"));
                continue;
            }
            for row in &mut course.rows {
                then(&course.case, row);
            }
            course.back |= line.starts_with("rollback_simdrop");
            let columns = course.case.columns(at);
            check(shore, &course.case, &columns, &course.rows, &format!("after `{line}` on {kind:?}"));
            if course.case.life() == Life::Made && from == At::Before && *id == 101 {
                // Rows of others would keep it from being taken back.
                continue;
            }
            if *late && !line.is_empty() && course.there(from, false) {
                let done = course.write_late(shore, at, *id + 500);
                (*accepted, *refused) = (*accepted + done, *refused + 2 - done);
            }
            course.write(shore, at, *id);
            check(shore, &course.case, &columns, &course.rows, &format!("written after `{line}` on {kind:?}"));
        }
        *id += 1;
    }

    fn states(&self) -> Vec<Option<(Value, Value, Value)>> {
        let there = |course: &Course| course.case.life() != Life::Made;
        self.courses.iter().map(|course| there(course).then(|| state(&self.shore, course))).collect()
    }

    /// Nothing of ours is left (O9).
    fn clean(&self) {
        for course in self.courses.iter().filter(|course| course.there(At::Hidden, true)) {
            let table = self.shore.table(&course.case.path());
            let left = self.shore.python.call("hidden", json!([table])).unwrap();
            assert_eq!(left, json!([]), "{}: is left after drop (O9)", course.case.table);
            let properties = self.shore.python.call("configuration", json!([table])).unwrap();
            let ours = |key: &&String| key.contains("triphase") || key.contains("_tp_");
            let left: Vec<_> = properties.as_object().unwrap().keys().filter(ours).collect();
            assert!(left.is_empty(), "{}: {left:?} is left after drop (O9)", course.case.table);
        }
    }
}

const ADDED: fn(&Case, &mut Row) = |case, row| {
    row.late = false;
    (case.on_add)(row);
};
const HIDDEN: fn(&Case, &mut Row) = |case, row| {
    row.late &= !case.fills;
    (case.on_hide)(row);
};
const NOTHING: fn(&Case, &mut Row) = |_, _| {};

fn cycle(kind: Kind) {
    let on = |case: &Case| case.on.contains(&kind);
    let all: Vec<Case> = cases().into_iter().filter(on).map(|case| case.on_a(kind)).collect();
    let (one_way, both_ways): (Vec<Case>, Vec<Case>) = all.into_iter().partition(|case| case.life() == Life::OneWay);
    let mut walk = Walk::new(kind, both_ways);
    walk.go("", (At::Before, At::Before), NOTHING);
    let before = walk.states();
    walk.go("add v2 --yes", (At::Before, At::Added), ADDED);
    walk.shore.ok("check --app-release v2");
    walk.go("rollback_add v2 --yes", (At::Added, At::Before), |case, row| (case.on_undo)(row));
    for (n, course) in walk.courses.iter().enumerate() {
        let now = before[n].as_ref().map(|_| state(&walk.shore, course));
        pretty_assertions::assert_eq!(now, before[n], "{}: rollback_add (O6)", course.case.table);
    }
    walk.go("add v2 --yes", (At::Before, At::Added), ADDED);
    let added = walk.states();
    walk.go("simdrop v2 --yes", (At::Added, At::Hidden), HIDDEN);
    walk.go("rollback_simdrop v2 --yes --accept-loss", (At::Hidden, At::Added), |case, row| (case.back)(row));
    for (n, course) in walk.courses.iter().enumerate() {
        let now = added[n].as_ref().map(|_| state(&walk.shore, course));
        pretty_assertions::assert_eq!(now, added[n], "{}: rollback_simdrop", course.case.table);
    }
    walk.go("simdrop v2 --yes", (At::Added, At::Hidden), HIDDEN);
    walk.go("drop v2 --yes", (At::Hidden, At::Hidden), NOTHING);
    walk.clean();
    walk.shore.ok("check");
    println!(
        "{kind:?}: {} operations; of writers that had not looked again {} writes were refused, {} were right",
        walk.courses.len(),
        walk.refused,
        walk.accepted
    );
    if !one_way.is_empty() {
        forth(kind, one_way);
    }
}

/// What has no way back: it is refused, and the step goes on.
fn forth(kind: Kind, cases: Vec<Case>) {
    let mut walk = Walk::new(kind, cases);
    walk.go("", (At::Before, At::Before), NOTHING);
    walk.go("add v3 --yes", (At::Before, At::Added), ADDED);
    let added = walk.states();
    walk.shore.ends(7, "rollback_add v3 --yes").says("no way back");
    assert_eq!(walk.states(), added, "a way back that is refused changes nothing");
    walk.go("simdrop v3 --yes", (At::Added, At::Hidden), HIDDEN);
    walk.go("drop v3 --yes", (At::Hidden, At::Hidden), NOTHING);
    walk.clean();
    walk.shore.ok("check");
}

#[test]
fn plain() {
    cycle(Kind::Plain);
}

#[test]
fn partitioned() {
    cycle(Kind::Partitioned);
}

#[test]
fn constrained() {
    cycle(Kind::Constrained);
}

#[test]
fn mapped() {
    cycle(Kind::Mapped);
}

#[test]
fn mapped_partitioned_and_constrained() {
    cycle(Kind::Full);
}

#[test]
fn names_that_take_quoting() {
    cycle(Kind::Odd);
}

/// What an operation does not do on a kind of table is refused before anything runs, with the reason.
#[test]
fn the_other_kinds_refuse() {
    for kind in KINDS {
        let refused = |case: &Case| !case.on.contains(&kind) && !case.otherwise.is_empty();
        let cases: Vec<Case> = cases().into_iter().filter(refused).map(|case| case.on_a(kind)).collect();
        if cases.is_empty() {
            continue;
        }
        let shore = lake_of(&cases);
        let versions = || cases.iter().map(|case| shore.version(&case.path())).collect::<Vec<_>>();
        let before = versions();
        let run = shore.ends(7, "add v2 --yes");
        for case in &cases {
            let step = format!("`v2/{}`", case.table);
            // A finding, with its way out on the next line.
            let said = run.said();
            let found = said.split("error[").any(|found| found.contains(&step) && found.contains(case.otherwise));
            assert!(found, "{} on {kind:?}: {run:?}", case.table);
        }
        assert_eq!(versions(), before, "{kind:?}");
    }
}

/// What is checked at each point finds what a way back by RESTORE would lose, what a column that leaves the schema would, and what is
/// written twice.
#[test]
fn what_is_lost_or_comes_twice_is_seen() {
    for (what, args) in [
        ("delete", json!(["id = 2"])),
        ("update", json!([{"amount": "NULL"}, "id = 1"])),
        ("add_row", json!([[[{"id": 1, "region": "north", "amount": "10", "note": "n1", "size": 1}]]])),
    ] {
        let case = cases().into_iter().find(|case| case.table == "drop_column").unwrap();
        let mut walk = Walk::new(Kind::Mapped, vec![case.on_a(Kind::Mapped)]);
        let table = walk.shore.table("drop_column");
        let args: Vec<Value> = [json!(table)].into_iter().chain(args.as_array().unwrap().clone()).collect();
        walk.shore.python.call(what, json!(args)).unwrap();
        let go = || walk.go("add v2 --yes", (At::Before, At::Added), ADDED);
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(go)).unwrap_err();
        let said = seen.downcast_ref::<String>().unwrap();
        assert!(said.contains("drop_column: rows"), "{what}: {said}");
    }
}
