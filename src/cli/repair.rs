//! `repair`: a person's word about the ledger.

use super::{
    app::{App, Halt},
    args::{About as Args, Repair as RepairArgs},
    plan::itself,
    scene::Scene,
    work,
};
use crate::{
    action::{Action, Checksum, Handler},
    event::{End, Outcome},
    model::{Class, Dialect, Finding, Place},
    plan::{self, About, Repair},
    release::Project,
    run, sql,
};
use std::path::Path;

/// Records it.
pub fn run(app: &App, args: RepairArgs) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let Some(reason) = args.reason.filter(|reason| !reason.trim().is_empty()) else {
        let finding = Finding::new(Class::Usage, "", "repair needs a reason, which is recorded");
        return Err(Halt::Findings(vec![finding.way_out("add --reason 'why'")]));
    };
    let about = about(args.about, scene.dialect).map_err(Halt::Findings)?;
    if let Some(finding) = elsewhere(&about, scene.dialect) {
        return Err(Halt::Findings(vec![finding]));
    }
    // What files mean is what is rebuilt: then all that is wrong with them is said.
    let project = if about.mends() { scene.project() } else { scene.project_if_valid(app) };
    record_with(app, &scene, &project, &Repair { about, reason })
}

/// What only lakes know, on another engine.
fn elsewhere(about: &About, dialect: Dialect) -> Option<Finding> {
    match dialect {
        Dialect::Delta => None,
        Dialect::Sqlite | Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb if about.mends() => {
            Some(plan::no_rebuild(dialect))
        }
        Dialect::Sqlite | Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => {
            about.purges().then(|| plan::no_purge(dialect))
        }
    }
}

/// Carries a repair out, or with `--noop` says what it comes to.
pub fn record(app: &App, scene: &Scene, repair: &Repair) -> Result<u8, Halt> {
    record_with(app, scene, &scene.project_if_valid(app), repair)
}

/// The same, by these release files.
pub fn record_with(app: &App, scene: &Scene, project: &Project, repair: &Repair) -> Result<u8, Halt> {
    app.ended(&carried_out(app, scene, project, repair)?)
}

/// The same, before it is told.
pub fn carried_out(app: &App, scene: &Scene, project: &Project, repair: &Repair) -> Result<Outcome, Halt> {
    Ok(if app.global.noop {
        let (place, plan) = app.wait(run::proposed(&scene.target, scene.driver, project, repair))??;
        app.at(scene.target.name(), &place);
        let notes = would(&plan);
        if plan.findings.is_empty() {
            let next = if plan.is_empty() { run::afterwards(repair).to_owned() } else { itself(&app.words) };
            Outcome { notes, next, ..End::Done.into() }
        } else {
            Outcome { notes, ..End::Refused(plan.findings).into() }
        }
    } else {
        work::under(app, scene, async |context| run::repair(context, project, repair).await)?
    })
}

/// What a repair comes to, where `--noop` keeps it from being written.
pub fn would(plan: &plan::RepairPlan) -> Vec<String> {
    if plan.entries.is_empty() {
        let purged = |note: &String| {
            note.strip_prefix("purge: ").map_or_else(|| note.clone(), |note| format!("would purge: {note}"))
        };
        return plan.notes.iter().map(purged).collect();
    }
    plan.notes.iter().map(|note| format!("would record: {note}")).collect()
}

fn about(args: Args, dialect: Dialect) -> Result<About, Vec<Finding>> {
    Ok(match args {
        Args::Done(decide) => {
            About::Decide { step: decide.step, phase: decide.phase, statement: decide.statement, done: true }
        }
        Args::Undone(decide) => {
            About::Decide { step: decide.step, phase: decide.phase, statement: decide.statement, done: false }
        }
        Args::Accept(whose) => About::Accept { step: whose.step },
        Args::Forget(whose) => About::Forget { step: whose.step },
        Args::Rename(names) => About::Rename { step: names.step, to: names.to },
        Args::Rebuild(args) => About::Rebuild { traces: Box::default(), accept_loss: args.accept_loss },
        Args::Purge(args) => About::Purge { step: args.step, left: vec![] },
        Args::UpgradeLedger => About::UpgradeLedger,
        Args::Handler(args) => {
            About::Handler { step: args.step, verb: args.verb, handler: handler(dialect, &args.file)? }
        }
    })
}

/// A handler from a file of SQL; a file without a statement is a handler that does nothing.
fn handler(dialect: Dialect, file: &Path) -> Result<Handler, Vec<Finding>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read `{}`: {error}", file.display());
        vec![Finding::new(Class::Usage, "", message).way_out("--file names a file of SQL, in UTF-8")]
    })?;
    let statements = sql::split(dialect, &text).map_err(|errors| {
        let at = |span| Place {
            file: file.to_string_lossy().into(),
            source: text.as_str().into(),
            span,
            path: String::new(),
        };
        errors
            .into_iter()
            .map(|e| Finding::new(Class::Usage, e.rule, e.message).way_out(e.way_out).at(at(e.span)))
            .collect::<Vec<_>>()
    })?;
    let texts: Vec<&str> = statements.iter().map(|s| s.text.as_str()).collect();
    Ok(Handler {
        checksum: Checksum::of([sql::canonical(dialect, &text).as_str()]),
        label: sql::label(dialect, &texts),
        actions: statements
            .iter()
            .map(|s| Action::Sql { text: s.text.clone(), alone: s.alone, done_when: None })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let findings = handler(Dialect::Sqlite, Path::new("no/such.sql")).unwrap_err();
        assert!(findings[0].message.contains("no/such.sql") && findings[0].class == Class::Usage);
    }
}
