//! One connection, by the text protocol only: nothing is prepared, so every statement that a client can send can be sent.

use super::{
    super::{
        sent::sent,
        silent::no_answer,
        wire::{self, Given},
    },
    error::Broken,
};
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};
use std::time::Duration;

/// A connection.
pub(super) struct Wire {
    connection: MySqlConnection,
    /// How long a text of ours may take; none where it may be work.
    limit: Option<Duration>,
    /// It did not answer in time: whatever comes now would be the answer to something else.
    silent: Option<Duration>,
}

impl Wire {
    pub(super) const fn new(connection: MySqlConnection, limit: Duration) -> Self {
        Self { connection, limit: Some(limit), silent: None }
    }

    /// For work: a commit or a rollback takes as long as what was done.
    pub(super) fn at_work(self) -> Self {
        Self { limit: None, ..self }
    }

    /// Sends statements of ours in one round trip and gives all that each returned.
    pub(super) async fn all(&mut self, statements: &[impl AsRef<str>]) -> Result<Vec<Given>, Broken> {
        // On a line of its own: a statement may end in a comment.
        let text = statements.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n;\n");
        self.soon(text).await
    }

    /// Sends one statement of ours.
    pub(super) async fn one(&mut self, statement: &str) -> Result<Given, Broken> {
        Ok(self.soon(statement.to_owned()).await?.into_iter().next().unwrap_or_default())
    }

    /// Sends an author's query and keeps of its rows what tells whether it gave one true value.
    pub(super) async fn query(&mut self, query: &str) -> Result<Given, Broken> {
        Ok(self.send(query.to_owned(), 1).await?.into_iter().next().unwrap_or_default())
    }

    /// Sends an author's statement; its rows are nobody's business.
    pub(super) async fn run(&mut self, statement: &str) -> Result<(), Broken> {
        self.send(statement.to_owned(), 0).await.map(|_| ())
    }

    /// A server that does not answer in time counts as gone.
    async fn soon(&mut self, text: String) -> Result<Vec<Given>, Broken> {
        let Some(limit) = self.limit else { return self.send(text, usize::MAX).await };
        match tokio::time::timeout(limit, self.send(text, usize::MAX)).await {
            Ok(given) => given,
            Err(_) => {
                self.silent = Some(limit);
                Err(Broken(no_answer(limit)))
            }
        }
    }

    async fn send(&mut self, text: String, keep: usize) -> Result<Vec<Given>, Broken> {
        if let Some(limit) = self.silent {
            return Err(Broken(no_answer(limit)));
        }
        sent(&text);
        // Nothing of a caller's is ever spliced into a text but through `sql::ident` and `sql::literal`, or is a handler's own SQL.
        let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.connection);
        // A value that is no text is none that anybody here asks for.
        wire::read(answers, keep, |row, index| Ok(row.try_get_unchecked(index).ok().flatten()))
            .await
            .map_err(|(_, cause)| Broken(cause))
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        wire::close(self.connection).await;
    }
}

/// The one value that an answer must be, if it is true; else what it is.
pub(super) fn truth(given: &Given) -> Result<(), String> {
    /// What sqlx calls the types of numbers; `BOOLEAN` is one of them.
    const NUMBERS: [&str; 8] = ["BOOLEAN", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "DECIMAL", "FLOAT"];
    let value = given.only()?;
    let kind = given.kind.trim_end_matches(" UNSIGNED");
    let number = NUMBERS.contains(&kind) || kind == "DOUBLE";
    if number && value.parse::<f64>().is_ok_and(|n| n != 0.0) { Ok(()) } else { Err(value.to_owned()) }
}
