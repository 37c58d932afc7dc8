//! Declarative operations: one vocabulary for every engine, and what each comes to on one table. Pure: an operation and a table's state
//! go in, five lists of acts come out ([`Derived`]). The engine carries the acts out and knows no operation.
//!
//! `table` lists the operations and their fields; `derive` has a file an operation or family; `edit` says what a commit changes.

mod act;
mod apply;
mod coherent;
mod derive;
mod edit;
mod expr;
mod expressions;
mod names;
mod path;
mod phases;
mod schema;
mod state;
mod table;
mod text;
mod types;
mod values;
mod vet;
mod vocabulary;

pub use act::{Act, Check, Cost, Does};
pub use apply::{apply, apply_all, apply_in_place};
pub use coherent::{coherent, coherent_among};
pub use derive::{BY, Derived, Setting, derive};
pub use edit::{Edit, Position};
pub use names::{OWN_FOLDER, hash as step_hash, hash_in, ours};
pub use path::{shown, unfit};
pub use schema::schema;
pub use state::{COMMENT, CONSTRAINT, Field, HIDDEN, MAX_COLUMN_ID, Protocol, STASH, TOMBSTONE, TableState};
pub use table::{FieldSpec, Shape, Spec, Support};
pub use types::{DataType, Nested};
pub use vet::vet;
pub use vocabulary::*;
#[cfg(feature = "delta")]
pub(crate) use {
    expr::{differs, violates},
    names::hash,
};

use crate::model::{Class, Finding, Phase, StepId, named};
use std::collections::{BTreeMap, BTreeSet};

named! {
    /// Who else writes a lake's tables (D1).
    Writer {
        /// Apache Spark, or what writes as it does.
        Spark = "spark",
        /// delta-rs: the `deltalake` libraries.
        DeltaRs = "delta-rs",
    }
}

/// How much is asked of a table: what asks for less takes no longer for many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// All but its size, if it can be read: nothing that is asked for is done to the table.
    Glance,
    /// All but its size.
    Shape,
    /// Whether it has rows, too.
    Rows,
    /// Its size too, where its columns are not mapped: an operation may then have to rewrite its files, and says how many.
    SizeUnlessMapped,
    /// Its size too.
    Size,
}

impl Detail {
    /// What an operation is derived from.
    pub const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Repartition(_) => Self::Size,
            Operation::DropColumn(_) | Operation::RenameColumn(_) | Operation::ChangeType(_) => Self::SizeUnlessMapped,
            Operation::CreateTable(_) | Operation::DropTable(_) | Operation::RenameTable(_) => Self::Shape,
            Operation::AddColumn(op) if op.up.is_some() || op.generated.is_some() => Self::Rows,
            Operation::AddColumn(_) | Operation::SetNotNull(_) | Operation::DropNotNull(_) => Self::Shape,
            Operation::SetDefault(_) | Operation::DropDefault(_) | Operation::AddConstraint(_) => Self::Shape,
            Operation::DropConstraint(_) | Operation::RenameConstraint(_) | Operation::CreateIndex(_) => Self::Shape,
            Operation::DropIndex(_) | Operation::RenameIndex(_) | Operation::CreateEnum(_) => Self::Shape,
            Operation::AddEnumValue(_) | Operation::RenameEnumValue(_) | Operation::DropEnum(_) => Self::Shape,
            Operation::SetComment(_) | Operation::SetProperties(_) | Operation::Backfill(_) => Self::Shape,
            Operation::UpgradeColumnMapping(_) => Self::Shape,
        }
    }
}

/// What a target says about the tables that operations name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lake {
    /// The tables that are there, by the names that were asked for.
    pub tables: BTreeMap<String, TableState>,
    /// Names of the same table, and the one that counts: a path, and a full URL of the same place.
    pub same: BTreeMap<String, String>,
    /// Those that were only glanced at and can't be read, and why.
    pub unread: BTreeMap<String, String>,
    /// Who else writes them, where the target file says so.
    pub writers: Option<BTreeSet<Writer>>,
    /// By step that has begun: the tables that it has changed and that are gone, or are others under their names.
    pub strangers: BTreeMap<StepId, BTreeMap<String, Stranger>>,
}

/// What there is in place of a table that a step has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The step's phase that has changed it last.
    pub changed: Phase,
    /// Another table; else nothing.
    pub there: bool,
}

impl Lake {
    /// Steps meet nothing of theirs in a table.
    pub fn meets(&mut self, table: &str, strangers: BTreeMap<StepId, Stranger>) {
        for (id, stranger) in strangers {
            self.strangers.entry(id).or_default().insert(table.to_owned(), stranger);
        }
    }

    /// The one name of a table that may have several.
    pub fn name<'a>(&'a self, table: &'a str) -> &'a str {
        self.same.get(table).map_or(table, String::as_str)
    }
}

/// Why an operation can't be derived, or an act not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class, and so the exit code (O12).
    pub class: Class,
    /// The rule, as `O7`.
    pub rule: &'static str,
    /// What is wrong, naming the thing. No final full stop.
    pub message: String,
    /// What to do about it.
    pub way_out: String,
}

impl Refusal {
    /// A refusal without a way out.
    pub fn new(class: Class, rule: &'static str, message: impl Into<String>) -> Self {
        Self { class, rule, message: message.into(), way_out: String::new() }
    }

    /// The same with its way out.
    #[must_use]
    pub fn way_out(mut self, text: impl Into<String>) -> Self {
        self.way_out = text.into();
        self
    }

    /// There is no such table.
    pub fn missing(table: &str) -> Self {
        Self::new(Class::Guard, "O12", format!("there is no table `{table}`"))
            .way_out("a table is named by its path under the lake's root: `sales`, `raw/events`")
    }

    /// There is such a table already.
    pub fn there(table: &str) -> Self {
        Self::new(Class::Guard, "O12", format!("there is a table `{table}` already")).way_out("choose another name")
    }

    /// There is such a table, and this version of triphase can't write it.
    pub fn unwritable(table: &str, features: &[String]) -> Self {
        let features = features.join(", ");
        Self::new(
            Class::Guard,
            "O12",
            format!("table `{table}` has table features that this triphase can't write: {features}"),
        )
        .way_out("drop the feature from the table with the engine that gave it, or change the table with that engine")
    }

    /// As a finding about a step.
    pub fn finding(self, step: &StepId) -> Finding {
        Finding::new(self.class, self.rule, format!("step `{step}`: {}", self.message)).way_out(self.way_out)
    }
}

#[cfg(test)]
mod tests;
