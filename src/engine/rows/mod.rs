//! The ledger as SQL text: its tables, what an [`Entry`](crate::ledger::Entry) becomes, and how answers are read back. Pure: an engine
//! sends the statements and hands over the answers, every column as text. What differs by dialect stands in `Flavour`.

mod batch;
mod create;
#[cfg(test)]
mod golden;
mod objects;
mod read;
mod upgrade;
mod whole;
mod write;

pub use read::{TextRow, WIDTH, handler};
pub use whole::{RESTORE, There};
pub use write::as_written;

use crate::{
    model::{Dialect, Phase, Time, Verb},
    sql,
};

/// The version that history rows name.
pub const TOOL: &str = env!("CARGO_PKG_VERSION");

/// The ledger's tables (rule L): what a person sees in the target.
pub(crate) mod table {
    /// Format, guards, rollouts: a row each.
    pub const META: &str = "triphase_meta";
    /// The last run: one row.
    pub const RUN: &str = "triphase_run";
    /// A row per release and step.
    pub const LEDGER: &str = "triphase_ledger";
    /// A row per event.
    pub const HISTORY: &str = "triphase_history";
    /// All of them.
    pub const ALL: [&str; 4] = [META, RUN, LEDGER, HISTORY];
}

/// The SQL of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    flavour: Flavour,
    prefix: String,
}

/// The dialects whose engines keep their ledger in SQL tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    Postgres,
    Sqlite,
    /// MySQL and MariaDB: the ledger's own SQL is the same on both.
    Mysql,
}

impl Rows {
    /// The ledger in a PostgreSQL schema (rule L9: names are always qualified).
    pub fn postgres(schema: &str) -> Self {
        Self { flavour: Flavour::Postgres, prefix: format!("{}.", sql::ident(Dialect::Postgres, schema)) }
    }

    /// The ledger in a SQLite file: its main database, whatever a handler has attached or made temporary.
    pub fn sqlite() -> Self {
        Self { flavour: Flavour::Sqlite, prefix: "main.".to_owned() }
    }

    /// The ledger in a MySQL or MariaDB database.
    pub fn mysql(database: &str) -> Self {
        Self { flavour: Flavour::Mysql, prefix: format!("{}.", sql::ident(Dialect::Mysql, database)) }
    }

    /// A table's qualified name.
    pub fn table(&self, name: &str) -> String {
        format!("{}{}", self.prefix, self.ident(name))
    }

    fn ident(&self, name: &str) -> String {
        sql::ident(self.flavour.dialect(), name)
    }

    fn idents<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> String {
        names.into_iter().map(|n| self.ident(n)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn literal(&self, text: &str) -> String {
        sql::literal(self.flavour.dialect(), text)
    }

    fn optional(&self, text: Option<&str>) -> String {
        text.map_or_else(|| "NULL".to_owned(), |t| self.literal(t))
    }
}

impl Flavour {
    const fn dialect(self) -> Dialect {
        match self {
            Self::Postgres => Dialect::Postgres,
            Self::Sqlite => Dialect::Sqlite,
            Self::Mysql => Dialect::Mysql,
        }
    }

    /// The type of texts that are compared: bytewise (rule L9).
    const fn key_type(self) -> &'static str {
        match self {
            Self::Postgres => "text COLLATE \"C\"",
            Self::Sqlite => "text COLLATE BINARY",
            // A key of two fits into InnoDB's 3072 bytes; strict mode refuses what is longer.
            Self::Mysql => "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// The type of texts of any length.
    const fn text_type(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "text",
            Self::Mysql => "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// The type of a phase's state: a short text with a default, which MySQL's long ones can't have.
    const fn state_type(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "text",
            Self::Mysql => "varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// What stands before a new table's name. DDL that commits by itself can leave half a ledger behind, which the next run completes.
    const fn create(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "CREATE TABLE",
            Self::Mysql => "CREATE TABLE IF NOT EXISTS",
        }
    }

    /// What stands after a new table's columns: whatever the database says, the ledger is transactional and utf8mb4 (rule L9).
    const fn table_options(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "",
            Self::Mysql => " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        }
    }

    /// A value as text.
    fn text(self, value: &str) -> String {
        match self {
            Self::Postgres | Self::Sqlite => format!("CAST({value} AS text)"),
            Self::Mysql => format!("CAST({value} AS char CHARACTER SET utf8mb4)"),
        }
    }

    /// Texts, one after the other.
    fn concat(self, parts: &[&str]) -> String {
        match self {
            Self::Postgres | Self::Sqlite => parts.join(" || "),
            Self::Mysql => format!("concat({})", parts.join(", ")),
        }
    }

    /// The end of an insert that replaces `columns` where a row with that key is there.
    fn on_conflict(self, key: &str, columns: &[String]) -> String {
        let set = |new: &dyn Fn(&String) -> String| {
            columns.iter().map(|column| format!("{column} = {}", new(column))).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Postgres | Self::Sqlite => {
                format!("ON CONFLICT ({key}) DO UPDATE SET {}", set(&|column| format!("excluded.{column}")))
            }
            Self::Mysql => format!("ON DUPLICATE KEY UPDATE {}", set(&|column| format!("VALUES({column})"))),
        }
    }

    /// A list of rows to look for.
    fn list(self, rows: &[String]) -> String {
        match self {
            // A list of values, not a chain of ORs: SQLite bounds the depth of an expression.
            Self::Postgres | Self::Sqlite => format!("(VALUES {})", rows.join(", ")),
            Self::Mysql => format!("({})", rows.join(", ")),
        }
    }

    /// The type of moments.
    const fn time_type(self) -> &'static str {
        match self {
            Self::Postgres => "timestamptz",
            Self::Sqlite => "text",
            // Always UTC, whatever the session's time zone.
            Self::Mysql => "datetime(6)",
        }
    }

    /// The type of history's primary key: it grows, and no number comes twice.
    const fn identity(self) -> &'static str {
        match self {
            Self::Postgres => "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            // Rows are never deleted, so the next number is a new one even without AUTOINCREMENT's table of numbers.
            Self::Sqlite => "integer PRIMARY KEY",
            Self::Mysql => "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
        }
    }

    /// The end of the ledger's own table: rows lie by their key, and there is no second tree to write beside them.
    const fn by_key(self) -> &'static str {
        match self {
            Self::Postgres | Self::Mysql => "",
            Self::Sqlite => " WITHOUT ROWID",
        }
    }

    /// The target's clock, as kept in a column of [`Flavour::time_type`].
    const fn clock(self) -> &'static str {
        match self {
            Self::Postgres => "clock_timestamp()",
            Self::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
            // The moment of the statement, on a replica too.
            Self::Mysql => "utc_timestamp(6)",
        }
    }

    /// The target's clock in microseconds since 1970, as a whole number.
    const fn micros(self) -> &'static str {
        match self {
            Self::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
            // Seconds and the three digits after them, each exact; julianday() is a float.
            Self::Sqlite => {
                "(CAST(strftime('%s', 'now') AS integer) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS integer) * 1000)"
            }
            // No time zone has a part in it, as it would in unix_timestamp().
            Self::Mysql => "timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(6))",
        }
    }

    /// A given moment, as kept in a column of [`Flavour::time_type`]; `None` where no calendar has it.
    fn moment(self, time: Time) -> Option<String> {
        let stamp = jiff::Timestamp::from_microsecond(time.0).ok()?;
        Some(match self {
            Self::Postgres => format!("CAST('{}' AS timestamptz)", stamp.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")),
            // As the clock writes it, unless there is more to say.
            Self::Sqlite if time.0 % 1000 == 0 => format!("'{}'", stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
            Self::Sqlite => format!("'{}'", stamp.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")),
            Self::Mysql => format!("CAST('{}' AS datetime(6))", stamp.strftime("%Y-%m-%d %H:%M:%S%.6f")),
        })
    }

    /// A column of [`Flavour::time_type`] as text that [`Flavour::read_time`] reads.
    fn show_time(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(CAST(extract(epoch FROM {column}) * 1000000 AS bigint) AS text)"),
            Self::Sqlite => column.to_owned(),
            Self::Mysql => self.text(&format!("timestampdiff(MICROSECOND, '1970-01-01 00:00:00', {column})")),
        }
    }

    /// Reads what [`Flavour::show_time`] shows.
    fn read_time(self, text: &str) -> Option<Time> {
        match self {
            Self::Postgres | Self::Mysql => text.parse().ok().map(Time),
            Self::Sqlite => text.parse::<jiff::Timestamp>().ok().map(|t| Time(t.as_microsecond())),
        }
    }

    /// The end of a query that keeps the row it found as it is until the transaction ends.
    const fn lock_row(self) -> &'static str {
        match self {
            Self::Postgres => " FOR SHARE",
            // A transaction that writes has the whole file.
            Self::Sqlite => "",
            // `FOR SHARE` is MySQL's alone.
            Self::Mysql => " LOCK IN SHARE MODE",
        }
    }
}

/// The columns of a phase: state, time, all else as JSON.
const fn phase_columns(phase: Phase) -> [&'static str; 3] {
    match phase {
        Phase::Add => ["add_state", "add_at", "add_detail"],
        Phase::Simdrop => ["simdrop_state", "simdrop_at", "simdrop_detail"],
        Phase::Drop => ["drop_state", "drop_at", "drop_detail"],
    }
}

/// The column of a stored handler.
const fn handler_column(verb: Verb) -> &'static str {
    match verb {
        Verb::Add => "h_add",
        Verb::Simdrop => "h_simdrop",
        Verb::Drop => "h_drop",
        Verb::RollbackSimdrop => "h_rollback_simdrop",
        Verb::RollbackAdd => "h_rollback_add",
    }
}

/// The key of the format's row in [`table::META`].
const FORMAT: &str = "format";
/// The key of the guards' row.
const GUARDS: &str = "guards";
/// What the keys of rollouts begin with.
const ROLLOUT: &str = "rollout/";
