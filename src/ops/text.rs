//! Acts as text: what `plan`, `sql` and `history` show of them (O3). To the letter what is done: each edit, each check, each expression.

use super::{
    act::{Act, Check, Does},
    edit::Edit,
    expr::ident,
    state::{Field, TableState},
};

impl Act {
    /// The act in words; further lines are indented by four.
    pub fn text(&self) -> String {
        let table = ident(&self.table);
        match &self.does {
            Does::Check { checks } => lines(format!("look at {table}"), checks.iter().map(Check::text)),
            Does::Commit { checks, edits } => {
                lines(format!("commit to {table}"), checks.iter().map(Check::text).chain(edits.iter().map(Edit::text)))
            }
            Does::Choose { checks, rows, none, some, told } => {
                let either = [
                    lines(format!("where no row has {rows}"), each(none)),
                    lines(format!("else ({told})"), each(some)),
                ];
                lines(format!("commit to {table}"), checks.iter().map(Check::text).chain(either))
            }
            Does::Backfill { set, rows, batch, key, once } => {
                let set: Vec<_> = set.iter().map(|(column, value)| format!("{} = {value}", ident(column))).collect();
                let mut how = vec![];
                if let Some(key) = key {
                    how.push(format!("in ranges of {}", ident(key)));
                }
                if let Some(batch) = batch {
                    how.push(format!("at most {batch} rows a commit"));
                }
                if *once {
                    how.push("each row once".to_owned());
                }
                let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
                lines(format!("backfill {table}{how}"), [format!("set {}", set.join(", ")), format!("where {rows}")])
            }
            Does::Rewrite { checks, edits, columns } => {
                let columns = columns.iter().map(|(name, value)| format!("write {} as {value}", ident(name)));
                let edits = edits.iter().map(Edit::text);
                lines(
                    format!("rewrite the files of {table}"),
                    checks.iter().map(Check::text).chain(columns).chain(edits),
                )
            }
            Does::Create { state } => lines(format!("create table {table}"), created(state)),
            Does::Delete => format!("delete the files of {table} that its log names, the log last"),
            Does::Recover { column, key, since } => {
                let key: Vec<_> = key.iter().map(|name| ident(name)).collect();
                format!(
                    "bring back the values of {} in {table} from the version before {since}, by {}",
                    ident(column),
                    key.join(", ")
                )
            }
            Does::Nothing { why } => format!("nothing on {table}: {why}"),
            Does::Underived { operation } => format!("{operation} on {table}: derived once the table is there"),
        }
    }
}

/// A line, and others below it, indented; each of them may have others below it in turn.
fn lines(first: String, rest: impl IntoIterator<Item = String>) -> String {
    rest.into_iter().fold(first, |text, line| format!("{text}\n    {}", line.replace('\n', "\n    ")))
}

fn each(edits: &[Edit]) -> Vec<String> {
    if edits.is_empty() { vec!["nothing".to_owned()] } else { edits.iter().map(Edit::text).collect() }
}

fn created(state: &TableState) -> Vec<String> {
    let mut lines: Vec<String> = state.fields.iter().map(column).collect();
    if !state.partition_by.is_empty() {
        lines.push(format!("partitioned by {}", names(&state.partition_by)));
    }
    lines.extend(state.properties.iter().map(|(key, value)| format!("property {key} = {value}")));
    if let Some(comment) = &state.comment {
        lines.push(format!("comment {comment:?}"));
    }
    let protocol = &state.protocol;
    lines.push(format!("protocol: reader {}, writer {}", protocol.min_reader_version, protocol.min_writer_version));
    lines
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

/// `` `amount` long, not null, generated as …, comment "…" ``
fn column(field: &Field) -> String {
    let mut text = format!("{} {}", ident(&field.name), field.data_type);
    if !field.nullable {
        text.push_str(" not null");
    }
    if let Some(generation) = field.generation() {
        text.push_str(&format!(" generated as ({generation})"));
    }
    if let Some(comment) = field.text(super::state::COMMENT) {
        text.push_str(&format!(" comment {comment:?}"));
    }
    text
}

impl Check {
    /// The check in words.
    pub fn text(&self) -> String {
        match self {
            Self::NoRows { rows, .. } => format!("check that no row has {rows}"),
            Self::Evaluates { expression, data_type, field } => {
                format!("check that `{field}` can be evaluated to {data_type}: {expression}")
            }
            Self::Filled { set, rows } => {
                let set: Vec<_> = set.iter().map(|(column, value)| format!("{} = {value}", ident(column))).collect();
                format!("set {} where rows still have {rows}", set.join(", "))
            }
            Self::Unique { columns, .. } => format!("check that {} tells rows apart", names(columns)),
            Self::NoForeignCommits { since, .. } => format!("check that nobody else has committed to it since {since}"),
        }
    }
}

impl Edit {
    /// The edit in words.
    pub fn text(&self) -> String {
        match self {
            Self::AddField { field, at: None, .. } => format!("add column {}", column(field)),
            Self::AddField { field, at: Some(at), .. } => {
                format!("add column {}, at place {}", column(field), at.index + 1)
            }
            Self::RemoveField { name } => format!("remove column {}", ident(name)),
            Self::ReattachField { field, at } => {
                format!("bring back column {} as it was, at place {}", column(field), at.index + 1)
            }
            Self::RenameField { from, to } => format!("rename column {} to {}", ident(from), ident(to)),
            Self::HideField { name, hidden } => format!("hide column {} as {}", ident(name), ident(hidden)),
            Self::ShowField { hidden, name, at } => {
                format!("show column {} as {} again, at place {}", ident(hidden), ident(name), at.index + 1)
            }
            Self::MoveField { name, to: Some(at) } => format!("move column {} to place {}", ident(name), at.index + 1),
            Self::MoveField { name, to: None } => format!("move column {} to the end", ident(name)),
            Self::SetNullable { name, nullable: true } => format!("let column {} be NULL", ident(name)),
            Self::SetNullable { name, nullable: false } => format!("let column {} never be NULL", ident(name)),
            Self::SetGenerated { name, generated } => format!("generate column {} as ({generated})", ident(name)),
            Self::UnsetGenerated { name } => format!("generate column {} no more", ident(name)),
            Self::RenameInGenerated { name, from, to } => {
                format!("write {} for {} in the expression of column {}", ident(to), ident(from), ident(name))
            }
            Self::SetProperty { key, value } => format!("set property {key} = {value}"),
            Self::UnsetProperty { key } => format!("unset property {key}"),
            Self::RestoreProperty { key, ours, before } => match before {
                Some(before) => format!("set property {key} back to {before}, where it is {} still", or_unset(ours)),
                None => format!("unset property {key}, where it is {} still", or_unset(ours)),
            },
            Self::AddConstraint { name, check } => format!("add constraint {} check ({check})", ident(name)),
            Self::RemoveConstraint { name } => format!("remove constraint {}", ident(name)),
            Self::StashConstraint { name, .. } => format!("put constraint {} away", ident(name)),
            Self::UnstashConstraint { name, .. } => format!("put constraint {} in force again", ident(name)),
            Self::ForgetConstraint { name, .. } => format!("forget constraint {}, which was put away", ident(name)),
            Self::RenameInConstraint { name, from, to } => {
                format!("write {} for {} in constraint {}", ident(to), ident(from), ident(name))
            }
            Self::SetPartitioning { columns } if columns.is_empty() => "partition by nothing".to_owned(),
            Self::SetPartitioning { columns } => format!("partition by {}", names(columns)),
            Self::UpgradeColumnMapping => {
                "map columns by name, each under the name that it has in the files".to_owned()
            }
            Self::SetComment { column, comment } => match comment {
                Some(comment) => format!("set the comment of {} to {comment:?}", of(column)),
                None => format!("take the comment of {} away", of(column)),
            },
            Self::RestoreComment { column, before, .. } => match before {
                Some(before) => {
                    format!("set the comment of {} back to {before:?}, where it is the step's still", of(column))
                }
                None => format!("take the comment of {} away, where it is the step's still", of(column)),
            },
            Self::HideTable { .. } => "close the table to every writer".to_owned(),
            Self::ShowTable { .. } => "open the table to writers again".to_owned(),
            Self::Tombstone => "make this the table's last version, which every writer refuses".to_owned(),
        }
    }
}

fn or_unset(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("unset")
}

fn of(column: &Option<String>) -> String {
    column.as_deref().map_or_else(|| "the table".to_owned(), |name| format!("column {}", ident(name)))
}
