//! Alembic: revisions are Python programs that name what they come after and depend on, and `alembic_version` has the newest of them. Their SQL
//! is what `alembic upgrade head --sql` and `alembic downgrade head:base --sql` print. It keeps no checksums.

mod revisions;

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::{
    model::{Class, Dialect},
    sql,
};
use revisions::{Revision, revisions};
use std::collections::{BTreeMap, BTreeSet};

/// The tool.
pub(super) struct Alembic;

impl Tool for Alembic {
    fn name(&self) -> &'static str {
        "alembic"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["alembic/versions", "migrations/versions"]
    }

    fn table(&self) -> &'static str {
        "alembic_version"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        text::select(dialect, table, &["version_num"], "version_num")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let revisions = revisions(given.folder, &mut adopted);
        let (ups, downs, printed) = sections(given);
        if printed.is_empty() {
            adopted.refuse(
                Class::Usage,
                "no SQL of Alembic's was given",
                "print it, and name the files with --sql: alembic upgrade head --sql > up.sql; alembic downgrade head:base --sql > down.sql",
            );
            return adopted;
        }
        for id in printed.iter().filter(|id| !revisions.contains_key(*id)) {
            adopted.refuse(
                Class::Usage,
                format!("SQL of revision {id} was printed, and no file of the folder is that revision"),
                "name the folder of all revisions with --from",
            );
        }
        let applied = applied(given, &revisions, &mut adopted);
        let order = order(&revisions, &printed);
        let width = order.len().to_string().len();
        for (number, id) in order.iter().enumerate() {
            let Some(revision) = revisions.get(*id) else { continue };
            let version = format!("{:0width$}-{id}", number + 1);
            let Some(version) = adopted.version(&version, revision.path) else { continue };
            let up = match ups.get(*id) {
                Some(text) => Body::Sql { text: text.clone(), alone: false },
                None => Body::Lost {
                    why: format!("revision {id} ({}) is Python, and no SQL of it was printed", revision.title),
                    text: String::new(),
                },
            };
            let down = downs.get(*id).map(|text| Body::Sql { text: text.clone(), alone: false });
            let down = adopted.way_back(given.dialect, revision.path, &up, down);
            let name = text::base(revision.path).trim_end_matches(".py");
            let step = DraftStep::migration(name, up, down, applied.contains(*id));
            adopted.releases.push(Draft::one(version, revision.title.clone(), revision.path, step));
        }
        adopted
    }
}

/// The printed SQL by revision, up and down, and the order of the way up.
fn sections(given: &Given<'_>) -> (BTreeMap<String, String>, BTreeMap<String, String>, Vec<String>) {
    let (mut ups, mut downs, mut order) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for bytes in given.printed.values() {
        let text = String::from_utf8_lossy(bytes);
        let mut open: Option<(bool, String, String)> = None;
        for line in text.split_inclusive('\n').chain(["-- Running end -> "]) {
            let Some(rest) = line.strip_prefix("-- Running ") else {
                if let Some((_, _, body)) = &mut open {
                    body.push_str(line);
                }
                continue;
            };
            if let Some((up, id, body)) = open.take() {
                let body = cleaned(given, &body);
                if up {
                    ups.insert(id, body)
                } else {
                    downs.insert(id, body)
                };
            }
            let (way, revisions) = rest.split_once(' ').unwrap_or_default();
            let Some((from, to)) = revisions.split_once("->") else { continue };
            match way {
                "upgrade" => {
                    order.push(to.trim().to_owned());
                    open = Some((true, to.trim().to_owned(), String::new()));
                }
                "downgrade" => open = Some((false, from.trim().to_owned(), String::new())),
                _ => {}
            }
        }
    }
    (ups, downs, order)
}

/// A section without the transaction around it and Alembic's own ledger.
fn cleaned(given: &Given<'_>, section: &str) -> String {
    let dialect = given.dialect;
    let text = text::unwrapped(dialect, section, true);
    let Ok(statements) = sql::split(dialect, &text) else { return text };
    let own = |text: &str| {
        let canonical = sql::canonical(dialect, text);
        let mut words = canonical.split(' ').map(|word| word.trim_matches(['"', '`']));
        let heads: &[&str] = match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "INSERT" => &["INTO"],
            "DELETE" => &["FROM"],
            "CREATE" | "DROP" => &["TABLE"],
            "UPDATE" => &[],
            _ => return false,
        };
        let headed = heads.iter().all(|head| words.next().is_some_and(|word| word.eq_ignore_ascii_case(head)));
        let first = words.next().unwrap_or_default();
        // A schema may stand before the name, its dot a word of its own.
        let name = match words.next() {
            Some(".") => words.next().unwrap_or_default(),
            Some(_) | None => first.rsplit('.').next().unwrap_or(first),
        };
        headed && name.trim_matches(['"', '`']) == given.table
    };
    statements.iter().filter(|s| !own(&s.text)).map(|s| format!("{};\n", s.text)).collect::<Vec<_>>().join("\n")
}

/// The heads in the ledger, and all they come after or depend on.
fn applied(given: &Given<'_>, revisions: &BTreeMap<String, Revision<'_>>, adopted: &mut Adopted) -> BTreeSet<String> {
    let mut applied = BTreeSet::new();
    let mut open: Vec<String> = given.ledger.iter().filter_map(|row| row.first().cloned().flatten()).collect();
    for head in open.iter().filter(|head| !revisions.contains_key(*head)) {
        adopted.refuse(
            Class::Drift,
            format!("Alembic's ledger is at revision {head}, which no file of the folder is"),
            "name the folder of all revisions with --from, or take the checkout that has it",
        );
    }
    while let Some(id) = open.pop() {
        if let Some(revision) = revisions.get(&id).filter(|_| !applied.contains(&id)) {
            open.extend(revision.before.iter().cloned());
            applied.insert(id);
        }
    }
    applied
}

/// As printed; what was not printed, after all that it comes after.
fn order<'a>(revisions: &'a BTreeMap<String, Revision<'_>>, printed: &'a [String]) -> Vec<&'a str> {
    fn place<'a>(id: &'a str, revisions: &'a BTreeMap<String, Revision<'_>>, order: &mut Vec<&'a str>, depth: usize) {
        // Deeper than there are revisions is a circle.
        if order.contains(&id) || depth > revisions.len() {
            return;
        }
        let Some(revision) = revisions.get(id) else { return };
        for earlier in &revision.before {
            place(earlier, revisions, order, depth + 1);
        }
        order.push(id);
    }
    let mut order = Vec::new();
    for id in printed.iter().chain(revisions.keys()) {
        place(id, revisions, &mut order, 0);
    }
    order
}
