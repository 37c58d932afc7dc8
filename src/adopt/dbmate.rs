//! dbmate: `<version>_<name>.sql` with an up and a down part, and a table of the versions that are applied. It keeps no checksums.

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::model::{Class, Dialect};
use std::collections::BTreeSet;

/// The tool.
pub(super) struct Dbmate;

impl Tool for Dbmate {
    fn name(&self) -> &'static str {
        "dbmate"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["db/migrations"]
    }

    fn table(&self) -> &'static str {
        "schema_migrations"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        text::select(dialect, table, &["version"], "version")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let mut applied: BTreeSet<&str> = given.ledger.iter().filter_map(|row| row.first()?.as_deref()).collect();
        for (path, bytes) in given.folder.iter().filter(|(path, _)| path.ends_with(".sql")) {
            let file = text::base(path);
            let digits = file.len() - file.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (version, rest) = file.split_at(digits);
            let (Some(version), Some(text)) = (adopted.version(version, path), adopted.text(path, bytes)) else {
                continue;
            };
            let (up, down) = match parts(&text) {
                Ok(parts) => parts,
                Err(why) => {
                    adopted.refuse(Class::Usage, format!("{path}: {why}"), "dbmate would refuse it too: mend the file");
                    continue;
                }
            };
            let down = adopted.way_back(given.dialect, path, &up, down);
            let done = applied.remove(&file[..digits]);
            let name = file.trim_end_matches(".sql");
            let description = text::words(rest.trim_end_matches(".sql"));
            let step = DraftStep::migration(name, up, down, done);
            adopted.releases.push(Draft::one(version, description, path, step));
        }
        for version in applied {
            adopted.refuse(
                Class::Drift,
                format!("dbmate's ledger has `{version}`, and no file of the folder does"),
                "put the file back, or take the row out",
            );
        }
        adopted.releases.sort_by(|a, b| a.version.cmp(&b.version));
        adopted
    }
}

/// Cuts a file at its marks. What stands before `migrate:up` is comment by dbmate's rules.
fn parts(text: &str) -> Result<(Body, Option<Body>), String> {
    let mut up: Option<(String, bool)> = None;
    let mut down: Option<(String, bool)> = None;
    for line in text.split_inclusive('\n') {
        if let Some(options) = mark(line, "up") {
            if up.is_some() {
                return Err("`-- migrate:up` stands in it twice".to_owned());
            }
            up = Some((String::new(), options.contains("transaction:false")));
        } else if let Some(options) = mark(line, "down") {
            down = Some((String::new(), options.contains("transaction:false")));
        } else if let Some((body, _)) = down.as_mut().or(up.as_mut()) {
            body.push_str(line);
        }
    }
    let body = |(text, alone)| Body::Sql { text, alone };
    match up {
        Some(up) => Ok((body(up), down.map(body))),
        None => Err("it has no `-- migrate:up`".to_owned()),
    }
}

/// The options of `-- migrate:up …`, if the line is that.
fn mark<'l>(line: &'l str, which: &str) -> Option<&'l str> {
    let rest = line.trim().strip_prefix("--")?.trim_start().strip_prefix("migrate:")?.strip_prefix(which)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}
