//! Whether a table is in order after an act: nothing that it holds its writers to may be about a column that is not there for them. Others
//! change tables between a step's phases, and so do its neighbours; a commit that leaves such a table would keep everybody from writing it.

use super::{Refusal, names, state::Field, state::TableState};
use crate::{
    model::{Class, Dialect},
    sql,
};
use std::collections::BTreeSet;

/// Refuses what an act would bring out of order. What was so before the act does not count: a way back must not be barred by it.
///
/// # Errors
/// Names the constraint or column, and the way out.
pub fn coherent(before: &TableState, after: &TableState) -> Result<(), Refusal> {
    coherent_among(before, after, &BTreeSet::new())
}

/// The same where more names of columns are known than the two states have.
///
/// # Errors
/// As [`coherent`].
pub fn coherent_among(before: &TableState, after: &TableState, known: &BTreeSet<String>) -> Result<(), Refusal> {
    let change = Change { before, after, known };
    for (name, text) in after.constraints() {
        let same = before.constraints().any(|(own, was)| own == name && was == text);
        if let Some(why) = change.spoils(text, same) {
            return Err(refuse(
                format!("constraint `{name}` ({text}) uses {why}"),
                format!(
                    "take the constraint off in a release before this one (`drop_constraint`), and add it anew behind it: `{name}`"
                ),
            ));
        }
    }
    for field in &after.fields {
        let Some(text) = field.generation() else { continue };
        let same = change.was(field).is_some_and(|was| was.generation() == Some(text));
        if let Some(why) = change.spoils(text, same).or_else(|| change.chains(text)) {
            let name = &field.name;
            return Err(refuse(
                format!("column `{name}` is generated from {text}, which uses {why}"),
                format!(
                    "finish the step that `{name}` belongs to first, or take it back; or drop `{name}` in a release before this one"
                ),
            ));
        }
    }
    change.hidden()
}

fn refuse(message: String, way_out: impl Into<String>) -> Refusal {
    Refusal::new(Class::Guard, "O12", message).way_out(way_out)
}

struct Change<'a> {
    before: &'a TableState,
    after: &'a TableState,
    known: &'a BTreeSet<String>,
}

impl<'a> Change<'a> {
    /// The same column before the act: by its id, else by its name.
    fn was(&self, field: &Field) -> Option<&'a Field> {
        let by_id = || self.before.fields.iter().find(|was| was.id().is_some() && was.id() == field.id());
        by_id().or_else(|| self.before.field(&field.name).filter(|was| was.id().is_none() || field.id().is_none()))
    }

    /// What the act does to a column that a text uses. `same`: the text is as it was.
    fn spoils(&self, text: &str, same: bool) -> Option<String> {
        let fields = self.before.fields.iter().chain(&self.after.fields).map(|field| field.name.as_str());
        let known = fields.chain(self.known.iter().map(String::as_str));
        let used = sql::names_in(Dialect::Delta, text, known);
        used.into_iter().find_map(|name| {
            let was = self.before.field_like(name);
            let Some(is) = self.after.field_like(name) else {
                let so_before = same && was.is_none();
                return (!so_before).then(|| match was.and_then(|was| self.now(was)) {
                    Some(now) => format!("column `{name}`, which would be `{}`", now.name),
                    None => format!("column `{name}`, which would not be there"),
                });
            };
            let was = was.filter(|_| same)?;
            let other = was.id().is_some() && is.id().is_some() && was.id() != is.id();
            (other || was.data_type != is.data_type).then(|| {
                if was.data_type == is.data_type {
                    format!("column `{name}`, in whose place there would be another")
                } else {
                    format!("column `{name}`, which would be {} and not {}", is.data_type, was.data_type)
                }
            })
        })
    }

    /// A column that a generation expression uses and that is itself generated from now on: Delta generates from ordinary columns only.
    fn chains(&self, text: &str) -> Option<String> {
        let generated = |field: &&Field| field.generation().is_some();
        let names = self.after.fields.iter().filter(generated).map(|field| field.name.as_str());
        let used = sql::names_in(Dialect::Delta, text, names);
        let new = |name: &&str| self.before.field(name).is_none_or(|was| was.generation().is_none());
        used.into_iter().find(new).map(|name| format!("column `{name}`, which would be generated itself"))
    }

    /// A column as it is after the act.
    fn now(&self, was: &Field) -> Option<&'a Field> {
        was.id().and_then(|id| self.after.fields.iter().find(|field| field.id() == Some(id)))
    }

    /// Hidden columns are none that writers must know.
    fn hidden(&self) -> Result<(), Refusal> {
        let hides = |name: &str| names::ours(name) && self.before.field(name).is_none_or(|was| was.nullable);
        if let Some(field) = self.after.fields.iter().find(|field| !field.nullable && hides(&field.name)) {
            let name = self.was(field).map_or(&field.name, |was| &was.name);
            return Err(refuse(
                format!(
                    "column `{name}` is never NULL, and would be hidden so: nobody could write the table without naming it"
                ),
                format!("let it be NULL first, in a release before this one: `drop_not_null` of `{name}`"),
            ));
        }
        let gone = |name: &&String| {
            let lost = self.after.field(name).is_none() && self.before.field(name).is_some();
            lost || names::ours(name) && !self.before.partition_by.contains(name)
        };
        match self.after.partition_by.iter().find(gone) {
            None => Ok(()),
            Some(name) => {
                let field = self.after.field(name).and_then(|field| self.was(field));
                let name = field.map_or(name, |was| &was.name);
                Err(refuse(
                    format!("the table is partitioned by column `{name}`, which would be hidden or removed"),
                    "let it be partitioned otherwise first, in a release before this one: `repartition`",
                ))
            }
        }
    }
}
