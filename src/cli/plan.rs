//! `plan`, and `--noop`: what a command would do.

use super::{
    app::{App, Halt},
    args::Work,
    scene::Scene,
};
use crate::{
    event::{End, Outcome},
    report,
    run::{self, Look},
};
use std::io::Write as _;

/// Shows a plan. The exit code is the run's refusal code, else 0.
pub fn run(app: &App, work: &Work) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let project = scene.project();
    let mut look = app.wait(run::look(&scene.target, scene.driver, &project, &work.request()))??;
    look.plan.findings.extend(run::unready(&scene.target, &look.plan));
    told(app, &scene, &look);
    let code = exit_code(&look);
    if app.global.json {
        app.document(&report::json::plan(&look.place, &look.plan, look.atomic, code))?;
    } else {
        app.print(|out| report::plan::write(out, &look.plan, look.atomic, app.out))?;
    }
    Ok(code)
}

/// The host line, warnings and findings of a look, on standard error.
pub fn told(app: &App, scene: &Scene, look: &Look) {
    app.at(scene.target.name(), &look.place);
    app.tell(|err| {
        for warning in &look.plan.warnings {
            writeln!(err, "{}", report::events::warning(warning, app.err))?;
        }
        report::finding::all(err, &look.plan.findings, app.err)
    });
}

/// The code that a run of this plan would be refused with; 0 where it would run.
pub fn exit_code(look: &Look) -> u8 {
    let plan = &look.plan;
    let end = if plan.findings.is_empty() { End::Done } else { End::Refused(plan.findings.clone()) };
    Outcome { end, done: vec![], waits: plan.waits.clone(), notes: vec![], next: String::new() }.exit_code()
}
