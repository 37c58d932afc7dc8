//! All files of a table are written anew, group by group, beside the old ones, where nobody sees them, and adopted by one commit that removes
//! the old ones. What others append meanwhile is written anew as well, before the commit; where they remove anything, its group is.

use super::{
    super::{lake::Lake, trouble::Trouble},
    Run, adopt, checks,
    files::{self, Source},
    looked::Looked,
    produce::{self, Order},
    stage::{Making, Stage},
    validate,
};
use crate::{
    engine::Doing,
    failpoint,
    ops::{Check, Edit},
};
use deltalake::DeltaTable;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// Produces what is missing, checks, validates, adopts.
///
/// # Errors
/// [`Trouble::Moved`] where others were first: what was produced stays for the next try, in memory and in the staging folder.
pub async fn run(
    run: &Run<'_>,
    table: &DeltaTable,
    checks: &[Check],
    edits: &[Edit],
    columns: &IndexMap<String, String>,
    looked: &mut Looked,
) -> Result<(), Trouble> {
    let state = super::table::state(table)?;
    let next = super::rewritten(&state, edits)?;
    adopt::may_replace(&state, !columns.is_empty())?;
    checks::all(&run.evidence.whose, table, checks, looked).await?;
    let live = files::live(table, None)?;
    let put = run.evidence.put("REWRITE");
    if live.is_empty() {
        let actions = super::table::changes(table, &state, &next)?;
        return super::put(table, actions, &put).await;
    }
    let making = Making::new(&state, &next, columns);
    // What was produced for a version that others have overtaken is there still.
    let mut stage = match looked.staged.take() {
        Some(staged) if staged.making == making => staged.stage,
        Some(_) | None => Stage::open(run, table, &making).await?,
    };
    let order = Order { table, files: &live, states: (&state, &next), columns, beside: None };
    run.lake.meter.begin(Doing::Rewrite, live.len() as u64, files::rows(&live));
    let done: BTreeSet<String> = stage.usable(&live).iter().flat_map(|group| group.sources.clone()).collect();
    let (done, missing): (Vec<Source>, Vec<Source>) = live.iter().cloned().partition(|file| done.contains(&file.key));
    run.lake.meter.files(done.len() as u64);
    run.lake.meter.rows(files::rows(&done).unwrap_or_default());
    looked.works(missing.len());
    for group in files::groups(missing, None, order.sorts()) {
        failpoint::point("before a group is produced");
        let adds = produce::produce(run, Order { files: &group, ..order }, stage.store()).await?;
        failpoint::point("before a group is kept");
        stage.keep(run, &group, adds).await?;
    }
    let groups = stage.usable(&live);
    validate::validate(&stage, &groups, order, looked).await?;
    failpoint::point("before an adoption");
    // Rows that are as they were are no change for those who follow the table.
    let adopted = adopt::adopt(table, &stage, &groups, order.states, !columns.is_empty(), &put).await;
    if let Err(Trouble::Moved) = adopted {
        looked.staged = Some(Staged { making, stage });
        return adopted;
    }
    adopted?;
    failpoint::point("after an adoption");
    close(run.lake, table, stage).await;
    Ok(())
}

/// What was produced on a version that others have overtaken.
#[derive(Debug)]
pub struct Staged {
    making: Making,
    stage: Stage,
}

/// Clears a staging folder, all of which that is of use was adopted.
pub async fn close(lake: &Lake, table: &DeltaTable, stage: Stage) {
    match lake.open(table.table_url()).await {
        Ok(Some(now)) => stage.close(&now).await,
        Ok(None) | Err(_) => tracing::info!("a staging folder was left behind: its table can't be read"),
    }
}
