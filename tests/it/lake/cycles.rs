//! Every operation forth and back and forth, on tables of each kind, with rows written, changed and deleted by the other library at every
//! point, and read back by it.

use super::{
    Shore,
    cases::{Case, KINDS, Kind, OLD, Row, See, cases, check, first_rows, lake, ways},
};
use serde_json::{Value, json};

/// A table in its course.
struct Course {
    case: Case,
    rows: Vec<Row>,
    /// The way back from simdrop has run.
    back: bool,
}

/// How far the step is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Before,
    Added,
    Hidden,
}

impl Course {
    fn columns(&self, at: At) -> Vec<(&'static str, See)> {
        match at {
            At::Before => OLD.to_vec(),
            At::Added => OLD.iter().copied().chain(self.case.added.iter().copied()).collect(),
            At::Hidden => self.case.hidden.clone(),
        }
    }

    /// A new row, a change of an old one, and the end of the one before.
    fn write(&mut self, shore: &Shore, at: At, id: i64) {
        let table = shore.table(self.case.table);
        let new = at == At::Hidden;
        let row = Row {
            id,
            region: Some(format!("r{}", id % 2)),
            amount: Some((id * 10).to_string()),
            note: format!("n{id}"),
            size: Some(id),
            late: at == At::Added && (self.back || !self.case.generates),
            new,
        };
        let ways = ways(&self.case, std::slice::from_ref(&row));
        let written = shore.python.call("put", json!([table, ways]));
        let which = written.unwrap_or_else(|error| panic!("{}: {at:?}: {error}", self.case.table));
        assert!(!new || which == json!(0), "{}: the old application's way fits after simdrop", self.case.table);
        self.rows.push(row);
        let region = format!("u{id}");
        shore
            .python
            .call("update", json!([table, {"region": format!("'{region}'")}, "id = 2"]))
            .unwrap_or_else(|error| panic!("{}: update {at:?}: {error}", self.case.table));
        self.rows.iter_mut().filter(|row| row.id == 2).for_each(|row| row.region = Some(region.clone()));
        shore
            .python
            .call("delete", json!([table, format!("id = {}", id - 2)]))
            .unwrap_or_else(|error| panic!("{}: delete {at:?}: {error}", self.case.table));
        self.rows.retain(|row| row.id != id - 2 || row.id < 100);
    }
}

fn state(shore: &Shore, course: &Course) -> (Value, Value) {
    let table = shore.table(course.case.table);
    let fields = shore.python.call("look", json!([table])).unwrap()[0].clone();
    let properties = shore.python.call("configuration", json!([table])).unwrap();
    let kept = |(key, _): &(&String, &Value)| !key.starts_with("delta.columnMapping.");
    // A name that was replaced in a constraint and put back is quoted.
    let bare = |value: &Value| json!(value.as_str().unwrap().replace('`', ""));
    let properties = properties.as_object().unwrap().iter().filter(kept).map(|(k, v)| (k.clone(), bare(v))).collect();
    (fields, Value::Object(properties))
}

fn cycle(kind: Kind) {
    let on: Vec<Case> = cases().into_iter().filter(|case| case.on.contains(&kind)).collect();
    let shore = lake(kind, &on);
    let mut courses: Vec<Course> =
        on.into_iter().map(|case| Course { case, rows: first_rows(), back: false }).collect();
    let mut id = 100;
    let mut go = |courses: &mut Vec<Course>, line: &str, at: At, then: fn(&Case, &mut Row)| {
        if !line.is_empty() {
            shore.ok(line);
        }
        for course in courses.iter_mut() {
            for row in &mut course.rows {
                then(&course.case, row);
            }
            course.back |= line.starts_with("rollback_simdrop");
            let columns = course.columns(at);
            check(&shore, &course.case, &columns, &course.rows, &format!("after `{line}` on {kind:?}"));
            course.write(&shore, at, id);
            check(&shore, &course.case, &columns, &course.rows, &format!("written after `{line}` on {kind:?}"));
        }
        id += 1;
    };
    let added: fn(&Case, &mut Row) = |case, row| {
        row.late = false;
        (case.on_add)(row);
    };
    let hidden: fn(&Case, &mut Row) = |case, row| row.late &= !case.fills;
    let back: fn(&Case, &mut Row) = |case, row| (case.back)(row);
    go(&mut courses, "", At::Before, |_, _| {});
    let before: Vec<_> = courses.iter().map(|course| state(&shore, course)).collect();
    go(&mut courses, "add v2 --yes", At::Added, added);
    shore.ok("check --app-release v2");
    go(&mut courses, "rollback_add v2 --yes", At::Before, |_, _| {});
    for (course, before) in courses.iter().zip(&before) {
        pretty_assertions::assert_eq!(&state(&shore, course), before, "{}: rollback_add (O6)", course.case.table);
    }
    go(&mut courses, "add v2 --yes", At::Added, added);
    let one: Vec<_> = courses.iter().map(|course| state(&shore, course)).collect();
    go(&mut courses, "simdrop v2 --yes", At::Hidden, hidden);
    go(&mut courses, "rollback_simdrop v2 --yes --accept-loss", At::Added, back);
    for (course, one) in courses.iter().zip(&one) {
        pretty_assertions::assert_eq!(&state(&shore, course), one, "{}: rollback_simdrop", course.case.table);
    }
    go(&mut courses, "simdrop v2 --yes", At::Hidden, hidden);
    go(&mut courses, "drop v2 --yes", At::Hidden, |_, _| {});
    for course in &courses {
        let left = shore.python.call("hidden", json!([shore.table(course.case.table)])).unwrap();
        assert_eq!(left, json!([]), "{}: is left after drop (O9)", course.case.table);
    }
    shore.ok("check");
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

/// What an operation does not do on a kind of table is refused before anything runs, with the reason.
#[test]
fn the_other_kinds_refuse() {
    for kind in KINDS {
        let refused = |case: &Case| !case.on.contains(&kind) && !case.otherwise.is_empty();
        let cases: Vec<Case> = cases().into_iter().filter(refused).collect();
        let shore = lake(kind, &cases);
        let versions = || cases.iter().map(|case| shore.version(case.table)).collect::<Vec<_>>();
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
