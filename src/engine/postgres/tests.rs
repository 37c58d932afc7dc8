//! Against a real server, a database each. `TRIPHASE_TEST_POSTGRES` is the URL of a user who may create databases and roles, `TRIPHASE_TEST_PGBOUNCER` the same server's
//! by way of a pgbouncer in transaction mode.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    super::{Access, Driver as _, Failure, Held, Hold, Me, Session, Stop},
    Postgres, connect, lock,
    wire::Wire,
};
use crate::{
    action::Action,
    ledger::{Begin, Entry, Event, Format, Outcome, PhaseRow, Unit, Verdict},
    model::{Class, Guards, Phase, PhaseState, Span, StepId, Verb, Version},
    target::{Connection, Secret, Target},
};
use indexmap::IndexMap;
use pretty_assertions::assert_eq;
use std::time::Duration;

fn url(name: &str) -> url::Url {
    let Ok(text) = std::env::var(name) else { panic!("{name} is not set; run ./test, which starts the servers") };
    url::Url::parse(&text).unwrap()
}

fn at(url: &url::Url, database: &str) -> Target {
    let connection = Connection {
        scheme: "postgres".into(),
        username: Some(url.username().to_owned()),
        password: url
            .password()
            .map(|password| Secret::new(percent_encoding::percent_decode_str(password).decode_utf8().unwrap())),
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
    let url = url("TRIPHASE_TEST_POSTGRES");
    let name: String = format!("t_{}", std::iter::repeat_with(fastrand::lowercase).take(16).collect::<String>());
    let mut admin = connect::connect(&at(&url, "postgres"), "test").await.unwrap();
    admin.all(format!("CREATE DATABASE {name}")).await.unwrap();
    let target = at(&url, &name);
    let wire = connect::connect(&target, "test").await.unwrap();
    (target, wire)
}

fn pooled(target: &Target) -> Target {
    at(&url("TRIPHASE_TEST_PGBOUNCER"), &target.connection.database)
}

fn me(letter: char) -> Me {
    // Sessions are listed for the whole server, so no two tests share a run's id.
    let run = std::iter::once(letter).chain(std::iter::repeat_with(fastrand::alphanumeric)).take(26).collect();
    Me { run, who: format!("{letter}@host"), host: "host".into(), pid: 7, command: "triphase ff".into() }
}

async fn open(target: &Target) -> Box<dyn Session> {
    Postgres.open(target, Access::Write).await.unwrap()
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

fn entry(name: &str, state: PhaseState) -> Entry {
    let event = Event {
        release: Some(Version::parse("v1").unwrap()),
        step: Some(name.into()),
        verb: Verb::Add.name().into(),
        statement: None,
        hash: None,
        outcome: Outcome::Done,
        detail: None,
    };
    let row = PhaseRow { state, seq: 1, ..PhaseRow::pending() };
    Entry::Step {
        id: step(name),
        name: name.into(),
        phase: Phase::Add,
        row,
        marks: Vec::new(),
        keep: Default::default(),
        event,
    }
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
    Unit {
        opens: vec![entry("a", PhaseState::Running)],
        actions: vec![lone(text)],
        closes: vec![entry("a", PhaseState::Done)],
        ..Unit::default()
    }
}

const CREATE: Begin = Begin { create: true, guards: None };
const AGAIN: Begin = Begin { create: false, guards: None };

async fn one(wire: &mut Wire, query: &str) -> String {
    let given = wire.all(query.to_owned()).await.unwrap();
    given.last().unwrap().first().unwrap_or("NULL").to_owned()
}

async fn state(session: &dyn Session) -> PhaseState {
    session.ledger().await.unwrap().steps[&step("a")].phase(Phase::Add).state
}

#[tokio::test]
async fn a_unit_and_its_row_commit_together() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    let begun = hold.begin(&CREATE).await.unwrap();
    let actions = vec![
        sql("CREATE TABLE t (a int) -- a comment at the end"),
        Action::Expect { query: "SELECT count(*) = 0 FROM t".into() },
        // What the handler sets does not reach the ledger's rows.
        sql("SET search_path = nowhere"),
    ];
    let done = hold.commit(&unit(actions), &Stop::never()).await.unwrap();
    assert!(done > begun);
    hold.release().await.unwrap();
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.format, Some(Format::CURRENT));
    assert_eq!(ledger.run.as_ref().unwrap().run, me.run);
    assert_eq!(ledger.steps[&step("a")].phase(Phase::Add).state, PhaseState::Done);
    assert_eq!(session.history(5).await.unwrap().len(), 1);
    assert!(session.stored(&[step("a")]).await.unwrap().is_empty());
    assert_eq!(one(&mut wire, "SELECT to_regclass('public.t')::text").await, "t");
    assert!(session.place().engine.starts_with("PostgreSQL "));
}

#[tokio::test]
async fn the_statement_that_failed_is_named_and_nothing_stays() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.all("CREATE TABLE p (id int PRIMARY KEY)".to_owned()).await.unwrap();
    let cases: Vec<(Vec<Action>, usize, &str)> = vec![
        (vec![sql("CREATE TABLE t (a int)"), sql("SELECT 1/0")], 1, "22012"),
        // Read before anything runs: told by its position, in characters.
        (vec![sql("CREATE TABLE t (a int)"), sql("SELECT 'é'"), sql("SELEKT 1")], 2, "42601"),
        (vec![sql("SELECT 1"), Action::Expect { query: "SELECT false".into() }], 1, "found false"),
        (vec![Action::Expect { query: "SELECT true".into() }, sql("SELECT nix")], 1, "42703"),
        (
            vec![
                sql("CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
                sql("INSERT INTO c VALUES (1)"),
            ],
            2,
            "23503",
        ),
    ];
    for (actions, index, says) in cases {
        let failure = failed(hold.commit(&unit(actions.clone()), &Stop::never()).await);
        let Failure::Handler { at, why } = failure else { panic!("{failure}") };
        assert_eq!(at, index, "{actions:?}");
        assert!(format!("{why:#}").contains(says), "{why:#}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*)::text FROM triphase_ledger").await, "0");
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
}

#[tokio::test]
async fn a_run_that_lost_its_lock_writes_nothing() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.all("UPDATE triphase_run SET run_id = 'other'".to_owned()).await.unwrap();
    for unit in [unit(vec![sql("CREATE TABLE t (a int)")]), alone("VACUUM")] {
        let failure = failed(hold.commit(&unit, &Stop::never()).await);
        assert!(matches!(&failure, Failure::Fenced(Some(by)) if by.run == "other"), "{failure}");
    }
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    // And one whose lock session is gone does not begin.
    let held = "FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    wire.all(format!("SELECT pg_terminate_backend(l.pid) {held}")).await.unwrap();
    while one(&mut wire, &format!("SELECT count(*)::text {held}")).await != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(failed(hold.begin(&AGAIN).await), Failure::Fenced(_) | Failure::Lost(_)));
}

#[tokio::test]
async fn a_concurrent_index_is_built_again_where_an_attempt_left_it_invalid() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)".to_owned()).await.unwrap();
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let text = "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)";
    let failure = failed(hold.commit(&alone(text), &Stop::never()).await);
    assert!(matches!(failure, Failure::Handler { at: 0, .. }), "{failure}");
    assert_eq!(state(&*session).await, PhaseState::Running);
    // Nothing of a failed one stays. What a killed one leaves is found before it is built again.
    assert_eq!(one(&mut wire, "SELECT to_regclass('i')::text").await, "NULL");
    assert!(wire.all(text.to_owned()).await.is_err());
    assert_eq!(one(&mut wire, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i'::regclass").await, "false");
    assert_eq!(session.ask(&lone(text)).await.unwrap(), Verdict::Not);
    wire.all("DELETE FROM t".to_owned()).await.unwrap();
    hold.commit(&alone(text), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    assert_eq!(session.ask(&lone(text)).await.unwrap(), Verdict::Applied);
    let drop = lone("DROP INDEX CONCURRENTLY i");
    assert_eq!(session.ask(&drop).await.unwrap(), Verdict::Not);
    hold.commit(&alone("DROP INDEX CONCURRENTLY i"), &Stop::never()).await.unwrap();
    assert_eq!(session.ask(&drop).await.unwrap(), Verdict::Applied);
    assert_eq!(session.ask(&lone("VACUUM t")).await.unwrap(), Verdict::Not);
    assert_eq!(session.ask(&lone("CREATE INDEX CONCURRENTLY ON t (a)")).await.unwrap(), Verdict::Unknown);
    let asked = Action::Sql { text: "X".into(), alone: true, done_when: Some("SELECT 1".into()) };
    assert_eq!(session.ask(&asked).await.unwrap(), Verdict::Applied);
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
    // Another schema has another lock.
    wire.all("CREATE SCHEMA s".to_owned()).await.unwrap();
    let elsewhere = Target { schema: Some("s".into()), ..target.clone() };
    let third = open(&elsewhere).await;
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
async fn a_dead_runs_statement_is_ended_before_the_lock_is_given() {
    let (target, mut wire) = fresh().await;
    let (a, b) = (me('a'), me('b'));
    let session = open(&target).await;
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    hold.release().await.unwrap();
    // What a killed client leaves: its lock session is gone, its work session still at work.
    let mut work = connect::connect(&target, &lock::name(&a.run)).await.unwrap();
    let left = tokio::spawn(async move { work.all("SELECT pg_sleep(600)".to_owned()).await });
    let count = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '{}' AND query LIKE '%pg_sleep%'",
        lock::name(&a.run)
    );
    while one(&mut wire, &count).await != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let other = open(&target).await;
    had(other.try_lock(&b).await).release().await.unwrap();
    assert_eq!(one(&mut wire, &count).await, "0");
    assert!(left.await.unwrap().unwrap_err().gone());
}

#[tokio::test]
async fn traffic_in_the_way_is_busy_and_named() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE TABLE t (a int)".to_owned()).await.unwrap();
    wire.all("BEGIN; LOCK TABLE t".to_owned()).await.unwrap();
    let target = Target { lock_timeout: Span::parse("3s").unwrap(), ..target };
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let (unit, stop) = (unit(vec![sql("ALTER TABLE t ADD b int")]), Stop::never());
    let commit = hold.commit(&unit, &stop);
    let watch = async {
        loop {
            let by = hold.blockers().await.unwrap();
            if !by.is_empty() {
                return by;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (failure, by) = tokio::join!(commit, watch);
    assert!(matches!(failed(failure), Failure::Busy(_)));
    assert!(by[0].contains("LOCK TABLE t"), "{by:?}");
    wire.all("ROLLBACK".to_owned()).await.unwrap();
    hold.commit(&unit, &stop).await.unwrap();
}

#[tokio::test]
async fn a_stop_cancels_the_statement_in_flight() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let (pull, stop) = Stop::new();
    let unit = unit(vec![sql("CREATE TABLE t (a int)"), sql("SELECT pg_sleep(600)")]);
    let commit = hold.commit(&unit, &stop);
    let pulled = async {
        while one(&mut wire, "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%' AND state = 'active'").await == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        pull.send(Some(2)).unwrap();
    };
    let (failure, ()) = tokio::join!(commit, pulled);
    assert!(matches!(failed(failure), Failure::Stopped));
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    hold.commit(&Unit { closes: vec![entry("a", PhaseState::Failed)], ..Unit::default() }, &stop).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Failed);
}

#[tokio::test]
async fn a_pooler_is_found_and_worked_through_by_a_lease() {
    let (target, mut wire) = fresh().await;
    let behind = pooled(&target);
    let (a, b) = (me('a'), me('b'));
    let session = open(&behind).await;
    let hold = had(session.try_lock(&a).await);
    assert_eq!(one(&mut wire, "SELECT (lease_until > clock_timestamp())::text FROM triphase_run").await, "true");
    let direct = open(&target).await;
    assert_eq!(busy(direct.try_lock(&b).await).by.unwrap().run, a.run);
    let second = open(&behind).await;
    assert_eq!(busy(second.try_lock(&b).await).by.unwrap().run, a.run);
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
    hold.commit(&alone("CREATE INDEX CONCURRENTLY i ON t (a)"), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    // Its holder died: the lease runs out, and what it had written is fenced.
    wire.all("UPDATE triphase_run SET lease_until = clock_timestamp() - interval '1 second'".to_owned()).await.unwrap();
    let taken = had(second.try_lock(&b).await);
    assert!(matches!(
        failed(hold.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await),
        Failure::Fenced(Some(_))
    ));
    assert_eq!(one(&mut wire, "SELECT epoch::text FROM triphase_run").await, "2");
    assert!(matches!(failed(direct.evict(&a, false).await), Failure::Refused(_)));
    assert!(direct.evict(&a, true).await.unwrap().contains("lease"));
    assert!(matches!(failed(taken.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await), Failure::Fenced(_)));
    // A session's lock is respected from behind the pooler.
    let held = had(direct.try_lock(&a).await);
    assert!(busy(second.try_lock(&b).await).what.contains("session"));
    held.release().await.unwrap();
    had(second.try_lock(&b).await).release().await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_written_is_said_before_the_first_statement() {
    let (target, mut wire) = fresh().await;
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        .await
        .unwrap();
    let mut poor = target.clone();
    poor.connection.username = Some(name.clone());
    poor.connection.password = Some(Secret::new(name));
    let me = me('a');
    let says = |failure: Failure| match failure {
        Failure::Access(why) => format!("{why:#}"),
        other => panic!("{other}"),
    };
    let session = open(&poor).await;
    assert!(says(failed(session.try_lock(&me).await)).contains("may not create the ledger"));
    assert_eq!(session.ledger().await.unwrap().format, None);
    let nowhere = open(&Target { schema: Some("nowhere".into()), ..target.clone() }).await;
    assert_eq!(nowhere.ledger().await.unwrap().format, None);
    assert!(says(failed(nowhere.try_lock(&me).await)).contains("CREATE SCHEMA \"nowhere\""));
    wire.all(format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    assert!(says(failed(open(&target).await.try_lock(&me).await)).contains("read-only"));
}

#[tokio::test]
async fn a_ledger_elsewhere_needs_a_decision_and_an_unreadable_one_is_not_none() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE SCHEMA app".to_owned()).await.unwrap();
    let named = Target { schema: Some("app".into()), ..target.clone() };
    let session = open(&named).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
    assert_eq!(one(&mut wire, "SELECT to_regclass('app.t')::text").await, "app.t");
    let Failure::Refused(finding) = failed(Postgres.open(&target, Access::Read).await) else { panic!("not refused") };
    assert_eq!((finding.class, finding.rule), (Class::Decision, "L9"));
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'")).await.unwrap();
    let mut poor = named.clone();
    poor.connection.username = Some(name.clone());
    poor.connection.password = Some(Secret::new(name));
    assert!(matches!(failed(open(&poor).await.ledger().await), Failure::Access(_)));
}

#[tokio::test]
async fn no_connection_is_said_without_secrets() {
    let (target, mut wire) = fresh().await;
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD 'right'")).await.unwrap();
    let mut wrong = target.clone();
    wrong.connection.database = "no_such_database".into();
    wrong.connection.password = Some(Secret::new("hush-hush"));
    let mut closed = target.clone();
    closed.connection.port = Some(1);
    closed.connection.password = Some(Secret::new("hush-hush"));
    let mut odd = target.clone();
    odd.connection.query.insert("sslpasword".into(), Secret::new("hush-hush"));
    for (target, says) in [(wrong, "no_such_database"), (closed, ":1/"), (odd, "unknown option `sslpasword`")] {
        let failure = failed(Postgres.open(&target, Access::Read).await);
        let text = format!("{failure} {failure:?}");
        assert!(matches!(failure, Failure::Access(_)));
        assert!(
            text.contains(says) && text.contains("cannot connect to postgres://") && !text.contains("hush"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_script_leaves_what_a_run_leaves() {
    let units = || {
        vec![
            unit(vec![
                sql("CREATE TABLE t (a int) -- it's"),
                Action::Expect { query: "SELECT count(*) = 0 FROM t -- none".into() },
                sql("INSERT INTO t VALUES (1)"),
                Action::Expect { query: "SELECT count(*) FROM t".into() },
            ]),
            alone("CREATE INDEX CONCURRENTLY i ON t (a)"),
        ]
    };
    let me = me('a');
    let (run, mut run_wire) = fresh().await;
    let (scripted, mut script_wire) = fresh().await;
    let session = open(&run).await;
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    for unit in units() {
        hold.commit(&unit, &Stop::never()).await.unwrap();
    }
    hold.release().await.unwrap();
    let seen = open(&scripted).await.ledger().await.unwrap();
    let script = Postgres.script(&scripted, &seen, &CREATE, &units(), &me).unwrap();
    let psql = || {
        let to = &scripted.connection;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script.sql");
        std::fs::write(&file, &script).unwrap();
        std::process::Command::new("psql")
            .args(["-X", "-h", to.host.as_deref().unwrap(), "-p", &to.port.unwrap().to_string()])
            .args(["-U", to.username.as_deref().unwrap(), "-d", &to.database, "-f"])
            .arg(&file)
            .env("PGPASSWORD", to.password.as_ref().map_or("", Secret::reveal))
            .env("PGPASSWORD", to.password.as_ref().unwrap().reveal())
            .output()
            .unwrap()
    };
    let first = psql();
    assert!(first.status.success(), "{}\n{script}", String::from_utf8_lossy(&first.stderr));
    for query in [
        "SELECT string_agg(concat_ws(' ', release, step, name, add_state, add_detail), ';') FROM triphase_ledger",
        "SELECT string_agg(concat_ws(' ', id, run_id, command, who, step, verb, outcome), ';' ORDER BY id) FROM triphase_history",
        "SELECT concat_ws(' ', run_id, who, host, pid, command, epoch, lease_until) FROM triphase_run",
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'i'",
        "SELECT count(*)::text FROM t",
    ] {
        assert_eq!(one(&mut script_wire, query).await, one(&mut run_wire, query).await, "{query}");
    }
    let again = psql();
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("make this script again"), "{again:?}");
}

#[tokio::test]
async fn a_ledger_of_an_older_major_is_read_for_its_upgrade() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('u');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&Begin { create: true, guards: None }).await.unwrap();
    hold.commit(&Unit { closes: vec![entry("a", PhaseState::Done)], ..Unit::default() }, &Stop::never()).await.unwrap();
    // `engine::rows` knows major 0 in tests alone.
    wire.all("UPDATE triphase_meta SET value = '0.9' WHERE key = 'format'".to_owned()).await.unwrap();
    let old = open(&target).await.ledger().await.unwrap();
    assert_eq!((old.format.map(|f| f.to_string()).as_deref(), old.steps.len()), (Some("0.9"), 1));
    let event = Event {
        release: None,
        step: None,
        verb: "repair upgrade-ledger".into(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: None,
    };
    let entry = Entry::Upgrade { from: old.format.unwrap(), event };
    hold.commit(&Unit { closes: vec![entry], ..Unit::default() }, &Stop::never()).await.unwrap();
    assert_eq!(open(&target).await.ledger().await.unwrap().format, Some(crate::ledger::Format::CURRENT));
    hold.release().await.unwrap();
}
