//! Commits one unit of a plan: asks where it must, retries what traffic stopped, records what failed.

use super::Context;
use crate::{
    action::Action,
    engine::{Failure, Hold, Session, Stop},
    event::{End, Event},
    ledger::{Unit, Verdict},
    model::{Class, Finding, PhaseState, StepId, Time, Verb},
    plan::{Broken, Cut, Plan, broken},
};
use std::time::{Duration, Instant};

/// How long a statement works before it is looked who blocks it; sooner where it gives up sooner.
const QUIET: Duration = Duration::from_secs(1);
/// How often it is said again.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Commits a unit. `Some`: the run ends here, and why; all that must be recorded is.
pub(super) async fn commit(
    context: &Context<'_>,
    session: &dyn Session,
    hold: &dyn Hold,
    plan: &Plan,
    mut cut: Cut,
    done: &mut Vec<(StepId, Verb)>,
) -> Result<Option<End>, Failure> {
    if let Some(signal) = context.stop.signal() {
        return Ok(Some(End::Interrupted(signal)));
    }
    let task = &plan.tasks[cut.task];
    let of = plan.tasks.len();
    let began = Instant::now();
    if !cut.empties.contains(&cut.task) && cut.first == task.from {
        (context.tell)(Event::Started { id: task.id.clone(), verb: task.verb, task: cut.task, of });
    }
    // Which of the handler's actions those of the unit are, once some were skipped.
    let mut indices: Vec<u32> = (cut.first..).take(cut.unit.actions.len()).collect();
    if task.ask_each
        && !cut.clears
        && let Some(end) = skip_applied(session, task.verb, &task.id, &mut cut, &mut indices).await?
    {
        return Ok(Some(end));
    }
    if let (Some(index), Some(action)) = (indices.first(), cut.unit.actions.first()) {
        let of = u32::try_from(if cut.clears { 1 } else { task.handler.actions.len() }).unwrap_or(u32::MAX);
        (context.tell)(Event::Statement {
            id: task.id.clone(),
            verb: task.verb,
            index: *index,
            of,
            text: action.text(),
        });
    }
    // A procedure may commit on its way: of one that failed it is not known how much is applied, and it is not sent again.
    let commits = |action: &Action| action.alone() && crate::sql::commits_inside(session.dialect(), &action.text());
    let inside = cut.unit.actions.iter().any(commits);
    let end = match until_committed(context, hold, &task.id, task.verb, &cut.unit, inside).await {
        Ok(_) => {
            // Told in the plan's order: some that rode along come before the unit's own task, some after it.
            let mut ended = cut.empties.clone();
            if cut.last && !ended.contains(&cut.task) {
                ended.push(cut.task);
            }
            ended.sort_unstable();
            for index in ended {
                let task = &plan.tasks[index];
                let (id, verb) = (task.id.clone(), task.verb);
                let own = index == cut.task && !cut.empties.contains(&index);
                if !own {
                    (context.tell)(Event::Started { id: id.clone(), verb, task: index, of });
                }
                let took = if own { began.elapsed() } else { Duration::ZERO };
                let empty = task.handler.actions.is_empty();
                (context.tell)(Event::Finished { id: id.clone(), verb, empty, took });
                done.push((id, verb));
            }
            return Ok(None);
        }
        Err(Failure::Handler { at, why }) => {
            let index = indices.get(at).copied();
            let error = format!("{why:#}");
            let text = cut.unit.actions.get(at).map_or_else(|| "COMMIT".into(), Action::text);
            (context.tell)(Event::Failed {
                id: task.id.clone(),
                verb: task.verb,
                index: index.unwrap_or(cut.first),
                text,
                committed: cut.first,
                error: error.clone(),
            });
            let how = if inside { Broken::Undecided } else { Broken::Failed };
            if !cut.clears {
                record(context, hold, &broken(plan, &cut, index, &error, how)).await?;
            }
            End::Failed
        }
        Err(Failure::Busy(what)) => {
            // A statement that stands alone was announced; that it was not applied is known, and said.
            if !cut.unit.opens.is_empty() {
                let how = if inside { Broken::Undecided } else { Broken::Failed };
                record(context, hold, &broken(plan, &cut, Some(cut.first), &what, how)).await?;
            }
            End::Busy(format!("{} of step `{}`: {what}", task.verb, task.id))
        }
        Err(Failure::Stopped) => {
            let signal = context.stop.signal().unwrap_or(2);
            let how = if inside { Broken::Undecided } else { Broken::Interrupted };
            if !cut.clears {
                record(context, hold, &broken(plan, &cut, None, "interrupted", how)).await?;
            }
            End::Interrupted(signal)
        }
        Err(failure @ (Failure::Lost(_) | Failure::Fenced(_) | Failure::Access(_) | Failure::Refused(_))) => {
            return Err(failure);
        }
    };
    Ok(Some(end))
}

/// Records how a unit ended. What happened is told already: where it can't be recorded, that is one more thing to tell, and nothing is
/// run again for it.
async fn record(context: &Context<'_>, hold: &dyn Hold, entry: &crate::ledger::Entry) -> Result<(), Failure> {
    let unit = Unit { closes: vec![entry.clone()], ..Unit::default() };
    for attempt in 0.. {
        match hold.commit(&unit, &Stop::never()).await {
            Ok(_) => return Ok(()),
            Err(Failure::Busy(_)) if attempt < 20 => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(fenced @ Failure::Fenced(_)) => return Err(fenced),
            Err(why) => {
                (context.tell)(Event::Warning(format!("how it ended could not be recorded: {why}")));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Asks each action of a step that is applied only in part, and takes out what is so already. What nothing decides is run where a failure
/// leaves nothing behind, and is a person's question where it stands alone.
async fn skip_applied(
    session: &dyn Session,
    verb: Verb,
    id: &StepId,
    cut: &mut Cut,
    indices: &mut Vec<u32>,
) -> Result<Option<End>, Failure> {
    let mut rest = Vec::new();
    let mut kept = Vec::new();
    for (action, index) in cut.unit.actions.iter().zip(indices.iter()) {
        match super::look::verdict(session, action).await? {
            Verdict::Applied => {}
            Verdict::Unknown if action.alone() => {
                let finding = undecided(verb, id, cut.before.state, *index, action);
                return Ok(Some(End::Undecided(vec![finding])));
            }
            Verdict::Not | Verdict::Unknown => {
                rest.push(action.clone());
                kept.push(*index);
            }
        }
    }
    cut.unit.actions = rest;
    *indices = kept;
    Ok(None)
}

/// What only a person knows of a statement of a rollback that finds its step applied only in part. `found`: the phase before it.
pub(super) fn undecided(verb: Verb, id: &StepId, found: PhaseState, index: u32, action: &Action) -> Finding {
    // A step whose rollback has begun is rolled back once the rest is done by hand; one whose rollback has not is then as if never run.
    let word = match found {
        PhaseState::RollingBack | PhaseState::RollbackFailed => "done",
        PhaseState::Pending | PhaseState::Running | PhaseState::Done | PhaseState::Failed | PhaseState::RolledBack => {
            "undone"
        }
    };
    let message = format!(
        "step `{id}` is applied only in part, and nothing tells whether statement {} of {verb} is needed:\n    {}",
        index + 1,
        action.text()
    );
    let phase = verb.phase();
    Finding::new(Class::Decision, "L4", message)
        .way_out(format!("look, do by hand what is needed, then: triphase repair {word} {id} {phase} --reason …"))
}

/// Sends a unit until it is committed, refused, or `lock_retry_for` is over (rule X5).
async fn until_committed(
    context: &Context<'_>,
    hold: &dyn Hold,
    id: &StepId,
    verb: Verb,
    unit: &Unit,
    once: bool,
) -> Result<Time, Failure> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let mut by = Vec::new();
        let answer = watched(context, hold, id, verb, unit, began, &mut by).await;
        let Err(Failure::Busy(mut what)) = answer else { return answer };
        if !by.is_empty() {
            what = format!("{what}; blocked by {}", by.join(", "));
        }
        if once {
            return Err(Failure::Busy(what));
        }
        if began.elapsed() + pause >= context.target.lock_retry_for.length() {
            let setting = &context.target.lock_retry_for;
            return Err(Failure::Busy(format!(
                "{what}; given up after `lock_retry_for: {setting}`, nothing of it is applied"
            )));
        }
        (context.tell)(Event::Blocked { id: id.clone(), waited: began.elapsed(), by: vec![what], retry: true });
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            () = context.stop.pulled() => return Err(Failure::Stopped),
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Sends a unit once, and says now and then that it is still at work, and who blocks it.
async fn watched(
    context: &Context<'_>,
    hold: &dyn Hold,
    id: &StepId,
    verb: Verb,
    unit: &Unit,
    began: Instant,
    blocked: &mut Vec<String>,
) -> Result<Time, Failure> {
    let mut work = hold.commit(unit, &context.stop);
    let mut said = Instant::now();
    let mut quiet = (context.target.lock_timeout.length() / 2).min(QUIET);
    loop {
        tokio::select! {
            answer = &mut work => return answer,
            () = tokio::time::sleep(quiet) => {}
        }
        quiet = QUIET;
        // Who blocks is told for the reader's sake: where it can't be had, the work goes on.
        let by = tokio::select! {
            answer = &mut work => return answer,
            blockers = hold.blockers() => blockers.unwrap_or_default(),
        };
        if !by.is_empty() {
            blocked.clone_from(&by);
            (context.tell)(Event::Blocked { id: id.clone(), waited: began.elapsed(), by, retry: false });
        }
        if said.elapsed() >= HEARTBEAT {
            said = Instant::now();
            (context.tell)(Event::Heartbeat { id: id.clone(), verb, elapsed: began.elapsed() });
        }
    }
}
