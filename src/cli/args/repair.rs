//! Flags of `repair`.

use super::{phase, step};
use crate::{
    model::{Phase, Verb},
    plan::Scope,
};
use clap::{
    Args, Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use std::path::PathBuf;

/// `repair`.
#[derive(Args, Debug)]
pub struct Repair {
    /// What is put right.
    #[command(subcommand)]
    pub about: About,
    /// Why; recorded
    #[arg(long, value_name = "TEXT", global = true)]
    pub reason: Option<String>,
}

/// What `repair` is about.
#[derive(Subcommand, Debug)]
pub enum About {
    /// The open statement has been applied; all of the phase, if no statement is named
    #[command(after_help = "Example:\n  triphase repair done v2/customers add 2 --reason 'the index is there'")]
    Done(Decide),
    /// The open statement has not been applied
    #[command(after_help = "Example:\n  triphase repair undone v2/customers add 2 --reason 'no such index'")]
    Undone(Decide),
    /// The files are right: accept how a step that has run was edited
    #[command(after_help = "Example:\n  triphase repair accept v2/customers --reason 'comment reworded'")]
    Accept(Whose),
    /// Forget a step: the ledger knows nothing of it any more
    #[command(after_help = "Example:\n  triphase repair forget v2/customers --reason 'never released'")]
    Forget(Whose),
    /// A step has another name in the files now: the ledger follows
    #[command(after_help = "Example:\n  triphase repair rename v2/customers v2/clients --reason 'a better name'")]
    Rename(RenameArgs),
    /// Replace a handler that the ledger has kept
    #[command(
        after_help = "Example:\n  triphase repair handler v2/customers rollback_add --file fixed.sql --reason 'wrong column'"
    )]
    Handler(HandlerArgs),
    /// Make the ledger of a lake anew from what its tables say
    ///
    /// For a ledger that was lost or is damaged. Each commit of a step names it in its table, for good; from these commits follows how far
    /// each release has come. What leaves none (empty phases, who ran what, rollouts) is inferred or named. A damaged ledger is put aside,
    /// whole. What the ledger knows already stays as it is: twice is as good as once. It needs the release files as they ran, and refuses where
    /// a commit says that they were others. Look first, with --noop.
    #[command(
        after_help = "Examples:\n  triphase repair rebuild --noop --reason 'the folder was deleted'\n  triphase repair rebuild --reason 'the folder \
                      was deleted'"
    )]
    Rebuild(RebuildArgs),
    /// Remove for good what triphase left in a lake's tables: hidden columns, staged files
    ///
    /// A rollback hides a column that others have written to, and a rewrite that was cut short leaves its files. What a step between add
    /// and drop still needs for its way back is kept, and is refused where that step is named. See it first: triphase show --objects.
    #[command(
        after_help = "Examples:\n  triphase repair purge --noop --reason 'before the audit'\n  triphase repair purge v2/note --reason 'nobody \
                      wants it back'"
    )]
    Purge(PurgeArgs),
    /// Give the ledger the newest format; older versions of triphase can't work on it any more
    #[command(after_help = "Example:\n  triphase repair upgrade-ledger --reason 'all runners have the new version'")]
    UpgradeLedger,
}

/// `repair done`, `repair undone`.
#[derive(Args, Debug)]
pub struct Decide {
    /// The step
    #[arg(value_name = "vN/STEP", value_parser = step)]
    pub step: Scope,
    /// The phase: add, simdrop or drop
    #[arg(value_parser = phase)]
    pub phase: Phase,
    /// The statement, from 1
    #[arg(value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub statement: Option<u32>,
}

/// A step.
#[derive(Args, Debug)]
pub struct Whose {
    /// The step
    #[arg(value_name = "vN/STEP", value_parser = step)]
    pub step: Scope,
}

/// `repair rebuild`.
#[derive(Args, Debug)]
pub struct RebuildArgs {
    /// A step of which the files are not as they ran may be left without its handlers, and so without its way back
    #[arg(long)]
    pub accept_loss: bool,
}

/// `repair purge`.
#[derive(Args, Debug)]
pub struct PurgeArgs {
    /// Only what this step left; what all left, if left out
    #[arg(value_name = "vN/STEP", value_parser = step)]
    pub step: Option<Scope>,
}

/// `repair rename`.
#[derive(Args, Debug)]
pub struct RenameArgs {
    /// The step as the ledger has it
    #[arg(value_name = "OLD", value_parser = step)]
    pub step: Scope,
    /// The step as the files have it
    #[arg(value_name = "NEW", value_parser = step)]
    pub to: Scope,
}

/// `repair handler`.
#[derive(Args, Debug)]
pub struct HandlerArgs {
    /// The step
    #[arg(value_name = "vN/STEP", value_parser = step)]
    pub step: Scope,
    /// Which handler
    #[arg(value_name = "HANDLER", value_parser = rollbacks())]
    pub verb: Verb,
    /// The SQL that takes its place
    #[arg(long, value_name = "SQL_FILE")]
    pub file: PathBuf,
}

/// The ledger keeps rollbacks alone.
fn rollbacks() -> impl TypedValueParser<Value = Verb> {
    let named = [(Verb::RollbackAdd, "rollback-add"), (Verb::RollbackSimdrop, "rollback-simdrop")];
    let named = named.map(|(verb, dashed)| PossibleValue::new(verb.name()).alias(dashed));
    PossibleValuesParser::new(named).try_map(|name| Verb::parse(&name.replace('-', "_")).ok_or("no rollback"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::Cli;
    use clap::Parser as _;

    #[test]
    fn only_the_handlers_of_rollbacks_can_be_replaced() {
        let parse = |verb: &str| {
            Cli::try_parse_from(["triphase", "repair", "handler", "v1/a", verb, "--file", "f", "--reason", "r"])
        };
        for verb in ["rollback_add", "rollback_simdrop", "rollback-add", "rollback-simdrop"] {
            assert!(parse(verb).is_ok(), "{verb}");
        }
        for verb in ["add", "simdrop", "drop", "nothing"] {
            let said = parse(verb).unwrap_err().to_string();
            assert!(said.contains("[possible values: rollback_add, rollback_simdrop]"), "{said}");
        }
    }
}
