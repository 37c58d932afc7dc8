//! Ledgers of other formats.

use super::{
    super::super::{
        Stop,
        testing::{CREATE, entry, had, me},
    },
    fresh, open,
};
use crate::{
    ledger::{Entry, Event, Format, Outcome, Unit},
    model::PhaseState,
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_ledger_of_an_older_major_is_read_for_its_upgrade() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('u');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&Unit { closes: vec![entry("a", PhaseState::Done)], ..Unit::default() }, &Stop::never()).await.unwrap();
    // `engine::rows` knows major 0 in tests alone.
    wire.all("UPDATE triphase_meta SET value = '0.9' WHERE key = 'format'".to_owned()).await.unwrap();
    let old = open(&target).await.ledger().await.unwrap();
    assert_eq!((old.format.map(|f| f.to_string()).as_deref(), old.steps.len()), (Some("0.9"), 1));
    let event = Event {
        release: None,
        step: None,
        verb: "repair upgrade-ledger".into(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: None,
    };
    let entry = Entry::Upgrade { from: old.format.unwrap(), event };
    hold.commit(&Unit { closes: vec![entry], ..Unit::default() }, &Stop::never()).await.unwrap();
    assert_eq!(open(&target).await.ledger().await.unwrap().format, Some(Format::CURRENT));
    hold.release().await.unwrap();
}
