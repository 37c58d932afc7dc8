//! A script leaves in a bare `psql` what a run leaves.

use super::{
    super::{
        super::{
            Driver as _, Stop,
            testing::{CREATE, alone, expect, had, me, sql, unit},
        },
        Postgres,
    },
    fresh, one, open,
};
use crate::target::Secret;
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_script_leaves_what_a_run_leaves() {
    let units = || {
        vec![
            unit(vec![
                sql("CREATE TABLE t (a int) -- it's"),
                expect("SELECT count(*) = 0 FROM t -- none"),
                sql("INSERT INTO t VALUES (1)"),
                expect("SELECT count(*) FROM t"),
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
