//! A session of the engine in memory, and the lock.

use super::{Fake, State};
use crate::{
    action::{Action, Handlers},
    engine::{Answer, Failure, Held, Hold, Me, Object, Session, Stop, Where},
    ledger::{Begin, Entry, Format, HistoryRow, Ledger, Leftover, RunRow, Unit, Verdict},
    model::{Dialect, StepId, Time},
    ops::{Detail, Lake},
};
use anyhow::anyhow;
use std::collections::BTreeMap;

pub(super) struct Open {
    pub id: u64,
    pub fake: Fake,
}

impl Open {
    fn call<T>(&self, work: impl FnOnce(&mut State) -> Result<T, Failure>) -> Result<T, Failure> {
        self.fake.state().call(self.id, work)
    }
}

impl Session for Open {
    fn place(&self) -> Where {
        Where { engine: "Fake".into(), host: "memory".into(), database: "fake".into(), schema: String::new() }
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn atomic(&self) -> bool {
        self.fake.atomic
    }

    fn ledger(&self) -> Answer<'_, Ledger> {
        Box::pin(async { self.call(|state| Ok(Ledger { now: state.clock, ..state.kept.ledger.clone() })) })
    }

    fn stored<'a>(&'a self, of: &'a [StepId]) -> Answer<'a, BTreeMap<StepId, Handlers>> {
        Box::pin(async {
            self.call(|state| {
                let all = of.iter().filter_map(|id| state.kept.stored.get_key_value(id));
                Ok(all.map(|(id, handlers)| (id.clone(), handlers.clone())).collect())
            })
        })
    }

    fn lake<'a>(&'a self, tables: &'a [(String, Detail)]) -> Answer<'a, Lake> {
        Box::pin(async {
            self.call(|state| {
                let mut lake = state.lake.clone();
                let asked = |name: &String| tables.iter().find(|(asked, _)| asked == name).map(|(_, detail)| *detail);
                lake.tables.retain(|name, _| asked(name).is_some() && !state.lake.unread.contains_key(name));
                lake.unread.retain(|name, _| asked(name).is_some());
                if let Some((_, why)) = lake.unread.iter().find(|(name, _)| asked(name) > Some(Detail::Glance)) {
                    return Err(Failure::Access(anyhow!("{why}")));
                }
                Ok(lake)
            })
        })
    }

    fn ask<'a>(&'a self, action: &'a Action) -> Answer<'a, Verdict> {
        let query = match action {
            Action::Sql { done_when, .. } => done_when.as_deref().and_then(|query| query.strip_prefix("applied:")),
            Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
        };
        Box::pin(async move {
            self.call(|state| {
                Ok(match query {
                    None => Verdict::Unknown,
                    Some(text) if state.log.iter().any(|applied| applied == text) => Verdict::Applied,
                    Some(_) => Verdict::Not,
                })
            })
        })
    }

    fn left<'a>(&'a self, action: &'a Action) -> Answer<'a, Option<Leftover>> {
        Box::pin(async move {
            self.call(|state| {
                let clear = |text: &String| Action::Sql { text: format!("CLEAR {text}"), alone: true, done_when: None };
                let half = state.halves.get(&action.text());
                Ok(half.map(|half| Leftover { clear: vec![clear(half)], applies: false }))
            })
        })
    }

    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>> {
        Box::pin(
            async move { self.call(|state| Ok(state.history.iter().rev().take(limit as usize).cloned().collect())) },
        )
    }

    fn objects(&self) -> Answer<'_, Vec<Object>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn rows<'a>(&'a self, _query: &'a str) -> Answer<'a, Option<Vec<crate::engine::rows::TextRow>>> {
        Box::pin(async move { Ok(None) })
    }

    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>> {
        Box::pin(async move {
            self.call(|state| {
                if let Some((_, by)) = &state.lock {
                    return Ok(Err(Held { by: Some(by.clone()), what: "the lock".into() }));
                }
                let run = RunRow {
                    run: me.run.clone(),
                    who: me.who.clone(),
                    host: me.host.clone(),
                    pid: me.pid,
                    since: state.clock,
                    command: me.command.clone(),
                    at: None,
                };
                state.lock = Some((self.id, run.clone()));
                let hold: Box<dyn Hold + 'a> = Box::new(Lock { session: self, run });
                Ok(Ok(hold))
            })
        })
    }

    fn evict<'a>(&'a self, _: &'a Me, force: bool) -> Answer<'a, String> {
        Box::pin(async move {
            self.call(|state| match (&state.lock, force) {
                (Some(_), false) => Err(Failure::Busy("the holder is alive: --force".into())),
                (Some((holder, _)), true) => {
                    let holder = *holder;
                    state.cut(holder);
                    Ok("ended".into())
                }
                (None, _) => Ok("nobody has the lock".into()),
            })
        })
    }
}

struct Lock<'a> {
    session: &'a Open,
    run: RunRow,
}

impl Lock<'_> {
    fn fenced(&self, state: &State) -> Result<(), Failure> {
        let mine = state.lock.as_ref().is_some_and(|(holder, _)| *holder == self.session.id);
        let named = state.kept.ledger.run.as_ref().is_some_and(|run| run.run == self.run.run);
        if mine && named { Ok(()) } else { Err(Failure::Fenced(state.kept.ledger.run.clone().map(Box::new))) }
    }

    fn write(&self, state: &mut State, entries: &[Entry]) -> Result<Time, Failure> {
        self.fenced(state)?;
        for entry in entries {
            let now = state.clock;
            state.kept.apply(entry, &self.run.who, now);
            let event = entry.event();
            state.history.push(HistoryRow {
                id: i64::try_from(state.history.len()).unwrap(),
                at: now,
                run: self.run.run.clone(),
                command: self.run.command.clone(),
                who: self.run.who.clone(),
                tool: String::new(),
                release: event.release.as_ref().map(ToString::to_string).unwrap_or_default(),
                step: event.step.clone().unwrap_or_default(),
                verb: event.verb.clone(),
                statement: event.statement,
                hash: event.hash.clone(),
                outcome: event.outcome.name().to_owned(),
                detail: event.detail.clone(),
            });
        }
        Ok(state.clock)
    }
}

/// Whether the target takes an action; what it applies.
fn act(state: &mut State, at: usize, action: &Action) -> Result<Option<String>, Failure> {
    let refuse = |why: String| Err(Failure::Handler { at, why: anyhow!(why) });
    match action {
        Action::Sql { text, .. } if state.failing && text.starts_with("FAIL") => refuse(format!("no: {text}")),
        Action::Sql { text, .. } => {
            if let Some(half) = text.strip_prefix("CLEAR ") {
                assert!(state.halves.remove(half), "{half} left nothing to clear");
                return Ok(None);
            }
            // Building it again clears what the last attempt left, and so does taking it away.
            state.halves.remove(text.strip_prefix('-').unwrap_or(text));
            Ok(Some(text.clone()))
        }
        Action::Expect { query } => {
            state.asked.push(query.clone());
            if query == "false" { refuse("expected true, found false".into()) } else { Ok(None) }
        }
        Action::Shell { file, .. } => Ok(Some(file.display().to_string())),
        Action::Operation { act, .. } => {
            match act.apply(state.lake.tables.get(&act.table)) {
                Ok(Some(table)) => drop(state.lake.tables.insert(act.table.clone(), table)),
                Ok(None) => drop(state.lake.tables.remove(&act.table)),
                Err(refusal) => return refuse(refusal.message),
            }
            Ok(Some(action.text()))
        }
    }
}

impl Hold for Lock<'_> {
    fn begin<'a>(&'a self, begin: &'a Begin) -> Answer<'a, Time> {
        Box::pin(async move {
            self.session.call(|state| {
                if state.lock.as_ref().is_none_or(|(holder, _)| *holder != self.session.id) {
                    return Err(Failure::Fenced(state.kept.ledger.run.clone().map(Box::new)));
                }
                assert_eq!(begin.create, state.kept.ledger.format.is_none(), "a ledger is created where there is none");
                let ledger = &mut state.kept.ledger;
                ledger.format = Some(Format::CURRENT);
                ledger.run = Some(self.run.clone());
                ledger.guards = begin.guards.clone().unwrap_or_else(|| ledger.guards.clone());
                Ok(state.clock)
            })
        })
    }

    fn commit<'a>(&'a self, unit: &'a Unit, _: &'a Stop) -> Answer<'a, Time> {
        Box::pin(async move {
            if !unit.opens.is_empty() {
                self.session.call(|state| self.write(state, &unit.opens))?;
            }
            if unit.actions.iter().any(Action::alone) {
                assert_eq!(unit.actions.len(), 1, "what stands alone shares a unit with nothing");
                let clears = unit.closes.is_empty();
                assert!(clears || !unit.opens.is_empty(), "what stands alone is announced, but for what clears");
                let text = unit.actions[0].text();
                self.session.fake.state().building = Some(text).filter(|text| text.starts_with("INDEX"));
                let built = self.session.call(|state| {
                    self.fenced(state)?;
                    state.building = None;
                    let applied = act(state, 0, &unit.actions[0])?;
                    state.log.extend(applied);
                    Ok(())
                });
                self.session.fake.state().building = None;
                built?;
                return self.session.call(|state| self.write(state, &unit.closes));
            }
            self.session.call(|state| {
                self.fenced(state)?;
                let mut applied = Vec::new();
                for (at, action) in unit.actions.iter().enumerate() {
                    applied.extend(act(state, at, action)?);
                }
                state.log.extend(applied);
                self.write(state, &unit.closes)
            })
        })
    }

    fn blockers(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(async move {
            self.session.call(|state| {
                state.lock.take_if(|(holder, _)| *holder == self.session.id);
                Ok(())
            })
        })
    }
}
