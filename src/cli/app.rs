//! What every command has: its flags, the environment, the two streams, and how it stops early.

use super::{args::Global, here};
use crate::{
    engine::Where,
    event::{End, Event, Outcome},
    logging::{self, Level, Sink},
    model::{Class, Finding},
    report::{self, Paint},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    future::Future,
    io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _},
};

/// Why a command stops before it has a result.
pub enum Halt {
    /// Usage, configuration or files.
    Findings(Vec<Finding>),
    /// As a run ends.
    End(End),
    /// Standard output, or the runtime, failed.
    Io(io::Error),
}

impl From<End> for Halt {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What every command has.
pub struct App {
    /// The flags.
    pub global: Global,
    /// The process's environment.
    pub vars: BTreeMap<String, String>,
    /// The command as typed, without secrets.
    pub command: String,
    /// Its words, each as a shell reads it as one.
    pub words: Vec<String>,
    /// Colour on standard output.
    pub out: Paint,
    /// Colour on standard error.
    pub err: Paint,
    /// Where logs go.
    pub sink: Sink,
}

impl App {
    /// Looks at the streams once.
    pub fn new(global: Global, vars: BTreeMap<String, String>, words: Vec<String>) -> Self {
        let out = Paint::of(io::stdout().is_terminal(), &vars);
        let err = Paint::of(io::stderr().is_terminal(), &vars);
        Self { global, vars, command: words.join(" "), words, out, err, sink: Sink::Beside }
    }

    /// Starts logging, as the flags say.
    pub fn start_logging(&mut self) -> Result<(), Halt> {
        let level = match (self.global.quiet, self.global.verbose) {
            (true, _) => Level::Quiet,
            (false, 0) => Level::Usual,
            (false, 1) => Level::Verbose,
            (false, _) => Level::Debug,
        };
        let file = self.global.log_file.as_deref();
        let sink = logging::start(self.global.log_format, file, level).map_err(|error| {
            let shown = file.map_or_else(String::new, |file| file.display().to_string());
            let message = format!("cannot open the log file `{shown}`: {error}");
            Halt::Findings(vec![Finding::new(Class::Usage, "", message).way_out("give another with --log-file")])
        })?;
        self.sink = sink;
        if sink == Sink::Stderr {
            self.err = Paint::PLAIN;
        }
        Ok(())
    }

    /// Logs an event of a run, where logs are kept.
    pub fn log(&self, event: &Event, target: &str) {
        if self.sink != Sink::Beside {
            let view = report::events::View { paint: Paint::PLAIN, target, bar: false, verbose: true, of: 0 };
            logging::event(event, report::events::line(event, view).as_deref());
        }
    }

    /// Waits for a future. Lakes are read and rewritten by all cores, and a lease is renewed meanwhile; everything else needs one thread.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Halt> {
        Ok(runtime().enable_all().build()?.block_on(future))
    }

    /// Writes to standard output. A reader that has gone away (`| head`) is no error.
    pub fn print(&self, write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>) -> Result<(), Halt> {
        let mut out = BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                // What is left in the buffer has no reader, and must not be written when the buffer goes.
                let _ = out.into_parts();
                Ok(())
            }
            other => other.map_err(Halt::Io),
        }
    }

    /// Writes one JSON document to standard output.
    pub fn document(&self, value: &Value) -> Result<(), Halt> {
        self.print(|out| writeln!(out, "{value}"))
    }

    /// Writes to standard error. There is nobody to tell that it failed.
    pub fn tell(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        self.told(write, true);
    }

    /// Writes to standard error what is only news: not with `--quiet`.
    pub fn news(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        self.told(write, !self.global.quiet);
    }

    fn told(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>, people: bool) {
        let mut text = vec![];
        let written = write(&mut text);
        if self.sink != Sink::Beside {
            logging::told(&report::paint::plain(&String::from_utf8_lossy(&text)));
        }
        if people && self.sink != Sink::Stderr {
            let _ = written.and_then(|()| io::stderr().lock().write_all(&text));
        }
    }

    /// Warns on standard error.
    pub fn warn(&self, text: &str) {
        self.tell(|err| writeln!(err, "{}", report::events::warning(text, self.err)));
    }

    /// Says which target this is, and where.
    pub fn at(&self, target: &str, place: &Where) {
        self.news(|err| writeln!(err, "target {}: {}", self.err.strong(target), report::place(place)));
    }

    /// The terminal's width, where standard output is one.
    pub fn width(&self) -> Option<u16> {
        io::stdout().is_terminal().then(|| comfy_table::Table::new().width()).flatten()
    }

    /// Findings, with commands that are about the same target.
    pub fn here(&self, findings: &[Finding]) -> Vec<Finding> {
        let here = |text: &str| here::here(&self.words, text);
        let all = findings.iter();
        all.map(|finding| Finding {
            message: here(&finding.message),
            way_out: here(&finding.way_out),
            ..finding.clone()
        })
        .collect()
    }

    /// Reports how a run ended: text to standard error, with `--json` the last line to standard output. Gives the exit code.
    pub fn ended(&self, outcome: &Outcome) -> Result<u8, Halt> {
        let mut outcome = Outcome { next: here::here(&self.words, &outcome.next), ..outcome.clone() };
        if let End::Refused(findings) | End::Undecided(findings) = &mut outcome.end {
            *findings = self.here(findings);
        }
        for note in &mut outcome.notes {
            *note = here::here(&self.words, note);
        }
        for wait in &mut outcome.waits {
            wait.why = here::here(&self.words, &wait.why);
        }
        let outcome = &outcome;
        if self.global.quiet {
            self.tell(|err| report::outcome::trouble(err, outcome, self.err));
        } else {
            self.tell(|err| report::outcome::write(err, outcome, self.err));
        }
        if self.global.json {
            let mut result = report::json::result(outcome);
            result["noop"] = self.global.noop.into();
            self.document(&result)?;
        }
        Ok(outcome.exit_code())
    }

    /// Reports why a command stopped early. Gives the exit code.
    pub fn stopped(&self, halt: Halt) -> u8 {
        let end = match halt {
            Halt::Findings(findings) => End::Refused(findings),
            Halt::End(end) => end,
            Halt::Io(error) => {
                self.tell(|err| writeln!(err, "{}: cannot write the result: {error}", self.err.bad("error")));
                return 2;
            }
        };
        let outcome = Outcome::from(end);
        self.ended(&outcome).unwrap_or_else(|_| outcome.exit_code())
    }
}

#[cfg(feature = "delta")]
fn runtime() -> tokio::runtime::Builder {
    /// A query's plan is a deep tree, and is walked by recursion.
    const STACK: usize = 8 << 20;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.thread_stack_size(STACK);
    builder
}

#[cfg(not(feature = "delta"))]
fn runtime() -> tokio::runtime::Builder {
    tokio::runtime::Builder::new_current_thread()
}
