//! What a command asks for, as a value.

use super::Plan;
use crate::model::{Phase, Verb, Version};

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command.
    pub ask: Ask,
    /// `--out-of-order` (G3).
    pub out_of_order: bool,
    /// `--cascade` (G4).
    pub cascade: bool,
    /// `--contract` (G9): `ff` goes on after `add` on a protected target.
    pub contract: bool,
    /// `--from-files` (L2): rollbacks take the files' handlers.
    pub from_files: bool,
    /// `--accept-loss` (O10): a rollback of a simdrop may lose values.
    pub accept_loss: bool,
    /// The one release that a request without a version was found to mean: a run that looks again must not go on to the next.
    pub within: Option<Version>,
}

impl Request {
    /// Whether a release may be what a request without a version means.
    pub(super) fn may_mean(&self, version: &Version) -> bool {
        self.within.as_ref().is_none_or(|within| within == version)
    }

    /// The same request, held to the release that its first plan chose, where it names none itself.
    #[must_use]
    pub fn held_to(&self, plan: &Plan) -> Self {
        let open = match &self.ask {
            Ask::Verb { scope, .. } => *scope == Scope::Auto,
            Ask::Ff { to, .. } => *to == FfTo::Next,
        };
        let chosen = plan.tasks.first().map(|task| task.id.release.clone());
        Self { within: self.within.clone().or(chosen.filter(|_| open)), ..self.clone() }
    }

    /// A request without flags.
    pub const fn new(ask: Ask) -> Self {
        Self {
            ask,
            out_of_order: false,
            cascade: false,
            contract: false,
            from_files: false,
            accept_loss: false,
            within: None,
        }
    }
}

/// The command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One phase, or its rollback, of a release or step.
    Verb {
        /// Which.
        verb: Verb,
        /// Of what.
        scope: Scope,
    },
    /// Everything up to somewhere, as far as the guards allow.
    Ff {
        /// Where to.
        to: FfTo,
        /// Stop after that phase (`--phase`).
        phase: Option<Phase>,
    },
}

/// What a single-phase command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Left out: the one release that is eligible.
    Auto,
    /// A release.
    Release(Version),
    /// One step, by name or id.
    Step(Version, String),
}

/// How far `ff` goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FfTo {
    /// Everything.
    All,
    /// `+1`: the first release with work left.
    Next,
    /// A release, and all before it; what was rolled back in that one is applied again (G7).
    Release(Version),
}
