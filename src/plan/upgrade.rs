//! `repair upgrade-ledger` (L8): the ledger gets the newest format, once nothing lies between add and drop. Pure.

use super::repair::Word;
use crate::{
    ledger::{Entry, Event, Format, Ledger, Outcome, drift},
    model::{Class, Finding, Version},
};

/// Plans it.
pub(super) fn upgrade(ledger: &Ledger, reason: &str) -> Word {
    let Some(from) = ledger.format else {
        return Ok((Vec::new(), "there is no ledger yet; nothing to do".into()));
    };
    if !from.is_old() {
        return Ok((Vec::new(), format!("the ledger's format is already {from}; nothing to do")));
    }
    let between: Vec<&str> = ledger
        .releases()
        .into_iter()
        .filter(|release| ledger.of(release).any(|(_, row)| row.has_progress()) && !drift::finished(ledger, release))
        .map(Version::as_str)
        .collect();
    if !between.is_empty() {
        let message = format!("releases lie between add and drop: {}", between.join(", "));
        let way_out = "finish them or roll them back, with the triphase that wrote the ledger; then upgrade it";
        return Err(Finding::new(Class::Guard, "L8", message).way_out(way_out));
    }
    let note = format!(
        "the ledger's format goes from {from} to {}: no triphase before {} works on it from then on",
        Format::CURRENT,
        Format::FIRST_VERSION
    );
    let event = Event {
        release: None,
        step: None,
        verb: "repair upgrade-ledger".into(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: Some(reason.to_owned()),
    };
    Ok((vec![Entry::Upgrade { from, event }], note))
}
