//! Runs on the engine in memory.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod again;
mod operations;
mod overlap;
mod paths;
mod sequences;
mod sweep;
mod upgrade;

use super::{Asked, Context, repair, run};
use crate::{
    engine::{Driver, Me, Stop, Where, fake::Fake},
    event::{Event, Outcome},
    model::{Finding, Guards, PhaseState},
    plan::{Repair, tests::fixture},
    release::Project,
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static RUNS: AtomicU32 = AtomicU32::new(1);

fn with<'a>(driver: &'a dyn Driver, target: &'a crate::target::Target) -> Context<'a> {
    const TELL: &(dyn Fn(Event) + Send + Sync) = &|_| {};
    const YES: &(dyn Fn(&Where, &Asked<'_>) -> Result<bool, Finding> + Send + Sync) = &|_, _| Ok(true);
    let me = Me {
        run: format!("run{}", RUNS.fetch_add(1, Ordering::Relaxed)),
        who: "me@here".into(),
        host: "here".into(),
        pid: 1,
        command: "test".into(),
    };
    Context { target, driver, me, wait_lock: Duration::ZERO, stop: Stop::never(), tell: TELL, confirm: YES }
}

async fn command(fake: &Fake, guards: &Guards, project: &Project, text: &str) -> Outcome {
    let target = fixture::target(guards.clone());
    run(&with(fake, &target), project, &fixture::request(text)).await
}

async fn say(fake: &Fake, project: &Project, about: crate::plan::About) -> Outcome {
    let target = fixture::target(Guards::default());
    repair(&with(fake, &target), project, &Repair { about, reason: "looked".into() }).await
}

/// The ledger as phase states by `v1/step phase`; what never ran is left out.
fn states(fake: &Fake) -> BTreeMap<String, PhaseState> {
    let state = fake.state();
    let mut states = BTreeMap::new();
    for (id, row) in &state.kept.ledger.steps {
        for phase in crate::model::Phase::ALL {
            if row.phase(*phase).state != PhaseState::Pending {
                states.insert(format!("{id} {phase}"), row.phase(*phase).state);
            }
        }
    }
    states
}
