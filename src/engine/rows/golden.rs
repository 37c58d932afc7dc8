//! The ledger's own statements, to the letter: `tests/golden/ledger`. `UPDATE_GOLDEN=1` writes what is made now.
#![allow(clippy::unwrap_used)]

use super::Rows;
use crate::{
    action::{Action, Checksum, Handler},
    engine::Me,
    ledger::{Begin, Entry, Event, Ledger, Outcome, PhaseRow, Row},
    model::{Guards, Label, Phase, PhaseState, StepId, Time, Verb, Version},
};

fn event(verb: &str, outcome: Outcome) -> Event {
    Event {
        release: Some(Version::parse("v2").unwrap()),
        step: Some("names".into()),
        verb: verb.into(),
        statement: None,
        hash: None,
        outcome,
        detail: None,
    }
}

/// What a run and a person write, an entry of each kind, under the heading it gets.
fn entries() -> Vec<(&'static str, Entry)> {
    let id = StepId::new(Version::parse("v2").unwrap(), "names");
    let checksum = Checksum::of(["ADD"]);
    let handler = Handler {
        checksum: checksum.clone(),
        label: Label::Lossless,
        actions: vec![Action::Sql { text: "UPDATE t SET a = 'it''s \\ \"so\"'".into(), alone: false, done_when: None }],
    };
    let step = |state, trying, outcome, keep: bool| Entry::Step {
        id: id.clone(),
        name: "names".into(),
        phase: Phase::Add,
        row: PhaseRow {
            state,
            trying,
            seq: 3,
            checksum: Some(checksum.clone()),
            attempt: 1,
            hashes: vec!["0123456789abcdef".into()],
            ..PhaseRow::pending()
        },
        marks: if keep { vec![(Phase::Drop, PhaseRow { empty: true, ..PhaseRow::pending() })] } else { vec![] },
        keep: if keep { [(Verb::RollbackAdd, handler.clone())].into() } else { Default::default() },
        event: Event { statement: trying, hash: trying.map(|_| "0123456789abcdef".into()), ..event("add", outcome) },
    };
    let mut row = Row::pending("names");
    row.phases[0] = PhaseRow { state: PhaseState::Done, at: Some(Time(1_700_000_000_123_456)), ..PhaseRow::pending() };
    let release = id.release.clone();
    let said = |said| Entry::Rollout { release: release.clone(), said, event: event("rollout", Outcome::Recorded) };
    vec![
        (
            "a statement that commits by itself is about to be sent",
            step(PhaseState::Running, Some(0), Outcome::Attempting, true),
        ),
        ("a phase is done", step(PhaseState::Done, None, Outcome::Done, false)),
        ("a phase has failed", step(PhaseState::Failed, None, Outcome::Failed, false)),
        (
            "repair: a row is replaced",
            Entry::Replace { id: id.clone(), row: Some(row), event: event("repair accept", Outcome::Recorded) },
        ),
        (
            "repair forget",
            Entry::Replace { id: id.clone(), row: None, event: event("repair forget", Outcome::Recorded) },
        ),
        (
            "repair handler",
            Entry::Keep {
                id: id.clone(),
                handlers: [(Verb::RollbackAdd, handler.clone())].into(),
                event: event("repair handler rollback_add", Outcome::Recorded),
            },
        ),
        (
            "repair rename",
            Entry::Rename {
                from: id.clone(),
                to: StepId::new(id.release.clone(), "first_names"),
                name: "first names".into(),
                event: event("repair rename", Outcome::Recorded),
            },
        ),
        ("rollout", said(true)),
        ("rollout --revoke", said(false)),
    ]
}

fn text(rows: &Rows) -> String {
    let me =
        Me { run: "r".repeat(26), who: "o'me@here".into(), host: "here".into(), pid: 7, command: "triphase ff".into() };
    let mut text = String::new();
    let mut part = |heading: &str, statements: Vec<String>| {
        text.push_str(&format!("-- {heading}\n"));
        statements.iter().for_each(|statement| text.push_str(&format!("{statement};\n")));
        text.push('\n');
    };
    let guards = Guards { protected: Some(true), ..Guards::default() };
    part("a ledger is made, and a run begins", rows.begin(&Begin { create: true, guards: None }, &me, "17"));
    part("a run begins", rows.begin(&Begin { create: false, guards: Some(guards) }, &me, "17"));
    part("the fence", vec![rows.fence_query(&me.run)]);
    part(
        "how it is asked",
        vec![rows.format_query(), rows.ledger_query(), rows.run_query(), rows.clock_query(), rows.history_query(50)],
    );
    let seen = Ledger { revision: 12, ..Ledger::default() };
    part("it stands where it stood", vec![format!("SELECT {}", rows.stands("1.0", &seen))]);
    let entries = entries();
    for (heading, entry) in &entries {
        part(heading, rows.entries(std::slice::from_ref(entry), &me));
    }
    part(
        "it was tried before",
        entries.iter().filter_map(|(_, e)| rows.tried_query(std::slice::from_ref(e))).collect(),
    );
    let id = StepId::new(Version::parse("v2").unwrap(), "names");
    part("stored handlers", vec![rows.stored_query(&[id])]);
    text.replace(&format!("'{}'", super::TOOL), "'0.0.0'")
}

#[test]
fn the_ledgers_statements_are_these() {
    for (name, rows) in
        [("sqlite", Rows::sqlite()), ("postgres", Rows::postgres("app")), ("mysql", Rows::mysql("shop"))]
    {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/ledger/{name}.sql"));
        let text = text(&rows);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        pretty_assertions::assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text);
    }
}
