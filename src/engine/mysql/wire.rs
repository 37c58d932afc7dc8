//! One connection, by the text protocol only: nothing is prepared, so every statement that a client can send can be sent.

use super::{super::rows::TextRow, error::Broken};
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Either, MySqlConnection, Row as _, TypeInfo as _};

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
pub(super) struct Wire(MySqlConnection);

impl Wire {
    pub(super) const fn new(connection: MySqlConnection) -> Self {
        Self(connection)
    }

    /// Sends statements of ours in one round trip and gives all that each returned.
    pub(super) async fn all(&mut self, statements: &[impl AsRef<str>]) -> Result<Vec<Rows>, Broken> {
        // On a line of its own: a statement may end in a comment.
        let text = statements.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n;\n");
        self.send(text, usize::MAX).await
    }

    /// Sends one statement of ours.
    pub(super) async fn one(&mut self, statement: &str) -> Result<Rows, Broken> {
        Ok(self.send(statement.to_owned(), usize::MAX).await?.into_iter().next().unwrap_or_default())
    }

    /// Sends an author's query and keeps of its rows what tells whether it gave one true value.
    pub(super) async fn query(&mut self, query: &str) -> Result<Rows, Broken> {
        Ok(self.send(query.to_owned(), 1).await?.into_iter().next().unwrap_or_default())
    }

    /// Sends an author's statement; its rows are nobody's business.
    pub(super) async fn run(&mut self, statement: &str) -> Result<(), Broken> {
        self.send(statement.to_owned(), 0).await.map(|_| ())
    }

    async fn send(&mut self, text: String, keep: usize) -> Result<Vec<Rows>, Broken> {
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
                    // A value that is no text is none that anybody here asks for.
                    let text = |i| row.try_get_unchecked::<Option<String>, _>(i).ok().flatten();
                    current.rows.push((0..row.len()).map(text).collect());
                }
                Ok(None) => return Ok(results),
                Err(cause) => return Err(Broken(cause)),
            }
        }
    }

    /// Says goodbye. What goes wrong with that is nobody's loss.
    pub(super) async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "closing a connection");
        }
    }
}

/// The one value that an answer must be, if it is true; else what it is.
pub(super) fn truth(given: &Rows) -> Result<(), String> {
    /// What sqlx calls the types of numbers; `BOOLEAN` is one of them.
    const NUMBERS: [&str; 8] = ["BOOLEAN", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "DECIMAL", "FLOAT"];
    match (given.count, given.rows.first().map(Vec::as_slice)) {
        (1, Some([Some(value)])) => {
            let kind = given.kind.trim_end_matches(" UNSIGNED");
            let number = NUMBERS.contains(&kind) || kind == "DOUBLE";
            if number && value.parse::<f64>().is_ok_and(|n| n != 0.0) { Ok(()) } else { Err(value.clone()) }
        }
        (1, Some([None])) => Err("NULL".to_owned()),
        (1, Some(columns)) => Err(format!("{} columns", columns.len())),
        (rows, _) => Err(format!("{rows} rows")),
    }
}
