//! How much memory looking at rows and writing files anew may take, whatever the table's size. DataFusion streams batch by batch; what it
//! must hold (a sort, groups) is bounded by a pool, and spills to files beyond that. Files are written by a few streams, each with one row
//! group in memory, and closed as they grow.

use deltalake::{
    datafusion::{
        execution::SessionStateBuilder,
        prelude::{SessionConfig, SessionContext},
    },
    delta_datafusion::{DeltaRuntimeEnvBuilder, DeltaSessionContext},
};

/// What sorts and groups may hold, in bytes.
const POOL: usize = 256 << 20;
/// How many streams read and write at once, at most: each holds a row group.
const STREAMS: usize = 4;
/// What one row group may take before it is written, in bytes.
pub const ROW_GROUP: usize = 32 << 20;
/// What the batches of one stream may come to, in bytes, before the files of all partitions that it has open are closed.
pub const OPEN: usize = 96 << 20;

/// A session within these bounds.
pub fn session() -> SessionContext {
    let runtime = DeltaRuntimeEnvBuilder::new().with_max_spill_size(POOL).build();
    let state = DeltaSessionContext::with_runtime_env(runtime).state();
    let config: SessionConfig = state.config().clone();
    let streams = std::thread::available_parallelism().map_or(1, usize::from).min(STREAMS);
    // What is read is written again: files have no views of texts.
    let mut config =
        config.with_target_partitions(streams).set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    super::context::read_spark(&mut config);
    SessionContext::new_with_state(SessionStateBuilder::new_from_existing(state).with_config(config).build())
}
