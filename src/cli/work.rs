//! `ff`, the phases and their rollbacks; and how every changing command is carried out.

use super::{
    app::{App, Halt},
    args::Work,
    confirm, me,
    scene::Scene,
    signals,
};
use crate::{
    engine::Where,
    event::{End, Outcome, UNCHANGED},
    logging::Sink,
    report::progress::Live,
    run::{self, Asked, Context},
};
use std::io::{self, IsTerminal as _};

/// Runs a command that runs handlers.
pub fn run(app: &App, work: &Work) -> Result<u8, Halt> {
    let scene = Scene::of(app)?;
    let request = work.request();
    let outcome = under(app, &scene, async |context| run::run_reading(context, scene.reading(), &request).await)?;
    app.ended(&outcome)
}

/// Carries a job out with events, signals and the question in place. What signal came is in an outcome that was not confirmed for it.
pub fn under<T: Stoppable>(app: &App, scene: &Scene, job: impl AsyncFnOnce(&Context<'_>) -> T) -> Result<T, Halt> {
    let stop = signals::catch()?;
    let live = Live::new(
        scene.target.name(),
        app.err,
        // Between objects a bar has no place.
        io::stderr().is_terminal() && app.sink != Sink::Stderr,
        app.global.verbose > 0,
        if app.sink == Sink::Stderr { Box::new(io::sink()) } else { Box::new(io::stderr()) },
        app.global.json.then(|| Box::new(io::stdout()) as Box<dyn io::Write + Send>),
    )
    .quiet(app.global.quiet);
    let tell = |event| {
        app.log(&event, scene.target.name());
        live.tell(&event);
    };
    let ask =
        |place: &Where, what: &Asked<'_>| live.above(|| confirm::ask(app, scene.target.name(), place, what, &stop));
    let context = Context {
        target: &scene.target,
        driver: scene.driver,
        me: me::me(&app.command, &app.vars),
        wait_lock: app.global.wait_lock,
        stop: stop.clone(),
        tell: &tell,
        confirm: &ask,
    };
    let result = app.wait(job(&context));
    live.finish();
    result.map(|ended| match stop.signal() {
        Some(signal) => ended.interrupted(signal),
        None => ended,
    })
}

/// What a job gives, seen as something that a signal may have stopped.
pub trait Stoppable {
    /// The same, where a question was not answered because of a signal.
    #[must_use]
    fn interrupted(self, signal: i32) -> Self;
}

impl Stoppable for Outcome {
    fn interrupted(self, signal: i32) -> Self {
        if self.end != End::Declined {
            return self;
        }
        // The question came before the first change.
        Self { end: End::Interrupted(signal), next: UNCHANGED.to_owned(), ..self }
    }
}

/// A job that does something of its own besides, which failed.
impl<E> Stoppable for Result<Outcome, E> {
    fn interrupted(self, signal: i32) -> Self {
        self.map(|outcome| outcome.interrupted(signal))
    }
}

impl Stoppable for Result<String, End> {
    fn interrupted(self, signal: i32) -> Self {
        self.map_err(|end| if end == End::Declined { End::Interrupted(signal) } else { end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_was_broken_off_changed_nothing() {
        let outcome = Outcome::from(End::Declined).interrupted(2);
        let mut out = vec![];
        assert!(crate::report::outcome::write(&mut out, &outcome, crate::report::Paint::PLAIN).is_ok());
        assert_eq!(
            String::from_utf8_lossy(&out),
            "interrupted by SIGINT\nnext: nothing was changed: run the same command again\n"
        );
        assert_eq!(outcome.exit_code(), 130);
    }
}
