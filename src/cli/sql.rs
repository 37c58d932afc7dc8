//! `sql`: what a command would do, as a script for the database's own client. Only the script goes to standard output.

use super::{
    app::{App, Halt},
    args::Work,
    me, plan,
    scene::Scene,
};
use crate::{
    ledger::Unit,
    model::Dialect,
    plan::{Plan, cut},
    report::{Paint, finding, json, outcome},
    run,
};
use serde_json::json;
use std::io::{self, Write as _};

/// What stands in a script's place where there is none: comments that say why, for a file that is read later.
fn no_script(plan: &Plan, code: u8) -> io::Result<String> {
    let mut why = vec![];
    if code != 0 {
        writeln!(why, "refused (exit code {code}): this script does nothing, and the target is not up to date by it")?;
    } else if plan.waits.is_empty() {
        writeln!(why, "nothing to do: nothing is pending")?;
    } else {
        writeln!(why, "nothing to do yet")?;
    }
    finding::all(&mut why, &plan.findings, Paint::PLAIN)?;
    outcome::waits(&mut why, &plan.waits, Paint::PLAIN)?;
    plan.notes.iter().try_for_each(|note| writeln!(why, "{note}"))?;
    Ok(String::from_utf8_lossy(&why).lines().map(|line| format!("-- {line}").trim_end().to_owned() + "\n").collect())
}

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
        } else {
            let script = no_script(&look.plan, code)?;
            app.print(|out| out.write_all(script.as_bytes()))?;
        }
        return Ok(code);
    }
    let units: Vec<Unit> = cut(&look.plan, &look.facts.ledger, look.dialect).into_iter().map(|cut| cut.unit).collect();
    let script = if units.is_empty() {
        no_script(&look.plan, code)?
    } else {
        let me = me::me(&app.command, &app.vars);
        let seen = &look.facts.ledger;
        let mut target = scene.target.clone();
        // A pooler may know the database by another name than the server, which the script asks.
        if look.dialect == Dialect::Postgres {
            target.connection.database.clone_from(&look.place.database);
        }
        match scene.driver.script(&target, seen, &look.plan.begin, &units, &me) {
            Ok(script) => script,
            Err(finding) => {
                let refused = Plan { findings: vec![finding.clone()], ..Plan::default() };
                let script = no_script(&refused, finding.class.exit_code())?;
                if !app.global.json {
                    app.print(|out| out.write_all(script.as_bytes()))?;
                }
                return Err(Halt::Findings(vec![finding]));
            }
        }
    };
    if app.global.json {
        app.document(&json::document("sql", json!({ "exit_code": code, "script": script })))?;
    } else {
        app.print(|out| out.write_all(script.as_bytes()))?;
    }
    Ok(code)
}
