//! Which statement of which step a commit is (rule D2), and whether a table has it.

use super::{commit::Put, head::Told, lake::Lake, lease::Watch, trouble::Trouble};
use crate::{
    engine::{Failure, Me},
    ledger::By,
    model::{StepId, Verb},
};
use deltalake::{DeltaTable, kernel::Action, logstore::get_actions};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// From how many commits on the whole log is asked: that reads them at once.
const MANY: u64 = 16;

/// The appId under which who takes over from a dead run commits its epoch (rule D5).
pub const FENCE: &str = "triphase/fence";

/// Whose commits are a step's own.
#[derive(Clone, Debug)]
pub struct Whose {
    /// The step.
    pub id: StepId,
    /// The steps of which nothing is done: their commits are no one else's.
    pub undone: BTreeSet<StepId>,
}

impl Whose {
    /// Whether the object `triphase` of a commitInfo names the same step.
    pub fn is_of(&self, info: &serde_json::Value) -> bool {
        info["release"] == self.id.release.as_str() && info["step"] == self.id.step.as_str()
    }

    /// Whether the object `triphase` of a commitInfo names a step of which nothing is done.
    pub fn is_undone(&self, info: &serde_json::Value) -> bool {
        self.undone.iter().any(|id| info["release"] == id.release.as_str() && info["step"] == id.step.as_str())
    }
}

/// One statement's commit.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Whose it is.
    pub whose: Whose,
    verb: Verb,
    /// Index, from 0.
    statement: u32,
    run: String,
    /// The lease's epoch.
    epoch: i64,
    /// The version that its `txn` has: see [`number`].
    pub txn: i64,
    /// The lease under which it is made.
    lease: Option<Watch>,
    /// By which handlers.
    by: Option<By>,
}

/// The `txn` version of a statement: the number of the attempt, which only grows, in the ledger and in the table; the verb; whether it ends
/// the handler. `1712` is attempt 17, of `add` (1), and not its last statement; the digits are there for `repair rebuild` (D7).
pub fn number(attempt: i64, verb: Verb, last: bool) -> i64 {
    let verb = match verb {
        Verb::Add => 1,
        Verb::Simdrop => 2,
        Verb::Drop => 3,
        Verb::RollbackSimdrop => 4,
        Verb::RollbackAdd => 5,
    };
    attempt * 100 + verb * 10 + i64::from(last)
}

/// The attempt that comes after a table's newest `txn` of a step.
pub fn next_attempt(newest: Option<i64>) -> i64 {
    newest.map_or(0, |newest| attempt(newest) + 1)
}

/// Which attempt a `txn` version is of.
pub const fn attempt(number: i64) -> i64 {
    number / 100
}

/// The handler that a `txn` version is of; `None`: it is none of [`number`]'s.
pub const fn verb(number: i64) -> Option<Verb> {
    match number / 10 % 10 {
        1 => Some(Verb::Add),
        2 => Some(Verb::Simdrop),
        3 => Some(Verb::Drop),
        4 => Some(Verb::RollbackSimdrop),
        5 => Some(Verb::RollbackAdd),
        _ => None,
    }
}

/// Whether the handler ends with it.
pub const fn ends(number: i64) -> bool {
    number % 10 == 1
}

/// The appId of a step.
pub fn app(id: &StepId) -> String {
    format!("triphase/{}/{}", id.release, id.step)
}

/// How a table stands to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not in the table, and may be committed.
    Open,
    /// It is in the table.
    Applied,
}

impl Evidence {
    /// Of a statement that is being attempted.
    pub fn new(id: &StepId, verb: Verb, statement: u32, txn: i64, me: &Me, epoch: i64) -> Self {
        let whose = Whose { id: id.clone(), undone: BTreeSet::new() };
        Self { whose, verb, statement, run: me.run.clone(), epoch, txn, lease: None, by: None }
    }

    /// Under a lease, which what is no commit must ask by itself.
    #[must_use]
    pub fn under(self, lease: Watch) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// By the handlers that the ledger has, so that another ledger can be made with these and no others (rule D7).
    #[must_use]
    pub fn by(self, by: Option<By>) -> Self {
        Self { by, ..self }
    }

    /// Beside steps of which nothing is done: their commits are no one else's.
    #[must_use]
    pub fn beside(self, undone: BTreeSet<StepId>) -> Self {
        Self { whose: Whose { undone, ..self.whose }, ..self }
    }

    /// Sees that the lease is still held: what no compare-and-swap guards, a deletion, asks before each of its steps.
    ///
    /// # Errors
    /// [`Failure::Fenced`] where it is not.
    pub async fn held(&self, lake: &Lake) -> Result<(), Failure> {
        if let Some(lease) = &self.lease
            && !lease.is_held(lake).await
        {
            return Err(Failure::Fenced(None));
        }
        Ok(())
    }

    /// What the commit says of itself.
    pub fn put(&self, operation: &str) -> Put {
        let mut info = json!({
            "release": self.whose.id.release,
            "step": self.whose.id.step,
            "phase": self.verb.name(),
            "statement": self.statement + 1,
            "run": self.run,
        });
        if let Some(by) = &self.by {
            info["ran"] = json!(by.ran);
            info["back"] = json!(by.back);
        }
        Put { operation: format!("TRIPHASE {operation}"), info, txns: vec![(app(&self.whose.id), self.txn)] }
    }

    /// The same for one of several commits, the last of which carries the evidence: it says whose it is, and proves nothing.
    pub fn part(&self, operation: &str) -> Put {
        Put { txns: vec![], ..self.put(operation) }
    }

    /// The step's handler and the statement, as a folder's name.
    pub fn handler(&self) -> String {
        format!("{}-{}-{}", crate::ops::hash(&self.whose.id), self.verb.name(), self.statement + 1)
    }

    /// How a table stands to it.
    ///
    /// # Errors
    /// [`Failure::Fenced`] where a later run has taken over.
    pub async fn standing(&self, table: &impl Told) -> Result<Standing, Failure> {
        let own = app(&self.whose.id);
        let both = tokio::try_join!(table.txn(FENCE), table.txn(&own));
        let (fence, own) = both.map_err(|trouble| trouble.access("the table"))?;
        self.stands(fence, own)
    }

    /// The same for a table to which it was open at an earlier version: only the commits since are read.
    ///
    /// # Errors
    /// As [`Evidence::standing`].
    pub async fn standing_since(&self, table: &DeltaTable, version: Option<u64>) -> Result<Standing, Failure> {
        let access = |trouble: Trouble| trouble.access("the table");
        let (Some(version), Some(newest)) = (version, table.version()) else { return self.standing(table).await };
        if newest.saturating_sub(version) > MANY {
            return self.standing(table).await;
        }
        let own = app(&self.whose.id);
        let mut found = BTreeMap::new();
        for version in version + 1..=newest {
            let bytes = table.log_store().read_commit_entry(version).await;
            let Some(bytes) = bytes.map_err(|error| access(error.into()))? else { return self.standing(table).await };
            for action in get_actions(version, &bytes).map_err(|error| access(error.into()))? {
                match action {
                    Action::Txn(txn) => found.insert(txn.app_id, txn.version),
                    Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) | Action::Add(_) => None,
                    Action::Remove(_) | Action::Cdc(_) | Action::DomainMetadata(_) => None,
                };
            }
        }
        self.stands(found.get(FENCE).copied(), found.get(&own).copied())
    }

    fn stands(&self, fence: Option<i64>, own: Option<i64>) -> Result<Standing, Failure> {
        if fence.is_some_and(|epoch| epoch > self.epoch) {
            return Err(Failure::Fenced(None));
        }
        let applied = own.is_some_and(|newest| newest >= self.txn);
        Ok(if applied { Standing::Applied } else { Standing::Open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_with_every_attempt_whatever_the_verb() {
        let first = number(17, Verb::RollbackAdd, true);
        assert_eq!(first, 1751);
        assert!(number(18, Verb::Add, false) > first);
        assert_eq!(next_attempt(Some(first)), 18);
        assert_eq!(next_attempt(None), 0);
        for verb in Verb::ALL {
            let number = number(17, *verb, true);
            assert_eq!((attempt(number), self::verb(number), ends(number)), (17, Some(*verb), true));
        }
    }
}
