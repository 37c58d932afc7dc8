//! What a command is about: the target, its engine, and the release files.

use super::app::{App, Halt};
use crate::{
    config::{self, Choice},
    engine::{self, Driver},
    load,
    model::{Class, Dialect, Finding},
    release::{self, Project},
    target::Target,
};
use std::io::Write as _;

/// The target and its engine.
pub struct Scene {
    /// Where.
    pub target: Target,
    /// Its engine.
    pub driver: &'static dyn Driver,
    /// The dialect that the target speaks; what the URL promises, where the target can't be asked or it makes no difference.
    pub dialect: Dialect,
    /// Whether it makes a difference which dialect of its URL's the target speaks.
    matters: bool,
}

impl Scene {
    /// Finds the target (rule T2) and its engine.
    pub fn of(app: &App) -> Result<Self, Halt> {
        let choice = Choice {
            project: std::path::absolute(&app.global.path).unwrap_or_else(|_| app.global.path.clone()),
            conn: app.global.conn.as_ref().map(|conn| conn.reveal().to_owned()),
            env: app.global.env.clone(),
            vars: app.vars.clone(),
        };
        let target = config::target(&choice).map_err(Halt::Findings)?;
        let scheme = target.connection.scheme.as_str();
        let driver = engine::driver(scheme).ok_or_else(|| Halt::Findings(vec![no_engine(scheme)]))?;
        let matters = differs(driver.dialect(), &target);
        let dialect = if matters {
            // A target that can't be reached is the command's to report.
            app.wait(driver.found(&target))?.unwrap_or_else(|_| driver.dialect())
        } else {
            driver.dialect()
        };
        Ok(Self { target, driver, dialect, matters })
    }

    /// The same for a command that only looks: where there is nothing to see, it is said what may have been meant.
    pub fn to_look_at(app: &App) -> Result<Self, Halt> {
        let scene = Self::of(app)?;
        if let Some(hint) = scene.driver.hint(&scene.target) {
            app.tell(|err| writeln!(err, "note: {hint}"));
        }
        Ok(scene)
    }

    /// Reads the release files. What is wrong with them is in the project's findings: rollbacks need no files (rule G8).
    pub fn project(&self) -> Project {
        self.reading()()
    }

    /// The reading of the release files, to be done elsewhere.
    pub fn reading(&self) -> impl FnOnce() -> Project + Send + use<> {
        let (folder, vars) = (self.target.project.clone(), self.target.vars.clone());
        let (dialect, read_for) = (self.dialect, self.matters.then_some(self.dialect));
        move || match load::files(&folder) {
            Ok(_) if !folder.is_dir() => {
                Project { findings: load::no_folder(&folder).into_iter().collect(), ..Project::default() }
            }
            Ok(files) => Project { read_for, ..release::project(&release::Files { vars, ..files }, dialect) },
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", folder.join("releases").display());
                let way_out = "give the project folder with --path";
                Project {
                    findings: vec![Finding::new(Class::Usage, "", message).way_out(way_out)],
                    ..Project::default()
                }
            }
        }
    }

    /// Reads the release files for a command that only needs the ledger: what is wrong with them is one line of warning.
    pub fn project_if_valid(&self, app: &App) -> Project {
        let project = self.project();
        if !project.findings.is_empty() {
            let summary = crate::report::finding::summary(&project.findings);
            app.warn(&format!("the release files are not valid ({summary}): triphase check lists what is wrong"));
        }
        project
    }
}

/// Whether it matters which of MySQL and MariaDB the server is, whatever the URL says: only where a release file has a handler for MariaDB
/// (rule F2). Else a target that can't be reached is waited for once, and not twice.
fn differs(dialect: Dialect, target: &Target) -> bool {
    match dialect {
        Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => false,
        Dialect::Mysql | Dialect::Mariadb => {
            let named = |files: release::Files| {
                let mut texts = files.texts.iter().filter(|(path, _)| path.ends_with(".yaml"));
                texts.any(|(_, text)| text.contains(Dialect::Mariadb.name()))
            };
            load::files(&target.project).is_ok_and(named)
        }
    }
}

fn no_engine(scheme: &str) -> Finding {
    let known: Vec<String> = engine::DRIVERS
        .iter()
        .filter_map(|driver| driver.schemes().first())
        .map(|scheme| format!("{scheme}://"))
        .collect();
    Finding::new(Class::Usage, "T2", format!("this version has no engine for `{scheme}://`"))
        .way_out(format!("it has {}", known.join(", ")))
}
