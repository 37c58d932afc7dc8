//! `import`: another tool's migrations become releases, and what its ledger says is applied is stamped.

use super::{
    app::{App, Halt},
    args::Import,
    new,
    scene::Scene,
    schema, work,
};
use crate::{
    adopt::{self, Adopted, Done, Folder, Given, Tool},
    event::{End, Outcome},
    ledger::{Ledger, drift},
    load,
    model::{Class, Finding},
    plan::{self, About, Repair},
    release::{self, Files, Project},
    report::{self, json},
    run::{self, Asked},
    sql,
};
use serde_json::json;
use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Imports; with `--noop` says what it would write.
pub fn run(app: &App, args: &Import) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let tool = adopt::tool(&args.tool).ok_or_else(|| refused(Class::Usage, format!("no tool `{}`", args.tool), ""))?;
    let (folder, printed) = given(&scene.target.project, tool, args)?;
    let dialect = scene.dialect;
    let name = args.table.as_deref().unwrap_or(tool.table());
    let (_, mut answers) = app.wait(run::rows(&scene.target, scene.driver, |place| {
        let (schema, table) = name.split_once('.').unwrap_or((&place.schema, name));
        let schema = if schema.is_empty() { String::new() } else { format!("{}.", sql::ident(dialect, schema)) };
        vec![tool.query(dialect, &format!("{schema}{}", sql::ident(dialect, table)))]
    }))??;
    let Some(ledger) = answers.pop().flatten() else {
        let message = format!("the target has no table `{name}`: {} has not migrated it", tool.name());
        return Err(refused(
            Class::Usage,
            message,
            "see that this is the right target, or name the table with --table",
        ));
    };
    let placeholders = args.placeholder.iter().cloned().collect();
    let table = name.rsplit('.').next().unwrap_or(name);
    let given =
        Given { dialect, table, folder: &folder, printed: &printed, ledger: &ledger, placeholders: &placeholders };
    let adopted = adopt::read(tool, &given);
    if !adopted.findings.is_empty() {
        return Err(Halt::Findings(adopted.findings));
    }
    if let Some(moved) = moved(&scene.project(), &adopted, tool) {
        return Err(Halt::Findings(vec![moved]));
    }
    let reason = format!("import {}", tool.name());
    let described = schema::of_releases(&scene.target.project);
    let written: Vec<(String, String)> =
        adopted.releases.iter().flat_map(|draft| adopt::files(dialect, draft, &reason, described)).collect();
    let repair = Repair { about: About::Adopt { marks: adopted.marks() }, reason };
    let is_there = |(path, _): &&(String, String)| scene.target.project.join(path).exists();
    let there: Vec<String> = written.iter().filter(is_there).map(|(path, _)| path.clone()).collect();
    let (_, before) = app.wait(run::ledger(&scene.target, scene.driver))??;
    let outcome = adopt(app, &scene, &written, &repair)?;
    // Who said no, or could not be asked, finds nothing written: then nothing is told of it.
    if !app.global.noop && matches!(outcome.end, End::Refused(_) | End::Declined | End::Interrupted(_)) {
        return ended(app, &outcome);
    }
    told(app, &adopted, &there, &before.ledger, &outcome)
}

/// A migration that was imported as another release: numbers made of an order (Alembic's, Django's), and the place behind the newest, move
/// when migrations are added. A release that is written, and perhaps stamped, stays what it is.
fn moved(project: &Project, adopted: &Adopted, tool: &dyn Tool) -> Option<Finding> {
    // By its text: `v9-x` and `v09-x` are one version in release order.
    let is_new = |draft: &&adopt::Draft| {
        project.releases.iter().all(|release| release.version.as_str() != draft.version.as_str())
    };
    adopted.releases.iter().filter(is_new).find_map(|draft| {
        let holds = |release: &&release::Release| {
            let same = |step: &release::Step, drafted: &adopt::DraftStep| {
                drafted.id.as_deref().unwrap_or(&drafted.name) == step.id.step
            };
            release.steps.iter().any(|step| draft.steps.iter().any(|drafted| same(step, drafted)))
        };
        let there = &project.releases.iter().find(holds)?.version;
        let message = format!(
            "{} was imported as release {there}, and would be {} now: migrations have been added since, and the numbering has moved",
            draft.from, draft.version
        );
        let way_out = format!(
            "leave the releases as they are; write what was added as releases behind them (`triphase new release`), and `triphase stamp` \
             them where {} has run it. Where no target is stamped yet: move the releases away, and import again",
            tool.name()
        );
        Some(Finding::new(Class::Usage, "", message).way_out(way_out))
    })
}

/// Writes a project's files, and then stamps by them. All that refuses is found before anything is written.
pub fn adopt(app: &App, scene: &Scene, written: &[(String, String)], repair: &Repair) -> Result<Outcome, Halt> {
    let project = with(scene, written)?;
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    let seen = plan::repair(&project, &facts.ledger, repair);
    if !seen.findings.is_empty() {
        return Err(Halt::Findings(seen.findings));
    }
    if app.global.noop {
        app.at(scene.target.name(), &place);
        let notes = super::repair::would(&seen);
        return Ok(Outcome { notes, next: super::plan::itself(&app.words), ..End::Done.into() });
    }
    let asks = !seen.entries.is_empty() && facts.ledger.in_force(&scene.target.guards).is_protected();
    let mut outcome = work::under(app, scene, async |context| {
        // Asked before the first file is written: who says no finds nothing changed.
        if asks && let Some(end) = context.unconfirmed(&place, &Asked::Change(&seen.notes.join("; "))) {
            return Ok(end.into());
        }
        for (path, text) in written {
            write(&scene.target.project, path, text).map_err(|error| (scene.target.project.join(path), error))?;
        }
        let context = run::Context { confirm: &|_, _| Ok(true), ..context.clone() };
        Ok(run::repair(&context, &project, repair).await)
    })?
    .map_err(|(path, error): (PathBuf, io::Error)| {
        refused(Class::Usage, format!("cannot write {}: {error}", path.display()), "run the same command again")
    })?;
    if outcome.end == End::Done {
        outcome.next = "triphase check".to_owned();
    }
    Ok(outcome)
}

/// `there`: the files that were there before, as they would be written; `ledger`: as it was before.
fn told(app: &App, adopted: &Adopted, there: &[String], ledger: &Ledger, outcome: &Outcome) -> Result<u8, Halt> {
    let by_triphase = |draft: &adopt::Draft| {
        let mut rows = ledger.of(&draft.version).peekable();
        rows.peek().is_some() && drift::finished(ledger, &draft.version)
    };
    let state = |draft: &adopt::Draft| {
        if by_triphase(draft) {
            return "applied";
        }
        let all = || draft.steps.iter().flat_map(|step| step.phases);
        match (all().any(|done| done == Done::Yes), all().all(|done| done == Done::Yes)) {
            (_, true) => "applied",
            (true, false) => "partly applied",
            (false, false) => "pending",
        }
    };
    let written = !app.global.noop;
    let code = outcome.exit_code();
    if app.global.json {
        let releases: Vec<_> = adopted
            .releases
            .iter()
            .map(|draft| json!({ "release": draft.version, "from": draft.from, "state": state(draft) }))
            .collect();
        let fields = json!({
            "exit_code": code, "noop": !written, "written": written, "releases": releases, "notes": adopted.notes,
        });
        app.document(&json::document("import", fields))?;
    } else {
        let verb = if written { "wrote" } else { "would write" };
        app.print(|out| {
            adopted.releases.iter().try_for_each(|draft| {
                let folder = format!("releases/{}/", draft.version);
                let file = format!("releases/{}.yaml", draft.version);
                let kept = there.iter().any(|path| path.starts_with(&folder) || *path == file);
                let verb = if kept { "left as it is:" } else { verb };
                writeln!(out, "{verb} releases/{} from {}: {}", draft.version, draft.from, state(draft))
            })
        })?;
    }
    for note in &adopted.notes {
        app.warn(note);
    }
    ended(app, outcome)
}

/// Reports how it ended; a run's last line with `--json` is its result.
pub fn ended(app: &App, outcome: &Outcome) -> Result<u8, Halt> {
    if app.global.noop {
        app.tell(|err| report::outcome::write(err, outcome, app.err));
        return Ok(outcome.exit_code());
    }
    app.ended(outcome)
}

/// The project as it will be.
fn with(scene: &Scene, written: &[(String, String)]) -> Result<Project, Halt> {
    let root = &scene.target.project;
    let mut files: Files = load::files(root).map_err(|error| refused(Class::Usage, error.to_string(), ""))?;
    files.vars.clone_from(&scene.target.vars);
    let mut findings = vec![];
    for (path, text) in written {
        if files.entries.contains(path) {
            if fs::read(root.join(path)).is_ok_and(|there| adopt::is_same(&there, text)) {
                continue;
            }
            let message = format!("{path} is there already, and is not what would be written");
            findings
                .push(Finding::new(Class::Usage, "", message).way_out("move it away, or keep it and stamp by hand"));
        }
        let folder = path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
        if folder != "releases/" && !files.entries.contains(&folder) {
            files.entries.push(folder);
        }
        files.entries.push(path.clone());
        files.texts.insert(path.clone(), text.as_str().into());
    }
    if !findings.is_empty() {
        return Err(Halt::Findings(findings));
    }
    files.entries.sort();
    Ok(release::project(&files, scene.dialect))
}

/// Writes a file that was not there when all of it was looked at; what has come in its place since stays.
fn write(project: &Path, file: &str, text: &str) -> io::Result<()> {
    match fs::read(project.join(file)) {
        Ok(there) if adopt::is_same(&there, text) => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "another file has come there meanwhile")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => new::write(project, file, text),
        Err(error) => Err(error),
    }
}

fn given(project: &Path, tool: &dyn Tool, args: &Import) -> Result<(Folder, Folder), Halt> {
    let from = match &args.from {
        Some(from) => from.clone(),
        None => match tool.folders().iter().map(|folder| project.join(folder)).find(|path| path.is_dir()) {
            Some(found) => found,
            None => {
                let message =
                    format!("none of {}'s usual folders is there: {}", tool.name(), tool.folders().join(", "));
                return Err(refused(Class::Usage, message, "name the folder of its migrations with --from"));
            }
        },
    };
    let mut folder = Folder::new();
    read(&from, "", &mut folder).map_err(|error| unreadable(&from, &error))?;
    let mut printed = Folder::new();
    for (number, path) in args.sql.iter().enumerate() {
        let done = if path.is_dir() {
            read(path, &format!("{number}/"), &mut printed)
        } else {
            fs::read(path).map(|bytes| drop(printed.insert(number.to_string(), bytes)))
        };
        done.map_err(|error| unreadable(path, &error))?;
    }
    Ok((folder, printed))
}

/// What a migration, or a file it names, may end in. All else in the folder is not read.
const READ: &[&str] = &["sql", "ddl", "psql", "py", "txt", "conf"];

/// Reads a folder and the folders in it, but not what begins with a dot; a link to a folder is not followed, so none leads in a circle.
fn read(folder: &Path, prefix: &str, files: &mut Folder) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with('.') {
            continue;
        }
        let wanted = path.extension().and_then(|e| e.to_str()).is_some_and(|e| READ.contains(&e));
        if entry.file_type()?.is_dir() {
            read(&path, &format!("{prefix}{name}/"), files)?;
        } else if wanted && path.is_file() {
            files.insert(format!("{prefix}{name}"), fs::read(&path)?);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Halt {
    refused(Class::Usage, format!("cannot read {}: {error}", path.display()), "see --from and --sql")
}

fn refused(class: Class, message: impl Into<String>, way_out: &str) -> Halt {
    Halt::Findings(vec![Finding::new(class, "", message).way_out(way_out)])
}
