//! The ledger's tables as objects of the target: their rows, and how much room they take.

use super::{Flavour, Rows, TextRow, table};
use crate::engine::Object;

/// Each table, and what it is for.
const TABLES: [(&str, &str); 4] = [
    (table::META, "the ledger's format, guards and rollouts"),
    (table::RUN, "the last run, and its lock's owner"),
    (table::LEDGER, "a row for each step, with its stored handlers"),
    (table::HISTORY, "the audit trail"),
];

impl Rows {
    /// Asks for each table's rows and bytes, in one statement. Fails with "no such table" where there is no ledger.
    pub fn objects_query(&self) -> String {
        let count = |(name, _): &(&str, &str)| {
            format!(
                "SELECT {}, {}, {}",
                self.flavour.text(&self.literal(name)),
                self.flavour.text(&format!("(SELECT count(*) FROM {})", self.table(name))),
                self.bytes(name)
            )
        };
        TABLES.iter().map(count).collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// Reads the answer to [`Rows::objects_query`].
    pub fn objects(&self, answer: &[TextRow]) -> Vec<Object> {
        let number = |cell: Option<&Option<String>>| cell.and_then(Option::as_deref).and_then(|text| text.parse().ok());
        TABLES
            .iter()
            .filter_map(|(name, what)| {
                let row = answer.iter().find(|row| row.first().and_then(Option::as_deref) == Some(*name))?;
                Some(Object {
                    kind: "table",
                    name: self.table(name),
                    what: (*what).into(),
                    rows: number(row.get(1)),
                    bytes: number(row.get(2)),
                })
            })
            .collect()
    }

    /// A table's bytes with its indexes, as text. SQLite can only tell by reading every page.
    fn bytes(&self, name: &str) -> String {
        match self.flavour {
            Flavour::Postgres => {
                let table = self.literal(&self.table(name));
                format!("CAST(pg_catalog.pg_total_relation_size(CAST({table} AS regclass)) AS text)")
            }
            Flavour::Mysql => format!(
                "(SELECT CAST(data_length + index_length AS char) FROM information_schema.tables \
                 WHERE CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', table_name, '`') = {})",
                self.literal(&self.table(name))
            ),
            Flavour::Sqlite => "CAST(NULL AS text)".to_owned(),
        }
    }
}
