//! `unlock`: ends the session of the run that holds the lock (rule X3).

use super::{
    app::{App, Halt},
    args::Unlock,
    scene::Scene,
    work,
};
use crate::{engine, report::json, run};
use serde_json::json;
use std::io::Write as _;

/// Ends it, or with `--noop` says who wrote last.
pub fn run(app: &App, args: &Unlock) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let said = if app.global.noop {
        let (_, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
        facts.ledger.run.as_ref().map_or_else(
            || "the ledger names no run that holds the lock".to_owned(),
            |run| format!("the last to hold the lock: {}", engine::holder(run)),
        )
    } else {
        work::under(app, &scene, async |context| run::unlock(context, args.force).await)??
    };
    if app.global.json {
        app.document(&json::document("unlock", json!({ "exit_code": 0, "message": said })))?;
    } else {
        app.print(|out| writeln!(out, "{said}"))?;
    }
    app.news(|err| writeln!(err, "{}: triphase show", app.err.strong("next")));
    Ok(0)
}
