//! Who blocks the statement at work (rule X5).

use super::{super::Failure, error::Trouble as _, lock, session::Pg, text::literal};

/// Pid, query and age of each session that blocks the one at work: process `pid`, or where that is not known (it is empty) the one that
/// goes by `run`'s name.
pub(super) async fn of(pg: &Pg, pid: &str, run: &str) -> Result<Vec<String>, Failure> {
    let at_work = if pid.is_empty() {
        format!(
            "(SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = {} AND state <> 'idle')",
            literal(&lock::name(run))
        )
    } else {
        format!("(SELECT {pid}::int AS pid)")
    };
    let text = format!(
        "SELECT format('pid %s (user %s, app %s): %s s, %s', a.pid, a.usename, coalesce(nullif(a.application_name, ''), '-'), \
         coalesce(floor(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start)))::text, '?'), \
         left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80)) \
         FROM {at_work} w, unnest(pg_blocking_pids(w.pid)) b(pid) JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid"
    );
    let given = pg.lock.lock().await.all(text).await.map_err(|b| b.access("cannot ask who blocks"))?;
    Ok(given.into_iter().flat_map(|g| g.rows).filter_map(|row| row.into_iter().next().flatten()).collect())
}
