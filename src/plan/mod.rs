//! What is to be done, from what is written and what has been done. Pure; a plan can't fail: what refuses is a finding in it, what must
//! wait is a wait.

mod app_release;
mod back;
mod check;
mod cut;
mod ff;
mod forward;
mod guards;
pub mod machine;
mod open;
mod operations;
mod played;
mod purge;
mod rebuild;
mod repair;
mod resume;
mod stamp;
#[cfg(test)]
pub(crate) mod tests;
mod upgrade;

pub use app_release::app_release;
pub use check::{advice, check};
pub use cut::{Broken, broken, cut};
pub use open::{Open, cut_short, open};
pub use rebuild::{no_purge, no_rebuild};
pub use repair::{About, Repair, RepairPlan, repair};
pub use stamp::Mark;

use crate::{
    action::{Action, Handler, Handlers},
    ledger::{Begin, Facts, Ledger, PhaseRow, Unit, Verdict, drift},
    model::{Class, Finding, Guards, Label, Phase, PhaseState, StepId, Time, Verb, Version, Way},
    release::{Project, Release, Step},
};
use back::Back;
use played::Played;
use std::collections::{BTreeMap, BTreeSet};

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command.
    pub ask: Ask,
    /// `--out-of-order` (G3).
    pub out_of_order: bool,
    /// `--cascade` (G4).
    pub cascade: bool,
    /// `--contract` (G9): `ff` goes on after `add` on a protected target.
    pub contract: bool,
    /// `--from-files` (L2): rollbacks take the files' handlers.
    pub from_files: bool,
    /// `--accept-loss` (O10): a rollback of a simdrop may lose values.
    pub accept_loss: bool,
    /// The one release that a request without a version was found to mean: a run that looks again must not go on to the next.
    pub within: Option<Version>,
}

impl Request {
    /// Whether a release may be what a request without a version means.
    fn may_mean(&self, version: &Version) -> bool {
        self.within.as_ref().is_none_or(|within| within == version)
    }

    /// The same request, held to the release that its first plan chose, where it names none itself.
    #[must_use]
    pub fn held_to(&self, plan: &Plan) -> Self {
        let open = match &self.ask {
            Ask::Verb { scope, .. } => *scope == Scope::Auto,
            Ask::Ff { to, .. } => *to == FfTo::Next,
        };
        let chosen = plan.tasks.first().map(|task| task.id.release.clone());
        Self { within: self.within.clone().or(chosen.filter(|_| open)), ..self.clone() }
    }

    /// A request without flags.
    pub const fn new(ask: Ask) -> Self {
        Self {
            ask,
            out_of_order: false,
            cascade: false,
            contract: false,
            from_files: false,
            accept_loss: false,
            within: None,
        }
    }
}

/// The command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One phase, or its rollback, of a release or step.
    Verb {
        /// Which.
        verb: Verb,
        /// Of what.
        scope: Scope,
    },
    /// Everything up to somewhere, as far as the guards allow.
    Ff {
        /// Where to.
        to: FfTo,
        /// Stop after that phase (`--phase`).
        phase: Option<Phase>,
    },
}

/// What a single-phase command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Left out: the one release that is eligible.
    Auto,
    /// A release.
    Release(Version),
    /// One step, by name or id.
    Step(Version, String),
}

/// How far `ff` goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FfTo {
    /// Everything.
    All,
    /// `+1`: the first release with work left.
    Next,
    /// A release, and all before it; what was rolled back in that one is applied again (G7).
    Release(Version),
}

/// One handler to run, or one empty phase to pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Whose.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// What for.
    pub verb: Verb,
    /// What runs; no actions: an empty phase, or a rollback with nothing to run.
    pub handler: Handler,
    /// How many of its actions are done already (L6).
    pub from: u32,
    /// Handlers to store when it starts (L2).
    pub keep: Handlers,
    /// The way back from it, as shown.
    pub label: Label,
    /// Each action is asked first, and skipped where it is so already: a partly applied step is rolled back.
    pub ask_each: bool,
    /// Where each action is asked: what the target said of it, by index, when the plan was made to be shown or scripted. A run asks in
    /// its own time.
    pub asked: BTreeMap<u32, Verdict>,
    /// The step's other phases that are pending, where the ledger learns now whether they are empty (L1).
    pub marks: Vec<(Phase, PhaseRow)>,
    /// Run before the handler, each by itself, and not recorded: they clear what a statement that was cut short left.
    pub clears: Vec<Action>,
}

impl Task {
    /// Whether an action is not run: it is done already, or was found to be so.
    pub fn skips(&self, index: u32) -> bool {
        index < self.from || self.asked.get(&index) == Some(&Verdict::Applied)
    }

    /// Whether a person must say yes to it on every target (D8).
    pub fn asks(&self) -> bool {
        (0..).zip(&self.handler.actions).any(|(index, action)| !self.skips(index) && action.asks())
    }

    /// It runs nothing.
    pub fn is_empty(&self) -> bool {
        self.handler.actions.is_empty() && self.clears.is_empty()
    }
}

/// What must wait, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Whose.
    pub release: Version,
    /// Which phase.
    pub phase: Phase,
    /// The guard, as `G6`.
    pub rule: &'static str,
    /// Its setting as written, and what to do.
    pub why: String,
    /// The earliest time, where time is what it waits for.
    pub until: Option<Time>,
    /// It could not run at all: an `add` in range that a guard stops makes `ff` exit 7.
    pub blocks_add: bool,
}

/// What a command would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order they run.
    pub tasks: Vec<Task>,
    /// What `ff` left.
    pub waits: Vec<Wait>,
    /// What refuses. Where there is any, nothing runs.
    pub findings: Vec<Finding>,
    /// One line each.
    pub warnings: Vec<String>,
    /// "Nothing to do", "the target is ahead": said on success.
    pub notes: Vec<String>,
    /// Written once before the first task.
    pub begin: Begin,
}

/// What the plan wants to know besides the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// Steps whose stored handlers are needed.
    pub stored: Vec<StepId>,
    /// The tables that operations are derived from.
    pub tables: Vec<String>,
}

/// A unit and what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Index into [`Plan::tasks`] of the task whose actions these are; the neighbours' empty rows ride along.
    pub task: usize,
    /// Index of the unit's first action in the task's handler.
    pub first: u32,
    /// It ends the task.
    pub last: bool,
    /// Tasks without actions that are recorded with it, by index.
    pub empties: Vec<usize>,
    /// The step's phase as the ledger has it before this unit.
    pub before: PhaseRow,
    /// What commits.
    pub unit: Unit,
    /// Its action is one of [`Task::clears`], not the handler's: where it fails, the ledger says what it said.
    pub clears: bool,
}

/// What a request wants to know besides the ledger: the texts that rollbacks run, those of open statements and of operations that have
/// begun, and the tables of operations.
pub fn wants(project: &Project, ledger: &Ledger, request: &Request) -> Wants {
    let back = match &request.ask {
        Ask::Verb { verb, .. } => verb.way() == Way::Back,
        Ask::Ff { .. } => false,
    };
    let mut stored: BTreeSet<StepId> = ledger
        .steps
        .iter()
        // What is applied in part goes back by what the ledger keeps: that is what a plan says of it.
        .filter(|(_, row)| back || row.phases.iter().any(|phase| phase.committed() && phase.state != PhaseState::Done))
        .map(|(id, _)| id.clone())
        .collect();
    let mut tables = BTreeSet::new();
    if !back {
        operations::wants(project, ledger, request, &mut stored, &mut tables);
    }
    Wants { stored: stored.into_iter().collect(), tables: tables.into_iter().collect() }
}

/// Plans a request. Never fails: what refuses is in [`Plan::findings`]. `file`: the guards that the target file names.
pub fn plan(project: &Project, facts: &Facts, file: &Guards, request: &Request) -> Plan {
    let resolved = match &request.ask {
        Ask::Verb { verb, .. } if verb.way() == Way::Back => operations::Resolved::untouched(project),
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
                    forward_verb(&mut played, *verb, scope, request);
                    ahead(&mut played);
                }
            }
            Way::Back => back_verb(&mut played, *verb, scope, request),
        },
    }
    let mut plan = played.plan;
    resolved.say(&mut plan);
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

fn forward_verb(played: &mut Played<'_>, verb: Verb, scope: &Scope, request: &Request) {
    let project = played.project;
    let (release, only) = match scope {
        Scope::Auto => return auto(played, verb, request),
        Scope::Release(version) => match known(project, version) {
            Ok(release) => (release, None),
            Err(finding) => return played.plan.findings.push(finding),
        },
        Scope::Step(version, name) => {
            match known(project, version).and_then(|r| known_step(r, name).map(|s| (r, Some(s)))) {
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
        if verb == Verb::Add && !refused.is_empty() && guards::earlier_unfinished(played, release).next().is_some() {
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
            Finding::new(Class::Usage, "C", format!("several releases could be meant by `{verb}`: {names}"))
                .way_out(format!("name one: triphase {verb} {}", eligible[0].0)),
        );
    } else if let Some((_, tasks)) = eligible.pop() {
        played.play(tasks);
    } else if let Some(findings) = refused {
        played.plan.findings.extend(findings);
    }
}

fn back_verb(played: &mut Played<'_>, verb: Verb, scope: &Scope, request: &Request) {
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
            let releases: std::collections::BTreeSet<_> = played.steps.keys().map(|id| id.release.clone()).collect();
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
                && let Err(finding) = known(played.project, version)
            {
                return played.plan.findings.push(finding);
            }
            back::back(played, version, verb, None, request)
        }
        Scope::Step(version, name) => {
            let found =
                played.steps.iter().find(|(id, row)| id.release == *version && (id.step == *name || row.name == *name));
            match found.map(|(id, _)| id.clone()) {
                Some(id) => back::back(played, version, verb, Some(&id), request),
                None => match known(played.project, version).and_then(|r| known_step(r, name)) {
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

fn known<'a>(project: &'a Project, version: &Version) -> Result<&'a Release, Finding> {
    project.release(version).ok_or_else(|| {
        let near = project.releases.iter().max_by(|a, b| {
            near(a.version.as_str(), version.as_str()).total_cmp(&near(b.version.as_str(), version.as_str()))
        });
        let finding = Finding::new(Class::Usage, "F1", format!("release `{version}` is not in releases/"));
        match near {
            Some(near) => finding.way_out(format!("did you mean `{}`?", near.version)),
            None => finding.way_out("releases/ is empty: write a first release, or run triphase init"),
        }
    })
}

fn known_step<'a>(release: &'a Release, name: &str) -> Result<&'a Step, Finding> {
    release.steps.iter().find(|step| step.id.step == name || step.name == name).ok_or_else(|| {
        let nearest = release.steps.iter().max_by(|a, b| near(&a.name, name).total_cmp(&near(&b.name, name)));
        Finding::new(Class::Usage, "F5", format!("release `{}` has no step `{name}`", release.version)).way_out(
            nearest.map_or_else(String::new, |step| format!("did you mean `{}/{}`?", release.version, step.name)),
        )
    })
}

fn near(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

/// The facts as they are after a plan was carried out: what the advice for the next command goes by, with no second read.
pub fn after(project: &Project, facts: &Facts, plan: &Plan) -> Facts {
    let mut played = Played::new(project, facts, &Guards::default());
    played.play(plan.tasks.clone());
    let mut after = facts.clone();
    after.ledger.steps = played.steps;
    after
}
