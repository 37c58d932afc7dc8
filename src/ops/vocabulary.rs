//! The vocabulary: every operation, its fields, and which engines have it. Files are read by it, checksums are taken over it, and the
//! documentation and the JSON Schema are made from it.

use super::table::{FieldSpec, Shape, Spec, Support, Unset, bare, fields, ops};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

const NO_DEFAULTS: Support = Support::No(
    "a column default needs the table feature `allowColumnDefaults`, and delta-rs can't write tables that have it",
    "fill what is there with `backfill`, or add the column with `default` or `up`",
);
const NO_INDEXES: Support = Support::No(
    "a lake has no indexes: readers skip files by their statistics and partitions",
    "partition the table: `repartition`",
);
const NO_ENUMS: Support =
    Support::No("a lake has no enums", "write a column of type string, and `add_constraint` with a `check`");
const NO_PROPERTIES: Support = Support::No(
    "SQL tables have no table properties",
    "write the step's handlers as SQL: add, simdrop, drop and the rollbacks",
);
const NO_MAPPING: Support =
    Support::No("SQL tables have no column mapping", "take the step away from releases for this engine");

fields! {
    /// A column of a table that is made.
    Column {
        /// Its name.
        must name: String = Shape::Name,
        /// Its type.
        must r#type: String = Shape::Type,
        /// Whether it may hold NULL; by default it may.
        may nullable: Option<bool> = Shape::Flag,
        /// What it holds where a writer leaves it out.
        may default: Option<String> = Shape::Expression,
        /// The expression over other columns that fills it.
        may generated: Option<String> = Shape::Expression,
        /// The engine numbers its rows.
        may identity: bool = Shape::Flag,
        /// What it is for.
        may comment: Option<String> = Shape::Text,
    }
}

fields! {
    /// What a foreign key refers to.
    ForeignKey {
        /// The columns that refer.
        must columns: Vec<String> = Shape::Names,
        /// The table that they refer to.
        must references: String = Shape::Name,
        /// Its columns; by default its primary key.
        may referenced_columns: Vec<String> = Shape::Names,
        /// What a deletion there does here.
        may on_delete: Option<String> = Shape::OneOf(&["cascade", "restrict", "set null", "set default", "no action"]),
        /// What a change there does here.
        may on_update: Option<String> = Shape::OneOf(&["cascade", "restrict", "set null", "set default", "no action"]),
    }
}

fields! {
    /// A constraint of a table that is made.
    Constraint {
        /// Its name.
        must name: String = Shape::Name,
        /// The condition that each row meets.
        may check: Option<String> = Shape::Expression,
        /// The columns that no two rows have alike.
        may unique: Vec<String> = Shape::Names,
        /// The rows of another table that rows refer to.
        may foreign_key: Option<ForeignKey> = Shape::Map(ForeignKey::FIELDS),
        /// What no two rows may have in common.
        may exclude: Option<String> = Shape::Text,
    }
}

ops! {
    /// Makes a table.
    "create_table" CreateTable {
        /// The table.
        must table: String = Shape::Name,
        /// `name` (the default) maps columns by name, so that later steps can rename and hide them; `none` does not.
        may column_mapping: Option<String> = Shape::OneOf(&["name", "none"]),
        /// Its columns, in order.
        must columns: Vec<Column> = Shape::List(Column::FIELDS),
        /// The columns of its primary key.
        may primary_key: Vec<String> = Shape::Names,
        /// Its constraints, as in `add_constraint`. They hold at once.
        may constraints: Vec<Constraint> = Shape::List(Constraint::FIELDS),
        /// The columns that it is partitioned by, in order.
        may partition_by: Vec<String> = Shape::Names,
        /// Its properties.
        may properties: IndexMap<String, Option<String>> = Shape::Properties,
        /// What it is for.
        may comment: Option<String> = Shape::Text,
    } delta Support::Yes; sql Support::Later;

    /// Removes a table: closed to writers at simdrop, deleted at drop.
    "drop_table" DropTable {
        /// The table.
        must table: String = Shape::Name,
    } delta Support::Yes; sql Support::Later;

    /// Gives a table another name.
    "rename_table" RenameTable {
        /// The table.
        must table: String = Shape::Name,
        /// Its new name.
        must to: String = Shape::Name,
    } delta Support::No(
        "a table of a lake is its folder, and a folder can't be renamed under its readers and writers",
        "make the new table with `create_table`, fill it with `backfill` or a handler, and `drop_table` the old one",
    ); sql Support::Later;

    /// Adds a column.
    "add_column" AddColumn {
        /// The table.
        must table: String = Shape::Name,
        /// The new column.
        must column: String = Shape::Name,
        /// Its type.
        must r#type: String = Shape::Type,
        /// Whether it may hold NULL; by default it may. `false` is enforced from simdrop on.
        may nullable: Option<bool> = Shape::Flag,
        /// What the rows that are there get.
        may default: Option<String> = Shape::Expression,
        /// What it holds, from a row's other columns, until simdrop: rows of old writers too.
        may up: Option<String> = Shape::Expression,
        /// What old columns hold for rows of new writers.
        may down: Option<String> = Shape::Expression,
        /// The expression over other columns that it always holds.
        may generated: Option<String> = Shape::Expression,
        /// What it is for.
        may comment: Option<String> = Shape::Text,
    } delta Support::Yes; sql Support::Later;

    /// Removes a column: hidden at simdrop, gone at drop.
    "drop_column" DropColumn {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// What rows of new writers hold in it, should it come back.
        may down: Option<String> = Shape::Expression,
        /// At drop, rewrite the files without it.
        may purge: bool = Shape::Flag,
        /// On a table without column mapping: rewrite the files to hide it.
        may rewrite: bool = Shape::Flag,
        /// `rename` (the default) keeps it under a hidden name; `detach` takes it out of the schema, and needs `key`.
        may hide: Option<String> = Shape::OneOf(&["rename", "detach"]),
        /// The columns that tell rows apart, for `hide: detach`.
        may key: Vec<String> = Shape::Names,
    } delta Support::Yes; sql Support::Later;

    /// Gives a column another name.
    "rename_column" RenameColumn {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// Its new name.
        must to: String = Shape::Name,
        /// `sync` (the default): both names can be read after add; `instant`: renamed at simdrop; `view`: a view keeps the old name.
        may strategy: Option<String> = Shape::OneOf(&["sync", "instant", "view"]),
        /// On a table without column mapping: rewrite the files at simdrop.
        may rewrite: bool = Shape::Flag,
    } delta Support::Yes; sql Support::Later;

    /// Gives a column another type.
    "change_type" ChangeType {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// Its new type.
        must r#type: String = Shape::Type,
        /// Old to new, over the row's old columns; by default a cast.
        may up: Option<String> = Shape::Expression,
        /// New to old; without it the way back is lossy.
        may down: Option<String> = Shape::Expression,
        /// A new name for the column; without it the type changes under the name at simdrop.
        may r#as: Option<String> = Shape::Name,
        /// On a table without column mapping: rewrite the files at simdrop.
        may rewrite: bool = Shape::Flag,
    } delta Support::Yes; sql Support::Later;

    /// Lets a column hold NULL no more, from simdrop on.
    "set_not_null" SetNotNull {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// What NULLs become.
        may up: Option<String> = Shape::Expression,
    } delta Support::Yes; sql Support::Later;

    /// Lets a column hold NULL.
    "drop_not_null" DropNotNull {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// What NULLs become on the way back.
        may down: Option<String> = Shape::Expression,
    } delta Support::Yes; sql Support::Later;

    /// Gives a column a default.
    "set_default" SetDefault {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
        /// What it holds where a writer leaves it out.
        must default: String = Shape::Expression,
    } delta NO_DEFAULTS; sql Support::Later;

    /// Takes a column's default away.
    "drop_default" DropDefault {
        /// The table.
        must table: String = Shape::Name,
        /// The column.
        must column: String = Shape::Name,
    } delta NO_DEFAULTS; sql Support::Later;

    /// Adds a constraint, enforced from simdrop on.
    "add_constraint" AddConstraint {
        /// The table.
        must table: String = Shape::Name,
        /// The constraint's name.
        must name: String = Shape::Name,
        /// The condition that each row meets.
        may check: Option<String> = Shape::Expression,
        /// The columns that no two rows have alike.
        may unique: Vec<String> = Shape::Names,
        /// The rows of another table that rows refer to.
        may foreign_key: Option<ForeignKey> = Shape::Map(ForeignKey::FIELDS),
        /// What no two rows may have in common.
        may exclude: Option<String> = Shape::Text,
        /// `simdrop` (the default), or `add`: enforced while old writers work.
        may enforce: Option<String> = Shape::OneOf(&["simdrop", "add"]),
    } delta Support::Yes; sql Support::Later;

    /// Takes a constraint away: no longer enforced from simdrop on, forgotten at drop.
    "drop_constraint" DropConstraint {
        /// The table.
        must table: String = Shape::Name,
        /// The constraint's name.
        must name: String = Shape::Name,
    } delta Support::Yes; sql Support::Later;

    /// Gives a constraint another name.
    "rename_constraint" RenameConstraint {
        /// The table.
        must table: String = Shape::Name,
        /// The constraint's name.
        must name: String = Shape::Name,
        /// Its new name.
        must to: String = Shape::Name,
    } delta Support::No(
        "a constraint is not renamed in place",
        "`add_constraint` under the new name and `drop_constraint` the old one: two steps",
    ); sql Support::Later;

    /// Makes an index.
    "create_index" CreateIndex {
        /// The table.
        must table: String = Shape::Name,
        /// The index's name.
        must name: String = Shape::Name,
        /// Its columns, in order.
        must columns: Vec<String> = Shape::Names,
        /// No two rows have them alike.
        may unique: bool = Shape::Flag,
        /// The rows that it is about.
        may r#where: Option<String> = Shape::Expression,
        /// Columns that it carries along.
        may include: Vec<String> = Shape::Names,
        /// The engine's method.
        may method: Option<String> = Shape::Text,
    } delta NO_INDEXES; sql Support::Later;

    /// Removes an index.
    "drop_index" DropIndex {
        /// The table.
        must table: String = Shape::Name,
        /// The index's name.
        must name: String = Shape::Name,
    } delta NO_INDEXES; sql Support::Later;

    /// Gives an index another name.
    "rename_index" RenameIndex {
        /// The table.
        must table: String = Shape::Name,
        /// The index's name.
        must name: String = Shape::Name,
        /// Its new name.
        must to: String = Shape::Name,
    } delta NO_INDEXES; sql Support::Later;

    /// Makes an enum.
    "create_enum" CreateEnum {
        /// The enum's name.
        must name: String = Shape::Name,
        /// Its values, in order.
        must values: Vec<String> = Shape::Names,
    } delta NO_ENUMS; sql Support::Later;

    /// Adds a value to an enum.
    "add_enum_value" AddEnumValue {
        /// The enum's name.
        must name: String = Shape::Name,
        /// The new value.
        must value: String = Shape::Name,
        /// The value that it comes before; by default it is the last.
        may before: Option<String> = Shape::Name,
    } delta NO_ENUMS; sql Support::Later;

    /// Gives a value of an enum another name.
    "rename_enum_value" RenameEnumValue {
        /// The enum's name.
        must name: String = Shape::Name,
        /// The value.
        must value: String = Shape::Name,
        /// Its new name.
        must to: String = Shape::Name,
    } delta NO_ENUMS; sql Support::Later;

    /// Removes an enum.
    "drop_enum" DropEnum {
        /// The enum's name.
        must name: String = Shape::Name,
    } delta NO_ENUMS; sql Support::Later;

    /// Sets the comment of a table or column, at add.
    "set_comment" SetComment {
        /// The table.
        must table: String = Shape::Name,
        /// The column; left out: the table.
        may column: Option<String> = Shape::Name,
        /// The comment.
        must comment: String = Shape::Text,
    } delta Support::Yes; sql Support::Later;

    /// Sets and unsets table properties, at add.
    "set_properties" SetProperties {
        /// The table.
        must table: String = Shape::Name,
        /// Key and value; nothing (`null`) unsets.
        must properties: IndexMap<String, Option<String>> = Shape::Properties,
    } delta Support::Yes; sql NO_PROPERTIES;

    /// Maps a table's columns by name. Older readers can't open it afterwards, and there is no way back: asked for on every target.
    "upgrade_column_mapping" UpgradeColumnMapping {
        /// The table.
        must table: String = Shape::Name,
    } delta Support::Yes; sql NO_MAPPING;

    /// Partitions a table by other columns, at simdrop: all files are rewritten.
    "repartition" Repartition {
        /// The table.
        must table: String = Shape::Name,
        /// The columns, in order; `[]`: not partitioned.
        must partition_by: Vec<String> = Shape::Names,
    } delta Support::Yes; sql Support::Later;

    /// Fills columns, at add, in batches. The values stay on the way back.
    "backfill" Backfill {
        /// The table.
        must table: String = Shape::Name,
        /// Column and expression.
        must set: IndexMap<String, String> = Shape::Set,
        /// The rows that are filled.
        may r#where: Option<String> = Shape::Expression,
        /// How many rows a batch has.
        may batch: Option<u64> = Shape::Count,
        /// The column whose ranges make the batches.
        may key: Option<String> = Shape::Name,
    } delta Support::Yes; sql Support::Later;
}

/// An operation by its key.
pub fn spec(name: &str) -> Option<&'static Spec> {
    OPERATIONS.iter().find(|spec| spec.name == name)
}

impl Operation {
    /// What the table has of it.
    pub fn spec(&self) -> &'static Spec {
        let found = spec(self.name());
        // The macro writes both lists from the same entries.
        found.unwrap_or(&OPERATIONS[0])
    }

    /// The table that it is about; enums have none.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::CreateTable(op) => Some(&op.table),
            Self::DropTable(op) => Some(&op.table),
            Self::RenameTable(op) => Some(&op.table),
            Self::AddColumn(op) => Some(&op.table),
            Self::DropColumn(op) => Some(&op.table),
            Self::RenameColumn(op) => Some(&op.table),
            Self::ChangeType(op) => Some(&op.table),
            Self::SetNotNull(op) => Some(&op.table),
            Self::DropNotNull(op) => Some(&op.table),
            Self::SetDefault(op) => Some(&op.table),
            Self::DropDefault(op) => Some(&op.table),
            Self::AddConstraint(op) => Some(&op.table),
            Self::DropConstraint(op) => Some(&op.table),
            Self::RenameConstraint(op) => Some(&op.table),
            Self::CreateIndex(op) => Some(&op.table),
            Self::DropIndex(op) => Some(&op.table),
            Self::RenameIndex(op) => Some(&op.table),
            Self::SetComment(op) => Some(&op.table),
            Self::SetProperties(op) => Some(&op.table),
            Self::UpgradeColumnMapping(op) => Some(&op.table),
            Self::Repartition(op) => Some(&op.table),
            Self::Backfill(op) => Some(&op.table),
            Self::CreateEnum(_) | Self::AddEnumValue(_) | Self::RenameEnumValue(_) | Self::DropEnum(_) => None,
        }
    }
}
