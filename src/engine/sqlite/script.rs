//! A run as a script for a bare `sqlite3 FILE < SCRIPT`. What a run looks at and decides, the script asks of a check constraint: the
//! shell stops at the first that fails.

use super::{connect::Settings, foreign_keys, session::unchanged};
use crate::{
    action::Action,
    engine::{Failure, Me, no_operation, rows::Rows},
    ledger::{Begin, Entry, Ledger, Unit},
    model::{Class, Dialect, Finding},
    sql,
    target::Target,
};
use std::fmt::Write as _;

/// The checks: a temporary table each, whose constraint's name is what the shell prints.
const CHECKS: [(&str, &str); 5] = [
    ("triphase_seen", "the ledger is not as it was when this script was made: make it again"),
    ("triphase_fence", "another run has the lock"),
    ("triphase_expect", "expect: not one row with one value, true or not zero"),
    (
        "triphase_orphans",
        "foreign keys are violated before the handler already: run it with triphase itself, which can tell what it brought",
    ),
    ("triphase_keys", "foreign keys are violated after the handler"),
];

/// Every row has its parent. What rows without one refer to can't be asked in one text for whatever table; so a script does not tell those
/// that a handler brought from those that were there, and lets a handler turn foreign keys off only where there are none.
const NO_ORPHANS: &str = "NOT EXISTS (SELECT 1 FROM pragma_foreign_key_check)";

/// Writes the script.
pub fn script(target: &Target, seen: &Ledger, begin: &Begin, units: &[Unit], me: &Me) -> Result<String, Finding> {
    let settings = Settings::of(target).map_err(|failure| match failure {
        Failure::Refused(finding) => *finding,
        other => Finding::new(Class::Usage, "T1", other.to_string()),
    })?;
    let mut script = Script { text: String::new(), rows: Rows::sqlite(), settings, me };
    script.head(seen, begin);
    for unit in units {
        script.unit(unit)?;
    }
    Ok(script.text)
}

struct Script<'a> {
    text: String,
    rows: Rows,
    settings: Settings,
    me: &'a Me,
}

impl Script<'_> {
    fn head(&mut self, seen: &Ledger, begin: &Begin) {
        self.comment(&format!("triphase {}: {}", crate::engine::rows::TOOL, self.me.command));
        self.comment(&format!("made by {}, for a bare sqlite3", self.me.who));
        self.text.push_str(".bail on\n");
        self.pragmas();
        for (table, words) in CHECKS {
            let name = sql::ident(Dialect::Sqlite, words);
            // A NULL would pass a plain CHECK.
            self.statement(&format!(
                "CREATE TEMP TABLE {table} (ok CONSTRAINT {name} CHECK (typeof(ok) IN ('integer', 'real') AND ok <> 0))"
            ));
        }
        self.statement("BEGIN IMMEDIATE");
        self.check("triphase_seen", &unchanged(&self.rows, seen));
        // The process that runs the script is the shell, whose id is not known here.
        for statement in self.rows.begin(begin, self.me, "script") {
            self.statement(&statement);
        }
        self.statement("COMMIT");
    }

    fn unit(&mut self, unit: &Unit) -> Result<(), Finding> {
        if !unit.opens.is_empty() {
            self.entries(&unit.opens);
        }
        for note in &unit.notes {
            self.comment(note);
        }
        for setting in &unit.setup {
            self.statement(&sql::for_sqlite3(setting));
        }
        match unit.actions.as_slice() {
            [action] if action.alone() => {
                self.check("triphase_fence", &self.rows.fence(&self.me.run));
                self.action(action)?;
                self.entries(&unit.closes);
            }
            actions => {
                let wish = foreign_keys::of_unit(&unit.setup, actions);
                if let Some(on) = wish {
                    self.statement(&format!("PRAGMA foreign_keys = {}", if on { "ON" } else { "OFF" }));
                }
                self.statement("BEGIN IMMEDIATE");
                self.check("triphase_fence", &self.rows.fence(&self.me.run));
                if wish == Some(false) {
                    self.check("triphase_orphans", NO_ORPHANS);
                }
                for action in actions.iter().filter(|action| foreign_keys::wish(action).is_none()) {
                    self.action(action)?;
                }
                if wish == Some(false) {
                    self.check("triphase_keys", NO_ORPHANS);
                }
                self.close(&unit.closes);
            }
        }
        // As in a run: no handler meets what an earlier one set.
        if !unit.setup.is_empty() || unit.actions.iter().any(|a| a.text().to_ascii_lowercase().contains("pragma")) {
            self.pragmas();
        }
        Ok(())
    }

    fn action(&mut self, action: &Action) -> Result<(), Finding> {
        match action {
            Action::Sql { text, .. } => self.statement(&sql::for_sqlite3(text)),
            Action::Expect { query } => self.statement(&format!(
                "WITH found(value) AS (\n{}\n) INSERT INTO temp.triphase_expect \
                 SELECT CASE WHEN (SELECT count(*) FROM found) = 1 THEN (SELECT value FROM found) END",
                sql::for_sqlite3(query)
            )),
            Action::Operation { .. } => return Err(no_operation(Dialect::Sqlite, action)),
            Action::Shell { file, .. } => {
                return Err(Finding::new(
                    Class::Usage,
                    "F4",
                    format!("`shell: {}` can't be part of a script", file.display()),
                )
                .way_out("run this release with triphase itself, or write the file's statements as sql"));
            }
        }
        Ok(())
    }

    fn entries(&mut self, entries: &[Entry]) {
        self.statement("BEGIN IMMEDIATE");
        self.check("triphase_fence", &self.rows.fence(&self.me.run));
        self.close(entries);
    }

    fn close(&mut self, entries: &[Entry]) {
        for statement in self.rows.entries(entries, self.me) {
            self.statement(&statement);
        }
        self.statement("COMMIT");
    }

    fn check(&mut self, table: &str, condition: &str) {
        self.statement(&format!("INSERT INTO temp.{table} SELECT {condition}"));
    }

    fn pragmas(&mut self) {
        for pragma in self.settings.pragmas() {
            self.statement(&pragma);
        }
    }

    fn statement(&mut self, text: &str) {
        // On a line of its own: the statement may end with a comment.
        let _ = if text.contains("--") { writeln!(self.text, "{text}\n;") } else { writeln!(self.text, "{text};") };
    }

    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.text, "-- {line}");
        }
    }
}
