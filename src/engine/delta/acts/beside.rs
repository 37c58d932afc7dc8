//! An older version of a table beside the newest one: where values are found again that the newest one has lost.

use super::{super::trouble::Trouble, checks::escaped, files, stage};
use crate::{model::Dialect, sql};
use deltalake::{DeltaTable, datafusion::prelude::SessionContext};
use std::{collections::BTreeSet, sync::Arc};

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

    /// The value of a row's like in the older version, NULL where it has none: an expression over what [`Beside::register`] gives. What is made of another
    /// version is told from it by its name.
    pub fn value(&self) -> String {
        sql::ident(Dialect::Delta, &format!("_tp_value_{}", self.table.version().unwrap_or_default()))
    }

    /// What a query over the newest version, `t`, selects from.
    fn from(&self) -> String {
        let alike = self
            .key
            .iter()
            .enumerate()
            .map(|(at, name)| format!("t.{} = {OLD}.{}", sql::ident(Dialect::Delta, name), self.key_column(at)));
        format!("t LEFT JOIN {OLD} ON {}", alike.collect::<Vec<_>>().join(" AND "))
    }

    /// The files of the newest version, by their keys, that the older one has too: their rows hold their own values.
    ///
    /// # Errors
    /// Where nothing is known of a table.
    pub fn held(&self, now: &DeltaTable) -> Result<Vec<String>, Trouble> {
        let old: BTreeSet<String> = files::live(&self.table, None)?.into_iter().map(|file| file.path).collect();
        let held = files::live(now, None)?.into_iter().filter(|file| old.contains(&file.path));
        Ok(held.map(|file| file.key).collect())
    }

    /// The older version's files, by their paths, that the newest one has not, or not with all their rows: where the values are that it has
    /// lost.
    fn gone(&self, now: &DeltaTable) -> Result<Vec<String>, Trouble> {
        let live = stage::keys(now)?;
        let gone = files::live(&self.table, None)?.into_iter().filter(|file| !live.contains(&file.key));
        Ok(gone.map(|file| file.path).collect())
    }

    fn key_column(&self, at: usize) -> String {
        sql::ident(Dialect::Delta, &format!("_tp_key_{at}"))
    }

    /// Gives a session what of the older version `now` has lost; and what a query over that, `t`, is to select from, the values beside its
    /// rows. Both sides are sorted, which spills, rather than one of them held.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn register(&self, context: &SessionContext, now: &DeltaTable) -> Result<String, Trouble> {
        let whole = format!("{OLD}_whole");
        let gone = self.gone(now)?;
        let provider = self.table.table_provider().with_session(Arc::new(context.state()));
        let provider = provider.with_file_paths(gone.iter().map(String::as_str).map(escaped)).await?;
        context.register_table(&*whole, provider)?;
        self.table.update_datafusion_session(&context.state())?;
        let column = sql::ident(Dialect::Delta, &self.column);
        let keys = self
            .key
            .iter()
            .enumerate()
            .map(|(at, name)| format!("{} AS {}", sql::ident(Dialect::Delta, name), self.key_column(at)));
        // A selection of no files is none.
        let some = if gone.is_empty() { "false" } else { "true" };
        let view = context
            .sql(&format!(
                "SELECT {}, {column} AS {} FROM {whole} WHERE {column} IS NOT NULL AND {some}",
                keys.collect::<Vec<_>>().join(", "),
                self.value()
            ))
            .await?;
        context.register_table(OLD, view.into_view())?;
        context.state_ref().write().config_mut().options_mut().optimizer.prefer_hash_join = false;
        Ok(self.from())
    }
}
