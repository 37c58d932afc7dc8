//! A unit as one text: the lock, the fence, the actions, the ledger's rows and the COMMIT, sent in one message. What the answer to each
//! statement would have told, marks in the text tell ([`Reached`]).

use super::{foreign_keys, watch::Reached};
use crate::{action::Action, engine::rows::Rows, model::Dialect, sql};

/// The unit's text; none where an answer is looked at on the way (`expect`), where a setting comes before the transaction or may outlive
/// it, or where a statement may not end where its text does.
pub fn text(rows: &Rows, run: &str, actions: &[Action], entries: &[String]) -> Option<String> {
    let mut text = String::from("BEGIN IMMEDIATE;\n");
    push(&mut text, &fence(rows, run));
    for (at, action) in actions.iter().enumerate() {
        push(&mut text, &Reached::Action(at).mark()?);
        push(&mut text, plain(action)?);
    }
    push(&mut text, &Reached::Ledger.mark()?);
    for entry in entries {
        push(&mut text, entry);
    }
    text.push_str("COMMIT");
    Some(text)
}

/// A statement that fails as soon as `run` may not write: there is no positive number for this one
/// (sqlite.org/lang_corefunc.html#abs).
fn fence(rows: &Rows, run: &str) -> String {
    format!("SELECT CASE WHEN {} THEN 1 ELSE abs(-9223372036854775807 - 1) END", rows.fence(run))
}

/// An action's text, where it is one statement and no more, not even a comment behind it, and leaves settings alone.
fn plain(action: &Action) -> Option<&str> {
    match action {
        Action::Sql { text, alone: false, .. } => {
            let statements = sql::split(Dialect::Sqlite, text).ok()?;
            let one = matches!(statements.as_slice(), [one] if one.text == *text);
            (one && !sets(action) && foreign_keys::wish(action).is_none()).then_some(text)
        }
        Action::Sql { alone: true, .. } | Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => {
            None
        }
    }
}

/// Whether an action may change settings: SQLite's are all set by pragmas.
pub fn sets(action: &Action) -> bool {
    match action {
        Action::Sql { text, .. } | Action::Expect { query: text } => text.to_ascii_lowercase().contains("pragma"),
        Action::Shell { .. } | Action::Operation { .. } => false,
    }
}

/// Nothing comes between a statement and its end: of an index SQLite keeps all that stands before the `;`, blanks too.
fn push(text: &mut String, statement: &str) {
    text.push_str(statement);
    text.push_str(";\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        engine::{
            Me, Stop,
            sqlite::connect::{Link, Mode, Settings, execute, texts},
        },
        ledger::Begin,
        model::{Guards, Span},
        target::{Connection, Target},
    };
    use pretty_assertions::assert_eq;
    use std::sync::Arc;

    fn sql(text: &str) -> Action {
        Action::Sql { text: text.to_owned(), alone: false, done_when: None }
    }

    fn me(run: &str) -> Me {
        Me { run: run.into(), who: "ann".into(), host: "h".into(), pid: 1, command: "triphase add".into() }
    }

    /// A connection to a fresh file with a ledger of run `r1`, where foreign keys are enforced.
    async fn link(folder: &std::path::Path) -> Link {
        let mut link = Link::new(settings(folder).connect(Mode::Create).await.unwrap(), Arc::default()).await.unwrap();
        let begin = Rows::sqlite().begin(&Begin { create: true, guards: None }, &me("r1"), "s");
        execute(&mut link.connection, &begin.join(";")).await.unwrap();
        link
    }

    fn settings(folder: &std::path::Path) -> Settings {
        let target = Target {
            env: None,
            connection: Connection {
                scheme: "sqlite".into(),
                database: folder.join("t.db").to_str().unwrap().into(),
                ..Connection::default()
            },
            admin_connection: None,
            schema: None,
            guards: Guards::default(),
            lock_timeout: Span::parse("20ms").unwrap(),
            lock_retry_for: Span::parse("1s").unwrap(),
            binary: None,
            binary_args: Vec::new(),
            vars: indexmap::IndexMap::new(),
            storage_options: indexmap::IndexMap::new(),
            writers: None,
            rewriters: indexmap::IndexMap::new(),
            project: folder.to_owned(),
        };
        let mut settings = Settings::of(&target).unwrap();
        settings.foreign_keys = true;
        settings
    }

    async fn tables(link: &mut Link) -> usize {
        let query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'triphase_%'";
        texts(&mut link.connection, query).await.unwrap().len()
    }

    /// Run, actions, entries; how far they come, and SQLite's words.
    type Case<'a> = (&'a str, &'a [Action], &'a [String], Reached, &'a str);

    #[tokio::test]
    async fn a_text_says_how_far_it_came_and_leaves_nothing_where_it_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut link = link(folder.path()).await;
        let rows = Rows::sqlite();
        let table = [sql("CREATE TABLE a (id integer PRIMARY KEY)")];
        let child = "CREATE TABLE b (a integer REFERENCES a DEFERRABLE INITIALLY DEFERRED)";
        let nowhere = ["INSERT INTO nowhere VALUES (1)".to_owned()];
        let cases: [Case<'_>; 4] = [
            ("r2", &table, &[], Reached::Fence, "integer overflow"),
            ("r1", &[table[0].clone(), table[0].clone()], &[], Reached::Action(1), "table a already exists"),
            ("r1", &table, &nowhere, Reached::Ledger, "no such table: nowhere"),
            // What COMMIT looks at before it begins.
            (
                "r1",
                &[table[0].clone(), sql(child), sql("INSERT INTO b VALUES (1)")],
                &[],
                Reached::Ledger,
                "FOREIGN KEY constraint failed",
            ),
        ];
        for (run, actions, entries, reached, words) in cases {
            let text = text(&rows, run, actions, entries).unwrap();
            let halt = link.transact(text, &Stop::never()).await.unwrap_err();
            let error = halt.error.unwrap();
            assert_eq!((halt.reached, error.as_database_error().unwrap().message()), (reached, words));
            link.rollback().await;
            assert_eq!(tables(&mut link).await, 0, "{words}");
        }
        // A reader that stays keeps COMMIT waiting until it gives up; it takes the file before it calls its hook.
        let mut reader = settings(folder.path()).connect(Mode::Write).await.unwrap();
        execute(&mut reader, "BEGIN").await.unwrap();
        texts(&mut reader, "SELECT 1 FROM triphase_run").await.unwrap();
        let halt = link.transact(text(&rows, "r1", &table, &[]).unwrap(), &Stop::never()).await.unwrap_err();
        let words = halt.error.as_ref().and_then(|error| Some(error.as_database_error()?.message()));
        assert_eq!((halt.reached, words), (Reached::Ledger, Some("database is locked")));
        link.rollback().await;
        execute(&mut reader, "ROLLBACK").await.unwrap();
        assert_eq!(tables(&mut link).await, 0);

        link.transact(text(&rows, "r1", &table, &[]).unwrap(), &Stop::never()).await.unwrap();
        assert_eq!(tables(&mut link).await, 1);
    }

    #[tokio::test]
    async fn what_sqlite_keeps_of_a_statement_is_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut link = link(folder.path()).await;
        let index = "CREATE INDEX i ON triphase_run (who)";
        link.transact(text(&Rows::sqlite(), "r1", &[sql(index)], &[]).unwrap(), &Stop::never()).await.unwrap();
        let kept = texts(&mut link.connection, "SELECT sql FROM sqlite_master WHERE name = 'i'").await.unwrap();
        assert_eq!(kept, [[Some(index.to_owned())]]);
    }

    #[tokio::test]
    async fn a_text_that_swallows_its_commit_is_not_taken_for_committed() {
        let folder = tempfile::tempdir().unwrap();
        let mut link = link(folder.path()).await;
        let swallowed = "BEGIN IMMEDIATE; CREATE TABLE a (x) /* ; COMMIT";
        let halt = link.transact(swallowed.to_owned(), &Stop::never()).await.unwrap_err();
        assert!(halt.error.is_none());
        link.rollback().await;
        assert_eq!(tables(&mut link).await, 0);
    }

    #[test]
    fn what_needs_an_answer_or_sets_something_is_no_text() {
        let rows = Rows::sqlite();
        for action in [
            Action::Expect { query: "SELECT 1".into() },
            Action::Sql { text: "VACUUM".into(), alone: true, done_when: None },
            sql("PRAGMA foreign_keys = OFF"),
            sql("PRAGMA ignore_check_constraints = ON"),
            sql("CREATE TABLE a (x) /* not ended"),
            sql("CREATE TABLE a (x) -- to the line's end"),
            sql("CREATE TABLE a (x); COMMIT"),
        ] {
            assert_eq!(text(&rows, "r1", std::slice::from_ref(&action), &[]), None, "{action:?}");
        }
    }
}
