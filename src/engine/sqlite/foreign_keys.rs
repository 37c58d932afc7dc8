//! `PRAGMA foreign_keys = …` in a handler. SQLite ignores it inside a transaction, so it is taken out and run before (the procedure of
//! sqlite.org/lang_altertable.html, section 7), and the keys are checked before the commit where they were off.

use super::connect::{Cell, cells};
use crate::{action::Action, model::Dialect, sql};
use sqlx::SqliteConnection;

/// The pragma's query before a commit.
pub const CHECK: &str = "PRAGMA foreign_key_check";

/// What an action wants foreign keys to be, if that is what it is about.
pub fn wish(action: &Action) -> Option<bool> {
    match action {
        Action::Sql { text, .. } => sql::foreign_keys(Dialect::Sqlite, text),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
    }
}

/// What foreign keys are to be while a unit runs: off where they are off for any of its actions, as the handler has set them before it
/// (`setup`) or in it; else as the first wish has them.
pub fn of_unit(setup: &[String], actions: &[Action]) -> Option<bool> {
    let before = setup.iter().filter_map(|text| sql::foreign_keys(Dialect::Sqlite, text)).next_back();
    let mut now = before;
    for action in actions {
        match wish(action) {
            Some(on) => now = Some(on),
            None if now == Some(false) => return now,
            None => {}
        }
    }
    before.or_else(|| actions.iter().find_map(wish))
}

/// Rows whose parent is missing, in words; `None` where there are none.
pub async fn violations(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    /// More are counted, not named.
    const SHOWN: usize = 5;
    let rows = cells(connection, CHECK).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut named: Vec<String> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            let name = |at: usize| match row.get(at) {
                Some(Cell::Text(text)) => text.clone(),
                Some(other) => other.shown(),
                None => String::new(),
            };
            match row.get(1) {
                // A table WITHOUT ROWID has none to show.
                Some(Cell::Null) | None => format!("a row of `{}` has no parent in `{}`", name(0), name(2)),
                Some(_) => format!("`{}` rowid {} has no parent in `{}`", name(0), name(1), name(2)),
            }
        })
        .collect();
    if rows.len() > SHOWN {
        named.push(format!("{} more", rows.len() - SHOWN));
    }
    Ok(Some(format!("foreign keys are violated after the handler: {}", named.join("; "))))
}
