//! What is known of an action by looking: its table, and whether it has been applied (rule L4).

use super::{acts, evidence, lake::Lake, query};
use crate::{action::Action, engine::Failure, ledger::Verdict, model::StepId, sql};

/// The table that an action changes; `None`: none.
pub fn table(action: &Action) -> Option<String> {
    match action {
        Action::Sql { text, .. } => sql::lake::read(text).ok().map(|dml| dml.table().path.clone()),
        Action::Operation { act, .. } => Some(act.table.clone()),
        Action::Expect { .. } | Action::Shell { .. } => None,
    }
}

/// The appId under which an action's evidence is committed. An operation's stays when its step is renamed in the ledger.
pub fn app(action: &Action, id: &StepId) -> String {
    match action {
        Action::Operation { step, .. } => evidence::app(step),
        Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => evidence::app(id),
    }
}

/// Asks the action's `done_when`.
///
/// # Errors
/// [`Failure::Handler`] where `done_when` fails.
pub async fn ask(lake: &Lake, action: &Action) -> Result<Verdict, Failure> {
    match action {
        Action::Sql { done_when: Some(query), .. } => match query::truth(lake, query).await {
            Ok(Ok(())) => Ok(Verdict::Applied),
            Ok(Err(_)) => Ok(Verdict::Not),
            Err(trouble) => Err(match trouble.action(0) {
                Failure::Handler { at, why } => {
                    Failure::Handler { at, why: why.context(format!("done_when `{query}`")) }
                }
                other => other,
            }),
        },
        // A query changes nothing.
        Action::Expect { .. } => Ok(Verdict::Not),
        // An act finds out by itself what is left of it to do, unless there is nothing that it could take back.
        Action::Operation { act, verb, .. } => {
            Ok(if acts::is_so(lake, act, *verb).await? { Verdict::Applied } else { Verdict::Not })
        }
        Action::Sql { .. } | Action::Shell { .. } => Ok(Verdict::Unknown),
    }
}
