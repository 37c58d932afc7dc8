//! `current`: the newest release of each phase.

use super::{
    app::{App, Halt},
    scene::Scene,
};
use crate::{report::current, run};

/// Shows them.
pub fn run(app: &App) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let (place, facts) = app.wait(run::ledger(&scene.target, scene.driver))??;
    if app.global.json {
        app.document(&current::json(&place, &facts.ledger))?;
    } else {
        app.print(|out| current::write(out, &facts.ledger))?;
    }
    Ok(0)
}
