//! A run's events as lines of text. What is only news on a terminal's progress bar gives no line.

use super::{Paint, indent, place, span};
use crate::{
    engine::{Doing, Progress, holder},
    event::{Event, RECONNECT_FOR},
    model::{PhaseState, StepId, Verb, Way},
};
use std::time::Duration;

/// What the lines need to know besides the event.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Colour, or none.
    pub paint: Paint,
    /// The target's name.
    pub target: &'a str,
    /// A progress bar shows what is at work: heartbeats need no lines.
    pub bar: bool,
    /// `-v`: each statement gets a line.
    pub verbose: bool,
    /// How many actions the handler at work has; 0 where not known.
    pub of: u32,
}

/// What is said of an action that commits on its way, once it has failed.
const UNSURE: &str = "how far it came is not known, and what it has committed stays";

/// The event as text that ends with a line feed; `None` where it needs no line.
pub fn line(event: &Event, view: View<'_>) -> Option<String> {
    let paint = view.paint;
    let text = match event {
        Event::Host(at) => format!("target {}: {}", paint.strong(view.target), place(at)),
        Event::Warning(text) => warning(text, paint),
        Event::Waiting { by, what } => match by {
            Some(run) => format!("waiting for {what}, held by {}", holder(run)),
            None => format!("waiting for {what}"),
        },
        Event::Planned(_) | Event::Started { .. } | Event::Progress { .. } => return None,
        Event::Statement { id, verb, index, of, text } if view.verbose => {
            format!("  {} {} {}/{of}: {}", paint.dim("→"), what(id, *verb), index + 1, indent(text, 4))
        }
        Event::Statement { .. } => return None,
        Event::Blocked { id, waited, by, retry } => {
            let (then, by_whom) = if *retry { ("; gave way, and tries again", "") } else { ("", "by ") };
            let mut text = format!("  {} {id} blocked for {}{then}", paint.warn("!"), span(whole(*waited)));
            for one in by {
                text.push_str(&format!("\n      {by_whom}{}", indent(one, 9)));
            }
            text
        }
        Event::Heartbeat { .. } if view.bar => return None,
        Event::Heartbeat { id, verb, elapsed, progress } => {
            let far = progress.map_or_else(String::new, |progress| format!(": {}", come(progress)));
            format!("  … {} at work for {}{far}", what(id, *verb), span(*elapsed))
        }
        Event::Finished { id, verb, empty, took } => {
            let note = if *empty { "empty".to_owned() } else { span(*took) };
            format!("  {} {} {}", paint.good("✓"), what(id, *verb), paint.dim(&format!("({note})")))
        }
        Event::Failed { id, verb, index, text, committed, partly, at_commit, error, server, recorded } => {
            let of = if view.of == 0 { String::new() } else { format!(" of {}", view.of) };
            // Between what is committed and the one that failed lie those of its transaction, which went with it.
            let kept = match (*committed, committed == index) {
                (0, _) => None,
                (1, true) => Some("the statement before it is committed and stays".to_owned()),
                (1, false) => Some("the first statement is committed and stays".to_owned()),
                (n, true) => Some(format!("the {n} statements before it are committed and stay")),
                (n, false) => Some(format!("the first {n} statements are committed and stay")),
            };
            let stays = match (kept, partly) {
                (None, false) => "nothing of it is applied".to_owned(),
                (None, true) => UNSURE.to_owned(),
                (Some(kept), false) => kept,
                (Some(kept), true) => format!("{kept}; {UNSURE}"),
            };
            let place = match at_commit {
                true => "at commit, after its last statement".to_owned(),
                false => format!("at statement {}{of}\n    {}", index + 1, indent(text, 4)),
            };
            let who = if *server { "the server says: " } else { "" };
            let state = match verb.way() {
                Way::Forward => PhaseState::Failed,
                Way::Back => PhaseState::RollbackFailed,
            };
            let ledger = match recorded {
                true => format!("the ledger says: {state}"),
                false => "the ledger does not say so".to_owned(),
            };
            format!(
                "  {} {}\n{}: {} failed {place}\n  = {who}{}\n  = {stays}; {ledger}",
                paint.bad("✗"),
                what(id, *verb),
                paint.bad("error"),
                what(id, *verb),
                indent(error, 4),
            )
        }
        Event::Reconnecting { why } => {
            let seconds = RECONNECT_FOR.as_secs();
            format!("what was done has to be looked up ({why}); connecting again, for up to {seconds} s")
        }
    };
    Some(text + "\n")
}

/// A warning's line, without its line feed.
pub fn warning(text: &str, paint: Paint) -> String {
    format!("{}: {}", paint.warn("warning"), indent(text, 2))
}

/// A wait in whole seconds: how long it took to look is nobody's news.
fn whole(waited: Duration) -> Duration {
    if waited < Duration::from_secs(1) { waited } else { Duration::from_secs(waited.as_secs()) }
}

/// `add v1/customers`.
pub fn what(id: &StepId, verb: Verb) -> String {
    format!("{verb} {id}")
}

/// `filled 4 of 16 files, 5000000 of 20000000 rows`.
pub fn come(progress: Progress) -> String {
    let Progress { doing, files, of_files, rows, of_rows } = progress;
    let done = match doing {
        Doing::Backfill => "filled",
        Doing::Rewrite => "rewrote",
    };
    let of = of_rows.map_or_else(String::new, |of| format!(" of {of}"));
    format!("{done} {files} of {of_files} files, {rows}{of} rows")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{
        ledger::RunRow,
        model::{Time, Version},
    };

    fn id() -> StepId {
        StepId::new(Version::parse("v1").unwrap(), "customers")
    }

    fn plain(event: &Event) -> Option<String> {
        line(event, View { paint: Paint::PLAIN, target: "dev", bar: false, verbose: false, of: 3 })
    }

    #[test]
    fn a_step_gets_one_line() {
        let took = Duration::from_millis(12);
        let done = Event::Finished { id: id(), verb: Verb::Add, empty: false, took };
        assert_eq!(plain(&done).unwrap(), "  ✓ add v1/customers (12ms)\n");
        let empty = Event::Finished { id: id(), verb: Verb::Drop, empty: true, took };
        assert_eq!(plain(&empty).unwrap(), "  ✓ drop v1/customers (empty)\n");
        assert_eq!(plain(&Event::Started { id: id(), verb: Verb::Add, task: 0, of: 1 }), None);
    }

    #[test]
    fn a_failure_says_where_what_stays_and_the_servers_words() {
        let failed = Event::Failed {
            id: id(),
            verb: Verb::Add,
            index: 1,
            text: "ALTER TABLE t\nADD c int".into(),
            committed: 1,
            partly: false,
            at_commit: false,
            error: "no such table: t".into(),
            server: true,
            recorded: true,
        };
        assert_eq!(
            plain(&failed).unwrap(),
            "  ✗ add v1/customers\nerror: add v1/customers failed at statement 2 of 3\n    ALTER TABLE t\n    ADD c int\n  \
             = the server says: no such table: t\n  = the statement before it is committed and stays; the ledger says: failed\n"
        );
    }

    #[test]
    fn a_failure_in_a_transaction_says_what_came_before_that() {
        let failed = |committed, index| {
            let text = "INSERT".to_owned();
            let error = "no".to_owned();
            let (id, verb) = (id(), Verb::Add);
            let (partly, at_commit, server, recorded) = (false, false, true, false);
            plain(&Event::Failed { id, verb, index, text, committed, partly, at_commit, error, server, recorded })
                .unwrap()
        };
        assert!(failed(5, 6).contains("= the first 5 statements are committed and stay;"));
        assert!(failed(1, 2).contains("= the first statement is committed and stays;"));
        assert!(
            failed(5, 5).contains("= the 5 statements before it are committed and stay; the ledger does not say so\n")
        );
    }

    #[test]
    fn a_failure_says_no_more_than_is_known() {
        let failed = |error: &str, partly, at_commit| {
            let text = "CALL p()".to_owned();
            let (error, server) = (error.to_owned(), !error.starts_with("expected "));
            let (id, verb) = (id(), Verb::Add);
            let (index, committed, recorded) = (0, 0, true);
            let event = Event::Failed { id, verb, index, text, committed, partly, at_commit, error, server, recorded };
            plain(&event).unwrap()
        };
        assert_eq!(
            failed("enough", true, false),
            "  ✗ add v1/customers\nerror: add v1/customers failed at statement 1 of 3\n    CALL p()\n  = the server says: enough\n  \
             = how far it came is not known, and what it has committed stays; the ledger says: failed\n"
        );
        assert_eq!(
            failed("a key is missing", false, true),
            "  ✗ add v1/customers\nerror: add v1/customers failed at commit, after its last statement\n  \
             = the server says: a key is missing\n  = nothing of it is applied; the ledger says: failed\n"
        );
        assert!(failed("expected one row; found 0", false, false).contains("\n  = expected one row; found 0\n"));
    }

    #[test]
    fn a_heartbeat_says_how_far_it_has_come() {
        let progress =
            Progress { doing: Doing::Backfill, files: 4, of_files: 16, rows: 5_000_000, of_rows: Some(20_000_000) };
        let elapsed = Duration::from_secs(12);
        let beat = |progress| Event::Heartbeat { id: id(), verb: Verb::Add, elapsed, progress };
        assert_eq!(
            plain(&beat(Some(progress))).unwrap(),
            "  … add v1/customers at work for 12s: filled 4 of 16 files, 5000000 of 20000000 rows\n"
        );
        assert_eq!(plain(&beat(None)).unwrap(), "  … add v1/customers at work for 12s\n");
        let unknown = Progress { doing: Doing::Rewrite, of_rows: None, ..progress };
        assert_eq!(come(unknown), "rewrote 4 of 16 files, 5000000 rows");
        assert_eq!(plain(&Event::Progress { id: id(), verb: Verb::Add, progress, elapsed }), None);
    }

    #[test]
    fn waiting_names_the_holder() {
        let run = RunRow {
            run: "01J".into(),
            who: "ann@ci".into(),
            host: "ci".into(),
            pid: 7,
            since: Time(0),
            command: "triphase ff".into(),
            at: None,
        };
        let waiting = |run| plain(&Event::Waiting { by: Some(run), what: "the lock".into() }).unwrap();
        assert_eq!(
            waiting(run.clone()),
            "waiting for the lock, held by run 01J of ann@ci (pid 7), `triphase ff` since 1970-01-01T00:00:00Z\n"
        );
        assert_eq!(
            waiting(RunRow { at: Some("add v2/customers".into()), ..run }),
            "waiting for the lock, held by run 01J of ann@ci (pid 7), `triphase ff` since 1970-01-01T00:00:00Z, at add v2/customers\n"
        );
    }

    #[test]
    fn no_line_for_a_pipe_has_control_characters() {
        let blocked = Event::Blocked {
            id: id(),
            waited: Duration::from_secs(3),
            by: vec!["pid 12: SELECT 1 (4s)".into()],
            retry: true,
        };
        let text = plain(&blocked).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
