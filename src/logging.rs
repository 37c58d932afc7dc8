//! Logs: triphase's own diagnostics, and where they are asked for what a run does and how it ended. Other libraries' debug logs may hold a
//! connection's secrets, and are left out.

use crate::{event::Event, report::json};
use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::Mutex,
};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext,
        format::{FormatEvent, FormatFields, Writer},
    },
    registry::LookupSpan,
};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Errors alone.
    Quiet,
    /// Warnings and errors.
    Usual,
    /// What a run does.
    Verbose,
    /// Everything.
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Usual => "warn",
            Self::Verbose => "info",
            Self::Debug => "debug",
        }
    }
}

/// Where logs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Diagnostics between the lines for people, on standard error.
    Beside,
    /// All of standard error is logs.
    Stderr,
    /// A file has them; standard error is for people.
    File,
}

/// Starts logging. To a file at least what a run does.
///
/// # Errors
/// Where the file can't be opened to append to.
pub fn start(format: Format, file: Option<&Path>, level: Level) -> io::Result<Sink> {
    let sink = match (file, format) {
        (Some(_), Format::Text | Format::Json) => Sink::File,
        (None, Format::Json) => Sink::Stderr,
        (None, Format::Text) => Sink::Beside,
    };
    // What people read on standard error a log has too: it is there to be read later.
    let asked = level;
    let level = match (sink, level) {
        (Sink::File | Sink::Stderr, Level::Usual) | (Sink::File, Level::Quiet) => Level::Verbose,
        (Sink::File | Sink::Stderr | Sink::Beside, level) => level,
    };
    // Statements are told to people from -v on.
    let statements = if asked == Level::Verbose { ",triphase::statement=debug" } else { "" };
    let filter = EnvFilter::new(format!("off,triphase={}{statements}", level.name()));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).log_internal_errors(false);
    // A second subscriber in one process is a test's; the first one stays.
    let _ = match (file.map(open).transpose()?, format) {
        (Some(file), Format::Text) => {
            tracing::subscriber::set_global_default(base.with_target(false).with_writer(Mutex::new(file)).finish())
        }
        (Some(file), Format::Json) => tracing::subscriber::set_global_default(
            base.json().flatten_event(true).with_target(false).with_writer(Mutex::new(file)).finish(),
        ),
        (None, Format::Json) => tracing::subscriber::set_global_default(
            base.json().flatten_event(true).with_target(false).with_writer(io::stderr).finish(),
        ),
        (None, Format::Text) => {
            tracing::subscriber::set_global_default(base.event_format(Beside).with_writer(io::stderr).finish())
        }
    };
    Ok(sink)
}

/// A line as people read it among the others: `warning: …`, and not whose code says so.
struct Beside;

impl<S, N> FormatEvent<S, N> for Beside
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let level = *event.metadata().level();
        let word =
            if level == tracing::Level::WARN { "warning".to_owned() } else { level.as_str().to_ascii_lowercase() };
        write!(writer, "{word}: ")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Logs one event of a run: what it is, whose, and its line for people.
pub fn event(event: &Event, line: Option<&str>) {
    let value = json::event(event);
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let (event_name, release, step, verb) = (text("type"), text("release"), text("step"), text("verb"));
    let message = line.map_or_else(
        || [event_name, verb, release, step].into_iter().flatten().collect::<Vec<_>>().join(" "),
        |line| line.trim().to_owned(),
    );
    match event {
        Event::Failed { .. } => tracing::error!(event = event_name, release, step, verb, "{message}"),
        Event::Warning(_) | Event::Blocked { .. } | Event::Reconnecting { .. } => {
            tracing::warn!(event = event_name, release, step, verb, "{message}");
        }
        Event::Host(_) | Event::Waiting { .. } | Event::Started { .. } | Event::Finished { .. } => {
            tracing::info!(event = event_name, release, step, verb, "{message}");
        }
        // Whole plans and statements are what `plan` and -vv are for.
        Event::Statement { .. } => {
            tracing::debug!(target: "triphase::statement", event = event_name, release, step, verb, "{message}");
        }
        Event::Planned(_) | Event::Heartbeat { .. } | Event::Progress { .. } => {
            tracing::debug!(event = event_name, release, step, verb, "{message}");
        }
    }
}

/// Logs what people are told apart from a run's events; the word it begins with says how grave it is.
pub fn told(text: &str) {
    let text = text.trim();
    if text.is_empty() {
    } else if text.starts_with("error") {
        tracing::error!(event = "told", "{text}");
    } else if text.starts_with("warning") || text.starts_with("stopped") {
        tracing::warn!(event = "told", "{text}");
    } else {
        tracing::info!(event = "told", "{text}");
    }
}
