//! A script in `sqlite3` does what a run does, and refuses what a run refuses.

use super::{
    super::{
        super::{
            Access, Driver as _, Stop,
            testing::{CREATE, expect, lone, sql},
        },
        Sqlite,
    },
    entry, full, hold, me, open, run_script, schema, target, unit,
};
use crate::{
    action::Action,
    ledger::{Begin, Ledger, Unit},
    model::{Guards, PhaseState, Time},
};
use pretty_assertions::assert_eq;
use std::path::Path;

/// The ledger without what differs from one run to the next: clocks.
async fn timeless(file: &Path) -> (Ledger, Vec<String>, Vec<(String, Option<String>)>) {
    let session = Sqlite.open(&target(file), Access::Read).await.unwrap();
    let mut ledger = session.ledger().await.unwrap();
    ledger.now = Time(0);
    ledger.run.as_mut().unwrap().since = Time(0);
    for phase in ledger.steps.values_mut().flat_map(|row| &mut row.phases) {
        phase.at = None;
    }
    let history = session.history(100).await.unwrap().into_iter().map(|h| (h.outcome, h.detail)).collect();
    (ledger, schema(file).await, history)
}

#[tokio::test]
async fn a_script_in_sqlite3_does_what_a_run_does() {
    let folder = tempfile::tempdir().unwrap();
    let (run, scripted) = (folder.path().join("run.db"), folder.path().join("scripted.db"));
    let begin = Begin { create: true, guards: Some(Guards { protected: Some(true), ..Guards::default() }) };
    let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE a SET x = ';';\nEND -- done";
    let units = vec![
        unit(
            "a",
            vec![
                sql("CREATE TABLE a (id integer PRIMARY KEY, x DEFAULT 'it''s')"),
                sql(trigger),
                expect("SELECT count(*) = 0 FROM a -- ok"),
            ],
        ),
        Unit { opens: vec![entry("b", full(PhaseState::Running))], ..unit("b", vec![lone("VACUUM")]) },
        unit("c", vec![sql("PRAGMA foreign_keys = OFF"), sql("CREATE TABLE c (x REFERENCES a)")]),
    ];
    let session = open(&run).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    let before = session.ledger().await.unwrap();
    hold.begin(&begin).await.unwrap();
    for unit in &units {
        hold.commit(unit, &Stop::never()).await.unwrap();
    }
    hold.release().await.unwrap();
    let script = Sqlite.script(&target(&scripted), &before, &begin, &units, &me).unwrap();
    run_script(&scripted, &script).unwrap();
    assert_eq!(timeless(&scripted).await, timeless(&run).await);

    // The ledger has moved: the same script stops by itself, and so does one made against another revision.
    let after = timeless(&scripted).await;
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    let stale = Ledger { revision: 1, ..after.0.clone() };
    let script = Sqlite.script(&target(&scripted), &stale, &Begin::default(), &units, &me).unwrap();
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    // Another ledger may have as many events, but never the same run.
    let mut other = after.0.clone();
    other.run.as_mut().unwrap().run = "another".into();
    let script = Sqlite.script(&target(&scripted), &other, &Begin::default(), &units, &me).unwrap();
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    assert_eq!(timeless(&scripted).await, after);

    // What a run refuses, the script refuses, with nothing of the unit left.
    for query in
        ["SELECT 0", "SELECT NULL", "SELECT 'x'", "SELECT 1 UNION ALL SELECT 1", "SELECT 1, 1", "SELECT 1 WHERE 0"]
    {
        let now = Sqlite.open(&target(&scripted), Access::Read).await.unwrap().ledger().await.unwrap();
        let units = [unit("d", vec![sql("CREATE TABLE d (x)"), expect(query)])];
        let script = Sqlite.script(&target(&scripted), &now, &Begin::default(), &units, &me).unwrap();
        run_script(&scripted, &script).unwrap_err();
        assert_eq!(timeless(&scripted).await, after, "{query}");
    }
    let shell = [unit("e", vec![Action::Shell { file: "x.sh".into(), text: String::new() }])];
    assert_eq!(Sqlite.script(&target(&run), &after.0, &CREATE, &shell, &me).unwrap_err().rule, "F4");
}
