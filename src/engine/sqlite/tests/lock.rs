//! The lock names its holder, and fences who lost it off.

use super::{
    super::{
        super::{
            Failure, Stop,
            testing::{lone, sql},
        },
        lock,
    },
    begun, hold, me, open, run_script, schema, unit,
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn another_run_fences_this_one_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    run_script(&file, "UPDATE triphase_run SET run_id = 'r2'").unwrap();
    for actions in [vec![sql("CREATE TABLE a (x)")], vec![lone("CREATE TABLE a (x)")]] {
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
