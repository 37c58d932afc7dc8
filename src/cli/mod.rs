//! The command line: parse, find the target and the files, plan or run, report, exit code. A file a command; what each does is the library's.

mod app;
mod args;
mod check;
mod complete;
mod confirm;
mod current;
mod env_file;
mod here;
mod history;
mod import;
mod init;
mod man;
mod me;
mod new;
mod plan;
mod repair;
mod rollout;
mod scene;
mod schema;
mod show;
mod signals;
mod sql;
mod stamp;
mod unlock;
mod usage;
mod work;

use app::{App, Halt};
use args::Command;
use std::{collections::BTreeMap, process::ExitCode};

/// Runs the process's command line; the exit code is the contract's (C1).
pub fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if complete::answered(&arguments) {
        return ExitCode::SUCCESS;
    }
    crate::engine::settle();
    let mut vars: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let (cli, unread) = match env_file::parse(&arguments, &mut vars) {
        Ok(parsed) => parsed,
        Err(error) => return ExitCode::from(usage::refuse(&error, &arguments)),
    };
    let mut app = App::new(cli.global, vars, me::words(&arguments));
    let started =
        unread.map_or(Ok(()), |finding| Err(Halt::Findings(vec![finding]))).and_then(|()| app.start_logging());
    let code = started.and_then(|()| dispatch(&app, cli.command)).unwrap_or_else(|halt| app.stopped(halt));
    ExitCode::from(code)
}

fn dispatch(app: &App, command: Command) -> Result<u8, Halt> {
    match command {
        Command::Work(work) if app.global.noop => plan::run(app, &work),
        Command::Work(work) => work::run(app, &work),
        Command::Plan { work } => plan::run(app, &work),
        Command::Sql { work } => sql::run(app, &work),
        Command::Show(args) => show::run(app, &args),
        Command::History(args) => history::run(app, &args),
        Command::Current => current::run(app),
        Command::Check(args) => check::run(app, &args),
        Command::Repair(args) => repair::run(app, args),
        Command::Unlock(args) => unlock::run(app, &args),
        Command::Rollout(args) => rollout::run(app, args),
        Command::New { what } => new::run(app, &what),
        Command::Completions(args) => complete::run(app, &args),
        Command::Man(args) => man::run(app, &args),
        Command::Schema(args) => schema::run(app, &args),
        Command::Stamp(args) => stamp::run(app, args),
        Command::Import(args) => import::run(app, &args),
        Command::Init => init::run(app),
    }
}
