//! A run as a script for a bare `psql`: it checks by itself that the ledger is as the plan saw it, takes the lock, and leaves the same
//! schema and the same ledger as a run.

use super::{
    super::{
        Me, no_file_in_scripts, no_operation,
        rows::{Rows, TOOL, table},
    },
    left::leaves,
    probe,
    text::{BEGIN, Key, demand, fence, ident, literal, millis, take},
};
use crate::{
    action::Action,
    ledger::{Begin, Ledger, Unit},
    model::{Dialect, Finding},
    sql,
    target::Target,
};

/// SQLSTATE of a script's own refusals.
const REFUSED: &str = "P0001";

/// Writes the script.
pub(super) fn script(
    target: &Target,
    seen: &Ledger,
    begin: &Begin,
    units: &[Unit],
    me: &Me,
) -> Result<String, Finding> {
    let schema = target.schema.as_deref().unwrap_or("public");
    let mut script = Script {
        text: String::new(),
        rows: Rows::postgres(schema),
        timeout: millis(&target.lock_timeout),
        database: &target.connection.database,
        schema,
        me,
    };
    script.head(seen, begin);
    for unit in units {
        script.unit(unit)?;
    }
    let key = Key::of(schema);
    script.push(&format!("DO {}", literal(&format!("BEGIN PERFORM pg_advisory_unlock({}); END", key.arguments()))));
    Ok(script.text)
}

struct Script<'a> {
    text: String,
    rows: Rows,
    timeout: String,
    /// Which database it is for; empty: not known.
    database: &'a str,
    schema: &'a str,
    me: &'a Me,
}

impl Script<'_> {
    fn push(&mut self, statement: &str) {
        self.text.push_str(statement);
        // A statement may end in a comment.
        self.text.push_str(if statement.contains("--") { "\n;\n" } else { ";\n" });
    }

    /// A statement of an author's, as psql must read it.
    fn authors(&mut self, statement: &str) {
        self.push(&sql::for_psql(statement));
    }

    fn comment(&mut self, words: &str) {
        // psql ends a comment at a lone carriage return too.
        for line in words.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            self.text.push_str(&format!("-- {line}\n"));
        }
    }

    fn head(&mut self, seen: &Ledger, begin: &Begin) {
        self.comment(&format!("triphase {TOOL}: {}", self.me.command));
        self.comment(&format!("made by {}, for a bare psql; not through a transaction-mode pooler", self.me.who));
        self.text.push_str("\\set ON_ERROR_STOP on\n\\set QUIET on\n\\encoding UTF8\n");
        let own = ident(self.schema);
        // The path that the server would have, read before anything changes it.
        self.text.push_str(&format!(
            "SELECT {} || coalesce(', ' || nullif(nullif(current_setting('search_path'), ''), '\"\"'), '') AS triphase_path \\gset\n",
            literal(&own)
        ));
        self.settings("SET", &self.timeout.clone());
        // Only some servers know these; psql runs what the query gives.
        let known = "SELECT format('SET %I = 0', name) FROM pg_catalog.pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout')";
        self.text.push_str(&format!("{known} \\gexec\n"));
        if !self.database.is_empty() {
            self.push(&demand(
                &format!("current_database() = {}", literal(self.database)),
                &format!("this script was made for database {}; nothing was changed", self.database),
                REFUSED,
            ));
        }
        let key = Key::of(self.schema);
        self.push(&demand(
            &format!("pg_try_advisory_lock({})", key.arguments()),
            "another run of triphase holds the lock; nothing was changed",
            REFUSED,
        ));
        self.push(BEGIN);
        let (stands, message) = match seen.format {
            Some(format) => (
                self.rows.stands(&format.to_string(), seen),
                "the ledger is no longer as it was when this script was made: make it again",
            ),
            None => (
                format!("to_regclass({}) IS NULL", literal(&self.rows.table(table::LEDGER))),
                "there is a ledger by now: make this script again",
            ),
        };
        self.push(&demand(&stands, message, REFUSED));
        if begin.create {
            for statement in self.rows.create() {
                self.push(&statement);
            }
        }
        for statement in take(&self.rows) {
            // What a query gives is nobody's business here.
            self.push(&quiet(&statement));
        }
        let run = self.rows.table(table::RUN);
        self.push(&demand(
            &format!("NOT EXISTS (SELECT 1 FROM {run} WHERE lease_until > clock_timestamp())"),
            "another run of triphase holds the lock by a lease; nothing was changed",
            REFUSED,
        ));
        let again = Begin { create: false, guards: begin.guards.clone() };
        for statement in self.rows.begin(&again, self.me, "psql") {
            self.push(&statement);
        }
        self.push(&format!("UPDATE {run} SET epoch = epoch + 1, lease_until = NULL WHERE id = 1"));
        self.push("COMMIT");
    }

    fn settings(&mut self, set: &str, timeout: &str) {
        self.push("RESET SESSION AUTHORIZATION");
        self.push("RESET ROLE");
        self.push(&format!("{set} search_path = :triphase_path"));
        self.push(&format!("{set} lock_timeout = {}", literal(timeout)));
        self.push(&format!("{set} statement_timeout = 0"));
        self.push(&format!("{set} idle_in_transaction_session_timeout = 0"));
        self.push("SET standard_conforming_strings = on");
        self.push("SET client_encoding = 'UTF8'");
    }

    fn unit(&mut self, unit: &Unit) -> Result<(), Finding> {
        self.text.push('\n');
        for note in &unit.notes {
            self.comment(note);
        }
        match unit.actions.as_slice() {
            [Action::Sql { text, alone: true, .. }] => {
                let timeout = if probe::patient(text) { "0".to_owned() } else { self.timeout.clone() };
                self.settings("SET", &timeout);
                let leaves = leaves(text);
                if let Some(taken) = leaves.as_ref().and_then(|leaves| leaves.taken(true)) {
                    let message = "an index's name is taken already, and not by this statement";
                    self.push(&demand(&format!("NOT ({taken})"), message, "42P07"));
                }
                if !unit.opens.is_empty() {
                    self.transaction(&Unit { opens: unit.opens.clone(), ..Unit::default() })?;
                }
                for setting in &unit.setup {
                    self.authors(setting);
                }
                match leaves {
                    // What an earlier attempt left: psql runs what the query gives.
                    Some(leaves) if leaves.finishes() => {
                        let finish = format!("coalesce(({}), {})", leaves.query(), literal(text));
                        self.text.push_str(&format!("SELECT {finish} \\gexec\n"));
                    }
                    Some(leaves) => {
                        self.text.push_str(&format!("{} \\gexec\n", leaves.query()));
                        self.authors(text);
                        if let Some(demand) = leaves.demand() {
                            self.push(&demand);
                        }
                    }
                    None => self.authors(text),
                }
                self.transaction(&Unit { closes: unit.closes.clone(), ..Unit::default() })
            }
            _ => self.transaction(unit),
        }
    }

    fn transaction(&mut self, unit: &Unit) -> Result<(), Finding> {
        let timeout = self.timeout.clone();
        self.push(BEGIN);
        self.settings("SET LOCAL", &timeout);
        self.push(&fence(&self.rows, &self.me.run));
        for statement in self.rows.entries(&unit.opens, self.me) {
            self.push(&statement);
        }
        for setting in &unit.setup {
            self.authors(setting);
        }
        for action in &unit.actions {
            match action {
                Action::Sql { text, .. } => self.authors(text),
                Action::Expect { query } => self.push(&expect(query)),
                Action::Operation { .. } => return Err(no_operation(Dialect::Postgres, action)),
                Action::Shell { file, .. } => return Err(no_file_in_scripts(file)),
            }
        }
        if !unit.actions.is_empty() {
            self.settings("SET LOCAL", &timeout);
        }
        for statement in self.rows.entries(&unit.closes, self.me) {
            self.push(&statement);
        }
        self.push("COMMIT");
        Ok(())
    }
}

/// A query whose rows are dropped.
fn quiet(statement: &str) -> String {
    match statement.strip_prefix("SELECT ") {
        Some(rest) => format!("DO {}", literal(&format!("BEGIN PERFORM {rest}; END"))),
        None => statement.to_owned(),
    }
}

/// Fails unless the query gives one true value.
fn expect(query: &str) -> String {
    let message = format!("expected a true value: {query}");
    // `EXECUTE` takes any query; a second row is an error of its own.
    let body = format!(
        "DECLARE found record; value text; kind text; BEGIN \
         EXECUTE {} INTO STRICT found; \
         SELECT v.value #>> '{{}}', jsonb_typeof(v.value) INTO STRICT value, kind FROM jsonb_each(to_jsonb(found)) v; \
         IF (kind = 'boolean' AND value = 'true') OR (kind = 'number' AND value::numeric <> 0) THEN RETURN; END IF; \
         RAISE EXCEPTION USING MESSAGE = {}, DETAIL = 'found ' || coalesce(value, 'NULL'), ERRCODE = '{REFUSED}'; END",
        literal(query),
        literal(&message)
    );
    format!("DO {}", literal(&body))
}
