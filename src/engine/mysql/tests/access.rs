//! A target that lets nobody in.

use super::{
    super::{
        super::{Access, Driver as _, Failure, testing::failed},
        Mysql,
    },
    fresh,
};
use crate::target::Secret;

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
        let failure = failed(Mysql::MYSQL.open(&target, Access::Read).await);
        assert!(matches!(failure, Failure::Access(_)), "{failure}");
        let said = format!("{failure} {failure:?}");
        assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
    }
}
