//! `set_not_null` and `drop_not_null`. What old writers might break is enforced from simdrop on (O7).

use super::{
    add_column::backfill,
    on::{On, commit, filled, none, refuse, works},
};
use crate::{
    model::{Label, Verb},
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        expr::{self, is_null},
        vocabulary::{DropNotNull, SetNotNull},
    },
};

pub(super) fn set(op: &SetNotNull, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let column = op.column.as_str();
    let field = on.field(column)?;
    if !field.nullable {
        return Err(refuse(format!("column `{column}` is never NULL already"), "take the step away"));
    }
    let nulls = none(is_null(column), format!("column `{column}` is to be never NULL, and is"));
    match &op.up {
        Some(text) => {
            let text = expr::spell(text, on.state);
            let fill = backfill(column, &text, is_null(column));
            let lost = format!("{} AND ({text}) IS NULL", is_null(column));
            let checks = vec![works(&text, &field.data_type, "up"), none(lost, "`up` gives NULL itself")];
            on.push(Verb::Add, Does::Check { checks });
            on.push(Verb::Add, fill.clone());
            on.push(Verb::Simdrop, fill);
            on.nothing(Verb::RollbackAdd);
            on.label(Verb::RollbackAdd, Label::Lossy);
            on.warn(format!("what was NULL in `{column}` keeps what `up` gave it on the way back"));
        }
        None => {
            on.push(Verb::Add, Does::Check { checks: vec![nulls.clone()] });
            on.nothing(Verb::RollbackAdd);
        }
    }
    let mut checks = vec![nulls];
    if let Some(text) = &op.up {
        checks.insert(0, filled(column, &expr::spell(text, on.state), is_null(column)));
    }
    let nullable = |nullable| Edit::SetNullable { name: column.to_owned(), nullable };
    on.push(Verb::Simdrop, Does::Commit { checks, edits: vec![nullable(false)] });
    on.push(Verb::RollbackSimdrop, commit(vec![nullable(true)]));
    Ok(())
}

pub(super) fn drop(op: &DropNotNull, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let column = op.column.as_str();
    let field = on.field(column)?;
    if field.nullable {
        return Err(refuse(format!("column `{column}` may be NULL already"), "take the step away"));
    }
    let nullable = |nullable| Edit::SetNullable { name: column.to_owned(), nullable };
    let down = op.down.as_ref().map(|text| expr::spell(text, on.state));
    let checks = down.iter().map(|text| works(text, &field.data_type, "down")).collect();
    on.push(Verb::Add, Does::Commit { checks, edits: vec![nullable(true)] });
    let mut checks = vec![];
    if let Some(text) = &down {
        on.push(Verb::RollbackAdd, backfill(column, text, is_null(column)));
        checks.push(filled(column, text, is_null(column)));
    }
    let nulls =
        none(is_null(column), format!("column `{column}` was never NULL, and rows written since add have NULL in it"));
    checks.push(nulls);
    on.push(Verb::RollbackAdd, Does::Commit { checks, edits: vec![nullable(false)] });
    if op.down.is_some() {
        on.label(Verb::RollbackAdd, Label::Lossy);
    }
    Ok(())
}
