//! Values are filled in, group of files by group of files: each is written anew with them, and takes the old files' place in a commit of its
//! own, which only whoever changes those very files can be in the way of. An append elsewhere costs another try at the commit, and none at
//! the work. A file that is filled has no row left that wants it; that is how a run that was cut short goes on.

use super::{
    super::{
        commit::Put, context, dml::Moved, evidence::Standing, folder::Folders, patience::Patience, trouble::Trouble,
    },
    Run, adopt,
    beside::Beside,
    checks,
    files::{self, Source},
    looked::Looked,
    produce::{self, Order},
    rewrite,
    stage::{Making, Stage},
    validate,
};
use crate::{
    engine::{Doing, Failure},
    failpoint,
    model::Dialect,
    ops::{self, TableState},
    sql,
};
use deltalake::{DeltaTable, datafusion::common::Column};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use url::Url;

/// What is filled in.
pub struct Fill<'a> {
    /// The table's name.
    pub name: &'a str,
    pub set: &'a IndexMap<String, String>,
    /// The rows that want it; over those beside them too, where there is a table beside.
    pub rows: &'a str,
    pub batch: Option<u64>,
    pub key: Option<&'a str>,
    /// The rows that were filled may want it still: all are taken in one commit, which can't be half done.
    pub once: bool,
    /// Where the values come from, if not from the row itself.
    pub beside: Option<&'a Beside>,
}

/// What became of a look for rows to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// There were none.
    Nothing,
    /// They are filled, and others may have come.
    Filled,
    /// Somebody else has changed some of them meanwhile.
    Moved,
    /// They are filled, in one commit that carries the evidence.
    Ended,
}

impl Fill<'_> {
    /// Fills all rows, and then commits the evidence.
    ///
    /// # Errors
    /// The action's.
    pub async fn run(
        &self,
        run: &Run<'_>,
        place: &Url,
        table: DeltaTable,
        looked: &mut Looked,
    ) -> Result<Result<(), Moved>, Failure> {
        if fed(&table) {
            let tried = self.update(table, &run.evidence.put("BACKFILL"), true).await;
            return super::decided(run.lake, place, run.evidence, tried).await;
        }
        let mut patience = Patience::new(run.patience);
        let (mut current, mut first) = (table, true);
        loop {
            // Fenced off by a later run, this one fills in nothing more.
            run.evidence.standing(&current).await?;
            looked.at(&super::table::state(&current).map_err(|trouble| trouble.action(0))?);
            let round = self.round(run, place, &current, looked).await?;
            let lost = match round {
                Round::Ended => return Ok(Ok(())),
                Round::Nothing => match self.end(run, place, &current).await? {
                    Ok(()) => return Ok(Ok(())),
                    // Rows may have come with that commit: look again.
                    Err(Moved) => patience.wait(looked.now(), run.stop).await,
                },
                // Nobody was in the way yet.
                Round::Filled if std::mem::take(&mut first) => Ok(()),
                Round::Filled => patience.lost(looked.now()),
                Round::Moved => patience.wait(looked.now(), run.stop).await,
            };
            current = self.newer(run, place, current).await?;
            match lost {
                Ok(()) => {}
                // All that one version had is filled. What has come since is as what comes later: what is enforced is looked at then.
                Err(Failure::Busy(_)) if round != Round::Moved => return self.end_behind(run, place, current).await,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Commits the evidence.
    async fn end(&self, run: &Run<'_>, place: &Url, current: &DeltaTable) -> Result<Result<(), Moved>, Failure> {
        let tried = super::put(current, vec![], &run.evidence.put("BACKFILL DONE")).await;
        super::decided(run.lake, place, run.evidence, tried).await
    }

    /// Commits the evidence, whatever rows have come.
    async fn end_behind(
        &self,
        run: &Run<'_>,
        place: &Url,
        mut current: DeltaTable,
    ) -> Result<Result<(), Moved>, Failure> {
        tracing::warn!(
            "others write rows to `{}` as fast as they are filled: those that came last are left as they are",
            self.name
        );
        let mut patience = Patience::new(run.patience);
        loop {
            if run.evidence.standing(&current).await? == Standing::Applied {
                return Ok(Ok(()));
            }
            match self.end(run, place, &current).await? {
                Ok(()) => return Ok(Ok(())),
                Err(Moved) => patience.wait(0, run.stop).await?,
            }
            current = self.newer(run, place, current).await?;
        }
    }

    async fn newer(&self, run: &Run<'_>, place: &Url, table: DeltaTable) -> Result<DeltaTable, Failure> {
        if run.stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        run.newer(place, self.name, table).await
    }

    /// Fills the rows that want it in one version of the table.
    ///
    /// # Errors
    /// The action's.
    pub async fn round(
        &self,
        run: &Run<'_>,
        place: &Url,
        table: &DeltaTable,
        looked: &mut Looked,
    ) -> Result<Round, Failure> {
        let refused = |trouble: Trouble| trouble.action(0);
        let state = super::table::state(table).map_err(refused)?;
        super::writable(&state).map_err(refused)?;
        if let Some(beside) = self.beside {
            looked.fill(self.rows, beside.held(table).map_err(refused)?);
        }
        let wanting = looked.wanting(table, self.rows, self.beside).await.map_err(refused)?;
        let by = self.key.map(|key| state.field(key).map_or(key, |field| field.physical()));
        let all = files::live(table, by).map_err(refused)?;
        let files: Vec<Source> = all.into_iter().filter(|file| wanting.contains(&file.path)).collect();
        if files.is_empty() {
            return Ok(Round::Nothing);
        }
        adopt::may_replace(&state, true).map_err(refused)?;
        run.lake.meter.begin(Doing::Backfill, files.len() as u64, files::rows(&files));
        let columns = self.columns();
        let making = Making::new(&state, &state, &columns);
        let mut patience = Patience::new(run.patience);
        let mut stage = loop {
            match Stage::open(run, table, &making).await {
                Ok(stage) => break stage,
                Err(Trouble::Moved) => patience.wait(0, run.stop).await?,
                Err(trouble) => return Err(refused(trouble)),
            }
        };
        let groups = if self.once { vec![files] } else { files::groups(files, self.batch, false) };
        for group in groups {
            let order =
                Order { table, files: &group, states: (&state, &state), columns: &columns, beside: self.beside };
            if !self.group(run, place, order, &making, &mut stage, looked).await? {
                return Ok(Round::Moved);
            }
        }
        rewrite::close(run.lake, table, stage).await;
        Ok(if self.once { Round::Ended } else { Round::Filled })
    }

    /// Sees that everything is produced that a group comes to; `false`: another run is at work.
    async fn made(&self, run: &Run<'_>, order: Order<'_>, stage: &mut Stage) -> Result<bool, Failure> {
        let refused = |trouble: Trouble| trouble.action(0);
        let covered: BTreeSet<&String> = stage.usable(order.files).iter().flat_map(|group| &group.sources).collect();
        let missing = order.files.iter().filter(|file| !covered.contains(&file.key));
        let missing: Vec<Source> = missing.cloned().collect();
        let groups = match missing.is_empty() {
            true => vec![],
            false if self.once => files::groups(missing, None, false),
            // Of a run that made other groups: this one's files are made as one.
            false => {
                stage.groups.clear();
                vec![order.files.to_vec()]
            }
        };
        for group in groups {
            failpoint::point("before a group is produced");
            let adds = produce::produce(run, Order { files: &group, ..order }, stage.store()).await;
            if run.stop.signal().is_some() {
                return Err(Failure::Stopped);
            }
            let adds = adds.map_err(refused)?;
            failpoint::point("before a group is kept");
            match stage.keep(run, &group, adds).await {
                Ok(()) => {}
                Err(Trouble::Moved) => return Ok(false),
                Err(trouble) => return Err(refused(trouble)),
            }
        }
        Ok(true)
    }

    /// Fills one group; `false`: others have changed what it was made of.
    async fn group(
        &self,
        run: &Run<'_>,
        place: &Url,
        order: Order<'_>,
        making: &Making,
        stage: &mut Stage,
        looked: &mut Looked,
    ) -> Result<bool, Failure> {
        let refused = |trouble: Trouble| trouble.action(0);
        let mut patience = Patience::new(run.patience);
        let put = if self.once { run.evidence.put("BACKFILL") } else { run.evidence.part("BACKFILL") };
        if !self.made(run, order, stage).await? {
            return Ok(false);
        }
        let groups = stage.usable(order.files);
        validate::validate(stage, &groups, order, looked).await.map_err(refused)?;
        let mut current = order.table.clone();
        loop {
            current = self.newer(run, place, current).await?;
            // Fenced off by a later run, this one fills in nothing more.
            run.evidence.standing(&current).await?;
            let state = super::table::state(&current).map_err(refused)?;
            let live = super::stage::keys(&current).map_err(refused)?;
            if !making.fits(&state) || !order.files.iter().all(|file| live.contains(&file.key)) {
                return Ok(false);
            }
            failpoint::point("before an adoption");
            let adopted = adopt::adopt(&current, stage, &groups, (&state, &state), true, &put).await;
            let adopted = if self.once {
                super::decided(run.lake, place, run.evidence, adopted).await?.map_err(|Moved| Trouble::Moved)
            } else {
                adopted
            };
            match adopted {
                Ok(()) => break,
                Err(Trouble::Moved) => patience.wait(0, run.stop).await?,
                Err(trouble) => return Err(refused(trouble)),
            }
        }
        failpoint::point("after an adoption");
        let made = groups.iter().flat_map(|group| &group.adds).map(|add| stage.adopted(add).path);
        looked.fill(self.rows, made);
        Ok(true)
    }

    /// What the columns hold afterwards.
    fn columns(&self) -> IndexMap<String, String> {
        let differs: Vec<String> = self.set.iter().map(|(name, text)| ops::differs(name, text)).collect();
        if differs.join(" OR ") == self.rows {
            // Rows that do not want it hold it already.
            return self.set.clone();
        }
        let value = |(name, text): (&String, &String)| {
            let own = sql::ident(Dialect::Delta, name);
            (name.clone(), format!("CASE WHEN {} THEN ({text}) ELSE {own} END", self.rows))
        };
        self.set.iter().map(value).collect()
    }

    /// Fills the few rows that came since they were filled.
    ///
    /// # Errors
    /// The action's.
    pub async fn settle(
        &self,
        run: &Run<'_>,
        place: &Url,
        table: &DeltaTable,
        looked: &mut Looked,
    ) -> Result<Round, Failure> {
        if !fed(table) {
            return self.round(run, place, table, looked).await;
        }
        match self.update(table.clone(), &run.evidence.part("BACKFILL"), false).await {
            Ok(()) => match checks::count(table, self.rows).await.map_err(|trouble| trouble.action(0))? {
                0 => Ok(Round::Nothing),
                _ => Ok(Round::Filled),
            },
            Err(Trouble::Moved) => Ok(Round::Moved),
            Err(trouble) => Err(trouble.action(0)),
        }
    }

    /// Fills a table whose changes others follow row by row: by the library's own update, which writes down what each row was before.
    /// `says`: the commit is made even where it changes nothing.
    async fn update(&self, table: DeltaTable, put: &Put, says: bool) -> Result<(), Trouble> {
        let (before, unchanged, folders) = (table.version(), table.clone(), Folders::of(&table)?);
        let mut update = table.update().with_session_state(context::state());
        update = update.with_predicate(self.rows).with_commit_properties(put.properties());
        for (column, value) in self.set {
            update = update.with_update(Column::new_unqualified(column.as_str()), folders.text(column, value));
        }
        failpoint::point("before a table commit");
        let (after, _) = update.await?;
        failpoint::point("after a table commit");
        if says && after.version() == before {
            super::put(&unchanged, vec![], put).await?;
        }
        Ok(())
    }
}

/// Whether a table has a change data feed.
pub fn fed(table: &DeltaTable) -> bool {
    let feeds = |state: TableState| state.properties.get("delta.enableChangeDataFeed").is_some_and(|on| on == "true");
    super::table::state(table).is_ok_and(feeds)
}
