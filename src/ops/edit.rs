//! What one commit changes in a table's metadata, as values. What comes of it is said in [`super::apply`].

use super::state::{Field, TableState};
use serde::{Deserialize, Serialize};

/// Where a column stands among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Right behind this one, as long as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Else at this index, from 0.
    pub index: usize,
}

impl Position {
    /// Where a column stands now.
    pub fn of(state: &TableState, name: &str) -> Option<Self> {
        let index = state.fields.iter().position(|field| field.name == name)?;
        let after = index.checked_sub(1).and_then(|n| state.fields.get(n)).map(|field| field.name.clone());
        Some(Self { after, index })
    }

    /// The index that it comes to among these.
    pub(super) fn index(&self, fields: &[Field]) -> usize {
        let behind =
            self.after.as_ref().and_then(|name| fields.iter().position(|field| field.name == *name)).map(|n| n + 1);
        behind.unwrap_or(self.index).min(fields.len())
    }
}

/// One change of a table's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// A new column. In a mapped table it gets the next id, and a physical name that ends with that id: one never used before.
    AddField {
        /// The column, without mapping metadata.
        field: Field,
        /// What the physical name begins with.
        physical: String,
        /// `None`: at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Position>,
    },
    /// A column leaves the schema. In a mapped table its physical name never comes back.
    RemoveField {
        /// Which.
        name: String,
    },
    /// A column that was removed comes back as it was, with its id and physical name.
    ReattachField {
        /// The column with its metadata.
        field: Field,
        /// Where.
        at: Position,
    },
    /// A column gets another name.
    RenameField {
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A column gets a hidden name, and goes to the end.
    HideField {
        /// Which.
        name: String,
        /// The name it gets.
        hidden: String,
    },
    /// A hidden column gets its name and its place back.
    ShowField {
        /// The name it has.
        hidden: String,
        /// The name it gets.
        name: String,
        /// The place it gets.
        at: Position,
    },
    /// A column changes its place.
    MoveField {
        /// Which.
        name: String,
        /// `None`: to the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Position>,
    },
    /// A column may hold NULL, or may not.
    SetNullable {
        /// Which.
        name: String,
        /// Whether it may.
        nullable: bool,
    },
    /// A column is filled by an expression wherever a writer leaves it out, and must be equal to it wherever one does not.
    SetGenerated {
        /// Which.
        name: String,
        /// The expression.
        generated: String,
    },
    /// A column is an ordinary one again; its values stay.
    UnsetGenerated {
        /// Which.
        name: String,
    },
    /// Another column's generation expression names a column by its new name.
    RenameInGenerated {
        /// The column that has the expression.
        name: String,
        /// The name in it.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A property is set.
    SetProperty {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A property is taken away.
    UnsetProperty {
        /// Its key.
        key: String,
    },
    /// A property is as before, where it still is what the step made of it; else it stays.
    RestoreProperty {
        /// Its key.
        key: String,
        /// What the step made of it; `None`: it took it away.
        ours: Option<String>,
        /// What it was; `None`: it was not there.
        before: Option<String>,
    },
    /// A CHECK constraint. Whoever commits it has seen that no row violates it.
    AddConstraint {
        /// Its name.
        name: String,
        /// Its expression, as Spark spells it.
        check: String,
    },
    /// A CHECK constraint is taken away.
    RemoveConstraint {
        /// Its name.
        name: String,
    },
    /// A CHECK constraint is put away: no longer enforced, its text kept in a property.
    StashConstraint {
        /// Its name.
        name: String,
        /// The hash of the step that puts it away.
        by: String,
    },
    /// A CHECK constraint that was put away is in force again.
    UnstashConstraint {
        /// Its name.
        name: String,
        /// The hash of the step that put it away.
        by: String,
    },
    /// The text of a CHECK constraint that was put away is forgotten.
    ForgetConstraint {
        /// Its name.
        name: String,
        /// The hash of the step that put it away.
        by: String,
    },
    /// A CHECK constraint names a column by its new name.
    RenameInConstraint {
        /// Its name.
        name: String,
        /// The name in it.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// The table is partitioned by these columns; its files are rewritten in the same commit.
    SetPartitioning {
        /// In order; none: not partitioned.
        columns: Vec<String>,
    },
    /// Columns are mapped by name from now on, each under the name that it has in the files.
    UpgradeColumnMapping,
    /// A comment of the table or a column.
    SetComment {
        /// Which column; `None`: the table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<String>,
        /// `None`: no comment.
        comment: Option<String>,
    },
    /// A comment is as before, where it still is the step's; else it stays.
    RestoreComment {
        /// Which column; `None`: the table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<String>,
        /// What the step made of it.
        ours: Option<String>,
        /// What it was.
        before: Option<String>,
    },
    /// Nobody can write the table: a constraint that no row meets, and no row can be deleted or changed. Readers go on.
    HideTable {
        /// The hash of the step that hides it.
        by: String,
        /// Its `delta.appendOnly` before.
        append_only: Option<String>,
    },
    /// A hidden table can be written again.
    ShowTable {
        /// The hash of the step that hid it.
        by: String,
        /// Its `delta.appendOnly` before.
        append_only: Option<String>,
    },
    /// The last version of a table: every writer refuses it, its files are deleted next.
    Tombstone,
}
