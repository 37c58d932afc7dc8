//! `repartition` and `backfill`: the rows' files and values.

use super::{
    columns::{not_null_partition, partitioned},
    on::{On, refuse, size, works},
};
use crate::{
    model::{Label, Verb},
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        expr,
        vocabulary::{Backfill, Repartition},
    },
};
use indexmap::IndexMap;

pub(super) fn repartition(op: &Repartition, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    for name in &op.partition_by {
        on.field(name)?;
    }
    partitioned(on.table, on.state, &op.partition_by)?;
    if op.partition_by == on.state.partition_by {
        return Err(refuse(format!("table `{}` is partitioned so already", on.table), "take the step away"));
    }
    let by = |columns: &[String]| Does::Rewrite {
        checks: columns
            .iter()
            .filter_map(|name| not_null_partition(name, &expr::ident(name), None, on.state))
            .collect(),
        edits: vec![Edit::SetPartitioning { columns: columns.to_vec() }],
        columns: IndexMap::new(),
    };
    let (there, back) = (by(&op.partition_by), by(&on.state.partition_by));
    on.push(Verb::Simdrop, there);
    on.push(Verb::RollbackSimdrop, back);
    on.warn(format!(
        "all {} files ({}) of table `{}` are rewritten; writers that name its partition columns must name the new ones from simdrop on",
        on.state.files,
        size(on.state.bytes),
        on.table
    ));
    Ok(())
}

pub(super) fn backfill(op: &Backfill, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let mut set = IndexMap::new();
    let mut checks = vec![];
    for (name, text) in &op.set {
        let field = on.field(name)?;
        if field.generation().is_some() {
            return Err(refuse(
                format!("column `{name}` is generated: its expression fills it"),
                "take it out of `set`",
            ));
        }
        let text = expr::spell(text, on.state);
        checks.push(works(&text, &field.data_type, "set"));
        set.insert(name.clone(), text);
    }
    if let Some(key) = &op.key {
        on.field(key)?;
    }
    let differs: Vec<String> = set.iter().map(|(name, text)| expr::differs(name, text)).collect();
    let rows = match &op.r#where {
        Some(text) => {
            let text = expr::spell(text, on.state);
            checks.push(works(&text, &super::columns::boolean(), "where"));
            format!("({text})")
        }
        None => differs.join(" OR "),
    };
    let kept = set.iter().filter(|(name, _)| on.state.partition_by.contains(*name));
    checks.extend(kept.filter_map(|(name, text)| not_null_partition(name, text, Some(&format!("({rows})")), on.state)));
    // What reads the very columns that it sets gives another value each time, and an author's condition need not end by itself.
    let reads_own = set.values().any(|text| set.keys().any(|name| expr::uses_one(text, name)));
    let once = op.r#where.is_some() || reads_own;
    on.push(Verb::Add, Does::Check { checks });
    on.push(Verb::Add, Does::Backfill { set, rows, batch: op.batch, key: op.key.clone(), once });
    on.nothing(Verb::RollbackAdd);
    on.label(Verb::RollbackAdd, Label::Lossy);
    on.warn("what is filled stays filled on the way back");
    Ok(())
}
