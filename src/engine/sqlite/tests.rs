//! The engine on real files, and its scripts in the real `sqlite3`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Sqlite, lock};
use crate::{
    action::{Action, Checksum, Handler, Handlers},
    engine::{Access, Driver as _, Failure, Hold, Me, Session, Stop},
    ledger::{Begin, Entry, Event, Format, Halfway, Ledger, Outcome, PhaseRow, Row, Unit, Verdict},
    model::{Guards, Label, Phase, PhaseState, Span, StepId, Time, Verb, Version},
    target::{Connection, Target},
};
use pretty_assertions::assert_eq;
use std::{path::Path, process::Command, sync::Arc};

fn target(file: &Path) -> Target {
    Target {
        env: None,
        connection: Connection {
            scheme: "sqlite".to_owned(),
            database: file.to_str().unwrap().to_owned(),
            ..Connection::default()
        },
        admin_connection: None,
        schema: None,
        guards: Guards::default(),
        lock_timeout: Span::parse("20ms").unwrap(),
        lock_retry_for: Span::parse("1s").unwrap(),
        binary: None,
        binary_args: Vec::new(),
        vars: indexmap::IndexMap::new(),
        storage_options: indexmap::IndexMap::new(),
        writers: None,
        rewriters: indexmap::IndexMap::new(),
        project: file.parent().unwrap().to_owned(),
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

fn step(name: &str) -> StepId {
    StepId::new(Version::parse("v1").unwrap(), name)
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
        halfway: Some(Halfway { upto: 1, trying: Some(1), hashes: vec!["d".to_owned()] }),
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

fn sql(text: &str) -> Action {
    Action::Sql { text: text.to_owned(), alone: false, done_when: None }
}

fn alone(text: &str) -> Action {
    Action::Sql { text: text.to_owned(), alone: true, done_when: None }
}

fn expect(query: &str) -> Action {
    Action::Expect { query: query.to_owned() }
}

fn unit(name: &str, actions: Vec<Action>) -> Unit {
    let row = PhaseRow { state: PhaseState::Done, ..PhaseRow::pending() };
    Unit { actions, closes: vec![entry(name, row)], ..Unit::default() }
}

const CREATE: Begin = Begin { create: true, guards: None };

async fn open(file: &Path) -> Box<dyn Session> {
    Sqlite.open(&target(file), Access::Write).await.unwrap()
}

async fn hold<'a>(session: &'a dyn Session, me: &'a Me) -> Box<dyn Hold + 'a> {
    session.try_lock(me).await.unwrap().unwrap()
}

/// A run's outcome on a fresh file, and the ledger after it.
async fn once(actions: Vec<Action>) -> (Result<Time, Failure>, Ledger, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    let done = hold.commit(&unit("a", actions), &Stop::never()).await;
    hold.release().await.unwrap();
    let ledger = session.ledger().await.unwrap();
    (done, ledger, schema(&file).await)
}

async fn schema(file: &Path) -> Vec<String> {
    let settings = super::connect::Settings::of(&target(file)).unwrap();
    let mut connection = settings.connect(super::connect::Mode::Read).await.unwrap();
    let query =
        "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'triphase_%' ORDER BY name";
    let rows = super::connect::texts(&mut connection, query).await.unwrap();
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

fn why(failure: &Failure) -> String {
    assert!(matches!(failure, Failure::Handler { .. }), "{failure:?}");
    failure.to_string()
}

#[tokio::test]
async fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    assert!(!file.exists());
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    let guards = Guards { min_simdrop_age: Some(Span::parse("7d").unwrap()), ..Guards::default() };
    let begun = hold.begin(&Begin { create: true, guards: Some(guards.clone()) }).await.unwrap();
    let at = hold
        .commit(&Unit { closes: vec![entry("a", full(PhaseState::Failed))], ..Unit::default() }, &Stop::never())
        .await
        .unwrap();
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.format, Some(Format::CURRENT));
    assert_eq!(ledger.guards, guards);
    assert_eq!(ledger.revision, 2);
    let run = ledger.run.unwrap();
    assert_eq!((run.run.as_str(), run.pid, run.who.as_str()), ("r1", 42, "ann@o'hara"));
    assert!(begun.0 > 0 && begun <= at && at <= ledger.now && run.since <= at);
    let row = &ledger.steps[&step("a")];
    let was = row.phase(Phase::Add);
    assert!(was.at.unwrap() >= begun && was.at.unwrap() <= at);
    assert_eq!(*was, PhaseRow { at: was.at, who: me.who.clone(), ..full(PhaseState::Failed) });
    assert_eq!(*row.phase(Phase::Drop), PhaseRow::pending());
    assert_eq!(row.stored.iter().copied().collect::<Vec<_>>(), [Verb::RollbackAdd]);
    let stored = session.stored(&[step("a"), step("b")]).await.unwrap();
    assert_eq!(stored[&step("a")][&Verb::RollbackAdd], handler("DROP TABLE 'a'"));

    // Replace keeps times as given and handlers as they are; rename moves all; rollout is said.
    let mut other = Row::pending("A");
    other.phases[2] = PhaseRow { at: Some(Time(1_700_000_000_123_456)), who: "x".to_owned(), ..full(PhaseState::Done) };
    let said = event(&step("a"), Outcome::Recorded);
    let entries = vec![
        Entry::Replace { id: step("a"), row: Some(other.clone()), event: said.clone() },
        Entry::Rename { from: step("a"), to: step("z"), name: "Z".to_owned(), event: said.clone() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: true, event: said.clone() },
    ];
    hold.commit(&Unit { closes: entries, ..Unit::default() }, &Stop::never()).await.unwrap();
    let ledger = session.ledger().await.unwrap();
    let row = &ledger.steps[&step("z")];
    assert_eq!((row.name.as_str(), &row.phases, row.stored.len()), ("Z", &other.phases, 1));
    let rollout = &ledger.rollouts[&Version::parse("v1").unwrap()];
    assert!(rollout.who == me.who && rollout.at >= at && rollout.at <= ledger.now);
    let entries = vec![
        Entry::Replace { id: step("z"), row: None, event: said.clone() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: false, event: said },
    ];
    hold.commit(&Unit { closes: entries, ..Unit::default() }, &Stop::never()).await.unwrap();
    let ledger = session.ledger().await.unwrap();
    assert!(ledger.steps.is_empty() && ledger.rollouts.is_empty());

    let history = session.history(100).await.unwrap();
    assert_eq!(history.len(), 7);
    assert_eq!(history.last().unwrap().detail.as_deref(), Some("min_simdrop_age: 7d"));
    assert_eq!(history[0].statement, Some(1));
    assert_eq!(history[0].detail.as_deref(), Some("it's \"so\"\nand so"));
    hold.release().await.unwrap();
}

#[tokio::test]
async fn a_failing_statement_leaves_nothing() {
    let (done, ledger, schema) = once(vec![sql("CREATE TABLE a (x)"), sql("CREATE TABLE a (x)")]).await;
    let failed = done.unwrap_err();
    assert!(matches!(failed, Failure::Handler { at: 1, .. }), "{failed:?}");
    assert_eq!(failed.to_string(), "table a already exists");
    assert!(ledger.steps.is_empty() && schema.is_empty());
}

#[tokio::test]
async fn expect_wants_one_true_value() {
    for query in ["SELECT 1", "SELECT 2 > 1", "SELECT -0.5 -- yes"] {
        once(vec![expect(query)]).await.0.unwrap();
    }
    for (query, found) in [
        ("SELECT 0", "0"),
        ("SELECT NULL", "NULL"),
        ("SELECT 'true'", "the text \"true\""),
        ("SELECT 1 WHERE 0", "no row"),
        ("SELECT 1 UNION ALL SELECT 1", "2 rows"),
        ("SELECT 1, 1", "2 columns"),
    ] {
        let failed = once(vec![expect(query)]).await.0.unwrap_err();
        assert_eq!(
            why(&failed),
            format!("expected one row with one value, true or not zero; found {found}"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn foreign_keys_are_switched_outside_and_checked() {
    let make = [
        sql("CREATE TABLE parent (id integer PRIMARY KEY)"),
        sql("CREATE TABLE child (parent integer REFERENCES parent)"),
    ];
    let bad = sql("INSERT INTO child VALUES (5)");
    let with = |first: &str| [vec![sql(first)], make.to_vec(), vec![bad.clone()]].concat();
    once([make.to_vec(), vec![bad.clone()]].concat()).await.0.unwrap();
    let failed = once(with("PRAGMA foreign_keys=OFF")).await;
    assert!(why(&failed.0.unwrap_err()).contains("`child` rowid 1 has no parent in `parent`"));
    assert!(failed.2.is_empty());
    let failed = once(with("PRAGMA foreign_keys = ON")).await.0.unwrap_err();
    assert_eq!(why(&failed), "FOREIGN KEY constraint failed");
}

#[tokio::test]
async fn no_setting_leaks_into_the_next_handler() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(&folder.path().join("t.db")).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit("a", vec![alone("PRAGMA foreign_keys = ON")]), &Stop::never()).await.unwrap();
    hold.commit(&unit("b", vec![sql("PRAGMA ignore_check_constraints = ON")]), &Stop::never()).await.unwrap();
    let asks = [
        expect("SELECT foreign_keys = 0 FROM pragma_foreign_keys"),
        expect("SELECT ignore_check_constraints = 0 FROM pragma_ignore_check_constraints"),
    ];
    hold.commit(&unit("c", asks.to_vec()), &Stop::never()).await.unwrap();
    hold.release().await.unwrap();
}

#[tokio::test]
async fn a_lone_statement_runs_between_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(&folder.path().join("t.db")).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    let running = PhaseRow { state: PhaseState::Running, trying: Some(0), ..PhaseRow::pending() };
    let opens = vec![entry("a", running.clone())];
    let vacuum = Unit { opens: opens.clone(), ..unit("a", vec![alone("VACUUM")]) };
    hold.commit(&vacuum, &Stop::never()).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().steps[&step("a")].phase(Phase::Add).state, PhaseState::Done);
    let failing = Unit { opens, ..unit("a", vec![alone("INSERT INTO nowhere VALUES (1)")]) };
    let failed = hold.commit(&failing, &Stop::never()).await.unwrap_err();
    assert_eq!(why(&failed), "no such table: nowhere");
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.steps[&step("a")].phase(Phase::Add).trying, Some(0));
    assert_eq!(session.ask(&alone("VACUUM")).await.unwrap(), Verdict::Not);
    assert_eq!(session.ask(&alone("INSERT INTO x VALUES (1)")).await.unwrap(), Verdict::Unknown);
    let asked = Action::Sql { text: "x".into(), alone: true, done_when: Some("SELECT 1".into()) };
    assert_eq!(session.ask(&asked).await.unwrap(), Verdict::Applied);
    hold.release().await.unwrap();
}

#[tokio::test]
async fn another_run_fences_this_one_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    run_script(&file, "UPDATE triphase_run SET run_id = 'r2'").unwrap();
    for actions in [vec![sql("CREATE TABLE a (x)")], vec![alone("CREATE TABLE a (x)")]] {
        let failed = hold.commit(&unit("a", actions), &Stop::never()).await.unwrap_err();
        assert!(matches!(&failed, Failure::Fenced(Some(run)) if run.run == "r2"), "{failed:?}");
    }
    hold.release().await.unwrap();
    assert!(schema(&file).await.is_empty());
}

#[tokio::test]
async fn the_lock_names_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let (session, other) = (open(&file).await, open(&file).await);
    let (first, second) = (me("r1"), me("r2"));
    let hold = hold(session.as_ref(), &first).await;
    let held = other.try_lock(&second).await.unwrap().err().unwrap();
    assert_eq!(held.by.unwrap().run, "r1");
    assert!(other.evict(&second, true).await.unwrap().contains("process 42"));
    hold.release().await.unwrap();
    assert!(lock::path(&file).exists());
    assert!(other.evict(&second, false).await.unwrap().starts_with("nobody"));
    assert!(other.try_lock(&second).await.unwrap().is_ok());
}

#[tokio::test]
async fn traffic_is_busy_and_a_stop_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    let settings = super::connect::Settings::of(&target(&file)).unwrap();
    let mut traffic =
        super::connect::Link::new(settings.connect(super::connect::Mode::Write).await.unwrap(), Arc::default())
            .await
            .unwrap();
    traffic.begin("SELECT 1").await.unwrap();
    let failed = hold.commit(&unit("a", vec![sql("CREATE TABLE a (x)")]), &Stop::never()).await.unwrap_err();
    assert!(matches!(failed, Failure::Busy(_)), "{failed:?}");
    traffic.rollback().await;

    let (pull, stop) = Stop::new();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let endless = unit("a", vec![sql("CREATE TABLE a (x)"), sql(endless)]);
    let (done, ()) = tokio::join!(hold.commit(&endless, &stop), async {
        tokio::task::yield_now().await;
        pull.send(Some(2)).unwrap();
    });
    assert!(matches!(done, Err(Failure::Stopped)), "{done:?}");
    assert!(schema(&file).await.is_empty());
    hold.commit(&unit("a", vec![sql("CREATE TABLE a (x)")]), &Stop::never()).await.unwrap();
}

#[tokio::test]
async fn reading_makes_no_file_and_says_so_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = Sqlite.open(&target(&file), Access::Read).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    assert!(session.stored(&[step("a")]).await.unwrap().is_empty());
    assert!(session.evict(&me("r"), false).await.unwrap().starts_with("nobody"));
    assert_eq!(session.place().database, "t.db");
    assert!(session.place().engine.starts_with("SQLite 3."));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn reading_a_file_with_a_log_leaves_no_file_and_sees_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    run_script(&file, "PRAGMA journal_mode = wal; CREATE TABLE a (x);").unwrap();
    let before = files();
    let reader = Sqlite.open(&target(&file), Access::Read).await.unwrap();
    assert_eq!(reader.ledger().await.unwrap().format, None);
    assert_eq!(files(), before);
    let session = open(&file).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    assert_eq!(reader.ledger().await.unwrap().format, Some(Format::CURRENT));
    hold.release().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_writer_left_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (live, dead) = (folder.path().join("live.db"), folder.path().join("dead.db"));
    run_script(&live, "CREATE TABLE a (x);").unwrap();
    let settings = super::connect::Settings::of(&target(&live)).unwrap();
    let mut writer =
        super::connect::Link::new(settings.connect(super::connect::Mode::Write).await.unwrap(), Arc::default())
            .await
            .unwrap();
    // A cache of one page: the transaction's pages reach the file before it commits.
    super::connect::execute(&mut writer.connection, "PRAGMA cache_size = 1").await.unwrap();
    writer.begin("SELECT 1").await.unwrap();
    let much = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                INSERT INTO a SELECT zeroblob(1000) FROM n";
    super::connect::execute(&mut writer.connection, much).await.unwrap();
    super::connect::execute(&mut writer.connection, "CREATE TABLE b (x)").await.unwrap();
    std::fs::copy(&live, &dead).unwrap();
    std::fs::copy(live.with_extension("db-journal"), dead.with_extension("db-journal")).unwrap();
    writer.rollback().await;
    assert!(std::fs::metadata(&dead).unwrap().len() > 100_000);
    let session = Sqlite.open(&target(&dead), Access::Read).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert_eq!(schema(&dead).await, ["CREATE TABLE a (x)"]);
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let say = async |file: &Path| match Sqlite.open(&target(file), Access::Write).await {
        Err(Failure::Access(why)) => format!("{why:#}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("opened {}", file.display()),
    };
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, however long its only line may be; it is made of words").unwrap();
    assert!(say(&text).await.contains("is no SQLite database"));
    assert!(say(folder.path()).await.contains("is a folder"));
    assert!(say(&folder.path().join("no/t.db")).await.contains("/no does not exist"));
    let mut outside = target(Path::new("/nowhere/dev.db"));
    outside.project = folder.path().to_owned();
    let said = Sqlite.open(&outside, Access::Write).await.err().unwrap().to_string();
    assert!(said.ends_with("write sqlite://nowhere/dev.db"), "{said}");
}

#[tokio::test]
async fn what_a_newer_triphase_wrote_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit("a", vec![]), &Stop::never()).await.unwrap();
    run_script(&file, "UPDATE triphase_ledger SET h_rollback_add = replace(h_rollback_add, '\"sql\"', '\"warp\"')")
        .unwrap();
    let Err(Failure::Refused(finding)) = session.stored(&[step("a")]).await else { panic!() };
    assert!(finding.message.contains("rollback_add of step `v1/a`") && finding.message.contains("`warp`"));
    run_script(&file, "UPDATE triphase_meta SET value = '1.9' WHERE key = 'format'").unwrap();
    run_script(&file, "ALTER TABLE triphase_ledger ADD COLUMN more text").unwrap();
    assert_eq!(session.ledger().await.unwrap().format, Some(Format { major: 1, minor: 9 }));
    run_script(&file, "UPDATE triphase_meta SET value = '2.0' WHERE key = 'format'").unwrap();
    let Err(Failure::Refused(finding)) = session.ledger().await else { panic!() };
    assert!(finding.message.contains("format 2.0") && finding.rule == "L8");
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

/// The ledger without what differs from one run to the next: clocks.
async fn timeless(file: &Path) -> (Ledger, Vec<String>, Vec<(String, Option<String>)>) {
    let session = Sqlite.open(&target(file), Access::Read).await.unwrap();
    let mut ledger = session.ledger().await.unwrap();
    ledger.now = Time(0);
    ledger.run.as_mut().unwrap().since = Time(0);
    for phase in ledger.steps.values_mut().flat_map(|row| &mut row.phases) {
        phase.at = None;
    }
    let history = session.history(100).await.unwrap().into_iter().map(|h| (h.outcome, h.detail)).collect();
    (ledger, schema(file).await, history)
}

#[tokio::test]
async fn a_script_in_sqlite3_does_what_a_run_does() {
    let folder = tempfile::tempdir().unwrap();
    let (run, scripted) = (folder.path().join("run.db"), folder.path().join("scripted.db"));
    let begin = Begin { create: true, guards: Some(Guards { protected: Some(true), ..Guards::default() }) };
    let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE a SET x = ';';\nEND -- done";
    let units = vec![
        unit(
            "a",
            vec![
                sql("CREATE TABLE a (id integer PRIMARY KEY, x DEFAULT 'it''s')"),
                sql(trigger),
                expect("SELECT count(*) = 0 FROM a -- ok"),
            ],
        ),
        Unit { opens: vec![entry("b", full(PhaseState::Running))], ..unit("b", vec![alone("VACUUM")]) },
        unit("c", vec![sql("PRAGMA foreign_keys = OFF"), sql("CREATE TABLE c (x REFERENCES a)")]),
    ];
    let session = open(&run).await;
    let me = me("r1");
    let hold = hold(session.as_ref(), &me).await;
    let before = session.ledger().await.unwrap();
    hold.begin(&begin).await.unwrap();
    for unit in &units {
        hold.commit(unit, &Stop::never()).await.unwrap();
    }
    hold.release().await.unwrap();
    let script = Sqlite.script(&target(&scripted), &before, &begin, &units, &me).unwrap();
    run_script(&scripted, &script).unwrap();
    assert_eq!(timeless(&scripted).await, timeless(&run).await);

    // The ledger has moved: the same script stops by itself, and so does one made against another revision.
    let after = timeless(&scripted).await;
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    let stale = Ledger { revision: 1, ..after.0.clone() };
    let script = Sqlite.script(&target(&scripted), &stale, &Begin::default(), &units, &me).unwrap();
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    // Another ledger may have as many events, but never the same run.
    let mut other = after.0.clone();
    other.run.as_mut().unwrap().run = "another".into();
    let script = Sqlite.script(&target(&scripted), &other, &Begin::default(), &units, &me).unwrap();
    assert!(run_script(&scripted, &script).unwrap_err().contains("the ledger is not as it was"));
    assert_eq!(timeless(&scripted).await, after);

    // What a run refuses, the script refuses, with nothing of the unit left.
    for query in
        ["SELECT 0", "SELECT NULL", "SELECT 'x'", "SELECT 1 UNION ALL SELECT 1", "SELECT 1, 1", "SELECT 1 WHERE 0"]
    {
        let now = Sqlite.open(&target(&scripted), Access::Read).await.unwrap().ledger().await.unwrap();
        let units = [unit("d", vec![sql("CREATE TABLE d (x)"), expect(query)])];
        let script = Sqlite.script(&target(&scripted), &now, &Begin::default(), &units, &me).unwrap();
        run_script(&scripted, &script).unwrap_err();
        assert_eq!(timeless(&scripted).await, after, "{query}");
    }
    let shell = [unit("e", vec![Action::Shell { file: "x.sh".into(), text: String::new() }])];
    assert_eq!(Sqlite.script(&target(&run), &after.0, &CREATE, &shell, &me).unwrap_err().rule, "F4");
}
