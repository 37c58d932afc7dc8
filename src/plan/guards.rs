//! The guards (rules G1–G6), a function each. Each says what it refuses; none knows whether that ends a command or makes `ff` wait.

use super::Played;
use crate::{
    ledger::{after, of},
    model::{Class, Finding, Phase, PhaseState, Reach, Span, StepId, Time, Verb, Version, spell},
    release::{Release, Step},
};
use std::collections::BTreeSet;

/// A guard's refusal, and until when, where time is what it waits for.
pub(super) struct Refusal {
    pub finding: Finding,
    pub until: Option<Time>,
}

impl From<Finding> for Refusal {
    fn from(finding: Finding) -> Self {
        Self { finding, until: None }
    }
}

fn refuse(rule: &'static str, message: String, way_out: String) -> Finding {
    Finding::new(Class::Guard, rule, message).way_out(way_out)
}

/// Whether a step is through a phase; an empty phase counts, run or not (L1).
pub(super) fn through(played: &Played<'_>, step: &Step, phase: Phase) -> bool {
    let state = played.row(&step.id).map_or(PhaseState::Pending, |row| row.phase(phase).state);
    match state {
        PhaseState::Done => true,
        PhaseState::Pending | PhaseState::RolledBack => !step.has(phase.verb()),
        PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => false,
    }
}

/// The steps that guards look at: not the deleted ones (F5).
pub(super) fn counted(release: &Release) -> impl Iterator<Item = &Step> {
    release.steps.iter().filter(|step| !step.deleted)
}

/// G1: every earlier release has come as far as `require_previous` says. Those that have not, each with its first step that stands in
/// the way. Asked where a release begins: at its `add`, or at a later phase where it has nothing to add.
pub(super) fn earlier_unfinished<'a>(
    played: &'a Played<'_>,
    release: &'a Release,
    wanted: Phase,
) -> impl Iterator<Item = Finding> + 'a {
    let reach = played.guards.reach();
    let asked = move || Phase::ALL.iter().filter(move |p| **p <= reach.phase());
    let earlier = played.project.releases.iter().take_while(|earlier| earlier.version < release.version);
    earlier.filter_map(move |earlier| {
        let (step, phase) = counted(earlier)
            .find_map(|step| asked().find(|phase| !through(played, step, **phase)).map(|phase| (step, *phase)))?;
        Some(unfinished(release, wanted, earlier, step, phase, reach))
    })
}

/// Whether the `add` of a release was run, if only to record that it is empty: G1 was asked then.
pub(super) fn begun(played: &Played<'_>, release: &Version) -> bool {
    of(&played.steps, release).any(|(_, row)| row.phase(Phase::Add).state == PhaseState::Done)
}

fn unfinished(release: &Release, wanted: Phase, earlier: &Release, step: &Step, phase: Phase, reach: Reach) -> Finding {
    refuse(
        "G1",
        format!(
            "cannot {wanted} release `{}`: earlier release `{}` is not finished (step `{}` is not {})",
            release.version,
            earlier.version,
            step.id,
            phase.past()
        ),
        format!(
            "run: triphase {phase} {}; the guard is `require_previous: {reach}`, a weaker one (`simdropped`, `added`) lets releases overlap",
            earlier.version
        ),
    )
}

/// G2: every step of the release is through the phases before: all of them, for one that is empty says nothing of the one before it.
/// The first phase that is missing is told.
pub(super) fn phases_before(played: &Played<'_>, release: &Release, phase: Phase) -> Option<Finding> {
    let behind = |before| -> Vec<_> {
        counted(release).filter(|step| !through(played, step, before)).map(|step| step.id.to_string()).collect()
    };
    let earlier = Phase::ALL.iter().copied().filter(|before| *before < phase);
    earlier.map(|before| (before, behind(before))).find(|(_, behind)| !behind.is_empty()).map(|(before, behind)| {
        refuse(
            "G2",
            format!("cannot {phase} release `{}`: not {} yet: {}", release.version, before.past(), behind.join(", ")),
            format!("run first: triphase {before} {}", release.version),
        )
    })
}

/// G3: steps run in order, and releases too. `todo`: the steps about to run.
pub(super) fn in_order(played: &Played<'_>, release: &Release, phase: Phase, todo: &[&Step]) -> Vec<Finding> {
    const WAY_OUT: &str = "if that is meant: --out-of-order";
    let mut findings = Vec::new();
    let really = |step: &Step, phase: Phase| played.row(&step.id).is_some_and(|row| row.phase(phase).really());
    let chosen: BTreeSet<_> = todo.iter().map(|step| &step.id).collect();
    let steps: Vec<_> = counted(release).collect();
    // Each looked for once, not once a step.
    let gap = steps.iter().position(|step| !through(played, step, phase) && !chosen.contains(&step.id));
    let past = [Phase::Drop, Phase::Simdrop]
        .iter()
        .filter(|_| phase == Phase::Add)
        .find_map(|past| counted(release).find(|step| really(step, *past)).map(|step| (past, step)));
    let mut later = None;
    for (at, step) in steps.iter().enumerate().rev() {
        let after = later;
        // What the last hook did is no step that another could be put before.
        if really(step, phase) && !step.id.is_hook() {
            later = Some(step);
        }
        if !step.has(phase.verb()) || !chosen.contains(&step.id) {
            continue;
        }
        // From the last step to the first, and so the last finding comes first.
        if let Some((past, other)) = past {
            findings.push(refuse(
                "G3",
                format!("cannot add step `{}`: its release is {} already (step `{}`)", step.id, past.past(), other.id),
                format!("put the step into a new release; {WAY_OUT}"),
            ));
        }
        if let Some(earlier) = gap.filter(|gap| *gap < at).map(|gap| steps[gap]) {
            findings.push(refuse(
                "G3",
                format!(
                    "cannot {phase} step `{}`: step `{}`, which comes before it, is not {}",
                    step.id,
                    earlier.id,
                    phase.past()
                ),
                format!("run the whole release: triphase {phase} {}; {WAY_OUT}", release.version),
            ));
        }
        if let Some(later) = after {
            findings.push(refuse(
                "G3",
                format!(
                    "cannot {phase} step `{}`: step `{}`, which comes after it, is {} already",
                    step.id,
                    later.id,
                    phase.past()
                ),
                WAY_OUT.into(),
            ));
        }
    }
    findings.reverse();
    if phase == Phase::Add
        && todo.iter().any(|step| step.has(Verb::Add))
        && let Some(later) = later_progress(played, &release.version)
    {
        findings.push(refuse(
            "G3",
            format!("cannot add release `{}`: release `{later}`, which comes after it, has begun", release.version),
            WAY_OUT.into(),
        ));
    }
    findings
}

/// A later release with any progress.
pub(super) fn later_progress<'a>(played: &'a Played<'_>, release: &Version) -> Option<&'a Version> {
    after(&played.steps, release).find(|(_, row)| row.has_progress()).map(|(id, _)| &id.release)
}

/// G6, age: `drop` waits until `min_simdrop_age` has passed since the release's last simdrop that ran.
pub(super) fn soaked(played: &Played<'_>, release: &Release) -> Option<Refusal> {
    let age: &Span = played.guards.min_simdrop_age.as_ref().filter(|age| !age.length().is_zero())?;
    let setting = format!("min_simdrop_age: {age}");
    if played.fresh.contains(&release.version) {
        return Some(
            refuse(
                "G6",
                format!("cannot drop release `{}` yet: it is simdropped only now (`{setting}`)", release.version),
                format!("wait {age}, then: triphase drop {}", release.version),
            )
            .into(),
        );
    }
    let last = of(&played.steps, &release.version)
        .map(|(_, row)| row.phase(Phase::Simdrop))
        .filter(|phase| phase.state == PhaseState::Done && !phase.empty)
        .filter_map(|phase| phase.at)
        .max()?;
    let until = last.plus(age.length());
    (until > played.now).then(|| Refusal {
        finding: refuse(
            "G6",
            format!(
                "cannot drop release `{}` yet: it was simdropped at {last} (`{setting}`), {} are left",
                release.version,
                rounded(until.since(played.now))
            ),
            format!("after {until}: triphase drop {}", release.version),
        ),
        until: Some(until),
    })
}

/// A duration in whole seconds, rounded up, so that "left" is never shown as nothing.
fn rounded(span: std::time::Duration) -> String {
    spell(std::time::Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() > 0)))
}

/// G6, rollout: where `require_rollout: true`, somebody has said that the release's application is live.
pub(super) fn rolled_out(played: &Played<'_>, release: &Release, phase: Phase) -> Option<Finding> {
    (played.guards.needs_rollout() && !played.rollouts.contains(&release.version)).then(|| {
        refuse(
            "G6",
            format!(
                "cannot {phase} release `{}`: nobody has said that it is rolled out (`require_rollout: true`)",
                release.version
            ),
            format!("once its application is live everywhere: triphase rollout {}", release.version),
        )
    })
}

/// G4: `rollback_add` only once simdrop is not there, or taken back.
pub(super) fn not_simdropped(id: &StepId) -> Finding {
    refuse(
        "G4",
        format!(
            "cannot rollback_add step `{id}`: it is simdropped; the old application would find neither old nor new"
        ),
        format!("run first: triphase rollback_simdrop {}; or both: --cascade", id.release),
    )
}

/// G5: nothing that was dropped comes back.
pub(super) fn not_dropped(verb: Verb, id: &StepId) -> Finding {
    refuse(
        "G5",
        format!("cannot {verb} release `{}`: step `{id}` is dropped, and a drop has no way back", id.release),
        "restore what was dropped from a backup, or write a new release that goes forward".into(),
    )
}

/// G5: every rollback handler that is needed is there.
pub(super) fn no_handler(verb: Verb, id: &StepId) -> Finding {
    refuse(
        "G5",
        format!("cannot {verb} step `{id}`: it gives no `{verb}` handler"),
        format!(
            "give it one: triphase repair handler {id} {verb} --file F --reason …; or write it into the file and add --from-files"
        ),
    )
}

/// G5: an operation that nothing takes back.
pub(super) fn no_way_back(verb: Verb, id: &StepId) -> Finding {
    refuse(
        "G5",
        format!("cannot {verb} step `{id}`: there is no way back from its operation"),
        "roll back the release's other steps by name: the operation keeps the old application working".to_owned(),
    )
}

/// O10: values that nothing brings back.
pub(super) fn loses(id: &StepId) -> Finding {
    refuse(
        "O10",
        format!("rollback_simdrop of step `{id}` loses values: its operation has no expression from new to old"),
        "if that is meant: --accept-loss".to_owned(),
    )
}

/// L2: `--from-files` takes the file's handler, and no other in its place.
pub(super) fn not_in_files(verb: Verb, id: &StepId) -> Finding {
    refuse(
        "L2",
        format!("cannot {verb} step `{id}` with --from-files: no file gives it a `{verb}` handler"),
        "leave --from-files away: the ledger keeps the handler that was stored; or use the checkout that has it".into(),
    )
}

/// G5: no later release builds on it.
pub(super) fn later_builds(verb: Verb, release: &Version, later: &StepId, past: &str, dropped: bool) -> Finding {
    let way_out = if dropped {
        format!(
            "`{}` is dropped too and has no way back: restore what was dropped from a backup, or write a new release that goes forward",
            later.release
        )
    } else {
        format!("roll that one back first: triphase {verb} {}", later.release)
    };
    refuse(
        "G5",
        format!(
            "cannot {verb} release `{release}`: later release `{}` is there (step `{later}` is {past})",
            later.release
        ),
        way_out,
    )
}

/// From `rolling_back` and `rollback_failed` only that rollback, or `repair`, goes on: nothing goes forward in a release where one is
/// open.
pub(super) fn rollbacks_open<'a>(
    played: &'a Played<'_>,
    release: &'a Version,
    phase: Phase,
) -> impl Iterator<Item = Finding> + 'a {
    of(&played.steps, release).flat_map(move |(id, row)| {
        row.open_rollbacks().map(move |verb| {
            refuse(
                "G5",
                format!("cannot {phase} release `{release}`: {verb} of step `{id}` has begun and is not done"),
                format!("finish it: triphase {verb} {release}"),
            )
        })
    })
}

/// G7: what was rolled back is applied again only when named.
pub(super) fn only_if_named(phase: Phase, id: &StepId, who: &str, at: Option<Time>) -> Finding {
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    refuse(
        "G7",
        format!("will not {phase} step `{id}` again by itself: {who} rolled it back{at}"),
        format!("once that is settled, name it: triphase {phase} {}", id.release),
    )
}
