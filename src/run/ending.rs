//! Which tasks end with a unit, and how that is told: at once, or, where the unit's answer was lost, once the next plan has them no more.

use super::Context;
use crate::{
    event::Event,
    model::{StepId, Verb},
    plan::{Cut, Plan, Task},
};
use std::time::Duration;

/// A task that ends with a unit.
pub(super) struct Ending {
    id: StepId,
    verb: Verb,
    /// It has nothing to run.
    empty: bool,
    /// The unit's actions are its own: it took as long as they did. What rides along took no time.
    own: bool,
    /// Its place in the plan and how many there are, where its beginning was not told yet.
    begins: Option<(usize, usize)>,
}

/// The tasks that end with a unit, in the plan's order: some that ride along come before the unit's own task, some after it. `begins`: the
/// unit is its task's first.
pub(super) fn ending(plan: &Plan, cut: &Cut, begins: bool) -> Vec<Ending> {
    let mut ended = cut.empties.clone();
    if cut.last && !ended.contains(&cut.task) {
        ended.push(cut.task);
    }
    ended.sort_unstable();
    let one = |index: usize| {
        let task = &plan.tasks[index];
        let own = index == cut.task && !cut.empties.contains(&index);
        let told = own || (index == cut.task && !begins);
        Ending {
            id: task.id.clone(),
            verb: task.verb,
            empty: task.handler.actions.is_empty(),
            own,
            begins: (!told).then_some((index, plan.tasks.len())),
        }
    };
    ended.into_iter().map(one).collect()
}

impl Ending {
    /// Whether a plan's task is this one.
    pub fn is_of(&self, task: &Task) -> bool {
        (&self.id, self.verb) == (&task.id, task.verb)
    }

    /// Tells that it ended, and counts it among what is done. `took`: how long the unit took.
    pub fn tell(self, context: &Context<'_>, took: Duration, done: &mut Vec<(StepId, Verb)>) {
        let Self { id, verb, empty, own, begins } = self;
        if let Some((task, of)) = begins {
            (context.tell)(Event::Started { id: id.clone(), verb, task, of });
        }
        let took = if own { took } else { Duration::ZERO };
        (context.tell)(Event::Finished { id: id.clone(), verb, empty, took });
        done.push((id, verb));
    }
}
