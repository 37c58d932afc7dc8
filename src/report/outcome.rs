//! How a run ended, as its last lines.

use super::{Paint, count, finding, visible};
use crate::{
    event::{End, Outcome, UNCHANGED},
    model::{StepId, Verb},
    plan::Wait,
};
use std::{
    collections::BTreeSet,
    io::{self, Write},
};

/// Writes what was done, what waits, why it stopped and what to run next.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    match &outcome.end {
        End::Interrupted(signal) if outcome.next == UNCHANGED => {
            writeln!(out, "interrupted by {}", signal_name(*signal))?;
        }
        other => end(out, other, paint)?,
    }
    if !outcome.done.is_empty() {
        writeln!(out, "done: {}", done(&outcome.done))?;
    }
    waits(out, &outcome.waits, paint)?;
    for note in &outcome.notes {
        writeln!(out, "{note}")?;
    }
    if !outcome.next.is_empty() && !told(outcome) {
        writeln!(out, "{}: {}", paint.strong("next"), outcome.next)?;
    }
    Ok(())
}

/// Writes only what went wrong and what stopped an add (`--quiet`).
///
/// # Errors
/// Where the writer fails.
pub fn trouble(out: &mut impl Write, outcome: &Outcome, paint: Paint) -> io::Result<()> {
    end(out, &outcome.end, paint)?;
    let blocking: Vec<Wait> = outcome.waits.iter().filter(|wait| wait.blocks_add).cloned().collect();
    waits(out, &blocking, paint)
}

/// Whether what to run next stands above already, as a finding's way out.
fn told(outcome: &Outcome) -> bool {
    match &outcome.end {
        End::Refused(findings) | End::Undecided(findings) => findings.iter().any(|f| f.way_out == outcome.next),
        End::Done
        | End::Failed
        | End::Busy(_)
        | End::Fenced(_)
        | End::Access(_)
        | End::Interrupted(_)
        | End::Declined => false,
    }
}

/// Writes why a run, or a look, ended otherwise than well. A handler's failure has been told where it happened, and is not told again.
///
/// # Errors
/// Where the writer fails.
pub fn end(out: &mut impl Write, end: &End, paint: Paint) -> io::Result<()> {
    let error = paint.bad("error");
    match end {
        End::Done | End::Failed => Ok(()),
        End::Refused(findings) | End::Undecided(findings) => finding::all(out, findings, paint),
        End::Busy(why) | End::Fenced(why) | End::Access(why) => writeln!(out, "{error}: {}", visible(why)),
        End::Interrupted(signal) => writeln!(out, "interrupted by {}: what is done is recorded", signal_name(*signal)),
        End::Declined => writeln!(out, "not confirmed"),
    }
}

/// Writes what `ff` left, a line each.
///
/// # Errors
/// Where the writer fails.
pub fn waits(out: &mut impl Write, waits: &[Wait], paint: Paint) -> io::Result<()> {
    for wait in waits {
        let head = if wait.blocks_add { paint.bad("stopped") } else { paint.warn("waits") };
        write!(out, "{head}: {} {} [{}] {}", wait.phase, wait.release, wait.rule, wait.why)?;
        match wait.until {
            // The guard's own words often name the time.
            Some(time) if !wait.why.contains(&time.to_string()) => writeln!(out, "; earliest {time}")?,
            Some(_) | None => writeln!(out)?,
        }
    }
    Ok(())
}

/// `2 steps of v1, v2 (3 adds, 1 drop)`.
fn done(done: &[(StepId, Verb)]) -> String {
    let steps: BTreeSet<&StepId> = done.iter().map(|(id, _)| id).collect();
    let releases: BTreeSet<&crate::model::Version> = done.iter().map(|(id, _)| &id.release).collect();
    let verbs: Vec<String> = Verb::ALL
        .iter()
        .map(|verb| (done.iter().filter(|(_, v)| v == verb).count(), verb))
        .filter(|(n, _)| *n > 0)
        .map(|(n, verb)| format!("{n} {verb}"))
        .collect();
    let releases: Vec<&str> = releases.into_iter().map(crate::model::Version::as_str).collect();
    format!("{} of {} ({})", count(steps.len(), "step"), releases.join(", "), verbs.join(", "))
}

fn signal_name(signal: i32) -> String {
    match signal {
        2 => "SIGINT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::model::{Phase, Time, Version};

    #[test]
    fn the_last_lines_say_done_waiting_and_next() {
        let version = Version::parse("v2").unwrap();
        let outcome = Outcome {
            end: End::Done,
            done: vec![
                (StepId::new(version.clone(), "a"), Verb::Add),
                (StepId::new(version.clone(), "b"), Verb::Add),
                (StepId::new(version.clone(), "a"), Verb::Simdrop),
            ],
            waits: vec![Wait {
                release: version,
                phase: Phase::Drop,
                rule: "G6",
                why: "min_simdrop_age: 7d".into(),
                until: Some(Time(1_000_000)),
                blocks_add: false,
            }],
            notes: vec![],
            next: "after 1970-01-01T00:00:01Z: triphase drop v2".into(),
        };
        let mut out = vec![];
        write(&mut out, &outcome, Paint::PLAIN).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "done: 2 steps of v2 (2 add, 1 simdrop)\nwaits: drop v2 [G6] min_simdrop_age: 7d; earliest 1970-01-01T00:00:01Z\n\
             next: after 1970-01-01T00:00:01Z: triphase drop v2\n"
        );
    }

    #[test]
    fn an_end_that_is_not_well_is_told_once() {
        for (how, text) in [
            (End::Failed, ""),
            (End::Access("cannot connect".into()), "error: cannot connect\n"),
            (End::Interrupted(15), "interrupted by SIGTERM: what is done is recorded\n"),
        ] {
            let mut out = vec![];
            end(&mut out, &how, Paint::PLAIN).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
