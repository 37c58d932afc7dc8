//! The session in which tables are read and changed: the library's own, but for timestamps that Spark wrote.

use deltalake::{
    datafusion::{
        catalog::Session,
        prelude::{SessionConfig, SessionContext},
    },
    delta_datafusion::create_session,
};
use std::sync::Arc;

/// Lets a session read what Spark writes: timestamps as INT96, unless it is told otherwise. The library reads those as nanoseconds of 64
/// bits, in which there is no year before 1677 and none after 2262: 9999 comes out as 1816, and an UPDATE then stores that. Delta's
/// timestamps are microseconds (`PROTOCOL.md`, "Primitive Types"), and so they are read.
pub fn read_spark(config: &mut SessionConfig) {
    config.options_mut().execution.parquet.coerce_int96 = Some("us".to_owned());
}

/// A new session.
pub fn session() -> SessionContext {
    let context = create_session().into_inner();
    read_spark(context.state_ref().write().config_mut());
    context
}

/// The same for the library's own builders.
pub fn state() -> Arc<dyn Session> {
    let session = session();
    super::folder::register(&session);
    Arc::new(session.state())
}
