//! Alembic: revisions are Python programs that name what they come after and depend on, and `alembic_version` has the newest of them. Their SQL
//! is what `alembic upgrade heads --sql` and `alembic downgrade REVISION:base --sql` print. It keeps no checksums.

mod printed;
mod revisions;

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::model::{Class, Dialect};
use printed::{Printed, Section};
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
        let printed = Printed::of(given);
        if printed.order.is_empty() {
            adopted.refuse(
                Class::Usage,
                "no SQL of Alembic's was given",
                "print it, and name the files with --sql: alembic upgrade heads --sql > up.sql; for each line of alembic heads: alembic downgrade \
                 REVISION:base --sql >> down.sql",
            );
            return adopted;
        }
        for id in printed.order.iter().filter(|id| !revisions.contains_key(*id)) {
            adopted.refuse(
                Class::Usage,
                format!("SQL of revision {id} was printed, and no file of the folder is that revision"),
                "name the folder of all revisions with --from",
            );
        }
        let applied = applied(given, &revisions, &mut adopted);
        let order = order(&revisions, &printed.order);
        let width = order.len().to_string().len();
        let (mut lost, mut one_way) = (Vec::new(), Vec::new());
        for (number, id) in order.iter().enumerate() {
            let Some(revision) = revisions.get(*id) else { continue };
            let version = format!("{:0width$}-{id}", number + 1);
            let Some(version) = adopted.version(&version, revision.path) else { continue };
            let up = printed.ups.get(*id);
            if !matches!(up, Some(Section::Whole(_))) {
                lost.push(*id);
            }
            let up = way_up(id, &revision.title, up);
            let down = match printed.downs.get(*id) {
                Some(Section::Whole(text)) => Some(Body::Sql { text: text.clone(), alone: false }),
                Some(Section::Broken) | None => {
                    one_way.push(*id);
                    None
                }
            };
            let down = adopted.way_back(given.dialect, revision.path, &up, down);
            let name = text::base(revision.path).trim_end_matches(".py");
            let step = DraftStep::migration(name, up, down, applied.contains(*id));
            adopted.releases.push(Draft::one(version, revision.title.clone(), revision.path, step));
        }
        for (which, what, so) in [
            (lost, "SQL was not printed, or not to its end", "their steps refuse to run"),
            (one_way, "way back was not printed, or not to its end", "their steps have no rollback_add"),
        ] {
            if !which.is_empty() {
                adopted.notes.push(format!("revisions whose {what}: {}; {so}", which.join(", ")));
            }
        }
        adopted
    }
}

/// The way up, or that it can't be had: a part of it would be taken for all.
fn way_up(id: &str, title: &str, printed: Option<&Section>) -> Body {
    let why = match printed {
        Some(Section::Whole(text)) => return Body::Sql { text: text.clone(), alone: false },
        Some(Section::Broken) => "its SQL breaks off where Alembic stopped printing",
        None => "no SQL of it was printed",
    };
    Body::Lost { why: format!("revision {id} ({title}) is Python, and {why}"), text: String::new() }
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
