//! Tables and columns that others make, change or use just before a run's commit: theirs stays theirs.

use super::{
    cases::{Case, Kind, Life, same},
    overtaken::held,
    tables::lake,
};
use serde_json::json;

/// The columns of a case's table.
const COLUMNS: &[(&str, &str)] =
    &[("id", "long"), ("region", "string"), ("amount", "string"), ("note", "string"), ("size", "long")];

/// Whoever makes a table of that name first has it: it is not taken for the step's, and not taken back with it.
#[test]
fn a_table_that_others_make_just_before_the_commit_is_theirs() {
    let made = "create_table: {table: raw/new, columns: [{name: id, type: long}]}";
    let shore = lake(Kind::Plain, &[Case { life: Life::Made, ..same("sales", &[], "", made) }]);
    let mut came = false;
    let run = held(&shore, "add v2", |_| {
        if !came {
            shore.create("raw/new", &[("id", "long")], json!([[7]]));
            came = true;
        }
    });
    run.exits(1).says("there is a table `raw/new` already");
    shore.run("rollback_add v2 --yes");
    assert_eq!((shore.version("raw/new"), shore.query("raw/new", "SELECT id FROM t")), (0, vec!["7".to_owned()]));
    assert_eq!(shore.columns("raw/new"), ["id"]);
}

/// D4: a table that is hidden goes only while nobody else has committed to it, up to the tombstone.
#[test]
fn a_hidden_table_that_others_change_just_before_the_tombstone_stays() {
    let shore = lake(Kind::Plain, &[Case { life: Life::Ends, ..same("sales", &[], "", "drop_table: {table: T}") }]);
    shore.ok("add v2");
    shore.ok("simdrop v2");
    let mut came = false;
    let run = held(&shore, "drop v2", |_| {
        if !came {
            shore.python.call("set_properties", json!([shore.table("sales"), {"my.key": "v"}])).unwrap();
            came = true;
        }
    });
    run.exits(1).says("others have committed to table `sales` since it was hidden");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["3"]);
    shore.ok("rollback_simdrop v2");
    shore.append("sales", COLUMNS, json!([[4, "x", "1", "n", 4]])).unwrap();
    shore.ok("simdrop v2");
    shore.ok("drop v2");
    assert!(!shore.path("lake/sales/_delta_log/00000000000000000000.json").exists());
}

/// What others write to the new column just before a way back stays, hidden, where columns are mapped; the rows all stay.
#[test]
fn values_that_come_just_before_the_way_back_are_hidden_and_kept() {
    for (operation, value) in [
        ("add_column: {table: T, column: colour, type: string}", json!("blue")),
        ("add_column: {table: T, column: colour, type: string, default: \"'red'\"}", json!("blue")),
    ] {
        let shore = lake(Kind::Mapped, &[same("sales", &[], "", operation)]);
        shore.ok("add v2");
        let table = shore.table("sales");
        let mut came = false;
        let run = held(&shore, "rollback_add v2", |_| {
            if !came {
                let theirs =
                    json!([[{"id": 66, "region": "x", "amount": "1", "note": "n", "size": 5, "colour": value}]]);
                shore.python.call("put", json!([table, theirs])).unwrap();
                came = true;
            }
        });
        run.exits(0);
        let hidden = shore.python.call("hidden", json!([table])).unwrap();
        let [hidden] = &hidden.as_array().unwrap()[..] else { panic!("{operation}: {hidden}") };
        let hidden = hidden.as_str().unwrap();
        assert_eq!(shore.query("sales", &format!("SELECT \"{hidden}\" FROM t WHERE id = 66")), ["blue"]);
        shore.ok("show --objects").says(hidden);
        assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["4"]);
        shore.ok("ff v2 --yes");
        let left = shore.python.call("hidden", json!([table])).unwrap();
        assert_eq!(left, json!([]), "{operation}: it goes with the step's next drop (O9)");
    }
}
