//! `rollout`: a release's application is rolled out, or is not after all (rule G6).

use super::{
    app::{App, Halt},
    args::Rollout,
    repair,
    scene::Scene,
};
use crate::plan::{About, Repair};

/// Records it.
pub fn run(app: &App, args: Rollout) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let about = About::Rollout { release: args.version, said: !args.revoke };
    repair::record(app, &scene, &Repair { about, reason: args.reason })
}
