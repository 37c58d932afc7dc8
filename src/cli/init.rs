//! `init`: a project that runs as it stands.

use super::{
    app::{App, Halt},
    args::SchemaOf,
    schema,
};
use crate::{
    model::{Class, Finding},
    report::json,
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
    (schema::RELEASE_FILE, schema::text(SchemaOf::Release)),
    (schema::TARGET_FILE, schema::text(SchemaOf::Target)),
];

/// Writes the files; all of them, or none where the folder is a project already.
pub fn run(app: &App) -> Result<u8, Halt> {
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
        let fields = json!({ "exit_code": 0, "files": names, "written": !app.global.noop });
        app.document(&json::document("init", fields))?;
    } else {
        let verb = if app.global.noop { "would write" } else { "wrote" };
        app.print(|out| names.iter().try_for_each(|name| writeln!(out, "{verb} {name}")))?;
    }
    app.news(|err| writeln!(err, "{}: {}", app.err.strong("next"), next(project)));
    Ok(0)
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
