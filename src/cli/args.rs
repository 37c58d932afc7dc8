//! What can be typed: commands, flags, and how their values are read. The doc comments are the help texts.

#[cfg(test)]
mod deploy;
mod global;
#[cfg(test)]
mod pages;
mod repair;
mod surface;
mod words;

pub use global::Global;
pub use repair::{About, Repair};
pub use surface::{Check, Completions, Man, New, NewRelease, NewStep, Schema, SchemaOf, Shell, Show};
pub use words::{Import, Rollout, Stamp};

use crate::{
    model::{Phase, Span, Verb, Version},
    plan::{Ask, FfTo, Request, Scope},
};
use clap::{Args, Parser, Subcommand};
use std::time::Duration;

/// Zero-downtime phased migrations: add before the rollout, simdrop and drop after it, and a way back until the drop
#[derive(Parser, Debug)]
#[command(
    name = "triphase",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  triphase init                      a project that runs as it stands\n  triphase plan ff                   \
                  what would run, to the letter\n  triphase ff                        as far as the guards allow\n  triphase -e production show        \
                  how far each step has come"
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    #[command(flatten)]
    Work(Work),
    /// Show what a command would do: exact SQL, and what the way back costs
    #[command(
        mut_subcommands = |command| looked_at(command, "plan"),
        after_help = "Examples:\n  triphase plan ff\n  triphase plan add v2\n  triphase plan rollback_add v2/customers --json"
    )]
    Plan {
        #[command(subcommand)]
        work: Work,
    },
    /// Print what a command would do as a script for the database's own client, ledger rows included
    #[command(
        mut_subcommands = |command| looked_at(command, "sql"),
        after_help = "Example:\n  triphase sql add v2 > v2-add.sql"
    )]
    Sql {
        #[command(subcommand)]
        work: Work,
    },
    /// Show how far each step has come: three states, times, who
    #[command(visible_alias = "status", after_help = "Examples:\n  triphase show\n  triphase show --pending-contract")]
    Show(Show),
    /// Show the audit trail, newest first
    #[command(after_help = "Example:\n  triphase history --limit 20")]
    History(History),
    /// Show the newest release of each phase
    #[command(after_help = "Example:\n  triphase current --json")]
    Current,
    /// Check files and target: valid, not drifted (6), nothing pending (3)
    #[command(after_help = "Examples:\n  triphase -e staging check\n  triphase check --app-release v2")]
    Check(Check),
    /// Put the ledger right by a person's word; recorded with its reason
    #[command(
        after_help = "Examples:\n  triphase repair done v2/customers add 2 --reason 'the index is there'\n  triphase repair accept \
                      v2/customers --reason 'comment reworded'"
    )]
    Repair(Repair),
    /// End the session of the run that holds the lock
    #[command(after_help = "Example:\n  triphase unlock --force")]
    Unlock(Unlock),
    /// Record that a release's application is rolled out everywhere: simdrop and drop may wait for it
    #[command(after_help = "Examples:\n  triphase rollout v2\n  triphase rollout v2 --revoke")]
    Rollout(Rollout),
    /// Write a release or a step that runs as it stands
    #[command(after_help = "Examples:\n  triphase new release v3\n  triphase new step v3/names")]
    New {
        #[command(subcommand)]
        what: New,
    },
    /// Print the script by which a shell completes commands, flags, targets, releases and steps
    #[command(
        after_help = "Examples:\n  triphase completions bash > ~/.local/share/bash-completion/completions/triphase\n  triphase completions zsh \
                      > \"${fpath[1]}/_triphase\"\n  triphase completions fish > ~/.config/fish/completions/triphase.fish"
    )]
    Completions(Completions),
    /// Print a manual page, or write all of them to a folder
    #[command(after_help = "Examples:\n  triphase man | man -l -\n  triphase man --out ~/.local/share/man/man1")]
    Man(Man),
    /// Print the JSON Schema (draft-07) of release files, target files, or what --json prints
    #[command(
        after_help = "Examples:\n  triphase schema release > .triphase/release.schema.json\n  triphase schema output"
    )]
    Schema(Schema),
    Stamp(Stamp),
    Import(Import),
    /// Write a project that runs as it stands: a development target, a commented production one, a first release
    ///
    /// With -e or --conn: adopt the database that is there. Its schema is written as release v1, which is stamped; nothing runs.
    /// Of PostgreSQL's, owners and what GRANT has given are left out.
    #[command(after_help = "Examples:\n  triphase --path my-project init\n  triphase -e staging init")]
    Init,
}

/// What runs handlers, and what `plan` and `sql` can be asked about.
#[derive(Subcommand, Clone, Debug)]
pub enum Work {
    /// Bring releases forward, each through add, simdrop, drop, as far as the guards allow
    #[command(after_help = "Examples:\n  triphase ff\n  triphase ff v2\n  triphase ff +1 --phase add")]
    Ff(Ff),
    /// Expand: what the new application needs; the old one works on
    #[command(after_help = "Examples:\n  triphase add v2\n  triphase add v2/customers")]
    Add(Forward),
    /// Hide what only the old application needs, reversibly; after the rollout
    #[command(after_help = "Example:\n  triphase simdrop v2")]
    Simdrop(Forward),
    /// Remove for good what simdrop has hidden; drop has no rollback
    ///
    /// A drop can't be taken back: after it only a backup has what was removed. `plan drop` shows what would be.
    #[command(after_help = "Example:\n  triphase drop v2")]
    Drop(Forward),
    /// Take an add back, in reverse of the order it ran in
    #[command(
        name = "rollback_add",
        alias = "rollback-add",
        after_help = "Examples:\n  triphase rollback_add v2\n  triphase rollback_add v2 --cascade"
    )]
    RollbackAdd(RollbackAdd),
    /// Bring back what simdrop has hidden
    #[command(
        name = "rollback_simdrop",
        alias = "rollback-simdrop",
        after_help = "Example:\n  triphase rollback_simdrop v2"
    )]
    RollbackSimdrop(RollbackSimdrop),
}

/// A command as another one looks at it: its examples must not run it.
fn looked_at(command: clap::Command, by: &str) -> clap::Command {
    let help =
        command.get_after_help().map(|help| help.to_string().replace("  triphase ", &format!("  triphase {by} ")));
    command.after_help(help.unwrap_or_default())
}

/// `ff`.
#[derive(Args, Clone, Debug)]
pub struct Ff {
    /// How far: a release, or +1 for the first with work left; all, if left out
    #[arg(value_name = "vN|+1", value_parser = ff_to)]
    pub to: Option<FfTo>,
    /// Stop after that phase: add, simdrop or drop
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub phase: Option<Phase>,
    /// Go on after add on a protected target
    #[arg(long)]
    pub contract: bool,
    /// Run steps that were inserted before others that have run
    #[arg(long)]
    pub out_of_order: bool,
}

/// `add`, `simdrop`, `drop`.
#[derive(Args, Clone, Debug)]
pub struct Forward {
    /// A release, or a step of it; the one that is eligible, if left out
    #[arg(value_name = "vN[/STEP]", value_parser = scope)]
    pub version: Option<Scope>,
    /// Run steps that were inserted before others that have run
    #[arg(long)]
    pub out_of_order: bool,
}

/// `rollback_add`.
#[derive(Args, Clone, Debug)]
pub struct RollbackAdd {
    /// What both rollbacks take
    #[command(flatten)]
    pub back: RollbackSimdrop,
    /// Run rollback_simdrop first where it is needed
    #[arg(long)]
    pub cascade: bool,
}

/// `rollback_simdrop`.
#[derive(Args, Clone, Debug)]
pub struct RollbackSimdrop {
    /// A release, or a step of it; the one that is eligible, if left out
    #[arg(value_name = "vN[/STEP]", value_parser = scope)]
    pub version: Option<Scope>,
    /// Run the files' handlers, not those that the ledger has kept
    #[arg(long)]
    pub from_files: bool,
    /// Values may be lost, where a rollback of a simdrop has nothing to bring them back from
    #[arg(long)]
    pub accept_loss: bool,
}

impl Work {
    /// What is asked for.
    pub fn request(&self) -> Request {
        match self {
            Self::Ff(args) => Request {
                contract: args.contract,
                out_of_order: args.out_of_order,
                ..Request::new(Ask::Ff { to: args.to.clone().unwrap_or(FfTo::All), phase: args.phase })
            },
            Self::Add(args) => args.request(Verb::Add),
            Self::Simdrop(args) => args.request(Verb::Simdrop),
            Self::Drop(args) => args.request(Verb::Drop),
            Self::RollbackAdd(args) => Request { cascade: args.cascade, ..args.back.request(Verb::RollbackAdd) },
            Self::RollbackSimdrop(args) => args.request(Verb::RollbackSimdrop),
        }
    }
}

impl RollbackSimdrop {
    fn request(&self, verb: Verb) -> Request {
        let single = single(verb, self.version.as_ref());
        Request { from_files: self.from_files, accept_loss: self.accept_loss, ..single }
    }
}

impl Forward {
    fn request(&self, verb: Verb) -> Request {
        Request { out_of_order: self.out_of_order, ..single(verb, self.version.as_ref()) }
    }
}

fn single(verb: Verb, scope: Option<&Scope>) -> Request {
    Request::new(Ask::Verb { verb, scope: scope.cloned().unwrap_or(Scope::Auto) })
}

/// `history`.
#[derive(Args, Debug)]
pub struct History {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

/// `unlock`.
#[derive(Args, Debug)]
pub struct Unlock {
    /// Even where the holder is alive
    #[arg(long)]
    pub force: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    Span::parse(text).map(|span| span.length())
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text)
}

fn ff_to(text: &str) -> Result<FfTo, String> {
    match text {
        "+1" => Ok(FfTo::Next),
        _ if text.starts_with('+') => Err(format!("`{text}`: only +1, the first release with work left, is known")),
        _ if text.contains('/') => Err(format!("`{text}`: ff takes a whole release; a step: triphase add {text}")),
        _ => version(text).map(FfTo::Release),
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    match text.split_once('/') {
        None => version(text).map(Scope::Release),
        Some((_, "")) => Err(format!("`{text}` names no step after the `/`")),
        Some((release, step)) => Ok(Scope::Step(version(release)?, step.to_owned())),
    }
}

fn step(text: &str) -> Result<Scope, String> {
    match scope(text)? {
        step @ Scope::Step(..) => Ok(step),
        Scope::Auto | Scope::Release(_) => Err(format!("`{text}` names no step: write {text}/STEP")),
    }
}

fn phase(text: &str) -> Result<Phase, String> {
    Phase::parse(text).ok_or_else(|| format!("`{text}` is no phase: write add, simdrop or drop"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use clap::CommandFactory as _;
    use std::path::Path;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("triphase").chain(line.split(' ')))
    }

    fn request(line: &str) -> Request {
        match parse(line).unwrap().command {
            Command::Work(work) | Command::Plan { work } | Command::Sql { work } => work.request(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn no_secret_is_in_debug() {
        let shown = format!("{:?}", parse("ff --conn postgres://a:hunter2@h/d").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_and_after() {
        for line in
            ["-p x -e prod -n -y --wait-lock 2s -vv --json ff", "ff -p x -e prod -n -y --wait-lock 2s -vv --json"]
        {
            let global = parse(line).unwrap().global;
            assert_eq!(global.path, Path::new("x"));
            assert_eq!(global.env.as_deref(), Some("prod"));
            assert!(global.noop && global.yes && global.json);
            assert_eq!((global.verbose, global.wait_lock), (2, Duration::from_secs(2)));
        }
        assert_eq!(parse("plan add v1 -e prod").unwrap().global.env.as_deref(), Some("prod"));
    }

    #[test]
    fn requests_are_what_was_typed() {
        let verb = |verb, scope| Request::new(Ask::Verb { verb, scope });
        assert_eq!(request("add"), verb(Verb::Add, Scope::Auto));
        assert_eq!(request("plan simdrop v2"), verb(Verb::Simdrop, Scope::Release(v("v2"))));
        assert_eq!(request("sql drop v2/a"), verb(Verb::Drop, Scope::Step(v("v2"), "a".into())));
        assert_eq!(
            request("rollback-add v2 --cascade --from-files"),
            Request { cascade: true, from_files: true, ..verb(Verb::RollbackAdd, Scope::Release(v("v2"))) }
        );
        assert_eq!(request("rollback_simdrop"), verb(Verb::RollbackSimdrop, Scope::Auto));
        let ff = |to, phase| Request::new(Ask::Ff { to, phase });
        assert_eq!(request("ff"), ff(FfTo::All, None));
        assert_eq!(request("ff +1 --phase add"), ff(FfTo::Next, Some(Phase::Add)));
        assert_eq!(
            request("ff v3 --contract --out-of-order"),
            Request { contract: true, out_of_order: true, ..ff(FfTo::Release(v("v3")), None) }
        );
    }

    #[test]
    fn usage_errors_name_the_way_out() {
        for (line, text) in [
            ("ff v1/a", "triphase add v1/a"),
            ("ff +2", "only +1"),
            ("add 2", "a version is `v`"),
            ("add v1/", "names no step"),
            ("ff --phase contract", "add, simdrop or drop"),
            ("repair accept v1", "v1/STEP"),
            ("--wait-lock soon ff", "500ms"),
            ("history --limit 0", "0 is not in 1.."),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(text), "{line}: {error}");
        }
    }

    #[test]
    fn help_is_as_kept() {
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
        let mut root = Cli::command().term_width(100);
        root.build();
        let mut all = vec![("triphase".to_owned(), root)];
        let mut names = vec![];
        while let Some((name, mut command)) = all.pop() {
            // What `help` lists below itself are the others once more.
            let others = command.get_subcommands().filter(|c| c.get_name() != "help");
            all.extend(others.map(|c| (format!("{name}-{}", c.get_name()), c.clone())));
            assert!(command.get_after_help().is_some(), "{name} has no example");
            let text = command.render_long_help().to_string();
            let file = folder.join(format!("{name}.txt"));
            if update {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&file, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(kept, text, "{}: UPDATE_GOLDEN=1 rewrites it", file.display());
            names.push(format!("{name}.txt"));
        }
        for entry in std::fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(&name), "{name} is no command's help");
        }
    }
}
