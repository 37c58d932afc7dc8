//! Waits for the lock, by polling (rule X1): a waiter that queues in the server can deadlock with the work it waits for.

use super::Context;
use crate::{
    engine::{Failure, Held, Hold, Session, holder},
    event::{End, Event},
};
use std::time::{Duration, Instant};

/// The lock, had.
pub(super) struct Had<'a> {
    /// The way to write.
    pub hold: Box<dyn Hold + 'a>,
    /// Another run, or what a dead one left at work, had it at first: what was known before may be so no more. Who has only locked the
    /// ledger's table is none.
    pub waited: bool,
}

/// Takes the lock, or says how the wait ended: time is up (4), or a signal.
pub(super) async fn lock<'a>(
    context: &'a Context<'_>,
    session: &'a dyn Session,
) -> Result<Result<Had<'a>, End>, Failure> {
    let began = Instant::now();
    let (mut told, mut waited): (Option<Held>, bool) = (None, false);
    let mut pause = Duration::from_millis(20);
    loop {
        let held = match session.try_lock(&context.me).await {
            Ok(Ok(hold)) => return Ok(Ok(Had { hold, waited })),
            Ok(Err(held)) => {
                waited = true;
                seen_before(held, told.as_ref())
            }
            // Whoever has locked the ledger itself is waited for alike.
            Err(Failure::Busy(what)) => Held { by: None, what: format!("the ledger: {what}") },
            Err(failure) => return Err(failure),
        };
        if began.elapsed() >= context.wait_lock {
            let by = held.by.as_ref().map_or_else(String::new, |run| format!(", held by {}", holder(run)));
            let waited = humantime::format_duration(context.wait_lock);
            return Ok(Err(End::Busy(format!("waited {waited} for {}{by}", held.what))));
        }
        if told.as_ref().is_none_or(|told| says_more(&held, told)) {
            (context.tell)(Event::Waiting { by: held.by.clone(), what: held.what.clone() });
        }
        told = Some(held);
        tokio::select! {
            () = tokio::time::sleep(pause.min(context.wait_lock.saturating_sub(began.elapsed()))) => {}
            () = context.stop.pulled() => return Ok(Err(End::Interrupted(context.stop.signal().unwrap_or(2)))),
        }
        pause = (pause * 2).min(Duration::from_millis(500)).mul_f64(0.75 + fastrand::f64() / 2.0);
    }
}

/// Between two statements nothing shows what a run is at: what was seen last still says where it has come to.
fn seen_before(mut held: Held, before: Option<&Held>) -> Held {
    if let (Some(run), Some(before)) = (&mut held.by, before.and_then(|before| before.by.as_ref()))
        && run.run == before.run
        && run.at.is_none()
    {
        run.at.clone_from(&before.at);
    }
    held
}

/// Whether it is news: another holder, or for the first time what it is at. A line for each of its steps would be none.
fn says_more(held: &Held, told: &Held) -> bool {
    let who = |held: &Held| held.by.as_ref().map(|run| run.run.clone());
    let at = |held: &Held| held.by.as_ref().is_some_and(|run| run.at.is_some());
    (who(held), &held.what, at(held)) != (who(told), &told.what, at(told))
}

/// Does what traffic may keep it from, again and again, up to `lock_retry_for` (rule X5): reading the ledger, and writing the run's row.
pub(super) async fn patiently<T>(
    context: &Context<'_>,
    mut work: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(100);
    let mut told = false;
    loop {
        let what = match work().await {
            Err(Failure::Busy(what)) => what,
            other => return other,
        };
        if began.elapsed() + pause >= context.target.lock_retry_for.length() {
            let setting = &context.target.lock_retry_for;
            return Err(Failure::Busy(format!(
                "{what}; given up after `lock_retry_for: {setting}`, nothing is changed"
            )));
        }
        if !told {
            told = true;
            (context.tell)(Event::Waiting { by: None, what: format!("the ledger: {what}") });
        }
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            () = context.stop.pulled() => return Err(Failure::Stopped),
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::RunRow, model::Time};

    fn held(run: &str, at: Option<&str>) -> Held {
        let by = RunRow {
            run: run.into(),
            who: "ann@ci".into(),
            host: "ci".into(),
            pid: 7,
            since: Time(0),
            command: "triphase ff".into(),
            at: at.map(str::to_owned),
        };
        Held { by: Some(by), what: "the lock".into() }
    }

    #[test]
    fn who_waits_is_told_of_a_holder_and_of_its_first_step_and_no_more() {
        let (none, first, second) = (held("r1", None), held("r1", Some("add v1/a")), held("r1", Some("add v1/b")));
        assert!(says_more(&first, &none) && says_more(&held("r2", None), &none));
        assert!(!says_more(&none, &none) && !says_more(&second, &first));
        // Between two statements nothing shows it.
        assert_eq!(seen_before(none.clone(), Some(&first)), first);
        assert_eq!(seen_before(second.clone(), Some(&first)), second);
        assert_eq!(seen_before(held("r2", None), Some(&first)), held("r2", None));
        assert_eq!(seen_before(none.clone(), None), none);
    }
}
