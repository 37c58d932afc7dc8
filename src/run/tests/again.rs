//! A target that goes away in the middle of a run: a failover is waited out, and no longer than that.

use super::{command, fixture, run, states, with};
use crate::{
    engine::fake::{Fake, Fault},
    event::{End, Event, OUT_OF_REACH, Outcome, RECONNECT_FOR},
    ledger::RunRow,
    model::{Guards, StepId, Verb},
    plan::tests::fixture::project,
    release::Project,
};
use std::{sync::Mutex, time::Duration};
use tokio::time::Instant;

fn files() -> Project {
    project(&[("v1", &["a add:A;B", "b add:C"])])
}

/// What is told of a verb that is done, and whether it had nothing to run.
type Told = Vec<(StepId, Verb, bool)>;

/// Runs `ff` on a target whose answer to one call is lost, and that then refuses so many connections; with what is told of it, each time
/// after `meanwhile`, and what is told to be done.
async fn away(
    fake: &Fake,
    at: u64,
    connections: u32,
    meanwhile: impl Fn(&Fake) + Send + Sync,
) -> (Outcome, Vec<String>, Told) {
    lossy(fake, (&files(), &Guards::default(), "ff"), at, connections, meanwhile).await
}

/// The same for a command on a project, under guards.
async fn lossy(
    fake: &Fake,
    (project, guards, text): (&Project, &Guards, &str),
    at: u64,
    connections: u32,
    meanwhile: impl Fn(&Fake) + Send + Sync,
) -> (Outcome, Vec<String>, Told) {
    fake.state().away = connections;
    fake.fail_at(Some((at, Fault::After)));
    let told = Mutex::new(Vec::new());
    let finished = Mutex::new(Vec::new());
    let tell = |event| match event {
        Event::Reconnecting { why } => {
            meanwhile(fake);
            told.lock().unwrap().push(why);
        }
        Event::Finished { id, verb, empty, .. } => finished.lock().unwrap().push((id, verb, empty)),
        _ => {}
    };
    let target = fixture::target(guards.clone());
    let context = super::Context { tell: &tell, ..with(fake, &target) };
    let outcome = run(&context, project, &fixture::request(text)).await;
    (outcome, told.into_inner().unwrap(), finished.into_inner().unwrap())
}

/// How many calls a run makes, the last of which gives the lock back.
async fn calls() -> u64 {
    let clean = Fake::new(true);
    super::command(&clean, &Guards::default(), &files(), "ff").await;
    clean.state().calls
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_away_for_a_failover_is_waited_for() {
    for at in 3..calls().await {
        let fake = Fake::new(true);
        let began = Instant::now();
        let (outcome, told, finished) = away(&fake, at, 15, |_| {}).await;
        assert_eq!(outcome.end, End::Done, "at {at}");
        assert_eq!(fake.state().log, ["A", "B", "C"], "at {at}: each once");
        let told_done: Vec<_> = finished.into_iter().map(|(id, verb, _)| (id, verb)).collect();
        assert_eq!(outcome.done, told_done, "at {at}: what is done is told, each once");
        // Told once, however often it is tried.
        assert_eq!(told, ["connection reset by peer", "connection refused"], "at {at}");
        assert!(began.elapsed() > Duration::from_secs(20), "at {at}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_stays_away_is_given_up_in_time() {
    let fake = Fake::new(true);
    let began = Instant::now();
    let (outcome, ..) = away(&fake, calls().await - 1, u32::MAX, |_| {}).await;
    assert_eq!(outcome.end, End::Access("connection refused; tried again for 30 s".into()));
    assert_eq!((outcome.exit_code(), outcome.next.as_str()), (8, OUT_OF_REACH));
    let took = began.elapsed();
    assert!(took >= RECONNECT_FOR && took < RECONNECT_FOR + Duration::from_secs(2), "{took:?}");
}

/// X2: who was away that long has lost the lock, and finds another run's name in the ledger.
#[tokio::test(start_paused = true)]
async fn a_lock_that_was_taken_meanwhile_is_not_taken_back() {
    let calls = calls().await;
    for at in 5..calls - 1 {
        let fake = Fake::new(true);
        let (outcome, ..) = away(&fake, at, 15, |fake| {
            let mut state = fake.state();
            if let Some(run) = state.kept.ledger.run.take() {
                let thief = RunRow { run: "thief".into(), ..run };
                state.kept.ledger.run = Some(thief.clone());
                state.lock = Some((0, thief));
            }
        })
        .await;
        assert_eq!(outcome.exit_code(), 4, "at {at}: {outcome:?}");
        assert!(fake.state().log.len() < 3 || at == calls - 2, "at {at}: {:?}", fake.state().log);
    }
}

/// L5, G9: what was confirmed goes on after a lost answer, and empty phases that rode along with the unit are told as in a run without one.
#[tokio::test(start_paused = true)]
async fn a_confirmed_run_goes_on_after_a_lost_answer() {
    let steps = ["a add:A rollback_add:", "b add:B drop:X rollback_add:-B", "c add:C drop:Y rollback_add:-C"];
    let project = project(&[("v1", &steps)]);
    let guards = fixture::guards("protected: true");
    let cases: [(&[&str], &str); 3] =
        [(&["add v1", "simdrop v1"], "drop v1"), (&[], "ff --contract"), (&["add v1"], "rollback_add v1")];
    for (before, text) in cases {
        let ready = || async {
            let fake = Fake::new(true);
            for before in before {
                assert_eq!(command(&fake, &guards, &project, before).await.exit_code(), 0, "{before}");
            }
            fake.fail_at(None);
            fake
        };
        let clean = ready().await;
        let what = (&project, &guards, text);
        let (outcome, _, finished) = lossy(&clean, what, 0, 0, |_| {}).await;
        assert_eq!((&outcome.end, outcome.done.len()), (&End::Done, finished.len()), "{text}");
        assert!(finished.iter().any(|(.., empty)| *empty), "{text} has no empty phase");
        let calls = clean.state().calls;
        for at in 2..calls {
            let fake = ready().await;
            let (lost, _, told) = lossy(&fake, what, at, 0, |_| {}).await;
            assert_eq!((lost.end, lost.done), (outcome.end.clone(), outcome.done.clone()), "{text} at {at}");
            assert_eq!(told, finished, "{text} at {at}");
            assert_eq!(states(&fake), states(&clean), "{text} at {at}");
            assert_eq!(fake.state().log, clean.state().log, "{text} at {at}: each once");
        }
    }
}
