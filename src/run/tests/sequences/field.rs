//! What the model is held against: an engine, its files, and the hands that make it fail and its clock go on.

use super::{FILES, PHASES, fails, fixture, has, release, rolls};
use crate::{
    engine::{Driver, fake::Fake},
    model::{Guards, PhaseState},
    release::Project,
    target::Target,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
};

/// What comes of it later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An engine under test.
pub trait Field {
    /// The engine.
    fn driver(&self) -> &dyn Driver;
    /// Whether a handler is applied as a whole or not at all.
    fn atomic(&self) -> bool;
    /// The target, with these guards.
    fn target(&self, guards: Guards) -> Target;
    /// The files. Where an action commits by itself, what fails has one before it that is committed by then.
    fn project(&self) -> Project;
    /// From here on, what can fail does, or does not.
    fn fail(&self, failing: bool) -> Later<'_, ()>;
    /// The target's clock goes on by an hour.
    fn an_hour_passes(&self) -> Later<'_, ()>;
    /// The ledger as phase states by `v1/step phase`; what never ran is left out.
    fn states(&self) -> Later<'_, BTreeMap<String, PhaseState>>;
    /// Nobody has the lock.
    fn is_free(&self) -> Later<'_, ()>;
    /// The database holds what these steps and phases made, and nothing else.
    fn holds<'a>(&'a self, made: &'a BTreeSet<(usize, usize)>) -> Later<'a, ()>;
}

impl Field for Fake {
    fn driver(&self) -> &dyn Driver {
        self
    }

    fn atomic(&self) -> bool {
        self.atomic
    }

    fn target(&self, guards: Guards) -> Target {
        fixture::target(guards)
    }

    fn project(&self) -> Project {
        let mark = if self.atomic { "" } else { "?" };
        let step = |step: usize| {
            let (_, name, ..) = FILES[step];
            let mut text = name.to_owned();
            for (phase, verb) in PHASES.iter().enumerate().filter(|(phase, _)| has(step, *phase)) {
                let what = if fails(step, phase) { "FAIL" } else { "ok" };
                text += &format!(" {verb}:{mark}first-{name}-{verb};{mark}{what}-{name}-{verb}");
                if phase < 2 && rolls(step) {
                    text += &format!(" rollback_{verb}:{mark}back-{name}-{verb}");
                }
            }
            text
        };
        let texts: Vec<(usize, String)> = (0..FILES.len()).map(|s| (release(s), step(s))).collect();
        let of = |r| texts.iter().filter(|(of, _)| *of == r).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
        fixture::project(&[("v1", &of(1)), ("v2", &of(2)), ("v3", &of(3)), ("v4", &of(4)), ("v5", &of(5))])
    }

    fn fail(&self, failing: bool) -> Later<'_, ()> {
        self.state().failing = failing;
        Box::pin(async {})
    }

    fn an_hour_passes(&self) -> Later<'_, ()> {
        self.state().clock.0 += super::HOUR;
        Box::pin(async {})
    }

    fn states(&self) -> Later<'_, BTreeMap<String, PhaseState>> {
        Box::pin(async { super::super::states(self) })
    }

    fn is_free(&self) -> Later<'_, ()> {
        assert!(self.state().lock.is_none());
        Box::pin(async {})
    }

    /// It keeps no tables: its ledger is all there is.
    fn holds<'a>(&'a self, _made: &'a BTreeSet<(usize, usize)>) -> Later<'a, ()> {
        Box::pin(async {})
    }
}
