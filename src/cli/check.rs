//! `check`: the gate for CI.

use super::{
    app::{App, Halt},
    args::Check,
    scene::Scene,
};
use crate::{
    model::Class,
    plan,
    report::{finding, json},
    run,
};
use serde_json::json;
use std::io::Write as _;

/// Lists all findings, or with `--app-release` what keeps that application from starting. The code is that of the first class in the
/// contract's order.
pub fn run(app: &App, args: &Check) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let project = scene.project();
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    let findings = match &args.app_release {
        None => plan::check(&project, &facts),
        Some(release) => plan::app_release(&project, &facts, release),
    };
    let findings = app.here(&findings);
    app.tell(|err| finding::all(err, &findings, app.err));
    let code = findings.iter().map(|f| f.class).min().map_or(0, |class| class.exit_code());
    if app.global.json {
        let fields = json!({
            "target": json::place(&place), "exit_code": code, "app_release": args.app_release,
            "findings": json::findings(&findings),
        });
        app.document(&json::document("check", fields))?;
    } else if findings.is_empty() {
        app.print(|out| match &args.app_release {
            None => writeln!(out, "in order: the files are valid, nothing drifted, nothing pending"),
            Some(release) => writeln!(out, "in order: the application of {release} may start"),
        })?;
        // That an application may start does not say that nothing is pending.
        let waits = || plan::check(&project, &facts).iter().any(|finding| finding.class == Class::Pending);
        if args.app_release.is_some() && waits() {
            super::plan::next(app, &plan::advice(&project, &facts, &scene.target.guards));
        }
    } else {
        app.print(|out| writeln!(out, "{}", finding::summary(&findings)))?;
    }
    Ok(code)
}
