//! What an event does to the ledger, as JSON, and the ledger that comes of all events. `ledger::apply` is its plain meaning.

use super::journal::Row as Event;
use crate::{
    action::{Handler, Handlers},
    engine::Failure,
    ledger::{Entry, Format, Ledger, PhaseRow, Row, RunRow},
    model::{Class, Finding, Guards, Phase, PhaseState, Rollout, StepId, Time, Verb, Version},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Handlers as kept: read only where they are wanted, so that one of an unknown kind keeps nobody from reading the rest (L8).
type Kept = BTreeMap<Verb, serde_json::Value>;

/// One change.
#[expect(clippy::large_enum_variant, reason = "as entries: most changes are steps, and there are a handful a commit")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A run begins, or takes over from one that is dead. It may write from here on, and nobody else.
    Begin {
        /// The process's id.
        pid: u32,
        /// The guards to keep from now on.
        guards: Option<Guards>,
    },
    /// The last run's right to write was taken away (`unlock`).
    Evict,
    /// As [`Entry::Step`].
    Step { id: StepId, name: String, phase: Phase, row: Stored, marks: Vec<(Phase, Stored)>, keep: Kept },
    /// As [`Entry::Replace`]: the step's name and phases; its stored handlers stay.
    Replace { id: StepId, row: Option<(String, [Stored; 3])> },
    /// As [`Entry::Keep`].
    Keep { id: StepId, handlers: Kept },
    /// As [`Entry::Rename`].
    Rename { from: StepId, to: StepId, name: String },
    /// As [`Entry::Upgrade`].
    Upgrade,
    /// As [`Entry::Rollout`].
    Rollout { release: Version, said: bool },
}

/// A phase with all that is known of it: a lake's ledger has no columns beside it, and [`PhaseRow`]'s JSON leaves out what is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    state: PhaseState,
    #[serde(default)]
    at: Option<Time>,
    #[serde(flatten)]
    rest: PhaseRow,
}

impl From<&PhaseRow> for Stored {
    fn from(row: &PhaseRow) -> Self {
        Self { state: row.state, at: row.at, rest: row.clone() }
    }
}

impl From<Stored> for PhaseRow {
    fn from(stored: Stored) -> Self {
        Self { state: stored.state, at: stored.at, ..stored.rest }
    }
}

impl Change {
    /// An entry as a change.
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Step { id, name, phase, row, marks, keep, event: _ } => Self::Step {
                id: id.clone(),
                name: name.clone(),
                phase: *phase,
                row: row.into(),
                marks: marks.iter().map(|(phase, mark)| (*phase, mark.into())).collect(),
                keep: kept(keep),
            },
            Entry::Replace { id, row, event: _ } => Self::Replace {
                id: id.clone(),
                row: row.as_ref().map(|row| (row.name.clone(), row.phases.each_ref().map(Stored::from))),
            },
            Entry::Keep { id, handlers, event: _ } => Self::Keep { id: id.clone(), handlers: kept(handlers) },
            Entry::Rename { from, to, name, event: _ } => {
                Self::Rename { from: from.clone(), to: to.clone(), name: name.clone() }
            }
            Entry::Upgrade { .. } => Self::Upgrade,
            Entry::Rollout { release, said, event: _ } => Self::Rollout { release: release.clone(), said: *said },
        }
    }

    /// As the ledger keeps it. Our own types have string keys and no failing `Serialize`, so this gives JSON always.
    pub fn json(&self) -> String {
        serde_json::to_value(self).unwrap_or_default().to_string()
    }
}

fn kept(handlers: &Handlers) -> Kept {
    handlers.iter().map(|(verb, handler)| (*verb, serde_json::to_value(handler).unwrap_or_default())).collect()
}

/// The ledger so far.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    /// All but its clock, format and revision.
    pub ledger: Ledger,
    stored: BTreeMap<StepId, Kept>,
    /// The newest epoch under which anything was written.
    pub epoch: i64,
}

impl Fold {
    /// Applies an event's change.
    ///
    /// # Errors
    /// [`Failure::Refused`] where this binary does not know such a change (L8).
    pub fn apply(&mut self, json: &str, event: &Event) -> Result<(), Failure> {
        let change: Change = serde_json::from_str(json).map_err(|error| unknown(event, &error))?;
        let steps = &mut self.ledger.steps;
        match change {
            Change::Begin { pid, guards } => {
                self.ledger.run = Some(RunRow {
                    run: event.run.clone(),
                    who: event.who.clone(),
                    host: event.host.clone(),
                    pid,
                    since: event.at,
                    command: event.command.clone(),
                    at: None,
                });
                if let Some(guards) = guards {
                    self.ledger.guards = guards;
                }
            }
            Change::Evict => self.ledger.run = None,
            Change::Step { id, name, phase, row, marks, keep } => {
                let at = steps.entry(id.clone()).or_insert_with(|| Row::pending(name.as_str()));
                at.name = name;
                at.stored.extend(keep.keys().copied());
                at.phases[phase.index()] = PhaseRow { at: Some(event.at), who: event.who.clone(), ..row.into() };
                for (other, mark) in marks {
                    // What only says "empty" leaves the time as it was.
                    let at = at.phases.get_mut(other.index());
                    at.into_iter().for_each(|row| *row = PhaseRow { at: row.at, ..mark.clone().into() });
                }
                self.stored.entry(id).or_default().extend(keep);
            }
            Change::Replace { id, row: Some((name, phases)) } => {
                let stored = steps.get(&id).map(|row| row.stored.clone()).unwrap_or_default();
                steps.insert(id, Row { name, phases: phases.map(PhaseRow::from), stored });
            }
            Change::Replace { id, row: None } => {
                steps.remove(&id);
                self.stored.remove(&id);
            }
            Change::Keep { id, handlers } => {
                if let Some(row) = steps.get_mut(&id) {
                    row.stored.extend(handlers.keys().copied());
                    self.stored.entry(id).or_default().extend(handlers);
                }
            }
            Change::Rename { from, to, name } => {
                if let Some(mut row) = steps.remove(&from) {
                    row.name = name;
                    steps.insert(to.clone(), row);
                }
                if let Some(handlers) = self.stored.remove(&from) {
                    self.stored.insert(to, handlers);
                }
            }
            Change::Upgrade => self.ledger.format = Some(Format::CURRENT),
            Change::Rollout { release, said: true } => {
                self.ledger.rollouts.insert(release, Rollout { who: event.who.clone(), at: event.at });
            }
            Change::Rollout { release, said: false } => {
                self.ledger.rollouts.remove(&release);
            }
        }
        Ok(())
    }

    /// The steps of which nothing is done: what they may have committed once was taken back, or a person has said so.
    pub fn undone(&self) -> BTreeSet<StepId> {
        let back = |row: &Row| matches!(row.phase(Phase::Add).state, PhaseState::RolledBack | PhaseState::Pending);
        self.ledger.steps.iter().filter(|(_, row)| back(row)).map(|(id, _)| id.clone()).collect()
    }

    /// The stored handlers of these steps.
    ///
    /// # Errors
    /// [`Failure::Refused`] where one is of a kind that this binary does not know (L8).
    pub fn stored(&self, of: &[StepId]) -> Result<BTreeMap<StepId, Handlers>, Failure> {
        let mut all = BTreeMap::new();
        for (id, kept) in of.iter().filter_map(|id| self.stored.get_key_value(id)) {
            let handlers: Result<Handlers, Failure> = kept
                .iter()
                .map(|(verb, value)| {
                    let handler: Handler = crate::engine::rows::handler(id, *verb, &value.to_string())?;
                    Ok((*verb, handler))
                })
                .collect();
            all.insert(id.clone(), handlers?);
        }
        Ok(all)
    }
}

fn unknown(event: &Event, error: &serde_json::Error) -> Failure {
    let tool = crate::engine::rows::TOOL;
    let message = format!(
        "the ledger's event {} ({} of {}/{}) can't be read by this triphase ({tool}): {error}",
        event.id, event.verb, event.release, event.step
    );
    Failure::Refused(Box::new(
        Finding::new(Class::Decision, "L8", message).way_out("use the triphase that wrote it, or a newer one"),
    ))
}
