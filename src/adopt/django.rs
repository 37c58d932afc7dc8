//! Django: migrations are Python programs of several apps, and `django_migrations` names those that are applied. Their SQL is what
//! `manage.py sqlmigrate` prints, their order what `manage.py showmigrations --plan` prints. It keeps no checksums.

use super::{Adopted, Body, Draft, DraftStep, Given, Tool, text};
use crate::model::{Class, Dialect};
use std::collections::BTreeSet;

/// The tool.
pub(super) struct Django;

/// What `sqlmigrate` prints where an operation is Python code.
const NOT_SQL: &str = "-- THIS OPERATION CANNOT BE WRITTEN AS SQL";

/// How to print all that is needed.
const PRINT: &str = "print them into the folder that --from names: manage.py showmigrations --plan > plan.txt; then for each APP.NAME in \
                     it: manage.py sqlmigrate APP NAME > APP.NAME.sql and, for the way back, manage.py sqlmigrate APP NAME --backwards > \
                     APP.NAME.down.sql; no file where that fails";

impl Tool for Django {
    fn name(&self) -> &'static str {
        "django"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["django-sql"]
    }

    fn table(&self) -> &'static str {
        "django_migrations"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        text::select(dialect, table, &["app", "name"], "id")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let Some(plan) = given.folder.get("plan.txt").and_then(|bytes| adopted.text("plan.txt", bytes)) else {
            adopted.refuse(Class::Usage, "the folder has no plan.txt with Django's migrations in their order", PRINT);
            return adopted;
        };
        let mut applied: BTreeSet<String> = given
            .ledger
            .iter()
            .filter_map(|row| Some(format!("{}.{}", row.first()?.as_deref()?, row.get(1)?.as_deref()?)))
            .collect();
        let names: Vec<&str> = plan
            .lines()
            .filter_map(|line| line.trim().strip_prefix('[')?.split_once(']')?.1.split_whitespace().next())
            .collect();
        if names.is_empty() {
            adopted.refuse(Class::Usage, "plan.txt names no migration", PRINT);
        }
        let width = names.len().to_string().len();
        for (number, name) in names.iter().enumerate() {
            let Some(version) = adopted.version(&format!("{:0width$}", number + 1), name) else { continue };
            let up = match printed(given, &mut adopted, &format!("{name}.sql")) {
                Some(text) if text.contains(NOT_SQL) => {
                    Body::Lost { why: format!("migration {name} runs Python code that can't be had as SQL"), text }
                }
                Some(text) if text.trim().is_empty() => {
                    let why = format!("the SQL of migration {name} is an empty file, as where printing it failed");
                    Body::Lost { why, text: String::new() }
                }
                Some(text) => Body::Sql { text, alone: false },
                None => Body::Lost { why: format!("no SQL of migration {name} was printed"), text: String::new() },
            };
            let down = match printed(given, &mut adopted, &format!("{name}.down.sql")) {
                Some(text) if text.contains(NOT_SQL) => {
                    adopted.notes.push(format!("{name}: its way back is Python code; the step has no rollback_add"));
                    None
                }
                // What `sqlmigrate --backwards` leaves of a migration that can't be reversed. One that has nothing to do has comments.
                Some(text) if text.trim().is_empty() => {
                    adopted.notes.push(format!(
                        "{name}: its way back is an empty file, as where it can't be reversed; the step has no rollback_add"
                    ));
                    None
                }
                Some(text) => Some(Body::Sql { text, alone: false }),
                None => None,
            };
            let step = DraftStep::migration(name, up, down, applied.remove(*name));
            adopted.releases.push(Draft::one(version, text::words(name), &format!("{name}.sql"), step));
        }
        if !applied.is_empty() {
            let names = applied.into_iter().collect::<Vec<_>>().join(", ");
            adopted.notes.push(format!(
                "not in plan.txt, and left out: {names} (squashed since, or of apps that are no longer installed)"
            ));
        }
        adopted
    }
}

/// A printed file without the transaction around it.
fn printed(given: &Given<'_>, adopted: &mut Adopted, file: &str) -> Option<String> {
    let text = adopted.text(file, given.folder.get(file)?)?;
    Some(text::unwrapped(given.dialect, &text, false))
}
