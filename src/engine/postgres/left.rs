//! What a concurrent statement leaves on the target where it is cut short, by a crash or by its own failure, and how that is cleared
//! (rule L3).

use super::{
    super::{Failure, OwnWords},
    error::Trouble as _,
    probe::quoted,
    session::Pg,
    text::literal,
};
use crate::{
    action::Action,
    ledger::Leftover,
    sql::{self, Concurrent, Shape},
};
use anyhow::anyhow;

/// A statement that may leave something.
pub(super) enum Leaves {
    /// An index that is built concurrently, and so is invalid where that was cut short.
    Index {
        /// Its own name.
        name: String,
        /// Its table.
        table: Vec<String>,
        /// What tells it from another index of that name.
        shape: Shape,
    },
    /// Indexes that are rebuilt concurrently (PostgreSQL's manual, REINDEX, "Rebuilding Indexes Concurrently"): the new one is called
    /// `…_ccnew` until it takes the old one's place, which is `…_ccold` from then on. An invalid one of either name is left over.
    Rebuilt {
        /// `INDEX`, `TABLE`, `SCHEMA`, `DATABASE` or `SYSTEM`.
        kind: String,
        /// Whose.
        name: Option<Vec<String>>,
    },
    /// A partition that is detached concurrently (manual, ALTER TABLE, "DETACH PARTITION"): cut short, it is pending, and can only be
    /// detached to the end.
    Partition {
        /// The partitioned table.
        table: Vec<String>,
        /// Its partition.
        partition: Vec<String>,
    },
}

/// What a statement may leave; none for one that leaves nothing.
pub(super) fn leaves(text: &str) -> Option<Leaves> {
    match sql::index_concurrently(text)? {
        Concurrent::Create { name, table, shape } => Some(Leaves::Index { name: name?.pop()?, table, shape }),
        Concurrent::Reindex { kind, name } => Some(Leaves::Rebuilt { kind, name }),
        Concurrent::Detach { table, partition } => Some(Leaves::Partition { table, partition }),
        Concurrent::Drop { .. } | Concurrent::AddValue { .. } => None,
    }
}

impl Leaves {
    /// Whether clearing it finishes the statement; else it is then as if it had never run.
    pub(super) const fn finishes(&self) -> bool {
        match self {
            Self::Partition { .. } => true,
            Self::Index { .. } | Self::Rebuilt { .. } => false,
        }
    }

    /// A query that gives the statements which clear what is left, a row each.
    pub(super) fn query(&self) -> String {
        const DROP: &str =
            "'DROP INDEX CONCURRENTLY IF EXISTS ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)";
        match self {
            // One that a session builds at this moment is another's: a run's own earlier sessions are ended before anything is cleared.
            Self::Index { name, table, .. } => {
                let left =
                    format!("{INVALID} AND NOT EXISTS (SELECT 1 FROM ({BUILDERS}) b WHERE b.index_relid = c.oid)");
                index(DROP, name, table, &left)
            }
            Self::Rebuilt { kind, name } => {
                let of = rebuilt(kind, name.as_deref());
                format!(
                    "SELECT {DROP} FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND {of} ORDER BY 1"
                )
            }
            Self::Partition { table, partition } => {
                let finish = format!("ALTER TABLE {} DETACH PARTITION {} FINALIZE", quoted(table), quoted(partition));
                format!("SELECT {} WHERE {}", literal(&finish), pending(table, partition))
            }
        }
    }

    /// The statements that clear what is left.
    pub(super) async fn clear(&self, pg: &Pg) -> Result<Vec<String>, Failure> {
        pg.values(&self.query()).await.map_err(|b| b.access("cannot look for what an attempt left"))
    }

    /// A statement that fails unless the index is there and valid; none where there is nothing to demand.
    pub(super) fn demand(&self) -> Option<String> {
        match self {
            Self::Index { name, table, .. } => {
                let found = valid(name, table);
                let message = format!("index {name} is not valid; drop it and build it again");
                Some(super::text::demand(&format!("EXISTS ({found})"), &message, "P0001"))
            }
            Self::Rebuilt { .. } | Self::Partition { .. } => None,
        }
    }

    /// A query that is true once the statement has been applied; none where it may simply run again. An index is the statement's own if it
    /// is as the statement has it, as far as the catalogue and the text can be compared.
    pub(super) fn applied(&self) -> Option<String> {
        match self {
            Self::Index { name, table, shape } => {
                let own = format!("i.indisvalid AND i.indisready AND {}", shaped(shape));
                Some(format!("SELECT EXISTS ({})", index("1", name, table, &own)))
            }
            Self::Rebuilt { .. } => None,
            // A partition that is not there at all was not detached by this.
            Self::Partition { table, partition } => {
                let (table, partition) = (regclass(table), regclass(partition));
                Some(format!(
                    "SELECT {table} IS NOT NULL AND {partition} IS NOT NULL AND NOT EXISTS \
                     (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhrelid = {partition} AND inhparent = {table})"
                ))
            }
        }
    }
}

impl Leaves {
    /// A query that is true where the name of what the statement makes is another relation's: the server would refuse it. `tried`: an
    /// invalid index of that name on the same table may be an earlier attempt's. None where no name is at stake.
    pub(super) fn taken(&self, tried: bool) -> Option<String> {
        match self {
            Self::Index { shape: Shape { guarded: true, .. }, .. } | Self::Rebuilt { .. } | Self::Partition { .. } => {
                None
            }
            Self::Index { name, table, shape: _ } => {
                let left = "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indexrelid = r.oid AND i.indrelid = t.oid \
                            AND NOT (i.indisvalid AND i.indisready))";
                Some(format!(
                    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class r JOIN pg_catalog.pg_class t ON t.relnamespace = r.relnamespace \
                     WHERE t.oid = {} AND r.relname = {} {})",
                    regclass(table),
                    literal(name),
                    if tried { left } else { "" }
                ))
            }
        }
    }

    /// Refuses as the server would, before anything is announced, where the name is taken already: else what is there would be taken
    /// for the statement's own once that is cut short.
    pub(super) async fn refuse_taken(&self, pg: &Pg, tried: bool) -> Result<(), Failure> {
        let Self::Index { name, shape, .. } = self else { return Ok(()) };
        // `IF NOT EXISTS` leaves what is there as it is, and the server says that all is well.
        let leaves_it = shape.guarded && (!tried || self.clear(pg).await?.is_empty());
        if leaves_it {
            return self.refuse_invalid(pg).await;
        }
        let Some(query) = self.taken(tried) else { return Ok(()) };
        if pg.truth(&query).await.map_err(|b| b.access("cannot look whether an index's name is taken"))? {
            let why = anyhow!("relation \"{name}\" already exists, and is not this statement's (SQLSTATE 42P07)");
            return Err(Failure::Handler { at: 0, why });
        }
        Ok(())
    }
}

impl Leaves {
    /// Refuses where an index of the statement's name is on its table, and is not valid: it is not what the statement makes, and what
    /// another has made, or makes now, is not ours to drop.
    pub(super) async fn refuse_invalid(&self, pg: &Pg) -> Result<(), Failure> {
        let Self::Index { name, table, .. } = self else { return Ok(()) };
        let asking = |b: super::error::Broken| b.access("cannot look for an index that is not valid");
        // Its name, or the process that builds it.
        let found = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)";
        let builder = format!("(SELECT b.pid::text FROM ({BUILDERS}) b WHERE b.index_relid = c.oid LIMIT 1)");
        let invalid = pg.values(&index(found, name, table, INVALID)).await.map_err(asking)?;
        let Some(found) = invalid.first() else { return Ok(()) };
        let builders = pg.values(&index(&builder, name, table, INVALID)).await.map_err(asking)?;
        let way_out = match builders.first() {
            Some(pid) => format!("session {pid} is building it: wait for its end, then run the same command again"),
            None => format!(
                "unless somebody is building it, drop it (DROP INDEX CONCURRENTLY {found}), then run the same command again"
            ),
        };
        let why = format!("index {found} is there, is not valid, and is not what this statement built; {way_out}");
        Err(Failure::Handler { at: 0, why: OwnWords(why).into() })
    }
}

/// What has the name of what an action makes, and is not as the action has it.
pub(super) async fn foreign(pg: &Pg, action: &Action) -> Result<Option<String>, Failure> {
    let Action::Sql { text, alone: true, .. } = action else { return Ok(None) };
    let leaves = leaves(text);
    let Some(leaves @ Leaves::Index { name, .. }) = &leaves else { return Ok(None) };
    let asking = |b: super::error::Broken| b.access("cannot look whose an index is");
    let (Some(taken), Some(applied)) = (leaves.taken(true), leaves.applied()) else { return Ok(None) };
    let foreign = pg.truth(&taken).await.map_err(asking)? && !pg.truth(&applied).await.map_err(asking)?;
    Ok(foreign.then(|| format!("relation \"{name}\"")))
}

/// What an action left where it was cut short.
pub(super) async fn left(pg: &Pg, action: &Action) -> Result<Option<Leftover>, Failure> {
    let leaves = match action {
        Action::Sql { text, alone: true, .. } => leaves(text),
        Action::Sql { alone: false, .. } | Action::Expect { .. } | Action::Shell { .. } => None,
        Action::Operation { .. } => None,
    };
    let Some(leaves) = leaves else { return Ok(None) };
    let clear: Vec<Action> =
        leaves.clear(pg).await?.into_iter().map(|text| Action::Sql { text, alone: true, done_when: None }).collect();
    Ok((!clear.is_empty()).then(|| Leftover { clear, applies: leaves.finishes() }))
}

/// A condition on index row `i`: nobody can use it.
const INVALID: &str = "NOT (i.indisvalid AND i.indisready)";
/// The indexes of this database that others are building, and by which processes (manual, 28.4.4); of another role's only who may read
/// all statistics sees the index. The view has those of all databases, whose numbers are alike; and a run's own session stands in it
/// until it is through with a statement whose failure was told already.
const BUILDERS: &str = "SELECT p.pid, p.index_relid FROM pg_catalog.pg_stat_progress_create_index p \
    JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid \
    WHERE p.datname = current_database() AND NOT starts_with(a.application_name, 'triphase ')";

fn index(what: &str, name: &str, table: &[String], condition: &str) -> String {
    format!(
        "SELECT {what} FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = {} AND c.relname = {} AND {condition}",
        regclass(table),
        literal(name)
    )
}

/// A condition on index row `i` of index `c`: it is as a text has it. Expressions and conditions are compared only by being there.
fn shaped(shape: &Shape) -> String {
    let mut condition = format!(
        "i.indisunique = {} AND (SELECT amname FROM pg_catalog.pg_am WHERE oid = c.relam) = {} AND i.indnkeyatts = {} \
         AND i.indnatts = {} AND (i.indpred IS NOT NULL) = {}",
        shape.unique,
        literal(&shape.method),
        shape.keys.len(),
        shape.keys.len() + shape.included,
        shape.partial
    );
    for (at, key) in shape.keys.iter().enumerate() {
        let attribute = match key {
            Some(column) => format!(
                "(SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = i.indrelid AND attname = {})",
                literal(column)
            ),
            None => "0".to_owned(),
        };
        condition.push_str(&format!(" AND i.indkey[{at}] = {attribute}"));
    }
    condition
}

fn valid(name: &str, table: &[String]) -> String {
    index("1", name, table, "i.indisvalid AND i.indisready")
}

/// A condition on the left-over index `c` of index row `i`: whether it belongs to what was rebuilt, its TOAST tables included.
fn rebuilt(kind: &str, name: Option<&[String]>) -> String {
    let Some(name) = name else { return "true".to_owned() };
    let of_tables = |tables: &str| {
        format!(
            "i.indrelid IN (SELECT t.oid FROM pg_catalog.pg_class t WHERE t.oid IN ({tables}) \
             UNION ALL SELECT t.reltoastrelid FROM pg_catalog.pg_class t WHERE t.oid IN ({tables}))"
        )
    };
    // A partitioned one is rebuilt partition by partition; the tree of a plain one is itself, on some versions nothing.
    let tree = |root: &str| format!("SELECT relid FROM pg_partition_tree({root}) UNION ALL SELECT {root}");
    match kind {
        "INDEX" => {
            let tables = format!(
                "SELECT o.indrelid FROM pg_catalog.pg_index o WHERE o.indexrelid IN ({})",
                tree(&regclass(name))
            );
            // Its name begins with the old one's, which the server may have cut to make room for the ending.
            format!(
                "i.indrelid IN ({tables}) AND EXISTS (SELECT 1 FROM pg_catalog.pg_class o WHERE o.oid IN ({}) \
                 AND starts_with(o.relname::text, regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', '')))",
                tree(&regclass(name))
            )
        }
        "TABLE" => of_tables(&tree(&regclass(name))),
        "SCHEMA" => of_tables(&format!(
            "SELECT s.oid FROM pg_catalog.pg_class s WHERE s.relnamespace = to_regnamespace({})",
            literal(&quoted(name))
        )),
        _ => "true".to_owned(),
    }
}

/// A condition: the partition is neither attached nor detached. Servers before version 14 have no such state, nor its column.
fn pending(table: &[String], partition: &[String]) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = {} AND h.inhparent = {} \
         AND (to_jsonb(h) ->> 'inhdetachpending') = 'true')",
        regclass(partition),
        regclass(table)
    )
}

fn regclass(name: &[String]) -> String {
    format!("to_regclass({})", literal(&quoted(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_something_is_known_by_its_text() {
        for (text, finishes) in [
            ("CREATE INDEX CONCURRENTLY i ON t (a)", Some(false)),
            ("REINDEX TABLE CONCURRENTLY t", Some(false)),
            ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", Some(true)),
            ("ALTER TABLE t DETACH PARTITION p", None),
            ("CREATE INDEX CONCURRENTLY ON t (a)", None),
            ("DROP INDEX CONCURRENTLY i", None),
            ("VACUUM t", None),
        ] {
            assert_eq!(leaves(text).map(|leaves| leaves.finishes()), finishes, "{text}");
        }
    }
}
