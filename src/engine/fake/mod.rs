//! An engine in memory, for tests. Of both kinds: [`Fake::atomic`] is only what it says of itself, what commits by itself is said by each
//! action. It counts every moment at which something could go wrong ([`State::calls`]) and fails at one of them on demand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod session;

use crate::{
    engine::{Access, Answer, Driver, Failure, Me, Session, UrlOption},
    ledger::{Begin, HistoryRow, Ledger, RunRow, Unit, apply::Kept},
    model::{Dialect, Finding, Time},
    ops::Lake,
    target::Target,
};
use anyhow::anyhow;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is cut before anything happened.
    Before,
    /// It happened, and the answer is lost.
    After,
    /// The process is killed before it happened.
    DeadBefore,
    /// The process is killed once it happened.
    DeadAfter,
    /// Another run takes the lock and the ledger's run row, before anything happened.
    Stolen,
    /// Traffic is in the way, and nothing happens.
    Busy,
}

/// The server.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub kept: Kept,
    /// The texts of the statements that are applied, in order.
    pub log: Vec<String>,
    /// The queries that were expected, in order.
    pub asked: Vec<String>,
    pub clock: Time,
    /// The audit trail.
    pub history: Vec<HistoryRow>,
    /// The session that has the lock.
    pub lock: Option<(u64, RunRow)>,
    /// Its tables, where it is asked as a lake; acts of operations change them.
    pub lake: Lake,
    /// How many calls there were.
    pub calls: u64,
    /// At which call, and how it fails.
    pub fault: Option<(u64, Fault)>,
    /// Statements that start with `FAIL` fail.
    pub failing: bool,
    /// Statements that start with `INDEX`, and were cut short: each left something behind.
    pub halves: BTreeSet<String>,
    /// The one of those at work.
    building: Option<String>,
    /// The process was killed: nothing of it is heard of any more.
    dead: bool,
    sessions: u64,
    /// How many connections are refused once there was one.
    pub away: u32,
    /// Sessions whose connection is cut.
    cut: Vec<u64>,
}

impl State {
    /// One call of a session: `work` happens or does not, and the answer comes or does not.
    fn call<T>(&mut self, session: u64, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.dead {
            return Err(Failure::Access(anyhow!("this process is dead")));
        }
        if self.cut.contains(&session) {
            return Err(Failure::Access(anyhow!("the connection is cut")));
        }
        self.calls += 1;
        match self.fault.filter(|(at, _)| *at == self.calls).map(|(_, fault)| fault) {
            None => work(self),
            Some(Fault::Before) => Err(self.cut(session)),
            Some(Fault::After) => {
                let _ = work(self);
                Err(self.cut(session))
            }
            Some(Fault::DeadBefore) => Err(self.kill(session)),
            Some(Fault::Busy) => Err(Failure::Busy("somebody is in the way".into())),
            Some(Fault::DeadAfter) => {
                let _ = work(self);
                Err(self.kill(session))
            }
            Some(Fault::Stolen) => {
                let thief = RunRow {
                    run: "thief".into(),
                    who: "other@host".into(),
                    host: "host".into(),
                    pid: 7,
                    since: self.clock,
                    command: "ff".into(),
                    at: None,
                };
                self.lock = Some((0, thief.clone()));
                self.kept.ledger.run = Some(thief);
                work(self)
            }
        }
    }

    fn cut(&mut self, session: u64) -> Failure {
        self.cut.push(session);
        self.halves.extend(self.building.take());
        self.lock.take_if(|(holder, _)| *holder == session);
        Failure::Lost(anyhow!("connection reset by peer"))
    }

    fn kill(&mut self, session: u64) -> Failure {
        self.cut(session);
        self.dead = true;
        Failure::Access(anyhow!("this process is dead"))
    }
}

/// A way to the server; clones lead to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) atomic: bool,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// A server without a ledger.
    pub fn new(atomic: bool) -> Self {
        let state = State { clock: Time(1_000_000_000), ..State::default() };
        Self { atomic, state: Arc::new(Mutex::new(state)) }
    }

    /// The server itself.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it looks at the state")
    }

    /// Calls are counted from 1 again, and one of them fails.
    pub fn fail_at(&self, fault: Option<(u64, Fault)>) {
        let mut state = self.state();
        state.calls = 0;
        state.fault = fault;
        state.dead = false;
    }
}

impl Driver for Fake {
    fn schemes(&self) -> &'static [&'static str] {
        &["fake"]
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn options(&self) -> &'static [UrlOption] {
        &[]
    }

    fn script(&self, _: &Target, _: &Ledger, _: &Begin, _: &[Unit], _: &Me) -> Result<String, Finding> {
        Ok(String::new())
    }

    fn open<'a>(&'a self, _: &'a Target, _: Access) -> Answer<'a, Box<dyn Session>> {
        Box::pin(async {
            let mut state = self.state();
            if state.sessions > 0 && state.away > 0 {
                state.away -= 1;
                return Err(Failure::Access(anyhow!("connection refused")));
            }
            state.sessions += 1;
            let id = state.sessions;
            state.call(id, |_| Ok(()))?;
            let session: Box<dyn Session> = Box::new(session::Open { id, fake: self.clone() });
            Ok(session)
        })
    }
}
