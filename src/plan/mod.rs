//! What is to be done, from what is written and what has been done. Pure; a plan can't fail: what refuses is a finding in it, what must
//! wait is a wait.

mod adopted;
mod app_release;
mod as_ran;
mod back;
mod check;
mod cut;
mod decide;
mod ff;
mod forward;
mod guards;
pub mod machine;
mod open;
mod operations;
mod overlap;
mod played;
mod purge;
mod rebuild;
mod repair;
mod request;
mod resume;
mod stamp;
mod stranger;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod together;
mod unmade;
mod upgrade;
mod verb;

pub use adopted::{Known, stamp_wants};
pub use app_release::app_release;
pub use check::{advice, check};
pub use cut::{Broken, broken, cut};
pub use open::{Open, cut_short, leave_to_who_is_at_work, open, unclear};
pub use overlap::{tables, unreadable};
pub use rebuild::{no_purge, no_rebuild};
pub use repair::{About, Repair, RepairPlan, repair};
pub use request::{Ask, FfTo, Request, Scope};
pub use stamp::Mark;
pub use task::{Cut, Plan, Task, Wait, Wants};
pub use unmade::leave_unmade;

use crate::{
    ledger::{Facts, Ledger, Row, drift},
    model::{Class, Finding, Guards, PhaseState, StepId, Way},
    release::Project,
};
use played::Played;
use std::collections::{BTreeMap, BTreeSet};

/// What a request wants to know besides the ledger: the texts that rollbacks run, those of open statements and of operations that have
/// begun, and the tables of operations.
pub fn wants(project: &Project, ledger: &Ledger, request: &Request) -> Wants {
    let back = match &request.ask {
        Ask::Verb { verb, .. } => verb.way() == Way::Back,
        Ask::Ff { .. } => false,
    };
    let mut stored: BTreeSet<StepId> =
        if back { ledger.steps.keys().cloned().collect() } else { half_way(ledger).cloned().collect() };
    let mut tables = BTreeMap::new();
    if !back {
        operations::wants(project, ledger, request, &mut stored, &mut tables);
    }
    Wants { stored: stored.into_iter().collect(), tables: tables.into_iter().collect() }
}

/// The steps that are applied in part. They go on or back by what the ledger keeps of them, and that is what is said of them.
pub fn half_way(ledger: &Ledger) -> impl Iterator<Item = &StepId> {
    let at_work = |state| match state {
        PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => true,
        PhaseState::Pending | PhaseState::Done | PhaseState::RolledBack => false,
    };
    let half = move |row: &Row| row.phases.iter().any(|phase| phase.committed() && at_work(phase.state));
    ledger.steps.iter().filter(move |(_, row)| half(row)).map(|(id, _)| id)
}

/// Plans a request. Never fails: what refuses is in [`Plan::findings`]. `file`: the guards that the target file names.
pub fn plan(project: &Project, facts: &Facts, file: &Guards, request: &Request) -> Plan {
    let resolved = match &request.ask {
        Ask::Verb { verb, .. } if verb.way() == Way::Back => operations::Resolved::untouched(project, facts),
        Ask::Verb { .. } | Ask::Ff { .. } => operations::resolve(project, facts),
    };
    let mut played = Played::new(&resolved.project, facts, file);
    played.refused.clone_from(&resolved.refused);
    if let Some(finding) = facts.ledger.format.and_then(repair::old_format) {
        return Plan { findings: vec![finding], ..Plan::default() };
    }
    match &request.ask {
        Ask::Ff { to, phase } => {
            if files_are_sound(&mut played) {
                ff::ff(&mut played, to, *phase, request);
                ahead(&mut played);
            }
        }
        Ask::Verb { verb, scope } => match verb.way() {
            Way::Forward => {
                if files_are_sound(&mut played) {
                    verb::forward_verb(&mut played, *verb, scope, request);
                    ahead(&mut played);
                }
            }
            Way::Back => verb::back_verb(&mut played, *verb, scope, request),
        },
    }
    let mut plan = played.plan;
    resolved.say(&mut plan);
    if plan.findings.is_empty() {
        plan.findings = overlap::refusals(&plan, facts, &resolved.columns);
        plan.warnings.extend(overlap::unread(&plan, facts));
    }
    if plan.findings.is_empty() && plan.tasks.is_empty() && plan.waits.is_empty() && plan.notes.is_empty() {
        let back = matches!(&request.ask, Ask::Verb { verb, .. } if verb.way() == Way::Back);
        // At night a mistyped target must not look like a rollback that went well.
        let nowhere = back && facts.ledger.format.is_none();
        plan.notes.push(if nowhere {
            "nothing to do: this target has no ledger".into()
        } else {
            "nothing to do".into()
        });
    }
    if !plan.findings.is_empty() {
        plan.tasks.clear();
        plan.waits.clear();
    }
    plan
}

/// Bad files and lost steps refuse every forward command (G8).
fn files_are_sound(played: &mut Played<'_>) -> bool {
    played.plan.findings.extend(played.project.findings.iter().cloned());
    if played.plan.findings.is_empty() && played.project.releases.is_empty() {
        played.plan.findings.push(no_releases());
    }
    if played.plan.findings.is_empty() {
        played.plan.findings.extend(drift::missing(played.project, &played.facts.ledger));
    }
    played.plan.findings.is_empty()
}

/// No release at all is a wrong folder, or a checkout that is not there, far more often than a project without any: a deployment must
/// not go on as if all were done.
fn no_releases() -> Finding {
    Finding::new(Class::Usage, "F1", "no releases found in releases/")
        .way_out("give the project folder with --path, or write a first release: triphase init")
}

/// A target that is ahead of the files (L11): nothing of its own pending is fine, anything else is refused.
fn ahead(played: &mut Played<'_>) {
    let Some(version) = drift::ahead(played.project, &played.facts.ledger) else { return };
    let said = format!("the target is ahead: it has release `{version}`, newer than all in the files");
    // An empty phase counts as done, run or not (L1): left to the checkout that is newest.
    let pending = played.plan.tasks.iter().any(|task| !task.is_empty());
    if !pending && played.plan.waits.iter().all(|wait| !wait.blocks_add) {
        played.plan.tasks.clear();
        played.plan.notes.push(said);
    } else {
        played.plan.waits.clear();
        played.plan.findings.push(Finding::new(Class::Guard, "L11", said).way_out("use the checkout that has it"));
    }
}
/// The facts as they are after a plan was carried out: what the advice for the next command goes by, with no second read.
pub fn after(project: &Project, facts: &Facts, plan: &Plan) -> Facts {
    let mut played = Played::new(project, facts, &Guards::default());
    played.play(plan.tasks.clone());
    let mut after = facts.clone();
    after.ledger.steps = played.steps.into_owned();
    after
}
