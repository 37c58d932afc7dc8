//! A step that is applied only in part, and rolled back: what nothing tells to be needed is asked, and not run.

use crate::harness::{Bench, Engine, Holder, on_each_engine};

on_each_engine!(
    a_rollback_of_a_half_applied_step_asks_before_it_changes_rows,
    what_the_target_refuses_by_itself_is_not_asked,
    done_when_answers_for_a_rollback,
    a_misspelt_procedure_is_no_open_question,
    a_rollback_leaves_alone_what_the_step_never_made,
    what_takes_away_another_s_too_is_asked,
    nothing_runs_before_a_question_that_is_known,
);

/// A step that stopped behind its first statement, with this for a rollback.
fn half(engine: Engine, back: &str) -> Bench {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE account (id integer, cents integer)");
    bench.db.query("INSERT INTO account VALUES (1, 700)");
    bench.release(
        "v1",
        &format!(
            "steps:\n  money:\n    add:\n      - sql: ALTER TABLE account ADD COLUMN note integer\n        transaction: false\n      - \
             UPDATE account SET cents = cents * 100 WHERE nonsense = 1\n    rollback_add:\n{back}"
        ),
    );
    bench.ends(1, "add v1");
    assert_eq!(bench.states("v1", "money"), "failed pending pending");
    bench
}

fn cents(bench: &Bench) -> String {
    bench.db.value("SELECT cents FROM account")
}

fn has_note(bench: &Bench) -> bool {
    bench.db.schema(false).contains("note")
}

fn a_rollback_of_a_half_applied_step_asks_before_it_changes_rows(engine: Engine) {
    let bench =
        half(engine, "      - UPDATE account SET cents = cents / 100\n      - ALTER TABLE account DROP COLUMN note\n");
    for line in ["plan rollback_add v1", "sql rollback_add v1", "rollback_add v1"] {
        bench
            .ends(5, line)
            .says("statement 1 of rollback_add is needed")
            .says("UPDATE account SET cents = cents / 100")
            .says("triphase repair undone v1/money add --reason");
    }
    assert_eq!(cents(&bench), "700", "never multiplied, and never divided");
    assert_eq!(bench.states("v1", "money"), "failed pending pending");
    // What the message says to do ends it.
    bench.db.query("ALTER TABLE account DROP COLUMN note");
    bench.ok("repair undone v1/money add --reason by-hand");
    assert_eq!(bench.states("v1", "money"), "pending pending pending");
    bench.ok("rollback_add v1").says("nothing to do");
}

fn what_the_target_refuses_by_itself_is_not_asked(engine: Engine) {
    let bench = half(engine, "      - ALTER TABLE account DROP COLUMN note\n");
    bench.ok("plan rollback_add v1").says("DROP COLUMN note");
    bench.ok("rollback_add v1");
    assert!(!has_note(&bench));
    assert_eq!(bench.states("v1", "money"), "rolled_back pending pending");
}

fn done_when_answers_for_a_rollback(engine: Engine) {
    let back = "      - sql: UPDATE account SET cents = cents / 100\n        done_when: SELECT max(cents) < 10000 FROM account\n      - \
                ALTER TABLE account DROP COLUMN note\n";
    let bench = half(engine, back);
    bench.ok("plan rollback_add v1").says("is so already, skipped");
    bench.ok("rollback_add v1");
    assert_eq!((cents(&bench).as_str(), has_note(&bench)), ("700", false));
}

fn a_misspelt_procedure_is_no_open_question(engine: Engine) {
    if engine == Engine::Sqlite {
        return;
    }
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    let (head, tail) = match engine {
        Engine::Postgres => ("LANGUAGE sql AS '", "'"),
        Engine::Mariadb | Engine::Sqlite => ("", ""),
    };
    bench.db.query(&format!("CREATE PROCEDURE spelt() {head}INSERT INTO log VALUES (1){tail}"));
    let called = |name: &str| {
        let text = format!("steps:\n  one:\n    add:\n      - sql: CALL {name}()\n        transaction: false\n");
        bench.release("v1", &text);
    };
    called("misspelt");
    bench.ends(1, "add v1").says("misspelt").hides("how far it came is not known").hides("triphase repair");
    called("spelt");
    bench.ok("add v1");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
}

/// A step whose second statement finds that there is one of that name already.
fn stands_there(engine: Engine, there: &str, add: &str, back: &str) -> Bench {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE theirs (id integer)");
    bench.db.query("INSERT INTO theirs VALUES (4711)");
    for text in there.split(';').filter(|text| !text.is_empty()) {
        bench.db.query(text);
    }
    bench.release(
        "v1",
        &format!(
            "steps:\n  two:\n    add:\n      - sql: CREATE TABLE ours (id integer)\n        transaction: false\n      - {add}\n    \
             rollback_add: |\n      {back};\n      DROP TABLE ours;\n"
        ),
    );
    bench.ends(1, "add v1");
    assert_eq!(bench.states("v1", "two"), "failed pending pending");
    bench
}

/// L4: what others made stays, though the rollback's own text would take it away.
fn a_rollback_leaves_alone_what_the_step_never_made(engine: Engine) {
    let on = if engine == Engine::Mariadb { " ON theirs" } else { "" };
    for (there, add, back) in [
        ("", "CREATE TABLE theirs (id integer)", "DROP TABLE theirs".to_owned()),
        ("", "ALTER TABLE theirs ADD COLUMN id integer", "ALTER TABLE theirs DROP COLUMN id".to_owned()),
        ("CREATE INDEX by_id ON theirs (id)", "CREATE INDEX by_id ON theirs (id)", format!("DROP INDEX by_id{on}")),
        (
            "CREATE VIEW seen AS SELECT 1 AS one",
            "CREATE VIEW seen AS SELECT 2 AS two",
            "DROP VIEW IF EXISTS seen".to_owned(),
        ),
    ] {
        let bench = stands_there(engine, there, add, &back);
        let before = bench.db.schema(false);
        bench.ok("plan rollback_add v1").says("statement 1 of rollback_add of step `v1/two` is left out");
        assert_eq!(bench.db.schema(false), before);
        bench.ok("rollback_add v1").says("is left out");
        assert_eq!(bench.db.query("SELECT * FROM theirs"), ["4711"], "{back}");
        let shown = bench.db.schema(false);
        assert!(
            !shown.contains("ours") && (there.is_empty() || shown.contains(there.split(' ').nth(2).unwrap())),
            "{shown}"
        );
        assert_eq!(bench.states("v1", "two"), "rolled_back pending pending");
    }
}

/// L4: a statement that would take away both is nobody's but a person's to run.
fn what_takes_away_another_s_too_is_asked(engine: Engine) {
    if engine == Engine::Sqlite {
        // Its statements are about one object each.
        return;
    }
    let bench = stands_there(engine, "", "CREATE TABLE theirs (id integer)", "DROP TABLE theirs, ours");
    for line in ["plan rollback_add v1", "sql rollback_add v1", "rollback_add v1"] {
        bench.ends(5, line).says("statement 1 of rollback_add is needed").says("DROP TABLE theirs, ours");
    }
    assert_eq!(bench.db.query("SELECT * FROM theirs"), ["4711"]);
    bench.db.query("DROP TABLE ours");
    bench.ok("repair undone v1/two add --reason by-hand");
    assert_eq!(bench.db.query("SELECT * FROM theirs"), ["4711"]);
}

/// All that a plan asks is asked before the first statement: of the hook, of the step that is rolled back first, of the handler itself.
fn nothing_runs_before_a_question_that_is_known(engine: Engine) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (what varchar(20))");
    bench.release(
        "v1",
        "
before:
  rollback_add: INSERT INTO log VALUES ('hook')
steps:
  half:
    add:
      - sql: CREATE TABLE made (i integer)
        transaction: false
      - sql: INSERT INTO log VALUES ('half')
        transaction: false
      - SELECT nonsense
    rollback_add:
      - sql: DROP TABLE made
        transaction: false
      - DELETE FROM log WHERE what = 'half'
      - UPDATE log SET what = 'back'
  whole:
    add: INSERT INTO log VALUES ('whole')
    rollback_add: DELETE FROM log WHERE what = 'whole'
",
    );
    bench.ends(1, "add v1");
    bench.ok("add v1/whole --out-of-order");
    let states = || (bench.states("v1", "half"), bench.states("v1", "whole"));
    let before = (bench.db.schema(false), states());
    for line in ["plan rollback_add v1", "sql rollback_add v1", "rollback_add v1"] {
        bench.ends(5, line).says("statement 2 of rollback_add is needed").says("statement 3 of rollback_add is needed");
        assert_eq!(bench.db.query("SELECT what FROM log ORDER BY what"), ["half", "whole"], "{line}");
        assert_eq!((bench.db.schema(false), states()), before, "{line}");
    }
}

/// What a statement works on is there only once the one before it has run: it is asked then, and nobody is before.
#[test]
fn what_can_be_told_later_is_no_question_now() {
    for (add, back) in [
        (
            "[ALTER TABLE log RENAME COLUMN a TO b, RENAME TABLE log TO kept, SELECT nonsense]",
            "[RENAME TABLE kept TO log, ALTER TABLE log RENAME COLUMN b TO a]",
        ),
        (
            "[ALTER TABLE log DROP COLUMN c, UPDATE log SET a = 2, SELECT nonsense]",
            "[ALTER TABLE log ADD COLUMN c integer, {sql: UPDATE log SET a = 1, done_when: SELECT count(c) = 0 AND max(a) = 1 FROM log}]",
        ),
    ] {
        let bench = Bench::new(Engine::Mariadb);
        bench.db.query("CREATE TABLE log (a integer, c integer)");
        bench.db.query("INSERT INTO log VALUES (1, NULL)");
        bench.release("v1", &format!("steps:\n  s:\n    add: {add}\n    rollback_add: {back}\n"));
        bench.ends(1, "add v1");
        bench.ok("plan rollback_add v1");
        bench.ok("rollback_add v1");
        assert_eq!(bench.states("v1", "s"), "rolled_back pending pending", "{add}");
        assert_eq!(bench.db.query("SELECT a, c FROM log"), ["1|NULL"], "{add}");
    }
}

/// The same where a name is another index's until that one is dropped.
#[test]
fn whose_an_index_is_can_be_told_once_the_other_is_gone() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE log (a integer, b integer)");
    bench.db.query("CREATE INDEX i ON log (a)");
    let anew = |column: &str| format!("DROP INDEX CONCURRENTLY i, CREATE INDEX CONCURRENTLY i ON log ({column})");
    let nonsense = "{sql: SELECT nonsense, transaction: false}";
    bench.release(
        "v1",
        &format!("steps:\n  s:\n    add: [{}, {nonsense}]\n    rollback_add: [{}]\n", anew("b"), anew("a")),
    );
    bench.ends(1, "add v1");
    bench.ok("plan rollback_add v1");
    bench.ok("rollback_add v1");
    assert_eq!(bench.states("v1", "s"), "rolled_back pending pending");
    let index = bench.db.value("SELECT indexdef FROM pg_indexes WHERE indexname = 'i'");
    assert!(index.ends_with("(a)"), "{index}");
}

/// What other sessions are asking belongs on the terminal of whoever waits, and not into the audit trail for good.
#[test]
fn what_others_ask_is_told_and_not_recorded() {
    let bench = Bench::new(Engine::Postgres);
    bench.target("lock_timeout: 600ms\nlock_retry_for: 1s\n");
    bench.db.query("CREATE TABLE one (id integer)");
    bench.release(
        "v1",
        "steps:\n  one:\n    add:\n      - sql: ALTER TABLE one ADD COLUMN a integer\n        transaction: false\n",
    );
    let holder = Holder::new(&bench.db, "one /* hunter2 */");
    bench.ends(4, "add v1").says("hunter2").says("blocked by");
    drop(holder);
    for kept in ["SELECT detail FROM triphase_history", "SELECT add_detail FROM triphase_ledger"] {
        let rows = bench.db.query(kept).join("\n");
        assert!(rows.contains("lock timeout") && !rows.contains("hunter2"), "{rows}");
    }
}
