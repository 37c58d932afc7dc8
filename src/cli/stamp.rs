//! `stamp`: phases that were done without triphase are marked as done.

use super::{
    app::{App, Halt},
    args::Stamp,
    repair,
    scene::Scene,
};
use crate::{
    adopt::delta_migrations,
    event::End,
    model::{Class, Dialect, Finding},
    plan::{About, Repair},
    run,
};

/// Records it.
pub fn run(app: &App, args: Stamp) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    if let Some(table) = &args.from_delta_migrations {
        return by_history(app, &scene, table, args.reason);
    }
    let (Some(scope), Some(phase)) = (args.version, args.phase) else {
        let finding = Finding::new(Class::Usage, "", "stamp needs to know what: it guesses no release");
        return Err(Halt::Findings(vec![finding.way_out("name a release or a step: triphase stamp vN --phase add")]));
    };
    let about = About::Stamp { scope, phase, only: args.only, known: Box::default() };
    repair::record_with(app, &scene, &scene.project(), &Repair { about, reason: args.reason })
}

/// Marks what the history of delta-migrations says is applied.
fn by_history(app: &App, scene: &Scene, table: &str, reason: String) -> Result<u8, Halt> {
    let refused =
        |message: String, way_out: &str| Halt::Findings(vec![Finding::new(Class::Usage, "", message).way_out(way_out)]);
    if scene.dialect != Dialect::Delta {
        let message = format!("--from-delta-migrations reads a table of a lake, and this target is {}", scene.dialect);
        return Err(refused(message, "name the lake: -e NAME, or --conn delta://…"));
    }
    let ask = |query: String| -> Result<_, Halt> {
        let (_, mut answers) = app.wait(run::rows(&scene.target, scene.driver, |_| vec![query.clone()]))??;
        answers.pop().flatten().ok_or_else(|| {
            let message = format!("the lake has no table `{table}`");
            refused(message, "name the history table by its path below the lake's root, or by its full URL")
        })
    };
    if let Some(why) = delta_migrations::unfit(table, &ask(delta_migrations::describe(table))?) {
        return Err(refused(why, "name the table that delta-migrations keeps its history in"));
    }
    let rows = ask(delta_migrations::query(table))?;
    let project = scene.project();
    let read = delta_migrations::read(&project, &rows);
    let reason = if reason.is_empty() { format!("delta-migrations: {table}") } else { reason };
    let repair = Repair { about: About::Adopt { marks: read.marks.clone() }, reason };
    let mut outcome = repair::carried_out(app, scene, &project, &repair)?;
    if outcome.end == End::Done {
        outcome.notes.extend(read.told());
    }
    app.ended(&outcome)
}
