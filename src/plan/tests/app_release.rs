//! `check --app-release`: the contract's table of answers.

use super::fixture::{project, v};
use crate::{
    ledger::{Facts, Format, Ledger, PhaseRow, Row},
    model::{Class, Finding, Phase, PhaseState, StepId},
    plan::app_release,
    release::Project,
};

/// A ledger from lines like `v1/a done pending pending`; `~` behind a state: empty, `+`: a statement of it committed.
fn facts(lines: &[&str]) -> Facts {
    let mut ledger = Ledger { format: Some(Format::CURRENT), ..Ledger::default() };
    for line in lines {
        let mut words = line.split(' ');
        let (release, step) = words.next().unwrap().split_once('/').unwrap();
        let mut row = Row::pending(step);
        for (phase, word) in Phase::ALL.iter().zip(words) {
            row.phases[phase.index()] = PhaseRow {
                state: PhaseState::parse(word.trim_end_matches(['~', '+'])).unwrap(),
                empty: word.ends_with('~'),
                upto: u32::from(word.ends_with('+')),
                ..PhaseRow::pending()
            };
        }
        ledger.steps.insert(StepId::new(v(release), step), row);
    }
    Facts { ledger, ..Facts::default() }
}

fn code(findings: &[Finding]) -> u8 {
    findings.iter().map(|f| f.class).min().map_or(0, Class::exit_code)
}

fn files() -> Project {
    project(&[
        ("v1", &["a add:A"]),
        ("v2", &["b add:B simdrop:HB drop:DB", "gone deleted", "later drop:X"]),
        ("v3", &["c add:C simdrop:HC"]),
    ])
}

#[test]
fn adds_decide_until_a_later_simdrop_has_begun() {
    for (app, lines, expected) in [
        ("v2", &["v1/a done pending pending", "v2/b done pending pending"][..], 0),
        ("v2", &["v1/a done pending pending"], 3),
        ("v2", &["v1/a done pending pending", "v2/b failed pending pending"], 3),
        ("v2", &["v1/a done pending pending", "v2/b rolled_back pending pending"], 3),
        ("v1", &["v1/a done done~ done~", "v2/b done pending pending"], 0),
        // Its own simdrop is what the application is made for.
        ("v2", &["v1/a done done~ done~", "v2/b done done done"], 0),
        ("v1", &["v1/a done done~ done~", "v2/b done done pending"], 7),
        ("v1", &["v1/a done done~ done~", "v2/b done running pending"], 7),
        ("v1", &["v1/a done done~ done~", "v2/b done failed+ pending"], 7),
        ("v1", &["v1/a done done~ done~", "v2/b done failed pending"], 0),
        ("v1", &["v1/a done done~ done~", "v2/b done rolled_back pending"], 0),
        ("v1", &["v1/a done done~ done~", "v2/b done rollback_failed pending"], 7),
        ("v1", &["v1/a done done~ done~", "v2/b done done~ pending"], 0),
        ("v1", &["v1/a done done~ done~", "v2/later done~ done~ done"], 7),
        // Both: the application can't run at all, which is said first.
        ("v1", &["v2/b done done pending"], 7),
        // Between two releases the order of versions decides.
        ("v2.5", &["v1/a done done~ done~", "v2/b done done pending"], 0),
        ("v2.5", &["v1/a done done~ done~"], 3),
        ("v002", &["v1/a done pending pending", "v2/b done done pending"], 0),
    ] {
        let findings = app_release(&files(), &facts(lines), &v(app));
        assert_eq!(code(&findings), expected, "{app} {lines:?}: {findings:?}");
    }
}

#[test]
fn what_the_files_lack_is_answered_by_the_ledger() {
    let old = project(&[("v1", &["a add:A"])]);
    let done = ["v1/a done done~ done~", "v2/b done pending pending", "v3/c done pending pending"];
    assert_eq!(code(&app_release(&old, &facts(&done), &v("v3"))), 0);
    assert_eq!(code(&app_release(&Project::default(), &facts(&done), &v("v2"))), 0);
    let half = ["v1/a done done~ done~", "v2/b done pending pending", "v2/c failed pending pending"];
    assert_eq!(code(&app_release(&old, &facts(&half), &v("v2"))), 3);
    let hidden = ["v1/a done done~ done~", "v2/b done done pending"];
    assert_eq!(code(&app_release(&old, &facts(&hidden), &v("v1"))), 7);
    // Nobody knows a release that new: its add can't have run.
    assert_eq!(code(&app_release(&old, &facts(&done), &v("v4"))), 3);
    assert_eq!(code(&app_release(&Project::default(), &Facts::default(), &v("v1"))), 3);
}

#[test]
fn files_that_can_not_be_read_decide_nothing() {
    let mut broken = files();
    broken.findings.push(Finding::new(Class::Usage, "F8", "unknown key"));
    assert_eq!(code(&app_release(&broken, &facts(&["v1/a done done~ done~"]), &v("v1"))), 2);
}
