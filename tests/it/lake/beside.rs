//! A writer that appends, changes and deletes through all phases, beside the runs. Whatever the two meet in, at the end no row is lost,
//! and none holds what nobody gave it.

use super::{
    Shore,
    cases::{Case, Kind, Row, cases},
    python::Python,
    tables::{first_rows, lake_of, row, seen, ways},
};
use serde_json::{Value, json};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What one writer has been told is in a table.
struct Told {
    case: Case,
    table: String,
    rows: Vec<Row>,
}

impl Told {
    /// One row, one change, one deletion. What is refused (the run was first) is not in the table.
    fn round(&mut self, python: &Python, id: i64, new: bool) -> u32 {
        let mut done = 0;
        // On a table without column mapping, a value in the new column before simdrop would refuse the way back (D3).
        let row = Row { new, ..row(id) };
        if python.call("put", json!([self.table, ways(&self.case, std::slice::from_ref(&row))])).is_ok() {
            self.rows.push(row);
            done += 1;
        }
        let at = usize::try_from(id).unwrap() % self.rows.len();
        let (other, region) = (self.rows[at].id, format!("u{id}"));
        let set = json!([self.table, {"region": format!("'{region}'")}, format!("id = {other}")]);
        if python.call("update", set).is_ok() {
            self.rows[at].region = Some(region);
            done += 1;
        }
        if id % 4 == 0 && self.rows.len() > 3 {
            let gone = self.rows[3].id;
            if python.call("delete", json!([self.table, format!("id = {gone}")])).is_ok() {
                self.rows.remove(3);
                done += 1;
            }
        }
        done
    }
}

/// All that a column may hold for a row: whoever wrote it, and whatever the step had filled in by then.
fn allowed(case: &Case, row: &Row, see: fn(&Row) -> Value) -> Vec<Value> {
    let mut found = Vec::new();
    for flags in 0..32 {
        let mut row = Row { late: flags & 1 > 0, new: flags & 2 > 0, ..row.clone() };
        if flags & 4 > 0 {
            (case.on_add)(&mut row);
        }
        if flags & 8 > 0 {
            (case.back)(&mut row);
        }
        if flags & 16 > 0 {
            (case.on_hide)(&mut row);
        }
        found.push(see(&row));
    }
    found
}

/// Checks every row that was told to be in, and that there is no other.
fn judge(shore: &Shore, told: &mut Told) {
    let (names, found) = seen(shore, &told.case);
    let columns: Vec<&str> = told.case.hidden.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, columns, "{}", told.table);
    let left = shore.python.call("hidden", json!([told.table])).unwrap();
    assert_eq!(left, json!([]), "{}: is left after drop (O9)", told.table);
    told.rows.sort_by_key(|row| row.id);
    let ids: Vec<i64> = found.iter().map(|row| row[0].as_i64().unwrap()).collect();
    let expected: Vec<i64> = told.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, expected, "{}: rows lost, or come twice, or back", told.table);
    for (row, found) in told.rows.iter().zip(&found) {
        for (n, (name, see)) in told.case.hidden.iter().enumerate() {
            let allowed = allowed(&told.case, row, *see);
            assert!(allowed.contains(&found[n]), "{}: {name} of {row:?} is {}", told.table, found[n]);
        }
    }
}

fn beside(kind: Kind, tables: &[&str]) {
    let on = |case: &Case| tables.contains(&case.table);
    let cases: Vec<Case> = cases().into_iter().filter(on).map(|case| case.on_a(kind)).collect();
    assert_eq!(cases.len(), tables.len());
    let shore = lake_of(&cases);
    let tell = |case: &Case| Told { case: case.clone(), table: shore.table(case.table), rows: first_rows() };
    let told: Mutex<Vec<Told>> = Mutex::new(cases.iter().map(tell).collect());
    let (stop, rounds, done) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let python = Python::start();
            let mut told = told.lock().unwrap();
            let mut id = 100;
            while !stop.load(Ordering::SeqCst) {
                id += 1;
                for one in told.iter_mut() {
                    done.fetch_add(one.round(&python, id, kind.mapped()).into(), Ordering::SeqCst);
                }
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
        let work = || {
            for line in [
                "add v2 --yes",
                "rollback_add v2 --yes",
                "add v2 --yes",
                "simdrop v2 --yes",
                "rollback_simdrop v2 --yes --accept-loss",
                "simdrop v2 --yes",
                "drop v2 --yes",
            ] {
                // A whole round between two phases: each state of each table is written in.
                let before = rounds.load(Ordering::SeqCst);
                crate::harness::until("a round of the writer", || rounds.load(Ordering::SeqCst) > before + 1);
                let run = shore.run(line);
                if run.code != 0 {
                    return Err(run);
                }
            }
            Ok(())
        };
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::SeqCst);
        worked.unwrap().unwrap();
    });
    for one in told.lock().unwrap().iter_mut() {
        judge(&shore, one);
    }
    println!("{kind:?}: {} tables, {} writes of the other", tables.len(), done.load(Ordering::SeqCst));
    shore.ok("check");
}

#[test]
fn through_all_phases_of_mapped_tables() {
    beside(
        Kind::Full,
        &[
            "add_required",
            "add_up",
            "drop_column",
            "rename_sync",
            "change_type",
            "change_as",
            "set_not_null_up",
            "unpartition",
        ],
    );
}

#[test]
fn through_all_phases_of_plain_tables() {
    beside(
        Kind::Plain,
        &[
            "add_default",
            "drop_rewrite",
            "change_rewrite",
            "add_constraint",
            "repartition",
            "backfill",
            "drop_not_null",
        ],
    );
}
