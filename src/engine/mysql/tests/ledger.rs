//! What is written is read back; half a ledger.

use super::{
    super::{
        super::{
            Driver as _, Stop,
            rows::table,
            testing::{AGAIN, CREATE, DETAIL, entry, event, failed, had, me, sql, step, unit},
        },
        Mysql,
    },
    fresh, open,
};
use crate::{
    action::{Checksum, Handler, Handlers},
    engine::Failure,
    ledger::{Begin, Entry, Format, PhaseRow, Unit, apply::Kept},
    model::{Class, Dialect, Guards, Label, Phase, PhaseState, StepId, Verb, Version},
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn what_is_written_is_read_back() {
    let (target, _wire) = fresh().await;
    let session = open(&target).await;
    assert_eq!(session.dialect(), Dialect::Mariadb);
    assert_eq!(Mysql::MYSQL.found(&target).await.unwrap(), Dialect::Mariadb);
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    let guards = Guards { protected: Some(true), ..Guards::default() };
    let begun = hold.begin(&Begin { create: true, guards: Some(guards.clone()) }).await.unwrap();
    let text = "it's a \\ \"text\" with `quotes`,\nlines and 🦀\t%_".to_owned();
    let handler = Handler { checksum: Checksum::of(["x"]), label: Label::Lossy, actions: vec![sql(&text)] };
    let keep: Handlers = [(Verb::RollbackAdd, handler)].into();
    let row = PhaseRow {
        state: PhaseState::Failed,
        checksum: Some(Checksum::of(["y"])),
        error: Some(text.clone()),
        hashes: vec!["h".into()],
        trying: Some(0),
        seq: 3,
        ..PhaseRow::pending()
    };
    let release = Version::parse("v1").unwrap();
    let entries = vec![
        Entry::Step {
            id: step("a"),
            name: text.clone(),
            phase: Phase::Add,
            row,
            marks: Vec::new(),
            keep,
            event: event("a"),
        },
        entry("A", PhaseState::Done),
        entry("b", PhaseState::Done),
        Entry::Rename { from: step("b"), to: step("ä"), name: "ä".into(), event: event("b") },
        entry("c", PhaseState::Done),
        Entry::Replace { id: step("c"), row: None, event: event("c") },
        Entry::Rollout { release: release.clone(), said: true, event: event("") },
    ];
    hold.commit(&Unit { closes: entries.clone(), ..Unit::default() }, &Stop::never()).await.unwrap();
    hold.release().await.unwrap();
    let found = session.ledger().await.unwrap();
    assert_eq!((found.format, found.guards), (Some(Format::CURRENT), guards));
    let run = found.run.clone().unwrap();
    assert_eq!((run.run.as_str(), run.who.as_str(), run.pid), (me.run.as_str(), "a@host", 7));
    assert_eq!(found.rollouts[&release].who, "a@host");
    assert!(found.rollouts[&release].at >= begun && run.since <= found.now);
    let mut kept = Kept::default();
    for entry in &entries {
        kept.apply(entry, &me.who, begun);
    }
    let timeless = |mut steps: std::collections::BTreeMap<StepId, crate::ledger::Row>| {
        for row in steps.values_mut() {
            for phase in &mut row.phases {
                phase.at = None;
            }
        }
        steps
    };
    assert_eq!(timeless(found.steps), timeless(kept.ledger.steps));
    assert_eq!(session.stored(&[step("a"), step("A")]).await.unwrap()[&step("a")], kept.stored[&step("a")]);
    let history = session.history(50).await.unwrap();
    // One more is that of the guards.
    assert_eq!(history.len(), entries.len() + 1);
    assert_eq!(history[0].detail.as_deref(), Some(DETAIL));
    assert!(session.place().engine.starts_with("MariaDB 1"));
}

#[tokio::test]
async fn half_a_ledger_is_completed_and_a_broken_one_is_not() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    hold.release().await.unwrap();
    // As if killed before the format's row, or after one table.
    for left in [
        "DELETE FROM triphase_meta; DELETE FROM triphase_run",
        "DELETE FROM triphase_meta; DELETE FROM triphase_run; DROP TABLE triphase_history, triphase_ledger",
    ] {
        wire.all(&left.split("; ").collect::<Vec<_>>()).await.unwrap();
        let session = open(&target).await;
        assert_eq!(session.ledger().await.unwrap().format, None, "{left}");
        let again = self::me('b');
        let hold = had(session.try_lock(&again).await);
        hold.begin(&CREATE).await.unwrap();
        hold.commit(&Unit { closes: vec![], ..Unit::default() }, &Stop::never()).await.unwrap();
        hold.release().await.unwrap();
        assert_eq!(session.ledger().await.unwrap().format, Some(Format::CURRENT));
    }
    let hold = had(session.try_lock(&me).await);
    hold.begin(&AGAIN).await.unwrap();
    hold.commit(&unit(vec![]), &Stop::never()).await.unwrap();
    wire.one(&format!("DELETE FROM {}", table::META)).await.unwrap();
    let Failure::Refused(finding) = failed(session.ledger().await) else { panic!("not refused") };
    assert_eq!((finding.class, finding.rule), (Class::Decision, "L8"));
}
