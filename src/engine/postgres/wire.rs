//! One connection, by the simple query protocol only: several statements in a text, no prepared ones, values as text. So a
//! transaction-mode pooler serves it as well as a server does, and a transaction costs one round trip.

use super::{
    super::{
        sent::sent,
        silent::no_answer,
        wire::{self, Given},
    },
    error::Broken,
};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use std::time::Duration;

/// A connection.
pub(super) struct Wire {
    connection: PgConnection,
    /// How long a text of ours may take.
    limit: Duration,
    /// It did not answer in time: whatever comes now would be the answer to something else.
    silent: bool,
}

impl Wire {
    pub(super) const fn new(connection: PgConnection, limit: Duration) -> Self {
        Self { connection, limit, silent: false }
    }

    /// Sends statements in one round trip and gives what each returned, at most `keep` rows of each. An author's text takes as long as it
    /// takes.
    pub(super) async fn few(&mut self, text: String, keep: usize) -> Result<Vec<Given>, Broken> {
        if self.silent {
            return Err(Broken { results: Vec::new(), cause: no_answer(self.limit) });
        }
        sent(&text);
        // Nothing of a caller's is ever spliced into a text but through `sql::ident` and `sql::literal`, or is a handler's own SQL.
        let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.connection);
        wire::read(answers, keep, |row, index| row.try_get_unchecked(index))
            .await
            .map_err(|(results, cause)| Broken { results, cause })
    }

    /// Sends statements of ours in one round trip and gives all that each returned. A server that does not answer in time counts as gone.
    pub(super) async fn all(&mut self, text: String) -> Result<Vec<Given>, Broken> {
        let limit = self.limit;
        match tokio::time::timeout(limit, self.few(text, usize::MAX)).await {
            Ok(given) => given,
            Err(_) => {
                self.silent = true;
                Err(Broken { results: Vec::new(), cause: no_answer(limit) })
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        wire::close(self.connection).await;
    }
}
