//! Against a real server, a database each. `TRIPHASE_TEST_MARIADB` is the URL of a user who may do everything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    super::{Access, Driver as _, Failure, Held, Hold, Me, Session, Stop, rows::table},
    Mysql, connect,
    settings::lock_name,
    wire::Wire,
};
use crate::{
    action::{Action, Checksum, Handler, Handlers},
    ledger::{Begin, Entry, Event, Format, Outcome, PhaseRow, Unit, Verdict, apply::Kept},
    model::{Class, Dialect, Guards, Label, Phase, PhaseState, Span, StepId, Verb, Version},
    target::{Connection, Secret, Target},
};
use indexmap::IndexMap;
use pretty_assertions::assert_eq;
use std::time::Duration;

fn at(database: &str) -> Target {
    let Ok(text) = std::env::var("TRIPHASE_TEST_MARIADB") else {
        panic!("TRIPHASE_TEST_MARIADB is not set; run ./test, which starts the server")
    };
    let url = url::Url::parse(&text).unwrap();
    let connection = Connection {
        scheme: "mysql".into(),
        username: Some(url.username().to_owned()),
        password: url.password().map(Secret::new),
        host: url.host_str().map(str::to_owned),
        port: url.port(),
        database: database.to_owned(),
        query: IndexMap::new(),
    };
    Target {
        env: None,
        connection,
        admin_connection: None,
        schema: None,
        guards: Guards::default(),
        lock_timeout: Span::parse("200ms").unwrap(),
        lock_retry_for: Span::parse("1s").unwrap(),
        binary: None,
        binary_args: Vec::new(),
        vars: IndexMap::new(),
        storage_options: IndexMap::new(),
        writers: None,
        rewriters: IndexMap::new(),
        project: "/".into(),
    }
}

/// A fresh database, and a way in that is not the engine's.
async fn fresh() -> (Target, Wire) {
    let name: String = format!("l_{}", std::iter::repeat_with(fastrand::lowercase).take(16).collect::<String>());
    let mut admin = connect::connect(&at("mysql")).await.unwrap();
    admin.one(&format!("CREATE DATABASE {name}")).await.unwrap();
    let target = at(&name);
    let wire = connect::connect(&target).await.unwrap();
    (target, wire)
}

fn me(letter: char) -> Me {
    // Named locks are the whole server's, so no two tests share a run's id.
    let run = std::iter::once(letter).chain(std::iter::repeat_with(fastrand::alphanumeric)).take(26).collect();
    Me { run, who: format!("{letter}@host"), host: "host".into(), pid: 7, command: "triphase ff".into() }
}

async fn open(target: &Target) -> Box<dyn Session> {
    Mysql::MYSQL.open(target, Access::Write).await.unwrap()
}

fn had<'a>(tried: Result<Result<Box<dyn Hold + 'a>, Held>, Failure>) -> Box<dyn Hold + 'a> {
    match tried {
        Ok(Ok(hold)) => hold,
        Ok(Err(held)) => panic!("held: {held:?}"),
        Err(failure) => panic!("{failure}"),
    }
}

fn busy(tried: Result<Result<Box<dyn Hold + '_>, Held>, Failure>) -> Held {
    match tried {
        Ok(Err(held)) => held,
        Ok(Ok(_)) => panic!("the lock was had"),
        Err(failure) => panic!("{failure}"),
    }
}

fn failed<T>(answer: Result<T, Failure>) -> Failure {
    match answer {
        Ok(_) => panic!("it did not fail"),
        Err(failure) => failure,
    }
}

fn step(name: &str) -> StepId {
    StepId::new(Version::parse("v1").unwrap(), name)
}

fn event(name: &str) -> Event {
    Event {
        release: Some(Version::parse("v1").unwrap()),
        step: Some(name.into()),
        verb: Verb::Add.name().into(),
        statement: None,
        hash: None,
        outcome: Outcome::Done,
        detail: Some("it's \\ \"quoted\"; 🦀".into()),
    }
}

fn entry(name: &str, state: PhaseState) -> Entry {
    let row = PhaseRow { state, seq: 1, ..PhaseRow::pending() };
    let (id, event) = (step(name), event(name));
    Entry::Step { id, name: name.into(), phase: Phase::Add, row, marks: Vec::new(), keep: Default::default(), event }
}

fn sql(text: &str) -> Action {
    Action::Sql { text: text.into(), alone: false, done_when: None }
}

fn lone(text: &str) -> Action {
    Action::Sql { text: text.into(), alone: true, done_when: None }
}

fn unit(actions: Vec<Action>) -> Unit {
    Unit { actions, closes: vec![entry("a", PhaseState::Done)], ..Unit::default() }
}

fn alone(text: &str) -> Unit {
    Unit { opens: vec![entry("a", PhaseState::Running)], ..unit(vec![lone(text)]) }
}

const CREATE: Begin = Begin { create: true, guards: None };
const AGAIN: Begin = Begin { create: false, guards: None };

async fn one(wire: &mut Wire, query: &str) -> String {
    wire.one(query).await.unwrap().first().unwrap_or("NULL").to_owned()
}

async fn state(session: &dyn Session) -> PhaseState {
    session.ledger().await.unwrap().steps[&step("a")].phase(Phase::Add).state
}

#[tokio::test]
async fn what_is_written_is_read_back() {
    let (target, _wire) = fresh().await;
    let session = open(&target).await;
    assert_eq!(session.dialect(), Dialect::Mariadb);
    assert_eq!(Mysql::MYSQL.found(&target).await.unwrap(), Dialect::Mariadb);
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    let guards = Guards { protected: Some(true), ..Guards::default() };
    let begun = hold.begin(&Begin { create: true, guards: Some(guards.clone()) }).await.unwrap();
    let text = "it's a \\ \"text\" with `quotes`,\nlines and 🦀\t%_".to_owned();
    let handler = Handler { checksum: Checksum::of(["x"]), label: Label::Lossy, actions: vec![sql(&text)] };
    let keep: Handlers = [(Verb::RollbackAdd, handler)].into();
    let row = PhaseRow {
        state: PhaseState::Failed,
        checksum: Some(Checksum::of(["y"])),
        error: Some(text.clone()),
        hashes: vec!["h".into()],
        trying: Some(0),
        seq: 3,
        ..PhaseRow::pending()
    };
    let release = Version::parse("v1").unwrap();
    let entries = vec![
        Entry::Step {
            id: step("a"),
            name: text.clone(),
            phase: Phase::Add,
            row,
            marks: Vec::new(),
            keep,
            event: event("a"),
        },
        entry("A", PhaseState::Done),
        entry("b", PhaseState::Done),
        Entry::Rename { from: step("b"), to: step("ä"), name: "ä".into(), event: event("b") },
        entry("c", PhaseState::Done),
        Entry::Replace { id: step("c"), row: None, event: event("c") },
        Entry::Rollout { release: release.clone(), said: true, event: event("") },
    ];
    hold.commit(&Unit { closes: entries.clone(), ..Unit::default() }, &Stop::never()).await.unwrap();
    hold.release().await.unwrap();
    let found = session.ledger().await.unwrap();
    assert_eq!((found.format, found.guards), (Some(Format::CURRENT), guards));
    let run = found.run.clone().unwrap();
    assert_eq!((run.run.as_str(), run.who.as_str(), run.pid), (me.run.as_str(), "a@host", 7));
    assert_eq!(found.rollouts[&release].who, "a@host");
    assert!(found.rollouts[&release].at >= begun && run.since <= found.now);
    let mut kept = Kept::default();
    for entry in &entries {
        kept.apply(entry, &me.who, begun);
    }
    let timeless = |mut steps: std::collections::BTreeMap<StepId, crate::ledger::Row>| {
        for row in steps.values_mut() {
            for phase in &mut row.phases {
                phase.at = None;
            }
        }
        steps
    };
    assert_eq!(timeless(found.steps), timeless(kept.ledger.steps));
    assert_eq!(session.stored(&[step("a"), step("A")]).await.unwrap()[&step("a")], kept.stored[&step("a")]);
    let history = session.history(50).await.unwrap();
    // One more is that of the guards.
    assert_eq!(history.len(), entries.len() + 1);
    assert_eq!(history[0].detail.as_deref(), Some("it's \\ \"quoted\"; 🦀"));
    assert!(session.place().engine.starts_with("MariaDB 1"));
}

#[tokio::test]
async fn rows_and_their_ledger_row_commit_together() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.one("CREATE TABLE t (a integer PRIMARY KEY, b varchar(3))").await.unwrap();
    for (actions, index, says) in [
        (vec![sql("INSERT INTO t VALUES (1, '')"), sql("INSERT INTO t VALUES (1, '')")], 1, "1062"),
        (vec![sql("INSERT INTO t VALUES (2, '')"), sql("INSERT INTO t VALUES (3, 'too long')")], 1, "1406"),
        (vec![sql("INSERT INTO t VALUES (4, '')"), Action::Expect { query: "SELECT 0".into() }], 1, "found 0"),
        (vec![Action::Expect { query: "SELECT '1'".into() }], 0, "found 1"),
        (vec![Action::Expect { query: "SELECT 1 UNION SELECT 2".into() }], 0, "2 rows"),
        (vec![sql("SELEKT 1")], 0, "1064"),
    ] {
        let failure = failed(hold.commit(&unit(actions.clone()), &Stop::never()).await);
        let Failure::Handler { at, why } = failure else { panic!("{actions:?}: {failure}") };
        assert_eq!(at, index, "{actions:?}");
        assert!(format!("{why:#}").contains(says), "{why:#}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM triphase_ledger").await, "0");
    // Whatever a handler sets, the ledger's rows are written as meant.
    let actions = vec![
        sql("SET NAMES latin1"),
        sql("SET sql_mode = 'PIPES_AS_CONCAT'"),
        sql("INSERT INTO t VALUES (5, '\u{e9}')"),
        Action::Expect { query: "SELECT count(*) = 1 FROM t".into() },
    ];
    hold.commit(&unit(actions), &Stop::never()).await.unwrap();
    assert_eq!(session.history(1).await.unwrap()[0].detail.as_deref(), Some("it's \\ \"quoted\"; 🦀"));
    // And what it has set still holds for its next statement, and for no other handler.
    let setup = vec!["SET NAMES latin1".to_owned(), "SET sql_mode = 'PIPES_AS_CONCAT'".to_owned()];
    let goes_on =
        Unit { setup, ..unit(vec![Action::Expect { query: "SELECT @@sql_mode = 'PIPES_AS_CONCAT'".into() }]) };
    hold.commit(&goes_on, &Stop::never()).await.unwrap();
    let next = unit(vec![Action::Expect { query: "SELECT @@sql_mode LIKE '%STRICT%'".into() }]);
    hold.commit(&next, &Stop::never()).await.unwrap();
    // In a session of its own, it is set again.
    hold.release().await.unwrap();
    let hold = had(session.try_lock(&me).await);
    hold.begin(&AGAIN).await.unwrap();
    hold.commit(&goes_on, &Stop::never()).await.unwrap();
}

#[tokio::test]
async fn a_lone_statement_runs_between_its_rows() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let failure = failed(hold.commit(&alone("CREATE TABLE t (a nonsense)"), &Stop::never()).await);
    assert!(matches!(failure, Failure::Handler { at: 0, .. }), "{failure}");
    assert_eq!(state(&*session).await, PhaseState::Running);
    let create = "CREATE TABLE t (a integer)";
    assert_eq!(session.ask(&lone(create)).await.unwrap(), Verdict::Not);
    hold.commit(&alone(create), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    assert_eq!(session.ask(&lone(create)).await.unwrap(), Verdict::Applied);
    for (text, verdict) in [
        ("ALTER TABLE t ADD COLUMN b integer", Verdict::Not),
        ("ALTER TABLE t DROP COLUMN b", Verdict::Applied),
        ("ALTER TABLE nowhere DROP COLUMN b", Verdict::Unknown),
        ("ALTER TABLE t MODIFY a bigint", Verdict::Not),
        ("TRUNCATE TABLE t", Verdict::Unknown),
        ("CALL p()", Verdict::Unknown),
        ("SET @a = 1", Verdict::Not),
    ] {
        assert_eq!(session.ask(&lone(text)).await.unwrap(), verdict, "{text}");
    }
    let asked = |query: &str| Action::Sql { text: "CALL p()".into(), alone: true, done_when: Some(query.into()) };
    assert_eq!(session.ask(&asked("SELECT 1")).await.unwrap(), Verdict::Applied);
    assert_eq!(session.ask(&asked("SELECT 0")).await.unwrap(), Verdict::Not);
    assert!(matches!(failed(session.ask(&asked("SELECT nothing")).await), Failure::Handler { .. }));
    assert!(matches!(failed(session.ask(&asked("DELETE FROM t")).await), Failure::Handler { .. }));
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_run_that_lost_its_lock_writes_nothing() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.one("CREATE TABLE t (a integer)").await.unwrap();
    wire.one("UPDATE triphase_run SET run_id = 'other'").await.unwrap();
    for unit in [unit(vec![sql("INSERT INTO t VALUES (1)")]), alone("DROP TABLE t"), unit(vec![])] {
        let failure = failed(hold.commit(&unit, &Stop::never()).await);
        assert!(matches!(&failure, Failure::Fenced(Some(by)) if by.run == "other"), "{failure}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM triphase_ledger").await, "0");
    // One whose lock is gone, but whose row is not, sends no statement that commits by itself.
    wire.one(&format!("UPDATE triphase_run SET run_id = '{}'", me.run)).await.unwrap();
    let holder = format!("SELECT IS_USED_LOCK('{}')", lock_name(&target.connection.database));
    let id = one(&mut wire, &holder).await;
    wire.one(&format!("KILL {id}")).await.unwrap();
    while one(&mut wire, &holder).await != "NULL" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let failure = failed(hold.commit(&alone("DROP TABLE t"), &Stop::never()).await);
    assert!(matches!(failure, Failure::Fenced(_) | Failure::Lost(_)), "{failure}");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert!(matches!(failed(hold.begin(&AGAIN).await), Failure::Fenced(_) | Failure::Lost(_)));
}

#[tokio::test]
async fn the_lock_is_one_and_its_holder_is_named() {
    let (target, mut wire) = fresh().await;
    let (session, other) = (open(&target).await, open(&target).await);
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    assert_eq!(busy(other.try_lock(&b).await).by, None);
    hold.begin(&CREATE).await.unwrap();
    assert_eq!(busy(other.try_lock(&b).await).by.unwrap().run, a.run);
    // Another database has another lock.
    let name = format!("{}_s", target.connection.database);
    wire.one(&format!("CREATE DATABASE {name}")).await.unwrap();
    let third = open(&Target { schema: Some(name), ..target.clone() }).await;
    had(third.try_lock(&b).await).release().await.unwrap();
    hold.release().await.unwrap();
    had(other.try_lock(&b).await).release().await.unwrap();
    assert!(other.evict(&b, false).await.unwrap().contains("no one holds"));
}

#[tokio::test]
async fn unlock_ends_a_live_holder_only_by_force() {
    let (target, _wire) = fresh().await;
    let (session, other) = (open(&target).await, open(&target).await);
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    let Failure::Refused(finding) = failed(other.evict(&b, false).await) else { panic!("not refused") };
    assert_eq!(finding.class, Class::Guard);
    assert!(finding.message.contains(&a.run), "{}", finding.message);
    assert!(other.evict(&b, true).await.unwrap().contains(&a.run));
    assert!(matches!(failed(hold.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await), Failure::Lost(_)));
    had(other.try_lock(&b).await).release().await.unwrap();
}

#[tokio::test]
async fn a_stop_cancels_the_statement_in_flight() {
    let (target, mut wire) = fresh().await;
    wire.one("CREATE TABLE t (a integer)").await.unwrap();
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    for slow in [
        unit(vec![sql("INSERT INTO t VALUES (1)"), sql("SELECT sleep(600)")]),
        alone("CREATE TABLE slow AS SELECT sleep(600) AS a"),
    ] {
        let (pull, stop) = Stop::new();
        let pulled = async {
            let at_work = format!(
                "SELECT count(*) FROM information_schema.processlist WHERE db = '{}' AND info LIKE '%sleep(600)%' AND id <> connection_id()",
                target.connection.database
            );
            while one(&mut wire, &at_work).await != "1" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            pull.send(Some(15)).unwrap();
        };
        let (done, ()) = tokio::join!(hold.commit(&slow, &stop), pulled);
        assert!(matches!(done, Err(Failure::Stopped)), "{done:?}");
        // What has happened is recorded all the same.
        hold.commit(&Unit { closes: vec![entry("a", PhaseState::Failed)], ..Unit::default() }, &stop).await.unwrap();
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(session.ask(&lone("CREATE TABLE slow (a integer)")).await.unwrap(), Verdict::Not);
}

#[tokio::test]
async fn half_a_ledger_is_completed_and_a_broken_one_is_not() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    hold.release().await.unwrap();
    // As if killed before the format's row, or after one table.
    for left in ["DELETE FROM triphase_meta", "DELETE FROM triphase_meta; DROP TABLE triphase_history, triphase_ledger"]
    {
        wire.all(&left.split("; ").collect::<Vec<_>>()).await.unwrap();
        let session = open(&target).await;
        assert_eq!(session.ledger().await.unwrap().format, None, "{left}");
        let again = self::me('b');
        let hold = had(session.try_lock(&again).await);
        hold.begin(&CREATE).await.unwrap();
        hold.commit(&Unit { closes: vec![], ..Unit::default() }, &Stop::never()).await.unwrap();
        hold.release().await.unwrap();
        assert_eq!(session.ledger().await.unwrap().format, Some(Format::CURRENT));
    }
    let hold = had(session.try_lock(&me).await);
    hold.begin(&AGAIN).await.unwrap();
    hold.commit(&unit(vec![]), &Stop::never()).await.unwrap();
    wire.one(&format!("DELETE FROM {}", table::META)).await.unwrap();
    let Failure::Refused(finding) = failed(session.ledger().await) else { panic!("not refused") };
    assert_eq!((finding.class, finding.rule), (Class::Decision, "L8"));
}

#[tokio::test]
async fn no_connection_is_said_without_secrets() {
    let (target, _wire) = fresh().await;
    let mut wrong = target.clone();
    wrong.connection.password = Some(Secret::new("hunter2"));
    let mut nowhere = wrong.clone();
    nowhere.connection.port = Some(1);
    let mut absent = target.clone();
    absent.connection.database = "no_such".into();
    for (target, says) in [(wrong, "1045"), (nowhere, ":1/"), (absent, "no_such")] {
        let failure = match Mysql::MYSQL.open(&target, Access::Read).await {
            Err(failure) => failure,
            Ok(_) => panic!("it was let in"),
        };
        assert!(matches!(failure, Failure::Access(_)), "{failure}");
        let said = format!("{failure} {failure:?}");
        assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
    }
}
