//! `show`: how far each step has come.

use super::{
    app::{App, Halt},
    args::Show,
    scene::Scene,
};
use crate::{report::show, run};

/// Shows states, or with `--pending-contract` what waits. JSON has both.
pub fn run(app: &App, args: &Show) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let project = scene.project_if_valid(app);
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    let mut lines = show::lines(&project, &facts.ledger);
    if app.global.json {
        if args.pending_contract {
            lines.retain(|line| line.waits_for().is_some());
        }
        app.document(&show::json(&place, &lines, &facts.ledger))?;
    } else if args.pending_contract {
        app.print(|out| show::pending(out, &lines, &facts.ledger, app.width()))?;
    } else {
        app.print(|out| show::write(out, &lines, &facts.ledger, app.width(), app.out))?;
    }
    Ok(0)
}
