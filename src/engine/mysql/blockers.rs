//! Who blocks a statement (rule X5), as far as the server tells and this user may know.

use super::{differ::Version, error::Broken, wire::Wire};
use std::collections::BTreeSet;

/// A line for each session that the work connection waits for; where that can't be had, a line that says what is missing.
pub(super) async fn of(wire: &mut Wire, version: &Version, work: &str) -> Vec<String> {
    let state = format!("SELECT coalesce(STATE, '') FROM information_schema.processlist WHERE id = {work}");
    let Ok(state) = wire.one(&state).await else { return Vec::new() };
    let state = state.first().unwrap_or_default().to_lowercase();
    let metadata = state.contains("metadata lock") || state.contains("backup lock");
    if metadata {
        for query in [instrumented(work), plugin(work)] {
            if let Ok(ids) = ids(wire, &query).await
                && !ids.is_empty()
            {
                return described(wire, &ids, "").await;
            }
        }
        // Who keeps book would have named it: the wait is over.
        if state.contains("table metadata lock") && keeps_book(wire).await {
            return Vec::new();
        }
        return likely(wire, work).await;
    }
    match ids(wire, &version.row_lock_waits(work)).await {
        Ok(ids) => described(wire, &ids, "").await,
        Err(_) => Vec::new(),
    }
}

/// By `performance_schema`, which MariaDB turns on by request only (manuals, "The metadata_locks Table").
fn instrumented(work: &str) -> String {
    format!(
        "SELECT DISTINCT h.PROCESSLIST_ID FROM performance_schema.metadata_locks w \
         JOIN performance_schema.threads t ON t.THREAD_ID = w.OWNER_THREAD_ID AND t.PROCESSLIST_ID = {work} \
         JOIN performance_schema.metadata_locks g ON g.LOCK_STATUS = 'GRANTED' AND g.OBJECT_TYPE = w.OBJECT_TYPE \
         AND g.OBJECT_SCHEMA <=> w.OBJECT_SCHEMA AND g.OBJECT_NAME <=> w.OBJECT_NAME AND g.OWNER_THREAD_ID <> w.OWNER_THREAD_ID \
         JOIN performance_schema.threads h ON h.THREAD_ID = g.OWNER_THREAD_ID \
         WHERE w.LOCK_STATUS = 'PENDING' AND h.PROCESSLIST_ID IS NOT NULL AND w.OBJECT_TYPE = 'TABLE'"
    )
}

/// Whether the server writes down who has which table, and this user may read it.
async fn keeps_book(wire: &mut Wire) -> bool {
    let query = "SELECT 1 FROM performance_schema.setup_instruments WHERE @@performance_schema = 1 \
                 AND NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES'";
    wire.one(query).await.is_ok_and(|given| given.count > 0)
}

/// By MariaDB's plugin, where it is installed. It does not show who waits: whoever holds a table that the statement names does.
fn plugin(work: &str) -> String {
    format!(
        "SELECT DISTINCT l.THREAD_ID FROM information_schema.metadata_lock_info l \
         JOIN information_schema.processlist p ON p.ID = {work} AND p.INFO LIKE concat('%', l.TABLE_NAME, '%') \
         WHERE l.THREAD_ID <> {work} AND l.LOCK_TYPE = 'Table metadata lock'"
    )
}

/// Without either: a table is held by an open transaction, or by LOCK TABLES. Of those, what the server shows.
async fn likely(wire: &mut Wire, work: &str) -> Vec<String> {
    let transactions = format!(
        "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id NOT IN (0, {work})"
    );
    match ids(wire, &transactions).await {
        Ok(ids) if !ids.is_empty() => described(wire, &ids, "perhaps ").await,
        Ok(_) => vec![
            "a session that holds the table and that the server does not name (performance_schema is off, and the plugin \
             metadata_lock_info is not installed)"
                .to_owned(),
        ],
        Err(_) => vec!["a session that this user may not see: GRANT PROCESS ON *.* TO it, to have it named".to_owned()],
    }
}

async fn ids(wire: &mut Wire, query: &str) -> Result<BTreeSet<String>, Broken> {
    Ok(wire.one(query).await?.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

async fn described(wire: &mut Wire, ids: &BTreeSet<String>, how: &str) -> Vec<String> {
    if ids.is_empty() {
        return Vec::new();
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let query = format!(
        "SELECT concat('connection ', ID, ' (user ', USER, ', from ', HOST, '): ', TIME, ' s, ', COMMAND, ', ', \
         coalesce(left(replace(INFO, '\\n', ' '), 80), 'idle in a transaction')) \
         FROM information_schema.processlist WHERE ID IN ({})",
        ids.join(", ")
    );
    let rows = wire.one(&query).await.map(|given| given.rows).unwrap_or_default();
    let lines: Vec<String> = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .map(|line| format!("{how}{line}"))
        .collect();
    if lines.is_empty() { vec![format!("{how}connection {}", ids.join(", "))] } else { lines }
}
