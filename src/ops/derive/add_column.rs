//! `add_column`: the column is there from add on. What fills it decides how old writers' rows get a value.

use super::{
    columns::typed,
    on::{On, commit, filled, none, refuse, works},
};
use crate::{
    model::{Label, Verb},
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        expr::{self, differs, is_not_null, is_null},
        state::{COMMENT, Field, GENERATION},
        vocabulary::AddColumn,
    },
};
use indexmap::IndexMap;

/// What fills the column.
enum Fill {
    /// Nothing: NULL.
    Nothing,
    /// A value for the rows that are there.
    Default(String),
    /// An expression, until simdrop.
    Up(String),
    /// An expression, for good.
    Generated(String),
}

impl Fill {
    fn of(op: &AddColumn, on: &On<'_, '_>) -> Self {
        let spell = |text: &String| expr::spell(text, on.state);
        match (&op.generated, &op.up, &op.default) {
            (Some(text), _, _) => Self::Generated(spell(text)),
            (None, Some(text), _) => Self::Up(spell(text)),
            (None, None, Some(text)) => Self::Default(spell(text)),
            (None, None, None) => Self::Nothing,
        }
    }

    fn text(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Default(text) => Some((text, "default")),
            Self::Up(text) => Some((text, "up")),
            Self::Generated(text) => Some((text, "generated")),
        }
    }
}

pub(super) fn derive(op: &AddColumn, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let column = op.column.as_str();
    on.free(column)?;
    let data_type = typed(on.table, &op.r#type, on.state)?;
    let fill = Fill::of(op, on);
    let required = op.nullable == Some(false);
    if let Some((text, key)) = fill.text()
        && let Some(other) = on.state.fields.iter().find(|f| f.generation().is_some() && expr::uses_one(text, &f.name))
        && !matches!(fill, Fill::Default(_))
    {
        return Err(refuse(
            format!(
                "`{key}` uses column `{}`, which is generated itself: Delta generates from ordinary columns only",
                other.name
            ),
            "write out that column's own expression",
        ));
    }
    let mut field = Field::new(column, data_type.clone());
    if let Some(comment) = &op.comment {
        field.metadata.insert(COMMENT.to_owned(), comment.as_str().into());
    }
    if let Fill::Up(text) | Fill::Generated(text) = &fill {
        on.generates(column, "name it in lower case, or fill it with `default` or a step with `backfill`")?;
        field.metadata.insert(GENERATION.to_owned(), text.as_str().into());
    }
    let blocks = match &fill {
        Fill::Up(_) | Fill::Generated(_) => None,
        Fill::Nothing | Fill::Default(_) => on.appends(
            "appends",
            column,
            "give the column an expression over the old ones (`up`), which fills it for them",
        )?,
    };
    let checks = fill.text().map(|(text, key)| works(text, &data_type, key)).into_iter().collect();
    let edits = vec![Edit::AddField { field, physical: on.physical(), at: None }];
    on.push_blocking(Verb::Add, Does::Commit { checks, edits }, blocks);
    if let Some(does) = filling(column, &fill) {
        on.push(Verb::Add, does);
    }
    roll_back(column, &fill, on);
    later(column, &fill, required, on);
    if let Fill::Up(_) = fill {
        on.warn(format!(
            "until simdrop column `{column}` is generated: writers may leave it out, and what they write there must equal its expression"
        ));
    }
    if let Fill::Up(_) | Fill::Generated(_) = fill {
        on.unfilled(column);
    }
    Ok(())
}

/// The act that fills the rows that are there.
fn filling(column: &str, fill: &Fill) -> Option<Does> {
    let (text, rows) = match fill {
        Fill::Nothing => return None,
        Fill::Default(text) => (text, is_null(column)),
        Fill::Up(text) | Fill::Generated(text) => (text, differs(column, text)),
    };
    Some(backfill(column, text, rows))
}

/// Fills one column.
pub(super) fn backfill(column: &str, text: &str, rows: String) -> Does {
    let set: IndexMap<String, String> = [(column.to_owned(), text.to_owned())].into();
    Does::Backfill { set, rows, batch: None, key: None, once: false }
}

/// The rows in which somebody else has written.
fn written(column: &str, fill: &Fill) -> String {
    match fill.text() {
        None => is_not_null(column),
        Some((text, _)) => format!("{} AND {}", is_not_null(column), differs(column, text)),
    }
}

fn roll_back(column: &str, fill: &Fill, on: &mut On<'_, '_>) {
    let rows = written(column, fill);
    let remove = Edit::RemoveField { name: column.to_owned() };
    if on.state.mapped() {
        let hidden = on.hidden("", column);
        let mut some = vec![];
        if let Fill::Up(_) | Fill::Generated(_) = fill {
            some.push(Edit::UnsetGenerated { name: column.to_owned() });
        }
        some.push(Edit::HideField { name: column.to_owned(), hidden });
        let told = format!("others have written to `{column}`: it stays hidden until the step's next drop");
        on.push(Verb::RollbackAdd, Does::Choose { checks: vec![], rows, none: vec![remove], some, told });
        return;
    }
    let refusal = format!(
        "others have written to `{column}`, and without column mapping their values would come back with the next column of that name"
    );
    let checks = vec![none(rows, refusal)];
    let does = match fill {
        Fill::Nothing => Does::Commit { checks, edits: vec![remove] },
        // The step's own values lie in the files, and would come back too.
        Fill::Default(_) | Fill::Up(_) | Fill::Generated(_) => {
            Does::Rewrite { checks, edits: vec![remove], columns: IndexMap::new() }
        }
    };
    on.push(Verb::RollbackAdd, does);
}

/// Simdrop: old writers are gone, the expression goes, NOT NULL comes (O7).
fn later(column: &str, fill: &Fill, required: bool, on: &mut On<'_, '_>) {
    let name = || column.to_owned();
    let mut edits = vec![];
    let mut checks = vec![];
    if let Fill::Up(_) = fill {
        edits.push(Edit::UnsetGenerated { name: name() });
    }
    if required {
        checks.push(none(is_null(column), format!("column `{column}` is to be never NULL, and is")));
        edits.push(Edit::SetNullable { name: name(), nullable: false });
    }
    if edits.is_empty() {
        return;
    }
    match fill {
        // What old writers left out since add. A nullable column keeps the NULLs that were meant.
        Fill::Default(text) => {
            on.push(Verb::Simdrop, backfill(column, text, is_null(column)));
            checks.insert(0, filled(column, text, is_null(column)));
        }
        // What is there was generated, or is a new writer's own, from before a way back: that stays.
        Fill::Up(text) => {
            let missing = format!("{} AND ({text}) IS NOT NULL", is_null(column));
            on.push(Verb::Simdrop, backfill(column, text, missing.clone()));
            checks.insert(0, filled(column, text, missing));
        }
        Fill::Nothing | Fill::Generated(_) => {}
    }
    on.push(Verb::Simdrop, Does::Commit { checks, edits });
    let nullable = Edit::SetNullable { name: name(), nullable: true };
    match fill {
        Fill::Up(text) => {
            let first: Vec<Edit> = required.then_some(nullable).into_iter().collect();
            let again = Edit::SetGenerated { name: name(), generated: text.clone() };
            on.push(
                Verb::RollbackSimdrop,
                Does::Choose {
                    checks: vec![],
                    rows: differs(column, text),
                    none: first.iter().cloned().chain([again]).collect(),
                    some: first,
                    told: format!("new writers gave `{column}` other values, which stay; rows of old writers get NULL in it until the next simdrop"),
                },
            );
        }
        Fill::Nothing | Fill::Default(_) | Fill::Generated(_) => on.push(Verb::RollbackSimdrop, commit(vec![nullable])),
    }
    on.label(Verb::RollbackSimdrop, Label::Lossless);
}
