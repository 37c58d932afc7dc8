//! What must hold before a commit, looked at in the very version that it follows.

use super::{
    super::{evidence::Whose, memory, trouble::Trouble},
    beside::Beside,
    files,
    looked::Looked,
};
use crate::{
    model::{Dialect, Verb},
    ops::{Check, DataType},
    sql,
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, Path,
    arrow::{
        array::{RecordBatch, new_null_array},
        compute::can_cast_types,
        datatypes::{DataType as ArrowType, Field, Schema},
        util::display,
    },
    datafusion::{
        common::Column,
        dataframe::DataFrame,
        datasource::MemTable,
        logical_expr::{Expr, Operator, binary_expr, cast, lit},
        prelude::SessionContext,
        scalar::ScalarValue,
    },
    delta_datafusion::DataFusionMixins as _,
    kernel::Action,
    logstore::get_actions,
};
use percent_encoding::percent_decode_str;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How many rows are shown of those that are in the way.
const EXAMPLES: usize = 3;
/// How many real rows an expression is tried on.
const SAMPLE: usize = 1000;
/// The column that says which file a row is of.
const FILE: &str = "_tp_file";

/// Makes all checks.
///
/// # Errors
/// [`Trouble::Refused`] where one does not hold, with what was found.
pub async fn all(whose: &Whose, table: &DeltaTable, checks: &[Check], looked: &mut Looked) -> Result<(), Trouble> {
    for check in checks {
        match check {
            Check::NoRows { rows, refusal } => no_rows(table, rows, refusal, looked).await?,
            Check::Evaluates { expression, data_type, field } => {
                evaluates(table, expression, data_type, field, looked).await?;
            }
            // Whoever runs the act has filled what there was; what came since is filled before the next try.
            Check::Filled { set: _, rows } => {
                if !looked.wanting(table, rows, None).await?.is_empty() {
                    return Err(Trouble::Moved);
                }
            }
            Check::Unique { columns, refusal } => unique(table, columns, refusal, looked).await?,
            Check::NoForeignCommits { since, refusal } => no_foreign_commits(whose, table, *since, refusal).await?,
        }
    }
    Ok(())
}

/// Makes the checks that changing nothing can decide, as the table stands.
///
/// # Errors
/// As [`all`].
pub async fn seen(table: &DeltaTable, checks: &[Check]) -> Result<(), Trouble> {
    let looked = &mut Looked::default();
    for check in checks {
        match check {
            Check::NoRows { rows, refusal } => no_rows(table, rows, refusal, looked).await?,
            Check::Evaluates { expression, data_type, field } => {
                evaluates(table, expression, data_type, field, looked).await?;
            }
            Check::Unique { columns, refusal } => unique(table, columns, refusal, looked).await?,
            // The one is for the act to make so, the other is about commits: [`no_foreign_commits`].
            Check::Filled { .. } | Check::NoForeignCommits { .. } => {}
        }
    }
    Ok(())
}

/// How many rows meet a condition.
///
/// # Errors
/// Where the condition does not fit the table.
pub async fn count(table: &DeltaTable, condition: &str) -> Result<u64, Trouble> {
    count_in(table, None, condition).await
}

/// How many rows of some files meet a condition.
///
/// # Errors
/// As [`count`].
pub async fn count_in(table: &DeltaTable, files: Option<&BTreeSet<String>>, condition: &str) -> Result<u64, Trouble> {
    counted(over(table, files, &format!("SELECT count(*) FROM t WHERE {condition}")).await?).await
}

/// Those of some files that have rows that meet a condition, and how many. `beside`: it is over that too.
///
/// # Errors
/// As [`count`].
pub async fn among(
    table: &DeltaTable,
    rows: &str,
    files: &BTreeSet<String>,
    beside: Option<&Beside>,
) -> Result<BTreeMap<String, u64>, Trouble> {
    let context = memory::session();
    let provider = table.table_provider().with_session(Arc::new(context.state())).with_file_column(FILE);
    table.update_datafusion_session(&context.state())?;
    context.register_table("t", provider.with_file_paths(files.iter().map(String::as_str).map(escaped)).await?)?;
    let from = match beside {
        Some(beside) => beside.register(&context, table).await?,
        None => "t".to_owned(),
    };
    let query = format!("SELECT CAST({FILE} AS string), count(*) FROM {from} WHERE {rows} GROUP BY {FILE}");
    let batches = context.sql(&query).await?.collect().await?;
    let root = table.table_url().as_str().trim_end_matches('/');
    let mut met = BTreeMap::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let text = |at: usize| display::array_value_to_string(batch.column(at), row).unwrap_or_default();
            let file = text(0);
            let path = file.strip_prefix(root).map_or(file.as_str(), |path| path.trim_start_matches('/'));
            let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
            *met.entry(path).or_default() += text(1).parse::<u64>().unwrap_or_default();
        }
    }
    match met.keys().find(|path| !files.contains(*path)) {
        None => Ok(met),
        Some(unknown) => {
            Err(Trouble::Refused(anyhow!("rows were found in `{unknown}`, which is no file of the table")))
        }
    }
}

/// The one number that a query gives.
///
/// # Errors
/// Where the query fails on the way.
pub async fn counted(frame: DataFrame) -> Result<u64, Trouble> {
    let batches = frame.collect().await?;
    let text = batches.first().map(|batch| display::array_value_to_string(batch.column(0), 0));
    Ok(text.and_then(Result::ok).and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Plans a query over a table at the version that was opened; it calls the table `t`. `files`: only those.
///
/// # Errors
/// Where the query does not fit the table.
pub async fn over(table: &DeltaTable, files: Option<&BTreeSet<String>>, sql: &str) -> Result<DataFrame, Trouble> {
    let context = memory::session();
    register(&context, table, files).await?;
    Ok(context.sql(sql).await?)
}

/// Gives a session the table as `t`. `files`: only those.
///
/// # Errors
/// Where the table can't be read so.
pub async fn register(
    context: &SessionContext,
    table: &DeltaTable,
    files: Option<&BTreeSet<String>>,
) -> Result<(), Trouble> {
    let mut provider = table.table_provider().with_session(Arc::new(context.state()));
    if let Some(files) = files {
        provider = provider.with_file_paths(files.iter().map(String::as_str).map(escaped));
    }
    let provider = provider.await?;
    table.update_datafusion_session(&context.state())?;
    context.register_table("t", provider)?;
    Ok(())
}

/// A file's path as the library's selection takes it: the paths that it gives are without escapes, and those that it takes are joined to
/// the table's URL as they are.
pub(super) fn escaped(path: &str) -> String {
    if path.contains("://") { path.to_owned() } else { Path::from(path).to_string() }
}

async fn no_rows(table: &DeltaTable, rows: &str, refusal: &str, looked: &mut Looked) -> Result<(), Trouble> {
    let (count, only) = looked.met(table, rows).await?;
    if count == 0 {
        return Ok(());
    }
    in_the_way(table, only.as_ref(), rows, count, refusal).await
}

/// Sees that no two rows are alike in these columns, and none has NULL in one.
async fn unique(table: &DeltaTable, columns: &[String], refusal: &str, looked: &mut Looked) -> Result<(), Trouble> {
    match looked.alike(table, columns).await? {
        0 => Ok(()),
        _ => {
            let rows = twice(columns, "t");
            in_the_way(table, None, &rows, count(table, &rows).await?, refusal).await
        }
    }
}

/// The rows of a relation that have NULL in one of these columns, or are like another one in all of them.
fn twice(columns: &[String], of: &str) -> String {
    let names: Vec<String> = columns.iter().map(|name| sql::ident(Dialect::Delta, name)).collect();
    let unknown: Vec<String> = names.iter().map(|name| format!("{name} IS NULL")).collect();
    let alike: Vec<String> = names.iter().map(|name| format!("twice.{name} = {of}.{name}")).collect();
    let (key, unknown, alike) = (names.join(", "), unknown.join(" OR "), alike.join(" AND "));
    let twice =
        format!("SELECT 1 FROM (SELECT {key} FROM {of} GROUP BY {key} HAVING count(*) > 1) AS twice WHERE {alike}");
    format!("{unknown} OR EXISTS ({twice})")
}

/// How many rows have NULL in one of these columns, or are like another one in all of them. `fresh`: among all other files none are; a row
/// of theirs can then only be like one of these files that lies between the least and the greatest of them.
///
/// # Errors
/// As [`count`].
pub async fn alike(table: &DeltaTable, columns: &[String], fresh: Option<&BTreeSet<String>>) -> Result<u64, Trouble> {
    let context = memory::session();
    register(&context, table, None).await?;
    let mut near = context.table("t").await?;
    if let Some(fresh) = fresh {
        for name in columns {
            let quoted = sql::ident(Dialect::Delta, name);
            let range = match over(table, Some(fresh), &format!("SELECT min({quoted}), max({quoted}) FROM t")).await {
                Ok(range) => range.collect().await?,
                // A type that has no order.
                Err(Trouble::Refused(_)) => continue,
                Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => return Err(trouble),
            };
            let Some(range) = range.first() else { continue };
            let [least, greatest] =
                [ScalarValue::try_from_array(range.column(0), 0)?, ScalarValue::try_from_array(range.column(1), 0)?];
            let column = || Expr::Column(Column::new_unqualified(name));
            near = near.filter(column().between(lit(least), lit(greatest)).or(column().is_null()))?;
        }
    }
    context.register_table("near", near.into_view())?;
    counted(context.sql(&format!("SELECT count(*) FROM near WHERE {}", twice(columns, "near"))).await?).await
}

/// The refusal for rows, counted and with examples.
async fn in_the_way(
    table: &DeltaTable,
    only: Option<&BTreeSet<String>>,
    rows: &str,
    count: u64,
    refusal: &str,
) -> Result<(), Trouble> {
    let examples =
        over(table, only, &format!("SELECT * FROM t WHERE {rows} LIMIT {EXAMPLES}")).await?.collect().await?;
    let examples: Vec<String> = examples.iter().flat_map(shown).collect();
    let (count, them) = if count == 1 { ("1 row".to_owned(), "") } else { (format!("{count} rows"), ", for example") };
    Err(Trouble::Refused(anyhow!("{refusal}: {count}{them}: {}", examples.join(", "))))
}

/// Rows as `{id: 1, v: -5}`.
fn shown(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = schema
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| {
                    let value = if column.is_null(row) {
                        "NULL".to_owned()
                    } else {
                        display::array_value_to_string(column, row).unwrap_or_default()
                    };
                    format!("{}: {value}", field.name())
                })
                .collect();
            format!("{{{}}}", cells.join(", "))
        })
        .collect()
}

/// Tries an expression on a row of NULLs and on real rows (rule O1).
async fn evaluates(
    table: &DeltaTable,
    expression: &str,
    data_type: &str,
    field: &str,
    looked: &mut Looked,
) -> Result<(), Trouble> {
    if !looked.tries(expression, data_type, field) {
        return Ok(());
    }
    let schema = table.snapshot()?.snapshot().read_schema();
    let (found, wanted) = on_nulls(&schema, expression, data_type, field).await?;
    let query = format!("SELECT ({expression}) AS v FROM t LIMIT {SAMPLE}");
    let wrong = |trouble| in_expression(trouble, field, expression);
    let sampled = async { Ok(over(table, None, &query).await?.cache().await?) };
    let sample: DataFrame = sampled.await.map_err(wrong)?;
    if generates(field) && found != wanted && !found.is_nested() {
        let value = || Expr::Column(Column::new_unqualified("v"));
        let kept = binary_expr(value(), Operator::IsDistinctFrom, cast(value(), wanted));
        let lossy = sample.filter(kept)?.limit(0, Some(1))?.collect().await?;
        if let Some(row) = lossy.iter().flat_map(shown).next() {
            return Err(Trouble::Refused(anyhow!(
                "`{field}`: {expression} gives {row}, which {data_type} does not hold to the letter; write CAST(… AS {data_type})"
            )));
        }
    }
    Ok(())
}

/// Tries an expression on a row of NULLs of these columns. Gives its type, and the one that was wanted.
///
/// # Errors
/// [`Trouble::Refused`] where it can't be evaluated, or not to that.
pub async fn on_nulls(
    schema: &Schema,
    expression: &str,
    data_type: &str,
    field: &str,
) -> Result<(ArrowType, ArrowType), Trouble> {
    let nullable: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let nulls = Arc::new(Schema::new(nullable));
    let columns = nulls.fields().iter().map(|f| new_null_array(f.data_type(), 1)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&nulls), columns).map_err(|error| Trouble::Refused(error.into()))?;
    let context = memory::session();
    context.register_table("t", Arc::new(MemTable::try_new(nulls, vec![vec![batch]])?))?;
    let tried = async {
        let frame = context.sql(&format!("SELECT ({expression}) AS v FROM t")).await?;
        let found = frame.schema().field(0).data_type().clone();
        frame.collect().await?;
        Ok(found)
    };
    let found: ArrowType = tried.await.map_err(|trouble| in_expression(trouble, field, expression))?;
    let wanted = arrow_type(data_type)?;
    if kind(&found) != kind(&wanted) || !can_cast_types(&found, &wanted) {
        return Err(Trouble::Refused(anyhow!("`{field}`: {expression} gives {found}, and {data_type} is wanted")));
    }
    Ok((found, wanted))
}

fn in_expression(trouble: Trouble, field: &str, expression: &str) -> Trouble {
    match trouble {
        Trouble::Refused(why) => Trouble::Refused(why.context(format!("`{field}`: {expression}"))),
        other @ (Trouble::Moved | Trouble::Lost(_)) => other,
    }
}

/// Whether a column is compared with what the expression gives: writers are held to it, and rows that differ are filled. What the column
/// can't hold would differ for ever.
fn generates(field: &str) -> bool {
    matches!(field, "up" | "down" | "generated")
}

/// Delta's word for a type as the library's own.
fn arrow_type(word: &str) -> Result<ArrowType, Trouble> {
    use deltalake::kernel::engine::arrow_conversion::TryIntoArrow as _;
    let refused = |error: String| Trouble::Refused(anyhow!("`{word}` is no type of Delta's: {error}"));
    let parsed = DataType::parse(word).map_err(|error| refused(format!("{error:?}")))?;
    let value = serde_json::to_value(&parsed).map_err(|error| refused(error.to_string()))?;
    let kernel: deltalake::kernel::DataType =
        serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
    (&kernel).try_into_arrow().map_err(|error| refused(error.to_string()))
}

/// What kind of values a type has: within one the library casts what it writes.
fn kind(of: &ArrowType) -> u8 {
    match of {
        // Whatever a NULL stands for, it fits.
        ArrowType::Dictionary(_, of) => kind(of),
        ArrowType::Boolean => 1,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => 2,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_) => 3,
        ArrowType::Date32 | ArrowType::Date64 => 4,
        ArrowType::Timestamp(..) => 5,
        ArrowType::List(_) | ArrowType::LargeList(_) | ArrowType::FixedSizeList(..) | ArrowType::ListView(_) => 6,
        ArrowType::Map(..) => 7,
        ArrowType::Struct(_) => 8,
        of if of.is_numeric() => 9,
        _ => 10,
    }
}

/// Sees that nobody but this step has changed rows or metadata since one of its handlers ended.
///
/// # Errors
/// [`Trouble::Refused`] where somebody has, with how many commits and how many rows of theirs there are.
pub async fn no_foreign_commits(whose: &Whose, table: &DeltaTable, since: Verb, refusal: &str) -> Result<(), Trouble> {
    let newest = table.snapshot()?.version();
    let (mut foreign, mut added) = (Vec::new(), BTreeSet::new());
    let mut found = false;
    for version in (0..=newest).rev() {
        let Some(bytes) = table.log_store().read_commit_entry(version).await? else { break };
        let actions = get_actions(version, &bytes)?;
        match of_step(whose, &actions) {
            Some(verb) if verb == since.name() => {
                found = true;
                break;
            }
            Some(_) => {}
            None if changes(&actions) && !triphase(&actions).is_some_and(|ours| whose.is_undone(ours)) => {
                foreign.push(named(version, &actions));
                added.extend(actions.iter().filter_map(adds).map(str::to_owned));
            }
            None => {}
        }
    }
    let s = |count: u64| if count == 1 { "" } else { "s" };
    if foreign.is_empty() {
        if found {
            return Ok(());
        }
        return Err(Trouble::Refused(anyhow!("{refusal}, for all that is known: {UNKNOWN}")));
    }
    let mut said = format!("{} commit{}", foreign.len(), s(foreign.len() as u64));
    if let Some(rows) = files::rows(files::live(table, None)?.iter().filter(|file| added.contains(&file.path))) {
        said = format!("{said}, {rows} row{} of theirs in the table", s(rows));
    }
    foreign.truncate(EXAMPLES);
    let unknown = if found { String::new() } else { format!("; {UNKNOWN}") };
    Err(Trouble::Refused(anyhow!("{refusal} ({said}): {}{unknown}", foreign.join(", "))))
}

/// What is said where a step's own commits are not there to count from.
const UNKNOWN: &str = "its log has no commit of this step";

/// The file that an action adds.
fn adds(action: &Action) -> Option<&str> {
    match action {
        Action::Add(add) => Some(&add.path),
        Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) | Action::Remove(_) => None,
        Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
    }
}

/// The verb of this step that a commit belongs to.
pub fn of_step(whose: &Whose, actions: &[Action]) -> Option<String> {
    let ours = triphase(actions)?;
    whose.is_of(ours).then(|| ours["phase"].as_str().unwrap_or_default().to_owned())
}

/// What a commit says of itself, where it is one of triphase's.
fn triphase(actions: &[Action]) -> Option<&serde_json::Value> {
    actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => info.info.get("triphase"),
        Action::Metadata(_) | Action::Protocol(_) | Action::Add(_) | Action::Remove(_) => None,
        Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
    })
}

fn changes(actions: &[Action]) -> bool {
    actions.iter().any(|action| match action {
        Action::Add(add) => add.data_change,
        Action::Remove(remove) => remove.data_change,
        Action::Metadata(_) | Action::Protocol(_) => true,
        Action::CommitInfo(_) | Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => false,
    })
}

fn named(version: u64, actions: &[Action]) -> String {
    let operation = actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => info.operation.clone(),
        Action::Metadata(_) | Action::Protocol(_) | Action::Add(_) | Action::Remove(_) => None,
        Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
    });
    let step = triphase(actions).map_or_else(String::new, |ours| {
        let text = |key: &str| ours[key].as_str().unwrap_or_default().to_owned();
        format!(" of step {}/{}", text("release"), text("step"))
    });
    format!("version {version} ({}{step})", operation.unwrap_or_else(|| "of unknown kind".to_owned()))
}
