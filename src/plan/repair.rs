//! A person's word about the ledger (`repair`, `rollout`): what becomes of the rows. Pure.

use super::Scope;
use crate::{
    action::Handler,
    ledger::{Entry, Ledger},
    model::{Finding, Phase, Verb, Version},
    release::Project,
};

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// About what.
    pub about: About,
    /// Why (`--reason`); recorded.
    pub reason: String,
}

/// About what a repair is.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// The open statement (from 1; without it, all of the phase) has been applied (`true`), or has not: the answer to exit 5.
    Decide {
        /// A step.
        step: Scope,
        /// Which phase.
        phase: Phase,
        /// Statement, from 1.
        statement: Option<u32>,
        /// Applied, or not.
        done: bool,
    },
    /// The files' checksums are right: drift is accepted (L7).
    Accept {
        /// A step.
        step: Scope,
    },
    /// The ledger forgets a step.
    Forget {
        /// A step.
        step: Scope,
    },
    /// A stored handler is replaced (L2).
    Handler {
        /// A step.
        step: Scope,
        /// Which of its handlers.
        verb: Verb,
        /// By what.
        handler: Handler,
    },
    /// The release's application is rolled out, or is not after all (G6).
    Rollout {
        /// Whose.
        release: Version,
        /// Said, or revoked.
        said: bool,
    },
}

/// What a repair writes, or why not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepairPlan {
    /// For the ledger, in one transaction.
    pub entries: Vec<Entry>,
    /// What refuses.
    pub findings: Vec<Finding>,
    /// What it comes to, one line each.
    pub notes: Vec<String>,
}

/// Plans a repair.
pub fn repair(project: &Project, ledger: &Ledger, repair: &Repair) -> RepairPlan {
    let _ = (project, ledger, repair);
    RepairPlan::default()
}
