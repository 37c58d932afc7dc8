//! Where files and ledger differ (rules L7, L11).

use super::{Ledger, Row};
use crate::{
    action::Checksum,
    model::{Class, Finding, Phase, PhaseState, StepId, Version},
    release::{Project, Step},
};

/// Handlers that have run and were edited since (L7). A phase that was passed while it was empty and has a handler now is drift too:
/// it would never run. Edits of what has committed only in part are found where it is resumed (L6).
pub fn edited(project: &Project, step: &Step, row: &Row) -> Vec<Finding> {
    if let Some(declared) = &step.operation {
        let found = operation_edited(step, &declared.checksum, row);
        return found.into_iter().map(|finding| finding.at(project.place(step, None))).collect();
    }
    Phase::ALL
        .iter()
        .filter(|phase| row.phase(**phase).state == PhaseState::Done)
        .filter(|phase| step.checksum(**phase).filter(|_| step.has(phase.verb())) != recorded(row, **phase))
        .map(|phase| {
            let what = match (step.has(phase.verb()), recorded(row, *phase).is_some()) {
                (true, true) => "was edited after it ran",
                (true, false) => "was added after the phase had passed without it",
                (false, _) => "was removed after it ran",
            };
            let found = Finding::new(Class::Drift, "L7", format!("the {phase} handler of step `{}` {what}", step.id));
            let found = found.way_out(format!(
                "put the text back and write a new step for the change, or record the edit: triphase repair accept {} --reason …",
                step.id
            ));
            found.at(project.place(step, Some(phase.verb())))
        })
        .collect()
}

/// An operation has one checksum for all its phases (O4): once one of them has run, it stands.
fn operation_edited(step: &Step, now: &Checksum, row: &Row) -> Option<Finding> {
    let ran = |phase: &&Phase| row.phase(**phase).state == PhaseState::Done;
    let phase = Phase::ALL.iter().filter(ran).find(|phase| recorded(row, **phase).is_some_and(|then| then != now))?;
    Some(
        Finding::new(
            Class::Drift,
            "O4",
            format!("the operation of step `{}` was edited after its {phase} had run", step.id),
        )
        .way_out(format!(
            "put the fields back and write a new step for the change, or record the edit: triphase repair accept {} --reason …",
            step.id
        )),
    )
}

fn recorded(row: &Row, phase: Phase) -> Option<&Checksum> {
    row.phase(phase).checksum.as_ref()
}

/// Ledger steps that the files lack (L11): not those of a finished release whose file is gone, nor of releases newer than all files.
pub fn missing(project: &Project, ledger: &Ledger) -> Vec<Finding> {
    let newest = project.releases.last().map(|r| &r.version);
    ledger
        .steps
        .iter()
        .filter(|(id, _)| project.step(id).is_none() && project.is_sound(&id.release))
        .filter(|(id, _)| newest.is_none_or(|newest| id.release <= *newest))
        .filter(|(id, _)| project.release(&id.release).is_some() || !finished(ledger, &id.release))
        .map(|(id, row)| {
            let near = nearest_pending(project, ledger, id);
            let rename = near.map_or_else(String::new, |near| {
                format!("if it is step `{near}` now: triphase repair rename {id} {near} --reason …; ")
            });
            Finding::new(Class::Drift, "L11", format!("step `{id}` ({}) is in the ledger and in no file", row.name)).way_out(format!(
                "{rename}put the step back (`deleted: true` keeps it from running), or: triphase repair forget {id} --reason …"
            ))
        })
        .collect()
}

/// Whether all that the ledger knows of a release is done, or empty.
pub fn finished(ledger: &Ledger, release: &Version) -> bool {
    ledger
        .of(release)
        .all(|(_, row)| row.phases.iter().all(|p| p.state == PhaseState::Done || (p.empty && !p.committed())))
}

/// The releases that the files do not reach: newer than all of them, with progress.
pub fn ahead<'a>(project: &Project, ledger: &'a Ledger) -> Option<&'a Version> {
    let newest = &project.releases.last()?.version;
    ledger.steps.iter().rev().find(|(id, row)| id.release > *newest && row.has_progress()).map(|(id, _)| &id.release)
}

fn nearest_pending<'a>(project: &'a Project, ledger: &Ledger, lost: &StepId) -> Option<&'a StepId> {
    project
        .release(&lost.release)?
        .steps
        .iter()
        .filter(|step| !step.id.is_hook() && !ledger.steps.contains_key(&step.id))
        .max_by(|a, b| {
            strsim::jaro_winkler(&a.id.step, &lost.step).total_cmp(&strsim::jaro_winkler(&b.id.step, &lost.step))
        })
        .map(|step| &step.id)
}
