//! `drop_column`: hidden at simdrop by another name, never by leaving the schema: what leaves it loses the values of every file that is
//! rewritten meanwhile. `hide: detach` does leave it, and brings the values back from the version before, by a key.

use super::{
    add_column::backfill,
    on::{On, commit, filled, none, refuse, works},
};
use crate::{
    model::Verb,
    ops::{
        Refusal,
        act::{Check, Does},
        edit::Edit,
        expr::{self, ident, is_null, violates},
        state::Field,
        vocabulary::DropColumn,
    },
};
use indexmap::IndexMap;

/// How long a detached column's old files are kept, in days, where the table does not keep them longer.
const KEPT_DAYS: u32 = 365;

pub(super) fn derive(op: &DropColumn, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let column = op.column.as_str();
    let field = on.movable(column)?;
    let rewrite = on.rewrites(op.rewrite, "dropping a column")?;
    let name = || column.to_owned();
    let down = op.down.as_ref().map(|text| expr::spell(text, on.state));
    let fill = down.as_ref().map(|text| backfill(column, text, is_null(column)));
    let mut sure: Vec<Check> = down.iter().map(|text| works(text, &field.data_type, "down")).collect();
    if !field.nullable {
        // New writers leave it out.
        let nullable = |nullable| Edit::SetNullable { name: name(), nullable };
        on.push(Verb::Add, Does::Commit { checks: sure.clone(), edits: vec![nullable(true)] });
        let told = format!("column `{column}` was never NULL, and rows written since add have NULL in it");
        let mut checks = vec![];
        if let (Some(fill), Some(text)) = (&fill, &down) {
            on.push(Verb::RollbackAdd, fill.clone());
            checks.push(filled(column, text, is_null(column)));
        }
        checks.push(none(is_null(column), told));
        on.push(Verb::RollbackAdd, Does::Commit { checks, edits: vec![nullable(false)] });
    } else if down.is_some() {
        // Which NULL was meant, nobody could tell afterwards.
        let told =
            format!("column `{column}` holds NULL, and `down` could not tell those from what new writers leave out");
        sure.push(none(is_null(column), told));
        on.push(Verb::Add, Does::Check { checks: sure.clone() });
        on.nothing(Verb::RollbackAdd);
    }
    let by = on.hash.clone();
    let constraints = on.constraints_on(column);
    let names = || constraints.iter().map(|(name, _)| ((*name).to_owned(), by.clone()));
    let away = Away {
        checks: sure,
        stash: names().map(|(name, by)| Edit::StashConstraint { name, by }).collect(),
        forget: names().map(|(name, by)| Edit::ForgetConstraint { name, by }).collect(),
    };
    if op.hide.as_deref() == Some("detach") {
        detach(op, field, away, on)?;
    } else {
        hide(op, field, rewrite, away, on)?;
    }
    if let Some(fill) = fill {
        on.push(Verb::RollbackSimdrop, fill);
    }
    for (name, text) in constraints {
        let back = Edit::UnstashConstraint { name: name.to_owned(), by: by.clone() };
        on.push(
            Verb::RollbackSimdrop,
            Does::Choose {
                checks: vec![],
                rows: violates(&expr::spell(text, on.state)),
                none: vec![back],
                some: vec![],
                told: format!("constraint `{name}` stays away: rows written meanwhile violate it"),
            },
        );
    }
    Ok(())
}

/// What goes with the column, however it is hidden.
struct Away {
    /// What must hold at simdrop.
    checks: Vec<Check>,
    /// The constraints that use it, put away.
    stash: Vec<Edit>,
    /// The same, forgotten.
    forget: Vec<Edit>,
}

fn hide(op: &DropColumn, field: &Field, rewrite: bool, away: Away, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let Away { checks, stash, forget } = away;
    let column = field.name.as_str();
    let (hidden, at) = (on.hidden("", column), on.place(column));
    let blocks = match field.generation() {
        Some(_) => None,
        None => on.appends("appends", &hidden, "hide it with `hide: detach` and `key`")?,
    };
    let mut edits = stash;
    edits.push(Edit::HideField { name: column.to_owned(), hidden: hidden.clone() });
    let back = vec![Edit::ShowField { hidden: hidden.clone(), name: column.to_owned(), at }];
    let gone = [vec![Edit::RemoveField { name: hidden.clone() }], forget].concat();
    let from = |to: &str, from: &str| IndexMap::from([(to.to_owned(), ident(from))]);
    let anew = |edits, columns| Does::Rewrite { checks: vec![], edits, columns };
    if rewrite {
        let columns = from(&hidden, column);
        on.push_blocking(Verb::Simdrop, Does::Rewrite { checks, edits, columns }, blocks);
        on.push(Verb::RollbackSimdrop, anew(back, from(column, &hidden)));
    } else {
        on.push_blocking(Verb::Simdrop, Does::Commit { checks, edits }, blocks);
        on.push(Verb::RollbackSimdrop, commit(back));
    }
    let purge = rewrite || op.purge;
    on.push(Verb::Drop, if purge { anew(gone, IndexMap::new()) } else { commit(gone) });
    Ok(())
}

fn detach(op: &DropColumn, field: &Field, away: Away, on: &mut On<'_, '_>) -> Result<(), Refusal> {
    let Away { mut checks, stash, forget } = away;
    if !on.state.mapped() {
        return Err(refuse(
            format!("`hide: detach` takes column mapping, and table `{}` has none", on.table),
            "write a step with `upgrade_column_mapping` before this one",
        ));
    }
    for key in &op.key {
        on.field(key)?;
        if *key == op.column {
            return Err(refuse(
                format!("`{key}` is the column that is dropped, and can't be in its `key`"),
                "name others",
            ));
        }
    }
    // Values are found again by it: of rows that are alike nobody could say whose value is whose, and NULL is like nothing.
    let names = op.key.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let refusal = format!("the key ({names}) does not tell all rows apart");
    checks.push(Check::Unique { columns: op.key.clone(), refusal });
    let mut edits = stash;
    let mut put_back = vec![];
    for key in ["delta.deletedFileRetentionDuration", "delta.logRetentionDuration"] {
        let before = on.state.properties.get(key).cloned();
        match before.as_deref().map(|text| (text, seconds(text))) {
            Some((_, Some(kept))) if kept >= u64::from(KEPT_DAYS) * 24 * 3600 => {}
            // Whatever it comes to, it is not shortened.
            Some((text, None)) => on.warn(format!(
                "table `{}` has {key}: {text}, which triphase can't count, and leaves as it is: the values of `{}` can be found \
                 again only as long as that keeps the old files",
                on.table, field.name
            )),
            Some((_, Some(_))) | None => {
                let ours = format!("interval {KEPT_DAYS} days");
                edits.push(Edit::SetProperty { key: key.to_owned(), value: ours.clone() });
                put_back.push(Edit::RestoreProperty { key: key.to_owned(), ours: Some(ours), before });
            }
        }
    }
    edits.push(Edit::RemoveField { name: field.name.clone() });
    on.push(Verb::Simdrop, Does::Commit { checks, edits });
    let again = Edit::ReattachField { field: Field { nullable: true, ..field.clone() }, at: on.place(&field.name) };
    on.push(Verb::RollbackSimdrop, commit(vec![again]));
    let column = field.name.clone();
    on.push(Verb::RollbackSimdrop, Does::Recover { column, key: op.key.clone(), since: Verb::Simdrop });
    if !put_back.is_empty() {
        on.push(Verb::RollbackSimdrop, commit(put_back.clone()));
    }
    let put_back = [put_back, forget].concat();
    if op.purge {
        on.push(Verb::Drop, Does::Rewrite { checks: vec![], edits: put_back, columns: IndexMap::new() });
    } else {
        on.push(Verb::Drop, commit(put_back));
    }
    on.warn(format!(
        "`hide: detach`: rows that are changed meanwhile lose `{}`; on the way back it is found again by {names}, in files that are kept for it",
        field.name,
    ));
    Ok(())
}

/// The seconds of `interval 1 week`, `interval 1 day 12 hours`; months and years have no length of their own, and Delta takes none.
fn seconds(interval: &str) -> Option<u64> {
    let text = interval.to_lowercase();
    let words: Vec<&str> = text.strip_prefix("interval").unwrap_or(&text).split_whitespace().collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return None;
    }
    pairs.iter().try_fold(0_u64, |sum, [number, unit]| {
        let number: u64 = number.parse().ok()?;
        let unit = match unit.strip_suffix('s').unwrap_or(unit) {
            "microsecond" | "millisecond" => 0,
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            "day" => 24 * 3600,
            "week" => 7 * 24 * 3600,
            _ => return None,
        };
        Some(sum.saturating_add(number.saturating_mul(unit)))
    })
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn intervals_are_counted_as_delta_writes_them() {
        assert_eq!(seconds("interval 9600 hours"), Some(9600 * 3600));
        assert_eq!(seconds("INTERVAL 1 day 12 hours"), Some(36 * 3600));
        assert_eq!(seconds("interval 4294967295 weeks"), Some(4_294_967_295 * 7 * 24 * 3600));
        assert_eq!(seconds("interval 99999999999999999999 weeks"), None);
        for unknown in ["interval 12 months", "interval 1 year", "interval", "soon", "interval 1"] {
            assert_eq!(seconds(unknown), None, "{unknown}");
        }
    }
}
