//! `stamp`: phases that were done without triphase are marked as done.

use super::{
    app::{App, Halt},
    args::Stamp,
    repair,
    scene::Scene,
};
use crate::plan::{About, Repair};

/// Records it.
pub fn run(app: &App, args: Stamp) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let about = About::Stamp { scope: args.version, phase: args.phase, only: args.only };
    repair::record_with(app, &scene, &scene.project(), &Repair { about, reason: args.reason })
}
