//! Random commands against a small model of the contract, written from its rules and not from the code: on the fake engine of both kinds,
//! and on real ones.

mod field;
mod real;

use super::{fixture, with};
use crate::{
    engine::fake::Fake,
    event::End,
    model::PhaseState::{self, Done, Failed, Pending, RolledBack},
    plan::{About, Repair},
    run::{repair, run},
};
use field::Field;
use proptest::prelude::*;
use real::Real;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000_000;
const PHASES: [&str; 3] = ["add", "simdrop", "drop"];

/// The files: release, step, and the three phases' handlers: `.` none, `+` one, `!` one that fails on demand. Then whether there are
/// rollbacks for add and simdrop.
const FILES: [(usize, &str, &str, bool); 9] = [
    (1, "a", "+!+", true),
    (1, "b", "!..", true),
    (2, "c", "++.", true),
    (2, "d", ".+!", true),
    (3, "e", "!..", true),
    (3, "f", "++.", false),
    (4, "g", "!.+", true),
    (4, "h", "+.+", true),
    (5, "i", ".++", true),
];

/// The last release.
const LAST: usize = 5;

fn has(step: usize, phase: usize) -> bool {
    &FILES[step].2[phase..=phase] != "."
}

fn fails(step: usize, phase: usize) -> bool {
    &FILES[step].2[phase..=phase] == "!"
}

fn release(step: usize) -> usize {
    FILES[step].0
}

/// Whether a step can be taken back.
fn rolls(step: usize) -> bool {
    FILES[step].3
}

#[derive(Clone, Debug)]
struct Model {
    atomic: bool,
    reach: usize,
    soak: i64,
    rollout: bool,
    failing: bool,
    now: i64,
    state: [[PhaseState; 3]; FILES.len()],
    hidden_at: [i64; FILES.len()],
    rollouts: BTreeSet<usize>,
}

impl Model {
    fn steps(r: usize) -> impl Iterator<Item = usize> {
        (0..FILES.len()).filter(move |s| release(*s) == r)
    }

    /// L1: an empty phase counts as done, run or not.
    fn through(&self, s: usize, p: usize) -> bool {
        self.state[s][p] == Done || !has(s, p)
    }

    /// A handler ran, or left a statement behind.
    fn really(&self, s: usize, p: usize) -> bool {
        has(s, p) && (self.state[s][p] == Done || (self.state[s][p] == Failed && !self.atomic))
    }

    fn progress_after(&self, r: usize) -> bool {
        (0..FILES.len()).any(|s| release(s) > r && (0..3).any(|p| self.really(s, p)))
    }

    /// The steps that a phase is to run for, or a refusal.
    fn forward(&self, r: usize, p: usize, named: bool) -> Result<Vec<(usize, usize)>, ()> {
        let left: Vec<usize> = Self::steps(r).filter(|s| self.state[*s][p] != Done).collect();
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let works = left.iter().any(|s| has(*s, p));
        // A release that has nothing to add begins with a later phase.
        let begins = p == 0 || Self::steps(r).all(|s| self.state[s][0] != Done);
        let g1 = begins && (0..FILES.len()).any(|s| release(s) < r && (0..=self.reach).any(|q| !self.through(s, q)));
        let g2 = Self::steps(r).any(|s| (0..p).any(|q| !self.through(s, q)));
        let inserted =
            left.iter().any(|s| has(*s, p) && Self::steps(r).any(|later| later > *s && self.really(later, p)));
        let late = p == 0 && works && Self::steps(r).any(|s| self.really(s, 1) || self.really(s, 2));
        let older = p == 0 && works && self.progress_after(r);
        let unsaid = p > 0 && works && self.rollout && !self.rollouts.contains(&r);
        let young = p == 2
            && works
            && Self::steps(r)
                .any(|s| has(s, 1) && self.state[s][1] == Done && self.hidden_at[s] + self.soak > self.now);
        let back = !named && left.iter().any(|s| has(*s, p) && self.state[*s][p] == RolledBack);
        if g1 || g2 || inserted || late || older || unsaid || young || back {
            return Err(());
        }
        Ok(left.into_iter().map(|s| (s, p)).collect())
    }

    /// Runs tasks in order: 0 or 1. Empty phases are recorded with what commits next to them.
    fn go(&mut self, tasks: &[(usize, usize)]) -> u8 {
        let mut waiting = Vec::new();
        for (s, p) in tasks.iter().copied() {
            if !has(s, p) {
                waiting.push((s, p));
                continue;
            }
            let broken = self.failing && fails(s, p);
            // What fails after a statement that is committed brings its neighbours' empty phases along; on a resume nothing is before it.
            if !broken || (!self.atomic && self.state[s][p] != Failed) {
                for (s, p) in waiting.drain(..) {
                    self.state[s][p] = Done;
                }
            }
            self.state[s][p] = if broken { Failed } else { Done };
            if broken {
                return 1;
            }
            if p == 1 {
                self.hidden_at[s] = self.now;
            }
        }
        for (s, p) in waiting {
            self.state[s][p] = Done;
        }
        0
    }

    fn auto(&mut self, p: usize) -> u8 {
        let pending: Vec<usize> =
            (1..=LAST).filter(|r| Self::steps(*r).any(|s| has(s, p) && self.state[s][p] != Done)).collect();
        let eligible: Vec<_> = pending.iter().filter_map(|r| self.forward(*r, p, false).ok()).collect();
        match (pending.len(), eligible.as_slice()) {
            (0, _) => 0,
            (_, []) => 7,
            (_, [tasks]) => {
                let tasks = tasks.clone();
                self.go(&tasks)
            }
            (_, _) => 2,
        }
    }

    fn ff(&mut self, to: Option<usize>) -> u8 {
        let mut ahead = Self { failing: false, ..self.clone() };
        let (mut tasks, mut blocked) = (Vec::new(), false);
        for r in 1..=to.unwrap_or(LAST) {
            for p in 0..3 {
                let Ok(more) = ahead.forward(r, p, to == Some(r)) else {
                    blocked |= p == 0;
                    break;
                };
                ahead.go(&more);
                tasks.extend(more);
            }
        }
        match self.go(&tasks) {
            0 if blocked => 7,
            code => code,
        }
    }

    /// The steps that a rollback takes, or a refusal.
    fn back(&self, r: usize, p: usize, cascade: bool) -> Result<Vec<(usize, usize)>, ()> {
        let rows: Vec<usize> = Self::steps(r).filter(|s| matches!(self.state[*s][p], Done | Failed)).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let dropped = Self::steps(r).any(|s| self.really(s, 2));
        let hidden = p == 0 && rows.iter().any(|s| self.really(*s, 1));
        let built_on = match p {
            0 => self.progress_after(r),
            _ => (0..FILES.len()).any(|s| release(s) > r && (self.really(s, 1) || self.really(s, 2))),
        };
        let missing = rows.iter().any(|s| self.really(*s, p) && !rolls(*s));
        if dropped || (hidden && !cascade) || built_on || missing {
            return Err(());
        }
        let mut taken = if hidden { self.back(r, 1, false)? } else { Vec::new() };
        taken.extend(rows.into_iter().map(|s| (s, p)));
        Ok(taken)
    }

    fn rollback(&mut self, r: usize, p: usize, cascade: bool) -> u8 {
        let Ok(taken) = self.back(r, p, cascade) else { return 7 };
        if !taken.is_empty() {
            self.rollouts.remove(&r);
        }
        for (s, p) in taken.iter().copied() {
            self.state[s][p] = RolledBack;
            // What failed in vain on top of it was never begun; what is taken back here too stays rolled back.
            for q in p + 1..3 {
                if self.state[s][q] == Failed && self.atomic && !taken.contains(&(s, q)) {
                    self.state[s][q] = Pending;
                }
            }
        }
        0
    }

    /// The steps and phases whose first statement is applied: by the handler, or by what it committed before it failed.
    fn made(&self) -> BTreeSet<(usize, usize)> {
        let all = (0..FILES.len()).flat_map(|s| (0..3).map(move |p| (s, p)));
        all.filter(|(s, p)| self.really(*s, *p)).collect()
    }

    fn states(&self) -> BTreeMap<String, PhaseState> {
        let mut states = BTreeMap::new();
        for (s, row) in self.state.iter().enumerate() {
            for (p, state) in row.iter().enumerate().filter(|(_, state)| **state != Pending) {
                states.insert(format!("v{}/{} {}", release(s), FILES[s].1, PHASES[p]), *state);
            }
        }
        states
    }
}

/// Carries commands out on an engine and on the model: the same exit codes, the same state after each.
async fn both(field: &dyn Field, settings: (usize, bool, bool), commands: &[(u8, usize)]) {
    let (reach, soak, rollout) = settings;
    let mut text = format!("require_previous: {}\n", ["added", "simdropped", "dropped"][reach]);
    if soak {
        text += "min_simdrop_age: 2h\n";
    }
    if rollout {
        text += "require_rollout: true\n";
    }
    let target = field.target(fixture::guards(&text));
    let project = field.project();
    let mut model = Model {
        atomic: field.atomic(),
        reach,
        soak: if soak { 2 * HOUR } else { 0 },
        rollout,
        failing: false,
        now: 0,
        state: [[Pending; 3]; FILES.len()],
        hidden_at: [0; FILES.len()],
        rollouts: BTreeSet::new(),
    };
    let mut trail = Vec::new();
    for (what, r) in commands.iter().copied() {
        let (text, code) = match what {
            0..=2 => (format!("{} v{r}", PHASES[usize::from(what)]), {
                match model.forward(r, usize::from(what), true) {
                    Ok(tasks) => model.go(&tasks),
                    Err(()) => 7,
                }
            }),
            3..=5 => (PHASES[usize::from(what - 3)].to_owned(), model.auto(usize::from(what - 3))),
            6 => ("ff".to_owned(), model.ff(None)),
            7 => (format!("ff v{r}"), model.ff(Some(r))),
            8 => (format!("rollback_add v{r}"), model.rollback(r, 0, false)),
            9 => (format!("rollback_add v{r} --cascade"), model.rollback(r, 0, true)),
            10 => (format!("rollback_simdrop v{r}"), model.rollback(r, 1, false)),
            11 => {
                model.failing = !model.failing;
                field.fail(model.failing).await;
                trail.push("switch".to_owned());
                continue;
            }
            12 => {
                model.now += HOUR;
                field.an_hour_passes().await;
                trail.push("an hour".to_owned());
                continue;
            }
            _ => {
                let said = Model::steps(r).any(|s| model.state[s][0] == Done);
                if said {
                    model.rollouts.insert(r);
                }
                let about = About::Rollout { release: fixture::v(&format!("v{r}")), said: true };
                let rollout = Repair { about, reason: "looked".into() };
                let answer = repair(&with(field.driver(), &target), &project, &rollout).await;
                assert_eq!(answer.end == End::Done, said, "rollout v{r} after {trail:?}");
                trail.push(format!("rollout v{r}"));
                continue;
            }
        };
        let outcome = run(&with(field.driver(), &target), &project, &fixture::request(&text)).await;
        let after = format!("`{text}` after {trail:?}, {:?}", target.guards);
        assert_eq!(outcome.exit_code(), code, "{after}: {outcome:?}");
        assert_eq!(field.states().await, model.states(), "{after}");
        trail.push(text);
    }
    field.is_free().await;
    field.holds(&model.made()).await;
}

/// What goes forward comes more often than what goes back, and a failure is soon mended: else most sequences stay where they began.
fn kind() -> impl Strategy<Value = u8> {
    prop_oneof![12 => 0..3_u8, 3 => 3..6_u8, 4 => 6..8_u8, 7 => 8..11_u8, 1 => Just(11_u8), 3 => 12..14_u8]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 250,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn runs_do_what_the_model_says(
        atomic: bool,
        settings in (0..3_usize, prop::bool::weighted(0.3), prop::bool::weighted(0.3)),
        commands in prop::collection::vec((kind(), 1..=LAST), 20..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(both(&Fake::new(atomic), settings, &commands));
    }
}

/// A few dozen commands each, all of them at work on a real database.
macro_rules! on_real_engines {
    ($($name:ident: $real:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig {
                cases: 4,
                failure_persistence: None,
                rng_seed: proptest::test_runner::RngSeed::Fixed(7),
                ..ProptestConfig::default()
            })]
            $(
                #[test]
                fn $name(
                    settings in (0..3_usize, prop::bool::weighted(0.3), prop::bool::weighted(0.3)),
                    commands in prop::collection::vec((kind(), 1..=LAST), 20..50),
                ) {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async { both(&$real.await, settings, &commands).await });
                }
            )*
        }
    };
}

on_real_engines! {
    sqlite_does_what_the_model_says: Real::sqlite();
    postgres_does_what_the_model_says: Real::postgres();
    mariadb_does_what_the_model_says: Real::mariadb();
}
