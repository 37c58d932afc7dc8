//! A run as a script for a bare `mariadb` or `mysql` client, fed by standard input: the client stops at the first error, and the script makes
//! one wherever a run would refuse. It leaves the same schema and the same ledger as a run.

use super::{
    super::{
        Me, no_file_in_scripts, no_operation,
        rows::{Rows, TOOL, table},
        wire::next_epoch,
    },
    connect,
    differ::demand,
    settings::{
        BEGIN, COMMIT, NAMES, STRICT, SUBSTITUTES_NOTHING, UNREADABLE, client_name, ident, literal, lock_name, seconds,
        take, work_name,
    },
};
use crate::{
    action::Action,
    ledger::{Begin, Entry, Ledger, Unit},
    model::{Dialect, Finding},
    sql,
    target::Target,
};

/// The refusals, each no longer than a name may be.
const HELD: &str = "triphase: another run holds the lock; nothing was changed";
const AT_WORK: &str = "triphase: a session of an earlier run is still at work";
const MOVED: &str = "triphase: the ledger has moved on; make this script again";
const THERE: &str = "triphase: there is a ledger by now; make this script again";
const LOST: &str = "triphase: the lock is another run's now";
const EXPECTED: &str = "triphase: expect: not one value that is true or not zero";

/// Writes the script.
pub(super) fn script(
    target: &Target,
    seen: &Ledger,
    begin: &Begin,
    units: &[Unit],
    me: &Me,
) -> Result<String, Finding> {
    let database = connect::database(target);
    let mut script = Script {
        text: String::new(),
        rows: Rows::mysql(database),
        database,
        wait: seconds(&target.lock_timeout),
        lock: lock_name(database),
        me,
        setup: None,
    };
    script.head(seen, begin);
    for unit in units {
        script.unit(unit)?;
    }
    script.push(&format!("DO RELEASE_LOCK({})", literal(&script.lock)));
    Ok(script.text)
}

struct Script<'a> {
    text: String,
    rows: Rows,
    database: &'a str,
    wait: u64,
    lock: String,
    me: &'a Me,
    /// What the handler at work has set in the session so far.
    setup: Option<Vec<String>>,
}

impl Script<'_> {
    fn push(&mut self, statement: &str) {
        // A statement may end in a comment.
        let end = if statement.contains("--") || statement.contains('#') { "\n;\n" } else { ";\n" };
        self.text.push_str(statement);
        self.text.push_str(end);
    }

    fn extend(&mut self, statements: impl IntoIterator<Item = String>) {
        for statement in statements {
            self.push(&statement);
        }
    }

    /// An author's statement. Where the client would cut it, it gets another delimiter.
    fn handler(&mut self, statement: &str) {
        if !statement.contains(';') {
            return self.push(statement);
        }
        let mut word = "//".to_owned();
        while statement.contains(&word) {
            word.push('/');
        }
        self.text.push_str(&format!("DELIMITER {word}\n{statement}\n{word}\nDELIMITER ;\n"));
    }

    fn comment(&mut self, words: &str) {
        for line in words.lines() {
            self.text.push_str(&format!("-- {line}\n"));
        }
    }

    fn head(&mut self, seen: &Ledger, begin: &Begin) {
        self.comment(&format!("triphase {TOOL}: {}", self.me.command));
        self.comment(&format!("made by {}, for a bare client: mariadb {} < THIS-FILE", self.me.who, self.database));
        self.comment("not with --force, and not by `source`: the client must stop at the first error");
        self.push(NAMES);
        // The server's own mode, without what makes a text unreadable, and strict; kept, for it is set again before each handler.
        let modes = UNREADABLE.iter().fold("concat(',', @@GLOBAL.sql_mode, ',')".to_owned(), |list, mode| {
            format!("replace({list}, ',{mode},', ',')")
        });
        self.push(&format!(
            "SET @triphase_mode = trim(BOTH ',' FROM concat({modes}, '{STRICT},{SUBSTITUTES_NOTHING}'))"
        ));
        self.settings();
        let name = literal(&self.lock);
        self.demand(&format!("GET_LOCK({name}, 0) = 1"), HELD);
        if let Some(run) = seen.run.as_ref().filter(|run| !run.run.is_empty()) {
            for name in [client_name(&run.run), work_name(&run.run)] {
                self.demand(&format!("IS_USED_LOCK({}) IS NULL", literal(&name)), AT_WORK);
            }
        }
        let (stands, message) = match seen.format {
            Some(format) => (self.rows.stands(&format.to_string(), seen), MOVED),
            None => (self.no_ledger(), THERE),
        };
        if seen.format.is_none() {
            self.demand(&stands, message);
        }
        if begin.create {
            self.extend(self.rows.create());
        }
        self.push(BEGIN);
        let [row, lock] = take(&self.rows);
        self.push(&row);
        self.push(&quiet(&lock));
        if seen.format.is_some() {
            self.demand(&stands, message);
        }
        let again = Begin { create: false, guards: begin.guards.clone() };
        self.extend(self.rows.begin(&again, self.me, "script"));
        self.push(&next_epoch(&self.rows));
        self.push(COMMIT);
    }

    /// No table of a ledger.
    fn no_ledger(&self) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = {} AND table_name IN ({}))",
            literal(self.database),
            table::ALL.map(literal).join(", ")
        )
    }

    fn settings(&mut self) {
        let wait = self.wait;
        self.push(&format!(
            "SET SESSION sql_mode = @triphase_mode, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, \
             sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = {wait}, \
             innodb_lock_wait_timeout = {wait}"
        ));
        self.push(NAMES);
        self.push(&format!("USE {}", ident(self.database)));
    }

    fn demand(&mut self, condition: &str, message: &str) {
        self.extend(demand(condition, message));
    }

    /// The ledger's rows, as the script's own settings have them, whatever a handler has set.
    fn entries(&mut self, entries: &[Entry]) {
        self.push(
            "SET @triphase_was = @@SESSION.sql_mode, @triphase_client = @@SESSION.character_set_client, \
             @triphase_results = @@SESSION.character_set_results, @triphase_collation = @@SESSION.collation_connection",
        );
        self.push("SET SESSION sql_mode = @triphase_mode");
        self.push(NAMES);
        self.extend(self.rows.entries(entries, self.me));
        self.push(
            "SET SESSION sql_mode = @triphase_was, character_set_client = @triphase_client, \
             character_set_results = @triphase_results, collation_connection = @triphase_collation",
        );
    }

    fn unit(&mut self, unit: &Unit) -> Result<(), Finding> {
        self.text.push('\n');
        for note in &unit.notes {
            self.comment(note);
        }
        if !unit.actions.is_empty() && (unit.setup.is_empty() || self.setup.as_ref() != Some(&unit.setup)) {
            self.settings();
            for text in &unit.setup {
                self.handler(text);
            }
            self.setup = Some(unit.setup.clone());
        }
        match unit.actions.as_slice() {
            [Action::Sql { text, alone: true, .. }] => {
                if !unit.opens.is_empty() {
                    self.transaction(&Unit { opens: unit.opens.clone(), ..Unit::default() })?;
                }
                self.demand(&format!("IS_USED_LOCK({}) = CONNECTION_ID()", literal(&self.lock)), LOST);
                self.handler(text);
                self.transaction(&Unit { closes: unit.closes.clone(), ..Unit::default() })?;
            }
            _ => self.transaction(unit)?,
        }
        if let Some(setup) = &mut self.setup {
            setup.extend(unit.actions.iter().map(Action::text).filter(|text| sql::sets_session(text)));
        }
        Ok(())
    }

    fn transaction(&mut self, unit: &Unit) -> Result<(), Finding> {
        self.push(BEGIN);
        // Read with its lock: whoever takes over waits for this transaction.
        let run = quiet(&self.rows.fence_query(&self.me.run));
        self.push(&run);
        self.demand("@triphase_quiet = 1", LOST);
        if !unit.opens.is_empty() {
            self.entries(&unit.opens);
        }
        for action in &unit.actions {
            match action {
                Action::Sql { text, .. } => self.handler(text),
                Action::Expect { query } => self.expect(query),
                Action::Operation { .. } => return Err(no_operation(Dialect::Mysql, action)),
                Action::Shell { file, .. } => return Err(no_file_in_scripts(file)),
            }
        }
        if !unit.closes.is_empty() {
            self.entries(&unit.closes);
        }
        self.push(COMMIT);
        Ok(())
    }

    /// Fails unless the query gives one true value: a text is none, whatever number it begins with.
    fn expect(&mut self, query: &str) {
        self.handler(&format!("SET @triphase_found = JSON_ARRAY((\n{query}\n))"));
        self.demand(
            "CASE WHEN JSON_TYPE(JSON_EXTRACT(@triphase_found, '$[0]')) = 'BOOLEAN' \
             THEN JSON_EXTRACT(@triphase_found, '$[0]') = true \
             WHEN JSON_TYPE(JSON_EXTRACT(@triphase_found, '$[0]')) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') \
             THEN JSON_EXTRACT(@triphase_found, '$[0]') <> 0 ELSE 0 END",
            EXPECTED,
        );
    }
}

/// A query of one value, whose row nobody sees.
fn quiet(query: &str) -> String {
    format!("SET @triphase_quiet = ({query})")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        ledger::{Event, Outcome, PhaseRow},
        model::{Phase, PhaseState, StepId, Version},
    };

    /// `tests/golden/mysql.sql`. `UPDATE_GOLDEN=1` writes what is made now.
    #[test]
    fn the_script_is_this() {
        let mut target = crate::target::fixture(crate::model::Guards::default());
        target.connection.scheme = "mysql".into();
        target.connection.database = "shop".into();
        let id = StepId::new(Version::parse("v1").unwrap(), "one");
        let entry = |state, trying, outcome| Entry::Step {
            id: id.clone(),
            name: "one".into(),
            phase: Phase::Add,
            row: PhaseRow { state, trying, seq: 1, ..PhaseRow::pending() },
            marks: Vec::new(),
            keep: Default::default(),
            event: Event {
                release: Some(id.release.clone()),
                step: Some("one".into()),
                verb: "add".into(),
                statement: trying,
                hash: None,
                outcome,
                detail: None,
            },
        };
        let sql = |text: &str, alone| Action::Sql { text: text.into(), alone, done_when: None };
        let trigger = "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END // 2";
        let units = [
            Unit {
                opens: vec![entry(PhaseState::Running, Some(0), Outcome::Attempting)],
                actions: vec![sql("CREATE TABLE t (a integer) -- why", true)],
                ..Unit::default()
            },
            Unit { actions: vec![sql(trigger, true)], ..Unit::default() },
            Unit {
                setup: vec!["SET @a = 1".into()],
                actions: vec![
                    Action::Expect { query: "SELECT 1".into() },
                    sql("INSERT INTO t VALUES ('it\\'s')", false),
                ],
                closes: vec![entry(PhaseState::Done, None, Outcome::Done)],
                ..Unit::default()
            },
        ];
        let me = Me {
            run: "r".repeat(26),
            who: "me@here".into(),
            host: "here".into(),
            pid: 7,
            command: "triphase sql ff".into(),
        };
        let begin = Begin { create: true, guards: None };
        let text = script(&target, &Ledger::default(), &begin, &units, &me).unwrap().replace(TOOL, "0.0.0");
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mysql.sql");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &text).unwrap();
        }
        pretty_assertions::assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), text);
    }
}
