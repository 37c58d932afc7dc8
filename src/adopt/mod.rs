//! Other tools' migrations as releases, and their ledgers as marks (`import`). A file a tool. Pure: the folder's files and the ledger's
//! rows come in as values; what is wrong is a finding, and nothing is written where there is any.

mod alembic;
mod dbmate;
pub mod delta_migrations;
mod django;
mod flyway;
mod golang_migrate;
pub mod mysql;
mod pygrate;
mod python;
pub mod schema;
mod sqlx;
mod text;
mod write;

pub use write::{files, is_same};

use crate::{
    engine::rows::TextRow,
    model::{Class, Dialect, Finding, Phase, StepId, Verb, Version},
    plan::Mark,
};
use std::collections::BTreeMap;

/// A folder's files: paths relative to it, with `/`, and their bytes, since checksums are over bytes.
pub type Folder = BTreeMap<String, Vec<u8>>;

/// A migration tool that triphase adopts from.
pub trait Tool: Sync {
    /// Its name, as typed after `import`.
    fn name(&self) -> &'static str;
    /// Where its files usually lie, relative to the project folder.
    fn folders(&self) -> &'static [&'static str];
    /// The table it keeps its ledger in, unless told otherwise.
    fn table(&self) -> &'static str;
    /// The query whose rows [`Tool::read`] reads. `table` is a qualified, quoted name.
    fn query(&self, dialect: Dialect, table: &str) -> String;
    /// Reads its files and its ledger.
    fn read(&self, given: &Given<'_>) -> Adopted;
}

/// What a tool is read from.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Whose SQL it is.
    pub dialect: Dialect,
    /// The migrations' folder.
    pub folder: &'a Folder,
    /// The SQL that the tool printed, where its migrations are programs (`--sql`).
    pub printed: &'a Folder,
    /// The name of its ledger's table, without schema.
    pub table: &'a str,
    /// The rows that its query gave.
    pub ledger: &'a [TextRow],
    /// What Flyway's placeholders stand for (`--placeholder`).
    pub placeholders: &'a BTreeMap<String, String>,
}

/// What a tool's files and ledger come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adopted {
    /// Releases to write, in the order they run.
    pub releases: Vec<Draft>,
    /// What a person should know, a line each.
    pub notes: Vec<String>,
    /// What refuses.
    pub findings: Vec<Finding>,
}

/// A release to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its version.
    pub version: Version,
    /// What it is for.
    pub description: String,
    /// The file it was made from.
    pub from: String,
    /// In the order they run.
    pub steps: Vec<DraftStep>,
}

/// A step to write, and how far the other tool says it is.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftStep {
    /// Its name, unique in the project, and its id where that is another.
    pub name: String,
    /// Its persistent identity, where that is not its name.
    pub id: Option<String>,
    /// What it does. A verb that is missing has no handler.
    pub handlers: BTreeMap<Verb, Body>,
    /// How far each phase is, by [`Phase::index`].
    pub phases: [Done; 3],
}

/// How far a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Not yet.
    No,
    /// Done.
    Yes,
    /// Done, and rolled back.
    Back,
}

/// A handler to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// SQL.
    Sql {
        /// The text. One without a statement becomes "nothing here".
        text: String,
        /// Its statements can't be in a transaction.
        alone: bool,
    },
    /// A file for the database's own client.
    Shell {
        /// The text.
        text: String,
    },
    /// What can't be had as SQL: the handler says so, and refuses to run.
    Lost {
        /// What is lost, and where it is.
        why: String,
        /// The part of it that is SQL.
        text: String,
    },
}

impl DraftStep {
    /// A migration as most tools have it: all done, or not at all, with or without a way back.
    fn migration(name: &str, up: Body, down: Option<Body>, applied: bool) -> Self {
        let mut handlers = BTreeMap::from([(Verb::Add, up)]);
        if let Some(down) = down {
            handlers.insert(Verb::RollbackAdd, down);
        }
        let done = if applied { Done::Yes } else { Done::No };
        Self { name: name.to_owned(), id: None, handlers, phases: [done; 3] }
    }
}

impl Draft {
    /// A release of one migration.
    fn one(version: Version, description: String, from: &str, step: DraftStep) -> Self {
        Self { version, description, from: from.to_owned(), steps: vec![step] }
    }
}

impl Adopted {
    /// What the ledger is to be marked with: release by release, phase by phase, as a run would have done it.
    pub fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        for draft in &self.releases {
            for phase in Phase::ALL {
                for step in &draft.steps {
                    let rolled_back = match step.phases[phase.index()] {
                        Done::No => continue,
                        Done::Yes => false,
                        Done::Back => true,
                    };
                    let id = step.id.as_ref().unwrap_or(&step.name);
                    marks.push(Mark { step: StepId::new(draft.version.clone(), id), phase: *phase, rolled_back });
                }
            }
        }
        marks
    }

    /// Refuses what the tool itself would not tell apart: two files of one version would be written as one release.
    fn unique(&mut self) {
        let mut files: BTreeMap<&Version, &str> = BTreeMap::new();
        let mut doubled = Vec::new();
        for draft in &self.releases {
            if let Some(first) = files.insert(&draft.version, &draft.from) {
                doubled.push(format!("{first} and {} are both version {}", draft.from, draft.version));
            }
        }
        for message in doubled {
            self.refuse(Class::Usage, message, "give one of them another version");
        }
    }

    /// The way back, unless it has no statement where the way up has some. Tools make such files by themselves, so an empty one says no more
    /// than none; a rollback of nothing would say that it was done.
    fn way_back(&mut self, dialect: Dialect, file: &str, up: &Body, down: Option<Body>) -> Option<Body> {
        let nothing = |body: &Body| match body {
            Body::Sql { text, .. } => text::is_empty(dialect, text),
            Body::Shell { .. } | Body::Lost { .. } => false,
        };
        let down = down?;
        if nothing(&down) && !nothing(up) {
            self.notes.push(format!("{file}: its way back has no statement; the step has no rollback_add"));
            return None;
        }
        Some(down)
    }

    fn refuse(&mut self, class: Class, message: impl Into<String>, way_out: impl Into<String>) {
        self.findings.push(Finding::new(class, "", message).way_out(way_out));
    }

    /// A version made of another tool's.
    fn version(&mut self, text: &str, file: &str) -> Option<Version> {
        match Version::parse(&format!("v{text}")) {
            Ok(version) => Some(version),
            Err(why) => {
                self.refuse(Class::Usage, format!("{file}: {why}"), "give the migration a numeric version");
                None
            }
        }
    }

    /// A file's text.
    fn text(&mut self, file: &str, bytes: &[u8]) -> Option<String> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => {
                self.refuse(Class::Usage, format!("{file} is no UTF-8 text"), "save it as UTF-8");
                None
            }
        }
    }
}

/// Reads a tool's files and ledger. Whatever refuses is a finding, and so is a folder without a migration.
pub fn read(tool: &dyn Tool, given: &Given<'_>) -> Adopted {
    let mut adopted = tool.read(given);
    adopted.unique();
    if adopted.findings.is_empty() && adopted.releases.is_empty() {
        adopted.refuse(Class::Usage, format!("the folder has no migration of {}", tool.name()), "name it with --from");
    }
    adopted
}

/// The tools.
pub static TOOLS: &[&dyn Tool] = &[
    &alembic::Alembic,
    &dbmate::Dbmate,
    &django::Django,
    &flyway::Flyway,
    &golang_migrate::GolangMigrate,
    &pygrate::Pygrate,
    &sqlx::Sqlx,
];

/// A tool by its name.
pub fn tool(name: &str) -> Option<&'static dyn Tool> {
    TOOLS.iter().copied().find(|tool| tool.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What importing these files, none of which has run, is refused with.
    fn refused(tool: &dyn Tool, files: &[&str]) -> Vec<String> {
        let folder = files.iter().map(|path| ((*path).to_owned(), b"-- migrate:up\nSELECT 1;\n".to_vec())).collect();
        let (printed, placeholders) = Default::default();
        let given = Given {
            dialect: Dialect::Sqlite,
            folder: &folder,
            printed: &printed,
            table: tool.table(),
            ledger: &[],
            placeholders: &placeholders,
        };
        read(tool, &given).findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn two_files_of_one_version_are_refused() {
        let said = ["1_a.sql and 1_b.sql are both version v1".to_owned()];
        assert_eq!(refused(&dbmate::Dbmate, &["1_a.sql", "1_b.sql", "2_c.sql"]), said);
        assert_eq!(refused(&sqlx::Sqlx, &["1_a.sql", "1_b.sql", "2_c.sql"]), said);
    }

    #[test]
    fn repeatable_migrations_alone_are_named() {
        let said = refused(&flyway::Flyway, &["R__view.sql"]);
        assert!(said[0].starts_with("R__view.sql is repeatable"), "{said:?}");
    }
}
