//! The ledger's tables.

use super::{FORMAT, Rows, handler_column, phase_columns, table};
use crate::{
    ledger::Format,
    model::{Phase, Verb},
};

impl Rows {
    /// The tables and the format's row. Plain `CREATE TABLE`: half a ledger must not be taken for none.
    pub fn create(&self) -> Vec<String> {
        let key = self.flavour.key_type();
        let (time, text, state_type) = (self.flavour.time_type(), self.flavour.text_type(), self.flavour.state_type());
        let mut ledger = vec![("release", format!("{key} NOT NULL")), ("step", format!("{key} NOT NULL"))];
        ledger.push(("name", format!("{text} NOT NULL")));
        for &phase in Phase::ALL {
            let [state, at, detail] = phase_columns(phase);
            ledger.push((state, format!("{state_type} NOT NULL DEFAULT 'pending'")));
            ledger.push((at, time.to_owned()));
            ledger.push((detail, text.to_owned()));
        }
        ledger.extend(Verb::ALL.iter().map(|&verb| (handler_column(verb), text.to_owned())));
        vec![
            self.create_table(
                table::META,
                &[("key", format!("{key} NOT NULL PRIMARY KEY")), ("value", format!("{text} NOT NULL"))],
                None,
            ),
            self.create_table(
                table::RUN,
                &[
                    ("id", "integer NOT NULL PRIMARY KEY CHECK (id = 1)".to_owned()),
                    ("run_id", format!("{key} NOT NULL")),
                    ("who", format!("{text} NOT NULL")),
                    ("host", format!("{text} NOT NULL")),
                    ("pid", "bigint NOT NULL".to_owned()),
                    ("since", format!("{time} NOT NULL")),
                    ("command", format!("{text} NOT NULL")),
                    ("session", format!("{text} NOT NULL")),
                    ("epoch", "bigint NOT NULL DEFAULT 0".to_owned()),
                    ("lease_until", time.to_owned()),
                ],
                None,
            ),
            self.create_table(table::LEDGER, &ledger, Some(&["release", "step"])),
            self.create_table(
                table::HISTORY,
                &[
                    ("id", self.flavour.identity().to_owned()),
                    ("at", format!("{time} NOT NULL")),
                    ("run_id", format!("{text} NOT NULL")),
                    ("command", format!("{text} NOT NULL")),
                    ("who", format!("{text} NOT NULL")),
                    ("host", format!("{text} NOT NULL")),
                    ("tool", format!("{text} NOT NULL")),
                    ("release", format!("{key} NOT NULL")),
                    ("step", format!("{key} NOT NULL")),
                    ("verb", format!("{text} NOT NULL")),
                    ("statement", "integer".to_owned()),
                    ("hash", text.to_owned()),
                    ("outcome", format!("{text} NOT NULL")),
                    ("detail", text.to_owned()),
                ],
                None,
            ),
            self.insert(
                table::META,
                &[("key", self.literal(FORMAT)), ("value", self.literal(&Format::CURRENT.to_string()))],
            ),
        ]
    }

    fn create_table(&self, name: &str, columns: &[(&str, String)], key: Option<&[&str]>) -> String {
        let mut parts: Vec<String> =
            columns.iter().map(|(column, kind)| format!("{} {kind}", self.ident(column))).collect();
        let mut end = "";
        if let Some(key) = key {
            parts.push(format!("PRIMARY KEY ({})", self.idents(key.iter().copied())));
            end = self.flavour.by_key();
        }
        format!("{} {} ({}){end}", self.flavour.create(), self.table(name), parts.join(", "))
            + self.flavour.table_options()
    }
}
