//! The engine on real files, and its scripts in the real `sqlite3`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commit;
mod ledger;
mod lock;
mod open;
mod script;

use super::{
    super::{
        Access, Driver as _, Hold, Me, Session, Stop,
        testing::{CREATE, short_waits, sql, step},
    },
    Sqlite, connect,
};
use crate::{
    action::{Action, Checksum, Handler, Handlers},
    engine::Failure,
    ledger::{Entry, Event, Ledger, Outcome, PhaseRow, Unit},
    model::{Label, Phase, PhaseState, Span, StepId, Time, Verb},
    target::{Connection, Target},
};
use std::{path::Path, process::Command};

fn target(file: &Path) -> Target {
    let database = file.to_str().unwrap().to_owned();
    Target {
        lock_timeout: Span::parse("20ms").unwrap(),
        project: file.parent().unwrap().to_owned(),
        ..short_waits(Connection { scheme: "sqlite".to_owned(), database, ..Connection::default() })
    }
}

fn me(run: &str) -> Me {
    Me {
        run: run.to_owned(),
        who: "ann@o'hara".to_owned(),
        host: "o'hara".to_owned(),
        pid: 42,
        command: "triphase add v1".to_owned(),
    }
}

fn event(id: &StepId, outcome: Outcome) -> Event {
    Event {
        release: Some(id.release.clone()),
        step: Some(id.step.clone()),
        verb: "add".to_owned(),
        statement: Some(0),
        hash: Some("abc".to_owned()),
        outcome,
        detail: Some("it's \"so\"\nand so".to_owned()),
    }
}

fn handler(text: &str) -> Handler {
    Handler { checksum: Checksum::of([text]), label: Label::Lossy, actions: vec![sql(text)] }
}

fn full(state: PhaseState) -> PhaseRow {
    PhaseRow {
        state,
        empty: true,
        at: None,
        who: String::new(),
        seq: 7,
        checksum: Some(Checksum::of(["x"])),
        upto: 3,
        trying: Some(4),
        partly: true,
        attempt: 2,
        hashes: vec!["a'b".to_owned(), "c".to_owned()],
        error: Some("no such \"table\"".to_owned()),
    }
}

fn entry(name: &str, row: PhaseRow) -> Entry {
    let keep = Handlers::from([(Verb::RollbackAdd, handler("DROP TABLE 'a'"))]);
    let id = step(name);
    Entry::Step {
        event: event(&id, Outcome::Done),
        id,
        name: name.to_owned(),
        phase: Phase::Add,
        row,
        marks: Vec::new(),
        keep,
    }
}

fn unit(name: &str, actions: Vec<Action>) -> Unit {
    let row = PhaseRow { state: PhaseState::Done, ..PhaseRow::pending() };
    Unit { actions, closes: vec![entry(name, row)], ..Unit::default() }
}

async fn open(file: &Path) -> Box<dyn Session> {
    Sqlite.open(&target(file), Access::Write).await.unwrap()
}

async fn hold<'a>(session: &'a dyn Session, me: &'a Me) -> Box<dyn Hold + 'a> {
    session.try_lock(me).await.unwrap().unwrap()
}

/// The lock of a run that has begun on a fresh file.
async fn begun<'a>(session: &'a dyn Session, me: &'a Me) -> Box<dyn Hold + 'a> {
    let hold = hold(session, me).await;
    hold.begin(&CREATE).await.unwrap();
    hold
}

/// A run's outcome on a fresh file, and the ledger after it.
async fn once(actions: Vec<Action>) -> (Result<Time, Failure>, Ledger, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    let done = hold.commit(&unit("a", actions), &Stop::never()).await;
    hold.release().await.unwrap();
    let ledger = session.ledger().await.unwrap();
    (done, ledger, schema(&file).await)
}

async fn schema(file: &Path) -> Vec<String> {
    let settings = connect::Settings::of(&target(file)).unwrap();
    let mut connection = settings.connect(connect::Mode::Read).await.unwrap();
    let query =
        "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'triphase_%' ORDER BY name";
    let rows = connect::texts(&mut connection, query).await.unwrap();
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

/// Runs a script in a bare `sqlite3`.
fn run_script(file: &Path, script: &str) -> Result<String, String> {
    let path = file.with_extension("sql");
    std::fs::write(&path, script).unwrap();
    let input = std::fs::File::open(&path).unwrap();
    let output = Command::new("sqlite3").arg(file).stdin(input).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
