//! `change_type`: a column of the new type is generated from the old one until simdrop. There the two change names; the old one, hidden,
//! is generated from the new one where that gives back exactly what it holds.

use super::{
    add_column::backfill,
    columns::{typed, wrong},
    on::{On, filled, none, refuse, works},
};
use crate::{
    model::{Label, Verb},
    ops::{
        Refusal,
        act::{Check, Does},
        edit::Edit,
        expr::{self, differs, ident, is_not_null, is_null, rename},
        state::{COMMENT, Field, GENERATION},
        types::DataType,
        vocabulary::ChangeType,
    },
};
use indexmap::IndexMap;

/// What all five handlers name.
struct Change<'a> {
    old: &'a Field,
    data_type: DataType,
    /// The name that the new column has in the end.
    target: &'a str,
    /// The name that it has until simdrop.
    staged: String,
    /// The name that the old one has from simdrop on.
    hidden: String,
    /// Old to new.
    up: String,
    /// New to old, over the names after simdrop.
    down: Option<String>,
    /// What must hold of the old values.
    castable: Vec<Check>,
}

pub(super) fn derive(op: &ChangeType, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let column = op.column.as_str();
    let old = on.movable(column)?;
    let data_type = typed(on.table, &op.r#type, on.state)?;
    if data_type == old.data_type {
        return Err(refuse(format!("column `{column}` is {data_type} already"), "take the step away"));
    }
    if old.generation().is_some() {
        return Err(refuse(
            format!("column `{column}` is generated, and nothing can be generated from it"),
            "add a column of the new type with its own expression, and drop this one",
        ));
    }
    if let Some((name, _)) = on.constraints_on(column).first() {
        return Err(refuse(
            format!("constraint `{name}` uses column `{column}`, and may not hold for the new type"),
            format!(
                "write a step with `drop_constraint` in a release before this one, and `add_constraint` behind it: `{name}`"
            ),
        ));
    }
    let rewrite = on.rewrites(op.rewrite, "changing a type")?;
    let target = match &op.r#as {
        Some(name) => {
            on.free(name)?;
            name.as_str()
        }
        None => column,
    };
    let staged = if op.r#as.is_some() { target.to_owned() } else { on.hidden("new_", column) };
    let (up, castable) = up(op, &data_type, on)?;
    let down = op.down.as_ref().map(|text| expr::spell(&rename(text, target, target), on.state));
    let mut castable = castable;
    if let Some(down) = &down {
        // Over the old columns: what comes back of what was there.
        castable.push(works(&expr::replace(down, target, &up), &old.data_type, "down"));
    }
    let change = Change { old, data_type, target, staged, hidden: on.hidden("", column), up, down, castable };
    if rewrite {
        rewritten(&change, on);
    } else {
        on.generates(
            &change.staged,
            "say `rewrite: true` on a table without column mapping, or name it in lower case",
        )?;
        add(&change, on);
        simdrop(&change, on)?;
        roll_back(&change, on);
        on.warn(format!(
            "until simdrop only `{column}` is written and the new column read; afterwards only the new one is written"
        ));
        on.unfilled(&change.staged);
    }
    if op.r#as.is_none() {
        on.warn(format!(
            "`{column}` changes its type under its name at simdrop: the new application must take both types, and an old writer whose \
             values cast goes on unnoticed (`as` gives the new one a name of its own)"
        ));
    }
    if change.down.is_none() {
        on.label(Verb::RollbackSimdrop, Label::Lossy);
        on.warn(format!(
            "without `down`, rows written after simdrop come back with the old value, or with NULL, in `{column}`"
        ));
    }
    Ok(())
}

/// The expression from old to new, and what the old values must be for it.
fn up(op: &ChangeType, data_type: &DataType, on: &On<'_, '_>) -> Result<(String, Vec<Check>), Refusal> {
    let column = ident(&op.column);
    if let Some(text) = &op.up {
        let text = expr::spell(text, on.state);
        let lost = format!("{} AND ({text}) IS NULL", is_not_null(&op.column));
        let checks =
            vec![works(&text, data_type, "up"), none(lost, format!("`up` gives NULL for values of `{}`", op.column))];
        return Ok((text, checks));
    }
    let Some(word) = data_type.cast_word() else {
        return Err(
            wrong(format!("a cast to {data_type} is spelt differently by each engine")).way_out("write it as `up`")
        );
    };
    let lost = format!("{} AND TRY_CAST({column} AS {word}) IS NULL", is_not_null(&op.column));
    let checks = vec![none(lost, format!("values of `{}` are no {data_type}", op.column))];
    Ok((format!("CAST({column} AS {word})"), checks))
}

impl Change<'_> {
    fn name(&self) -> &str {
        &self.old.name
    }

    fn nullable(name: &str, nullable: bool) -> Edit {
        Edit::SetNullable { name: name.to_owned(), nullable }
    }

    /// The new column as it is made.
    fn field(&self, name: &str) -> Field {
        let mut field = Field::new(name, self.data_type.clone());
        if let Some(comment) = self.old.text(COMMENT) {
            field.metadata.insert(COMMENT.to_owned(), comment.into());
        }
        field
    }

    /// `up` over the old column's hidden name.
    fn up_hidden(&self) -> String {
        rename(&self.up, self.name(), &self.hidden)
    }
}

fn add(change: &Change<'_>, on: &mut On<'_, '_>) {
    let staged = change.staged.as_str();
    let mut field = change.field(staged);
    field.metadata.insert(GENERATION.to_owned(), change.up.as_str().into());
    let edits = vec![Edit::AddField { field, physical: on.physical(), at: None }];
    on.push(Verb::Add, Does::Commit { checks: change.castable.clone(), edits });
    on.push(Verb::Add, backfill(staged, &change.up, differs(staged, &change.up)));
    let remove = Edit::RemoveField { name: staged.to_owned() };
    if staged == change.target {
        let kept = vec![
            Edit::UnsetGenerated { name: staged.to_owned() },
            Edit::HideField { name: staged.to_owned(), hidden: on.hidden("new_", staged) },
        ];
        on.push(
            Verb::RollbackAdd,
            Does::Choose {
                checks: vec![],
                rows: format!("{} AND {}", is_not_null(staged), differs(staged, &change.up)),
                none: vec![remove],
                some: kept,
                told: format!("others have written to `{staged}`: it stays hidden until the step's next drop"),
            },
        );
    } else {
        on.push(Verb::RollbackAdd, Does::Commit { checks: vec![], edits: vec![remove] });
    }
}

fn simdrop(change: &Change<'_>, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let (old, staged, target, hidden) = (change.name(), change.staged.as_str(), change.target, change.hidden.as_str());
    on.push(Verb::Drop, Does::Commit { checks: vec![], edits: vec![Edit::RemoveField { name: hidden.to_owned() }] });
    on.push(Verb::Simdrop, backfill(staged, &change.up, differs(staged, &change.up)));
    let mut checks = vec![filled(staged, &change.up, differs(staged, &change.up))];
    let mut edits = vec![
        Edit::UnsetGenerated { name: staged.to_owned() },
        Edit::HideField { name: old.to_owned(), hidden: hidden.to_owned() },
    ];
    if staged != target {
        edits.push(Edit::RenameField { from: staged.to_owned(), to: target.to_owned() });
    }
    edits.push(Edit::MoveField { name: target.to_owned(), to: Some(on.place(old)) });
    if !change.old.nullable {
        checks.push(none(is_null(staged), format!("`{old}` is never NULL, and `up` gives NULL")));
        edits.extend([Change::nullable(hidden, true), Change::nullable(target, false)]);
    }
    let ways = "let the new writers name every column";
    let does = match &change.down {
        None => {
            let blocks = on.appends("appends", hidden, ways)?;
            on.push_blocking(Verb::Simdrop, Does::Commit { checks, edits }, blocks);
            return Ok(());
        }
        Some(down) => {
            let generated = Edit::SetGenerated { name: hidden.to_owned(), generated: down.clone() };
            let exact: Vec<Edit> = edits.iter().cloned().chain([generated]).collect();
            let rows = differs(old, &rename(down, target, staged));
            let told = format!("`down` does not give back exactly what `{old}` holds");
            if on.needs_generated() {
                checks.push(none(
                    rows,
                    format!("{told}, so that delta-rs appends that omit {} would fail", ident(hidden)),
                ));
                Does::Commit { checks, edits: exact }
            } else {
                let told = format!("{told}: the old column is kept as it is, and filled on the way back");
                Does::Choose { checks, rows, none: exact, some: edits, told }
            }
        }
    };
    on.push(Verb::Simdrop, does);
    Ok(())
}

fn roll_back(change: &Change<'_>, on: &mut On<'_, '_>) {
    let (old, staged, target, hidden) = (change.name(), change.staged.as_str(), change.target, change.hidden.as_str());
    let stale = differs(target, &change.up_hidden());
    let mut checks = vec![];
    if let Some(down) = &change.down {
        // Rows whose old value still gives the new one keep it: `007` stays `007`.
        let rows = format!("{stale} AND {}", differs(hidden, down));
        on.push(Verb::RollbackSimdrop, backfill(hidden, down, rows.clone()));
        checks.push(filled(hidden, down, rows));
    }
    let mut edits = vec![Edit::UnsetGenerated { name: hidden.to_owned() }];
    if staged != target {
        edits.push(Edit::RenameField { from: target.to_owned(), to: staged.to_owned() });
    }
    edits.push(Edit::ShowField { hidden: hidden.to_owned(), name: old.to_owned(), at: on.place(old) });
    edits.push(Edit::MoveField { name: staged.to_owned(), to: None });
    if !change.old.nullable {
        checks.push(none(
            is_null(hidden),
            format!("`{old}` was never NULL, and rows written since simdrop have NULL in it"),
        ));
        edits.extend([Change::nullable(staged, true), Change::nullable(old, false)]);
    }
    let again = Edit::SetGenerated { name: staged.to_owned(), generated: change.up.clone() };
    on.push(
        Verb::RollbackSimdrop,
        Does::Choose {
            checks,
            rows: stale,
            none: edits.iter().cloned().chain([again]).collect(),
            some: edits,
            told: format!(
                "the new column is generated from `{old}` no more, and filled at the next simdrop: the two differ"
            ),
        },
    );
}

/// Without column mapping: one rewrite at simdrop, one for each way from there.
fn rewritten(change: &Change<'_>, on: &mut On<'_, '_>) {
    let (old, target, hidden) = (change.name(), change.target, change.hidden.as_str());
    let at = on.place(old);
    on.push(Verb::Add, Does::Check { checks: change.castable.clone() });
    on.nothing(Verb::RollbackAdd);
    let mut checks = change.castable.clone();
    let new = change.field(target);
    let mut edits = vec![
        Edit::HideField { name: old.to_owned(), hidden: hidden.to_owned() },
        Edit::AddField { field: new, physical: on.physical(), at: Some(at.clone()) },
    ];
    if !change.old.nullable {
        checks.push(none(format!("({}) IS NULL", change.up), format!("`{old}` is never NULL, and `up` gives NULL")));
        edits.extend([Change::nullable(hidden, true), Change::nullable(target, false)]);
    }
    let columns = IndexMap::from([(hidden.to_owned(), ident(old)), (target.to_owned(), change.up.clone())]);
    on.push(Verb::Simdrop, Does::Rewrite { checks, edits, columns });

    let value = match &change.down {
        Some(down) => {
            let stale = differs(target, &change.up_hidden());
            format!("CASE WHEN {stale} THEN {down} ELSE {} END", ident(hidden))
        }
        None => ident(hidden),
    };
    let mut checks = vec![];
    let mut edits = vec![
        Edit::RemoveField { name: target.to_owned() },
        Edit::ShowField { hidden: hidden.to_owned(), name: old.to_owned(), at },
    ];
    if !change.old.nullable {
        checks.push(none(
            format!("({value}) IS NULL"),
            format!("`{old}` was never NULL, and rows written since simdrop have none"),
        ));
        edits.push(Change::nullable(old, false));
    }
    let columns = IndexMap::from([(old.to_owned(), value)]);
    on.push(Verb::RollbackSimdrop, Does::Rewrite { checks, edits, columns });
    let gone = vec![Edit::RemoveField { name: hidden.to_owned() }];
    on.push(Verb::Drop, Does::Rewrite { checks: vec![], edits: gone, columns: IndexMap::new() });
}
