//! What a target still needs: all of it for `check`, the next of it for the hint behind a command.

use super::{ff, forward, guards, leave_to_who_is_at_work, no_releases, open, played::Played, repair, resume};
use crate::{
    ledger::{Facts, Ledger, Verdict, drift},
    model::{Class, Finding, Guards, Phase, StepId, Verb},
    release::Project,
};

/// All that `check` finds: files, drift, open decisions, pending work (class pending).
pub fn check(project: &Project, facts: &Facts) -> Vec<Finding> {
    let played = Played::new(project, facts, &Guards::default());
    let mut findings = project.findings.clone();
    findings.extend(facts.ledger.format.and_then(repair::old_format));
    // Of a target that nothing ever ran on too: a gate that looks into the wrong folder must not open.
    if project.releases.is_empty() {
        if findings.is_empty() {
            findings.push(no_releases());
        }
    } else {
        findings.extend(drift::missing(project, &facts.ledger));
    }
    let sound: Vec<_> = project.releases.iter().filter(|release| project.is_sound(&release.version)).collect();
    findings.extend(ff::edited(&played, &sound));
    // Open decisions are found in the ledger, below; here it is what the files say of what is half done.
    for release in &sound {
        let half = Phase::ALL.iter().flat_map(|phase| forward::unsound(&played, release, *phase));
        findings.extend(half.filter(|finding| finding.class == Class::Drift));
    }
    for open in open(facts) {
        if facts.verdict(&open.id, open.verb.phase()) == Verdict::Unknown {
            findings.push(resume::undecided(&played, &open.id, open.verb, open.index));
        }
    }
    for (id, verb) in unfinished_rollbacks(&facts.ledger) {
        findings.push(
            Finding::new(Class::Pending, "", format!("{verb} of step `{id}` has begun and is not done"))
                .way_out(format!("triphase {verb} {}", id.release)),
        );
    }
    for release in sound {
        // Until a rollback that has begun is done, nothing goes forward there; it is listed above.
        if unfinished_rollbacks(&facts.ledger).any(|(id, _)| id.release == release.version) {
            continue;
        }
        let verbs: Vec<_> = ff::pending_verbs(&played, release).into_iter().map(Verb::name).collect();
        if let Some(first) = verbs.first() {
            findings.push(
                Finding::new(
                    Class::Pending,
                    "",
                    format!("release `{}` is pending: {}", release.version, verbs.join(", ")),
                )
                .way_out(format!("triphase {first} {}", release.version)),
            );
        }
    }
    leave_to_who_is_at_work(facts, &mut findings);
    findings
}

/// The rollbacks that have begun and are not done.
fn unfinished_rollbacks(ledger: &Ledger) -> impl Iterator<Item = (&StepId, Verb)> {
    ledger.steps.iter().flat_map(|(id, row)| row.open_rollbacks().map(move |verb| (id, verb)))
}

/// What to run next, given the ledger as it is after a command.
pub fn advice(project: &Project, facts: &Facts, file: &Guards) -> String {
    if let Some((id, verb)) = unfinished_rollbacks(&facts.ledger).next() {
        return format!("triphase {verb} {}", id.release);
    }
    let played = Played::new(project, facts, file);
    // What a file that can't be read has, nobody knows.
    if !project.findings.is_empty() {
        return "mend the release files: triphase check".into();
    }
    let next =
        project.releases.iter().find_map(|release| Some((release, *ff::pending_verbs(&played, release).first()?)));
    let Some((release, verb)) = next else {
        let known = !project.releases.is_empty();
        return if known { "nothing is pending".into() } else { "triphase show".into() };
    };
    let version = &release.version;
    // Nothing goes forward there before that is decided.
    if !ff::edited(&played, &[release]).is_empty() || !drift::missing(project, &facts.ledger).is_empty() {
        return "decide where files and ledger differ: triphase check".into();
    }
    match verb {
        Verb::Add if !guards::in_order(&played, release, Phase::Add, &forward::todo(&played, release)).is_empty() => {
            format!("put it into a new release; or, if that order is meant: triphase add {version} --out-of-order")
        }
        Verb::Add => format!("triphase add {version}"),
        Verb::Simdrop => format!("roll out the application of {version}, then: triphase simdrop {version}"),
        Verb::Drop => match guards::soaked(&played, release).and_then(|refusal| refusal.until) {
            Some(until) => format!("after {until}: triphase drop {version}"),
            None => format!("once nobody needs what {version} hid: triphase drop {version}"),
        },
        Verb::RollbackSimdrop | Verb::RollbackAdd => unreachable!("only phases are pending"),
    }
}
