//! Carries a plan out on one target: look, lock, plan again, commit one by one, release always.
//!
//! An answer that was lost (L5) is a crash that we survived: the run goes round again from `open`. There is no second way to recover.

mod again;
mod commit;
mod ending;
mod lock;
mod look;
#[cfg(test)]
mod tests;
mod word;

pub use look::{Look, history, ledger, look, objects, proposed, rows, unready};
pub use word::{afterwards, repair};

use crate::{
    engine::{Driver, Failure, Hold, Me, Session, Stop, Where},
    event::{End, Event, Outcome},
    ledger::{Facts, Ledger},
    model::{Class, Finding, StepId, Verb, Way},
    plan::{self, Plan, Request},
    release::Project,
    target::Target,
};
use again::{Again, Patience, ROUNDS};
use ending::{Ending, ending};
use std::{collections::BTreeSet, time::Duration};

/// Where a run tells what happens to it.
pub type Tell<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Asks a person whether this may happen (rule G9); `Ok(false)`: no. `Err`: nobody can be asked.
pub type Confirm<'a> = &'a (dyn Fn(&Where, &Asked<'_>) -> Result<bool, Finding> + Send + Sync);

/// What a person is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// A plan with drops or rollbacks in it.
    Plan(&'a Plan),
    /// Another change of the ledger, in words.
    Change(&'a str),
}

/// What a run is done with.
#[derive(Clone)]
pub struct Context<'a> {
    /// The target.
    pub target: &'a Target,
    /// Its engine.
    pub driver: &'a dyn Driver,
    /// Who runs.
    pub me: Me,
    /// How long the lock is waited for (rule X1).
    pub wait_lock: Duration,
    /// Told to stop.
    pub stop: Stop,
    /// Where it tells.
    pub tell: Tell<'a>,
    /// Who is asked on a protected target; called only where the guards in force ask for it.
    pub confirm: Confirm<'a>,
}

impl Context<'_> {
    /// Asks a person (rule G9). `Some`: it was not said yes to, and so it ends here.
    pub fn unconfirmed(&self, place: &Where, what: &Asked<'_>) -> Option<End> {
        match (self.confirm)(place, what) {
            Ok(true) => None,
            Ok(false) => Some(End::Declined),
            Err(finding) => Some(End::Refused(vec![finding])),
        }
    }
}

/// The signal that is assumed where none is known.
const SIGINT: i32 = 2;

/// A run that had a ledger finds none.
const LEDGER_GONE: &str = "the ledger's tables are gone, which were there when this run began: a statement of it, or somebody else, has dropped \
    them. Restore them from a backup; or go on without what they knew: say with `triphase stamp` what is applied";

/// Runs a request whose release files are read meanwhile, on a thread of their own: what the target answers does not depend on them.
pub async fn run_reading(
    context: &Context<'_>,
    read: impl FnOnce() -> Project + Send + 'static,
    request: &Request,
) -> Outcome {
    let reading = tokio::task::spawn_blocking(read);
    let mut state = Going::default();
    state.opened = Some(open(context, &mut state).await);
    match reading.await {
        Ok(project) => go(context, &project, request, state).await,
        // Nobody aborts it, so that it can only have panicked.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Runs a request.
pub async fn run(context: &Context<'_>, project: &Project, request: &Request) -> Outcome {
    go(context, project, request, Going::default()).await
}

async fn go(context: &Context<'_>, project: &Project, request: &Request, mut state: Going) -> Outcome {
    let mut patience = Patience::default();
    let end = loop {
        match round(context, project, request, &mut state).await {
            Ok(end) => break end,
            Err(again) => {
                if let Err(end) = patience.wait(context, again, state.done.len()).await {
                    break end;
                }
            }
        }
    };
    let end = match end {
        End::Interrupted(signal) => End::Interrupted(context.stop.signal().unwrap_or(signal)),
        end => end,
    };
    let advice = state.advice.unwrap_or_default();
    let next = match (&end, end.next()) {
        (End::Done, _) | (End::Refused(_) | End::Undecided(_), "") => advice,
        // What failed on its way, or was stopped there, has a way out of its own.
        (End::Failed | End::Busy(_) | End::Interrupted(_), _) if !advice.is_empty() => advice,
        (End::Failed, _) => match &request.ask {
            plan::Ask::Verb { verb, .. } if verb.way() == Way::Back => format!(
                "mend the data, or replace the stored handler (triphase repair handler vN/step {verb} --file F --reason …), then run the \
                 same command again"
            ),
            plan::Ask::Verb { .. } | plan::Ask::Ff { .. } => {
                "mend the handler or the data, then run the same command again; or roll back".into()
            }
        },
        (
            End::Refused(_)
            | End::Undecided(_)
            | End::Busy(_)
            | End::Interrupted(_)
            | End::Fenced(_)
            | End::Access(_)
            | End::Declined,
            own,
        ) => own.to_owned(),
    };
    Outcome { end, done: state.done, waits: state.waits, notes: state.notes, next }
}

/// What outlives a round.
#[derive(Default)]
struct Going {
    told_host: bool,
    /// What the first round begins with, where it was had before.
    opened: Option<Result<Opened, Failure>>,
    /// The warnings that were told.
    warned: BTreeSet<String>,
    /// The run's row in the ledger was written.
    begun: bool,
    /// The tasks that a person said yes to.
    confirmed: Option<Vec<plan::Task>>,
    done: Vec<(StepId, Verb)>,
    /// The tasks that end with the unit that was sent last: where its answer is lost, those are done that the next plan has no more.
    lost: Vec<Ending>,
    /// The task whose answers were lost one after the other, how often, and why the last time.
    losing: Option<((StepId, Verb), u32, String)>,
    /// The request, held to the release that the first look chose.
    held: Option<Request>,
    waits: Vec<plan::Wait>,
    notes: Vec<String>,
    advice: Option<String>,
}

/// A target, and its ledger as it was found.
type Opened = (Box<dyn Session>, Result<Ledger, Failure>);

/// Opens the target, tells which it is, and reads its ledger.
async fn open(context: &Context<'_>, state: &mut Going) -> Result<Opened, Failure> {
    let session = tokio::select! {
        opened = context.driver.open(context.target, crate::engine::Access::Write) => opened?,
        () = context.stop.pulled() => return Err(Failure::Stopped),
    };
    if !state.told_host {
        state.told_host = true;
        (context.tell)(Event::Host(session.place()));
    }
    let ledger = session.ledger().await;
    Ok((session, ledger))
}

/// One round: `Err` is a lost answer, or a target that is away for a while.
async fn round(context: &Context<'_>, project: &Project, request: &Request, state: &mut Going) -> Result<End, Again> {
    let opened = match state.opened.take() {
        Some(opened) => opened,
        None => open(context, state).await,
    };
    let (session, ledger) = match opened {
        Ok(opened) => opened,
        // It was there a moment ago.
        Err(Failure::Access(why)) if state.told_host => return Err(Again::Away(format!("{why:#}"))),
        Err(failure) => return ended(failure, state),
    };
    let session = session.as_ref();
    let held = state.held.clone();
    let request = held.as_ref().unwrap_or(request);
    let looked = match ledger {
        Ok(ledger) => look::plan_on(ledger, session, context.target, project, request).await,
        Err(failure) => Err(failure),
    };
    let seen = match looked {
        Ok(both) => Some(both),
        // Another run may be at work there and let nobody read: that is for the lock to wait out, and it knows whose it is.
        Err(Failure::Busy(why)) => {
            tracing::info!(why, "the ledger can't be read yet");
            None
        }
        Err(failure) => return ended(failure, state),
    };
    let mut held = request.clone();
    if let Some((facts, seen)) = &seen {
        held = request.held_to(seen);
        state.held = Some(held.clone());
        // Before anything that was done meanwhile is taken for this run's own work.
        if let Some(fenced) = fenced(context, facts, state) {
            return ended(fenced, state);
        }
        if let Some(end) = nothing_to_do(context, project, facts, seen, state, false) {
            return Ok(end);
        }
        if seen.findings.is_empty()
            && let Some(end) = confirm(context, session, facts, seen, state)
        {
            return Ok(end);
        }
    }
    let request = &held;
    let hold = match lock::lock(context, session).await {
        Ok(Ok(had)) => had.hold,
        Ok(Err(end)) => return Ok(end),
        // This run could write here: what refuses now is a standby that is not promoted yet, or a server that is about to stop.
        Err(Failure::Access(why)) if state.begun => return Err(Again::Away(format!("{why:#}"))),
        Err(failure) => return ended(failure, state),
    };
    let outcome = locked(context, project, request, session, hold.as_ref(), state).await;
    give_back(context, hold).await;
    match outcome {
        Ok(end) => Ok(end),
        Err(failure) => ended(failure, state),
    }
}

/// The way out of a failure that is not a handler's.
fn ended(failure: Failure, state: &mut Going) -> Result<End, Again> {
    match failure {
        Failure::Lost(why) if state.told_host => Err(Again::Lost(format!("{why:#}"))),
        Failure::Lost(why) => Ok(End::Access(format!("{why:#}"))),
        Failure::Handler { why, .. } => Ok(End::Access(format!("{why:#}"))),
        Failure::Busy(what) => Ok(End::Busy(what)),
        fenced @ Failure::Fenced(_) => Ok(End::Fenced(fenced.to_string())),
        Failure::Stopped => Ok(End::Interrupted(SIGINT)),
        Failure::Access(why) => Ok(End::Access(format!("{why:#}"))),
        Failure::Refused(finding) => Ok(End::Refused(vec![*finding])),
    }
}

/// The same for what does not go round again.
fn at_once(failure: Failure) -> End {
    let ended = ended(failure, &mut Going::default());
    ended.unwrap_or_else(|(Again::Lost(why) | Again::Away(why))| End::Access(why))
}

/// Ends here: refused, or nothing to run. Before the lock, open decisions and what else follows from them are no reason: the run that makes
/// them may be alive, or dead with its statement still at work.
fn nothing_to_do(
    context: &Context<'_>,
    project: &Project,
    facts: &Facts,
    plan: &Plan,
    state: &mut Going,
    locked: bool,
) -> Option<End> {
    if !plan.findings.is_empty() {
        let decides = |finding: &Finding| finding.class == Class::Decision;
        return if !locked && plan.findings.iter().any(decides) {
            None
        } else if plan.findings.iter().all(decides) {
            Some(End::Undecided(plan.findings.clone()))
        } else {
            Some(End::Refused(plan.findings.clone()))
        };
    }
    let unready = look::unready(context.target, plan);
    if !unready.is_empty() {
        return Some(End::Refused(unready));
    }
    for lost in std::mem::take(&mut state.lost) {
        if !plan.tasks.iter().any(|task| lost.is_of(task)) {
            lost.tell(context, Duration::ZERO, &mut state.done);
        }
    }
    if !plan.tasks.is_empty() {
        return None;
    }
    warn(context, plan, state);
    state.waits.clone_from(&plan.waits);
    state.notes = if state.done.is_empty() { plan.notes.clone() } else { Vec::new() };
    state.advice = Some(plan::advice(project, facts, &context.target.guards));
    Some(End::Done)
}

/// Tells what the plan warns of, each once: it is planned before the lock and under it, and after each lost answer.
fn warn(context: &Context<'_>, plan: &Plan, state: &mut Going) {
    for warning in &plan.warnings {
        if state.warned.insert(warning.clone()) {
            (context.tell)(Event::Warning(warning.clone()));
        }
    }
}

/// Asks where the guards in force ask for it (G9): drops and rollbacks that run something on a protected target; on every target, what
/// some readers can't take and nothing takes back (D8).
fn confirm(context: &Context<'_>, session: &dyn Session, facts: &Facts, plan: &Plan, state: &mut Going) -> Option<End> {
    if state.confirmed.is_some() {
        return None;
    }
    let protected = facts.ledger.in_force(&context.target.guards).is_protected();
    let final_or_back =
        |task: &plan::Task| !task.is_empty() && (task.verb == Verb::Drop || task.verb.way() == Way::Back);
    if !plan.tasks.iter().any(|task| task.asks() || (protected && final_or_back(task))) {
        return None;
    }
    // Read before the answer.
    warn(context, plan, state);
    let end = context.unconfirmed(&session.place(), &Asked::Plan(plan));
    state.confirmed = end.is_none().then(|| plan.tasks.clone());
    end
}

/// Whether tasks are those that were said yes to: no other one, and none missing but what this run has done since. One may have come
/// further meanwhile.
fn still(yes: &[plan::Task], tasks: &[plan::Task], done: &[(StepId, Verb)]) -> bool {
    let same =
        |yes: &plan::Task, task: &plan::Task| (&yes.id, yes.verb, &yes.handler) == (&task.id, task.verb, &task.handler);
    let done = |yes: &plan::Task| done.iter().any(|(id, verb)| (id, *verb) == (&yes.id, yes.verb));
    tasks.iter().all(|task| yes.iter().any(|yes| same(yes, task)))
        && yes.iter().all(|yes| done(yes) || tasks.iter().any(|task| same(yes, task)))
}

/// A run that comes back from a lost answer: its row in the ledger is its own until another run takes it, or `unlock` takes it away.
fn fenced(context: &Context<'_>, facts: &Facts, state: &Going) -> Option<Failure> {
    if state.begun && facts.ledger.format.is_none() {
        return Some(Failure::Access(anyhow::anyhow!("{LEDGER_GONE}")));
    }
    let by = facts.ledger.run.as_ref();
    let ours = by.is_some_and(|run| run.run == context.me.run);
    (state.begun && !ours).then(|| Failure::Fenced(by.filter(|run| !run.run.is_empty()).cloned().map(Box::new)))
}

/// All that happens under the lock.
async fn locked(
    context: &Context<'_>,
    project: &Project,
    request: &Request,
    session: &dyn Session,
    hold: &dyn Hold,
    state: &mut Going,
) -> Result<End, Failure> {
    let begun = lock::patiently(context, async || begun(context, project, request, session, hold, state).await);
    let (facts, plan) = match begun.await? {
        Ok(begun) => begun,
        Err(end) => return Ok(end),
    };
    (context.tell)(Event::Planned(Box::new(plan.clone())));
    state.begun = true;
    if let Some(end) = commit_each(context, session, hold, &facts, &plan, state).await? {
        return Ok(end);
    }
    state.waits.clone_from(&plan.waits);
    state.notes.clone_from(&plan.notes);
    state.advice = Some(plan::advice(project, &plan::after(project, &facts, &plan), &context.target.guards));
    Ok(End::Done)
}

/// Plans, and takes the ledger's row for what was planned; both again where the ledger has moved on in between. `Err` of the inner: there is
/// nothing to run, or it may not.
async fn begun(
    context: &Context<'_>,
    project: &Project,
    request: &Request,
    session: &dyn Session,
    hold: &dyn Hold,
    state: &mut Going,
) -> Result<Result<(Facts, Plan), End>, Failure> {
    let (facts, plan) = look::whole(session, context.target, project, request).await?;
    state.held.get_or_insert_with(|| request.held_to(&plan));
    if let Some(fenced) = fenced(context, &facts, state) {
        return Err(fenced);
    }
    if let Some(end) = nothing_to_do(context, project, &facts, &plan, state, true) {
        return Ok(Err(end));
    }
    match &state.confirmed {
        Some(yes) if !still(yes, &plan.tasks, &state.done) => {
            return Ok(Err(End::Refused(vec![changed_meanwhile("the plan")])));
        }
        Some(_) => {}
        None => {
            if let Some(end) = confirm(context, session, &facts, &plan, state) {
                return Ok(Err(end));
            }
        }
    }
    warn(context, &plan, state);
    hold.begin(&plan.begin).await?;
    Ok(Ok((facts, plan)))
}

/// Commits a plan's units, one by one. `Some`: the run ends at one of them, and why.
async fn commit_each(
    context: &Context<'_>,
    session: &dyn Session,
    hold: &dyn Hold,
    facts: &Facts,
    plan: &Plan,
    state: &mut Going,
) -> Result<Option<End>, Failure> {
    let mut told = None;
    for cut in plan::cut(plan, &facts.ledger, session.dialect()) {
        let begins = told.replace(cut.task) != Some(cut.task);
        let task = &plan.tasks[cut.task];
        let this = (task.id.clone(), task.verb);
        if let Some((losing, times, why)) = &state.losing
            && *losing == this
            && *times >= ROUNDS
        {
            return commit::give_up(context, hold, plan, &cut, *times, why).await.map(Some);
        }
        state.lost = ending(plan, &cut, begins);
        match commit::commit(context, session, hold, plan, cut, begins, &mut state.done).await {
            Ok(None) => (state.lost, state.losing) = (Vec::new(), None),
            Ok(Some((end, way))) => {
                state.advice = way;
                return Ok(Some(end));
            }
            Err(Failure::Lost(why)) => {
                let before =
                    state.losing.take().filter(|(losing, ..)| *losing == this).map_or(0, |(_, times, _)| times);
                state.losing = Some((this, before + 1, format!("{why:#}")));
                return Err(Failure::Lost(why));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// What was confirmed is what happens, or nothing does (G9).
fn changed_meanwhile(what: &str) -> Finding {
    let message = format!("{what} is no longer the one that was confirmed: the target has changed meanwhile");
    Finding::new(Class::Guard, "G9", message).way_out("run the command again, and look at the new plan")
}

/// Gives the lock back, whatever happened under it. What matters is that: a lock that could not be given back ends with its session.
async fn give_back(context: &Context<'_>, hold: Box<dyn Hold + '_>) {
    if let Err(failure) = hold.release().await {
        (context.tell)(Event::Warning(format!(
            "the lock was not given back by itself: {failure}; it ends with this process"
        )));
    }
}

/// Ends the holder's session or lease (`unlock`, rule X3). Says what it did.
///
/// # Errors
/// Where the holder is alive and `force` is not given, or the target can't be reached.
pub async fn unlock(context: &Context<'_>, force: bool) -> Result<String, End> {
    let work = async {
        let session = context.driver.open(context.target, crate::engine::Access::Write).await?;
        (context.tell)(Event::Host(session.place()));
        // A holder that keeps the ledger to itself, or one that this binary can't read, must not keep anybody from ending it: then nothing
        // says that the target is not protected.
        let protected = match session.ledger().await {
            Ok(ledger) => ledger.in_force(&context.target.guards).is_protected(),
            Err(why) => {
                tracing::info!(%why, "the ledger can't be read; the target is taken for protected");
                true
            }
        };
        if protected {
            let asked = Asked::Change("unlock: end the holder's session");
            if let Some(end) = context.unconfirmed(&session.place(), &asked) {
                return Ok(Err(end));
            }
        }
        session.evict(&context.me, force).await.map(Ok)
    };
    match work.await {
        Ok(answer) => answer,
        Err(failure) => Err(at_once(failure)),
    }
}
