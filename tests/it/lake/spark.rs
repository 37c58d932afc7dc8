//! Tables that Apache Spark with Delta wrote (`tests/lake/spark/make`): each operation works on them, or refuses them by the feature's name.

use super::{Shore, shore::copy};
use serde_json::json;
use std::path::Path;

/// A lake with one of Spark's tables, and a release of one operation on it.
fn lake(table: &str, operation: &str) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lake/spark/tables").join(table), &shore.path("lake"));
    shore.release("v1", &format!("steps:\n  s:\n    {operation}\n"));
    shore
}

/// All phases forth, and back once.
fn course(shore: &Shore) {
    for line in ["add v1", "rollback_add v1", "add v1", "simdrop v1", "rollback_simdrop v1", "simdrop v1", "drop v1"] {
        shore.ok(&format!("{line} --yes"));
    }
    shore.ok("check");
}

/// What the files hold, read by a library that knows INT96.
fn files(shore: &Shore, table: &str, column: &str) -> Vec<Option<String>> {
    let found = shore.python.call("files", json!([shore.table(table)])).unwrap();
    let values = |name: &str| -> Vec<Option<String>> {
        found[name].as_array().unwrap().iter().map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut rows: Vec<_> = values("id").into_iter().zip(values(column)).collect();
    rows.sort();
    rows.into_iter().map(|(_, value)| value).collect()
}

const TIMES: [Option<&str>; 5] = [
    Some("9999-12-31 23:59:59.123456"),
    Some("0001-01-01 00:00:00"),
    Some("1600-03-01 12:00:00"),
    Some("2024-02-29 01:02:03.000004"),
    None,
];

fn times(shore: &Shore) -> Vec<Option<String>> {
    // A zone is said of what is written by others; the instant is the same.
    let bare = |value: Option<String>| value.map(|text| text.trim_end_matches("+00:00").to_owned());
    files(shore, "int96", "at").into_iter().map(bare).collect()
}

/// Timestamps that Spark wrote as INT96 come through every rewrite as they were, also where they are no nanoseconds of 64 bits.
#[test]
fn timestamps_as_int96_are_kept_by_every_rewrite() {
    for operation in [
        "backfill: {table: int96, set: {kind: \"'x'\"}, batch: 1, key: id}",
        "add_column: {table: int96, column: colour, type: string, nullable: false, default: \"'red'\"}",
        "drop_column: {table: int96, column: kind, rewrite: true}",
        "rename_column: {table: int96, column: kind, to: sort, rewrite: true}",
        "change_type: {table: int96, column: id, type: string, down: CAST(id AS bigint), rewrite: true}",
        "repartition: {table: int96, partition_by: [kind]}",
        "set_not_null: {table: int96, column: kind, up: \"'none'\"}",
        "add: UPDATE int96 SET kind = 'z' WHERE id < 4",
        "add: DELETE FROM int96 WHERE id = 99",
        "add: MERGE INTO int96 AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET kind = 'm'",
    ] {
        let shore = lake("int96", operation);
        if operation.starts_with("add: ") {
            shore.ok("ff v1");
        } else {
            course(&shore);
        }
        assert_eq!(times(&shore), TIMES.map(|time| time.map(str::to_owned)), "{operation}");
    }
}

/// They are also read as they are: by expressions, checks and expectations.
#[test]
fn timestamps_as_int96_are_read_as_they_are() {
    let shore = lake(
        "int96",
        "add_column: {table: int96, column: year, type: integer, up: \"CAST(date_part('year', at) AS int)\"}",
    );
    shore.ok("ff v1");
    let years = files(&shore, "int96", "year");
    assert_eq!(
        years,
        ["9999", "1", "1600", "2024"].map(|year| Some(year.to_owned())).into_iter().chain([None]).collect::<Vec<_>>()
    );
    let early = lake(
        "int96",
        "add_constraint: {table: int96, name: early, check: \"at IS NULL OR date_part('year', at) < 3000\"}",
    );
    early.run("add v1").says("1 row: {id: 1, kind: a, at: 9999-12-31");
    let copied = lake(
        "int96",
        "add:\n      - expect: SELECT count(*) = 3 FROM int96 WHERE date_part('year', at) < 2500\n      \
         - INSERT INTO int96 (id, kind, at) SELECT id + 10, kind, at FROM int96 WHERE id = 1",
    );
    copied.ok("ff v1");
    let found = times(&copied);
    assert_eq!(found.iter().filter(|time| time.as_deref() == TIMES[0]).count(), 2, "{found:?}");
}

/// What a deletion vector has deleted stays so, whatever rewrites the files.
#[test]
fn rows_deleted_by_a_vector_stay_deleted() {
    for operation in [
        "add_column: {table: vectors, column: colour, type: string, nullable: false, default: \"'red'\"}",
        "drop_column: {table: vectors, column: kind, rewrite: true}",
        "change_type: {table: vectors, column: amount, type: long, down: CAST(amount AS string), rewrite: true}",
        "repartition: {table: vectors, partition_by: [kind]}",
        "backfill: {table: vectors, set: {kind: \"'x'\"}}",
        "add_constraint: {table: vectors, name: odd, check: id <> 2 AND id <> 4}",
        "set_comment: {table: vectors, comment: x}",
        "upgrade_column_mapping: {table: vectors}",
    ] {
        let shore = lake("vectors", operation);
        if operation.starts_with("upgrade") {
            shore.ok("ff v1 --yes")
        } else {
            shore.ok("add v1")
        };
        shore.ok("ff v1 --yes");
        let column = if operation.contains("amount") { "CAST(amount AS varchar)" } else { "amount" };
        let found = shore.query("vectors", &format!("SELECT id, {column} FROM t ORDER BY id"));
        assert_eq!(found, ["1 10", "3 30", "5 50", "6 60"], "{operation}");
        if operation.starts_with("change_type") || operation.starts_with("drop_column") {
            let back = lake("vectors", operation);
            course(&back);
            assert_eq!(back.query("vectors", "SELECT count(*), min(id) FROM t"), ["4 1"], "{operation}");
        }
    }
}

/// Spark's column mapping, with names in the files that are not those of the table, by name and by id.
#[test]
fn tables_that_spark_mapped() {
    let expected = ["1 10", "2 20", "3 30"];
    for (table, kind) in [("mapped", "weird kind"), ("by_id", "kind")] {
        let rows = if table == "mapped" { &expected[..] } else { &expected[..2] };
        for operation in [
            format!("drop_column: {{table: {table}, column: {kind}, purge: true}}"),
            format!("drop_column: {{table: {table}, column: {kind}, hide: detach, key: [id]}}"),
            format!("rename_column: {{table: {table}, column: {kind}, to: sort}}"),
            format!("change_type: {{table: {table}, column: amount, type: long, down: CAST(amount AS string)}}"),
            format!("repartition: {{table: {table}, partition_by: [{kind}]}}"),
            format!(
                "add_column: {{table: {table}, column: colour, type: string, nullable: false, default: \"'red'\"}}"
            ),
        ] {
            let shore = lake(table, &operation);
            course(&shore);
            assert_eq!(shore.query(table, "SELECT id, amount FROM t ORDER BY id"), rows, "{operation}");
            // Whoever goes by the ids in the files finds every column of the table there.
            let ids = shore.python.call("field_ids", json!([shore.table(table)])).unwrap();
            assert_eq!(ids, json!([]), "{operation}: columns without their id in a file");
        }
    }
}

#[test]
fn timestamps_without_a_zone() {
    for operation in [
        "backfill: {table: ntz, set: {kind: \"'x'\"}}",
        "repartition: {table: ntz, partition_by: [kind]}",
        "drop_column: {table: ntz, column: kind, rewrite: true}",
        "add_column: {table: ntz, column: other, type: timestamp_ntz}",
    ] {
        let shore = lake("ntz", operation);
        course(&shore);
        let found = shore.query("ntz", "SELECT id, at FROM t ORDER BY id");
        assert_eq!(found, ["1 9999-12-31 23:59:59.123456", "2 0001-01-01 00:00:00", "3 null"], "{operation}");
        let fields = shore.python.call("schema", json!([shore.table("ntz")])).unwrap();
        let at = fields.as_array().unwrap().iter().find(|field| field[0] == "at").unwrap();
        assert_eq!(at[1], json!("timestamp_ntz"), "{operation}");
    }
}

/// Constraints in Spark's spelling hold for what triphase writes, and go with a rename.
#[test]
fn constraints_that_spark_wrote() {
    let shore = lake("rules", "rename_column: {table: rules, column: Weird Name, to: plain}");
    course(&shore);
    assert_eq!(shore.query("rules", "SELECT id, plain, day FROM t ORDER BY id"), ["1 a 2024-01-01", "2 b null"]);
    let properties = shore.python.call("configuration", json!([shore.table("rules")])).unwrap();
    assert_eq!(properties["delta.constraints.named"], json!("`plain` <> ''"));
    // The library reads the name of a generated column as SQL.
    let upper = lake("rules", "rename_column: {table: rules, column: Weird Name, to: Name}");
    upper.ends(7, "add v1").says("say `strategy: instant`");
    let filled = lake("rules", "backfill: {table: rules, set: {Weird Name: \"''\"}}");
    filled.ends(1, "add v1").says("`Weird Name` <> ''");
    assert_eq!(filled.query("rules", "SELECT \"Weird Name\" FROM t ORDER BY id"), ["a", "b"]);
    let whole = lake("rules", "repartition: {table: rules, partition_by: []}");
    course(&whole);
    assert_eq!(whole.query("rules", "SELECT id, day FROM t ORDER BY id"), ["1 2024-01-01", "2 null"]);
}

/// What delta-rs can't write is refused by the feature's name while planning, and nothing is written.
#[test]
fn features_that_can_not_be_written_are_named_while_planning() {
    for (table, feature) in [
        ("defaults", "allowColumnDefaults"),
        ("tracked", "rowTracking"),
        ("clustered", "clustering"),
        ("timed", "inCommitTimestamp"),
        ("widened", "typeWidening"),
    ] {
        for operation in [
            format!("add_column: {{table: {table}, column: colour, type: string}}"),
            format!("set_comment: {{table: {table}, comment: x}}"),
            format!("backfill: {{table: {table}, set: {{kind: \"'x'\"}}}}"),
            format!("repartition: {{table: {table}, partition_by: [kind]}}"),
            format!("drop_table: {{table: {table}}}"),
        ] {
            let shore = lake(table, &operation);
            let before = shore.everything();
            let run = shore.run("plan add v1");
            run.exits(7).says(feature);
            shore.ends(7, "add v1").says(feature);
            assert!(before == shore.everything(), "{operation}: something was written");
        }
        // Handlers in SQL, also behind others that could run.
        for statement in [
            format!("UPDATE {table} SET kind = 'x'"),
            format!("DELETE FROM {table} WHERE kind = 'a'"),
            format!("INSERT INTO {table} (kind) SELECT 'x'"),
            format!(
                "MERGE INTO {table} AS t USING (SELECT 'a' AS kind) AS s ON t.kind = s.kind WHEN MATCHED THEN DELETE"
            ),
        ] {
            let shore = lake(table, &format!("add:\n      - INSERT INTO other VALUES (2)\n      - {statement}"));
            shore.create("other", &[("n", "long")], json!([[1]]));
            let before = shore.everything();
            for line in ["plan add v1", "add v1", "add v1 --noop"] {
                shore.ends(7, line).says(feature).says("can't write").says(table);
            }
            assert!(before == shore.everything(), "{statement}: something was written");
        }
    }
}
