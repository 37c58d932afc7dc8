//! What triphase keeps in a lake (`show --objects`): its own tables, and what lies in others until a step's end.

use super::{
    acts,
    journal::{self, Journal},
    lake::{Lake, OWN},
    lease, leavings,
    trouble::Trouble,
};
use crate::{
    action::Action,
    engine::{Failure, Object},
    ledger::{Kind, Row},
    model::{StepId, Way},
    ops,
};
use std::collections::BTreeMap;

/// All of it.
///
/// # Errors
/// [`Failure::Access`] where the lake or a table can't be read.
pub async fn all(lake: &Lake, journal: &Journal) -> Result<Vec<Object>, Failure> {
    let mut found = Vec::new();
    for (name, what, rows) in [
        (journal::NAME, "the ledger, a row for each event", u64::try_from(journal.rows.len()).ok()),
        (lease::NAME, "the lock", None),
    ] {
        let access = |trouble: Trouble| trouble.access(&format!("_triphase/{name}"));
        if !lake.is_there() {
            continue;
        }
        if let Some(table) = lake.open(&lake.own(name)).await.map_err(access)? {
            let bytes = acts::sized(&table).map_err(access)?.bytes;
            found.push(Object {
                kind: "table",
                name: format!("{OWN}/{name}"),
                what: what.into(),
                rows,
                bytes: Some(bytes),
            });
        }
    }
    let whose: BTreeMap<String, &StepId> =
        journal.fold.ledger.steps.keys().map(|id| (ops::step_hash(id), id)).collect();
    for left in leavings::all(lake).await? {
        let step = left.hash.as_ref().map(|hash| match whose.get(hash) {
            Some(id) => format!(" of step {id}"),
            None => format!(" of a step that the ledger does not know ({hash})"),
        });
        let of = step.unwrap_or_default();
        let what = match left.kind {
            Kind::Column | Kind::PlainColumn => format!("a hidden column{of}"),
            Kind::Closed => format!("keeps writers out of a hidden table{of}"),
            Kind::Stash => format!("a constraint that was put away{of}"),
            Kind::Files => "files of a rewrite that no version of the table has".to_owned(),
            Kind::Aside => "a damaged table of triphase's own, put aside by a rebuild".to_owned(),
        };
        let name = if left.table.is_empty() { left.name } else { format!("{}: {}", left.table, left.name) };
        found.push(Object { kind: left.kind.name(), name, what: what.into(), rows: None, bytes: left.bytes });
    }
    for (table, key, value, id) in set(journal)? {
        let Ok(place) = lake.place(&table) else { continue };
        let access = |trouble: Trouble| trouble.access(&format!("table `{table}`"));
        let Some(opened) = lake.head(&place).await.map_err(access)? else { continue };
        if acts::state(&opened).map_err(access)?.properties.get(&key) == Some(&value) {
            found.push(Object {
                kind: "property",
                name: format!("{table}: {key}"),
                what: format!("`{value}` until the end of step {id}").into(),
                rows: None,
                bytes: None,
            });
        }
    }
    Ok(found)
}

/// The properties that steps between add and drop have set, and give back: table, key, value, step.
fn set(journal: &Journal) -> Result<Vec<(String, String, String, StepId)>, Failure> {
    let between = |(id, row): (&StepId, &Row)| row.is_open().then(|| id.clone());
    let steps: Vec<StepId> = journal.fold.ledger.steps.iter().filter_map(between).collect();
    let mut found = Vec::new();
    for (id, handlers) in journal.fold.stored(&steps)? {
        let back = handlers.iter().filter(|(verb, _)| verb.way() == Way::Back);
        for action in back.flat_map(|(_, handler)| &handler.actions) {
            let Action::Operation { act, .. } = action else { continue };
            for edit in act.edits() {
                if let ops::Edit::RestoreProperty { key, ours: Some(ours), .. } = edit {
                    found.push((act.table.clone(), key.clone(), ours.clone(), id.clone()));
                }
            }
        }
    }
    Ok(found)
}
