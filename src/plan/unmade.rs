//! What a rollback of a half-applied step leaves alone (rule L4): an object that only statements which never ran would have made. Where one
//! of that name is there, somebody else made it; it may be the very reason why the step failed. Pure.

use super::Plan;
use crate::{
    action::{Action, Handler},
    ledger::{Facts, Halfway, PhaseRow, Verdict},
    model::{Dialect, Phase, StepId},
    sql::{self, Change, Object},
};

/// Answers for the actions of rollbacks that would take such an object away: they are left out. One that takes others away too, or whose
/// object a statement may have made that nobody can read, is a person's question wherever it is not so already.
pub fn leave_unmade(facts: &Facts, plan: &mut Plan, dialect: Dialect) {
    let mut warnings = Vec::new();
    for task in plan.tasks.iter_mut().filter(|task| task.ask_each) {
        let phase = task.verb.phase();
        let forward = facts.stored.get(&task.id).and_then(|handlers| handlers.get(&phase.verb()));
        let (Some(row), Some(forward)) = (facts.ledger.steps.get(&task.id), forward) else { continue };
        let Some(done) = done(facts, &task.id, phase, row.phase(phase), forward) else { continue };
        let (ran, rest) = forward.actions.split_at(done.min(forward.actions.len()));
        let own = made(dialect, ran);
        let mut unmade = made(dialect, rest);
        unmade.retain(|object| !own.iter().any(|own| same(dialect, own, object)));
        for (index, action) in (0..).zip(&task.handler.actions).skip(task.from as usize) {
            let changes = changes(dialect, action);
            let others = changes.iter().filter(|change| takes(dialect, change, &unmade)).count();
            if others == 0 {
                continue;
            }
            let all = others == changes.len() && ran.iter().all(|action| is_read(dialect, action));
            if all {
                warnings.push(format!(
                    "statement {} of {} of step `{}` is left out: the step has not made what it would take away",
                    index + 1,
                    task.verb,
                    task.id
                ));
            }
            task.asked.insert(index, if all { Verdict::Applied } else { Verdict::Unknown });
        }
    }
    plan.warnings.extend(warnings);
}

/// How many of the handler's actions have run, or may have; none where the ledger's text is not the one that ran.
fn done(facts: &Facts, id: &StepId, phase: Phase, row: &PhaseRow, forward: &Handler) -> Option<usize> {
    let begun = row.halfway.is_some();
    let now = || Halfway { upto: row.upto, trying: row.trying, hashes: row.hashes.clone() };
    let half = row.halfway.clone().unwrap_or_else(now);
    if !forward.actions.iter().map(Action::hash).eq(half.hashes.iter().cloned()) {
        return None;
    }
    Some(match half.trying {
        // Once the rollback has begun, the answers are about its own statements.
        Some(index) if begun || facts.verdict(id, phase) != Verdict::Not => index as usize + 1,
        Some(_) | None => half.upto as usize,
    })
}

fn changes(dialect: Dialect, action: &Action) -> Vec<Change> {
    match action {
        Action::Sql { text, .. } => sql::ddl_in(dialect, text)
            .map(|ddl| ddl.changes.into_iter().map(|(change, _)| change).collect())
            .unwrap_or_default(),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => Vec::new(),
    }
}

fn made(dialect: Dialect, actions: &[Action]) -> Vec<Object> {
    let made = |change| match change {
        Change::Makes(object) | Change::Renames(_, object) => Some(object),
        Change::Removes(_) | Change::Again | Change::Unknown => None,
    };
    actions.iter().flat_map(|action| changes(dialect, action)).filter_map(made).collect()
}

/// Whether it takes one of these away.
fn takes(dialect: Dialect, change: &Change, objects: &[Object]) -> bool {
    match change {
        Change::Removes(gone) | Change::Renames(gone, _) => objects.iter().any(|object| same(dialect, object, gone)),
        Change::Makes(_) | Change::Again | Change::Unknown => false,
    }
}

/// Whether it is known what an action makes: one that changes rows, or whose first word says what it defines.
fn is_read(dialect: Dialect, action: &Action) -> bool {
    const KNOWN: [&str; 16] = [
        "CREATE", "ALTER", "DROP", "RENAME", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE", "SET",
        "COMMENT", "GRANT", "REVOKE", "VACUUM", "ANALYZE",
    ];
    match action {
        Action::Sql { text, .. } => {
            let word: String = sql::canonical(dialect, text).chars().take_while(char::is_ascii_alphabetic).collect();
            KNOWN.iter().any(|known| word.eq_ignore_ascii_case(known))
        }
        Action::Expect { .. } => true,
        Action::Shell { .. } | Action::Operation { .. } => false,
    }
}

/// Whether two statements mean the same object. A schema that one of them does not name may be the other's.
fn same(dialect: Dialect, a: &Object, b: &Object) -> bool {
    let name = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let named = |a: &sql::Named, b: &sql::Named| {
        let schema = a.schema.as_deref().zip(b.schema.as_deref());
        name(&a.name, &b.name) && schema.is_none_or(|(a, b)| name(a, b))
    };
    match (a, b) {
        (Object::Table(a), Object::Table(b))
        | (Object::Trigger(a), Object::Trigger(b))
        | (Object::Event(a), Object::Event(b)) => named(a, b),
        // Their names are a schema's there, not a table's, and dropping one names no table.
        (Object::Index(_, a), Object::Index(_, b)) if matches!(dialect, Dialect::Postgres | Dialect::Sqlite) => {
            name(a, b)
        }
        (Object::Column(of_a, a), Object::Column(of_b, b))
        | (Object::Index(of_a, a), Object::Index(of_b, b))
        | (Object::Constraint(of_a, a), Object::Constraint(of_b, b))
        // Dropped as a constraint, a unique one is an index as well.
        | (Object::Index(of_a, a), Object::Constraint(of_b, b)) => named(of_a, of_b) && name(a, b),
        (Object::Routine(a, function), Object::Routine(b, other)) => function == other && named(a, b),
        (Object::Database(a), Object::Database(b)) => name(a, b),
        (
            Object::Table(_)
            | Object::Column(..)
            | Object::Index(..)
            | Object::Constraint(..)
            | Object::Trigger(_)
            | Object::Routine(..)
            | Object::Event(_)
            | Object::Database(_),
            _,
        ) => false,
    }
}
