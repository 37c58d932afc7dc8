//! What `benches/lake` measures beside the binary, in one process, so that starting one is not measured:
//!
//! - `commit LAKE TABLE ROUNDS`: the median time of one metadata commit, bare and as an act of triphase, in turns, as JSON;
//! - `copy FROM TO`: a plain DataFusion read of a folder's Parquet files and write of them, compressed as Delta tables are.

use anyhow::{Result, anyhow};
use deltalake::{
    DeltaTableBuilder,
    datafusion::{config::TableParquetOptions, dataframe::DataFrameWriteOptions, prelude::*},
    kernel::{
        Action, MetadataExt as _, Transaction,
        transaction::{CommitBuilder, CommitProperties},
    },
    protocol::DeltaOperation,
};
use std::{collections::HashMap, path::Path, time::Instant};
use triphase::{
    config::{Choice, target},
    engine::delta::bench,
    model::{StepId, Version},
    ops::{Act, Does, Edit},
};
use url::Url;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` passes `--bench`.
    let given: Vec<String> = std::env::args().skip(1).filter(|given| given != "--bench").collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match given.as_slice() {
        ["commit", lake, table, rounds] => commit(lake, table, rounds.parse()?).await,
        ["copy", from, to] => copy(from, to).await,
        _ => {
            println!("benches/lake runs this; see there");
            Ok(())
        }
    }
}

async fn commit(lake: &str, table: &str, rounds: u32) -> Result<()> {
    let choice = Choice { conn: Some(format!("delta://{lake}")), ..Choice::default() };
    let target = target(&choice).map_err(|findings| anyhow!("{findings:?}"))?;
    let step = StepId::new(Version::parse("v1").map_err(|why| anyhow!("{why:?}"))?, "bench");
    let place = Url::from_directory_path(Path::new(lake).join(table)).map_err(|()| anyhow!("{lake} is no folder"))?;
    let (mut bare, mut ours) = (vec![], vec![]);
    for round in 0..rounds {
        let value = format!("{round}");
        let began = Instant::now();
        one(&place, &value, round).await?;
        bare.push(began.elapsed());
        let edits = vec![Edit::SetProperty { key: "bench.ours".to_owned(), value }];
        let act = Act::new(table, Does::Commit { checks: vec![], edits });
        let began = Instant::now();
        bench::act(&target, &step, i64::from(round) + 1, &act).await?;
        ours.push(began.elapsed());
    }
    let median = |times: &mut Vec<std::time::Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1000.0
    };
    println!("{}", serde_json::json!({ "bare_ms": median(&mut bare), "ours_ms": median(&mut ours) }));
    Ok(())
}

/// One bare commit of the library: the same actions, on the table's newest version.
async fn one(place: &Url, value: &str, round: u32) -> Result<()> {
    let table = DeltaTableBuilder::from_url(place.clone())?.load().await?;
    let state = table.snapshot()?;
    let metadata = state.metadata().clone().add_config_key("bench.bare".to_owned(), value.to_owned())?;
    let transaction = Transaction::new("bench/bare", i64::from(round) + 1);
    let properties = CommitProperties::default().with_max_retries(0).with_application_transaction(transaction);
    let operation = DeltaOperation::SetTableProperties { properties: HashMap::new() };
    CommitBuilder::from(properties)
        .with_actions(vec![Action::Metadata(metadata)])
        .build(Some(state), table.log_store(), operation)
        .await?;
    Ok(())
}

async fn copy(from: &str, to: &str) -> Result<()> {
    let context = SessionContext::new();
    let frame = context.read_parquet(from, ParquetReadOptions::default()).await?;
    let mut options = TableParquetOptions::default();
    options.global.compression = Some("snappy".to_owned());
    frame.write_parquet(to, DataFrameWriteOptions::new(), Some(options)).await?;
    Ok(())
}
