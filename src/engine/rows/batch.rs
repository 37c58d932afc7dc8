//! Rows on their way into tables: those of one table and the same columns, one after the other, share a statement.

use super::Rows;
use std::collections::BTreeSet;

/// A row: columns and their values, as SQL.
pub(super) type Columns = Vec<(&'static str, String)>;

/// Statements, in order.
pub(super) struct Batch<'a> {
    rows: &'a Rows,
    statements: Vec<String>,
    open: Option<Insert>,
}

/// An insert that may get more rows.
struct Insert {
    table: &'static str,
    columns: Vec<&'static str>,
    text: String,
    /// What stands behind the rows.
    end: String,
    /// The keys it has: no statement may write a row twice.
    keys: BTreeSet<Vec<String>>,
}

/// How long a statement may grow, in bytes, before the next row begins another.
const LONG: usize = 64 << 10;

impl<'a> Batch<'a> {
    pub const fn new(rows: &'a Rows) -> Self {
        Self { rows, statements: Vec::new(), open: None }
    }

    /// A row, in place of the one with the same values of `key`, if there is one; with no key, beside all others.
    pub fn row(&mut self, table: &'static str, key: &'static [&'static str], columns: Columns) {
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let of = columns.iter().filter(|(name, _)| key.contains(name)).map(|(_, value)| value.clone()).collect();
        match &mut self.open {
            Some(open)
                if open.table == table
                    && open.columns == names
                    && open.text.len() < LONG
                    && (key.is_empty() || !open.keys.contains(&of)) =>
            {
                open.text.push_str(", ");
                open.text.push_str(&values(&columns));
                open.keys.insert(of);
            }
            _ => {
                self.close();
                let text = self.rows.insert(table, &columns);
                let end = if key.is_empty() { String::new() } else { self.rows.or_replace(key, &columns) };
                self.open = Some(Insert { table, columns: names, text, end, keys: BTreeSet::from([of]) });
            }
        }
    }

    /// Anything else.
    pub fn statement(&mut self, statement: String) {
        self.close();
        self.statements.push(statement);
    }

    /// All there is.
    pub fn end(mut self) -> Vec<String> {
        self.close();
        self.statements
    }

    fn close(&mut self) {
        if let Some(Insert { mut text, end, .. }) = self.open.take() {
            if !end.is_empty() {
                text.push(' ');
                text.push_str(&end);
            }
            self.statements.push(text);
        }
    }
}

/// A row's values, as they stand in an insert.
pub(super) fn values(columns: &[(&str, String)]) -> String {
    let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
    format!("({})", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn row(step: &str, value: &str) -> Columns {
        vec![("step", step.to_owned()), ("value", value.to_owned())]
    }

    #[test]
    fn rows_that_are_alike_share_a_statement_and_no_row_is_written_twice_in_one() {
        let rows = Rows::sqlite();
        let mut batch = Batch::new(&rows);
        for (step, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
            batch.row("t", &["step"], row(step, value));
        }
        batch.row("t", &["step"], vec![("step", "c".to_owned()), ("other", "4".to_owned())]);
        batch.statement("DELETE FROM t".to_owned());
        batch.row("h", &[], row("a", "5"));
        batch.row("h", &[], row("a", "5"));
        let upsert = "ON CONFLICT (\"step\") DO UPDATE SET \"value\" = excluded.\"value\"";
        assert_eq!(
            batch.end(),
            [
                format!("INSERT INTO main.\"t\" (\"step\", \"value\") VALUES (a, 1), (b, 2) {upsert}"),
                format!("INSERT INTO main.\"t\" (\"step\", \"value\") VALUES (a, 3) {upsert}"),
                "INSERT INTO main.\"t\" (\"step\", \"other\") VALUES (c, 4) \
                 ON CONFLICT (\"step\") DO UPDATE SET \"other\" = excluded.\"other\""
                    .to_owned(),
                "DELETE FROM t".to_owned(),
                "INSERT INTO main.\"h\" (\"step\", \"value\") VALUES (a, 5), (a, 5)".to_owned(),
            ]
        );
    }

    #[test]
    fn no_statement_grows_without_end() {
        let rows = Rows::sqlite();
        let mut batch = Batch::new(&rows);
        let long = format!("'{}'", "x".repeat(LONG / 2));
        for step in ["a", "b", "c", "d"] {
            batch.row("t", &["step"], row(step, &long));
        }
        assert_eq!(batch.end().len(), 2);
    }
}
