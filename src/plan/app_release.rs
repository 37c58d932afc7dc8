//! Whether an application may start on a target (`check --app-release`).

use super::{guards, played::Played};
use crate::{
    ledger::{Facts, Ledger, Row},
    model::{Class, Finding, Guards, Phase, PhaseState, StepId, Verb, Version},
    release::Project,
};
use std::collections::BTreeSet;

/// What keeps the application of release `app` from working on a target: adds up to it that are not done (class pending), and what a later
/// release has hidden or removed already (class guard). `app` need not be a release: an application that changes no schema lies between two.
///
/// A release that the files lack is answered from the ledger. Where neither reaches as far as `app`, its add can't have been run. Files that
/// can't be read decide nothing, and are all that is found.
pub fn app_release(project: &Project, facts: &Facts, app: &Version) -> Vec<Finding> {
    if !project.findings.is_empty() {
        return project.findings.clone();
    }
    let mut findings = contracted(&facts.ledger, app);
    findings.extend(missing_adds(project, facts, app));
    findings
}

/// Handlers of later releases that take away what the application needs. A drop counts like a simdrop: a step may have only the one.
fn contracted(ledger: &Ledger, app: &Version) -> Vec<Finding> {
    let begun = |row: &Row, phase: Phase| match row.phase(phase).state {
        // It may be at work at this moment, with nothing known to have committed.
        PhaseState::Running => true,
        PhaseState::Pending
        | PhaseState::Done
        | PhaseState::Failed
        | PhaseState::RollingBack
        | PhaseState::RolledBack
        | PhaseState::RollbackFailed => row.phase(phase).really(),
    };
    let taken = |row: &Row| [Phase::Drop, Phase::Simdrop].into_iter().find(|phase| begun(row, *phase));
    ledger
        .steps
        .iter()
        .filter(|(id, _)| id.release > *app)
        .filter_map(|(id, row)| Some((id, taken(row)?)))
        .map(|(id, phase)| {
            let way_out = match phase {
                Phase::Drop => "a drop has no way back: start an application that does without it".to_owned(),
                Phase::Add | Phase::Simdrop => format!(
                    "start the application of `{0}`, or bring it back: triphase {1} {0}",
                    id.release,
                    Verb::RollbackSimdrop
                ),
            };
            let message =
                format!("the application of `{app}` can't run here: {phase} of the later step `{id}` has begun");
            Finding::new(Class::Guard, "", message).way_out(way_out)
        })
        .collect()
}

fn missing_adds(project: &Project, facts: &Facts, app: &Version) -> Vec<Finding> {
    let reached = |version: &Version| version <= app;
    let known: BTreeSet<&Version> =
        facts.ledger.releases().into_iter().chain(project.releases.iter().map(|release| &release.version)).collect();
    if known.last().is_none_or(|newest| *newest < app) {
        let newest =
            known.last().map_or_else(|| "there is none".to_owned(), |newest| format!("the newest is `{newest}`"));
        let message = format!("neither files nor ledger know a release as new as `{app}`: {newest}");
        return vec![
            Finding::new(Class::Pending, "", message)
                .way_out(format!("run it from the files that have it: triphase add {app}")),
        ];
    }
    let played = Played::new(project, facts, &Guards::default());
    let mut missing: Vec<&StepId> = vec![];
    for version in known.into_iter().filter(|version| reached(version)) {
        match project.release(version) {
            Some(release) => {
                let open = guards::counted(release).filter(|step| !guards::through(&played, step, Phase::Add));
                missing.extend(open.map(|step| &step.id));
            }
            None => {
                let open = |row: &Row| row.phase(Phase::Add).state != PhaseState::Done && !row.phase(Phase::Add).empty;
                missing.extend(facts.ledger.of(version).filter(|(_, row)| open(row)).map(|(id, _)| id));
            }
        }
    }
    missing
        .into_iter()
        .map(|id| {
            let state = facts.ledger.steps.get(id).map_or(PhaseState::Pending, |row| row.phase(Phase::Add).state);
            let message = format!("the application of `{app}` needs the add of step `{id}`, which is {state}");
            Finding::new(Class::Pending, "", message).way_out(format!("triphase add {}", id.release))
        })
        .collect()
}
