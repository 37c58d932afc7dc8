//! Validating: whether what was produced is what was asked for, whoever produced it. Only what passes is adopted.

use super::{
    super::trouble::Trouble,
    checks,
    files::{self, Source},
    looked::Looked,
    produce::Order,
    stage::{Group, Stage},
};
use crate::{
    model::Dialect,
    ops::{self, TableState},
    sql,
};
use anyhow::anyhow;
use deltalake::{DeltaTable, kernel::Add};
use serde_json::Value;
use std::collections::BTreeSet;

/// Validates groups of a staging folder against the files that they were made of: as many rows, no NULL where there may be none, no row that
/// violates a constraint or a generated column over a column that was given other values. Those that an earlier try has validated are.
///
/// # Errors
/// [`Trouble::Refused`] with what is wrong.
pub async fn validate(stage: &Stage, groups: &[&Group], order: Order<'_>, looked: &mut Looked) -> Result<(), Trouble> {
    let valid = |group: &Group| !group.adds.is_empty() && group.adds.iter().all(|add| looked.valid.contains(&add.path));
    let groups: Vec<&Group> = groups.iter().copied().filter(|group| !valid(group)).collect();
    let adds: Vec<&Add> = groups.iter().flat_map(|group| &group.adds).collect();
    let sources: BTreeSet<&String> = groups.iter().flat_map(|group| &group.sources).collect();
    let of: Vec<&Source> = order.files.iter().filter(|file| sources.contains(&file.key)).collect();
    let before = match files::rows(of.iter().copied()) {
        Some(rows) => rows,
        None => counted(order.table, of.iter().map(|file| file.path.clone()).collect(), "true").await?,
    };
    let made: BTreeSet<String> = adds.iter().map(|add| add.path.clone()).collect();
    let stats: Option<Vec<Value>> = adds.iter().map(|add| serde_json::from_str(add.stats.as_deref()?).ok()).collect();
    let after = stats.as_ref().and_then(|stats| stats.iter().map(|stats| stats["numRecords"].as_u64()).sum());
    let after = match after {
        Some(rows) => rows,
        None => counted(&stage.table, made.clone(), "true").await?,
    };
    if before != after {
        return Err(Trouble::Refused(anyhow!(
            "{before} rows were to be written anew, and {after} were: nothing is changed"
        )));
    }
    for condition in wrong(order) {
        let met = counted(&stage.table, made.clone(), &condition).await?;
        if met != 0 {
            let rows = if met == 1 { "1 row".to_owned() } else { format!("{met} rows") };
            return Err(Trouble::Refused(anyhow!("{rows} would be written that the table does not take: {condition}")));
        }
    }
    looked.valid.extend(made);
    Ok(())
}

/// The conditions that no row of what was produced may meet. Columns that keep their values keep to what held of those.
fn wrong(order: Order<'_>) -> Vec<String> {
    let (state, next): (&TableState, &TableState) = order.states;
    let given = |name: &str| order.columns.contains_key(name);
    let uses =
        |text: &str| order.columns.keys().any(|name| !sql::names_in(Dialect::Delta, text, [name.as_str()]).is_empty());
    let mut wrong = Vec::new();
    for field in &next.fields {
        let name = sql::ident(Dialect::Delta, &field.name);
        let new = given(&field.name) || state.field(&field.name).is_none_or(|before| before.nullable);
        if !field.nullable && new {
            wrong.push(format!("{name} IS NULL"));
        }
        if let Some(text) = field.generation()
            && (given(&field.name) || uses(text))
            // What fills it is its own expression, over columns that stay.
            && (order.columns.get(&field.name).is_none_or(|value| value != text) || uses(text))
        {
            wrong.push(ops::differs(&field.name, text));
        }
    }
    wrong.extend(next.constraints().filter(|(_, text)| uses(text)).map(|(_, text)| ops::violates(text)));
    wrong
}

async fn counted(table: &DeltaTable, files: BTreeSet<String>, condition: &str) -> Result<u64, Trouble> {
    if files.is_empty() {
        return Ok(0);
    }
    checks::count_in(table, Some(&files), condition).await
}
