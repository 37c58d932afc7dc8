//! sqlx: `<version>_<description>.sql`, or `.up.sql` and `.down.sql`, and `_sqlx_migrations` with a SHA-384 of each file that ran.

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::{
    model::{Class, Dialect},
    sql,
};
use sha2::{Digest as _, Sha384};
use std::collections::BTreeMap;

/// The tool.
pub(super) struct Sqlx;

/// What its ledger says of a version.
struct Row {
    checksum: String,
    success: bool,
}

impl Tool for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["migrations"]
    }

    fn table(&self) -> &'static str {
        "_sqlx_migrations"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        let checksum = sql::ident(dialect, "checksum");
        let hex = match dialect {
            Dialect::Postgres => format!("encode({checksum}, 'hex')"),
            Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => format!("hex({checksum})"),
        };
        let (version, success) = (text::column(dialect, "version"), text::column(dialect, "success"));
        format!("SELECT {version}, {success}, {hex} FROM {table} ORDER BY {}", sql::ident(dialect, "version"))
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
        for row in given.ledger {
            let cell = |n: usize| row.get(n).and_then(Option::as_deref);
            let Some(version) = cell(0).and_then(|text| text.parse().ok()) else { continue };
            let checksum = cell(2).unwrap_or_default().to_ascii_lowercase();
            rows.insert(version, Row { checksum, success: text::truth(cell(1)) });
        }
        let downs: BTreeMap<i64, (&str, &[u8])> = given
            .folder
            .iter()
            .filter_map(|(path, bytes)| {
                let (version, rest) = named(text::base(path))?;
                rest.ends_with(".down.sql").then_some((version, (path.as_str(), bytes.as_slice())))
            })
            .collect();
        for (path, bytes) in given.folder {
            let Some((number, rest)) = named(text::base(path)).filter(|(_, rest)| !rest.ends_with(".down.sql")) else {
                continue;
            };
            let title = rest.trim_end_matches(".sql").trim_end_matches(".up");
            let row = rows.remove(&number);
            if let Some(row) = &row {
                check(&mut adopted, path, bytes, row);
            }
            let (Some(version), Some(up)) = (adopted.version(&number.to_string(), path), adopted.text(path, bytes))
            else {
                continue;
            };
            let up = body(given, up);
            let down = downs.get(&number).and_then(|(path, bytes)| Some((*path, adopted.text(path, bytes)?)));
            let down =
                down.and_then(|(path, down)| adopted.way_back(given.dialect, path, &up, Some(body(given, down))));
            let name = text::base(path).trim_end_matches(".sql").trim_end_matches(".up");
            let step = DraftStep::migration(name, up, down, row.is_some());
            adopted.releases.push(Draft::one(version, text::words(title), path, step));
        }
        for version in rows.into_keys() {
            adopted.refuse(
                Class::Drift,
                format!("sqlx's ledger has version {version}, and no file of the folder does"),
                "put the file back, or name its folder with --from",
            );
        }
        adopted.releases.sort_by(|a, b| a.version.cmp(&b.version));
        adopted
    }
}

/// sqlx runs a file that begins with this outside any transaction.
const NO_TRANSACTION: &str = "-- no-transaction";

fn body(given: &Given<'_>, text: String) -> Body {
    let alone = text.starts_with(NO_TRANSACTION);
    Body::Sql { text: text::unwrapped(given.dialect, &text, false), alone }
}

fn check(adopted: &mut Adopted, path: &str, bytes: &[u8], row: &Row) {
    if !row.success {
        adopted.refuse(
            Class::Decision,
            format!("sqlx's ledger has {path} as begun and not done"),
            "mend the database, run it to its end with sqlx, then import again",
        );
    }
    let now: String = Sha384::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if now != row.checksum {
        adopted.refuse(
            Class::Drift,
            format!("{path} was edited after sqlx ran it: its SHA-384 is not the ledger's"),
            "put the file back as it ran",
        );
    }
}

/// Version and the rest, of `<version>_<description>.sql`.
fn named(file: &str) -> Option<(i64, &str)> {
    let (version, rest) = file.split_once('_')?;
    rest.ends_with(".sql").then_some(())?;
    Some((version.parse().ok()?, rest))
}
