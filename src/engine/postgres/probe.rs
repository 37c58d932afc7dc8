//! Whether a statement that commits by itself has been applied: what the catalogue says (rules L3, L4).

use super::{
    super::Failure,
    error::{Broken, Trouble as _},
    left::leaves,
    session::Pg,
    text::{ident, literal},
};
use crate::{
    action::Action,
    ledger::Verdict,
    model::Dialect,
    sql::{self, Concurrent},
};
use anyhow::anyhow;

/// Whether a statement works concurrently with traffic: cut short by a timeout, it leaves something half done behind.
pub(super) fn patient(text: &str) -> bool {
    match sql::index_concurrently(text) {
        Some(
            Concurrent::Create { .. }
            | Concurrent::Drop { .. }
            | Concurrent::Reindex { .. }
            | Concurrent::Detach { .. },
        ) => true,
        Some(Concurrent::AddValue { .. }) => false,
        None => finalizes(text),
    }
}

/// `ALTER TABLE … DETACH PARTITION … FINALIZE` ends what a concurrent one began, and is as patient.
fn finalizes(text: &str) -> bool {
    let canonical = sql::canonical(Dialect::Postgres, text).to_ascii_uppercase();
    canonical.starts_with("ALTER TABLE ")
        && canonical.contains(" DETACH PARTITION ")
        && canonical.ends_with(" FINALIZE")
}

/// Whether something could ever tell of the action.
pub(super) fn could_tell(action: &Action) -> bool {
    match action {
        Action::Sql { done_when: Some(_), .. } => true,
        Action::Sql { text, done_when: None, .. } => probe(text).is_ok(),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => false,
    }
}

/// Whether the action has been applied.
pub(super) async fn ask(pg: &Pg, action: &Action) -> Result<Verdict, Failure> {
    let (text, query) = match action {
        Action::Sql { done_when: Some(query), .. } => (None, query.clone()),
        // A query changes nothing.
        Action::Expect { .. } => return Ok(Verdict::Not),
        Action::Shell { .. } | Action::Operation { .. } => return Ok(Verdict::Unknown),
        Action::Sql { text, done_when: None, .. } => match probe(text) {
            Ok(query) => (Some(text), query),
            Err(verdict) => return Ok(verdict),
        },
    };
    match pg.truth(&query).await {
        Ok(true) => Ok(Verdict::Applied),
        Ok(false) => match text.and_then(|text| leaves(text)?.taken(true)) {
            // Something else has the name: whose it is, and what became of the statement, nobody here can tell.
            Some(query) => match pg.truth(&query).await {
                Ok(true) => Ok(Verdict::Unknown),
                Ok(false) => Ok(Verdict::Not),
                Err(broken) => Err(unanswered(&broken, text, &query)),
            },
            None => Ok(Verdict::Not),
        },
        Err(broken) => Err(unanswered(&broken, text, &query)),
    }
}

fn unanswered(broken: &Broken, text: Option<&String>, query: &str) -> Failure {
    match text {
        Some(text) => broken.access(&format!("cannot ask whether this was applied: {text}")),
        None if broken.gone() || broken.busy() => broken.access("cannot ask done_when"),
        None => Failure::Handler { at: 0, why: anyhow!("{}", broken.words()).context(format!("done_when `{query}`")) },
    }
}

/// The query that is true once the statement has been applied; else what is known without one.
fn probe(text: &str) -> Result<String, Verdict> {
    match sql::index_concurrently(text) {
        Some(Concurrent::Create { .. } | Concurrent::Detach { .. }) => {
            leaves(text).and_then(|leaves| leaves.applied()).ok_or(Verdict::Unknown)
        }
        Some(Concurrent::Drop { names }) => {
            let gone: Vec<String> =
                names.iter().map(|name| format!("to_regclass({}) IS NULL", literal(&quoted(name)))).collect();
            Ok(format!("SELECT {}", gone.join(" AND ")))
        }
        Some(Concurrent::AddValue { type_name, value }) => Ok(format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = to_regtype({}) AND enumlabel = {})",
            literal(&quoted(&type_name)),
            literal(&value)
        )),
        Some(Concurrent::Reindex { .. }) => Err(Verdict::Not),
        None if repeatable(text) => Err(Verdict::Not),
        None => Err(Verdict::Unknown),
    }
}

/// Statements that may be run again without harm.
fn repeatable(text: &str) -> bool {
    let canonical = sql::canonical(Dialect::Postgres, text);
    let word = canonical.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
    ["VACUUM", "ANALYZE", "ANALYSE", "REINDEX", "CHECKPOINT", "DISCARD", "CLUSTER"].contains(&word.as_str())
}

/// A qualified name as the server reads it back.
pub(super) fn quoted(name: &[String]) -> String {
    name.iter().map(|part| ident(part)).collect::<Vec<_>>().join(".")
}
