//! `new release`, `new step`: scaffolding that runs as it stands. Everything is tried in memory first; what the project would not load with
//! is not written.

mod insert;
mod snippet;

use super::{
    app::{App, Halt},
    args::{New, NewRelease, NewStep},
    init,
    scene::Scene,
    schema,
};
use crate::{
    engine, load,
    model::{Class, Dialect, Finding, Version},
    plan::Scope,
    release::{self, Files},
    report::json,
};
use serde_json::json;
use snippet::Snippet;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

/// Writes the file, or with `--noop` only says what it would write.
pub fn run(app: &App, what: &New) -> Result<u8, Halt> {
    let files =
        load::files(&app.global.path).map_err(|error| refuse("", format!("cannot read releases/: {error}"), ""))?;
    let (file, text) = match what {
        New::Release(args) => release(app, &files, args)?,
        New::Step(args) => step(app, &files, args)?,
    };
    try_in_memory(app, &files, &file, &text)?;
    if !app.global.noop {
        write(&app.global.path, &file, &text)
            .map_err(|error| refuse("", format!("cannot write {file}: {error}"), ""))?;
    }
    let version = match what {
        New::Release(args) => &args.version,
        New::Step(args) => target(&args.step)?.0,
    };
    let order = order(&files, &file, version);
    let file = init::shown(&app.global.path, &file);
    if app.global.json {
        let fields = json!({ "exit_code": 0, "file": file, "order": order, "written": !app.global.noop });
        app.document(&json::document("new", fields))?;
    } else {
        let verb = if app.global.noop { "would write" } else { "wrote" };
        app.print(|out| writeln!(out, "{verb} {file}"))?;
        app.news(|err| writeln!(err, "{order}"));
    }
    app.news(|err| {
        writeln!(
            err,
            "{}: write its SQL, then: {} plan add {version}",
            app.err.strong("next"),
            init::program(&app.global.path)
        )
    });
    Ok(0)
}

fn refuse(rule: &'static str, message: impl Into<String>, way_out: impl Into<String>) -> Halt {
    Halt::Findings(vec![Finding::new(Class::Usage, rule, message).way_out(way_out)])
}

/// A new release's file and text.
fn release(app: &App, files: &Files, args: &NewRelease) -> Result<(String, String), Halt> {
    if let Some((_, file)) = known(files).into_iter().find(|(version, _)| *version == args.version) {
        let message = format!("{file} is release {} already", args.version);
        return Err(refuse("F1", message, format!("add a step to it: triphase new step {}/NAME", args.version)));
    }
    let name = args.step.clone().unwrap_or_else(|| format!("{}_change", args.version));
    let step = Snippet { name: &name, engines: &args.engine, ..Snippet::default() };
    let description = args.description.as_deref().unwrap_or(args.version.as_str());
    Ok(whole(app, &args.version, args.folder, description, &step))
}

/// A release file from nothing.
fn whole(app: &App, version: &Version, folder: bool, description: &str, step: &Snippet<'_>) -> (String, String) {
    let file = if folder { format!("releases/{version}/release.yaml") } else { format!("releases/{version}.yaml") };
    let up = if folder { "../../" } else { "../" };
    let mut text = String::new();
    if let Some(schema) = schema::of_releases(&app.global.path) {
        text.push_str(&format!("# yaml-language-server: $schema={up}{schema}\n"));
    }
    text.push_str(&format!("description: {}\nsteps:\n", snippet::scalar(description)));
    text.push_str(&step.text(2, 2, "\n"));
    (file, text)
}

/// A release's file with a step more.
fn step(app: &App, files: &Files, args: &NewStep) -> Result<(String, String), Halt> {
    let (version, name) = target(&args.step)?;
    let handlers = args.handlers();
    let step = Snippet {
        name,
        description: args.description.as_deref(),
        after: &args.after,
        id: args.id.as_deref(),
        engines: &args.engine,
        handlers: &handlers,
    };
    let found = known(files).into_iter().find(|(known, _)| *known == *version);
    let Some((_, file)) = found else {
        return Ok(whole(app, version, false, args.description.as_deref().unwrap_or(version.as_str()), &step));
    };
    let Some(text) = files.texts.get(&file) else {
        let why = files.unread.get(&file).map_or("it is gone", String::as_str);
        return Err(refuse("F8", format!("{file} can't be read: {why}"), ""));
    };
    let text = insert::into(&file, text, &step).map_err(|finding| Halt::Findings(vec![*finding]))?;
    Ok((file, text))
}

fn target(scope: &Scope) -> Result<(&Version, &str), Halt> {
    match scope {
        Scope::Step(version, name) => Ok((version, name)),
        Scope::Auto | Scope::Release(_) => Err(refuse("", "new step needs VERSION/NAME", "")),
    }
}

/// The releases that are there, with their files.
fn known(files: &Files) -> Vec<(Version, String)> {
    let version = |file: &str| {
        let name = file.strip_prefix("releases/")?;
        let stem = name.strip_suffix("/release.yaml").or_else(|| name.strip_suffix(".yaml"))?;
        Version::parse(stem).ok()
    };
    release::release_files(&files.entries).into_iter().filter_map(|file| Some((version(&file)?, file))).collect()
}

/// Reads the project as it would be. A finding that it does not have now is what the new text brings. Where no target says which engine is
/// meant, one that takes it is enough.
fn try_in_memory(app: &App, files: &Files, file: &str, text: &str) -> Result<(), Halt> {
    let mut then = files.clone();
    if !then.entries.iter().any(|entry| entry == file) {
        then.entries.push(file.to_owned());
        if let Some((folder, _)) = file.rsplit_once('/').filter(|(folder, _)| *folder != "releases") {
            then.entries.push(format!("{folder}/"));
        }
        then.entries.sort();
    }
    let text: Arc<str> = text.into();
    then.texts.insert(file.to_owned(), text);
    let mut refused = vec![];
    for dialect in dialects(app) {
        let said = |finding: &Finding| (finding.rule, finding.message.clone());
        let before: Vec<_> = release::project(files, dialect).findings.iter().map(said).collect();
        let new: Vec<Finding> = release::project(&then, dialect)
            .findings
            .into_iter()
            .filter(|finding| !before.contains(&said(finding)))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        if refused.is_empty() {
            refused = new;
        }
    }
    Err(Halt::Findings(refused))
}

/// The engine of the target that commands take by themselves, or all engines where there is none: scaffolding needs no target.
fn dialects(app: &App) -> Vec<Dialect> {
    match Scene::of(app) {
        Ok(scene) => vec![scene.driver.dialect()],
        Err(_) => engine::DRIVERS.iter().map(|driver| driver.dialect()).collect(),
    }
}

/// Where the release comes in order (rule F1).
fn order(files: &Files, file: &str, version: &Version) -> String {
    let all: Vec<Version> =
        known(files).into_iter().filter(|(_, other)| other != file).map(|(version, _)| version).collect();
    let before = all.iter().filter(|other| *other < version).max();
    let after = all.iter().filter(|other| *other > version).min();
    let place = match (before, after) {
        (None, None) => "is the first release".to_owned(),
        (Some(before), None) => format!("comes after {before}, as the newest"),
        (None, Some(after)) => format!("comes before {after}, as the oldest"),
        (Some(before), Some(after)) => format!("comes after {before} and before {after}"),
    };
    format!("{version} {place}: numbers sort as numbers and before words (v2 before v10, v1 before v1-2 before v1-rc1)")
}

/// Writes all of the file or nothing: a dotfile beside it takes its place.
pub(super) fn write(project: &Path, file: &str, text: &str) -> io::Result<()> {
    let path = project.join(file);
    // A link stays one, and what it names is written.
    let path = path.canonicalize().unwrap_or(path);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no folder"));
    };
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".{}.new", name.to_string_lossy()));
    fs::write(&beside, text)?;
    if let Ok(about) = path.metadata() {
        fs::set_permissions(&beside, about.permissions())?;
    }
    fs::rename(&beside, &path)
}
