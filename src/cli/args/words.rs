//! The commands that record what somebody says: `stamp`, `import`, `rollout`.

use super::{phase, scope, version};
use crate::{
    model::{Phase, Version},
    plan::Scope,
};
use clap::Args;
use std::path::PathBuf;

/// Adopt what was done without triphase: mark phases as done; nothing runs
///
/// Marks every phase up to PHASE of the release, and all of every earlier release; stores the rollback handlers as if the phases had
/// run. What is marked already stays as it is, and nothing is ever un-marked.
///
/// On a lake, --from-delta-migrations reads the history of delta-migrations, a Delta table with the columns script_name and applied, and
/// marks all phases of every step whose id, or else name, is an applied script; it lists the scripts that no step has.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  triphase stamp v7 --phase drop\n  triphase stamp v8 --phase add --only\n  triphase stamp v8/customers --phase add \
                  --reason 'by hand, in the incident'\n  triphase stamp --from-delta-migrations ops/migration_history"
)]
pub struct Stamp {
    /// A release, or one step of it
    #[arg(value_name = "vN[/STEP]", value_parser = scope, required_unless_present = "from_delta_migrations")]
    pub version: Option<Scope>,
    /// Up to which phase: add, simdrop or drop
    #[arg(long, value_name = "PHASE", value_parser = phase, required_unless_present = "from_delta_migrations")]
    pub phase: Option<Phase>,
    /// Leave earlier releases as they are
    #[arg(long)]
    pub only: bool,
    /// The history table of delta-migrations: its path in the lake, or a full URL
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["version", "phase", "only"])]
    pub from_delta_migrations: Option<String>,
    /// Why; recorded
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

/// Adopt another tool's migrations: write them as releases, and stamp what its ledger says is applied; nothing runs
///
/// Reads the tool's folder and its table in the target. Run it once for each target: releases that are written already are left as
/// they are. With --noop it says what it would write.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  triphase import dbmate\n  triphase import flyway --from sql --placeholder owner=app\n  triphase import alembic --from \
                  alembic/versions --sql up.sql --sql down.sql\n  triphase import django --from django-sql"
)]
pub struct Import {
    /// The tool
    #[arg(value_parser = tools())]
    pub tool: String,
    /// Its migrations [default: where the tool usually has them]
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
    /// SQL that the tool has printed, where its migrations are programs: a file or a folder
    #[arg(long, value_name = "PATH")]
    pub sql: Vec<PathBuf>,
    /// The table it keeps its ledger in, if it has another name: TABLE or SCHEMA.TABLE
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// What a placeholder of Flyway's stands for
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub placeholder: Vec<(String, String)>,
}

/// `rollout`.
#[derive(Args, Debug)]
pub struct Rollout {
    /// The release
    #[arg(value_name = "vN", value_parser = version)]
    pub version: Version,
    /// Take it back: it is not rolled out after all
    #[arg(long)]
    pub revoke: bool,
    /// Why; recorded
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

fn tools() -> clap::builder::PossibleValuesParser {
    crate::adopt::TOOLS.iter().map(|tool| tool.name()).collect::<Vec<_>>().into()
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}`: write NAME=VALUE")),
    }
}
