//! Fail at every call, run again, same end.

use super::{command, say, states};
use crate::{
    engine::fake::{Fake, Fault},
    event::{End, Outcome},
    model::{Guards, Phase, PhaseState},
    plan::{About, Scope, tests::fixture::project},
    release::Project,
};

const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::DeadBefore, Fault::DeadAfter];

/// Three releases with empty phases, expects, and statements that stand alone, with and without `done_when`.
fn releases(atomic: bool) -> Project {
    if atomic {
        project(&[
            (
                "v1",
                &[
                    "a add:A1;A2 simdrop:A3 drop:A4 rollback_add:-A2;-A1 rollback_simdrop:-A3",
                    "b add:=true;B1 rollback_add:-B1",
                ],
            ),
            (
                "v2",
                &[
                    "c add:C1;?C2;C3 simdrop:!C4 rollback_add:-C3;?-C2;-C1 rollback_simdrop:!-C4",
                    "d simdrop:D1 rollback_simdrop:-D1",
                ],
            ),
            ("v3", &["@before add:E0", "e add:!E1;=true;E2 rollback_add:-E2;!-E1", "@after add:E9 rollback_add:-E9"]),
        ])
    } else {
        project(&[
            (
                "v1",
                &[
                    "a add:!A1;?A2 simdrop:?A3 drop:!A4 rollback_add:?-A2;!-A1 rollback_simdrop:?-A3",
                    "b add:=true;!B1;B2 rollback_add:!-B1",
                ],
            ),
            (
                "v2",
                &[
                    "c add:!C1;?C2;C3 simdrop:!C4 rollback_add:!-C3;?-C2;-C1 rollback_simdrop:!-C4",
                    "d simdrop:D1 rollback_simdrop:?-D1",
                ],
            ),
            ("v3", &["@before add:?E0", "e add:!E1;=true;E2 rollback_add:!-E2;!-E1", "@after add:E9 rollback_add:-E9"]),
        ])
    }
}

/// Runs until done; what is undecided is answered truthfully.
async fn to_the_end(fake: &Fake, project: &Project, text: &str) -> Outcome {
    for _ in 0..10 {
        let outcome = command(fake, &Guards::default(), project, text).await;
        let End::Undecided(findings) = &outcome.end else { return outcome };
        assert_eq!(outcome.exit_code(), 5);
        for finding in findings {
            answer(fake, project, &finding.way_out).await;
        }
    }
    panic!("`{text}` comes to no end");
}

/// Takes the first `triphase repair done vN/step phase K` out of a way out, and says what is so.
async fn answer(fake: &Fake, project: &Project, way_out: &str) {
    let words: Vec<_> = way_out.split(' ').collect();
    let at = words.iter().position(|word| *word == "done").unwrap_or_else(|| panic!("no repair done in: {way_out}"));
    assert_eq!(words[at - 2..at], ["triphase", "repair"], "{way_out}");
    assert!(way_out.contains("triphase repair undone "), "{way_out}");
    let (version, step) = words[at + 1].split_once('/').unwrap();
    let id = super::fixture::id(version, step);
    let phase = Phase::parse(words[at + 2]).unwrap();
    let statement: u32 = words[at + 3].parse().unwrap();
    let applied = {
        let state = fake.state();
        let row = state.kept.ledger.steps[&id].phase(phase);
        let verb = match row.state {
            crate::model::PhaseState::RollingBack | crate::model::PhaseState::RollbackFailed => {
                phase.rollback().unwrap()
            }
            _ => phase.verb(),
        };
        let text = state.kept.stored[&id][&verb].actions[statement as usize - 1].text();
        state.log.contains(&text)
    };
    let about =
        About::Decide { step: Scope::Step(id.release, id.step), phase, statement: Some(statement), done: applied };
    let outcome = say(fake, project, about).await;
    assert_eq!(outcome.end, End::Done);
}

fn sorted(fake: &Fake) -> Vec<String> {
    let mut log = fake.state().log.clone();
    log.sort();
    log
}

/// `before`: what is done without a fault. Then `text` fails at every call in every way.
async fn sweep(atomic: bool, before: &[&str], text: &str) {
    let project = releases(atomic);
    let ready = || async {
        let fake = Fake::new(atomic);
        for command in before {
            assert_eq!(to_the_end(&fake, &project, command).await.exit_code(), 0, "{command}");
        }
        fake.fail_at(None);
        fake
    };
    let clean = ready().await;
    let outcome = to_the_end(&clean, &project, text).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:?}");
    let calls = clean.state().calls;
    assert!(calls > 5);
    for fault in FAULTS {
        for at in 1..=calls {
            let fake = ready().await;
            fake.fail_at(Some((at, fault)));
            let first = command(&fake, &Guards::default(), &project, text).await;
            assert!([0, 5, 8].contains(&first.exit_code()), "{text}: {fault:?} at {at}: {first:?}");
            assert!(fake.state().lock.is_none(), "{text}: {fault:?} at {at}: the lock is kept");
            fake.fail_at(None);
            let last = to_the_end(&fake, &project, text).await;
            assert_eq!(last.exit_code(), 0, "{text}: {fault:?} at {at}: {last:?}");
            assert_eq!(sorted(&fake), sorted(&clean), "{text}: {fault:?} at {at}");
            assert_eq!(states(&fake), states(&clean), "{text}: {fault:?} at {at}");
            assert!(fake.state().lock.is_none(), "{text}: {fault:?} at {at}: the lock is kept");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ff_comes_to_the_same_end_whatever_fails() {
    for atomic in [true, false] {
        sweep(atomic, &[], "ff").await;
    }
}

/// A statement by itself that was cut short leaves something: neither a rollback nor another attempt lets it lie, wherever both fail.
#[tokio::test(start_paused = true)]
async fn nothing_half_done_stays_whatever_fails() {
    let project = project(&[(
        "v1",
        &["a add:?INDEX1;A2 rollback_add:?-A2;?-INDEX1", "b add:B1;?INDEX2 rollback_add:?-INDEX2;?-B1"],
    )]);
    let clean = Fake::new(true);
    assert_eq!(to_the_end(&clean, &project, "add v1").await.exit_code(), 0);
    let calls = clean.state().calls;
    let mut cleared = 0;
    for fault in [Fault::DeadBefore, Fault::DeadAfter] {
        for at in 1..=calls {
            for (text, states_then) in [("rollback_add v1", PhaseState::RolledBack), ("add v1", PhaseState::Done)] {
                for again in [None, Some(Fault::DeadBefore), Some(Fault::DeadAfter)] {
                    let mut second = 1;
                    loop {
                        let fake = Fake::new(true);
                        fake.fail_at(Some((at, fault)));
                        command(&fake, &Guards::default(), &project, "add v1").await;
                        cleared += fake.state().halves.len();
                        fake.fail_at(again.map(|fault| (second, fault)));
                        command(&fake, &Guards::default(), &project, text).await;
                        let over = fake.state().calls < second;
                        fake.fail_at(None);
                        let last = to_the_end(&fake, &project, text).await;
                        assert_eq!(last.exit_code(), 0, "{text}: {fault:?} at {at}, {again:?} at {second}: {last:?}");
                        assert!(fake.state().halves.is_empty(), "{text}: {fault:?} at {at}, {again:?} at {second}");
                        assert!(states(&fake).values().all(|state| *state == states_then), "{text}: {fault:?} at {at}");
                        if again.is_none() || over {
                            break;
                        }
                        second += 1;
                    }
                }
            }
        }
    }
    assert!(cleared > 0);
}

#[tokio::test(start_paused = true)]
async fn rollbacks_come_to_the_same_end_whatever_fails() {
    for atomic in [true, false] {
        let simdropped: &[&str] = &["ff v1", "add v2", "simdrop v2"];
        sweep(atomic, simdropped, "rollback_simdrop v2").await;
        sweep(atomic, simdropped, "rollback_add v2 --cascade").await;
        sweep(atomic, &["ff"], "rollback_add v3").await;
    }
}
