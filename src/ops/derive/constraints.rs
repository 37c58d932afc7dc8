//! `add_constraint` and `drop_constraint`: of a lake, CHECK alone. Its text is written as Spark spells it, never as delta-rs would rewrite
//! it; a row for which it is NULL violates it.

use super::on::{On, commit, none, refuse, works};
use crate::{
    model::Verb,
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        expr::{self, violates},
        types::DataType,
        vocabulary::{AddConstraint, DropConstraint},
    },
};

pub(super) fn add(op: &AddConstraint, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let Some(check) = &op.check else {
        return Err(super::columns::wrong(format!("constraint `{}` has no `check`", op.name)));
    };
    if let Some((name, _)) = on.state.constraints().find(|(name, _)| name.to_lowercase() == op.name.to_lowercase()) {
        return Err(refuse(format!("table `{}` has a constraint `{name}` already", on.table), "choose another name"));
    }
    let check = expr::spell(check, on.state);
    let checks = vec![
        works(&check, &DataType::primitive("boolean"), "check"),
        none(violates(&check), format!("rows violate constraint `{}`", op.name)),
    ];
    let there = Edit::AddConstraint { name: op.name.clone(), check };
    let gone = commit(vec![Edit::RemoveConstraint { name: op.name.clone() }]);
    if op.enforce.as_deref() == Some("add") {
        on.push(Verb::Add, Does::Commit { checks, edits: vec![there] });
        on.push(Verb::RollbackAdd, gone);
        return Ok(());
    }
    on.push(Verb::Add, Does::Check { checks: checks.clone() });
    on.nothing(Verb::RollbackAdd);
    on.push(Verb::Simdrop, Does::Commit { checks, edits: vec![there] });
    on.push(Verb::RollbackSimdrop, gone);
    Ok(())
}

pub(super) fn drop(op: &DropConstraint, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let found = on.state.constraints().find(|(name, _)| name.to_lowercase() == op.name.to_lowercase());
    let Some((name, text)) = found else {
        let known: Vec<_> = on.state.constraints().map(|(name, _)| format!("`{name}`")).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(refuse(format!("table `{}` has no constraint `{}`", on.table, op.name), known));
    };
    let (name, by) = (name.to_owned(), on.hash.clone());
    on.push(Verb::Simdrop, commit(vec![Edit::StashConstraint { name: name.clone(), by: by.clone() }]));
    let violated =
        none(violates(&expr::spell(text, on.state)), format!("rows written since simdrop violate constraint `{name}`"));
    let back = vec![Edit::UnstashConstraint { name: name.clone(), by: by.clone() }];
    on.push(Verb::RollbackSimdrop, Does::Commit { checks: vec![violated], edits: back });
    on.push(Verb::Drop, commit(vec![Edit::ForgetConstraint { name, by }]));
    Ok(())
}
