//! `ff`: releases in order, each through add, simdrop, drop, as far as the guards allow.

use super::{FfTo, Request, Wait, forward, guards, played::Played};
use crate::{
    ledger::drift,
    model::{Finding, Phase, Verb, Version},
    release::Release,
};

/// Plans `ff`: tasks, waits and findings go into `played.plan`.
pub(super) fn ff(played: &mut Played<'_>, to: &FfTo, stop_after: Option<Phase>, request: &Request) {
    let project = played.project;
    let range: Vec<&Release> = match to {
        FfTo::All => project.releases.iter().collect(),
        FfTo::Next => project
            .releases
            .iter()
            .find(|r| if request.within.is_some() { request.may_mean(&r.version) } else { work_left(played, r) })
            .into_iter()
            .collect(),
        FfTo::Release(version) => match super::verb::known(project, &played.steps, version) {
            Ok(_) => project.releases.iter().filter(|r| r.version <= *version).collect(),
            Err(finding) => return played.plan.findings.push(finding),
        },
    };
    // Files, drift and open decisions first, over the whole range.
    played.plan.findings.extend(edited(played, &range));
    for release in &range {
        for phase in Phase::ALL {
            let unsound = forward::unsound(played, release, *phase);
            played.plan.findings.extend(unsound);
        }
    }
    if !played.plan.findings.is_empty() {
        return;
    }
    for release in range {
        let named = matches!(to, FfTo::Release(version) if *version == release.version);
        for phase in Phase::ALL.iter().filter(|phase| stop_after.is_none_or(|last| **phase <= last)) {
            if !go(played, release, *phase, named, request) {
                break;
            }
        }
        // What G1 stops it stops for every later release too: said once.
        if played.plan.waits.last().is_some_and(|wait| wait.blocks_add && wait.rule == "G1") {
            break;
        }
    }
}

/// Plans one phase; `false` where the release must wait there.
fn go(played: &mut Played<'_>, release: &Release, phase: Phase, named: bool, request: &Request) -> bool {
    let works = forward::pending(played, release, phase.verb());
    if works && phase != Phase::Add && played.guards.is_protected() && !request.contract {
        let why = format!(
            "the target is `protected: true`: ff stops after add; run: triphase {phase} {}, or ff --contract",
            release.version
        );
        // Who rolled back is told wherever that is why it waits.
        let back = forward::advance(played, release, phase, None, named, request.out_of_order).refused;
        let back = back.iter().filter(|finding| finding.rule == "G7").map(said);
        let why = back.chain([why]).collect::<Vec<_>>().join("; ");
        played.plan.waits.push(wait(&release.version, phase, "G9", why));
        return false;
    }
    let advance = forward::advance(played, release, phase, None, named, request.out_of_order);
    if let Some(first) = advance.refused.first() {
        let why = advance.refused.iter().map(said).collect::<Vec<_>>().join("; ");
        let rule = first.rule;
        played.plan.waits.push(Wait {
            until: advance.until,
            blocks_add: phase == Phase::Add,
            ..wait(&release.version, phase, rule, why)
        });
        return false;
    }
    played.play(advance.tasks);
    true
}

fn said(finding: &Finding) -> String {
    format!("{}; {}", finding.message, finding.way_out)
}

fn wait(release: &Version, phase: Phase, rule: &'static str, why: String) -> Wait {
    Wait { release: release.clone(), phase, rule, why, until: None, blocks_add: false }
}

/// Whether anything of a release is still to be done or recorded.
fn work_left(played: &Played<'_>, release: &Release) -> bool {
    Phase::ALL.iter().any(|phase| guards::counted(release).any(|step| !guards::through(played, step, *phase)))
}

/// Drift of the steps in range (L7).
pub(super) fn edited(played: &Played<'_>, range: &[&Release]) -> Vec<Finding> {
    range
        .iter()
        .flat_map(|release| guards::counted(release))
        .filter_map(|step| played.row(&step.id).map(|row| drift::edited(played.project, step, row)))
        .flatten()
        .collect()
}

/// The verbs of a release that have work, for `check` and the hints.
pub(super) fn pending_verbs(played: &Played<'_>, release: &Release) -> Vec<Verb> {
    Phase::ALL.iter().map(|p| p.verb()).filter(|verb| forward::pending(played, release, *verb)).collect()
}
