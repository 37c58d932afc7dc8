//! golang-migrate: `<version>_<title>.up.sql` and `.down.sql`, and a table with the one version that the database is at. It keeps no
//! checksums; a migration that failed leaves its version there, marked dirty.

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::model::{Class, Dialect};
use std::collections::BTreeMap;

/// The tool.
pub(super) struct GolangMigrate;

/// A migration's two files, as paths and bytes.
#[derive(Default)]
struct Pair<'a> {
    title: &'a str,
    up: Option<(&'a str, &'a [u8])>,
    down: Option<(&'a str, &'a [u8])>,
}

impl Tool for GolangMigrate {
    fn name(&self) -> &'static str {
        "golang-migrate"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["migrations", "db/migrations", "db/migration"]
    }

    fn table(&self) -> &'static str {
        "schema_migrations"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        text::select(dialect, table, &["version", "dirty"], "")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let mut at = None;
        for row in given.ledger {
            let version = row.first().cloned().flatten().unwrap_or_default();
            if text::truth(row.get(1).and_then(Option::as_deref)) {
                adopted.refuse(
                    Class::Decision,
                    format!("golang-migrate's ledger is dirty at version {version}: that migration failed half-way"),
                    "mend the database, say so with `migrate force`, then import again",
                );
            }
            at = version.parse::<u64>().ok();
        }
        let mut pairs: BTreeMap<u64, Pair<'_>> = BTreeMap::new();
        for (path, bytes) in given.folder {
            let Some((version, title, up)) = named(text::base(path)) else { continue };
            let pair = pairs.entry(version).or_default();
            let side = if up { &mut pair.up } else { &mut pair.down };
            if let Some((other, _)) = side.replace((path, bytes)) {
                adopted.refuse(Class::Usage, format!("{other} and {path} are one version"), "keep one of them");
            }
            pair.title = title;
        }
        if let Some(at) = at.filter(|at| !pairs.contains_key(at)) {
            adopted.refuse(
                Class::Drift,
                format!("golang-migrate's ledger is at version {at}, and no file of the folder has it"),
                "name the folder with --from, or put the file back",
            );
        }
        for (number, pair) in pairs {
            // A version with only one of the two is legal: the other way there is nothing to do.
            let Some((path, _)) = pair.up.or(pair.down) else { continue };
            let Some(version) = adopted.version(&number.to_string(), path) else { continue };
            let mut body = |file: Option<(&str, &[u8])>| {
                let (path, bytes) = file?;
                let text = adopted.text(path, bytes)?;
                Some(Body::Sql { text: text::unwrapped(given.dialect, &text, false), alone: false })
            };
            let up = body(pair.up).unwrap_or(Body::Sql { text: String::new(), alone: false });
            let down = body(pair.down);
            let down = adopted.way_back(given.dialect, pair.down.map_or(path, |(path, _)| path), &up, down);
            let name = text::base(path).trim_end_matches(".sql").trim_end_matches(".up").trim_end_matches(".down");
            let step = DraftStep::migration(name, up, down, at.is_some_and(|at| number <= at));
            adopted.releases.push(Draft::one(version, text::words(pair.title), path, step));
        }
        adopted
    }
}

/// Version, title and whether it is the way up, of `<version>_<title>.up.sql`.
fn named(file: &str) -> Option<(u64, &str, bool)> {
    let stem = file.strip_suffix(".sql")?;
    let (version, rest) = stem.split_once('_')?;
    let version = version.parse().ok()?;
    match (rest.strip_suffix(".up"), rest.strip_suffix(".down")) {
        (Some(title), _) => Some((version, title, true)),
        (None, Some(title)) => Some((version, title, false)),
        (None, None) => None,
    }
}
