//! What the engines' tests share: who runs, what is committed, how a try for the lock ended, and waiting for a database to say something.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Failure, Held, Hold, Me, Session, Stop};
use crate::{
    action::Action,
    ledger::{Begin, Entry, Event, Outcome, PhaseRow, Unit},
    model::{Class, Guards, Phase, PhaseState, Span, StepId, Verb, Version},
    plan::tests::fixture,
    target::{Connection, Secret, Target},
};
use std::time::{Duration, Instant};

/// A first run's beginning.
pub(super) const CREATE: Begin = Begin { create: true, guards: None };
/// A later one's.
pub(super) const AGAIN: Begin = Begin { create: false, guards: None };
/// What a row of the audit trail says here: whatever a literal could get wrong.
pub(super) const DETAIL: &str = "it's \\ \"quoted\"; 🦀";

/// A database of the server whose URL is in an environment variable, with short waits.
pub(crate) fn on_server(variable: &str, scheme: &str, database: &str) -> Target {
    let Ok(text) = std::env::var(variable) else {
        panic!("{variable} is not set; run ./test, which starts the servers")
    };
    let url = url::Url::parse(&text).unwrap();
    let password = |text| Secret::new(percent_encoding::percent_decode_str(text).decode_utf8().unwrap());
    let connection = Connection {
        scheme: scheme.to_owned(),
        username: Some(url.username().to_owned()),
        password: url.password().map(password),
        host: url.host_str().map(str::to_owned),
        port: url.port(),
        database: database.to_owned(),
        ..Connection::default()
    };
    short_waits(connection)
}

/// A target that gives up soon.
pub(crate) fn short_waits(connection: Connection) -> Target {
    Target {
        env: None,
        connection,
        lock_timeout: Span::parse("200ms").unwrap(),
        lock_retry_for: Span::parse("1s").unwrap(),
        ..fixture::target(Guards::default())
    }
}

/// A name that no other database of the server has.
pub(crate) fn fresh_name() -> String {
    format!("t_{}", std::iter::repeat_with(fastrand::lowercase).take(16).collect::<String>())
}

/// Somebody. Sessions and named locks are the whole server's, so no two tests share a run's id.
pub(crate) fn me(letter: char) -> Me {
    let run = std::iter::once(letter).chain(std::iter::repeat_with(fastrand::alphanumeric)).take(26).collect();
    Me { run, who: format!("{letter}@host"), host: "host".into(), pid: 7, command: "triphase ff".into() }
}

/// The lock, which must be had.
pub(crate) fn had<'a>(tried: Result<Result<Box<dyn Hold + 'a>, Held>, Failure>) -> Box<dyn Hold + 'a> {
    match tried {
        Ok(Ok(hold)) => hold,
        Ok(Err(held)) => panic!("held: {held:?}"),
        Err(failure) => panic!("{failure}"),
    }
}

/// Who has the lock, which must not be had.
pub(super) fn busy(tried: Result<Result<Box<dyn Hold + '_>, Held>, Failure>) -> Held {
    match tried {
        Ok(Err(held)) => held,
        Ok(Ok(_)) => panic!("the lock was had"),
        Err(failure) => panic!("{failure}"),
    }
}

/// Why it failed, as it must.
pub(super) fn failed<T>(answer: Result<T, Failure>) -> Failure {
    match answer {
        Ok(_) => panic!("it did not fail"),
        Err(failure) => failure,
    }
}

/// A step of `v1`.
pub(super) fn step(name: &str) -> StepId {
    StepId::new(Version::parse("v1").unwrap(), name)
}

/// An event of a step of `v1`.
pub(super) fn event(name: &str) -> Event {
    Event {
        release: Some(Version::parse("v1").unwrap()),
        step: Some(name.into()),
        verb: Verb::Add.name().into(),
        statement: None,
        hash: None,
        outcome: Outcome::Done,
        detail: Some(DETAIL.into()),
    }
}

/// A step's `add` in a state.
pub(super) fn entry(name: &str, state: PhaseState) -> Entry {
    let row = PhaseRow { state, seq: 1, ..PhaseRow::pending() };
    let (id, event) = (step(name), event(name));
    Entry::Step { id, name: name.into(), phase: Phase::Add, row, marks: Vec::new(), keep: Default::default(), event }
}

/// A statement.
pub(super) fn sql(text: &str) -> Action {
    Action::Sql { text: text.into(), alone: false, done_when: None }
}

/// A statement that stands alone.
pub(super) fn lone(text: &str) -> Action {
    Action::Sql { text: text.into(), alone: true, done_when: None }
}

/// A query that must give a true value.
pub(super) fn expect(query: &str) -> Action {
    Action::Expect { query: query.into() }
}

/// Actions that end step `a`.
pub(super) fn unit(actions: Vec<Action>) -> Unit {
    Unit { actions, closes: vec![entry("a", PhaseState::Done)], ..Unit::default() }
}

/// A statement that stands alone, between the rows of step `a`.
pub(super) fn alone(text: &str) -> Unit {
    Unit { opens: vec![entry("a", PhaseState::Running)], ..unit(vec![lone(text)]) }
}

/// The ledger's word on step `a`.
pub(super) async fn state(session: &dyn Session) -> PhaseState {
    session.ledger().await.unwrap().steps[&step("a")].phase(Phase::Add).state
}

/// Two sessions of one place, and one of another place with a lock of its own: one at a time has the lock, and is named.
pub(super) async fn the_lock_is_one(session: &dyn Session, other: &dyn Session, elsewhere: &dyn Session) {
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    assert_eq!(busy(other.try_lock(&b).await).by, None, "who has not begun has written no name");
    hold.begin(&CREATE).await.unwrap();
    assert_eq!(busy(other.try_lock(&b).await).by.unwrap().run, a.run);
    had(elsewhere.try_lock(&b).await).release().await.unwrap();
    hold.release().await.unwrap();
    had(other.try_lock(&b).await).release().await.unwrap();
    assert!(other.evict(&b, false).await.unwrap().contains("no one holds"));
}

/// `unlock` refuses to end a live holder without force, and ends it with.
pub(super) async fn unlock_needs_force(session: &dyn Session, other: &dyn Session) {
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    let Failure::Refused(finding) = failed(other.evict(&b, false).await) else { panic!("not refused") };
    assert_eq!(finding.class, Class::Guard);
    assert!(finding.message.contains(&a.run), "{}", finding.message);
    assert!(other.evict(&b, true).await.unwrap().contains(&a.run));
    assert!(matches!(failed(hold.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await), Failure::Lost(_)));
    had(other.try_lock(&b).await).release().await.unwrap();
}

/// Waits for an event, looking again and again; a test that waits in vain fails by name instead of hanging.
pub(super) async fn until(what: &str, mut happens: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !happens().await {
        assert!(start.elapsed() < Duration::from_secs(120), "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
