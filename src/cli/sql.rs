//! `sql`: what a command would do, as a script for the database's own client. Only the script goes to standard output.

use super::{
    app::{App, Halt},
    args::Work,
    me, plan,
    scene::Scene,
};
use crate::{
    ledger::Unit,
    plan::cut,
    report::{json, outcome},
    run,
};
use serde_json::json;
use std::io::Write as _;

/// Prints the script.
pub fn run(app: &App, work: &Work) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let project = scene.project();
    let look = app.wait(run::look(&scene.target, scene.driver, &project, &work.request()))??;
    plan::told(app, &scene, &look);
    app.tell(|err| {
        outcome::waits(err, &look.plan.waits, app.err)?;
        look.plan.notes.iter().try_for_each(|note| writeln!(err, "{note}"))
    });
    let code = plan::exit_code(&look);
    if !look.plan.findings.is_empty() {
        if app.global.json {
            app.document(&json::plan(&look.place, &look.plan, look.atomic, code))?;
        }
        return Ok(code);
    }
    let units: Vec<Unit> = cut(&look.plan, &look.facts.ledger, look.dialect).into_iter().map(|cut| cut.unit).collect();
    let script = if units.is_empty() {
        "-- nothing to do\n".to_owned()
    } else {
        let me = me::me(&app.command, &app.vars);
        let seen = &look.facts.ledger;
        let script = scene.driver.script(&scene.target, seen, &look.plan.begin, &units, &me);
        script.map_err(|finding| Halt::Findings(vec![finding]))?
    };
    if app.global.json {
        app.document(&json::document("sql", json!({ "exit_code": code, "script": script })))?;
    } else {
        app.print(|out| out.write_all(script.as_bytes()))?;
    }
    Ok(code)
}
