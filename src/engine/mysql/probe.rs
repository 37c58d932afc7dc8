//! Whether a statement that commits by itself has been applied (rule L4): its `done_when`, else what `information_schema` says of what the
//! statement makes, removes or renames. Nothing is guessed: what that does not tell is a person's question.

use super::{
    super::Failure,
    error::{Broken, Trouble as _},
    session::Open,
    settings::literal,
};
use crate::{
    action::Action,
    ledger::Verdict,
    sql::{self, Change, Ddl, Named, Object},
};
use anyhow::anyhow;

/// Whether something could ever tell of the action.
pub(super) fn could_tell(action: &Action) -> bool {
    match action {
        Action::Sql { done_when: Some(_), .. } => true,
        Action::Sql { text, done_when: None, .. } => sql::ddl(text).is_some(),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => false,
    }
}

/// Whether the action has been applied.
pub(super) async fn ask(open: &Open, action: &Action) -> Result<Verdict, Failure> {
    let text = match action {
        Action::Sql { done_when: Some(query), .. } => {
            return match open.truth(query).await {
                Ok(true) => Ok(Verdict::Applied),
                Ok(false) => Ok(Verdict::Not),
                Err(broken) if broken.gone() => Err(broken.access("cannot ask done_when")),
                Err(broken) => Err(Failure::Handler {
                    at: 0,
                    why: anyhow!("{}", broken.words()).context(format!("done_when `{query}`")),
                }),
            };
        }
        // A query changes nothing.
        Action::Expect { .. } => return Ok(Verdict::Not),
        Action::Shell { .. } | Action::Operation { .. } => return Ok(Verdict::Unknown),
        Action::Sql { text, done_when: None, .. } => text,
    };
    if sql::sets_session(text) {
        return Ok(Verdict::Not);
    }
    let Some(ddl) = sql::ddl(text) else { return Ok(Verdict::Unknown) };
    let mut found = Vec::with_capacity(ddl.changes.len());
    for (change, _) in &ddl.changes {
        let one = applied(open, change).await;
        found.push(one.map_err(|b| b.access(&format!("cannot ask whether this was applied: {text}")))?);
    }
    Ok(verdict(&ddl, &found))
}

/// What a statement is to make that is there already, so that the server would refuse it; none where there is nothing, where that can't be
/// told, and where the statement asks for it only if it is not there.
pub(super) async fn made_already(open: &Open, text: &str) -> Result<Option<String>, Failure> {
    let Some(ddl) = sql::ddl(text) else { return Ok(None) };
    for (change, guarded) in &ddl.changes {
        let (Change::Makes(object), false) = (change, guarded) else { continue };
        // A table that the statement itself empties of a name may give it away again.
        let removed = ddl.changes.iter().any(|(other, _)| match other {
            Change::Removes(_) | Change::Renames(..) => true,
            Change::Makes(_) | Change::Again | Change::Unknown => false,
        });
        let there = is_there(open, object).await;
        let there = there.map_err(|b| b.access(&format!("cannot ask what is there before this: {text}")))?;
        if there == Some(true) && !removed {
            return Ok(Some(named(object)));
        }
    }
    Ok(None)
}

fn named(object: &Object) -> String {
    match object {
        Object::Table(of) => format!("`{}`", of.name),
        Object::Column(of, name) => format!("column `{name}` of `{}`", of.name),
        Object::Index(of, name) => format!("index `{name}` of `{}`", of.name),
        Object::Constraint(of, name) => format!("constraint `{name}` of `{}`", of.name),
        Object::Trigger(of) => format!("trigger `{}`", of.name),
        Object::Routine(of, _) => format!("routine `{}`", of.name),
        Object::Event(of) => format!("event `{}`", of.name),
        Object::Database(name) => format!("database `{name}`"),
    }
}

/// What the changes' states come to: `Some(true)` is applied, `Some(false)` is not, `None` is not known.
fn verdict(ddl: &Ddl, found: &[Option<bool>]) -> Verdict {
    let is = |wanted: Option<bool>| found.iter().all(|one| *one == wanted);
    let guarded = ddl.changes.iter().all(|(change, guarded)| *guarded || *change == Change::Again);
    let again = ddl.changes.iter().all(|(change, _)| *change == Change::Again);
    if is(Some(true)) {
        return Verdict::Applied;
    }
    if is(Some(false)) || again || guarded {
        return Verdict::Not;
    }
    if !ddl.whole {
        return Verdict::Unknown;
    }
    // One statement is applied as a whole or not at all, so each change that tells anything tells it for all. One that is made only where it
    // is not there yet tells nothing.
    let told = ddl.changes.iter().zip(found).filter(|((_, guarded), _)| !guarded).filter_map(|(_, one)| *one);
    let told: Vec<bool> = told.collect();
    match (told.contains(&true), told.contains(&false)) {
        (true, false) => Verdict::Applied,
        (false, true) => Verdict::Not,
        (true, true) | (false, false) => Verdict::Unknown,
    }
}

async fn applied(open: &Open, change: &Change) -> Result<Option<bool>, Broken> {
    Ok(match change {
        Change::Makes(object) => is_there(open, object).await?,
        Change::Removes(object) => is_there(open, object).await?.map(|there| !there),
        Change::Renames(from, to) => match (is_there(open, from).await?, is_there(open, to).await?) {
            (Some(false), Some(true)) => Some(true),
            (Some(true), Some(false)) => Some(false),
            (_, _) => None,
        },
        Change::Again | Change::Unknown => None,
    })
}

/// Whether an object is there; `None` where that can't be seen: what belongs to a table can't, where the table is not there.
async fn is_there(open: &Open, object: &Object) -> Result<Option<bool>, Broken> {
    let schema = |named: &Named| literal(named.schema.as_deref().unwrap_or(&open.about.database));
    let of_table =
        |table: &Named| format!("table_schema = {} AND table_name = {}", schema(table), literal(&table.name));
    let (query, table) = match object {
        Object::Table(table) => (format!("information_schema.tables WHERE {}", of_table(table)), None),
        Object::Column(table, name) => (
            format!("information_schema.columns WHERE {} AND column_name = {}", of_table(table), literal(name)),
            Some(table),
        ),
        Object::Index(table, name) => (
            format!("information_schema.statistics WHERE {} AND index_name = {}", of_table(table), literal(name)),
            Some(table),
        ),
        // Dropped as a constraint, a unique one is an index as well.
        Object::Constraint(table, name) => (
            format!(
                "information_schema.table_constraints WHERE {} AND constraint_name = {}",
                of_table(table),
                literal(name)
            ),
            Some(table),
        ),
        Object::Trigger(trigger) => (
            format!(
                "information_schema.triggers WHERE trigger_schema = {} AND trigger_name = {}",
                schema(trigger),
                literal(&trigger.name)
            ),
            None,
        ),
        Object::Routine(routine, function) => (
            format!(
                "information_schema.routines WHERE routine_schema = {} AND routine_name = {} AND routine_type = {}",
                schema(routine),
                literal(&routine.name),
                literal(if *function { "FUNCTION" } else { "PROCEDURE" })
            ),
            None,
        ),
        Object::Event(event) => (
            format!(
                "information_schema.events WHERE event_schema = {} AND event_name = {}",
                schema(event),
                literal(&event.name)
            ),
            None,
        ),
        Object::Database(name) => (format!("information_schema.schemata WHERE schema_name = {}", literal(name)), None),
    };
    if let Some(table) = table
        && open.ask_one(&format!("SELECT 1 FROM information_schema.tables WHERE {}", of_table(table))).await?.count == 0
    {
        return Ok(None);
    }
    Ok(Some(open.ask_one(&format!("SELECT 1 FROM {query} LIMIT 1")).await?.count > 0))
}

/// Whether a statement changes rows: what a table without transactions keeps of it where it fails half-way.
pub(super) fn is_dml(text: &str) -> bool {
    sql::ddl(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_that_tells_decides_the_statement() {
        let of = |text: &str, found: &[Option<bool>]| sql::ddl(text).map(|ddl| verdict(&ddl, found));
        for (text, found, expected) in [
            ("ALTER TABLE t ADD a int, MODIFY b text", vec![Some(true), None], Verdict::Applied),
            ("ALTER TABLE t ADD a int, MODIFY b text", vec![Some(false), None], Verdict::Not),
            ("ALTER TABLE t ADD a int, DROP b", vec![Some(true), Some(false)], Verdict::Unknown),
            (
                "ALTER TABLE t ADD a int, DROP PRIMARY KEY, ADD PRIMARY KEY (a)",
                vec![Some(true), None, None],
                Verdict::Applied,
            ),
            ("ALTER TABLE t MODIFY b text", vec![None], Verdict::Not),
            ("ALTER TABLE t ADD KEY (a)", vec![None], Verdict::Unknown),
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int, DROP b", vec![Some(true), Some(false)], Verdict::Not),
            ("DROP TABLE a, b", vec![Some(true), Some(false)], Verdict::Unknown),
            ("DROP TABLE IF EXISTS a, b", vec![Some(true), Some(false)], Verdict::Not),
        ] {
            assert_eq!(of(text, &found), Some(expected), "{text}");
        }
    }
}
