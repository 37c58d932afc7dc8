//! A person's word, recorded under the lock (`repair`, `rollout`, `stamp`, `import`). Nothing is run for it.

use super::{
    Asked, Context,
    again::{Again, Patience},
    at_once, changed_meanwhile, give_back,
    lock::{self, Had},
    look,
};
use crate::{
    engine::{Failure, Hold, Session, Stop},
    event::{End, Event, Outcome},
    ledger::{Begin, Entry, HistoryRow, Ledger, Unit},
    model::{Class, Finding, Version},
    plan::{About, Repair, RepairPlan},
    release::Project,
};

/// Records a person's word in the ledger (`repair`, `rollout`, `stamp`, `import`), under the lock; runs nothing. An answer that was lost is
/// decided by the audit trail, which has this run's id once the word is recorded (L5).
pub async fn repair(context: &Context<'_>, project: &Project, repair: &Repair) -> Outcome {
    let mut state = Word::default();
    let mut patience = Patience::default();
    let end = loop {
        let again = match word(context, project, repair, &mut state).await {
            Ok(end) => break end,
            // It was there a moment ago, and may have recorded what was sent.
            Err(Failure::Lost(why)) if !state.sent.is_empty() => Again::Lost(format!("{why:#}")),
            Err(Failure::Access(why)) if !state.sent.is_empty() => Again::Away(format!("{why:#}")),
            Err(failure) => break at_once(failure),
        };
        match patience.wait(context, again, 0).await {
            Ok(()) => {}
            Err(End::Access(why)) => {
                break End::Access(format!("{why}; whether it was recorded is not known: see triphase history"));
            }
            Err(end) => break end,
        }
    };
    // What a word comes to is so once it is recorded, and not before.
    let notes = if end == End::Done { state.notes } else { Vec::new() };
    let mut outcome = Outcome { notes, ..end.into() };
    if outcome.next.is_empty() {
        outcome.next = afterwards(repair).to_owned();
    }
    outcome
}

/// What to run once a person's word is recorded, or says nothing new.
pub const fn afterwards(repair: &Repair) -> &'static str {
    if repair.about.mends() { "triphase check" } else { "triphase show" }
}

/// What outlives a round of a person's word.
#[derive(Default)]
struct Word {
    told_host: bool,
    confirmed: bool,
    /// It was given while what had the lock was still at work.
    outlived: bool,
    /// What was sent, and may be recorded.
    sent: Vec<Entry>,
    notes: Vec<String>,
}

async fn word(context: &Context<'_>, project: &Project, repair: &Repair, state: &mut Word) -> Result<End, Failure> {
    let session = look::opened(context.target, context.driver, repair).await?;
    let session = session.as_ref();
    if !state.told_host {
        state.told_host = true;
        (context.tell)(Event::Host(session.place()));
    }
    look::spoken(session, project)?;
    if is_recorded(context, session, &state.sent).await? {
        return Ok(End::Done);
    }
    let (ledger, seen) = lock::patiently(context, async || look::repair(session, project, repair).await).await?;
    if !seen.findings.is_empty() {
        return Ok(End::Refused(seen.findings));
    }
    if seen.is_empty() {
        state.notes = seen.notes;
        return Ok(End::Done);
    }
    if let Some(end) = confirm_word(context, session, &ledger, repair, &seen, &mut state.confirmed) {
        return Ok(end);
    }
    // What is at work now may be otherwise by the time that this run has the lock, or be ended by its taking that.
    if state.sent.is_empty() && said_too_early(&seen, repair).is_some() {
        state.outlived |= session.held().await?.is_some();
    }
    let Had { hold, waited } = match lock::lock(context, session).await? {
        Ok(had) => had,
        Err(end) => return Ok(end),
    };
    // What was waited for in another round may be what this very word left.
    state.outlived |= waited && state.sent.is_empty();
    let outcome = locked_word(context, project, repair, session, hold.as_ref(), (&seen, &mut *state)).await;
    give_back(context, hold).await;
    outcome
}

/// All of it that happens under the lock. `seen`: what was planned before, and perhaps confirmed.
async fn locked_word(
    context: &Context<'_>,
    project: &Project,
    repair: &Repair,
    session: &dyn Session,
    hold: &dyn Hold,
    (seen, state): (&RepairPlan, &mut Word),
) -> Result<End, Failure> {
    // The server may have gone on with it after the first look.
    if is_recorded(context, session, &state.sent).await? {
        return Ok(End::Done);
    }
    let said = lock::patiently(context, async || begun(context, project, repair, session, hold, (seen, state)).await);
    let plan = match said.await? {
        Ok(plan) => plan,
        Err(end) => return Ok(end),
    };
    if !plan.entries.is_empty() {
        let unit = Unit { closes: plan.entries, ..Unit::default() };
        lock::patiently(context, async || hold.commit(&unit, &Stop::never()).await).await?;
    }
    if !plan.purge.is_empty() {
        lock::patiently(context, async || hold.purge(&plan.purge, &repair.reason).await).await?;
    }
    Ok(End::Done)
}

/// Looks what the word comes to, and takes the ledger's row for that; both again where the ledger has moved on in between. `Err` of the
/// inner: it is refused.
async fn begun(
    context: &Context<'_>,
    project: &Project,
    repair: &Repair,
    session: &dyn Session,
    hold: &dyn Hold,
    (seen, state): (&RepairPlan, &mut Word),
) -> Result<Result<RepairPlan, End>, Failure> {
    let (ledger, plan) = look::repair(session, project, repair).await?;
    if !plan.findings.is_empty() {
        return Ok(Err(End::Refused(plan.findings)));
    }
    if let Some(finding) = said_too_early(&plan, repair).filter(|_| state.outlived) {
        return Ok(Err(End::Undecided(vec![finding])));
    }
    if state.confirmed && plan != *seen {
        return Ok(Err(End::Refused(vec![changed_meanwhile("the repair")])));
    }
    if let Some(end) = confirm_word(context, session, &ledger, repair, &plan, &mut state.confirmed) {
        return Ok(Err(end));
    }
    state.notes.clone_from(&plan.notes);
    if !plan.is_empty() {
        state.sent.clone_from(&plan.entries);
        let guards = ledger.in_force(&context.target.guards);
        let guards = (guards != ledger.guards).then_some(guards);
        let begin = Begin { create: ledger.format.is_none(), guards };
        hold.begin(&begin).await?;
    }
    Ok(Ok(plan))
}

/// What a word about what was run (L4) gets where a run, dead or alive, was at work when it was given: it says what was so before that
/// ended. `None`: it is no such word.
fn said_too_early(plan: &RepairPlan, repair: &Repair) -> Option<Finding> {
    let (About::Decide { phase, statement, .. }, Some(Entry::Step { id, .. })) = (&repair.about, plan.entries.first())
    else {
        return None;
    };
    let what = statement.map_or_else(|| phase.to_string(), |k| format!("statement {k} of {phase}"));
    let message = format!(
        "nothing is recorded of {what} of step `{id}`: when that was said, an earlier run was still at work here"
    );
    let again = "it has ended meanwhile: look again, then say it again";
    Some(Finding::new(Class::Decision, "L4", message).way_out(again))
}

/// Whether the audit trail has what this run sent: all of it was one transaction, so its first event tells.
async fn is_recorded(context: &Context<'_>, session: &dyn Session, sent: &[Entry]) -> Result<bool, Failure> {
    /// More than others are likely to have written meanwhile.
    const NEWEST: u32 = 1000;
    let Some(event) = sent.first().map(Entry::event) else { return Ok(false) };
    let rows = session.history(NEWEST.saturating_add(u32::try_from(sent.len()).unwrap_or(u32::MAX))).await?;
    let release = event.release.as_ref().map_or("", Version::as_str);
    let step = event.step.as_deref().unwrap_or_default();
    let same = |row: &HistoryRow| (row.release.as_str(), row.step.as_str(), &row.verb) == (release, step, &event.verb);
    Ok(rows.iter().any(|row| row.run == context.me.run && same(row)))
}

/// Asks about a repair where the guards in force ask for it (G9), once.
fn confirm_word(
    context: &Context<'_>,
    session: &dyn Session,
    ledger: &Ledger,
    repair: &Repair,
    plan: &RepairPlan,
    confirmed: &mut bool,
) -> Option<End> {
    if *confirmed || !repair.asks() || !ledger.in_force(&context.target.guards).is_protected() {
        return None;
    }
    let end = context.unconfirmed(&session.place(), &Asked::Change(&plan.notes.join("; ")));
    *confirmed = end.is_none();
    end
}
