//! Whether what the steps of one release do to a table goes together (O12): their later phases are played one after the other, on the
//! tables as all adds of the release leave them.

use crate::{
    ledger::Facts,
    model::{Finding, StepId, Verb},
    ops::{Act, Does, Refusal, TableState, coherent_among},
};
use std::collections::{BTreeMap, BTreeSet};

/// The columns that a release's tables have had, by table.
#[derive(Clone)]
pub(super) struct Columns(BTreeMap<String, BTreeSet<String>>);

impl Columns {
    /// Those of some tables.
    pub fn of(tables: &BTreeMap<String, TableState>) -> Self {
        let mut columns = Self(BTreeMap::new());
        columns.add(tables);
        columns
    }

    /// And those that they have now.
    pub fn add(&mut self, tables: &BTreeMap<String, TableState>) {
        for (name, state) in tables {
            self.0.entry(name.clone()).or_default().extend(state.fields.iter().map(|field| field.name.clone()));
        }
    }
}

/// The rule of what speaks against an act because its table is not as it was when the step was derived.
pub(super) const CHANGED: &str = "O4";

/// What speaks against a handler's acts on the tables as they will be then.
pub(super) fn refusal(
    acts: &[Act],
    facts: &Facts,
    tables: &BTreeMap<String, TableState>,
    columns: &Columns,
) -> Option<Refusal> {
    let mut states: BTreeMap<&str, TableState> = BTreeMap::new();
    for act in acts.iter().filter(|act| edits_a_table(act)) {
        let name = facts.lake.name(&act.table);
        // A table that is not there is refused where it is asked for.
        let Some(before) = states.get(name).or_else(|| tables.get(name)) else { continue };
        let after = match act.edited(before) {
            Ok(after) => after,
            Err(refusal) => return Some(refusal.way_out(String::new())),
        };
        if let Err(refusal) = coherent_among(before, &after, columns.0.get(name).unwrap_or(&BTreeSet::new())) {
            return Some(refusal);
        }
        states.insert(name, after);
    }
    None
}

/// Whether a handler's acts by themselves fit the tables as they stand. Where those of a step that has begun don't, the ledger does not know
/// what has happened to its table: the table's own commits tell the run (D7).
pub(super) fn fits(acts: &[Act], facts: &Facts) -> bool {
    let mut states: BTreeMap<&str, TableState> = BTreeMap::new();
    acts.iter().filter(|act| edits_a_table(act)).all(|act| {
        let name = facts.lake.name(&act.table);
        let Some(before) = states.get(name).or_else(|| facts.lake.tables.get(name)) else { return true };
        act.edited(before).map(|after| states.insert(name, after)).is_ok()
    })
}

/// Whether an act edits a table that is there, and stays.
const fn edits_a_table(act: &Act) -> bool {
    !matches!(act.does, Does::Create { .. } | Does::Delete | Does::Nothing { .. } | Does::Underived { .. })
}

/// The same as a finding about the step.
pub(super) fn finding(refusal: Refusal, verb: Verb, step: &StepId) -> Finding {
    let later = "or write the step in a release after this one";
    let way_out = match refusal.way_out.as_str() {
        "" => "an earlier step of the release is about the same; write this one in a release after it".to_owned(),
        way_out => format!("{way_out}; {later}"),
    };
    let message = format!("its {verb} would not go together with the table as it is by then: {}", refusal.message);
    Refusal { message, way_out, ..refusal }.finding(step)
}
