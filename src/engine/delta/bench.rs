//! For `benches/lake.rs` alone: one act on one table, as a run carries it out between two entries of the ledger.

use super::{acts::Run, evidence::Evidence, lake::Lake};
use crate::{
    engine::{Failure, Me, Stop},
    model::{StepId, Verb},
    ops::Act,
    target::Target,
};
use std::time::Duration;

/// Carries an act out. `attempt` grows with each call.
///
/// # Errors
/// As a run's.
pub async fn act(target: &Target, step: &StepId, attempt: i64, act: &Act) -> Result<(), Failure> {
    let me = Me {
        run: "bench".to_owned(),
        who: "bench".to_owned(),
        host: String::new(),
        pid: std::process::id(),
        command: "bench".to_owned(),
    };
    let lake = Lake::of(target)?;
    let evidence = Evidence::new(step, Verb::Add, 0, super::evidence::number(attempt, Verb::Add, true), &me, 1);
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::from_secs(60), stop: &Stop::never() };
    run.act(act).await
}
