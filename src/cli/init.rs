//! `init`: a project that runs as it stands.

use super::{
    app::{App, Halt},
    args::SchemaOf,
    import,
    scene::Scene,
    schema as described, signals,
};
use crate::{
    adopt::{self, Adopted, mysql, schema},
    event::End,
    model::{Class, Dialect, Finding, Version},
    plan::{About, Repair},
    report::{self, json},
    run, shell,
};
use serde_json::json;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// What is written, relative to the project folder. The production target is an example, since a second file in `conf.d` would make every
/// command ask which one is meant.
const FILES: [(&str, &str); 5] = [
    ("conf.d/dev.yaml", include_str!("init/dev.yaml")),
    ("conf.d/production.yaml.example", include_str!("init/production.yaml")),
    ("releases/v1.yaml", include_str!("init/v1.yaml")),
    // For editors: the files above name them.
    (described::RELEASE_FILE, described::text(SchemaOf::Release)),
    (described::TARGET_FILE, described::text(SchemaOf::Target)),
];

/// Writes the files; all of them, or none where the folder is a project already. With a target, that is adopted.
pub fn run(app: &App) -> Result<u8, Halt> {
    if app.global.env.is_some() || app.global.conn.is_some() {
        return existing(app);
    }
    let project = &app.global.path;
    let findings = in_the_way(project);
    if !findings.is_empty() {
        return Err(Halt::Findings(findings));
    }
    if !app.global.noop {
        write(project).map_err(|error| {
            let message = format!("cannot write the project in `{}`: {error}", project.display());
            Halt::Findings(vec![Finding::new(Class::Usage, "", message)])
        })?;
    }
    let names: Vec<String> = FILES.iter().map(|(name, _)| shown(project, name)).collect();
    if app.global.json {
        let fields = json!({ "exit_code": 0, "noop": app.global.noop, "files": names, "written": !app.global.noop });
        app.document(&json::document("init", fields))?;
    } else {
        let verb = if app.global.noop { "would write" } else { "wrote" };
        app.print(|out| names.iter().try_for_each(|name| writeln!(out, "{verb} {name}")))?;
    }
    app.news(|err| writeln!(err, "{}: {}", app.err.strong("next"), next(project)));
    Ok(0)
}

/// A database that is there already: its schema becomes release v1, which is stamped. Nothing runs.
fn existing(app: &App) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let refuse =
        |message: String, way_out: &str| Halt::Findings(vec![Finding::new(Class::Usage, "", message).way_out(way_out)]);
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    if !facts.ledger.steps.is_empty() {
        return Err(refuse("the target has a ledger with releases already".to_owned(), "see: triphase show"));
    }
    let script = match scene.dialect {
        Dialect::Sqlite => {
            let (_, mut answers) =
                app.wait(run::rows(&scene.target, scene.driver, |_| vec![schema::SQLITE.to_owned()]))??;
            schema::of_sqlite(&answers.pop().flatten().unwrap_or_default())
        }
        Dialect::Postgres => {
            let client = shell::dump(&scene.target).map_err(|finding| Halt::Findings(vec![finding]))?;
            let stop = signals::catch()?;
            match app.wait(shell::output(&client, stop.pulled()))? {
                Ok(dump) => schema::of_postgres(&dump),
                Err(shell::Ended::Failed(why)) => return Err(Halt::End(End::Access(format!("{why:#}")))),
                Err(shell::Ended::Stopped) => return Err(Halt::End(End::Interrupted(stop.signal().unwrap_or(2)))),
            }
        }
        Dialect::Mysql | Dialect::Mariadb => of_mysql(app, &scene)?,
        dialect @ Dialect::Delta => {
            let message = format!("the schema of a {dialect} database is not written as a release by this version");
            return Err(refuse(message, "write releases/v1.yaml by hand, then: triphase stamp v1 --phase drop"));
        }
    };
    if script.trim().is_empty() {
        let message = format!("{} has no table to adopt", report::place(&place));
        return Err(refuse(message, "for a project to begin with: triphase init, without -e and --conn"));
    }
    let version = Version::parse("v1").map_err(|why| refuse(why, ""))?;
    let draft = schema::draft(version, script);
    let written = adopt::files(scene.dialect, &draft, "init", described::of_releases(&scene.target.project));
    let marks = Adopted { releases: vec![draft], ..Adopted::default() }.marks();
    let repair = Repair { about: About::Adopt { marks }, reason: "init".to_owned() };
    let outcome = import::adopt(app, &scene, &written, &repair)?;
    if !app.global.noop && matches!(outcome.end, End::Refused(_) | End::Declined | End::Interrupted(_)) {
        return import::ended(app, &outcome);
    }
    let code = outcome.exit_code();
    let names: Vec<String> = written.iter().map(|(name, _)| shown(&app.global.path, name)).collect();
    if app.global.json {
        let fields = json!({ "exit_code": code, "noop": app.global.noop, "files": names, "written": !app.global.noop });
        app.document(&json::document("init", fields))?;
    } else {
        let verb = if app.global.noop { "would write" } else { "wrote" };
        app.print(|out| names.iter().try_for_each(|name| writeln!(out, "{verb} {name}")))?;
    }
    if scene.dialect == Dialect::Postgres {
        app.news(|err| writeln!(err, "note: owners and GRANTs are not in v1: roles are the server's"));
    }
    import::ended(app, &outcome)
}

/// The schema of a MySQL or MariaDB database, as its server says it.
fn of_mysql(app: &App, scene: &Scene) -> Result<String, Halt> {
    let ask = |queries: Vec<String>| app.wait(run::rows(&scene.target, scene.driver, move |_| queries.clone()));
    let unwritten = |why: String| {
        let way_out = "write releases/v1.yaml by hand, then: triphase stamp v1 --phase drop";
        Halt::Findings(vec![Finding::new(Class::Usage, "", why).way_out(way_out)])
    };
    let (_, mut answers) = ask(vec![mysql::LISTED.to_owned()])??;
    let objects = mysql::objects(&answers.pop().flatten().unwrap_or_default()).map_err(unwritten)?;
    let (place, answers) = ask(objects.iter().map(mysql::Object::query).collect())??;
    mysql::script(&place.database, &objects, &answers).map_err(unwritten)
}

/// A file or folder of the project as a person would type it.
pub(super) fn shown(project: &Path, name: &str) -> String {
    if project == Path::new(".") { name.to_owned() } else { project.join(name).display().to_string() }
}

fn next(project: &Path) -> String {
    let triphase = program(project);
    format!("{triphase} plan ff, then: {triphase} ff")
}

/// How a command for this project begins.
pub(super) fn program(project: &Path) -> String {
    if project == Path::new(".") { "triphase".to_owned() } else { format!("triphase --path {}", project.display()) }
}

fn in_the_way(project: &Path) -> Vec<Finding> {
    ["conf.d", "releases"]
        .iter()
        .filter(|folder| fs::read_dir(project.join(folder)).is_ok_and(|mut entries| entries.next().is_some()))
        .map(|folder| {
            let message = format!("`{}` is not empty: init overwrites nothing", shown(project, folder));
            Finding::new(Class::Usage, "", message).way_out("give another folder with --path")
        })
        .collect()
}

fn write(project: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let file = project.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // Not over a file that came meanwhile.
        fs::OpenOptions::new().write(true).create_new(true).open(&file)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_project_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(in_the_way(folder.path()).is_empty());
        write(folder.path()).unwrap();
        assert_eq!(in_the_way(folder.path()).len(), 2);
        assert!(write(folder.path()).is_err());
        for (name, text) in FILES {
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
            serde_yaml::from_str::<serde_yaml::Value>(text).unwrap();
        }
    }

    #[test]
    fn next_names_the_folder() {
        assert_eq!(next(Path::new(".")), "triphase plan ff, then: triphase ff");
        assert_eq!(next(Path::new("shop")), "triphase --path shop plan ff, then: triphase --path shop ff");
    }
}
