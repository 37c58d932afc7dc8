//! A protected target's question (rule G9): what will happen, and its name to be typed.

use super::app::App;
use crate::{
    engine::{Stop, Where},
    model::{Class, Finding},
    plan::Task,
    report::{self, Paint},
    run::Asked,
};
use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

/// Asks, unless `--yes` has answered. `Ok(false)`: no, or told to stop.
///
/// # Errors
/// Where nobody can be asked.
pub fn ask(app: &App, name: &str, place: &Where, what: &Asked<'_>, stop: &Stop) -> Result<bool, Finding> {
    if app.global.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        let why = if final_here(what) {
            "there is no way back from this".to_owned()
        } else {
            format!("target `{name}` is protected")
        };
        let message = format!("{why}, and there is no terminal to ask on");
        let way_out = format!("answer beforehand: {} --yes", app.command);
        return Err(Finding::new(Class::Guard, "G9", message).way_out(way_out));
    }
    app.tell(|err| question(err, name, place, what, app.err));
    let typed = line(stop);
    if typed.as_ref().is_none_or(|typed| !typed.ends_with('\n')) {
        // The question's line was left open.
        app.tell(|err| writeln!(err));
    }
    Ok(typed.is_some_and(|typed| typed.trim() == name))
}

/// Whether this is asked about on every target, protected or not (rule D8).
fn final_here(what: &Asked<'_>) -> bool {
    match what {
        Asked::Plan(plan) => plan.tasks.iter().any(Task::asks),
        Asked::Change(_) => false,
    }
}

/// What will happen, and the question. What the plan warns of stands above it: the run has told it.
fn question(out: &mut impl io::Write, name: &str, place: &Where, what: &Asked<'_>, paint: Paint) -> io::Result<()> {
    let why = if final_here(what) { "gets a change that nothing takes back" } else { "is protected" };
    writeln!(out, "target {} {why}: {}", paint.strong(name), report::place(place))?;
    writeln!(out, "this is about to run:")?;
    match what {
        Asked::Plan(plan) => report::plan::brief(out, plan, paint)?,
        Asked::Change(words) => writeln!(out, "  {words}")?,
    }
    write!(out, "type the target's name to go on: ")
}

/// One line from standard input; none at its end, or once told to stop. Reading can't be broken off, so a thread of its own does it.
fn line(stop: &Stop) -> Option<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = io::stdin().lock().read_line(&mut text);
        // Who asked may have been told to stop, and gone.
        let _ = sender.send(matches!(read, Ok(n) if n > 0).then_some(text));
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if stop.signal().is_none() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
    }
}
