//! Whether the release files have a step as it ran (D7): its commits name the handlers by which they were made. A ledger that is made anew
//! keeps those, and no others in their place. Pure.

use crate::{
    action::{Checksum, Handlers},
    ledger::{By, Ledger, Row, Trace, Traces},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb, Way},
    release::{Project, Step},
};
use std::collections::{BTreeMap, BTreeSet};

/// The newest commit of each handler.
pub(super) struct AsRan<'a> {
    project: &'a Project,
    newest: BTreeMap<(&'a StepId, Verb), &'a Trace>,
}

impl<'a> AsRan<'a> {
    /// By what the tables say.
    pub fn of(project: &'a Project, traces: &'a Traces) -> Self {
        let proven = traces.commits.iter().filter(|trace| trace.proof);
        Self { project, newest: proven.map(|trace| ((&trace.id, trace.verb), trace)).collect() }
    }

    fn by(&self, id: &StepId, verb: Verb) -> Option<&'a By> {
        self.newest.get(&(id, verb))?.by.as_ref()
    }

    /// Whether the ledger has what it keeps of a handler from the very attempt that the tables have, and not from one before.
    pub fn is_known(&self, id: &StepId, verb: Verb, row: &Row) -> bool {
        let operation = self.project.step(id).is_some_and(|step| step.operation.is_some());
        // All of an operation is kept when its first phase begins (O4).
        let first = Phase::ALL.iter().find(|phase| operation && row.phase(**phase).really());
        let phase = first.map_or(verb.phase(), |phase| *phase);
        self.newest.get(&(id, phase.verb())).is_none_or(|trace| trace.known)
    }

    /// The handlers of a step that ran, or were kept to take it back, otherwise than the files have them. What the ledger keeps itself
    /// needs no file.
    pub fn others(&self, step: &Step, row: &Row, ledger: &Ledger) -> BTreeSet<Verb> {
        let id = &step.id;
        let kept = |verb: Verb| {
            let stored = ledger.steps.get(id).is_some_and(|row| row.stored.contains(&verb));
            stored && self.is_known(id, verb, row)
        };
        let mut ran: BTreeMap<Verb, &Checksum> = BTreeMap::new();
        for phase in Phase::ALL.iter().filter(|phase| row.phase(**phase).really()) {
            let by = self.by(id, phase.verb());
            ran.extend(by.map(|by| (phase.verb(), &by.ran)));
            if let Some(rollback) = phase.rollback() {
                ran.extend(by.and_then(|by| by.back.as_ref()).map(|back| (rollback, back)));
                let begun = matches!(row.phase(*phase).state, PhaseState::RollingBack | PhaseState::RollbackFailed);
                ran.extend(self.by(id, rollback).filter(|_| begun).map(|by| (rollback, &by.ran)));
            }
        }
        ran.into_iter()
            .filter(|(verb, ran)| filed(step, *verb) != Some(*ran) && !kept(*verb))
            .map(|(verb, _)| verb)
            .collect()
    }

    /// The handwritten rollbacks that the ledger lacks, as they were kept when the step ran.
    pub fn backs(&self, step: &Step, row: &Row) -> Handlers {
        let back = |phase: &Phase| {
            let (verb, handler) = step.handlers.get_key_value(&phase.rollback()?)?;
            let then = self.by(&step.id, phase.verb())?.back.as_ref();
            (then == Some(&handler.checksum) && !row.stored.contains(verb)).then(|| (*verb, handler.clone()))
        };
        Phase::ALL.iter().filter(|phase| row.phase(**phase).really()).filter_map(back).collect()
    }

    /// Whether the commits say that a rollback was not there when the step ran, whatever the files have since.
    pub fn had_none(&self, id: &StepId, rollback: Verb) -> bool {
        self.by(id, rollback.phase().verb()).is_some_and(|by| by.back.is_none())
    }

    /// The checksum of the handler that ran.
    pub fn ran(trace: &Trace) -> Option<&Checksum> {
        trace.by.as_ref().map(|by| &by.ran)
    }
}

fn filed(step: &Step, verb: Verb) -> Option<&Checksum> {
    // An operation has one for all that is derived of it (O4).
    let declared = step.operation.as_ref().map(|declared| &declared.checksum);
    declared.or_else(|| step.handlers.get(&verb).map(|handler| &handler.checksum))
}

/// Whether a row is an operation's that nothing is kept of, but perhaps what a person has given for its way back.
pub(super) fn is_bare(row: &Row) -> bool {
    !row.stored.iter().any(|verb| verb.way() == Way::Forward)
}

/// The refusal of files that have a step otherwise than it ran; `others`: which of its handlers. None of them: they have no such step.
pub(super) fn refusal(project: &Project, id: &StepId, others: &BTreeSet<Verb>) -> Finding {
    let operation = project.step(id).is_some_and(|step| step.operation.is_some());
    let names: Vec<&str> = others.iter().map(|verb| verb.name()).collect();
    let what = match names.as_slice() {
        [] => "no file has the step".to_owned(),
        _ if operation => "its operation is another there".to_owned(),
        [name] => format!("its {name} is another there"),
        names => format!("its {} are others there", names.join(", ")),
    };
    let message = format!("step `{id}` did not run as the files have it: {what}");
    let finding = Finding::new(Class::Drift, "D7", message).way_out(
        "use the checkout that it ran from; if nobody has that any more: triphase repair rebuild --accept-loss --reason …, \
         which leaves the step without its handlers, and so without its way back",
    );
    finding.at(project.step(id).and_then(|step| project.place(step, others.first().copied().filter(|_| !operation))))
}
