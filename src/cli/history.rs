//! `history`: the audit trail.

use super::{
    app::{App, Halt},
    args::History,
    scene::Scene,
};
use crate::{report, run};

/// Shows the newest events.
pub fn run(app: &App, args: &History) -> Result<u8, Halt> {
    let scene = Scene::to_look_at(app)?;
    let (place, rows) = app.wait(run::history(&scene.target, scene.driver, args.limit))??;
    if app.global.json {
        app.document(&report::json::history(&place, &rows))?;
    } else {
        app.print(|out| report::history::write(out, &rows, app.width()))?;
    }
    Ok(0)
}
