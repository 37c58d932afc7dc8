//! What entries do to a ledger: the plain meaning that every engine's SQL must equal. For tests.

use super::{Entry, Event, Format, Ledger, Row, Unit};
use crate::{
    action::Handlers,
    model::{Rollout, StepId, Time},
};
use std::collections::BTreeMap;

/// A ledger, its handler texts, and its audit trail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub ledger: Ledger,
    pub stored: BTreeMap<StepId, Handlers>,
    pub history: Vec<Event>,
}

impl Kept {
    /// Makes one change.
    pub fn apply(&mut self, entry: &Entry, who: &str, now: Time) {
        self.ledger.revision += 1;
        let steps = &mut self.ledger.steps;
        match entry {
            Entry::Step { id, name, phase, row, marks, keep, event } => {
                let at = steps.entry(id.clone()).or_insert_with(|| Row::pending(name));
                at.name.clone_from(name);
                at.stored.extend(keep.keys().copied());
                at.phases[phase.index()] = row.clone();
                for (other, mark) in marks {
                    at.phases[other.index()] = mark.clone();
                }
                at.phases[phase.index()].at = Some(now);
                at.phases[phase.index()].who = who.to_owned();
                self.stored.entry(id.clone()).or_default().extend(keep.clone());
                self.history.push(event.clone());
            }
            Entry::Replace { id, row, event } => {
                match row {
                    Some(row) => {
                        steps.insert(id.clone(), row.clone());
                    }
                    None => {
                        steps.remove(id);
                        self.stored.remove(id);
                    }
                }
                self.history.push(event.clone());
            }
            Entry::Keep { id, handlers, event } => {
                if let Some(row) = steps.get_mut(id) {
                    row.stored.extend(handlers.keys().copied());
                }
                self.stored.entry(id.clone()).or_default().extend(handlers.clone());
                self.history.push(event.clone());
            }
            Entry::Rename { from, to, name, event } => {
                if let Some(mut row) = steps.remove(from) {
                    row.name.clone_from(name);
                    steps.insert(to.clone(), row);
                }
                if let Some(handlers) = self.stored.remove(from) {
                    self.stored.insert(to.clone(), handlers);
                }
                self.history.push(event.clone());
            }
            Entry::Upgrade { from: _, event } => {
                self.ledger.format = Some(Format::CURRENT);
                self.history.push(event.clone());
            }
            Entry::Rollout { release, said, event } => {
                if *said {
                    self.ledger.rollouts.insert(release.clone(), Rollout { who: who.to_owned(), at: now });
                } else {
                    self.ledger.rollouts.remove(release);
                }
                self.history.push(event.clone());
            }
        }
    }

    /// Makes a unit's changes, its actions taken for applied.
    pub fn unit(&mut self, unit: &Unit, who: &str, now: Time) {
        for entry in unit.opens.iter().chain(&unit.closes) {
            self.apply(entry, who, now);
        }
    }
}
