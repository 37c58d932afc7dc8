//! A single-phase command: what its scope means, and which release is meant where it names none.

use super::{
    Request, Scope, Task,
    back::{self, Back},
    ff, forward, guards,
    played::Played,
};
use crate::{
    ledger::Row,
    model::{Class, Finding, Phase, StepId, Verb, Version},
    release::{Project, Release, Step},
};
use std::collections::{BTreeMap, BTreeSet};

/// A phase of what the scope names: forward.
pub(super) fn forward_verb(played: &mut Played<'_>, verb: Verb, scope: &Scope, request: &Request) {
    let (release, only) = match scope {
        Scope::Auto => return auto(played, verb, request),
        Scope::Release(version) => match known(played.project, &played.steps, version) {
            Ok(release) => (release, None),
            Err(finding) => return played.plan.findings.push(finding),
        },
        Scope::Step(version, name) => {
            match known(played.project, &played.steps, version).and_then(|r| known_step(r, name).map(|s| (r, Some(s))))
            {
                Ok(both) => both,
                Err(finding) => return played.plan.findings.push(finding),
            }
        }
    };
    if let Some(step) = only.filter(|step| step.deleted) {
        played.plan.findings.push(
            Finding::new(
                Class::Guard,
                "F5",
                format!("step `{}` is `deleted: true`: it is never pushed forward", step.id),
            )
            .way_out("take `deleted` off to bring it back"),
        );
        return;
    }
    played.plan.findings.extend(ff::edited(played, &[release]));
    let advance = forward::advance(played, release, verb.phase(), only, true, request.out_of_order);
    played.plan.findings.extend(advance.findings);
    played.plan.findings.extend(advance.refused);
    played.play(advance.tasks);
}

/// The one release that is eligible (contract, section C): it has work, and no guard refuses.
fn auto(played: &mut Played<'_>, verb: Verb, request: &Request) {
    let project = played.project;
    let mut refused = Vec::new();
    let mut eligible = Vec::new();
    for release in project.releases.iter().filter(|r| request.may_mean(&r.version) && forward::pending(played, r, verb))
    {
        // Only the first refusal is told; of a long history nobody wants all those of the releases behind it.
        if verb == Verb::Add
            && !refused.is_empty()
            && guards::earlier_unfinished(played, release, Phase::Add).next().is_some()
        {
            continue;
        }
        let mut advance = forward::advance(played, release, verb.phase(), None, false, request.out_of_order);
        let mut findings = ff::edited(played, &[release]);
        findings.append(&mut advance.findings);
        findings.append(&mut advance.refused);
        if findings.is_empty() {
            eligible.push((&release.version, advance.tasks));
        } else {
            refused.push(findings);
        }
    }
    choose(played, verb, eligible, refused.into_iter().next());
}

fn choose(
    played: &mut Played<'_>,
    verb: Verb,
    mut eligible: Vec<(&Version, Vec<Task>)>,
    refused: Option<Vec<Finding>>,
) {
    if eligible.len() > 1 {
        let names = eligible.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>().join(", ");
        played.plan.findings.push(
            Finding::new(Class::Usage, "", format!("several releases could be meant by `{verb}`: {names}"))
                .way_out(format!("name one: triphase {verb} {}", eligible[0].0)),
        );
    } else if let Some((_, tasks)) = eligible.pop() {
        played.play(tasks);
    } else if let Some(findings) = refused {
        played.plan.findings.extend(findings);
    }
}

/// A rollback of what the scope names, from the ledger.
pub(super) fn back_verb(played: &mut Played<'_>, verb: Verb, scope: &Scope, request: &Request) {
    if let Some(first) = played.project.findings.first() {
        let more = played.project.findings.len() - 1;
        let and = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        played
            .plan
            .warnings
            .push(format!("the release files are not valid: {}{and}; rolling back from the ledger", first.message));
    }
    if played.project.findings.is_empty() && played.project.releases.is_empty() {
        played.plan.warnings.push("no releases found in releases/; rolling back from the ledger".into());
    }
    let back = match scope {
        Scope::Auto => {
            let mut refused = None;
            let mut eligible = Vec::new();
            let releases: BTreeSet<_> = played.steps.keys().map(|id| id.release.clone()).collect();
            for release in releases.iter().filter(|release| request.may_mean(release)) {
                let back = back::back(played, release, verb, None, request);
                if !back.findings.is_empty() {
                    refused = Some(back.findings);
                } else if back.tasks.iter().any(|task| !task.is_empty()) {
                    played.plan.warnings.extend(back.warnings);
                    eligible.push((release, back.tasks));
                }
            }
            return choose(played, verb, eligible, refused);
        }
        Scope::Release(version) => {
            if !played.steps.keys().any(|id| id.release == *version)
                && let Err(finding) = known(played.project, &played.steps, version)
            {
                return played.plan.findings.push(finding);
            }
            back::back(played, version, verb, None, request)
        }
        Scope::Step(version, name) => {
            let found = applied_step(&played.steps, version, name).map(|found| found.map(|(id, _)| id.clone()));
            match found {
                Err(finding) => return played.plan.findings.push(finding),
                Ok(Some(id)) => back::back(played, version, verb, Some(&id), request),
                Ok(None) => match known(played.project, &played.steps, version).and_then(|r| known_step(r, name)) {
                    Ok(_) => Back::default(),
                    Err(finding) => return played.plan.findings.push(finding),
                },
            }
        }
    };
    played.plan.findings.extend(back.findings);
    played.plan.warnings.extend(back.warnings);
    played.play(back.tasks);
}

/// The release of that version, or who is nearest.
pub(super) fn known<'a>(
    project: &'a Project,
    applied: &BTreeMap<StepId, Row>,
    version: &Version,
) -> Result<&'a Release, Finding> {
    project.release(version).ok_or_else(|| {
        // An older checkout, most often: what it has is not what was meant.
        let applied = applied.keys().any(|id| id.release == *version);
        let near = project.releases.iter().max_by(|a, b| {
            near(a.version.as_str(), version.as_str()).total_cmp(&near(b.version.as_str(), version.as_str()))
        });
        let finding = Finding::new(Class::Usage, "F1", format!("release `{version}` is not in releases/"));
        match near {
            _ if applied => finding.way_out("the ledger has it: use the checkout that has its file"),
            Some(near) => finding.way_out(format!("did you mean `{}`?", near.version)),
            None => finding.way_out("releases/ is empty: write a first release, or run triphase init"),
        }
    })
}

/// The step of that name or id, or who is nearest.
pub(super) fn known_step<'a>(release: &'a Release, name: &str) -> Result<&'a Step, Finding> {
    release.steps.iter().find(|step| step.id.step == name || step.name == name).ok_or_else(|| {
        let nearest = release.steps.iter().max_by(|a, b| near(&a.name, name).total_cmp(&near(&b.name, name)));
        Finding::new(Class::Usage, "F5", format!("release `{}` has no step `{name}`", release.version)).way_out(
            nearest.map_or_else(String::new, |step| format!("did you mean `{}/{}`?", release.version, step.name)),
        )
    })
}

/// The step of that name or id in the ledger.
///
/// # Errors
/// Where one has the name and another the id: nothing is done to either then (F5).
pub(super) fn applied_step<'a>(
    steps: &'a BTreeMap<StepId, Row>,
    version: &Version,
    name: &str,
) -> Result<Option<(&'a StepId, &'a Row)>, Finding> {
    let mut found = steps.iter().filter(|(id, row)| id.release == *version && (id.step == name || row.name == name));
    match (found.next(), found.next()) {
        (Some((one, row)), Some((other, others))) => {
            let message = format!(
                "`{version}/{name}` is two steps of the ledger: `{one}`, called {}, and `{other}`, called {}",
                row.name, others.name
            );
            Err(Finding::new(Class::Usage, "F5", message)
                .way_out("say which by the name or id that only one of them has"))
        }
        (one, _) => Ok(one),
    }
}

fn near(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}
