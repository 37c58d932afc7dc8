//! Tables that go for good: to the last file, whatever happens on the way, and never one that is somebody else's.

use super::Shore;
use serde_json::json;
use std::path::PathBuf;

const KEPT: &[(&str, &str)] = &[("id", "long"), ("kind", "string")];

/// A lake with `gone`, partitioned by texts that a folder's name escapes, and a release that drops it; one more that has to do with another.
fn prepared() -> Shore {
    let shore = Shore::with_sales();
    let rows = json!([[1, "New York"], [2, "a:b%c"], [3, "plain"]]);
    shore.python.call("create", json!([shore.table("gone"), KEPT, rows, ["kind"]])).unwrap();
    // Files that the log has as removed go too.
    shore.python.call("update", json!([shore.table("gone"), {"id": "id + 1"}, "kind = 'New York'"])).unwrap();
    shore.release("v1", "steps:\n  gone:\n    drop_table: {table: gone}\n");
    shore.release("v2", "steps:\n  other:\n    add: UPDATE sales SET amount = 1\n");
    shore
}

/// The files below a table's folder.
fn files(shore: &Shore, table: &str) -> Vec<PathBuf> {
    let inside = shore.path("lake").join(table);
    shore
        .everything()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(&inside) && path.is_file())
        .collect()
}

#[test]
fn no_file_is_left_whatever_the_partitions_are_called() {
    let shore = prepared();
    assert!(files(&shore, "gone").len() >= 6, "{:?}", files(&shore, "gone"));
    shore.ok("ff v1");
    assert_eq!(files(&shore, "gone"), Vec::<PathBuf>::new());
    shore.create("gone", KEPT, json!([[1, "anew"]]));
    shore.ok("ff");
    assert_eq!(shore.query("gone", "SELECT kind FROM t"), ["anew"]);
}

#[test]
fn a_file_that_is_not_where_the_log_says_is_told_before_the_log_goes() {
    let shore = prepared();
    shore.ok("add v1");
    shore.ok("simdrop v1");
    let data = files(&shore, "gone").into_iter().find(|path| path.to_string_lossy().contains("plain")).unwrap();
    std::fs::rename(&data, shore.path("elsewhere")).unwrap();
    shore
        .ends(1, "drop v1")
        .says("of the files that the log of table `gone` names, 1 are not there")
        .says("kind=plain");
    assert!(!files(&shore, "gone").is_empty());
    shore.ok("drop v1");
    assert_eq!(files(&shore, "gone"), Vec::<PathBuf>::new());
}

/// A step that makes a table, and one that fills it.
const MADE: &str = "
steps:
  made:
    create_table: {table: made, columns: [{name: id, type: long}]}
  seed:
    add: INSERT INTO made VALUES (1)
    rollback_add: DELETE FROM made WHERE id = 1
";

/// A step that makes a table, and others that fill and change it: what they have taken back themselves is nobody else's.
#[test]
fn a_release_that_makes_a_table_and_fills_it_can_be_rolled_back() {
    let shore = Shore::new();
    shore.release("v1", &format!("{MADE}  told:\n    set_properties: {{table: made, properties: {{my.key: v}}}}\n"));
    shore.ok("add v1");
    assert_eq!(shore.query("made", "SELECT id FROM t"), ["1"]);
    shore.ok("rollback_add v1");
    assert_eq!(files(&shore, "made"), Vec::<PathBuf>::new());
    shore.ok("add v1");
    shore.append("made", &[("id", "long")], json!([[7]])).unwrap();
    shore.ends(7, "rollback_add v1").says("others have committed to table `made` since it was made");
    assert_eq!(shore.query("made", "SELECT id FROM t ORDER BY id"), ["1", "7"]);
}

/// What would be refused when it runs is refused while planning, with what others have there, and nothing of the release is taken back.
#[test]
fn a_table_that_others_have_written_to_is_refused_while_planning() {
    let shore = Shore::new();
    shore.release("v1", MADE);
    shore.ok("add v1");
    shore.append("made", &[("id", "long")], json!([[7], [8]])).unwrap();
    shore.append("made", &[("id", "long")], json!([[9]])).unwrap();
    let before = shore.everything();
    for line in ["plan rollback_add v1", "rollback_add v1 --noop"] {
        shore
            .ends(7, line)
            .says("step `v1/made`: others have committed to table `made` since it was made (2 commits, 3 rows of theirs in the table)")
            .says("triphase repair undone v1/made add");
    }
    assert!(before == shore.everything(), "something was written");
    shore.ends(7, "rollback_add v1").says("2 commits, 3 rows").says("`drop_table`");
    assert_eq!(shore.states("v1", "seed"), "done pending pending");
    assert_eq!(shore.query("made", "SELECT id FROM t ORDER BY id"), ["1", "7", "8", "9"]);
    // The way out: the table stays, and the ledger says so.
    shore.ok("rollback_add v1/seed");
    shore.ok("repair undone v1/made add --reason stays --yes");
    assert_eq!(shore.states("v1", "made"), "pending pending pending");
    assert_eq!(shore.query("made", "SELECT id FROM t ORDER BY id"), ["7", "8", "9"]);
}

/// The same for a table that is dropped at last, and that others have written to since it was hidden.
#[test]
fn a_hidden_table_that_others_have_written_to_is_refused_while_planning() {
    let shore = prepared();
    shore.ok("add v1");
    shore.ok("simdrop v1");
    shore.python.call("set_properties", json!([shore.table("gone"), {"my.key": "v"}])).unwrap();
    let files = files(&shore, "gone");
    shore.ends(7, "plan drop v1").says("since it was hidden (1 commit, 0 rows of theirs in the table)");
    shore.ends(7, "drop v1").says("triphase rollback_simdrop v1, and simdrop v1");
    assert_eq!(self::files(&shore, "gone"), files);
    shore.ok("rollback_simdrop v1");
    shore.ok("simdrop v1");
    shore.ok("drop v1");
    assert_eq!(self::files(&shore, "gone"), Vec::<PathBuf>::new());
}

#[cfg(feature = "failpoints")]
mod killed {
    use super::*;

    /// The numbers of the points of a command line, on a lake of its own.
    fn points(shore: &Shore, line: &str) -> Vec<(String, String)> {
        let log = shore.path("points");
        shore.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(n, name)| (n.to_owned(), name.to_owned()))
            .collect()
    }

    /// D4, D5: the next run goes on, whatever is left of the table and its log, and nobody has to mend anything by hand.
    #[test]
    fn while_files_go() {
        let shore = prepared();
        shore.ok("add v1");
        shore.ok("simdrop v1");
        let all = points(&shore, "drop v1");
        let first = all.iter().position(|(_, name)| name == "before a file is deleted").unwrap();
        let announced = all[..first].iter().rposition(|(_, name)| name == "before a statement").unwrap();
        let last = all.iter().rposition(|(_, name)| name == "before a file is deleted").unwrap();
        assert!(last - first >= 6, "{all:?}");
        for (number, name) in &all[announced..=(last + 1).min(all.len() - 1)] {
            let shore = prepared();
            shore.ok("add v1");
            shore.ok("simdrop v1");
            let run = shore.command("drop v1").var("TRIPHASE_FAILPOINT", number.clone()).run();
            assert_eq!(run.code, -9, "{number} {name}: {run:?}");
            shore.ok("show");
            shore.ok("plan drop v1");
            shore.ok("unlock --force");
            let again = shore.run("drop v1");
            assert_eq!(again.code, 0, "after a kill at {number} {name}: {again:?}");
            assert_eq!(files(&shore, "gone"), Vec::<PathBuf>::new(), "{number} {name}");
            assert_eq!(shore.states("v1", "gone"), "done done done");
        }
    }

    /// D5: a table that no delta-rs can write any more needs no fence, and keeps no run from the lake.
    #[test]
    fn on_a_table_that_can_not_be_written_any_more() {
        let shore = prepared_so();
        let all = points(&prepared_so(), "add v1");
        let (number, _) = all.iter().find(|(_, name)| name == "before a statement").unwrap();
        assert_eq!(shore.command("add v1").var("TRIPHASE_FAILPOINT", number.clone()).run().code, -9);
        let version = shore.version("gone") + 1;
        let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking", "domainMetadata"]}});
        shore.write(&format!("lake/gone/_delta_log/{version:020}.json"), &protocol.to_string());
        shore.ok("unlock --force");
        shore.ends(7, "add v1").says("rowTracking");
        shore.ok("repair done v1/s add --reason test --yes");
        shore.ok("ff v2");
        assert_eq!(shore.query("sales", "SELECT DISTINCT amount FROM t"), ["1"]);
    }

    fn prepared_so() -> Shore {
        let shore = prepared();
        shore.release("v1", "steps:\n  s:\n    add: UPDATE gone SET id = 0\n");
        shore
    }
}
