//! Which statements can share a transaction with their ledger row (rule L4): those all of whose tables are transactional. It goes by every
//! word of a statement that is some table's name, so it may find too many, and never too few.

use super::{
    super::Failure,
    error::{Broken, Trouble as _},
    settings::literal,
    wire::Wire,
};
use crate::{action::Action, model::Dialect, sql};
use std::collections::BTreeSet;

/// For each action, whether it commits by itself although its text does not tell.
pub(super) async fn alone(wire: &mut Wire, database: &str, actions: &[Action]) -> Result<Vec<bool>, Failure> {
    let mut all = Vec::with_capacity(actions.len());
    for action in actions {
        let alone = match action {
            Action::Sql { alone: true, .. }
            | Action::Shell { .. }
            | Action::Expect { .. }
            | Action::Operation { .. } => false,
            Action::Sql { text, .. } if sql::sets_session(text) => false,
            Action::Sql { text, .. } => match sql::names(Dialect::Mysql, text) {
                Some(names) => by_itself(wire, database, &names)
                    .await
                    .map_err(|b| b.access("cannot ask what tables are made of"))?,
                None => true,
            },
        };
        all.push(alone);
    }
    Ok(all)
}

async fn by_itself(wire: &mut Wire, database: &str, names: &BTreeSet<String>) -> Result<bool, Broken> {
    let listed = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    if listed.is_empty() {
        return Ok(false);
    }
    // Any of the names may be a database's, too. One by one: the server reads only the folder of a database that a query names by `=`.
    let schemas = format!(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ({}, {listed}) AND schema_name NOT IN ({SYSTEM})",
        literal(database)
    );
    let mut indirect = false;
    for schema in wire.one(&schemas).await?.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()) {
        let schema = literal(&schema);
        // What a trigger, a view or a function reaches is not in the text.
        let query = format!(
            "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE {WITHOUT} AND table_schema = {schema} \
             AND table_name IN ({listed})), \
             EXISTS (SELECT 1 FROM information_schema.triggers WHERE event_object_schema = {schema} \
             AND event_object_table IN ({listed})) OR \
             EXISTS (SELECT 1 FROM information_schema.views WHERE table_schema = {schema} AND table_name IN ({listed})) OR \
             EXISTS (SELECT 1 FROM information_schema.routines WHERE routine_schema = {schema} AND routine_name IN ({listed}))"
        );
        let given = wire.one(&query).await?;
        if given.column(0) != Some("0") {
            return Ok(true);
        }
        indirect |= given.column(1) != Some("0");
    }
    // Then no table anywhere may be without transactions.
    let anywhere = format!(
        "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE {WITHOUT} AND table_schema NOT IN ({SYSTEM}))"
    );
    Ok(indirect && wire.one(&anywhere).await?.first() != Some("0"))
}

/// The server's own databases.
const SYSTEM: &str = "'mysql', 'information_schema', 'performance_schema', 'sys'";
/// Tables without transactions; one whose engine the server can't tell is one of them.
const WITHOUT: &str = "table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND coalesce(engine, '') NOT IN \
    (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')";
