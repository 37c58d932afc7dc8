//! Operations that were done without triphase and are stamped: what runs later is derived from the table as it stands, or the stamp is refused.

use super::Shore;
use serde_json::json;

const WIDE: &[(&str, &str)] = &[("id", "long"), ("kind", "string"), ("amount", "long"), ("colour", "string")];

/// A lake whose table has the column that the release adds, by somebody else.
fn with_colour(fields: &str) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    shore.create("sales", WIDE, json!([[1, "a", 10, null], [2, "b", 20, null]]));
    shore.release("v1", &format!("steps:\n  c:\n    add_column: {{table: sales, column: colour, {fields}}}\n"));
    shore
}

/// Refused, and nothing written.
fn refused(shore: &Shore, line: &str) -> crate::harness::Run {
    let before = shore.everything();
    let run = shore.ends(7, line).says("O4").says("can't be derived from table");
    assert!(before == shore.everything(), "{line}: something was written");
    run
}

#[test]
fn a_column_that_was_added_by_hand_can_be_rolled_back() {
    let shore = with_colour("type: string");
    shore.ok("stamp v1 --phase add --noop").says("would record: release `v1` is stamped: 1 phase");
    shore.ok("stamp v1 --phase add");
    shore.ok("plan rollback_add v1").says("colour");
    shore.append("sales", WIDE, json!([[3, "c", 30, "red"]])).unwrap();
    // Unmapped, their values would come back with the next column of that name: as after an `add`.
    shore.ends(7, "plan rollback_add v1").says("others have written to `colour`");
    shore.python.call("update", json!([shore.table("sales"), {"colour": "NULL"}, "id = 3"])).unwrap();
    shore.ok("rollback_add v1");
    assert_eq!(shore.columns("sales"), ["id", "kind", "amount"]);
    assert_eq!(shore.query("sales", "SELECT id, amount FROM t ORDER BY id"), ["1 10", "2 20", "3 30"]);
    shore.ok("ff v1");
    assert_eq!(shore.columns("sales"), ["id", "kind", "amount", "colour"]);
}

#[test]
fn what_comes_after_a_stamped_add_runs() {
    let shore = with_colour("type: string, nullable: false, default: \"'red'\"");
    shore.ok("stamp v1 --phase add");
    shore.ok("plan simdrop v1").says("colour");
    shore.ok("simdrop v1");
    let nullable = |shore: &Shore| {
        let fields = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
        fields.as_array().unwrap().iter().find(|field| field[0] == "colour").unwrap()[2].clone()
    };
    assert_eq!(nullable(&shore), json!(false));
    assert_eq!(shore.query("sales", "SELECT DISTINCT colour FROM t"), ["red"]);
    shore.ok("rollback_simdrop v1");
    assert_eq!(nullable(&shore), json!(true));
    // Both phases at once: the table as it is after them.
    let other = with_colour("type: string, nullable: false, default: \"'red'\"");
    refused(&other, "stamp v1 --phase simdrop")
        .says("column `colour` may be NULL, and after add_column it is never NULL");
}

#[test]
fn a_table_that_is_not_as_the_operation_makes_it_is_refused() {
    let shore = with_colour("type: long");
    refused(&shore, "stamp v1 --phase add")
        .says("column `colour` is string, and add_column makes it long")
        .says("triphase stamp v1/c --phase drop");
    // For good: nothing of it runs any more.
    shore.ok("stamp v1 --phase drop");
    assert_eq!(shore.states("v1", "c"), "done done done");
    shore.ends(7, "rollback_add v1").says("G5");
    let gone = Shore::with_sales();
    gone.release("v1", "steps:\n  n:\n    drop_column: {table: sales, column: note, rewrite: true}\n");
    refused(&gone, "stamp v1 --phase simdrop").says("has no column `note`");
    let absent = Shore::with_sales();
    absent.release("v1", "steps:\n  c:\n    add_column: {table: sales, column: colour, type: string}\n");
    refused(&absent, "stamp v1 --phase add").says("it has no column `colour`").says("triphase add v1");
    absent.release("v1", "steps:\n  c:\n    set_properties: {table: other, properties: {k: v}}\n");
    refused(&absent, "stamp v1 --phase add").says("there is no table `other`");
}

#[test]
fn a_table_that_was_made_by_hand_is_not_deleted() {
    let shore = Shore::with_sales();
    let columns = "[{name: id, type: long}, {name: kind, type: string}, {name: amount, type: long}]";
    let release =
        |mapping: &str| format!("steps:\n  t:\n    create_table: {{table: sales, {mapping}columns: {columns}}}\n");
    shore.release("v1", &release(""));
    refused(&shore, "stamp v1 --phase add").says("delta.columnMapping.mode");
    shore.release("v1", &release("column_mapping: none, "));
    shore.ok("stamp v1 --phase add");
    let before = shore.everything();
    shore.ends(7, "plan rollback_add v1").says("its log has no commit of this step").says("3 rows of theirs");
    shore.ends(7, "rollback_add v1").says("triphase repair undone v1/t add");
    assert!(before == shore.everything(), "something was written");
    shore.ok("ff v1");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["3"]);
}

/// Steps of one release on one table: each is taken off before the one before it is looked at.
#[test]
fn steps_on_one_table_are_derived_from_the_last_to_the_first() {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    shore.create("sales", WIDE, json!([[1, "a", 10, null]]));
    shore.python.call("set_properties", json!([shore.table("sales"), {"my.key": "v"}])).unwrap();
    shore.release(
        "v1",
        "
steps:
  one:
    add_column: {table: sales, column: amount, type: long}
  two:
    add_column: {table: sales, column: colour, type: string}
  told:
    set_properties: {table: sales, properties: {my.key: v}}
  bare:
    drop_column: {table: sales, column: kind, rewrite: true}
",
    );
    shore.ok("stamp v1 --phase add").says("step `v1/told`: what was there before is not known");
    shore.python.call("update", json!([shore.table("sales"), {"amount": "NULL"}])).unwrap();
    shore.ok("simdrop v1");
    assert_eq!(shore.columns("sales")[..3], ["id", "amount", "colour"], "the column is hidden");
    shore.ok("rollback_simdrop v1");
    assert_eq!(shore.query("sales", "SELECT kind FROM t"), ["a"]);
    shore.ok("rollback_add v1");
    assert_eq!(shore.columns("sales"), ["id", "kind"]);
    let properties = shore.python.call("configuration", json!([shore.table("sales")])).unwrap();
    assert_eq!(properties["my.key"], json!("v"));
}

/// A step that triphase has begun keeps its handlers: those that take the stamped phase back must fit.
#[test]
fn a_phase_after_triphases_own_is_stamped_only_where_its_way_back_fits() {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let columns = "[{name: id, type: long}, {name: note, type: string}]";
    shore.release("v1", &format!("steps:\n  t:\n    create_table: {{table: made, columns: {columns}}}\n"));
    shore.ok("ff v1");
    shore.release("v2", "steps:\n  n:\n    drop_column: {table: made, column: note}\n");
    shore.ok("add v2");
    refused(&shore, "stamp v2 --phase simdrop");
    shore.ok("simdrop v2");
    shore.ok("rollback_simdrop v2 --yes");
    assert_eq!(shore.columns("made"), ["id", "note"]);
}
