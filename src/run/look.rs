//! Looks, and changes nothing.

use super::{
    at_once,
    commit::{needed, undecided},
};
use crate::{
    action::Action,
    engine::{Access, Attempt, Before, Driver, Failure, Object, Session, Where, rows::TextRow},
    event::End,
    ledger::{Facts, HistoryRow, Ledger, Unit, Verdict},
    model::{Class, Dialect, Finding, PhaseState, StepId},
    plan::{self, About, Plan, Repair, RepairPlan, Request},
    release::Project,
    target::Target,
};
use std::collections::BTreeSet;

/// What a look at the target gives.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where.
    pub place: Where,
    /// What the target says.
    pub facts: Facts,
    /// What the request would do.
    pub plan: Plan,
    /// Whether the engine commits a handler and its ledger row together.
    pub atomic: bool,
    /// What the target speaks.
    pub dialect: Dialect,
}

/// Plans, and changes nothing (`plan`, `--noop`, `sql`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn look(target: &Target, driver: &dyn Driver, project: &Project, request: &Request) -> Result<Look, End> {
    let work = async {
        let session = driver.open(target, Access::Read).await?;
        let (mut facts, mut plan) = self::plan(session.as_ref(), target, project, request).await?;
        ask_each(session.as_ref(), &facts.ledger, &mut plan).await?;
        if plan.findings.is_empty() {
            refused(session.as_ref(), &mut plan).await?;
        }
        facts.at_work = at_work(session.as_ref(), &facts).await?;
        plan::leave_to_who_is_at_work(&facts, &mut plan.findings);
        Ok(Look { place: session.place(), facts, plan, atomic: session.atomic(), dialect: session.dialect() })
    };
    work.await.map_err(at_once)
}

/// Who or what is at work, where it is not clear what became of a statement: it may be that one.
async fn at_work(session: &dyn Session, facts: &Facts) -> Result<Option<String>, Failure> {
    let unclear = !plan::unclear(facts).is_empty();
    Ok(if unclear { session.held().await?.map(|held| held.shown()) } else { None })
}

/// What a run plans under its lock: with every question that a look at it has, so that a run which is going to stop with one has changed
/// nothing. What an action then finds it asks again, once those before it have run.
pub(super) async fn whole(
    session: &dyn Session,
    target: &Target,
    project: &Project,
    request: &Request,
) -> Result<(Facts, Plan), Failure> {
    let (facts, mut plan) = self::plan(session, target, project, request).await?;
    if plan.tasks.iter().any(|task| task.ask_each) {
        let mut asked = plan.clone();
        ask_each(session, &facts.ledger, &mut asked).await?;
        plan.findings = asked.findings;
    }
    Ok((facts, plan))
}

/// Asks whether the way to the target takes all that comes to where it belongs (X3).
async fn diverted(session: &dyn Session, ledger: &Ledger, plan: &mut Plan) -> Result<(), Failure> {
    let units: Vec<Unit> = plan::cut(plan, ledger, session.dialect()).into_iter().map(|cut| cut.unit).collect();
    plan.findings.extend(session.diverts(&units).await?);
    Ok(())
}

/// Asks each action of a step that is applied only in part, as a run will when it comes there: what is shown or scripted is what would
/// run. Where a run would stop with a question, that is a finding; but what can be told once something before it has changed is asked then.
async fn ask_each(session: &dyn Session, ledger: &Ledger, plan: &mut Plan) -> Result<(), Failure> {
    let mut changed = false;
    for task in &mut plan.tasks {
        if !task.ask_each {
            changed |= !task.is_empty();
            continue;
        }
        let found = ledger.steps.get(&task.id).map_or(PhaseState::Pending, |row| row.phase(task.verb.phase()).state);
        for (index, action) in (0..).zip(&task.handler.actions).skip(task.from as usize) {
            let known = task.asked.get(&index).copied();
            let (verdict, question) = needed(session, action, known).await?;
            task.asked.insert(index, verdict);
            if question && !(changed && session.could_tell(action)) {
                plan.findings.push(undecided(task.verb, &task.id, found, index, action));
            }
            changed |= verdict != Verdict::Applied && !matches!(action, Action::Expect { .. });
        }
    }
    Ok(())
}

/// Asks what the rows that are there have against the acts that come (O12). What a table holds is known only until something of this very
/// plan changes it: from there on it is for the run to see.
async fn refused(session: &dyn Session, plan: &mut Plan) -> Result<(), Failure> {
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    let mut findings = vec![];
    for task in &plan.tasks {
        let rest = (0..).zip(&task.handler.actions).skip(task.from as usize);
        for (_, action) in rest.filter(|(index, _)| !task.skips(*index)) {
            match action {
                Action::Operation { act, .. } if changed.contains(act.table.as_str()) => {}
                Action::Operation { act, .. } => {
                    if let Some(why) = session.refuses(action).await? {
                        let finding = Finding::new(Class::Guard, "O12", format!("step `{}`: {why}", task.id));
                        findings.push(finding.way_out("change those rows, or the step"));
                    }
                    if !act.only_looks() {
                        changed.insert(&act.table);
                    }
                }
                Action::Expect { .. } => {}
                // What a statement changes is not known here.
                Action::Sql { .. } | Action::Shell { .. } => {
                    plan.findings.extend(findings);
                    return Ok(());
                }
            }
        }
    }
    plan.findings.extend(findings);
    Ok(())
}

/// Reads what a request wants to know, and plans it.
pub(super) async fn plan(
    session: &dyn Session,
    target: &Target,
    project: &Project,
    request: &Request,
) -> Result<(Facts, Plan), Failure> {
    plan_on(session.ledger().await?, session, target, project, request).await
}

/// The same, on a ledger that was read.
pub(super) async fn plan_on(
    ledger: Ledger,
    session: &dyn Session,
    target: &Target,
    project: &Project,
    request: &Request,
) -> Result<(Facts, Plan), Failure> {
    spoken(session, project)?;
    let wanted = plan::wants(project, &ledger, request);
    let mut facts = facts(session, ledger, &wanted.stored).await?;
    let tables = plan::tables(&facts, &wanted.tables);
    if !tables.is_empty() {
        facts.lake = session.lake(&tables).await?;
    }
    let mut plan = plan::plan(project, &facts, &target.guards, request);
    if let Some(why) = plan::unreadable(&plan, &facts) {
        return Err(Failure::Access(anyhow::anyhow!("{why}")));
    }
    if !session.atomic() {
        mark_alone(session, &mut plan).await?;
    }
    leave_foreign(session, &facts, &mut plan).await?;
    plan::leave_unmade(&facts, &mut plan, session.dialect());
    forbidden(session, &mut plan).await?;
    diverted(session, &facts.ledger, &mut plan).await?;
    Ok((facts, plan))
}

/// Asks what keeps the actions that come from being run, whatever comes before them (O12, D4): a run refuses for it too, before it has
/// changed anything.
async fn forbidden(session: &dyn Session, plan: &mut Plan) -> Result<(), Failure> {
    let mut before = Before::default();
    let mut findings = vec![];
    for task in &plan.tasks {
        for action in &task.handler.actions[task.from as usize..] {
            if let Some(refusal) = session.forbids(action, &before).await? {
                findings.push(refusal.finding(&task.id));
            }
            before.runs(action);
        }
        before.handlers.insert((task.id.clone(), task.verb));
        // An operation's commits are its step's as it was called when it was derived.
        before.handlers.extend(task.handler.actions.iter().filter_map(|action| match action {
            Action::Operation { step, .. } => Some((step.clone(), task.verb)),
            Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => None,
        }));
    }
    plan.findings.extend(findings);
    Ok(())
}

/// Refuses files that were read for another dialect than the target speaks, where that makes a difference (rule F2): the server that a URL
/// names could not be asked which it is, and then another one answered. A checksum of the wrong handler would be drift ever after.
pub(super) fn spoken(session: &dyn Session, project: &Project) -> Result<(), Failure> {
    match project.read_for {
        Some(read) if read != session.dialect() => Err(Failure::Access(anyhow::anyhow!(
            "the release files were read for {read}, and {} answers: it could not be asked before",
            session.place().engine
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Opens a target for a repair: one that makes the ledger anew opens it whatever state that is in.
pub(super) async fn opened(target: &Target, driver: &dyn Driver, repair: &Repair) -> Result<Box<dyn Session>, Failure> {
    if repair.about.mends() { driver.open_damaged(target).await } else { driver.open(target, Access::Write).await }
}

/// Reads what a repair wants to know, and plans it.
pub(super) async fn repair(
    session: &dyn Session,
    project: &Project,
    repair: &Repair,
) -> Result<(Ledger, RepairPlan), Failure> {
    let ledger = session.ledger().await?;
    let about = match &repair.about {
        About::Rebuild { accept_loss, .. } => {
            let steps: Vec<StepId> =
                project.releases.iter().flat_map(|r| &r.steps).map(|step| step.id.clone()).collect();
            let handlers = project.releases.iter().flat_map(|r| &r.steps).flat_map(|step| step.handlers.values());
            let actions: Vec<Action> = handlers.flat_map(|handler| handler.actions.iter().cloned()).collect();
            let traces = Box::new(session.traces(&steps, &actions).await?);
            About::Rebuild { traces, accept_loss: *accept_loss }
        }
        About::Purge { step, .. } => About::Purge { step: step.clone(), left: session.leavings().await? },
        About::Stamp { scope, phase, only, .. } => {
            let wanted = plan::stamp_wants(project, &ledger, scope, *phase);
            let mut known = Box::<plan::Known>::default();
            if !wanted.tables.is_empty() {
                known.stored = session.stored(&wanted.stored).await?;
                known.lake = session.lake(&wanted.tables).await?;
            }
            About::Stamp { scope: scope.clone(), phase: *phase, only: *only, known }
        }
        about @ (About::Decide { .. }
        | About::Accept { .. }
        | About::Forget { .. }
        | About::Rename { .. }
        | About::Handler { .. }
        | About::UpgradeLedger
        | About::Rollout { .. }
        | About::Adopt { .. }) => about.clone(),
    };
    let plan = plan::repair(project, &ledger, &Repair { about, reason: repair.reason.clone() });
    Ok((ledger, plan))
}

/// What keeps the files of a plan's `shell` actions from being run here (F4): the client is missing, or not told all it needs.
pub fn unready(target: &Target, plan: &Plan) -> Vec<Finding> {
    let actions = plan.tasks.iter().flat_map(|task| &task.handler.actions[task.from as usize..]);
    crate::shell::unready(target, actions)
}

/// Marks the statements that commit by themselves for what their tables are made of (rule L4): they are announced, as others are whose text
/// tells it.
async fn mark_alone(session: &dyn Session, plan: &mut Plan) -> Result<(), Failure> {
    for task in &mut plan.tasks {
        let rest = &mut task.handler.actions[task.from as usize..];
        let found = session.alone(rest).await?;
        for (action, by_itself) in rest.iter_mut().zip(found) {
            match action {
                Action::Sql { alone, .. } => *alone |= by_itself,
                Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => {}
            }
        }
    }
    Ok(())
}

/// A rollback of a step whose open statement made what may be another's would take that away: a person says whose it is (rule L4).
async fn leave_foreign(session: &dyn Session, facts: &Facts, plan: &mut Plan) -> Result<(), Failure> {
    for open in plan::open(facts) {
        let (phase, k) = (open.verb.phase(), open.index + 1);
        let asks = plan.tasks.iter().any(|task| task.ask_each && task.id == open.id && task.verb.phase() == phase);
        if !asks || facts.verdict(&open.id, phase) != Verdict::Unknown {
            continue;
        }
        if let Some(what) = session.foreign(&open.action).await? {
            let message = format!(
                "{what} is there, and is not as statement {k} of {} of step `{}` has it: nothing tells whose it is",
                open.verb, open.id
            );
            let finding = Finding::new(Class::Decision, "L4", message).way_out(format!(
                "look, then say: triphase repair undone {id} {phase} {k} --reason …   if it is another's, or: \
                 triphase repair done {id} {phase} {k} --reason …",
                id = open.id
            ));
            plan.findings.push(finding);
        }
    }
    Ok(())
}

async fn facts(session: &dyn Session, ledger: Ledger, wanted: &[crate::model::StepId]) -> Result<Facts, Failure> {
    let mut facts = Facts { ledger, ..Facts::default() };
    if !wanted.is_empty() {
        facts.stored = session.stored(wanted).await?;
    }
    for open in plan::open(&facts) {
        let attempt = Attempt { id: &open.id, verb: open.verb, index: open.index, action: &open.action };
        let verdict = decided(session.attempted(attempt).await)?;
        facts.verdicts.insert((open.id, open.verb.phase()), verdict);
    }
    for stopped in plan::cut_short(&facts) {
        if let Some(left) = session.left(&stopped.action).await? {
            facts.left.insert(stopped.id, left);
        }
    }
    Ok(facts)
}

/// Whether an action has been applied. A `done_when` that fails decides nothing, and must not keep anybody from looking.
pub(super) async fn verdict(session: &dyn Session, action: &crate::action::Action) -> Result<Verdict, Failure> {
    decided(session.ask(action).await)
}

fn decided(answer: Result<Verdict, Failure>) -> Result<Verdict, Failure> {
    match answer {
        Err(Failure::Handler { why, .. }) => {
            tracing::warn!("{why:#}");
            Ok(Verdict::Unknown)
        }
        answer => answer,
    }
}

/// The ledger, its open questions, and who is at work (`show`, `current`, `check`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn ledger(target: &Target, driver: &dyn Driver) -> Result<(Where, Facts), End> {
    let work = async {
        let session = driver.open(target, Access::Read).await?;
        let ledger = session.ledger().await?;
        let begun: Vec<_> = plan::half_way(&ledger).cloned().collect();
        let mut facts = facts(session.as_ref(), ledger, &begun).await?;
        facts.at_work = match session.held().await {
            Ok(held) => held.map(|held| held.shown()),
            // Who may not ask that may still look.
            Err(why) if plan::unclear(&facts).is_empty() => {
                tracing::info!(%why, "whether a run is at work is not known");
                None
            }
            Err(why) => return Err(why),
        };
        Ok((session.place(), facts))
    };
    work.await.map_err(at_once)
}

/// What a repair comes to (`--noop`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn proposed(
    target: &Target,
    driver: &dyn Driver,
    project: &Project,
    repair: &Repair,
) -> Result<(Where, RepairPlan), End> {
    let work = async {
        let session = if repair.about.mends() {
            driver.open_damaged(target).await?
        } else {
            driver.open(target, Access::Read).await?
        };
        let (_, plan) = self::repair(session.as_ref(), project, repair).await?;
        Ok((session.place(), plan))
    };
    work.await.map_err(at_once)
}

/// Rows that are not the ledger's (`import`, `init`): the answers to each of the queries that `ask` makes, once it is known where they go.
/// `None`: no such table.
///
/// # Errors
/// Where the target can't be reached or read.
pub async fn rows(
    target: &Target,
    driver: &dyn Driver,
    ask: impl Fn(&Where) -> Vec<String>,
) -> Result<(Where, Vec<Option<Vec<TextRow>>>), End> {
    let work = async {
        let session = driver.open(target, Access::Read).await?;
        let place = session.place();
        let mut answers = Vec::new();
        for query in ask(&place) {
            answers.push(session.rows(&query).await?);
        }
        Ok((place, answers))
    };
    work.await.map_err(at_once)
}

/// The audit trail's newest rows, newest first (`history`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn history(target: &Target, driver: &dyn Driver, limit: u32) -> Result<(Where, Vec<HistoryRow>), End> {
    let work = async {
        let session = driver.open(target, Access::Read).await?;
        Ok((session.place(), session.history(limit).await?))
    };
    work.await.map_err(at_once)
}

/// What triphase keeps in the target (`show --objects`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn objects(target: &Target, driver: &dyn Driver) -> Result<(Where, Vec<Object>), End> {
    let work = async {
        let session = driver.open(target, Access::Read).await?;
        Ok((session.place(), session.objects().await?))
    };
    work.await.map_err(at_once)
}
