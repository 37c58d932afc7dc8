//! Whether a statement that commits by itself has been applied: what the catalogue says (rules L3, L4).

use super::{
    super::Failure,
    error::Broken,
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

/// An index that is built concurrently, and so is invalid where that was cut short.
pub(super) struct Index {
    name: String,
    table: Vec<String>,
}

/// The index that a statement builds concurrently, if it names one.
pub(super) fn created(text: &str) -> Option<Index> {
    match sql::index_concurrently(text)? {
        Concurrent::Create { name, table } => Some(Index { name: name?.pop()?, table }),
        Concurrent::Drop { .. } | Concurrent::Reindex { .. } | Concurrent::AddValue { .. } => None,
    }
}

/// Whether a statement builds or drops an index concurrently: cut short by a timeout, it leaves an invalid one behind.
pub(super) fn patient(text: &str) -> bool {
    match sql::index_concurrently(text) {
        Some(Concurrent::Create { .. } | Concurrent::Drop { .. } | Concurrent::Reindex { .. }) => true,
        Some(Concurrent::AddValue { .. }) | None => false,
    }
}

impl Index {
    fn query(&self, what: &str, condition: &str) -> String {
        format!(
            "SELECT {what} FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = to_regclass({}) AND c.relname = {} AND {}",
            literal(&quoted(&self.table)),
            literal(&self.name),
            condition
        )
    }

    /// A query for `head` and its qualified name, if a failed attempt left it invalid.
    pub(super) fn left_query(&self, head: &str) -> String {
        let name = format!("{} || quote_ident(n.nspname) || '.' || quote_ident(c.relname)", literal(head));
        self.query(&name, "NOT (i.indisvalid AND i.indisready)")
    }

    /// Its qualified name, if a failed attempt left it invalid.
    pub(super) async fn left(&self, pg: &Pg) -> Result<Option<String>, Failure> {
        pg.value(&self.left_query("")).await.map_err(|b| b.access("cannot look for an invalid index"))
    }

    /// A statement that fails unless the index is there and valid.
    pub(super) fn demand(&self) -> String {
        let found = self.query("1", "i.indisvalid AND i.indisready");
        let message = format!("index {} is not valid; drop it and build it again", self.name);
        super::text::demand(&format!("EXISTS ({found})"), &message, "P0001")
    }
}

/// Whether the action has been applied.
pub(super) async fn ask(pg: &Pg, action: &Action) -> Result<Verdict, Failure> {
    let (text, query) = match action {
        Action::Sql { done_when: Some(query), .. } => (None, query.clone()),
        // A query changes nothing.
        Action::Expect { .. } => return Ok(Verdict::Not),
        Action::Shell { .. } => return Ok(Verdict::Unknown),
        Action::Sql { text, done_when: None, .. } => match probe(text) {
            Ok(query) => (Some(text), query),
            Err(verdict) => return Ok(verdict),
        },
    };
    match pg.truth(&query).await {
        Ok(true) => Ok(Verdict::Applied),
        Ok(false) => Ok(Verdict::Not),
        Err(broken) => Err(unanswered(&broken, text, &query)),
    }
}

fn unanswered(broken: &Broken, text: Option<&String>, query: &str) -> Failure {
    match text {
        Some(text) => broken.access(&format!("cannot ask whether this was applied: {text}")),
        None if broken.gone() => broken.access("cannot ask done_when"),
        None => Failure::Handler { at: 0, why: anyhow!("{}", broken.words()).context(format!("done_when `{query}`")) },
    }
}

/// The query that is true once the statement has been applied; else what is known without one.
fn probe(text: &str) -> Result<String, Verdict> {
    match sql::index_concurrently(text) {
        Some(Concurrent::Create { .. }) => match created(text) {
            Some(index) => Ok(format!("SELECT EXISTS ({})", index.query("1", "i.indisvalid AND i.indisready"))),
            None => Err(Verdict::Unknown),
        },
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

fn quoted(name: &[String]) -> String {
    name.iter().map(|part| ident(part)).collect::<Vec<_>>().join(".")
}
