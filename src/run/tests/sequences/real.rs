//! The model's files as SQL, on a database of a real engine. A handler's first statement makes a table of its name; the one that fails does so
//! by a constraint, as long as a row says so. Time passes by moving what the ledger says of it back.

use super::{
    FILES, PHASES, fails,
    field::{Field, Later},
    fixture, has, release, rolls,
};
use crate::{
    engine::{
        Access, Driver, driver,
        testing::{fresh_name, had, me, on_server, short_waits},
    },
    model::{Dialect, Guards, Phase, PhaseState},
    release::{Files, Project, project},
    target::{Connection, Target},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// A fresh database.
pub struct Real {
    driver: &'static dyn Driver,
    target: Target,
    side: Mutex<Side>,
    /// Where a SQLite file lies.
    _folder: Option<tempfile::TempDir>,
}

/// A way in that is not the engine's.
enum Side {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    Mariadb(MySqlConnection),
}

impl Side {
    /// Runs statements.
    async fn run(&mut self, text: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(side) => drop(sql.execute(side).await.unwrap()),
            Self::Postgres(side) => drop(sql.execute(side).await.unwrap()),
            Self::Mariadb(side) => drop(sql.execute(side).await.unwrap()),
        }
    }

    /// Asks for texts.
    async fn ask(&mut self, text: &str) -> BTreeSet<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(side) => sql.fetch_all(side).await.unwrap().iter().map(|row| row.get(0)).collect(),
            Self::Postgres(side) => sql.fetch_all(side).await.unwrap().iter().map(|row| row.get(0)).collect(),
            Self::Mariadb(side) => sql.fetch_all(side).await.unwrap().iter().map(|row| row.get(0)).collect(),
        }
    }
}

const SWITCH: &str = "CREATE TABLE breaker (failing integer, tripped integer CHECK (tripped = 0)); INSERT INTO breaker VALUES (0, 0); \
    CREATE TABLE trail (what varchar(40))";

impl Real {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db").to_str().unwrap().to_owned();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).create_if_missing(true);
        let side = Side::Sqlite(options.connect().await.unwrap());
        let connection = Connection { scheme: "sqlite".to_owned(), database, ..Connection::default() };
        Self { _folder: Some(folder), ..Self::on(short_waits(connection), side).await }
    }

    pub async fn postgres() -> Self {
        let (variable, name) = ("TRIPHASE_TEST_POSTGRES", fresh_name());
        let mut admin = PgConnection::connect(&url(variable, "postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let side = Side::Postgres(PgConnection::connect(&url(variable, &name)).await.unwrap());
        Self::on(on_server(variable, "postgres", &name), side).await
    }

    pub async fn mariadb() -> Self {
        let (variable, name) = ("TRIPHASE_TEST_MARIADB", fresh_name());
        let mut admin = MySqlConnection::connect(&url(variable, "mysql")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let side = Side::Mariadb(MySqlConnection::connect(&url(variable, &name)).await.unwrap());
        Self::on(on_server(variable, "mariadb", &name), side).await
    }

    async fn on(target: Target, mut side: Side) -> Self {
        side.run(SWITCH).await;
        let driver = driver(&target.connection.scheme).unwrap();
        Self { driver, target, side: Mutex::new(side), _folder: None }
    }
}

/// A database of the server whose URL is in an environment variable.
fn url(variable: &str, database: &str) -> String {
    let mut url = url::Url::parse(&std::env::var(variable).unwrap()).unwrap();
    url.set_path(database);
    url.into()
}

/// The table that a handler's first statement makes.
fn table(step: usize, phase: usize) -> String {
    format!("first_{}_{}", FILES[step].1, PHASES[phase])
}

impl Field for Real {
    fn driver(&self) -> &dyn Driver {
        self.driver
    }

    fn atomic(&self) -> bool {
        match self.driver.dialect() {
            Dialect::Sqlite | Dialect::Postgres => true,
            Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => false,
        }
    }

    fn target(&self, guards: Guards) -> Target {
        Target { guards, ..self.target.clone() }
    }

    fn project(&self) -> Project {
        let mut files = Files::default();
        for (s, (_, name, ..)) in FILES.iter().enumerate() {
            let path = format!("releases/v{}.yaml", release(s));
            let mut text = files.texts.get(&path).map_or_else(|| "steps:\n".to_owned(), |text| text.to_string());
            text += &format!("  {name}:\n");
            for (p, verb) in PHASES.iter().enumerate().filter(|(p, _)| has(s, *p)) {
                let table = table(s, p);
                let then = match fails(s, p) {
                    true => "UPDATE breaker SET tripped = failing".to_owned(),
                    false => format!("INSERT INTO trail VALUES ('{table}')"),
                };
                text += &format!("    {verb}: ['CREATE TABLE {table} (x integer)', \"{then}\"]\n");
                if p < 2 && rolls(s) {
                    text += &format!("    rollback_{verb}: DROP TABLE {table}\n");
                }
            }
            files.texts.insert(path, text.into());
        }
        files.entries = files.texts.keys().cloned().collect();
        let project = project(&files, self.driver.dialect());
        assert_eq!(fixture::refusals(&project.findings), Vec::<String>::new());
        project
    }

    fn fail(&self, failing: bool) -> Later<'_, ()> {
        let text = format!("UPDATE breaker SET failing = {}", i32::from(failing));
        Box::pin(async move { self.side.lock().await.run(&text).await })
    }

    fn an_hour_passes(&self) -> Later<'_, ()> {
        Box::pin(async {
            let session = self.driver.open(&self.target, Access::Read).await.unwrap();
            if session.ledger().await.unwrap().format.is_none() {
                return;
            }
            let before = match self.driver.dialect() {
                Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', simdrop_at, '-1 hour')",
                Dialect::Postgres => "simdrop_at - interval '1 hour'",
                Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => "simdrop_at - interval 1 hour",
            };
            self.side.lock().await.run(&format!("UPDATE triphase_ledger SET simdrop_at = {before}")).await;
        })
    }

    fn states(&self) -> Later<'_, BTreeMap<String, PhaseState>> {
        Box::pin(async {
            let session = self.driver.open(&self.target, Access::Read).await.unwrap();
            let ledger = session.ledger().await.unwrap();
            let rows =
                ledger.steps.iter().flat_map(|(id, row)| Phase::ALL.iter().map(move |p| (id, *p, row.phase(*p).state)));
            let ran = rows.filter(|(.., state)| *state != PhaseState::Pending);
            ran.map(|(id, phase, state)| (format!("{id} {phase}"), state)).collect()
        })
    }

    fn is_free(&self) -> Later<'_, ()> {
        Box::pin(async {
            let session = self.driver.open(&self.target, Access::Write).await.unwrap();
            let me = me('z');
            had(session.try_lock(&me).await).release().await.unwrap();
        })
    }

    fn holds<'a>(&'a self, made: &'a BTreeSet<(usize, usize)>) -> Later<'a, ()> {
        Box::pin(async move {
            let tables = match self.driver.dialect() {
                Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE name LIKE 'first_%'",
                Dialect::Postgres => "SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'first_%'",
                Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => {
                    "SELECT CAST(table_name AS char) FROM information_schema.tables \
                     WHERE table_schema = database() AND table_name LIKE 'first_%'"
                }
            };
            let found = self.side.lock().await.ask(tables).await;
            assert_eq!(found, made.iter().map(|(s, p)| table(*s, *p)).collect());
        })
    }
}
