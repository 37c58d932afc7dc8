//! `plan`, and `--noop`: what a command would do.

use super::{
    app::{App, Halt},
    args::{Cli, Work},
    here,
    scene::Scene,
};
use crate::{
    event::{End, Outcome},
    plan, report,
    run::{self, Look},
};
use clap::{Arg, CommandFactory as _};
use std::io::Write as _;

/// Shows a plan. The exit code is the run's refusal code, else 0.
pub fn run(app: &App, work: &Work) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let project = scene.project();
    let mut look = app.wait(run::look(&scene.target, scene.driver, &project, &work.request()))??;
    look.plan.findings.extend(run::unready(&scene.target, &look.plan));
    look.plan.findings = app.here(&look.plan.findings);
    for wait in &mut look.plan.waits {
        wait.why = here::here(&app.words, &wait.why);
    }
    told(app, &scene, &look);
    let code = exit_code(&look);
    if app.global.json {
        app.document(&report::json::plan(&look.place, &look.plan, look.atomic, code))?;
    } else {
        app.print(|out| report::plan::write(out, &look.plan, look.atomic, app.out))?;
    }
    if look.plan.findings.is_empty() {
        let nothing = look.plan.tasks.is_empty();
        let advice = || plan::advice(&project, &look.facts, &scene.target.guards);
        next(app, &if nothing { advice() } else { itself(&app.words) });
    }
    Ok(code)
}

/// What to run next, on standard error.
pub fn next(app: &App, what: &str) {
    let what = here::here(&app.words, what);
    app.news(|err| writeln!(err, "{}: {what}", app.err.strong("next")));
}

/// A word of short flags: those without a value, and the one that has one, or what is none of the command line's own.
pub fn short(word: &str) -> Option<(&str, &str)> {
    let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty() && !flags.starts_with('-'))?;
    Some(flags.split_at(flags.find(|flag| !"nqvy".contains(flag)).unwrap_or(flags.len())))
}

/// The flags that stand before a command and whose value is the next word.
fn valued() -> Vec<String> {
    let takes = |arg: &&Arg| arg.get_action().takes_values();
    let long = |arg: &Arg| arg.get_long().map(|long| format!("--{long}"));
    let short = |arg: &Arg| arg.get_short().map(|short| format!("-{short}"));
    Cli::command().get_arguments().filter(takes).flat_map(|arg| [long(arg), short(arg)]).flatten().collect()
}

/// The command that was looked at, as it would be typed to run it.
pub fn itself(typed: &[String]) -> String {
    let valued = valued();
    let mut words: Vec<String> = vec![];
    // The first word that is neither a flag nor a flag's value is the program, the second its command.
    let (mut bare, mut value) = (0, false);
    for word in typed {
        // What has a value is the last of a word of short flags.
        let flag = match short(word).filter(|_| !value) {
            Some((switches, last)) => {
                let left = switches.replace('n', "") + last;
                words.extend((!left.is_empty()).then(|| format!("-{left}")));
                format!("-{last}")
            }
            None if !value && (word == "--noop" || (word == "plan" && bare == 1)) => {
                bare += usize::from(word == "plan");
                continue;
            }
            None => {
                bare += usize::from(!value && !word.starts_with('-'));
                words.push(word.clone());
                word.clone()
            }
        };
        value = !value && valued.contains(&flag);
    }
    words.join(" ")
}

/// The host line, warnings and findings of a look, on standard error.
pub fn told(app: &App, scene: &Scene, look: &Look) {
    app.at(scene.target.name(), &look.place);
    app.tell(|err| {
        for warning in &look.plan.warnings {
            writeln!(err, "{}", report::events::warning(warning, app.err))?;
        }
        report::finding::all(err, &app.here(&look.plan.findings), app.err)
    });
}

/// The code that a run of this plan would be refused with; 0 where it would run.
pub fn exit_code(look: &Look) -> u8 {
    let plan = &look.plan;
    let end = if plan.findings.is_empty() { End::Done } else { End::Refused(plan.findings.clone()) };
    Outcome { waits: plan.waits.clone(), ..end.into() }.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_itself_is_what_to_run_next() {
        for (typed, run) in [
            ("triphase plan ff v2", "triphase ff v2"),
            ("triphase -e plan plan add v2 --json", "triphase -e plan add v2 --json"),
            ("triphase -nv ff", "triphase -v ff"),
            ("triphase -vne plan plan ff", "triphase -ve plan ff"),
            ("triphase -nedev ff", "triphase -edev ff"),
            ("triphase --noop -n drop v1 --yes", "triphase drop v1 --yes"),
            ("triphase --env-file plan --wait-lock 1s plan ff", "triphase --env-file plan --wait-lock 1s ff"),
            ("triphase -p 'a plan -n' plan ff", "triphase -p 'a plan -n' ff"),
            ("triphase repair accept v1/a -n --reason plan", "triphase repair accept v1/a --reason plan"),
        ] {
            // As a shell splits it.
            let mut quoted = false;
            let words = typed.split(|c| {
                quoted ^= c == '\'';
                c == ' ' && !quoted
            });
            assert_eq!(itself(&words.map(str::to_owned).collect::<Vec<_>>()), run);
        }
    }
}
