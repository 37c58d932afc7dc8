//! One connection, by the simple query protocol only: several statements in a text, no prepared ones, values as text. So a
//! transaction-mode pooler serves it as well as a server does, and a transaction costs one round trip.

use super::{
    super::wire::{self, Given},
    error::Broken,
};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

/// A connection.
pub(super) struct Wire(PgConnection);

impl Wire {
    pub(super) const fn new(connection: PgConnection) -> Self {
        Self(connection)
    }

    /// Sends statements in one round trip and gives what each returned, at most `keep` rows of each.
    pub(super) async fn few(&mut self, text: String, keep: usize) -> Result<Vec<Given>, Broken> {
        // Nothing of a caller's is ever spliced into a text but through `sql::ident` and `sql::literal`, or is a handler's own SQL.
        let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.0);
        wire::read(answers, keep, |row, index| row.try_get_unchecked(index))
            .await
            .map_err(|(results, cause)| Broken { results, cause })
    }

    /// Sends statements in one round trip and gives all that each returned.
    pub(super) async fn all(&mut self, text: String) -> Result<Vec<Given>, Broken> {
        self.few(text, usize::MAX).await
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        wire::close(self.0).await;
    }
}
