//! An older version of a table beside the newest one: where values are found again that the newest one has lost.

use super::super::trouble::Trouble;
use crate::{model::Dialect, sql};
use deltalake::{DeltaTable, datafusion::prelude::SessionContext};
use std::sync::Arc;

/// What the older version is called in a query.
const OLD: &str = "_tp_old";

/// A column of an older version, and what tells its rows apart.
#[derive(Debug)]
pub struct Beside {
    /// The version, opened.
    table: DeltaTable,
    column: String,
    key: Vec<String>,
}

impl Beside {
    /// The values of a column in a version that was opened. The key tells that version's rows apart.
    pub fn new(table: DeltaTable, column: &str, key: &[String]) -> Self {
        Self { table, column: column.to_owned(), key: key.to_vec() }
    }

    /// The value of a row's like in the older version, NULL where it has none: an expression over [`Beside::from`]. What is made of another
    /// version is told from it by its name.
    pub fn value(&self) -> String {
        sql::ident(Dialect::Delta, &format!("_tp_value_{}", self.table.version().unwrap_or_default()))
    }

    /// What a query over the newest version, `t`, selects from.
    pub fn from(&self) -> String {
        let alike = self
            .key
            .iter()
            .enumerate()
            .map(|(at, name)| format!("t.{} = {OLD}.{}", sql::ident(Dialect::Delta, name), self.key_column(at)));
        format!("t LEFT JOIN {OLD} ON {}", alike.collect::<Vec<_>>().join(" AND "))
    }

    fn key_column(&self, at: usize) -> String {
        sql::ident(Dialect::Delta, &format!("_tp_key_{at}"))
    }

    /// Gives a session the older version. Both sides are sorted, which spills, rather than one of them held.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn register(&self, context: &SessionContext) -> Result<(), Trouble> {
        let whole = format!("{OLD}_whole");
        let provider = self.table.table_provider().with_session(Arc::new(context.state())).await?;
        context.register_table(&*whole, provider)?;
        self.table.update_datafusion_session(&context.state())?;
        let column = sql::ident(Dialect::Delta, &self.column);
        let keys = self
            .key
            .iter()
            .enumerate()
            .map(|(at, name)| format!("{} AS {}", sql::ident(Dialect::Delta, name), self.key_column(at)));
        let view = context
            .sql(&format!(
                "SELECT {}, {column} AS {} FROM {whole} WHERE {column} IS NOT NULL",
                keys.collect::<Vec<_>>().join(", "),
                self.value()
            ))
            .await?;
        context.register_table(OLD, view.into_view())?;
        context.state_ref().write().config_mut().options_mut().optimizer.prefer_hash_join = false;
        Ok(())
    }
}
