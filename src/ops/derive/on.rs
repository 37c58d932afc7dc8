//! The table that an operation is derived on, and what most operations ask of it.

use super::{Derived, Setting};
use crate::{
    model::{Class, Label, Verb},
    ops::{
        Refusal, Writer,
        act::{Act, Check, Does},
        edit::{Edit, Position},
        expr::{self, ident},
        names,
        state::{Field, TableState},
        types::DataType,
    },
};

/// The table, the step, and where handlers go.
pub(super) struct On<'a, 'd> {
    pub table: &'a str,
    pub state: &'a TableState,
    pub setting: &'a Setting<'a>,
    /// The step's hash, for names.
    pub hash: String,
    pub derived: &'d mut Derived,
}

/// A commit of edits.
pub(super) fn commit(edits: Vec<Edit>) -> Does {
    Does::Commit { checks: vec![], edits }
}

/// The refusal of an operation that the table, as it is, does not allow.
pub(super) fn refuse(message: impl Into<String>, way_out: impl Into<String>) -> Refusal {
    Refusal::new(Class::Guard, "O12", message).way_out(way_out)
}

/// A check that no row meets a condition.
pub(super) fn none(rows: String, refusal: impl Into<String>) -> Check {
    Check::NoRows { rows, refusal: refusal.into() }
}

/// What came since the last backfill is filled first.
pub(super) fn filled(column: &str, expression: &str, rows: String) -> Check {
    Check::Filled { set: [(column.to_owned(), expression.to_owned())].into(), rows }
}

/// A check that an expression works (O1).
pub(super) fn works(expression: &str, data_type: &DataType, field: &str) -> Check {
    Check::Evaluates { expression: expression.to_owned(), data_type: data_type.to_string(), field: field.to_owned() }
}

impl<'a> On<'a, '_> {
    /// Adds an act to a handler.
    pub fn push(&mut self, verb: Verb, does: Does) {
        self.derived.handlers.entry(verb).or_default().push(Act::new(self.table, does));
    }

    /// Adds an act that keeps somebody from working.
    pub fn push_blocking(&mut self, verb: Verb, does: Does, blocks: Option<String>) {
        let act = Act { blocks, ..Act::new(self.table, does) };
        self.derived.handlers.entry(verb).or_default().push(act);
    }

    /// A handler that is there and has nothing to do.
    pub fn nothing(&mut self, verb: Verb) {
        self.derived.handlers.entry(verb).or_default();
    }

    /// Says what a way back costs.
    pub fn label(&mut self, verb: Verb, label: Label) {
        self.derived.labels.insert(verb, label);
    }

    /// Says something in the plan.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.derived.warnings.push(text.into());
    }

    /// A column that must be there.
    pub fn field(&self, name: &str) -> Result<&'a Field, Refusal> {
        if let Some(field) = self.state.field(name) {
            return Ok(field);
        }
        let way_out = match self.state.field_like(name) {
            Some(near) => format!("it is spelt `{}`", near.name),
            None => {
                let known: Vec<_> = self.state.fields.iter().map(|field| format!("`{}`", field.name)).collect();
                format!("it has {}", known.join(", "))
            }
        };
        Err(refuse(format!("table `{}` has no column `{name}`", self.table), way_out))
    }

    /// A column's name that must be free.
    pub fn free(&self, name: &str) -> Result<(), Refusal> {
        match self.state.field_like(name) {
            None => Ok(()),
            Some(field) => Err(refuse(
                format!("table `{}` has a column `{}` already", self.table, field.name),
                "choose another name; names that differ in case alone are one",
            )),
        }
    }

    /// A column that the step may take away or hide: not the last, no partition column, none that another is generated from.
    pub fn movable(&self, name: &str) -> Result<&'a Field, Refusal> {
        let field = self.field(name)?;
        if self.state.partition_by.iter().any(|column| column == name) {
            return Err(refuse(
                format!("table `{}` is partitioned by column `{name}`", self.table),
                "write a step with `repartition` before this one",
            ));
        }
        if let Some(other) = self.generated_from(name).next() {
            return Err(refuse(
                format!("column `{}` of table `{}` is generated from `{name}`", other.name, self.table),
                format!("drop `{}` first, in a release before this one", other.name),
            ));
        }
        if self.state.fields.iter().filter(|field| !names::ours(&field.name)).count() == 1 {
            return Err(refuse(
                format!("`{name}` is the only column of table `{}`", self.table),
                "drop the table instead",
            ));
        }
        Ok(field)
    }

    /// The other columns that are generated from one.
    pub fn generated_from(&self, name: &str) -> impl Iterator<Item = &'a Field> {
        let state = self.state;
        state.fields.iter().filter(move |field| {
            field.name != name && field.generation().is_some_and(|text| expr::uses_one(text, name))
        })
    }

    /// The constraints that use a column: name and text.
    pub fn constraints_on(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        self.state.constraints().filter(|(_, text)| expr::uses_one(text, name)).collect()
    }

    /// Whether files have to be rewritten where metadata does not do: `false` on a mapped table.
    ///
    /// # Errors
    /// On an unmapped one, unless the step says `rewrite: true`.
    pub fn rewrites(&mut self, rewrite: bool, what: &str) -> Result<bool, Refusal> {
        if self.state.mapped() {
            return Ok(false);
        }
        let files = format!("{} files ({})", self.state.files, size(self.state.bytes));
        if rewrite {
            self.warn(format!("table `{}` has no column mapping: its {files} are rewritten", self.table));
            return Ok(true);
        }
        Err(refuse(
            format!("{what} takes column mapping, and table `{}` has none", self.table),
            format!(
                "write a step with `upgrade_column_mapping` before this one, or `rewrite: true`: that rewrites its {files} instead"
            ),
        ))
    }

    /// Where a column stands.
    pub fn place(&self, name: &str) -> Position {
        Position::of(self.state, name).unwrap_or(Position { after: None, index: self.state.fields.len() })
    }

    /// A hidden name for a column that is free in the table (O9).
    pub fn hidden(&self, role: &str, column: &str) -> String {
        names::hidden(&self.hash, role, column, |name| self.state.field_like(name).is_some())
    }

    /// What the physical names of the step's columns begin with.
    pub fn physical(&self) -> String {
        format!("col_{}", self.hash)
    }

    /// Whether the step may make a generated column of this name, in this table.
    ///
    /// # Errors
    /// Where delta-rs could not write the table any more, or could not append to it and does (D1).
    pub fn generates(&mut self, name: &str, instead: &str) -> Result<(), Refusal> {
        if !names::generates(name) {
            return Err(refuse(
                format!(
                    "column `{name}` would be generated, and delta-rs can't write a table with a generated column whose name has upper case \
                     letters or a dot"
                ),
                instead,
            ));
        }
        let Some(other) = self.state.fields.iter().find(|field| !names::generates(&field.name)) else { return Ok(()) };
        let whom = format!(
            "all appends of delta-rs: a table with a generated column and one named as `{}` is (upper case letters, a dot) takes none",
            other.name
        );
        match self.setting.writers {
            Some(writers) if !writers.contains(&Writer::DeltaRs) || self.setting.allow_blocking => Ok(()),
            Some(_) => Err(Refusal::new(
                Class::Guard,
                "D1",
                format!("this would block {whom}; the target's `writers` has delta-rs"),
            )
            .way_out(format!("{instead}, or say `allow_blocking: true` in the step"))),
            None => {
                self.warn(format!(
                    "this blocks {whom}; say in the target file who writes the tables: `writers: [spark]`"
                ));
                Ok(())
            }
        }
    }

    /// D1: delta-rs appends must name every column. Whom an act blocks from then on, or the refusal.
    pub fn appends(&mut self, who: &str, column: &str, ways: &str) -> Result<Option<String>, Refusal> {
        let whom = format!("{who} of delta-rs that omit {}", ident(column));
        match self.setting.writers {
            Some(writers) if !writers.contains(&Writer::DeltaRs) => Ok(None),
            Some(_) if self.setting.allow_blocking => Ok(Some(whom)),
            Some(_) => Err(Refusal::new(
                Class::Guard,
                "D1",
                format!("{whom} fail from then on, and the target's `writers` has delta-rs"),
            )
            .way_out(format!("{ways}, or say `allow_blocking: true` in the step"))),
            None => {
                self.warn(format!(
                    "{whom} fail from then on; say in the target file who writes the tables: `writers: [spark]`"
                ));
                Ok(None)
            }
        }
    }

    /// Says whose updates fail until the rows that are there have a value in a column that is generated from the first commit on. The column
    /// can't be an ordinary one until then: that would keep the same library from appending (D1).
    pub fn unfilled(&mut self, column: &str) {
        let writes = self.setting.writers.is_none_or(|writers| writers.contains(&Writer::DeltaRs));
        if writes && self.state.rows != Some(0) {
            self.warn(format!(
                "from the first commit of add until all rows are filled, delta-rs can't update or merge into rows of table `{}` that have no \
                 {} yet: that fails in its own library, with nothing changed; its appends and deletes go on",
                self.table,
                ident(column)
            ));
        }
    }

    /// Whether a column that writers leave out must be a generated one (D1).
    pub fn needs_generated(&self) -> bool {
        !self.setting.allow_blocking && self.setting.writers.is_some_and(|writers| writers.contains(&Writer::DeltaRs))
    }

    /// What an earlier attempt of the step left hidden goes with its next drop (O9).
    pub fn leftovers(&mut self) {
        let left: Vec<Edit> = names::of(&self.hash, self.state).map(|name| Edit::RemoveField { name }).collect();
        if !left.is_empty() && self.state.mapped() {
            self.push(Verb::Drop, commit(left));
        }
    }
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}
