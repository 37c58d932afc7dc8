//! Queries over the ledger, every column as text, and what their answers mean.

use super::{FORMAT, GUARDS, ROLLOUT, Rows, TOOL, handler_column, phase_columns, table};
use crate::{
    action::{Action, Handler, Handlers},
    engine::Failure,
    ledger::{Format, HistoryRow, Ledger, PhaseRow, Row, RunRow},
    model::{Class, Finding, Phase, PhaseState, StepId, Time, Verb, Version},
};
use anyhow::{Context as _, anyhow};
use std::collections::BTreeMap;

/// One row of an answer; `None` is SQL's NULL.
pub type TextRow = Vec<Option<String>>;

/// Columns of [`Rows::ledger_query`]: what the row is, and the 17 of a step.
pub const WIDTH: usize = 18;

impl Rows {
    /// Asks for the ledger's format. The engine tells "no such table" apart (rule L9), and asks nothing else of a format that
    /// [`Rows::format`] refuses.
    pub fn format_query(&self) -> String {
        format!(
            "SELECT {} FROM {} WHERE {} = {}",
            self.ident("value"),
            self.table(table::META),
            self.ident("key"),
            self.literal(FORMAT)
        )
    }

    /// Reads the format.
    ///
    /// # Errors
    /// [`Failure::Refused`] where this binary can't work on it (rule L8).
    pub fn format(&self, answer: &[TextRow]) -> Result<Format, Failure> {
        let text = answer.first().and_then(|row| row.first().cloned().flatten());
        let refused = |message: String, way_out: String| {
            Failure::Refused(Box::new(Finding::new(Class::Decision, "L8", message).way_out(way_out)))
        };
        let meta = self.table(table::META);
        let Some(format) = text.as_deref().and_then(Format::parse) else {
            let found = text.map_or_else(|| "none".to_owned(), |t| format!("`{t}`"));
            return Err(refused(
                format!(
                    "the ledger's format can't be told: {meta} should have a row `{FORMAT}` like `{}`, found {found}",
                    Format::CURRENT
                ),
                format!("restore {meta} from a backup, or use the triphase that wrote it"),
            ));
        };
        let known = Format::CURRENT.major;
        match format.major.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(format),
            std::cmp::Ordering::Greater => Err(refused(
                format!("the ledger has format {format}; this triphase ({TOOL}) knows formats up to {known}.x"),
                format!("use a triphase that knows ledger format {}.x", format.major),
            )),
            // Read, and no more: whatever would write it is refused by the plan, but for the upgrade.
            std::cmp::Ordering::Less if Self::upgrades(format.major) => Ok(format),
            std::cmp::Ordering::Less => Err(refused(
                format!(
                    "the ledger has the old format {format}; this triphase ({TOOL}) works on {known}.x and has no way from there"
                ),
                format!(
                    "use the triphase that wrote it, or one between that knows both {}.x and a later format",
                    format.major
                ),
            )),
        }
    }

    /// Asks for all of the ledger but handler texts, in one statement and so as of one moment.
    pub fn ledger_query(&self) -> String {
        let time = |column: &str| self.flavour.show_time(&self.ident(column));
        let text = |column: &str| self.flavour.text(&self.ident(column));
        let plain = |column: &str| self.ident(column);
        let mut step = vec![plain("release"), plain("step"), plain("name")];
        for &phase in Phase::ALL {
            let [state, at, detail] = phase_columns(phase);
            step.extend([plain(state), time(at), plain(detail)]);
        }
        step.extend(
            Verb::ALL
                .iter()
                .map(|&v| format!("CASE WHEN {} IS NULL THEN NULL ELSE '1' END", self.ident(handler_column(v)))),
        );
        let clock = vec![
            self.flavour.text(self.flavour.micros()),
            self.flavour.text(&format!(
                "(SELECT coalesce(max({}), 0) FROM {})",
                self.ident("id"),
                self.table(table::HISTORY)
            )),
        ];
        let run = vec![plain("run_id"), plain("who"), plain("host"), text("pid"), time("since"), plain("command")];
        [
            self.tagged("clock", clock, None),
            self.tagged("meta", vec![plain("key"), plain("value")], Some(table::META)),
            self.tagged("run", run, Some(table::RUN)),
            self.tagged("step", step, Some(table::LEDGER)),
        ]
        .join(" UNION ALL ")
    }

    fn tagged(&self, tag: &str, mut columns: Vec<String>, from: Option<&str>) -> String {
        columns.insert(0, self.flavour.text(&self.literal(tag)));
        columns.resize(WIDTH, self.flavour.text("NULL"));
        let from = from.map_or_else(String::new, |name| format!(" FROM {}", self.table(name)));
        format!("SELECT {}{from}", columns.join(", "))
    }

    /// Reads the answer to [`Rows::ledger_query`].
    ///
    /// # Errors
    /// [`Failure::Access`] where a row can't be read; [`Failure::Refused`] where it says what this binary does not know.
    pub fn ledger(&self, format: Format, answer: &[TextRow]) -> Result<Ledger, Failure> {
        let mut ledger = Ledger { format: Some(format), ..Ledger::default() };
        for row in answer {
            let mut cells = Cells::of(row);
            match cells.text().as_str() {
                "clock" => {
                    ledger.now = Time(cells.number("clock")?);
                    ledger.revision = cells.number("revision")?;
                }
                "meta" => {
                    let (key, value) = (cells.text(), cells.text());
                    self.meta_row(&key, &value, &mut ledger)?;
                }
                "run" => ledger.run = Some(self.run_row(&mut cells)?),
                "step" => {
                    let (id, row) = self.step_row(&mut cells)?;
                    if let Some((kept, _)) = ledger.steps.get_key_value(&id) {
                        return Err(two_spellings(kept, &id));
                    }
                    ledger.steps.insert(id, row);
                }
                other => return Err(Failure::Access(anyhow!("the ledger query gave a row of kind `{other}`"))),
            }
        }
        Ok(ledger)
    }

    /// Asks for the target's clock, in microseconds.
    pub fn clock_query(&self) -> String {
        format!("SELECT {}", self.flavour.text(self.flavour.micros()))
    }

    /// Asks who holds, or last held, the right to write, and the session that [`Rows::begin`] was given.
    pub fn run_query(&self) -> String {
        let columns: Vec<String> = ["run_id", "who", "host"].map(|c| self.ident(c)).to_vec();
        format!(
            "SELECT {}, {}, {}, {}, {} FROM {} WHERE {} = 1",
            columns.join(", "),
            self.flavour.text(&self.ident("pid")),
            self.flavour.show_time(&self.ident("since")),
            self.ident("command"),
            self.ident("session"),
            self.table(table::RUN),
            self.ident("id")
        )
    }

    /// Reads the answer to [`Rows::run_query`]: the run and its session.
    ///
    /// # Errors
    /// [`Failure::Access`] where the row can't be read.
    pub fn run(&self, answer: &[TextRow]) -> Result<Option<(RunRow, String)>, Failure> {
        let Some(row) = answer.first() else { return Ok(None) };
        let mut cells = Cells::of(row);
        let run = self.run_row(&mut cells)?;
        Ok(Some((run, cells.text())))
    }

    /// Asks for the stored handlers of these steps.
    pub fn stored_query(&self, of: &[StepId]) -> String {
        let columns =
            self.idents(["release", "step"].into_iter().chain(Verb::ALL.iter().map(|&verb| handler_column(verb))));
        let keys: Vec<String> = of
            .iter()
            .map(|id| format!("({}, {})", self.literal(id.release.as_str()), self.literal(&id.step)))
            .collect();
        let filter = if keys.is_empty() {
            "1 = 0".to_owned()
        } else {
            format!("({}) IN {}", self.idents(["release", "step"]), self.flavour.list(&keys))
        };
        format!("SELECT {columns} FROM {} WHERE {filter}", self.table(table::LEDGER))
    }

    /// Reads the answer to [`Rows::stored_query`].
    ///
    /// # Errors
    /// [`Failure::Refused`] where a handler is of an unknown kind, naming step, verb and kind (rule L8).
    pub fn stored(&self, answer: &[TextRow]) -> Result<BTreeMap<StepId, Handlers>, Failure> {
        let mut stored = BTreeMap::new();
        for row in answer {
            let mut cells = Cells::of(row);
            let id = step_id(&mut cells)?;
            let mut handlers = Handlers::new();
            for &verb in Verb::ALL {
                if let Some(text) = cells.optional() {
                    handlers.insert(verb, handler(&id, verb, &text)?);
                }
            }
            if !handlers.is_empty() {
                stored.insert(id, handlers);
            }
        }
        Ok(stored)
    }

    /// Asks for the audit trail's newest rows, newest first. Fails with "no such table" where any of the ledger's is missing.
    pub fn history_query(&self, limit: u32) -> String {
        let plain = self.idents(["run_id", "command", "who", "tool", "release", "step", "verb"]);
        format!(
            "SELECT {id_text}, {at}, {plain}, {statement}, {rest} FROM {from} WHERE {whole} ORDER BY {from}.{id} DESC LIMIT {limit}",
            id = self.ident("id"),
            id_text = self.flavour.text(&self.ident("id")),
            at = self.flavour.show_time(&self.ident("at")),
            statement = self.flavour.text(&self.ident("statement")),
            rest = self.idents(["hash", "outcome", "detail"]),
            from = self.table(table::HISTORY),
            whole = self.beside(table::HISTORY),
        )
    }

    /// Reads the answer to [`Rows::history_query`].
    ///
    /// # Errors
    /// [`Failure::Access`] where a row can't be read.
    pub fn history_rows(&self, answer: &[TextRow]) -> Result<Vec<HistoryRow>, Failure> {
        answer
            .iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok(HistoryRow {
                    id: cells.number("id")?,
                    at: self.time(&mut cells)?.unwrap_or_default(),
                    run: cells.text(),
                    command: cells.text(),
                    who: cells.text(),
                    tool: cells.text(),
                    release: cells.text(),
                    step: cells.text(),
                    verb: cells.text(),
                    statement: cells.optional().and_then(|s| s.parse().ok()),
                    hash: cells.optional(),
                    outcome: cells.text(),
                    detail: cells.optional(),
                })
            })
            .collect()
    }

    fn meta_row(&self, key: &str, value: &str, ledger: &mut Ledger) -> Result<(), Failure> {
        if key == GUARDS {
            // An unknown guard can't be obeyed, so it is not passed over.
            ledger.guards = serde_json::from_str(value).map_err(|error| {
                Failure::Refused(Box::new(
                    Finding::new(
                        Class::Decision,
                        "L8",
                        format!("the guards that the ledger keeps can't be read by this triphase ({TOOL}): {error}"),
                    )
                    .way_out("use the triphase that wrote them, or a newer one"),
                ))
            })?;
        } else if let Some(release) = key.strip_prefix(ROLLOUT) {
            let rollout = serde_json::from_str(value)
                .with_context(|| format!("the ledger's row `{key}` in {} can't be read", self.table(table::META)))
                .map_err(Failure::Access)?;
            ledger.rollouts.insert(version(release)?, rollout);
        }
        Ok(())
    }

    fn run_row(&self, cells: &mut Cells<'_>) -> Result<RunRow, Failure> {
        Ok(RunRow {
            run: cells.text(),
            who: cells.text(),
            host: cells.text(),
            pid: cells.number("pid")?,
            since: self.time(cells)?.unwrap_or_default(),
            command: cells.text(),
            at: None,
        })
    }

    fn step_row(&self, cells: &mut Cells<'_>) -> Result<(StepId, Row), Failure> {
        let id = step_id(cells)?;
        let mut row = Row::pending(cells.text());
        for &phase in Phase::ALL {
            let state = cells.text();
            let at = self.time(cells)?;
            let detail = cells.optional();
            row.phases[phase.index()] = phase_row(&id, phase, &state, at, detail.as_deref())?;
        }
        row.stored = Verb::ALL.iter().copied().filter(|_| cells.optional().is_some()).collect();
        Ok((id, row))
    }

    fn time(&self, cells: &mut Cells<'_>) -> Result<Option<Time>, Failure> {
        cells
            .optional()
            .map(|text| {
                self.flavour
                    .read_time(&text)
                    .ok_or_else(|| Failure::Access(anyhow!("the ledger has `{text}` for a time")))
            })
            .transpose()
    }
}

/// The cells of a row, left to right.
struct Cells<'a>(std::slice::Iter<'a, Option<String>>);

impl<'a> Cells<'a> {
    fn of(row: &'a TextRow) -> Self {
        Self(row.iter())
    }

    fn optional(&mut self) -> Option<String> {
        self.0.next().cloned().flatten()
    }

    fn text(&mut self) -> String {
        self.optional().unwrap_or_default()
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, Failure> {
        let text = self.text();
        text.parse().map_err(|_| Failure::Access(anyhow!("the ledger has `{text}` for {what}")))
    }
}

/// One step in two rows: whichever were taken, the other's history would be lost.
fn two_spellings(one: &StepId, other: &StepId) -> Failure {
    let message = format!("the ledger has steps `{one}` and `{other}`, which are one: their versions are equal");
    let way_out = format!("delete the row of the one that is not right from {} by hand", table::LEDGER);
    Failure::Refused(Box::new(Finding::new(Class::Decision, "F1", message).way_out(way_out)))
}

fn step_id(cells: &mut Cells<'_>) -> Result<StepId, Failure> {
    Ok(StepId::new(version(&cells.text())?, cells.text()))
}

fn version(text: &str) -> Result<Version, Failure> {
    Version::parse(text).map_err(|why| Failure::Access(anyhow!("the ledger has a release that can't be read: {why}")))
}

fn phase_row(
    id: &StepId,
    phase: Phase,
    state: &str,
    at: Option<Time>,
    detail: Option<&str>,
) -> Result<PhaseRow, Failure> {
    let state = PhaseState::parse(state).ok_or_else(|| {
        Failure::Refused(Box::new(
            Finding::new(
                Class::Decision,
                "L8",
                format!(
                    "the ledger says `{state}` of {phase} of step `{id}`, which this triphase ({TOOL}) does not know"
                ),
            )
            .way_out("use the triphase that wrote it, or a newer one"),
        ))
    })?;
    let Some(detail) = detail else { return Ok(PhaseRow { state, at, ..PhaseRow::pending() }) };
    let row: PhaseRow = serde_json::from_str(detail)
        .with_context(|| format!("the ledger's detail of {phase} of step `{id}` can't be read"))
        .map_err(Failure::Access)?;
    Ok(PhaseRow { state, at, ..row })
}

/// A stored handler.
///
/// # Errors
/// [`Failure::Refused`] where it has an action of a kind that this binary does not know (L8).
pub fn handler(id: &StepId, verb: Verb, text: &str) -> Result<Handler, Failure> {
    let error = match serde_json::from_str(text) {
        Ok(handler) => return Ok(handler),
        Err(error) => error,
    };
    // The first action that can't be read names what is unknown.
    let value = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let kind = value["actions"].as_array().into_iter().flatten().find_map(|action| {
        serde_json::from_value::<Action>(action.clone()).is_err().then(|| action["kind"].as_str().map(str::to_owned))?
    });
    let what = kind.map_or_else(|| error.to_string(), |kind| format!("it has an action of kind `{kind}`"));
    Err(Failure::Refused(Box::new(
        Finding::new(
            Class::Decision,
            "L8",
            format!("the stored {verb} of step `{id}` can't be read by this triphase ({TOOL}): {what}"),
        )
        .way_out("use the triphase that stored it, or a newer one"),
    )))
}
