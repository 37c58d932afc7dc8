//! A server that falls silent: its host is gone without a word, or what lies in between has forgotten the connection. Nothing ever says
//! so to who only waits, and so nothing is waited for without end. What takes no work must be answered in time; for the connection that
//! works, as long as it takes, the one that holds the lock is asked.

use super::wire::Trouble;
use crate::target::Connection;
use std::{io, time::Duration};

/// How long an answer may take where `connect_timeout` says nothing.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is asked whether the work goes on; more often where there is less patience.
const EVERY: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

/// How long connecting may take, and an answer that takes no work (`connect_timeout` of a URL, in seconds).
///
/// # Errors
/// Where that is no number.
pub(super) fn patience(to: &Connection) -> Result<Duration, String> {
    let Some(seconds) = to.query.get("connect_timeout") else { return Ok(PATIENCE) };
    let seconds = seconds.reveal().parse().map_err(|_| "`connect_timeout` is no number of seconds")?;
    // libpq: zero waits for ever, which a runner never should.
    Ok(if seconds == 0 { PATIENCE } else { Duration::from_secs(seconds) })
}

/// What stands for an answer that did not come.
pub(super) fn silence(why: String) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why))
}

/// The same after `limit`.
pub(super) fn no_answer(limit: Duration) -> sqlx::Error {
    silence(format!("no answer within {}", humantime::format_duration(limit)))
}

/// Waits for what was sent on the connection that works, however long that takes, and asks on the one that holds the lock now and then
/// whether it still does: `rests` says that the server has nothing more to do for it, for longer than `patience`.
///
/// # Errors
/// Where no answer can be expected any more, and why: the server has given it, or lost the session; or the lock's own connection is gone, and
/// with it whoever could say.
pub(super) async fn watched<T, E: Trouble, C: Future<Output = Result<bool, E>>>(
    patience: Duration,
    sent: impl Future<Output = T>,
    rests: impl Fn() -> C,
) -> Result<T, sqlx::Error> {
    tokio::pin!(sent);
    loop {
        tokio::select! {
            given = &mut sent => return Ok(given),
            () = tokio::time::sleep(patience.min(EVERY)) => {}
        }
        let said = tokio::select! {
            given = &mut sent => return Ok(given),
            said = rests() => said,
        };
        match said {
            Ok(false) => {}
            Ok(true) => {
                return Err(silence("the server is at work no more, and its answer did not come".to_owned()));
            }
            Err(broken) if broken.gone() => {
                return Err(silence(format!("the connection that holds the lock is lost: {}", broken.words())));
            }
            Err(broken) => tracing::debug!(why = broken.words(), "cannot ask whether the work goes on"),
        }
    }
}
