//! Commits one unit of a plan: asks where it must, retries what traffic stopped, records what failed.

use super::{Context, ending::ending};
use crate::{
    action::Action,
    engine::{Access, Failure, Hold, NothingRan, OwnWords, Session, Stop},
    event::{End, Event},
    ledger::{Entry, Unit, Verdict},
    model::{Class, Dialect, Finding, PhaseState, StepId, Time, Verb},
    plan::{Broken, Cut, Plan, Task, broken},
};
use std::time::{Duration, Instant};

/// How long a statement works before it is looked who blocks it; sooner where it gives up sooner.
const QUIET: Duration = Duration::from_secs(1);
/// How often it is said again.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Commits a unit. `Some`: the run ends here, and why; all that must be recorded is. With it the way out, where that is this unit's own.
/// `begins`: its task was not told of yet.
pub(super) async fn commit(
    context: &Context<'_>,
    session: &dyn Session,
    hold: &dyn Hold,
    plan: &Plan,
    mut cut: Cut,
    begins: bool,
    done: &mut Vec<(StepId, Verb)>,
) -> Result<Option<(End, Option<String>)>, Failure> {
    let task = &plan.tasks[cut.task];
    let mut way = way_out(session.dialect(), task, &cut);
    if let Some(signal) = context.stop.signal() {
        stopped_between(context, hold, plan, &cut).await?;
        return Ok(Some((End::Interrupted(signal), way)));
    }
    let of = plan.tasks.len();
    let began = Instant::now();
    if begins && !cut.empties.contains(&cut.task) {
        (context.tell)(Event::Started { id: task.id.clone(), verb: task.verb, task: cut.task, of });
    }
    // Which of the handler's actions those of the unit are, once some were skipped.
    let there = (cut.first..).filter(|index| task.asked.get(index) != Some(&Verdict::Applied));
    let mut indices: Vec<u32> = there.take(cut.unit.actions.len()).collect();
    if task.ask_each
        && !cut.clears
        && let Some(end) = skip_applied(session, task, &mut cut, &mut indices).await?
    {
        return Ok(Some((end, way)));
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
    let inside = cut.unit.actions.iter().any(|action| commits_inside(session.dialect(), action));
    let once = inside || waits_itself(session.dialect(), &cut.unit);
    match until_committed(context, hold, &task.id, task.verb, &cut.unit, once).await {
        Ok(_) => {
            for ended in ending(plan, &cut, begins) {
                ended.tell(context, began.elapsed(), done);
            }
            Ok(None)
        }
        Err((failure, by)) => {
            if matches!(&failure, Failure::Handler { why, .. } if why.is::<NothingRan>()) {
                way = None;
            }
            let end = broken_off(context, hold, plan, &cut, &indices, inside, (failure, by)).await?;
            Ok(Some((end, way)))
        }
    }
}

/// Records that a run was told to stop before a unit, in the middle of its task. A client may go on to its end though it was told to stop:
/// then nobody is at work any more, and nothing stands open.
async fn stopped_between(context: &Context<'_>, hold: &dyn Hold, plan: &Plan, cut: &Cut) -> Result<(), Failure> {
    if !matches!(cut.before.state, PhaseState::Running | PhaseState::RollingBack) || cut.clears {
        return Ok(());
    }
    let mut entry = broken(plan, cut, None, "interrupted", Broken::Interrupted);
    if let Entry::Step { row, .. } = &mut entry {
        row.trying = None;
    }
    record(context, hold, &entry).await.map(drop)
}

/// Tells and records how a unit was broken off. `indices`: which of the handler's actions its own are; `inside`: one of them may have
/// committed on its way; with the failure, who was in the way.
///
/// # Errors
/// What is no unit's, but the run's.
async fn broken_off(
    context: &Context<'_>,
    hold: &dyn Hold,
    plan: &Plan,
    cut: &Cut,
    indices: &[u32],
    inside: bool,
    (failure, by): (Failure, Vec<String>),
) -> Result<End, Failure> {
    let task = &plan.tasks[cut.task];
    Ok(match failure {
        Failure::Handler { at, why } => {
            let inside = inside && !why.is::<NothingRan>();
            let index = indices.get(at).copied();
            let error = format!("{why:#}");
            let text = cut.unit.actions.get(at).map_or_else(|| "COMMIT".into(), Action::text);
            let how = if inside { Broken::Undecided } else { Broken::Failed };
            // A run that the lock was taken from ends with that.
            let recorded = cut.clears || record(context, hold, &broken(plan, cut, index, &error, how)).await?;
            (context.tell)(Event::Failed {
                id: task.id.clone(),
                verb: task.verb,
                index: index.unwrap_or(cut.first),
                text,
                committed: cut.first,
                partly: inside || cut.unit.actions.iter().any(is_file),
                at_commit: at == cut.unit.actions.len(),
                server: !why.is::<OwnWords>() && servers_words(context.driver.dialect(), &error),
                error,
                recorded,
            });
            End::Failed
        }
        Failure::Busy(what) => {
            // A statement that stands alone was announced; that it was not applied is known, and said.
            if !cut.unit.opens.is_empty() {
                let how = if inside { Broken::Undecided } else { Broken::Failed };
                record(context, hold, &broken(plan, cut, Some(cut.first), &what, how)).await?;
            }
            End::Busy(format!("{} of step `{}`: {}", task.verb, task.id, blocked(&what, &by)))
        }
        Failure::Stopped => {
            let signal = context.stop.signal().unwrap_or(2);
            let how = if inside { Broken::Undecided } else { Broken::Interrupted };
            if !cut.clears {
                record(context, hold, &broken(plan, cut, None, "interrupted", how)).await?;
            }
            End::Interrupted(signal)
        }
        failure @ (Failure::Lost(_) | Failure::Fenced(_) | Failure::Access(_) | Failure::Refused(_)) => {
            return Err(failure);
        }
    })
}

/// A procedure or a block that commits on its way.
fn commits_inside(dialect: Dialect, action: &Action) -> bool {
    match action {
        Action::Sql { text, alone: true, .. } => crate::sql::commits_inside(dialect, text),
        Action::Sql { alone: false, .. } | Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => {
            false
        }
    }
}

/// Whether the engine itself tries again while others are in the way, for as long as `lock_retry_for` says: a lake's commit that was
/// overtaken has looked at most of its table already, and would begin at nothing.
fn waits_itself(dialect: Dialect, unit: &Unit) -> bool {
    match dialect {
        Dialect::Delta => unit.actions.iter().any(Action::alone),
        Dialect::Sqlite | Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => false,
    }
}

const fn is_file(action: &Action) -> bool {
    matches!(action, Action::Shell { .. })
}

/// What to do once a unit has failed, or was stopped, of which nobody knows how far it came; none where nothing of it is applied.
fn way_out(dialect: Dialect, task: &Task, cut: &Cut) -> Option<String> {
    if cut.clears {
        return None;
    }
    let (id, phase, k) = (&task.id, task.verb.phase(), cut.first + 1);
    match cut.unit.actions.as_slice() {
        [Action::Shell { .. }] => Some(format!(
            "look how far the file came, and undo that or make the file safe to run twice: the same command runs it again from its \
             start; or, if all of it is done: triphase repair done {id} {phase} {k} --reason …"
        )),
        [action] if commits_inside(dialect, action) => Some(format!(
            "look how far it came, then say: triphase repair done {id} {phase} {k} --reason …   or   \
             triphase repair undone {id} {phase} {k} --reason …"
        )),
        _ => None,
    }
}

/// Ends a task whose answer was lost each time it was sent, and that is not applied: it is the handler that ends the session.
pub(super) async fn give_up(
    context: &Context<'_>,
    hold: &dyn Hold,
    plan: &Plan,
    cut: &Cut,
    times: u32,
    why: &str,
) -> Result<End, Failure> {
    let task = &plan.tasks[cut.task];
    let error = format!("the connection was lost each of the {times} times that this was sent: {why}");
    let recorded = record(context, hold, &broken(plan, cut, Some(cut.first), &error, Broken::Failed)).await?;
    (context.tell)(Event::Failed {
        id: task.id.clone(),
        verb: task.verb,
        index: cut.first,
        text: cut.unit.actions.first().map_or_else(|| "COMMIT".into(), Action::text),
        committed: cut.first,
        partly: false,
        at_commit: false,
        error,
        server: false,
        recorded,
    });
    Ok(End::Failed)
}

/// Whether an action's failure is told in the server's words. A lake has no server: its library's words and triphase's own stand for
/// themselves. What an `expect` found is triphase's own word everywhere.
fn servers_words(dialect: Dialect, error: &str) -> bool {
    match dialect {
        Dialect::Delta => false,
        Dialect::Sqlite | Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => !error.starts_with("expected "),
    }
}

/// Records how a unit ended, and says whether it could be: where not, that is one more thing to tell, and nothing is run again for it.
async fn record(context: &Context<'_>, hold: &dyn Hold, entry: &crate::ledger::Entry) -> Result<bool, Failure> {
    let unit = Unit { closes: vec![entry.clone()], ..Unit::default() };
    for attempt in 0.. {
        match hold.commit(&unit, &Stop::never()).await {
            Ok(_) => return Ok(true),
            Err(Failure::Busy(_)) if attempt < 20 => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(fenced @ Failure::Fenced(_)) => return Err(fenced),
            Err(why) => {
                if let Some(fenced) = taken_away(context).await {
                    return Err(fenced);
                }
                (context.tell)(Event::Warning(format!("how it ended could not be recorded: {why}")));
                return Ok(false);
            }
        }
    }
    Ok(false)
}

/// Asks the target itself whether the lock is this run's no more: with its session, `unlock` ends the one that would say so (X2).
async fn taken_away(context: &Context<'_>) -> Option<Failure> {
    let session = context.driver.open(context.target, Access::Read).await.ok()?;
    let by = session.ledger().await.ok()?.run?;
    (by.run != context.me.run).then(|| Failure::Fenced(Some(by).filter(|run| !run.run.is_empty()).map(Box::new)))
}

/// Asks each action of a step that is applied only in part, and takes out what is so already. What nothing decides is a person's question,
/// but for what comes to no harm where it is not needed.
async fn skip_applied(
    session: &dyn Session,
    task: &Task,
    cut: &mut Cut,
    indices: &mut Vec<u32>,
) -> Result<Option<End>, Failure> {
    let mut rest = Vec::new();
    let mut kept = Vec::new();
    for (action, index) in cut.unit.actions.iter().zip(indices.iter()) {
        let (verdict, question) = needed(session, action, task.asked.get(index).copied()).await?;
        if question {
            let finding = undecided(task.verb, &task.id, cut.before.state, *index, action);
            return Ok(Some(End::Undecided(vec![finding])));
        }
        if verdict != Verdict::Applied {
            rest.push(action.clone());
            kept.push(*index);
        }
    }
    cut.unit.actions = rest;
    *indices = kept;
    Ok(None)
}

/// Asks whether an action of a rollback of a half-applied step is so already, and whether it is a person's to decide. `known`: what the
/// ledger tells of it.
pub(super) async fn needed(
    session: &dyn Session,
    action: &Action,
    known: Option<Verdict>,
) -> Result<(Verdict, bool), Failure> {
    Ok(match known {
        Some(Verdict::Applied) => (Verdict::Applied, false),
        // It is there, and may be another's.
        Some(Verdict::Unknown) => match super::look::verdict(session, action).await? {
            Verdict::Applied => (Verdict::Applied, false),
            Verdict::Not | Verdict::Unknown => (Verdict::Unknown, true),
        },
        Some(Verdict::Not) | None => {
            let verdict = super::look::verdict(session, action).await?;
            (verdict, verdict == Verdict::Unknown && is_question(session.dialect(), action))
        }
    })
}

/// Whether an action of which nothing tells whether it is needed is a person's to decide.
fn is_question(dialect: Dialect, action: &Action) -> bool {
    match action {
        Action::Sql { text, alone: false, .. } => !crate::sql::harmless_if_needless(dialect, text),
        Action::Expect { .. } => false,
        Action::Sql { alone: true, .. } | Action::Shell { .. } | Action::Operation { .. } => true,
    }
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

/// A refusal for traffic and who was in its way. Their queries may hold what the application keeps: they are told, and never recorded.
fn blocked(what: &str, by: &[String]) -> String {
    if by.is_empty() { what.to_owned() } else { format!("{what}; blocked by {}", by.join(", ")) }
}

/// Sends a unit until it is committed, refused, or `lock_retry_for` is over (rule X5). `once`: what traffic has stopped is not sent again. A
/// failure comes with who was in its way.
async fn until_committed(
    context: &Context<'_>,
    hold: &dyn Hold,
    id: &StepId,
    verb: Verb,
    unit: &Unit,
    once: bool,
) -> Result<Time, (Failure, Vec<String>)> {
    let limit = context.target.lock_retry_for.length();
    let began = Instant::now();
    let mut pause = Duration::from_millis(100);
    // What was waited, not what was worked: a handler may take long before it comes to the table that is in use.
    let mut waited = Duration::ZERO;
    let mut again = false;
    // When it was last said who blocks.
    let mut said = None;
    loop {
        let mut by = Vec::new();
        let sent = Instant::now();
        let answer = watched(context, hold, id, verb, unit, (began, waited), (&mut by, &mut said)).await;
        let what = match answer {
            Ok(now) => return Ok(now),
            Err(Failure::Busy(what)) if once => return Err((Failure::Busy(what), by)),
            Err(Failure::Busy(what)) => what,
            Err(
                failure @ (Failure::Handler { .. }
                | Failure::Lost(_)
                | Failure::Fenced(_)
                | Failure::Stopped
                | Failure::Access(_)
                | Failure::Refused(_)),
            ) => return Err((failure, by)),
        };
        waited += sent.elapsed().min(context.target.lock_timeout.length());
        if waited + pause >= limit && (again || limit.is_zero()) {
            let setting = &context.target.lock_retry_for;
            let given_up = format!("{what}; given up after `lock_retry_for: {setting}`, nothing of it is applied");
            return Err((Failure::Busy(given_up), by));
        }
        (context.tell)(Event::Blocked { id: id.clone(), waited, by: vec![blocked(&what, &by)], retry: true });
        let paused = Instant::now();
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            () = context.stop.pulled() => return Err((Failure::Stopped, by)),
        }
        waited += paused.elapsed();
        again = true;
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
    (began, waited): (Instant, Duration),
    (blocked, blocked_said): (&mut Vec<String>, &mut Option<Instant>),
) -> Result<Time, Failure> {
    let mut work = hold.commit(unit, &context.stop);
    let mut said = Instant::now();
    // When nobody was in the way for the last time.
    let mut free = Instant::now();
    let mut quiet = (context.target.lock_timeout.length() / 2).min(QUIET);
    let mut come = None;
    let mut further = || {
        let now = hold.progress();
        if now != come
            && let Some(progress) = now
        {
            (context.tell)(Event::Progress { id: id.clone(), verb, progress, elapsed: began.elapsed() });
        }
        come = now;
        now
    };
    loop {
        tokio::select! {
            answer = &mut work => {
                further();
                return answer;
            }
            () = tokio::time::sleep(quiet) => {}
        }
        quiet = QUIET;
        let progress = further();
        // Who blocks is told for the reader's sake: where it can't be had, the work goes on.
        let by = tokio::select! {
            answer = &mut work => {
                further();
                return answer;
            }
            blockers = hold.blockers() => blockers.unwrap_or_default(),
        };
        if by.is_empty() {
            free = Instant::now();
        } else {
            blocked.clone_from(&by);
            // Not each second anew: each attempt that gives way says it too.
            if blocked_said.is_none_or(|said| said.elapsed() >= HEARTBEAT) {
                *blocked_said = Some(Instant::now());
                (context.tell)(Event::Blocked { id: id.clone(), waited: waited + free.elapsed(), by, retry: false });
            }
        }
        if said.elapsed() >= HEARTBEAT {
            said = Instant::now();
            (context.tell)(Event::Heartbeat { id: id.clone(), verb, elapsed: began.elapsed(), progress });
        }
    }
}
