//! Whether the table that a step has changed is there still, and is that table: one that was dropped and made anew under its name has none
//! of the step's commits.

use super::{evidence, head::Told as _, journal::Journal, lake::Lake, trouble::Trouble};
use crate::{
    action::Action,
    engine::Failure,
    model::{Phase, StepId},
    ops::{Act, Does, Stranger},
};
use std::collections::BTreeMap;
use url::Url;

/// The steps that have changed a table: by how the ledger calls them, how their commits do, and the phase that has changed it last.
type Changed = BTreeMap<StepId, (StepId, Phase)>;

/// The steps between add and drop of which the trail says that they have changed a table, and not a person alone.
///
/// # Errors
/// Where a stored handler can't be read (L8).
pub fn changed(lake: &Lake, journal: &Journal, place: &Url) -> Result<Changed, Failure> {
    let mut changed = Changed::new();
    for (id, row) in journal.fold.ledger.steps.iter().filter(|(_, row)| row.is_open()) {
        let stored = journal.fold.stored(std::slice::from_ref(id))?;
        let Some(handlers) = stored.get(id) else { continue };
        for phase in Phase::ALL.iter().filter(|phase| row.phase(**phase).really()) {
            let actions = handlers.get(&phase.verb()).into_iter().flat_map(|handler| (1..).zip(&handler.actions));
            for (number, action) in actions {
                let Action::Operation { act, step, verb, .. } = action else { continue };
                let here = leaves_a_commit(act) && lake.place(&act.table).is_ok_and(|at| at == *place);
                if here && journal.has_committed(step, *verb, number) {
                    changed.insert(id.clone(), (step.clone(), *phase));
                }
            }
        }
    }
    Ok(changed)
}

/// The steps to which a table is none that they have changed.
///
/// # Errors
/// Where it can't be read.
pub async fn strangers(lake: &Lake, place: &Url, changed: Changed) -> Result<BTreeMap<StepId, Stranger>, Trouble> {
    if changed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let head = lake.head(place).await?;
    let mut strangers = BTreeMap::new();
    for (id, (own, phase)) in changed {
        let known = match &head {
            Some(head) => head.txn(&evidence::app(&own)).await?.is_some(),
            None => false,
        };
        if !known {
            strangers.insert(id, Stranger { changed: phase, there: head.is_some() });
        }
    }
    Ok(strangers)
}

/// Whether an act that has run is in its table's log.
const fn leaves_a_commit(act: &Act) -> bool {
    !matches!(act.does, Does::Nothing { .. } | Does::Underived { .. } | Does::Delete)
}
