//! Carries a plan out on one target: look, lock, plan again, commit one by one, release always.

use crate::{
    engine::{Driver, Me, Stop, Where},
    event::{End, Event, Outcome},
    ledger::Ledger,
    plan::{Plan, Repair, Request},
    release::Project,
    target::Target,
};
use std::time::Duration;

/// Where a run tells what happens to it.
pub type Tell<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Asks a person whether a plan may run (rule G9); `Ok(false)`: no. `Err`: it can't be asked, and why.
pub type Confirm<'a> = &'a (dyn Fn(&Where, &Plan) -> Result<bool, String> + Send + Sync);

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

/// What a look at the target gives: nothing was changed.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where.
    pub place: Where,
    /// The ledger.
    pub ledger: Ledger,
    /// What the request would do.
    pub plan: Plan,
    /// Whether the engine commits a handler and its ledger row together.
    pub atomic: bool,
}

/// Plans, and changes nothing (`plan`, `--noop`, `sql`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn look(target: &Target, driver: &dyn Driver, project: &Project, request: &Request) -> Result<Look, End> {
    let _ = (target, driver, project, request);
    Err(End::Declined)
}

/// Runs a request.
pub async fn run(context: &Context<'_>, project: &Project, request: &Request) -> Outcome {
    let _ = (context, project, request);
    Outcome { end: End::Done, done: vec![], waits: vec![], notes: vec![], next: String::new() }
}

/// Records a person's word in the ledger (`repair`, `rollout`), under the lock; runs nothing.
pub async fn repair(context: &Context<'_>, project: &Project, repair: &Repair) -> Outcome {
    let _ = (context, project, repair);
    Outcome { end: End::Done, done: vec![], waits: vec![], notes: vec![], next: String::new() }
}

/// The audit trail's newest rows (`history`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn history(
    target: &Target,
    driver: &dyn Driver,
    limit: u32,
) -> Result<(Where, Vec<crate::ledger::HistoryRow>), End> {
    let _ = (target, driver, limit);
    Err(End::Declined)
}

/// The ledger alone (`show`, `current`, `check`).
///
/// # Errors
/// Where the target can't be reached or its ledger not read.
pub async fn ledger(target: &Target, driver: &dyn Driver) -> Result<(Where, Ledger), End> {
    let _ = (target, driver);
    Err(End::Declined)
}

/// Ends the holder's session or lease (`unlock`, rule X3). Says what it did.
///
/// # Errors
/// Where the holder is alive and `force` is not given, or the target can't be reached.
pub async fn unlock(context: &Context<'_>, force: bool) -> Result<String, End> {
    let _ = (context, force);
    Err(End::Declined)
}
