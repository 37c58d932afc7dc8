//! A target that goes away in the middle of a run: a failover is waited out, and no longer than that.

use super::{fixture, run, with};
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

/// Runs `ff` on a target whose answer to one call is lost, and that then refuses so many connections; with what is told of it, each time
/// after `meanwhile`, and what is told to be done.
async fn away(
    fake: &Fake,
    at: u64,
    connections: u32,
    meanwhile: impl Fn(&Fake) + Send + Sync,
) -> (Outcome, Vec<String>, Vec<(StepId, Verb)>) {
    fake.state().away = connections;
    fake.fail_at(Some((at, Fault::After)));
    let told = Mutex::new(Vec::new());
    let finished = Mutex::new(Vec::new());
    let tell = |event| match event {
        Event::Reconnecting { why } => {
            meanwhile(fake);
            told.lock().unwrap().push(why);
        }
        Event::Finished { id, verb, .. } => finished.lock().unwrap().push((id, verb)),
        _ => {}
    };
    let target = fixture::target(Guards::default());
    let context = super::Context { tell: &tell, ..with(fake, &target) };
    let outcome = run(&context, &files(), &fixture::request("ff")).await;
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
        assert_eq!(outcome.done, finished, "at {at}: what is done is told, each once");
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
