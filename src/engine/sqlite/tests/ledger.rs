//! What is written is read back; what a newer triphase wrote.

use super::{
    super::super::{Failure, Stop, testing::step},
    begun, entry, event, full, handler, hold, me, open, run_script, unit,
};
use crate::{
    ledger::{Begin, Entry, Format, Outcome, PhaseRow, Row, Unit},
    model::{Guards, Phase, PhaseState, Span, Time, Verb, Version},
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    assert!(!file.exists());
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    let guards = Guards { min_simdrop_age: Some(Span::parse("7d").unwrap()), ..Guards::default() };
    let begun = hold.begin(&Begin { create: true, guards: Some(guards.clone()) }).await.unwrap();
    let at = hold
        .commit(&Unit { closes: vec![entry("a", full(PhaseState::Failed))], ..Unit::default() }, &Stop::never())
        .await
        .unwrap();
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.format, Some(Format::CURRENT));
    assert_eq!(ledger.guards, guards);
    assert_eq!(ledger.revision, 2);
    let run = ledger.run.unwrap();
    assert_eq!((run.run.as_str(), run.pid, run.who.as_str()), ("r1", 42, "ann@o'hara"));
    assert!(begun.0 > 0 && begun <= at && at <= ledger.now && run.since <= at);
    let row = &ledger.steps[&step("a")];
    let was = row.phase(Phase::Add);
    assert!(was.at.unwrap() >= begun && was.at.unwrap() <= at);
    assert_eq!(*was, PhaseRow { at: was.at, who: me.who.clone(), ..full(PhaseState::Failed) });
    assert_eq!(*row.phase(Phase::Drop), PhaseRow::pending());
    assert_eq!(row.stored.iter().copied().collect::<Vec<_>>(), [Verb::RollbackAdd]);
    let stored = session.stored(&[step("a"), step("b")]).await.unwrap();
    assert_eq!(stored[&step("a")][&Verb::RollbackAdd], handler("DROP TABLE 'a'"));

    // Replace keeps times as given and handlers as they are; rename moves all; rollout is said.
    let mut other = Row::pending("A");
    other.phases[2] = PhaseRow { at: Some(Time(1_700_000_000_123_456)), who: "x".to_owned(), ..full(PhaseState::Done) };
    let said = event(&step("a"), Outcome::Recorded);
    let entries = vec![
        Entry::Replace { id: step("a"), row: Some(other.clone()), event: said.clone() },
        Entry::Rename { from: step("a"), to: step("z"), name: "Z".to_owned(), event: said.clone() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: true, event: said.clone() },
    ];
    hold.commit(&Unit { closes: entries, ..Unit::default() }, &Stop::never()).await.unwrap();
    let ledger = session.ledger().await.unwrap();
    let row = &ledger.steps[&step("z")];
    assert_eq!((row.name.as_str(), &row.phases, row.stored.len()), ("Z", &other.phases, 1));
    let rollout = &ledger.rollouts[&Version::parse("v1").unwrap()];
    assert!(rollout.who == me.who && rollout.at >= at && rollout.at <= ledger.now);
    let entries = vec![
        Entry::Replace { id: step("z"), row: None, event: said.clone() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: false, event: said },
    ];
    hold.commit(&Unit { closes: entries, ..Unit::default() }, &Stop::never()).await.unwrap();
    let ledger = session.ledger().await.unwrap();
    assert!(ledger.steps.is_empty() && ledger.rollouts.is_empty());

    let history = session.history(100).await.unwrap();
    assert_eq!(history.len(), 7);
    assert_eq!(history.last().unwrap().detail.as_deref(), Some("min_simdrop_age: 7d"));
    assert_eq!(history[0].statement, Some(1));
    assert_eq!(history[0].detail.as_deref(), Some("it's \"so\"\nand so"));
    hold.release().await.unwrap();
}

#[tokio::test]
async fn what_a_newer_triphase_wrote_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    hold.commit(&unit("a", vec![]), &Stop::never()).await.unwrap();
    run_script(&file, "UPDATE triphase_ledger SET h_rollback_add = replace(h_rollback_add, '\"sql\"', '\"warp\"')")
        .unwrap();
    let Err(Failure::Refused(finding)) = session.stored(&[step("a")]).await else { panic!() };
    assert!(finding.message.contains("rollback_add of step `v1/a`") && finding.message.contains("`warp`"));
    run_script(&file, "UPDATE triphase_meta SET value = '1.9' WHERE key = 'format'").unwrap();
    run_script(&file, "ALTER TABLE triphase_ledger ADD COLUMN more text").unwrap();
    assert_eq!(session.ledger().await.unwrap().format, Some(Format { major: 1, minor: 9 }));
    run_script(&file, "UPDATE triphase_meta SET value = '2.0' WHERE key = 'format'").unwrap();
    let Err(Failure::Refused(finding)) = session.ledger().await else { panic!() };
    assert!(finding.message.contains("format 2.0") && finding.rule == "L8");
}
