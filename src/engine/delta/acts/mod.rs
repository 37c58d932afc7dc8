//! Carries out the acts of declarative operations (`ops`), each as one commit of one table that is a compare-and-swap on the version at
//! which everything was looked at. Whoever commits in between makes the act start over: it is planned anew on what is there then.
//!
//! Rows that get other values or another shape go three ways apart: `produce` makes files in a staging folder (`stage`), `validate` looks at
//! them, `adopt` commits them. `rewrite` and `backfill` say which files, and in how many commits.

mod adopt;
mod backfill;
mod beside;
mod checks;
mod create;
mod files;
mod looked;
mod produce;
mod recover;
mod remove;
mod rewrite;
mod shape;
mod stage;
mod table;
#[cfg(test)]
mod tests;
mod validate;

#[cfg(test)]
pub use checks::over;
pub use remove::at;
pub use stage::FOLDER as STAGE;
pub use table::{changes, sized, state};

use super::{
    commit::{self, Put},
    dml::{Moved, decided},
    evidence::{Evidence, Standing, Whose},
    lake::Lake,
    patience::Patience,
    query,
    tombstone::Log,
    trouble::Trouble,
};
use crate::{
    engine::{Failure, Stop},
    failpoint,
    model::{Class, StepId, Verb, Way},
    ops::{Act, Check, Does, Edit, Refusal, TableState, apply_all, apply_in_place, coherent},
};
use anyhow::anyhow;
use backfill::Round;
use deltalake::{DeltaTable, kernel::Action};
use looked::Looked;
use std::{collections::BTreeSet, time::Duration};
use url::Url;

/// What an act is run with.
pub struct Run<'a> {
    /// Where.
    pub lake: &'a Lake,
    /// Whose commit it is.
    pub evidence: &'a Evidence,
    /// How long others may be first.
    pub patience: Duration,
    /// Told to stop.
    pub stop: &'a Stop,
}

impl Run<'_> {
    /// Runs an act until it is in the table.
    ///
    /// # Errors
    /// [`Failure::Handler`] where the table is not as the act needs it, nothing being changed; [`Failure::Busy`],
    /// [`Failure::Fenced`], [`Failure::Lost`].
    pub async fn act(&self, act: &Act) -> Result<(), Failure> {
        let place = self.lake.place(&act.table).map_err(|why| Failure::Handler { at: 0, why })?;
        let (lake, stop) = (self.lake, self.stop);
        match &act.does {
            Does::Nothing { .. } => return Ok(()),
            Does::Underived { operation } => {
                return Err(refused(anyhow!("{operation} on `{}` was never derived: run add again", act.table)));
            }
            Does::Delete => return remove::delete(self, &place, &act.table).await,
            Does::Create { state } => return self.create(&place, &act.table, state).await,
            Does::Commit { checks, edits } if checks.is_empty() => {
                return self.of_metadata(&place, &act.table, edits).await;
            }
            Does::Check { .. } | Does::Commit { .. } | Does::Choose { .. } => {}
            Does::Backfill { .. } | Does::Rewrite { .. } | Does::Recover { .. } => {}
        }
        let mut patience = Patience::new(self.patience);
        let (mut looked, mut first) = (Looked::default(), true);
        let mut table = self.open(&place, &act.table).await?;
        let mut standing = self.evidence.standing(&table).await?;
        while standing == Standing::Open {
            looked.at(&table::state(&table).map_err(|trouble| trouble.action(0))?);
            let since = table.version();
            match self.settle(act, &place, &table, &mut looked).await? {
                // Nobody was in the way yet.
                Round::Filled if std::mem::take(&mut first) => {}
                Round::Filled | Round::Moved => patience.lost(looked.now())?,
                Round::Nothing | Round::Ended => {
                    let tried = self.once(&place, &table, act, &mut looked).await?;
                    let ended = match decided(lake, &place, self.evidence, tried).await {
                        Err(Failure::Handler { .. }) if stop.signal().is_some() => return Err(Failure::Stopped),
                        ended => ended?,
                    };
                    match ended {
                        Ok(()) => return Ok(()),
                        Err(Moved) => patience.wait(looked.now(), stop).await?,
                    }
                }
            }
            table = self.newer(&place, &act.table, table).await?;
            standing = self.evidence.standing_since(&table, since).await?;
        }
        Ok(())
    }

    /// One try, on a version of the table. What was found and made stays, for the next one.
    async fn once(
        &self,
        place: &Url,
        table: &DeltaTable,
        act: &Act,
        looked: &mut Looked,
    ) -> Result<Result<(), Trouble>, Failure> {
        Ok(match &act.does {
            Does::Check { checks } => self.commit(table, checks, &[], "CHECK", looked).await,
            Does::Commit { checks, edits } => self.commit(table, checks, edits, operation(edits), looked).await,
            Does::Choose { checks, rows, none, some, told } => match looked.count(table, rows).await {
                Ok(0) => self.commit(table, checks, none, operation(none), looked).await,
                Ok(count) => {
                    tracing::warn!("{told}: {count} rows");
                    self.commit(table, checks, some, operation(some), looked).await
                }
                Err(trouble) => Err(trouble),
            },
            Does::Backfill { set, rows, batch, key, once } => {
                let (batch, key, once) = (*batch, key.as_deref(), *once);
                let fill = backfill::Fill { name: &act.table, set, rows, batch, key, once, beside: None };
                fill.run(self, place, table.clone(), looked).await?.map_err(|Moved| Trouble::Moved)
            }
            Does::Rewrite { checks, edits, columns } => rewrite::run(self, table, checks, edits, columns, looked).await,
            Does::Recover { column, key, since } => {
                let tried = recover::recover(self, place, (&act.table, table), (column, key, *since), looked).await?;
                tried.map_err(|Moved| Trouble::Moved)
            }
            Does::Create { .. } | Does::Delete | Does::Nothing { .. } | Does::Underived { .. } => Ok(()),
        })
    }

    /// Edits that no file has to be looked at for.
    async fn of_metadata(&self, place: &Url, name: &str, edits: &[Edit]) -> Result<(), Failure> {
        let mut patience = Patience::new(self.patience);
        loop {
            let head = self.lake.head(place).await.map_err(|trouble| trouble.action(0))?;
            let head = head.ok_or_else(|| query::no_table(self.lake, name).action(0))?;
            if self.evidence.standing(&head).await? == Standing::Applied {
                return Ok(());
            }
            let tried = async {
                let state = table::state(&head)?;
                let actions = table::changes(&head, &state, &edited(&state, edits)?)?;
                failpoint::point("before a table commit");
                commit::put_metadata(&head, actions, &self.evidence.put(operation(edits))).await?;
                failpoint::point("after a table commit");
                Ok(())
            };
            match decided(self.lake, place, self.evidence, tried.await).await? {
                Ok(()) => return Ok(()),
                Err(Moved) => patience.wait(0, self.stop).await?,
            }
        }
    }

    /// Fills the rows that checks want filled.
    async fn settle(&self, act: &Act, place: &Url, table: &DeltaTable, looked: &mut Looked) -> Result<Round, Failure> {
        for check in act.checks() {
            if let Check::Filled { set, rows } = check {
                let (name, batch, key, once) = (act.table.as_str(), None, None, false);
                let fill = backfill::Fill { name, set, rows, batch, key, once, beside: None };
                match fill.settle(self, place, table, looked).await? {
                    Round::Nothing => {}
                    round @ (Round::Filled | Round::Moved | Round::Ended) => return Ok(round),
                }
            }
        }
        Ok(Round::Nothing)
    }

    async fn open(&self, place: &Url, name: &str) -> Result<DeltaTable, Failure> {
        let table = self.lake.open(place).await.map_err(|trouble| trouble.action(0))?;
        table.ok_or_else(|| query::no_table(self.lake, name).action(0))
    }

    /// The newest version of a table that was read before: only the commits since are read.
    async fn newer(&self, place: &Url, name: &str, mut table: DeltaTable) -> Result<DeltaTable, Failure> {
        let read = async {
            table.log_store().refresh().await?;
            table.update_state().await
        };
        match read.await {
            Ok(()) => Ok(table),
            // Its log is not what it was; all of it says what it is.
            Err(error) => {
                tracing::debug!(table = name, %error, "the table is read anew");
                self.open(place, name).await
            }
        }
    }

    /// Checks, then edits, as one commit.
    async fn commit(
        &self,
        table: &DeltaTable,
        checks: &[Check],
        edits: &[Edit],
        operation: &str,
        looked: &mut Looked,
    ) -> Result<(), Trouble> {
        let state = table::state(table)?;
        let next = edited(&state, edits)?;
        checks::all(&self.evidence.whose, table, checks, looked).await?;
        let actions = table::changes(table, &state, &next)?;
        put(table, actions, &self.evidence.put(operation)).await
    }

    /// One try on a version that was opened before.
    #[cfg(test)]
    pub async fn try_commit(&self, table: &DeltaTable, checks: &[Check], edits: &[Edit]) -> Result<(), Trouble> {
        // What the check finds is of the version that was opened: the commit must find out by itself that it is not the newest.
        self.commit(table, checks, edits, operation(edits), &mut Looked::default()).await
    }

    /// One try on a version that was opened before.
    #[cfg(test)]
    pub async fn try_rewrite(
        &self,
        table: &DeltaTable,
        columns: &indexmap::IndexMap<String, String>,
    ) -> Result<(), Trouble> {
        rewrite::run(self, table, &[], &[], columns, &mut Looked::default()).await
    }

    async fn create(&self, place: &Url, name: &str, state: &TableState) -> Result<(), Failure> {
        if let Some(table) = self.lake.open(place).await.map_err(|trouble| trouble.action(0))? {
            return match self.evidence.standing(&table).await? {
                Standing::Applied => Ok(()),
                Standing::Open => Err(refused(words_of(&Refusal::there(name)))),
            };
        }
        let log = Log::read(&self.lake.handle(place).map_err(|trouble| trouble.action(0))?).await;
        if !log.map_err(|trouble| trouble.action(0))?.files.is_empty() {
            let way_out = "finish the step that deletes it, or delete what is left of its `_delta_log`";
            return Err(refused(anyhow!("table `{name}` is being deleted; {way_out}")));
        }
        let created = async {
            create::evaluates(state).await?;
            let handle = self.lake.handle(place)?;
            let actions = table::first(state)?;
            failpoint::point("before a table commit");
            commit::create(&handle, actions, &self.evidence.put("CREATE TABLE")).await?;
            failpoint::point("after a table commit");
            Ok(())
        };
        self.made(place, name, created.await).await
    }

    /// What became of a table that was to be made. Where one is there, it may be our own: a store's client that has lost the answer sends
    /// its file again, and hears that it is there.
    pub(super) async fn made(&self, place: &Url, name: &str, tried: Result<(), Trouble>) -> Result<(), Failure> {
        match decided(self.lake, place, self.evidence, tried).await? {
            Ok(()) => Ok(()),
            Err(Moved) => match self.lake.open(place).await.map_err(|trouble| trouble.action(0))? {
                Some(table) if self.evidence.standing(&table).await? == Standing::Applied => Ok(()),
                Some(_) | None => Err(refused(words_of(&Refusal::there(name)))),
            },
        }
    }
}

/// One commit of an act, where kills and races are tried.
async fn put(table: &DeltaTable, actions: Vec<Action>, put: &Put) -> Result<(), Trouble> {
    failpoint::point("before a table commit");
    commit::put(table, actions, put).await?;
    failpoint::point("after a table commit");
    Ok(())
}

/// What edits make of a table that this library can write, and whose files stay as they are.
///
/// # Errors
/// Where it can't, or where they do not fit.
pub fn edited(state: &TableState, edits: &[Edit]) -> Result<TableState, Trouble> {
    sound(state, apply_in_place(edits, state))
}

/// The same where all its files are written anew.
///
/// # Errors
/// As [`edited`].
fn rewritten(state: &TableState, edits: &[Edit]) -> Result<TableState, Trouble> {
    sound(state, apply_all(edits, state))
}

fn sound(state: &TableState, next: Result<TableState, Refusal>) -> Result<TableState, Trouble> {
    writable(state)?;
    let next = next.map_err(words)?;
    coherent(state, &next).map_err(words)?;
    Ok(next)
}

/// Refuses a table with features that the library would write wrongly or not at all.
fn writable(state: &TableState) -> Result<(), Trouble> {
    let foreign = state.protocol.foreign();
    if foreign.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = foreign.iter().map(|name| format!("`{name}`")).collect();
    Err(Trouble::Refused(anyhow!(
        "the table has features that this triphase can't write: {}; change it with the engine that turned them on",
        names.join(", ")
    )))
}

/// Whether an act of a rollback finds nothing of what it takes back: its step was applied only in part.
///
/// # Errors
/// Where the table can't be read.
pub async fn is_so(lake: &Lake, act: &Act, verb: Verb) -> Result<bool, Failure> {
    let access = |trouble: Trouble| trouble.access(&format!("table `{}`", act.table));
    let Ok(place) = lake.place(&act.table) else { return Ok(false) };
    let Some(table) = lake.head(&place).await.map_err(access)? else {
        return Ok(matches!(act.does, Does::Delete) || verb == Verb::RollbackAdd);
    };
    let state = table::state(&table).map_err(access)?;
    Ok(verb.way() == Way::Back && act.finds_nothing(Some(&state)))
}

/// What the rows of a table have against an act, as they are now; `None`: nothing.
///
/// # Errors
/// Where the table can't be read.
pub async fn refuses(lake: &Lake, act: &Act) -> Result<Option<String>, Failure> {
    let access = |trouble: Trouble| trouble.access(&format!("table `{}`", act.table));
    let Ok(place) = lake.place(&act.table) else { return Ok(None) };
    let seen = if let Does::Create { state } = &act.does {
        create::evaluates(state).await
    } else if act.checks().is_empty() && act.edits().is_empty() {
        return Ok(None);
    } else {
        let Some(table) = lake.open(&place).await.map_err(access)? else { return Ok(None) };
        stands(&table, act).and(checks::seen(&table, act.checks()).await)
    };
    match seen {
        Ok(()) => Ok(None),
        Err(Trouble::Refused(why)) => Ok(Some(format!("{why:#}"))),
        Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => Err(access(trouble)),
    }
}

/// What others have committed to a table that an act would delete; `None`: nothing, or it is counted from a handler that runs before it.
///
/// # Errors
/// Where the table can't be read.
pub async fn forbids(
    lake: &Lake,
    act: &Act,
    whose: &Whose,
    before: &BTreeSet<(StepId, Verb)>,
) -> Result<Option<Refusal>, Failure> {
    let access = |trouble: Trouble| trouble.access(&format!("table `{}`", act.table));
    for check in act.checks() {
        let Check::NoForeignCommits { since, refusal } = check else { continue };
        if before.contains(&(whose.id.clone(), *since)) {
            continue;
        }
        let Ok(place) = lake.place(&act.table) else { return Ok(None) };
        let Some(table) = lake.open(&place).await.map_err(access)? else { return Ok(None) };
        let why = match checks::no_foreign_commits(whose, &table, *since, refusal).await {
            Ok(()) => continue,
            Err(Trouble::Refused(why)) => why,
            Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => return Err(access(trouble)),
        };
        let (id, release) = (&whose.id, &whose.id.release);
        let way_out = match since {
            Verb::Simdrop => format!(
                "see what they wrote; then hide the table again: triphase rollback_simdrop {release}, and simdrop {release}"
            ),
            Verb::Add | Verb::Drop | Verb::RollbackSimdrop | Verb::RollbackAdd => format!(
                "keep the table, and say so: triphase repair undone {id} add --reason …; or go forward, and drop it in a later release: \
                 `drop_table`"
            ),
        };
        return Ok(Some(Refusal::new(Class::Guard, "D4", format!("{why:#}")).way_out(way_out)));
    }
    Ok(None)
}

/// Whether a table stays in order after an act. Whether the act fits it at all is for the run to see: some of it may be there already.
fn stands(table: &DeltaTable, act: &Act) -> Result<(), Trouble> {
    let state = table::state(table)?;
    match act.edited(&state) {
        Ok(next) => coherent(&state, &next).map_err(words),
        Err(_) => Ok(()),
    }
}

fn refused(why: anyhow::Error) -> Failure {
    Failure::Handler { at: 0, why }
}

fn words(refusal: Refusal) -> Trouble {
    Trouble::Refused(words_of(&refusal))
}

fn words_of(refusal: &Refusal) -> anyhow::Error {
    if refusal.way_out.is_empty() {
        anyhow!("{}", refusal.message)
    } else {
        anyhow!("{}; {}", refusal.message, refusal.way_out)
    }
}

/// What a commit is called in the table's history: its first edit.
fn operation(edits: &[Edit]) -> &'static str {
    match edits.first() {
        Some(Edit::AddField { .. } | Edit::ReattachField { .. }) => "ADD COLUMN",
        Some(Edit::RemoveField { .. }) => "DROP COLUMN",
        Some(Edit::RenameField { .. }) => "RENAME COLUMN",
        Some(Edit::HideField { .. }) => "HIDE COLUMN",
        Some(Edit::ShowField { .. }) => "SHOW COLUMN",
        Some(Edit::MoveField { .. }) => "MOVE COLUMN",
        Some(Edit::SetNullable { .. }) => "CHANGE NULLABILITY",
        Some(Edit::SetGenerated { .. } | Edit::UnsetGenerated { .. } | Edit::RenameInGenerated { .. }) => {
            "CHANGE GENERATED COLUMN"
        }
        Some(Edit::SetProperty { .. } | Edit::UnsetProperty { .. } | Edit::RestoreProperty { .. }) => "SET PROPERTIES",
        Some(Edit::AddConstraint { .. } | Edit::UnstashConstraint { .. }) => "ADD CONSTRAINT",
        Some(Edit::RemoveConstraint { .. } | Edit::StashConstraint { .. } | Edit::ForgetConstraint { .. }) => {
            "DROP CONSTRAINT"
        }
        Some(Edit::RenameInConstraint { .. }) => "CHANGE CONSTRAINT",
        Some(Edit::SetPartitioning { .. }) => "REPARTITION",
        Some(Edit::UpgradeColumnMapping) => "UPGRADE COLUMN MAPPING",
        Some(Edit::SetComment { .. } | Edit::RestoreComment { .. }) => "SET COMMENT",
        Some(Edit::HideTable { .. }) => "HIDE TABLE",
        Some(Edit::ShowTable { .. }) => "SHOW TABLE",
        Some(Edit::Tombstone) => "TOMBSTONE",
        None => "NOTHING",
    }
}
