//! A person's word about the ledger (`repair`, `rollout`, `stamp`, `import`): what becomes of the rows. Pure.

use super::{
    Scope,
    adopted::Known,
    decide::decide,
    purge, rebuild,
    stamp::{self, Mark},
    upgrade,
    verb::applied_step,
};
use crate::{
    action::Handler,
    ledger::{Entry, Event, Format, Ledger, Left, Outcome, Row, Traces},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb, Version, Way},
    release::Project,
};

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// About what.
    pub about: About,
    /// Why (`--reason`); recorded.
    pub reason: String,
}

/// About what a repair is.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// The open statement (from 1; without it, all of the phase) has been applied (`true`), or has not: the answer to exit 5.
    Decide {
        /// A step.
        step: Scope,
        /// Which phase.
        phase: Phase,
        /// Statement, from 1.
        statement: Option<u32>,
        /// Applied, or not.
        done: bool,
    },
    /// The files' checksums are right: drift is accepted (L7).
    Accept {
        /// A step.
        step: Scope,
    },
    /// The ledger forgets a step.
    Forget {
        /// A step.
        step: Scope,
    },
    /// A step's row gets another identity, one that the files have (L11).
    Rename {
        /// The step as the ledger has it.
        step: Scope,
        /// The step as the files have it.
        to: Scope,
    },
    /// A stored handler is replaced (L2).
    Handler {
        /// A step.
        step: Scope,
        /// Which of its handlers.
        verb: Verb,
        /// By what.
        handler: Handler,
    },
    /// The ledger of a lake is made anew from what its tables say (D7).
    Rebuild {
        /// What they say; the run reads it.
        traces: Box<Traces>,
        /// A step of which the files have not what ran may be left without its handlers.
        accept_loss: bool,
    },
    /// What triphase left in a lake's tables goes (O9).
    Purge {
        /// Only what this step left.
        step: Option<Scope>,
        /// What there is; the run reads it.
        left: Vec<Left>,
    },
    /// The ledger gets the newest format that this binary knows (L8).
    UpgradeLedger,
    /// The release's application is rolled out, or is not after all (G6).
    Rollout {
        /// Whose.
        release: Version,
        /// Said, or revoked.
        said: bool,
    },
    /// Phases were done without triphase (`stamp`).
    Stamp {
        /// A release, or a step of it.
        scope: Scope,
        /// Up to which phase.
        phase: Phase,
        /// Earlier releases are left as they are (`--only`).
        only: bool,
        /// The tables and stored handlers of its operations; the run reads them.
        known: Box<Known>,
    },
    /// Another tool says which phases are done (`import`, `init`).
    Adopt {
        /// What it says.
        marks: Vec<Mark>,
    },
}

impl About {
    /// Whether it makes the ledger anew, and must be able to open a target whose ledger is damaged.
    pub const fn mends(&self) -> bool {
        matches!(self, Self::Rebuild { .. })
    }

    /// Whether it removes what triphase left in a lake's tables.
    pub const fn purges(&self) -> bool {
        matches!(self, Self::Purge { .. })
    }
}

/// What a repair writes, or why not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepairPlan {
    /// For the ledger, in one transaction.
    pub entries: Vec<Entry>,
    /// What is removed from the target's tables.
    pub purge: Vec<Left>,
    /// What refuses.
    pub findings: Vec<Finding>,
    /// What it comes to, one line each.
    pub notes: Vec<String>,
}

impl RepairPlan {
    /// Whether there is nothing to write and nothing to remove.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.purge.is_empty()
    }
}

impl Repair {
    /// Whether a protected target asks for it (G9): everything but a rollout's word.
    pub const fn asks(&self) -> bool {
        match self.about {
            About::Decide { .. }
            | About::Accept { .. }
            | About::Forget { .. }
            | About::Rename { .. }
            | About::Handler { .. }
            | About::Rebuild { .. }
            | About::Purge { .. }
            | About::UpgradeLedger
            | About::Stamp { .. }
            | About::Adopt { .. } => true,
            About::Rollout { .. } => false,
        }
    }
}

/// Plans a repair.
pub fn repair(project: &Project, ledger: &Ledger, repair: &Repair) -> RepairPlan {
    let mut plan = RepairPlan::default();
    if let Some(finding) = ledger.format.and_then(old_format).filter(|_| repair.about != About::UpgradeLedger) {
        plan.findings.push(finding);
        return plan;
    }
    let outcome = match &repair.about {
        About::Decide { step, phase, statement, done } => {
            decide(project, ledger, repair, step, *phase, *statement, *done)
        }
        About::Accept { step } => accept(project, ledger, repair, step),
        About::Forget { step } => forget(project, ledger, repair, step),
        About::Rename { step, to } => rename(project, ledger, repair, step, to),
        About::Handler { step, verb, handler } => replaced(ledger, repair, step, *verb, handler),
        About::UpgradeLedger => upgrade::upgrade(ledger, &repair.reason),
        About::Rollout { release, said } => rollout(project, ledger, repair, release, *said),
        About::Stamp { scope, phase, only, known } => {
            return stamp::stamp(project, ledger, known, (scope, *phase, *only), &repair.reason);
        }
        About::Rebuild { traces, accept_loss } => {
            return rebuild::rebuild(project, ledger, traces, *accept_loss, &repair.reason);
        }
        About::Purge { step, left } => return purge::purge(ledger, left, step.as_ref()),
        About::Adopt { marks } => return stamp::marked(project, ledger, marks, &repair.reason),
    };
    match outcome {
        Ok((entries, note)) => {
            plan.entries = entries;
            plan.notes.push(note);
        }
        Err(finding) => plan.findings.push(finding),
    }
    plan
}

pub(super) type Word = Result<(Vec<Entry>, String), Finding>;

pub(super) fn refuse(class: Class, message: String, way_out: &str) -> Finding {
    Finding::new(class, "", message).way_out(way_out)
}

pub(super) fn event(id: &StepId, verb: &str, statement: Option<u32>, reason: &str) -> Event {
    Event {
        release: Some(id.release.clone()),
        step: Some(id.step.clone()),
        verb: format!("repair {verb}"),
        statement,
        hash: None,
        outcome: Outcome::Recorded,
        detail: Some(reason.to_owned()),
    }
}

/// The ledger's row of a step, by name or id.
pub(super) fn row(ledger: &Ledger, step: &Scope) -> Result<(StepId, Row), Finding> {
    let Scope::Step(version, name) = step else {
        return Err(refuse(Class::Usage, "a repair is about one step".into(), "name it: vN/step"));
    };
    applied_step(&ledger.steps, version, name)?
        .map(|(id, row)| (id.clone(), row.clone()))
        .ok_or_else(|| refuse(Class::Usage, format!("the ledger has no step `{version}/{name}`"), "see: triphase show"))
}

/// Another handler in the place of the one that the ledger keeps for a rollback (L2).
fn replaced(ledger: &Ledger, repair: &Repair, step: &Scope, verb: Verb, handler: &Handler) -> Word {
    let (id, _) = row(ledger, step)?;
    if verb.way() == Way::Forward {
        let message =
            format!("the {verb} handler of step `{id}` is the release file's: the ledger only keeps what ran");
        let way_out = "edit the file; for the way back: triphase repair handler vN/step rollback_add --file F";
        return Err(refuse(Class::Usage, message, way_out));
    }
    if handler.actions.is_empty() {
        let message = format!("the file has no statement: a {verb} of step `{id}` by it would take nothing back");
        let way_out = "give a file with the statements; if nothing is to be taken back, write `SELECT 1`";
        return Err(refuse(Class::Usage, message, way_out));
    }
    let s = if handler.actions.len() == 1 { "" } else { "s" };
    let note = format!("the stored {verb} handler of step `{id}` is replaced ({} statement{s})", handler.actions.len());
    let event = event(&id, &format!("handler {verb}"), None, &repair.reason);
    Ok((vec![Entry::Keep { id, handlers: [(verb, handler.clone())].into(), event }], note))
}

/// A file that is not valid says nothing of what a step is.
pub(super) fn readable(project: &Project, version: &Version) -> Result<(), Finding> {
    if project.is_sound(version) {
        return Ok(());
    }
    let message = format!("the file of release `{version}` is not valid: what its handlers are is not known");
    Err(refuse(Class::Usage, message, "mend it first: triphase check lists what is wrong"))
}

fn accept(project: &Project, ledger: &Ledger, repair: &Repair, step: &Scope) -> Word {
    let (id, mut row) = row(ledger, step)?;
    readable(project, &id.release)?;
    let Some(filed) = project.step(&id) else {
        return Err(refuse(
            Class::Usage,
            format!("no file has step `{id}`"),
            "put it back, or: triphase repair forget, or repair rename",
        ));
    };
    for phase in Phase::ALL {
        let at = &mut row.phases[phase.index()];
        if let Some(declared) = &filed.operation {
            // One checksum for all that has run; the handlers stay as they were derived (O4).
            if at.checksum.is_some() {
                at.checksum = Some(declared.checksum.clone());
            }
        } else if at.state == PhaseState::Done {
            at.checksum = filed.checksum(*phase).filter(|_| filed.has(phase.verb())).cloned();
        } else if matches!(at.state, PhaseState::Running | PhaseState::Failed)
            && let Some(handler) = filed.handlers.get(&phase.verb())
        {
            at.hashes = handler.actions.iter().map(crate::action::Action::hash).collect();
        } else if at.state == PhaseState::Pending {
            at.empty = !filed.has(phase.verb());
        }
    }
    let note = format!("the files' text of step `{id}` is accepted as what ran");
    let event = event(&id, "accept", None, &repair.reason);
    Ok((vec![Entry::Replace { id, row: Some(row), event }], note))
}

/// A step that the files lack is forgotten (L11). One that they have would only be pending again, and run a second time.
fn forget(project: &Project, ledger: &Ledger, repair: &Repair, step: &Scope) -> Word {
    let (id, row) = row(ledger, step)?;
    if row.has_progress() && project.step(&id).is_some_and(|filed| !filed.deleted) {
        let message = format!("step `{id}` has run and is in the files: forgotten, it would run again");
        let way_out = format!(
            "to take it back: triphase rollback_add {id}; if its text was edited: triphase repair accept {id} --reason …; to be rid of it, \
             take it out of the file first, or say `deleted: true` there"
        );
        return Err(Finding::new(Class::Guard, "L11", message).way_out(way_out));
    }
    let note = format!("the ledger forgets step `{id}`");
    let event = event(&id, "forget", None, &repair.reason);
    Ok((vec![Entry::Replace { id, row: None, event }], note))
}

fn rename(project: &Project, ledger: &Ledger, repair: &Repair, step: &Scope, to: &Scope) -> Word {
    let (from, _) = row(ledger, step)?;
    let Scope::Step(version, name) = to else {
        return Err(refuse(Class::Usage, "a step is renamed to a step".into(), "name it: vN/step"));
    };
    let Some(filed) =
        project.release(version).and_then(|r| r.steps.iter().find(|s| s.id.step == *name || s.name == *name))
    else {
        return Err(refuse(Class::Usage, format!("no file has step `{version}/{name}`"), "write it first"));
    };
    if ledger.steps.contains_key(&filed.id) {
        return Err(refuse(Class::Usage, format!("the ledger has step `{}` already", filed.id), "see: triphase show"));
    }
    let to = ledger.spelt_step(&filed.id);
    let note = format!("step `{from}` is `{to}` from now on");
    let event = event(&from, "rename", None, &repair.reason);
    Ok((vec![Entry::Rename { from, to, name: filed.name.clone(), event }], note))
}

/// An old format is read, and not written (L8).
pub(super) fn old_format(format: Format) -> Option<Finding> {
    format.is_old().then(|| {
        let message = format!("the ledger has the old format {format}; this triphase writes {}", Format::CURRENT);
        Finding::new(Class::Decision, "L8", message)
            .way_out("finish what is between add and drop with the triphase that wrote it, then: triphase repair upgrade-ledger --reason …")
    })
}

fn rollout(project: &Project, ledger: &Ledger, repair: &Repair, release: &Version, said: bool) -> Word {
    let release = &ledger.spelt(release);
    let added = ledger.of(release).any(|(_, row)| row.phase(Phase::Add).state == PhaseState::Done);
    if project.release(release).is_none() && !added {
        return Err(refuse(
            Class::Usage,
            format!("release `{release}` is neither in the files nor in the ledger"),
            "see: triphase show",
        ));
    }
    if said && !added {
        return Err(refuse(
            Class::Guard,
            format!("release `{release}` is not added: its application can't be rolled out"),
            "run its add first",
        ));
    }
    if said == ledger.rollouts.contains_key(release) {
        let state = if said { "is said to be rolled out already" } else { "is not said to be rolled out" };
        return Ok((Vec::new(), format!("nothing to do: release `{release}` {state}")));
    }
    let note = if said {
        format!("release `{release}` is rolled out")
    } else {
        format!("the rollout of release `{release}` is revoked")
    };
    let event = Event {
        release: Some(release.clone()),
        step: None,
        verb: "rollout".into(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: Some(if said { repair.reason.clone() } else { format!("revoked: {}", repair.reason) }),
    };
    Ok((vec![Entry::Rollout { release: release.clone(), said, event }], note))
}
