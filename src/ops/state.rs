//! A table as a plain value: what operations are derived from, and what edits are applied to. Its JSON is Delta's own
//! (delta-io/delta `PROTOCOL.md`, "Schema Serialization Format", "Column Mapping").

use super::types::DataType;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The configuration key that says how columns are mapped to those of the files.
pub const MAPPING_MODE: &str = "delta.columnMapping.mode";
/// The configuration key of the highest column id ever given.
pub const MAX_COLUMN_ID: &str = "delta.columnMapping.maxColumnId";
/// What a constraint's configuration key begins with.
pub const CONSTRAINT: &str = "delta.constraints.";
/// What the configuration key of a constraint that is put away begins with; the step's hash and the name follow.
pub const STASH: &str = "triphase.stash.";
/// The configuration key that says which step hides the whole table.
pub const HIDDEN: &str = "triphase.hidden";
/// The writer feature that no writer has: a table that carries it is refused by all of them.
pub const TOMBSTONE: &str = "triphaseTombstone";
/// The configuration key that says whether rows may only be appended.
pub const APPEND_ONLY: &str = "delta.appendOnly";
/// A column's metadata key: its id.
pub const COLUMN_ID: &str = "delta.columnMapping.id";
/// A column's metadata key: its name in the files.
pub const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";
/// A column's metadata key: the expression that fills it.
pub const GENERATION: &str = "delta.generationExpression";
/// A column's metadata key: its comment.
pub const COMMENT: &str = "comment";

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its logical name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Its metadata: mapping, generation expression, comment, and what others put there.
    #[serde(default)]
    pub metadata: BTreeMap<String, serde_json::Value>,
}

impl Field {
    /// A column that may hold NULL, without metadata.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, nullable: true, metadata: BTreeMap::new() }
    }

    /// A metadata entry that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(serde_json::Value::as_str)
    }

    /// The expression that fills it.
    pub fn generation(&self) -> Option<&str> {
        self.text(GENERATION)
    }

    /// Its name in the files: of a mapped table its physical name, else its own.
    pub fn physical(&self) -> &str {
        self.text(PHYSICAL_NAME).unwrap_or(&self.name)
    }

    /// Its id in a mapped table.
    pub fn id(&self) -> Option<u64> {
        self.metadata.get(COLUMN_ID).and_then(serde_json::Value::as_u64)
    }
}

/// What reading and writing a table takes (`PROTOCOL.md`, "Protocol Evolution").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    /// `minReaderVersion`.
    pub min_reader_version: u32,
    /// `minWriterVersion`.
    pub min_writer_version: u32,
    /// Named only from reader version 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<BTreeSet<String>>,
    /// Named only from writer version 7 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<BTreeSet<String>>,
}

/// The features that a writer version before 7 brings, with the first version that has each.
const LEGACY_WRITER: &[(&str, u32)] = &[
    ("appendOnly", 2),
    ("invariants", 2),
    ("checkConstraints", 3),
    ("changeDataFeed", 4),
    ("generatedColumns", 4),
    ("columnMapping", 5),
    ("identityColumns", 6),
];

/// The writer features of tables that this version changes: what delta-rs writes.
const SUPPORTED: &[&str] = &[
    "appendOnly",
    "invariants",
    "checkConstraints",
    "changeDataFeed",
    "generatedColumns",
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "variantType",
    "checkpointProtection",
];

impl Protocol {
    /// A protocol before named features.
    pub const fn legacy(reader: u32, writer: u32) -> Self {
        Self { min_reader_version: reader, min_writer_version: writer, reader_features: None, writer_features: None }
    }

    /// The writer features in force, those of a version before 7 by their names.
    pub fn features(&self) -> BTreeSet<String> {
        match &self.writer_features {
            Some(features) => features.clone(),
            None => LEGACY_WRITER
                .iter()
                .filter(|(_, version)| *version <= self.min_writer_version)
                .map(|(name, _)| (*name).to_owned())
                .collect(),
        }
    }

    /// The features that keep this version of triphase from changing the table.
    pub fn foreign(&self) -> Vec<String> {
        let readers = self.reader_features.iter().flatten().cloned();
        let all: BTreeSet<String> = self.features().into_iter().chain(readers).collect();
        all.into_iter().filter(|name| !SUPPORTED.contains(&name.as_str())).collect()
    }

    /// The same with a writer feature (and reader feature, where it is one) that it has from now on.
    #[must_use]
    pub fn with(&self, feature: &str) -> Self {
        let reads = matches!(feature, "columnMapping" | "timestampNtz" | "deletionVectors");
        let mut next = self.clone();
        let legacy = LEGACY_WRITER.iter().find(|(name, _)| *name == feature);
        match (&mut next.writer_features, legacy) {
            (Some(features), _) => {
                features.insert(feature.to_owned());
            }
            (None, Some((_, version))) => next.min_writer_version = next.min_writer_version.max(*version),
            (None, None) => {
                let mut features = self.features();
                features.insert(feature.to_owned());
                next.min_writer_version = 7;
                next.writer_features = Some(features);
            }
        }
        if reads {
            match &mut next.reader_features {
                Some(features) => {
                    features.insert(feature.to_owned());
                }
                None if feature == "columnMapping" => {
                    next.min_reader_version = next.min_reader_version.max(2);
                }
                None => {
                    let mut features: BTreeSet<String> = [feature.to_owned()].into();
                    if next.min_reader_version == 2 {
                        features.insert("columnMapping".to_owned());
                    }
                    next.min_reader_version = 3;
                    next.reader_features = Some(features);
                }
            }
        }
        next
    }
}

/// A table at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Its columns, in order.
    pub fields: Vec<Field>,
    /// The partition columns' logical names, in order.
    pub partition_by: Vec<String>,
    /// The metadata's `configuration`.
    pub properties: BTreeMap<String, String>,
    /// What reading and writing it takes.
    pub protocol: Protocol,
    /// The metadata's `description`.
    pub comment: Option<String>,
    /// How many data files there are.
    pub files: u64,
    /// How large they are, in bytes.
    pub bytes: u64,
    /// How many rows, where the files' statistics say so.
    pub rows: Option<u64>,
}

impl TableState {
    /// Reads the metadata's `schemaString`.
    ///
    /// # Errors
    /// Where it is no struct in Delta's JSON.
    pub fn fields_of(schema: &str) -> serde_json::Result<Vec<Field>> {
        #[derive(Deserialize)]
        struct Schema {
            fields: Vec<Field>,
        }
        serde_json::from_str::<Schema>(schema).map(|schema| schema.fields)
    }

    /// The metadata's `schemaString`.
    pub fn schema_string(&self) -> String {
        serde_json::json!({ "type": "struct", "fields": self.fields }).to_string()
    }

    /// A column by its exact name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// A column by its name in any case: Delta keeps no two that differ in case alone.
    pub fn field_like(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.to_lowercase() == name.to_lowercase())
    }

    /// What else of the table uses a column: a constraint, a column that is generated from it, the partitioning.
    pub fn user_of(&self, column: &str) -> Option<String> {
        let uses = |text: &str| super::expr::uses_one(text, column);
        let constraint =
            self.constraints().find(|(_, text)| uses(text)).map(|(name, _)| format!("constraint `{name}`"));
        let generated = || {
            let others = self.fields.iter().filter(|field| field.name != column);
            let mut users = others.filter(|field| field.generation().is_some_and(uses));
            users.next().map(|field| format!("column `{}`", field.name))
        };
        let partitioned = || self.partition_by.iter().any(|name| name == column).then(|| "the partitioning".to_owned());
        constraint.or_else(generated).or_else(partitioned)
    }

    /// A partition column whose values are bytes: the library reads them wrongly (deltalake-core 1.1.3: `b'abc'` is read as the text of its
    /// escapes), and what is read so would be written so.
    pub fn binary_partition(&self) -> Option<&str> {
        let is_binary = |name: &&String| self.field(name).is_some_and(|field| field.data_type.is_binary());
        self.partition_by.iter().find(is_binary).map(String::as_str)
    }

    /// Whether columns are mapped to those of the files, so that a rename or removal is metadata alone.
    pub fn mapped(&self) -> bool {
        self.properties.get(MAPPING_MODE).is_some_and(|mode| mode == "name" || mode == "id")
    }

    /// The CHECK constraints: name and text.
    pub fn constraints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().filter_map(|(key, text)| Some((key.strip_prefix(CONSTRAINT)?, text.as_str())))
    }

    /// The highest column id ever given.
    pub fn max_column_id(&self) -> u64 {
        let kept = self.properties.get(MAX_COLUMN_ID).and_then(|text| text.parse().ok()).unwrap_or(0);
        self.fields.iter().map(|field| field.data_type.max_id().max(field.id().unwrap_or(0))).fold(kept, u64::max)
    }
}
