//! The newest release of each phase.

use super::json;
use crate::{
    event::Where,
    ledger::Ledger,
    model::{Phase, PhaseState, Version},
};
use serde_json::{Value, json};
use std::io::{self, Write};

/// The newest release all of whose steps in the ledger have a phase done, by [`Phase::index`]. A release whose phase was only passed, being
/// empty, counts as one that has it.
pub fn newest(ledger: &Ledger) -> [Option<&Version>; 3] {
    let has = |release: &Version, phase: Phase| {
        let mut steps = ledger.of(release).peekable();
        steps.peek().is_some() && steps.all(|(_, row)| row.phase(phase).state == PhaseState::Done)
    };
    let newest = |phase| ledger.releases().into_iter().rev().find(|release| has(release, phase));
    [newest(Phase::Add), newest(Phase::Simdrop), newest(Phase::Drop)]
}

/// Writes a line a phase.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, ledger: &Ledger) -> io::Result<()> {
    if ledger.format.is_none() {
        return writeln!(out, "nothing yet");
    }
    for (phase, release) in Phase::ALL.iter().zip(newest(ledger)) {
        writeln!(out, "{phase:<8}{}", release.map_or("-", Version::as_str))?;
    }
    Ok(())
}

/// The same as one document.
pub fn json(place: &Where, ledger: &Ledger) -> Value {
    let [add, simdrop, drop] = newest(ledger);
    json::document(
        "current",
        json!({ "exit_code": 0, "target": json::place(place), "add": add, "simdrop": simdrop, "drop": drop }),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{
        ledger::{Format, Row},
        model::StepId,
        report::show::tests::{done, v},
    };

    #[test]
    fn the_newest_release_counts_once_all_of_it_is_done() {
        let mut ledger = Ledger { format: Some(Format::CURRENT), ..Ledger::default() };
        for (release, step, phases) in
            [("v2", "a", 2), ("v10", "a", 1), ("v10", "b", 1), ("v11", "a", 1), ("v11", "b", 0)]
        {
            let mut row = Row::pending(step);
            row.phases[..phases].fill(done(1));
            ledger.steps.insert(StepId::new(v(release), step), row);
        }
        let mut out = vec![];
        write(&mut out, &ledger).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "add     v10\nsimdrop v2\ndrop    -\n");
    }

    #[test]
    fn no_ledger_is_nothing_yet() {
        let mut out = vec![];
        write(&mut out, &Ledger::default()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "nothing yet\n");
    }
}
