//! `set_comment`, `set_properties`, `upgrade_column_mapping`: metadata that acts at add (D8).

use super::on::{On, commit};
use crate::{
    model::{Label, Verb},
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        state::{COMMENT, CONSTRAINT},
        vocabulary::{SetComment, SetProperties},
    },
};

/// Properties that turn a table feature on, or change how a table must be read, with the way round.
const RESERVED: &[(&str, &str)] = &[
    ("delta.columnMapping.", "write a step with `upgrade_column_mapping`"),
    (CONSTRAINT, "write a step with `add_constraint` or `drop_constraint`"),
    ("delta.minReaderVersion", "table features are turned on by the engine that owns the table"),
    ("delta.minWriterVersion", "table features are turned on by the engine that owns the table"),
    ("delta.feature.", "table features are turned on by the engine that owns the table"),
    ("delta.enable", "table features are turned on by the engine that owns the table"),
    ("delta.identity.", "delta-rs can't write identity columns"),
    ("delta.rowTracking", "delta-rs can't write tables with row tracking"),
    ("delta.checkpointPolicy", "table features are turned on by the engine that owns the table"),
    ("triphase.", "these keys are triphase's own"),
];

/// What to do instead of setting a property by hand; `None`: it may be set.
pub(in crate::ops) fn reserved(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    RESERVED.iter().find(|(prefix, _)| key.starts_with(&prefix.to_lowercase())).map(|(_, way_out)| *way_out)
}

pub(super) fn set(op: &SetProperties, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let (mut there, mut back) = (vec![], vec![]);
    for (key, value) in &op.properties {
        there.push(match value {
            Some(value) => Edit::SetProperty { key: key.clone(), value: value.clone() },
            None => Edit::UnsetProperty { key: key.clone() },
        });
        let before = on.state.properties.get(key).cloned();
        back.push(Edit::RestoreProperty { key: key.clone(), ours: value.clone(), before });
    }
    on.push(Verb::Add, commit(there));
    on.push(Verb::RollbackAdd, commit(back));
    Ok(())
}

pub(super) fn comment(op: &SetComment, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let before = match &op.column {
        Some(name) => on.field(name)?.text(COMMENT).map(str::to_owned),
        None => on.state.comment.clone(),
    };
    let (column, ours) = (op.column.clone(), Some(op.comment.clone()));
    on.push(Verb::Add, commit(vec![Edit::SetComment { column: column.clone(), comment: ours.clone() }]));
    on.push(Verb::RollbackAdd, commit(vec![Edit::RestoreComment { column, ours, before }]));
    Ok(())
}

pub(super) fn upgrade(on: &mut On<'_, '_>) {
    if on.state.mapped() {
        on.push(Verb::Add, Does::Nothing { why: "its columns are mapped already".to_owned() });
        on.nothing(Verb::RollbackAdd);
        return;
    }
    on.push(Verb::Add, commit(vec![Edit::UpgradeColumnMapping]));
    on.label(Verb::RollbackAdd, Label::None);
    let table = on.table;
    on.warn(format!(
        "readers older than column mapping can't open table `{table}` afterwards, and pyarrow datasets show NULL in columns that are renamed or \
         added later; there is no way back"
    ));
}
