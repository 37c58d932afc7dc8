//! `rename_column`. `sync`: the new name is generated from the old one until simdrop, the old one, hidden, from the new one afterwards, so
//! that both hold every value. `instant`: one rename at simdrop.

use super::{
    add_column::backfill,
    on::{On, filled, none, refuse},
};
use crate::{
    model::Verb,
    ops::{
        Refusal,
        act::Does,
        edit::Edit,
        expr::{differs, ident, is_not_null, is_null},
        state::{COMMENT, Field, GENERATION},
        types::DataType,
        vocabulary::RenameColumn,
    },
};
use indexmap::IndexMap;

pub(super) fn derive(op: &RenameColumn, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    on.field(&op.column)?;
    if op.column.to_lowercase() != op.to.to_lowercase() {
        on.free(&op.to)?;
    }
    let rewrite = on.rewrites(op.rewrite, "renaming a column")?;
    if rewrite || op.strategy.as_deref() == Some("instant") {
        instant(op, rewrite, on);
        return Ok(());
    }
    sync(op, on)
}

fn instant(op: &RenameColumn, rewrite: bool, on: &mut On<'_, '_>) {
    let steps = |from: &str, to: &str| -> Vec<Edit> {
        let rename = Edit::RenameField { from: from.to_owned(), to: to.to_owned() };
        let constraints = on.constraints_on(&op.column).into_iter().map(|(name, _)| Edit::RenameInConstraint {
            name: name.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
        let generated = on.generated_from(&op.column).map(|field| Edit::RenameInGenerated {
            name: field.name.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
        [rename].into_iter().chain(constraints).chain(generated).collect()
    };
    let (there, back) = (steps(&op.column, &op.to), steps(&op.to, &op.column));
    let does = |edits, to: &str, from: &str| {
        if rewrite {
            Does::Rewrite { checks: vec![], edits, columns: IndexMap::from([(to.to_owned(), ident(from))]) }
        } else {
            Does::Commit { checks: vec![], edits }
        }
    };
    on.push(Verb::Simdrop, does(there, &op.to, &op.column));
    on.push(Verb::RollbackSimdrop, does(back, &op.column, &op.to));
    on.warn(format!(
        "column `{}` is `{}` from simdrop on, and not before: the new application must take both names",
        op.column, op.to
    ));
}

fn sync(op: &RenameColumn, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let (old, new) = (op.column.as_str(), op.to.as_str());
    let field = on.movable(old)?;
    let instead = "say `strategy: instant`: one rename at simdrop";
    if field.generation().is_some() {
        return Err(refuse(
            format!("column `{old}` is generated itself, and nothing can be generated from it"),
            instead,
        ));
    }
    if let DataType::Nested(_) = field.data_type {
        return Err(refuse(
            format!("column `{old}` is {}, which can't be kept equal under two names", field.data_type),
            instead,
        ));
    }
    if old.to_lowercase() == new.to_lowercase() {
        return Err(refuse(format!("`{old}` and `{new}` differ in case alone: a table can't have both"), instead));
    }
    on.generates(new, instead)?;
    let (hidden, at) = (on.hidden("", old), on.place(old));
    let constraints = on.constraints_on(old);
    let renamed = |from: &str, to: &str| -> Vec<Edit> {
        let edit = |(name, _): &(&str, &str)| Edit::RenameInConstraint {
            name: (*name).to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        constraints.iter().map(edit).collect()
    };
    let mut made = Field::new(new, field.data_type.clone());
    made.metadata.insert(GENERATION.to_owned(), ident(old).into());
    if let Some(comment) = field.text(COMMENT) {
        made.metadata.insert(COMMENT.to_owned(), comment.into());
    }
    let add = Edit::AddField { field: made, physical: on.physical(), at: None };
    let fill = backfill(new, &ident(old), differs(new, &ident(old)));
    on.push(Verb::Add, Does::Commit { checks: vec![], edits: vec![add] });
    on.push(Verb::Add, fill.clone());

    let gone = Edit::RemoveField { name: new.to_owned() };
    let kept = vec![
        Edit::UnsetGenerated { name: new.to_owned() },
        Edit::HideField { name: new.to_owned(), hidden: on.hidden("new_", new) },
    ];
    on.push(
        Verb::RollbackAdd,
        Does::Choose {
            checks: vec![],
            rows: format!("{} AND {}", is_not_null(new), differs(new, &ident(old))),
            none: vec![gone],
            some: kept,
            told: format!("others have written to `{new}`: it stays hidden until the step's next drop"),
        },
    );

    let same = |a: &str, b: &str| filled(a, &ident(b), differs(a, &ident(b)));
    let required = |name: &str| none(is_null(name), format!("column `{name}` is never NULL, and is"));
    let nullable = |name: &str, nullable| Edit::SetNullable { name: name.to_owned(), nullable };
    let mut checks = vec![same(new, old)];
    let mut edits = vec![Edit::UnsetGenerated { name: new.to_owned() }];
    edits.extend(renamed(old, new));
    edits.push(Edit::HideField { name: old.to_owned(), hidden: hidden.clone() });
    edits.push(Edit::MoveField { name: new.to_owned(), to: Some(at.clone()) });
    if !field.nullable {
        checks.push(required(new));
        edits.extend([nullable(&hidden, true), nullable(new, false)]);
    }
    edits.push(Edit::SetGenerated { name: hidden.clone(), generated: ident(new) });
    on.push(Verb::Simdrop, fill);
    on.push(Verb::Simdrop, Does::Commit { checks, edits });

    on.push(Verb::Drop, Does::Commit { checks: vec![], edits: vec![Edit::RemoveField { name: hidden.clone() }] });

    let mut checks = vec![same(&hidden, new)];
    let mut edits = vec![Edit::UnsetGenerated { name: hidden.clone() }];
    edits.extend(renamed(new, old));
    edits.push(Edit::ShowField { hidden: hidden.clone(), name: old.to_owned(), at });
    edits.push(Edit::MoveField { name: new.to_owned(), to: None });
    if !field.nullable {
        checks.push(required(&hidden));
        edits.extend([nullable(new, true), nullable(old, false)]);
    }
    edits.push(Edit::SetGenerated { name: new.to_owned(), generated: ident(old) });
    on.push(Verb::RollbackSimdrop, backfill(&hidden, &ident(new), differs(&hidden, &ident(new))));
    on.push(Verb::RollbackSimdrop, Does::Commit { checks, edits });
    on.warn(format!("until simdrop only `{old}` is written and `{new}` read; afterwards only `{new}` is written"));
    on.unfilled(new);
    Ok(())
}
