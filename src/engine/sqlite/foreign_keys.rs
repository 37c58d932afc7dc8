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
        Action::Sql { text, .. } => wish_of(text),
        Action::Expect { .. } | Action::Shell { .. } => None,
    }
}

/// What foreign keys are to be while a unit runs: the first wish in it.
pub fn of_unit(actions: &[Action]) -> Option<bool> {
    actions.iter().find_map(wish)
}

fn wish_of(text: &str) -> Option<bool> {
    let text = sql::canonical(Dialect::Sqlite, text).to_ascii_lowercase();
    let words: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '`' | ';')).collect();
    let rest = words.strip_prefix("pragma")?;
    let rest = rest.strip_prefix("main.").unwrap_or(rest).strip_prefix("foreign_keys")?;
    let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')))?;
    match value {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pragma_is_told_from_others() {
        for (text, wish) in [
            ("PRAGMA foreign_keys=OFF", Some(false)),
            ("pragma foreign_keys = on", Some(true)),
            ("PRAGMA main.foreign_keys(0)", Some(false)),
            ("PRAGMA foreign_keys", None),
            ("PRAGMA foreign_key_check", None),
            ("PRAGMA defer_foreign_keys = ON", None),
            ("SELECT 'PRAGMA foreign_keys=OFF'", None),
        ] {
            assert_eq!(wish_of(text), wish, "{text}");
        }
    }
}
