//! `show`: how far each step has come, and what triphase keeps in the target.

use super::{
    app::{App, Halt},
    args::Show,
    scene::Scene,
};
use crate::{
    report::{objects, show},
    run,
};

/// Shows states, with `--pending-contract` what waits (JSON has both), with `--objects` what is kept.
pub fn run(app: &App, args: &Show) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    if args.objects {
        let (place, kept) = app.wait(run::objects(&scene.target, scene.driver))??;
        if app.global.json {
            app.document(&objects::json(&place, &kept))?;
        } else {
            app.print(|out| objects::write(out, &kept, app.width()))?;
        }
        return Ok(0);
    }
    let project = scene.project_if_valid(app);
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    let mut lines = show::lines(&project, &facts.ledger);
    if app.global.json {
        if args.pending_contract {
            lines.retain(|line| line.waits_for().is_some());
        }
        app.document(&show::json(&place, &lines, &facts))?;
    } else if args.pending_contract {
        app.print(|out| show::pending(out, &lines, &facts.ledger, app.width()))?;
    } else {
        app.print(|out| show::write(out, &lines, &facts, app.width(), app.out))?;
    }
    Ok(0)
}
