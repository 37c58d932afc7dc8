//! What the engines with servers share: answers as text, the one value of an `expect`, what a broken connection means, how a statement in
//! flight is cancelled, and whose sessions must be gone before the lock is given.

use super::{
    Failure, Held, Me, Stop,
    rows::{Rows, TextRow, table},
    silent::GOODBYE,
};
use crate::{
    ledger::{Event, Outcome, RunRow},
    model::{Class, Finding, Time},
};
use anyhow::anyhow;
use futures_util::{TryStream, TryStreamExt as _};
use sqlx::{Column as _, Connection, Either, Row, TypeInfo as _};
use std::time::Duration;

/// What one statement gave.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The rows that were kept.
    pub rows: Vec<TextRow>,
    /// How many there were.
    pub count: usize,
    /// The first column's type, where there was a row.
    pub kind: String,
}

impl Given {
    /// A column of the first row.
    pub fn column(&self, index: usize) -> Option<&str> {
        self.rows.first()?.get(index)?.as_deref()
    }

    /// The first row's first column.
    pub fn first(&self) -> Option<&str> {
        self.column(0)
    }

    /// The one value that an answer must be; else what it is.
    ///
    /// # Errors
    /// Where it is none, or more than one, or `NULL`.
    pub fn only(&self) -> Result<&str, String> {
        match (self.count, self.rows.first().map(Vec::as_slice)) {
            (1, Some([Some(value)])) => Ok(value),
            (1, Some([None])) => Err("NULL".to_owned()),
            (1, Some(columns)) => Err(format!("{} columns", columns.len())),
            (rows, _) => Err(format!("{rows} rows")),
        }
    }

    /// The moment that the clock gave.
    ///
    /// # Errors
    /// Where it gave none.
    pub fn time(&self) -> Result<Time, Failure> {
        self.first()
            .and_then(|text| text.parse().ok())
            .map(Time)
            .ok_or_else(|| Failure::Access(anyhow!("the server's clock can't be read")))
    }
}

/// What was asked right before the commit: the clock.
pub(super) fn clock(given: &[Given]) -> Result<Time, Failure> {
    match given {
        [.., clock, _] => clock.time(),
        _ => Err(Failure::Lost(anyhow!("the server's answer to a commit was cut short"))),
    }
}

/// Reads what each statement of a text returned, at most `keep` rows of each; `text` reads a column.
///
/// # Errors
/// What went wrong, and what the statements before that gave.
pub(super) async fn read<Q, R: Row>(
    mut answers: impl TryStream<Ok = Either<Q, R>, Error = sqlx::Error> + Unpin,
    keep: usize,
    text: impl Fn(&R, usize) -> Result<Option<String>, sqlx::Error>,
) -> Result<Vec<Given>, (Vec<Given>, sqlx::Error)> {
    let mut results = Vec::new();
    let mut current = Given::default();
    loop {
        match answers.try_next().await {
            Ok(Some(Either::Left(_))) => results.push(std::mem::take(&mut current)),
            Ok(Some(Either::Right(row))) => {
                current.count += 1;
                if current.rows.len() >= keep {
                    continue;
                }
                if let Some(column) = row.columns().first() {
                    column.type_info().name().clone_into(&mut current.kind);
                }
                match (0..row.len()).map(|index| text(&row, index)).collect() {
                    Ok(columns) => current.rows.push(columns),
                    Err(cause) => return Err((results, cause)),
                }
            }
            Ok(None) => return Ok(results),
            Err(cause) => return Err((results, cause)),
        }
    }
}

/// Says goodbye. What goes wrong with that is nobody's loss, and nobody waits for it for long.
pub(super) async fn close(connection: impl Connection) {
    match tokio::time::timeout(GOODBYE, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "closing a connection"),
        Err(_) => tracing::debug!("closing a connection: no answer"),
    }
}

/// A text of statements that stopped at one of them.
pub(super) trait Trouble {
    /// Whether the connection is gone, and with it the answer.
    fn gone(&self) -> bool;
    /// Whether traffic was in the way.
    fn busy(&self) -> bool;
    /// What the server said, in full; else the client's own words.
    fn words(&self) -> String;

    /// For a read of ours, or a write that has no action in it.
    fn access(&self, doing: &str) -> Failure {
        if self.gone() {
            Failure::Lost(anyhow!("{doing}: {}", self.words()))
        } else if self.busy() {
            Failure::Busy(format!("{doing}: {}", self.words()))
        } else {
            Failure::Access(anyhow!("{doing}: {}", self.words()))
        }
    }
}

/// Waits for what was sent. Once told to stop, cancels it, over and over: a cancel that comes between two statements is forgotten. Where
/// it can't be cancelled, it is waited for.
pub(super) async fn cancelled_by<T, E: Trouble, C: Future<Output = Result<(), E>>>(
    stop: &Stop,
    sent: impl Future<Output = T>,
    cancel: impl Fn() -> C,
) -> T {
    tokio::pin!(sent);
    tokio::select! {
        given = &mut sent => return given,
        () = stop.pulled() => {}
    }
    loop {
        if let Err(broken) = cancel().await {
            tracing::warn!(why = broken.words(), "cannot cancel the statement in flight");
            return sent.await;
        }
        tokio::select! {
            given = &mut sent => return given,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// What it means that something was done and its row could not be written: only the target can say so to whoever decides. `done`: what.
pub(super) fn unrecorded(done: &str, why: Failure) -> Failure {
    match why {
        lost @ Failure::Lost(_) => lost,
        why @ (Failure::Handler { .. }
        | Failure::Busy(_)
        | Failure::Fenced(_)
        | Failure::Access(_)
        | Failure::Stopped
        | Failure::Refused(_)) => Failure::Lost(anyhow!("{done} and could not be recorded: {why}")),
    }
}

/// The library's words without the place in its own source that it puts behind some of them.
pub(super) fn words(error: &sqlx::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (") {
        Some((words, place)) if place.starts_with("sqlx") && place.ends_with(')') => words.to_owned(),
        Some(_) | None => text,
    }
}

/// A comment before a text of statements that says what it is a part of: the server shows it to who waits (rule X1).
pub(super) fn note(at: Option<&str>) -> String {
    // A name could end the comment, or open another one in it.
    at.filter(|at| !at.contains('*')).map_or_else(String::new, |at| format!("/* {NOTE} {at} */ "))
}

/// What the comment of a text says that the server shows.
pub(super) fn noted(text: &str) -> Option<String> {
    let (at, _) = text.strip_prefix("/* ")?.strip_prefix(NOTE)?.split_once(" */")?;
    Some(at.trim().to_owned()).filter(|at| !at.is_empty())
}

/// Begins such comments.
const NOTE: &str = "triphase";

/// Who has the lock now, as far as the last run's row says so.
pub(super) fn fenced(me: &Me, last: Option<RunRow>) -> Failure {
    Failure::Fenced(last.filter(|run| run.run != me.run && !run.run.is_empty()).map(Box::new))
}

/// Whose sessions must be gone before the lock is given: those of our own earlier tries, and of the run that had it before.
pub(super) fn to_end<'a>(me: &'a Me, before: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    std::iter::once(me.run.as_str()).chain(before.filter(|run| *run != me.run))
}

/// What stands before the id of a run that the lock was taken away from, in place of its session.
const ENDED: &str = "ended ";

/// The id of the run that had the lock before, as far as its row and `session` in it say so: also of one that it was taken away from,
/// whose sessions nobody may have seen gone yet.
pub(super) fn had_before(run: &RunRow, session: &str) -> Option<String> {
    match run.run.as_str() {
        "" => session.strip_prefix(ENDED).map(str::to_owned),
        run => Some(run.to_owned()),
    }
}

/// Moves the run's row's count of takings on.
pub(super) fn next_epoch(rows: &Rows) -> String {
    format!("UPDATE {} SET epoch = epoch + 1, lease_until = NULL WHERE id = 1", rows.table(table::RUN))
}

/// What `unlock` says where nobody holds the lock. `left`: the statement of a dead run that is still at work.
pub(super) fn nobody(shown: &str, left: Option<&Held>) -> String {
    let left = left.map_or_else(String::new, |left| format!("; the next run ends {}", left.what));
    format!("nothing to do: no one holds the lock of {shown}{left}")
}

/// Refuses to end who holds the lock without being told to (rule X3).
pub(super) fn alive(who: &str) -> Failure {
    let finding = Finding::new(Class::Guard, "X3", format!("the lock's holder is alive: {who}"));
    Failure::Refused(Box::new(finding.way_out("wait for it, or end it: triphase unlock --force")))
}

/// Takes the lock's row away from a run: should it come back, it finds that the lock is not its own (X2).
pub(super) fn taken_away(rows: &Rows, run: &str) -> String {
    let (table, run_id, ended) = (rows.table(table::RUN), rows.literal(run), rows.literal(&format!("{ENDED}{run}")));
    let set = "epoch = epoch + 1, lease_until = NULL, run_id = ''";
    format!("UPDATE {table} SET session = {ended}, {set} WHERE id = 1 AND run_id = {run_id}")
}

/// Records what `unlock` has done.
pub(super) fn unlocked(rows: &Rows, me: &Me, done: &str) -> String {
    let event = Event {
        release: None,
        step: None,
        verb: "unlock".to_owned(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: Some(done.to_owned()),
    };
    rows.history(&event, me)
}
