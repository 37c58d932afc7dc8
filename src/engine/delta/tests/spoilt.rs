//! A commit that would leave a table nobody can write is refused by the run itself, whatever the plan has seen.

use super::{act, target};
use crate::{
    engine::{Failure, delta::lake::Lake},
    ops::{Act, Does, Edit},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_would_spoil_the_table_is_refused_by_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::of(&target(folder.path())).unwrap();
    let text = r#"{"fields":[{"name":"v","type":"long","nullable":false,"metadata":{}},{"name":"w","type":"long","nullable":true,
        "metadata":{}}],"partition_by":[],"properties":{"delta.constraints.late":"w > 0"},
        "protocol":{"minReaderVersion":1,"minWriterVersion":3},"comment":null,"files":0,"bytes":0,"rows":0}"#;
    let state = Box::new(serde_json::from_str(text).unwrap());
    act(&lake, 1, Act::new("t", Does::Create { state })).await.unwrap();
    act(&lake, 2, Act::new("t", Does::Commit { checks: vec![], edits: vec![Edit::UpgradeColumnMapping] }))
        .await
        .unwrap();
    let hide = |name: &str| Edit::HideField { name: name.into(), hidden: format!("_tp_0a_{name}") };
    for (column, says) in [("w", "constraint `late`"), ("v", "`v` is never NULL")] {
        let table = || async { lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap() };
        let before = table().await.version();
        for does in [
            Does::Commit { checks: vec![], edits: vec![hide(column)] },
            Does::Rewrite { checks: vec![], edits: vec![hide(column)], columns: indexmap::IndexMap::new() },
        ] {
            let refused = act(&lake, 3, Act::new("t", does)).await;
            let Err(Failure::Handler { why, .. }) = refused else { panic!("{refused:?}") };
            assert!(why.to_string().contains(says), "{why:#}");
        }
        assert_eq!(table().await.version(), before);
    }
}
