//! `repair purge` (O9): what triphase left in a lake's tables goes for good, unless a step that has not come to its end still needs it. Pure.

use super::{RepairPlan, Scope};
use crate::{
    ledger::{Kind, Ledger, Left, Row},
    model::{Class, Finding, StepId},
    ops,
};
use std::collections::BTreeMap;

/// Plans it: everything, or what one step left.
pub(super) fn purge(ledger: &Ledger, left: &[Left], step: Option<&Scope>) -> RepairPlan {
    let mut plan = RepairPlan::default();
    if ledger.format.is_none() {
        let finding = Finding::new(Class::Decision, "D7", "there is no ledger, and only it says what is still needed");
        plan.findings.push(finding.way_out("if it was lost: triphase repair rebuild --reason …"));
        return plan;
    }
    let only = match step.map(|step| super::repair::row(ledger, step)) {
        None => None,
        Some(Ok((id, row))) if row.is_open() => {
            plan.findings.push(needed(&id));
            return plan;
        }
        Some(Ok((id, _))) => Some(ops::step_hash(&id)),
        Some(Err(finding)) => {
            plan.findings.push(finding);
            return plan;
        }
    };
    let whose: BTreeMap<String, (&StepId, &Row)> =
        ledger.steps.iter().map(|(id, row)| (ops::step_hash(id), (id, row))).collect();
    let asked = |left: &&Left| only.is_none() || left.hash == only;
    let (mut goes, mut stays) = (Vec::new(), Vec::new());
    for one in left.iter().filter(asked) {
        let owner = one.hash.as_ref().map(|hash| whose.get(hash));
        match keeps(one, owner) {
            Some(why) => stays.push(format!("kept: {}: {why}", what(one))),
            None => {
                let of = owner.flatten().map_or_else(String::new, |(id, _)| format!(", left by step `{id}`"));
                goes.push(format!("purge: {}{of}", what(one)));
                plan.purge.push(one.clone());
            }
        }
    }
    if goes.is_empty() {
        plan.notes.push("nothing to purge".to_owned());
    } else if plan.purge.iter().any(|one| one.kind == Kind::Column) {
        stays.push(
            "the values of columns lie in older files until those are written anew, and VACUUM has taken them"
                .to_owned(),
        );
    }
    plan.notes.extend(goes.into_iter().chain(stays));
    plan
}

/// Why something can't go.
fn keeps(left: &Left, owner: Option<Option<&(&StepId, &Row)>>) -> Option<String> {
    match owner {
        Some(None) => {
            return Some(
                "the ledger does not know whose it is; if the ledger was lost: triphase repair rebuild".to_owned(),
            );
        }
        Some(Some((id, row))) if row.is_open() => {
            return Some(format!("step `{id}` has not come to its drop, and its way back needs it"));
        }
        Some(Some(_)) | None => {}
    }
    match left.kind {
        Kind::PlainColumn => Some(
            "without column mapping its values would come back with the next column of the name; rewrite the table without it"
                .to_owned(),
        ),
        Kind::Closed => Some("it keeps writers out of a table that is to be dropped; bring the table back, or drop it".to_owned()),
        Kind::Column => left.used.as_ref().map(|user| format!("{user} uses it")),
        Kind::Stash | Kind::Files | Kind::Aside => None,
    }
}

fn what(left: &Left) -> String {
    let size = left.bytes.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
    if left.table.is_empty() {
        format!("{} `{}`{size}", left.kind.name(), left.name)
    } else {
        format!("{} `{}` of table `{}`{size}", left.kind.name(), left.name, left.table)
    }
}

fn needed(id: &StepId) -> Finding {
    Finding::new(
        Class::Guard,
        "O9",
        format!("cannot purge what step `{id}` made: it has begun and is not dropped, and its way back needs it"),
    )
    .way_out(format!("run its drop, or take it back: triphase drop {0}, triphase rollback_add {0}", id.release))
}
