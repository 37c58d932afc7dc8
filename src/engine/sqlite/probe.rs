//! Whether an action has been applied (rule L4).

use super::{
    connect::{cells, execute},
    failure,
};
use crate::{action::Action, engine::Failure, ledger::Verdict, model::Dialect, sql};
use sqlx::SqliteConnection;

/// Asks the action's `done_when`, or tells by what kind of statement it is. A connection that is `read_only` stays so.
///
/// # Errors
/// [`Failure::Handler`] where `done_when` fails.
pub async fn ask(connection: &mut SqliteConnection, action: &Action, read_only: bool) -> Result<Verdict, Failure> {
    match action {
        Action::Sql { done_when: Some(query), .. } => done(connection, query, read_only).await,
        Action::Sql { text, done_when: None, .. } if repeatable(text) => Ok(Verdict::Not),
        // A query changes nothing.
        Action::Expect { .. } => Ok(Verdict::Not),
        Action::Sql { .. } | Action::Shell { .. } | Action::Operation { .. } => Ok(Verdict::Unknown),
    }
}

async fn done(connection: &mut SqliteConnection, query: &str, read_only: bool) -> Result<Verdict, Failure> {
    let fail = |error: sqlx::Error| match failure::action(0, error) {
        Failure::Handler { at, why } => Failure::Handler { at, why: why.context(format!("done_when `{query}`")) },
        other => other,
    };
    // A question must not change what it asks about.
    execute(connection, "PRAGMA query_only = ON").await.map_err(fail)?;
    let answer = cells(connection, query).await;
    let back = if read_only { Ok(()) } else { execute(connection, "PRAGMA query_only = OFF").await };
    let answer = answer.map_err(fail)?;
    back.map_err(fail)?;
    match answer.as_slice() {
        [row] if row.len() == 1 && row[0].is_true() => Ok(Verdict::Applied),
        _ => Ok(Verdict::Not),
    }
}

/// Statements that may be run again without harm.
fn repeatable(text: &str) -> bool {
    let text = sql::canonical(Dialect::Sqlite, text);
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["VACUUM", "PRAGMA", "ANALYZE", "REINDEX"].iter().any(|known| word.eq_ignore_ascii_case(known))
}
