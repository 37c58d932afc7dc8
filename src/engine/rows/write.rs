//! What the ledger is asked to remember, as statements.

use super::{
    FORMAT, GUARDS, ROLLOUT, Rows, TOOL,
    batch::{Batch, Columns, values},
    handler_column, phase_columns, table,
};
use crate::{
    action::Handlers,
    engine::Me,
    ledger::{Begin, Entry, Event, Ledger, Outcome, PhaseRow, Row},
    model::{Guards, Phase, StepId},
};

/// The key of the ledger's own table.
const LEDGER_KEY: &[&str] = &["release", "step"];

impl Rows {
    /// What a run writes before its first change: tables where there are none, its own row, the guards where they change.
    /// `session` is the server's id of the session at work (rule X2). Send in one transaction.
    pub fn begin(&self, begin: &Begin, me: &Me, session: &str) -> Vec<String> {
        let mut statements = if begin.create { self.create() } else { Vec::new() };
        let pid = me.pid.to_string();
        statements.push(self.upsert(
            table::RUN,
            &["id"],
            &[
                ("id", "1".to_owned()),
                ("run_id", self.literal(&me.run)),
                ("who", self.literal(&me.who)),
                ("host", self.literal(&me.host)),
                ("pid", pid),
                ("since", self.flavour.clock().to_owned()),
                ("command", self.literal(&me.command)),
                ("session", self.literal(session)),
            ],
        ));
        if let Some(guards) = &begin.guards {
            statements.push(self.meta(GUARDS, &self.literal(&json(guards))));
            let event = Event {
                release: None,
                step: None,
                verb: GUARDS.to_owned(),
                statement: None,
                hash: None,
                outcome: Outcome::Recorded,
                detail: Some(as_written(guards)),
            };
            statements.push(self.history(&event, me));
        }
        statements
    }

    /// Entries as statements, in order, and last their history rows. Send in one transaction. Rows that are written alike share a
    /// statement: a release's empty phases all go with one neighbour (rule L1), and reading a statement costs more than writing a row.
    pub fn entries(&self, entries: &[Entry], me: &Me) -> Vec<String> {
        let mut batch = Batch::new(self);
        for entry in entries {
            self.change(entry, me, &mut batch);
        }
        for entry in entries {
            batch.row(table::HISTORY, &[], self.event(entry.event(), me));
        }
        batch.end()
    }

    /// One change of the ledger, without its history row.
    fn change(&self, entry: &Entry, me: &Me, batch: &mut Batch<'_>) {
        match entry {
            Entry::Step { id, name, phase, row, marks, keep, event: _ } => {
                let row = PhaseRow { who: me.who.clone(), ..row.clone() };
                let mut columns = self.key_columns(id, name);
                columns.extend(self.phase(*phase, &row, self.flavour.clock().to_owned()));
                for (other, mark) in marks {
                    columns.extend(self.phase(*other, mark, self.moment(mark)));
                }
                columns.extend(self.handlers(keep));
                batch.row(table::LEDGER, LEDGER_KEY, columns);
            }
            Entry::Replace { id, row: Some(row), event: _ } => {
                batch.row(table::LEDGER, LEDGER_KEY, self.replace(id, row));
            }
            Entry::Replace { id, row: None, event: _ } => {
                batch.statement(format!("DELETE FROM {} WHERE {}", self.table(table::LEDGER), self.is(id)));
            }
            Entry::Keep { id, handlers, event: _ } => {
                let set: Vec<String> = self
                    .handlers(handlers)
                    .into_iter()
                    .map(|(column, value)| format!("{} = {value}", self.ident(column)))
                    .collect();
                batch.statement(format!(
                    "UPDATE {} SET {} WHERE {}",
                    self.table(table::LEDGER),
                    set.join(", "),
                    self.is(id)
                ));
            }
            Entry::Rename { from, to, name, event: _ } => {
                let set: Vec<String> = self
                    .key_columns(to, name)
                    .into_iter()
                    .map(|(column, value)| format!("{} = {value}", self.ident(column)))
                    .collect();
                batch.statement(format!(
                    "UPDATE {} SET {} WHERE {}",
                    self.table(table::LEDGER),
                    set.join(", "),
                    self.is(from)
                ));
            }
            Entry::Upgrade { from, event: _ } => self.upgrade(*from).into_iter().for_each(|s| batch.statement(s)),
            Entry::Rollout { release, said, event: _ } => {
                let key = format!("{ROLLOUT}{release}");
                batch.statement(if *said {
                    // Its time is the target's clock, so the JSON is put together there.
                    let who = serde_json::Value::from(me.who.as_str());
                    let head = self.literal(&format!("{{\"who\":{who},\"at\":"));
                    self.meta(&key, &self.flavour.concat(&[&head, self.flavour.micros(), "'}'"]))
                } else {
                    format!(
                        "DELETE FROM {} WHERE {} = {}",
                        self.table(table::META),
                        self.ident("key"),
                        self.literal(&key)
                    )
                });
            }
        }
    }

    /// A condition that holds as long as `run` is the one that may write (rule X2).
    pub fn fence(&self, run: &str) -> String {
        format!("EXISTS (SELECT 1 FROM {} WHERE {})", self.table(table::RUN), self.is_run(run))
    }

    /// A query that gives one row as long as `run` may write, and keeps it so until the transaction ends.
    pub fn fence_query(&self, run: &str) -> String {
        format!("SELECT 1 FROM {} WHERE {}{}", self.table(table::RUN), self.is_run(run), self.flavour.lock_row())
    }

    /// A condition that holds as long as the ledger is the one that was `seen`, and stands where it stood: as many events, and the last
    /// of them by the same run, whose id no other ledger has.
    pub fn stands(&self, format: &str, seen: &Ledger) -> String {
        let (id, history) = (self.ident("id"), self.table(table::HISTORY));
        let mut stands = format!(
            "(SELECT coalesce(max({id}), 0) FROM {history}) = {} AND (SELECT {} FROM {} WHERE {} = {}) = {}",
            seen.revision,
            self.ident("value"),
            self.table(table::META),
            self.ident("key"),
            self.literal(FORMAT),
            self.literal(format)
        );
        if let Some(run) = &seen.run {
            stands.push_str(&format!(" AND {}", self.fence(&run.run)));
        }
        stands
    }

    /// A query that is true where the audit trail knows of an earlier attempt of the statement that these entries announce; none where
    /// they announce none.
    pub fn tried_query(&self, opens: &[Entry]) -> Option<String> {
        opens.iter().filter_map(Entry::phase).find_map(|(id, _, _, event)| {
            let statement = event.statement.filter(|_| event.outcome == Outcome::Attempting)?;
            let column = |name: &str, value: &str| format!("{} = {}", self.ident(name), self.literal(value));
            Some(format!(
                "SELECT EXISTS (SELECT 1 FROM {} WHERE {} AND {} AND {} AND {} AND {} = {})",
                self.table(table::HISTORY),
                column("release", id.release.as_str()),
                column("step", &id.step),
                column("verb", &event.verb),
                column("outcome", event.outcome.name()),
                self.ident("statement"),
                u64::from(statement) + 1
            ))
        })
    }

    /// A row for the audit trail, by itself.
    pub fn history(&self, event: &Event, me: &Me) -> String {
        self.insert(table::HISTORY, &self.event(event, me))
    }

    fn event(&self, event: &Event, me: &Me) -> Columns {
        vec![
            ("at", self.flavour.clock().to_owned()),
            ("run_id", self.literal(&me.run)),
            ("command", self.literal(&me.command)),
            ("who", self.literal(&me.who)),
            ("host", self.literal(&me.host)),
            ("tool", self.literal(TOOL)),
            ("release", self.literal(event.release.as_ref().map_or("", |r| r.as_str()))),
            ("step", self.literal(event.step.as_deref().unwrap_or_default())),
            ("verb", self.literal(&event.verb)),
            ("statement", event.statement.map_or_else(|| "NULL".to_owned(), |s| (u64::from(s) + 1).to_string())),
            ("hash", self.optional(event.hash.as_deref())),
            ("outcome", self.literal(event.outcome.name())),
            ("detail", self.optional(event.detail.as_deref())),
        ]
    }

    /// All of a row but its stored handlers.
    fn replace(&self, id: &StepId, row: &Row) -> Columns {
        let mut columns = self.key_columns(id, &row.name);
        for &phase in Phase::ALL {
            let one = row.phase(phase);
            columns.extend(self.phase(phase, one, self.moment(one)));
        }
        columns
    }

    fn key_columns(&self, id: &StepId, name: &str) -> Vec<(&'static str, String)> {
        vec![
            ("release", self.literal(id.release.as_str())),
            ("step", self.literal(&id.step)),
            ("name", self.literal(name)),
        ]
    }

    /// When a phase last changed, as it is read.
    fn moment(&self, row: &PhaseRow) -> String {
        row.at.and_then(|at| self.flavour.moment(at)).unwrap_or_else(|| "NULL".to_owned())
    }

    fn phase(&self, phase: Phase, row: &PhaseRow, at: String) -> [(&'static str, String); 3] {
        let [state, time, detail] = phase_columns(phase);
        [(state, self.literal(row.state.name())), (time, at), (detail, self.literal(&json(row)))]
    }

    fn handlers(&self, keep: &Handlers) -> Vec<(&'static str, String)> {
        keep.iter().map(|(&verb, handler)| (handler_column(verb), self.literal(&json(handler)))).collect()
    }

    pub(super) fn meta(&self, key: &str, value: &str) -> String {
        self.upsert(table::META, &["key"], &[("key", self.literal(key)), ("value", value.to_owned())])
    }

    fn is(&self, id: &StepId) -> String {
        format!(
            "{} = {} AND {} = {}",
            self.ident("release"),
            self.literal(id.release.as_str()),
            self.ident("step"),
            self.literal(&id.step)
        )
    }

    fn is_run(&self, run: &str) -> String {
        format!("{} = 1 AND {} = {}", self.ident("id"), self.ident("run_id"), self.literal(run))
    }

    pub(super) fn insert(&self, name: &str, columns: &[(&str, String)]) -> String {
        format!(
            "INSERT INTO {} ({}) VALUES {}",
            self.table(name),
            self.idents(columns.iter().map(|(column, _)| *column)),
            values(columns)
        )
    }

    fn upsert(&self, name: &str, key: &[&str], columns: &[(&str, String)]) -> String {
        format!("{} {}", self.insert(name, columns), self.or_replace(key, columns))
    }

    /// The end of an insert that takes the place of the row with the same key.
    pub(super) fn or_replace(&self, key: &[&str], columns: &[(&str, String)]) -> String {
        let others: Vec<String> =
            columns.iter().filter(|(column, _)| !key.contains(column)).map(|(column, _)| self.ident(column)).collect();
        self.flavour.on_conflict(&self.idents(key.iter().copied()), &others)
    }
}

/// Our own types have string keys and no failing `Serialize`, so this gives JSON always.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The guards as a target file would name them.
pub fn as_written(guards: &Guards) -> String {
    let value = serde_json::to_value(guards).unwrap_or_default();
    let named: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{action::Checksum, ledger::Halfway, model::PhaseState};
    use pretty_assertions::assert_eq;

    #[test]
    fn what_a_detail_leaves_out_is_read_as_it_was() {
        let pending = PhaseRow::pending();
        assert_eq!(json(&pending), "{}");
        let full = PhaseRow {
            state: PhaseState::Pending,
            empty: true,
            at: None,
            who: "ann".to_owned(),
            seq: 7,
            checksum: Some(Checksum::of(["x"])),
            upto: 3,
            trying: Some(0),
            partly: true,
            halfway: Some(Halfway { upto: 1, trying: None, hashes: vec![] }),
            attempt: 2,
            hashes: vec![String::new()],
            error: Some("no".to_owned()),
        };
        let first = PhaseRow { trying: Some(0), ..pending.clone() };
        for row in [pending, full, first] {
            assert_eq!(serde_json::from_str::<PhaseRow>(&json(&row)).unwrap(), row);
        }
    }
}
