//! What is taken apart, and what is refused with what to write instead.
#![allow(clippy::unwrap_used)]

use super::*;

fn refusal(text: &str) -> String {
    let refused = read(text).unwrap_err();
    format!("{} | {}", refused.message, refused.way_out)
}

#[test]
fn statements_are_taken_apart() {
    let named = |path: &str, alias: Option<&str>| Named { path: path.into(), alias: alias.map(str::to_owned) };
    assert_eq!(
        read("UPDATE raw.events AS e SET e.kind = upper(e.kind), `weird name` = 1 WHERE e.id > 3").unwrap(),
        Dml::Update {
            table: named("raw/events", Some("e")),
            set: vec![("kind".into(), "upper(e.kind)".into()), ("weird name".into(), "1".into())],
            predicate: Some("e.id > 3".into()),
        }
    );
    assert_eq!(
        read("DELETE FROM delta.`raw/events`").unwrap(),
        Dml::Delete { table: named("raw/events", None), predicate: None }
    );
    assert_eq!(
        read("INSERT INTO t (b, a) SELECT x, y FROM u").unwrap(),
        Dml::Insert {
            table: named("t", None),
            columns: vec!["b".into(), "a".into()],
            query: "SELECT x, y FROM u".into()
        }
    );
    let merge = "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id \
                 WHEN MATCHED AND t.v > 1 THEN UPDATE SET v = s.id WHEN MATCHED THEN DELETE \
                 WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, 0) \
                 WHEN NOT MATCHED BY SOURCE THEN DELETE";
    assert_eq!(
        read(merge).unwrap(),
        Dml::Merge {
            table: named("t", None),
            source: "SELECT 1 AS id".into(),
            source_alias: "s".into(),
            on: "t.id = s.id".into(),
            clauses: vec![
                (Some("t.v > 1".into()), Merged::Update(vec![("v".into(), "s.id".into())])),
                (None, Merged::Delete),
                (None, Merged::Insert(vec![("id".into(), "s.id".into()), ("v".into(), "0".into())])),
                (None, Merged::DeleteOrphan),
            ],
        }
    );
}

#[test]
fn what_is_not_run_is_refused_by_name_with_what_to_write_instead() {
    for (text, says) in [
        ("ALTER TABLE t ADD COLUMN c int", "`add_column`"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "`rename_column`"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "`add_constraint`"),
        ("ALTER TABLE t SET TBLPROPERTIES ('a' = 'b')", "`set_properties`"),
        ("CREATE TABLE t (a int)", "`create_table`"),
        ("CREATE OR REPLACE TABLE t AS SELECT 1", "nothing replaces"),
        ("DROP TABLE t", "`drop_table`"),
        ("VACUUM t", "a rollback needs"),
        ("RESTORE TABLE t TO VERSION AS OF 1", "drops every row"),
        ("SELECT 1", "`expect`"),
        ("GRANT SELECT ON t TO x", "UPDATE, DELETE, INSERT or MERGE"),
        ("UPDATE t SET a = (SELECT max(b) FROM u)", "use MERGE"),
        ("UPDATE t SET a = 1 FROM u WHERE u.id = t.id", "use MERGE"),
        ("DELETE FROM t WHERE id IN (SELECT id FROM u)", "use MERGE"),
        ("INSERT OVERWRITE t SELECT 1", "others wrote meanwhile"),
        ("UPDATE t SET a = \"x\"", "a text for Spark and a name for DataFusion"),
        ("UPDATE t SET a = 'c:\\d'", "chr(92)"),
        ("UPDATE t SET a.b = 1", "a part of a column"),
        ("UPDATE t SET", "can't be read"),
    ] {
        let said = refusal(text);
        assert!(said.contains(says), "{text}: {said}");
    }
}
