//! One connection, by the simple query protocol only: several statements in a text, no prepared ones, values as text. So a
//! transaction-mode pooler serves it as well as a server does, and a transaction costs one round trip.

use super::{super::rows::TextRow, error::Broken};
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Either, PgConnection, Row as _, TypeInfo as _};

/// What one statement gave.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The rows that were kept.
    pub rows: Vec<TextRow>,
    /// How many there were.
    pub count: usize,
    /// The first column's type, where there was a row.
    pub kind: String,
}

impl Rows {
    /// A column of the first row.
    pub fn column(&self, index: usize) -> Option<&str> {
        self.rows.first()?.get(index)?.as_deref()
    }

    /// The first row's first column.
    pub fn first(&self) -> Option<&str> {
        self.column(0)
    }
}

/// A connection.
pub(super) struct Wire(PgConnection);

impl Wire {
    pub(super) const fn new(connection: PgConnection) -> Self {
        Self(connection)
    }

    /// Sends statements in one round trip and gives what each returned, at most `keep` rows of each.
    pub(super) async fn few(&mut self, text: String, keep: usize) -> Result<Vec<Rows>, Broken> {
        let mut results = Vec::new();
        let mut current = Rows::default();
        // Nothing of a caller's is ever spliced into a text but through `sql::ident` and `sql::literal`, or is a handler's own SQL.
        let mut stream = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.0);
        loop {
            match stream.try_next().await {
                Ok(Some(Either::Left(_))) => results.push(std::mem::take(&mut current)),
                Ok(Some(Either::Right(row))) => {
                    current.count += 1;
                    if current.rows.len() >= keep {
                        continue;
                    }
                    if let Some(column) = row.columns().first() {
                        column.type_info().name().clone_into(&mut current.kind);
                    }
                    let columns = (0..row.len()).map(|i| row.try_get_unchecked::<Option<String>, _>(i)).collect();
                    match columns {
                        Ok(columns) => current.rows.push(columns),
                        Err(cause) => return Err(Broken { results, cause }),
                    }
                }
                Ok(None) => return Ok(results),
                Err(cause) => return Err(Broken { results, cause }),
            }
        }
    }

    /// Sends statements in one round trip and gives all that each returned.
    pub(super) async fn all(&mut self, text: String) -> Result<Vec<Rows>, Broken> {
        self.few(text, usize::MAX).await
    }

    /// Says goodbye. What goes wrong with that is nobody's loss.
    pub(super) async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "closing a connection");
        }
    }
}
