//! A run's events to where they are read: text to one stream, with a progress bar where that is a terminal, and one JSON object an event to
//! another where that is asked for.

use super::{
    Paint,
    events::{self, View},
    json,
};
use crate::event::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Where events go.
pub struct Live {
    paint: Paint,
    target: String,
    verbose: bool,
    quiet: bool,
    bar: Option<ProgressBar>,
    inner: Mutex<Inner>,
}

struct Inner {
    text: Box<dyn Write + Send>,
    json: Option<Box<dyn Write + Send>>,
    of: u32,
}

impl Live {
    /// Text to `text`, objects to `json`. `bar`: `text` is standard error, and that a terminal.
    pub fn new(
        target: impl Into<String>,
        paint: Paint,
        bar: bool,
        verbose: bool,
        text: Box<dyn Write + Send>,
        json: Option<Box<dyn Write + Send>>,
    ) -> Self {
        Self {
            paint,
            target: target.into(),
            verbose,
            quiet: false,
            bar: bar.then(draw),
            inner: Mutex::new(Inner { text, json, of: 0 }),
        }
    }

    /// The same, telling people only what they should act on; objects are all written.
    #[must_use]
    pub fn quiet(self, quiet: bool) -> Self {
        let bar = self.bar.filter(|_| !quiet);
        Self { quiet, bar, ..self }
    }

    /// Tells one event. A reader that has gone away (`| head`) does not stop a run: what can't be written is left out.
    pub fn tell(&self, event: &Event) {
        {
            let mut inner = self.lock();
            if let Event::Statement { of, .. } = event {
                inner.of = *of;
            }
            if let Some(out) = &mut inner.json {
                let _ = writeln!(out, "{}", json::event(event)).and_then(|()| out.flush());
            }
        }
        let of = self.lock().of;
        let view = View { paint: self.paint, target: &self.target, bar: self.bar.is_some(), verbose: self.verbose, of };
        if let Some(line) = events::line(event, view).filter(|_| !self.quiet || matters(event)) {
            self.above(|| {
                let mut inner = self.lock();
                let _ = inner.text.write_all(line.as_bytes()).and_then(|()| inner.text.flush());
            });
        }
        if let Some(bar) = &self.bar {
            advance(bar, event);
        }
    }

    /// Does something with the terminal, the bar out of the way.
    pub fn above<T>(&self, f: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(f),
            None => f(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A writer that panicked leaves at worst half a line.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event is for people who want to hear only of trouble.
const fn matters(event: &Event) -> bool {
    match event {
        Event::Warning(_) | Event::Blocked { .. } | Event::Failed { .. } | Event::Reconnecting { .. } => true,
        Event::Host(_)
        | Event::Waiting { .. }
        | Event::Planned(_)
        | Event::Started { .. }
        | Event::Statement { .. }
        | Event::Heartbeat { .. }
        | Event::Progress { .. }
        | Event::Finished { .. } => false,
    }
}

fn draw() -> ProgressBar {
    // Hidden until there is a plan: a question or a wait for the lock needs no bar.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

fn advance(bar: &ProgressBar, event: &Event) {
    match event {
        Event::Planned(plan) => {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_length(plan.tasks.len() as u64);
            bar.set_position(0);
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Event::Started { id, verb, task, of } => {
            bar.set_length(*of as u64);
            bar.set_position(*task as u64);
            bar.set_message(events::what(id, *verb));
        }
        Event::Statement { id, verb, index, of, text } => {
            let first = super::visible(text.lines().next().unwrap_or_default());
            bar.set_message(format!("{} {}/{of}: {first}", events::what(id, *verb), index + 1));
        }
        Event::Finished { .. } => bar.inc(1),
        Event::Progress { id, verb, progress, elapsed } => {
            let (far, time) = (events::come(*progress), super::span(*elapsed));
            bar.set_message(format!("{}: {far} ({time})", events::what(id, *verb)));
        }
        Event::Heartbeat { progress: Some(_), .. } => {}
        Event::Heartbeat { id, verb, elapsed, progress: None } => {
            bar.set_message(format!("{} at work for {}", events::what(id, *verb), super::span(*elapsed)));
        }
        Event::Failed { .. } => bar.finish_and_clear(),
        Event::Host(_)
        | Event::Warning(_)
        | Event::Waiting { .. }
        | Event::Blocked { .. }
        | Event::Reconnecting { .. } => {}
    }
}
