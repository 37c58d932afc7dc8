//! Queries over a lake's tables, in DataFusion: `expect`, `done_when`, and the sources of `INSERT` and `MERGE`.

use super::{context::session, lake::Lake, trouble::Trouble};
use crate::{engine::rows::TextRow, sql::lake::path};
use anyhow::anyhow;
use deltalake::{
    arrow::{
        array::{Array as _, ArrayRef},
        util::display,
    },
    datafusion::{
        catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider},
        common::{ScalarValue, TableReference},
        dataframe::DataFrame,
        prelude::SessionContext,
    },
};
use std::sync::Arc;

/// Plans a query; the tables that it names are those of the lake, at their newest version.
///
/// # Errors
/// Where a table is missing, or the query does not fit the tables.
pub async fn frame(lake: &Lake, sql: &str) -> Result<DataFrame, Trouble> {
    let context = session();
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect)?;
    for reference in state.resolve_table_references(&statement)? {
        register(lake, &context, &reference).await?;
    }
    let plan = context.state().statement_to_plan(statement).await?;
    Ok(context.execute_logical_plan(plan).await?)
}

async fn register(lake: &Lake, context: &SessionContext, reference: &TableReference) -> Result<(), Trouble> {
    let name = name(reference);
    let place = lake.place(&name).map_err(Trouble::Refused)?;
    let table = lake.open(&place).await?.ok_or_else(|| no_table(lake, &name))?;
    let provider = table.table_provider().await?;
    table.update_datafusion_session(&context.state())?;
    let options = context.state().config().options().catalog.clone();
    let catalog_name = reference.catalog().unwrap_or(&options.default_catalog).to_owned();
    let schema_name = reference.schema().unwrap_or(&options.default_schema).to_owned();
    let catalog: Arc<dyn CatalogProvider> = match context.catalog(&catalog_name) {
        Some(catalog) => catalog,
        None => {
            let catalog = Arc::new(MemoryCatalogProvider::new());
            context.register_catalog(catalog_name, Arc::clone(&catalog) as Arc<dyn CatalogProvider>);
            catalog
        }
    };
    let schema = match catalog.schema(&schema_name) {
        Some(schema) => schema,
        None => {
            let schema = Arc::new(MemorySchemaProvider::new());
            catalog.register_schema(&schema_name, Arc::clone(&schema) as _)?;
            schema
        }
    };
    if !schema.table_exist(reference.table()) {
        schema.register_table(reference.table().to_owned(), provider)?;
    }
    Ok(())
}

/// What is said of a table that is not there.
pub fn no_table(lake: &Lake, name: &str) -> Trouble {
    Trouble::Refused(anyhow!("there is no table `{name}` in the lake {}", lake.shown))
}

/// The rows of a query, every column as text; `None`: a table that it names is not there.
///
/// # Errors
/// As [`frame`], or where the query fails on the way.
pub async fn texts(lake: &Lake, sql: &str) -> Result<Option<Vec<TextRow>>, Trouble> {
    let context = session();
    let state = context.state();
    let statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
    for reference in state.resolve_table_references(&statement)? {
        let place = lake.place(&name(&reference)).map_err(Trouble::Refused)?;
        if !lake.is_there() || lake.open(&place).await?.is_none() {
            return Ok(None);
        }
    }
    let mut rows = Vec::new();
    for batch in frame(lake, sql).await?.collect().await? {
        for row in 0..batch.num_rows() {
            let text = |column: &ArrayRef| {
                let value = display::array_value_to_string(column, row);
                (!column.is_null(row)).then(|| value.unwrap_or_default())
            };
            rows.push(batch.columns().iter().map(text).collect());
        }
    }
    Ok(Some(rows))
}

/// A table's name as a query has it, as a path below the lake's root.
fn name(reference: &TableReference) -> String {
    let parts: Vec<String> = [reference.catalog(), reference.schema(), Some(reference.table())]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    path(&parts)
}

/// Asks for one truth (rule F3). `Err` of the inner: what was found instead.
///
/// # Errors
/// As [`frame`], or where the query fails on the way.
pub async fn truth(lake: &Lake, sql: &str) -> Result<Result<(), String>, Trouble> {
    let batches = frame(lake, sql).await?.collect().await?;
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    let columns = batches.first().map_or(0, |batch| batch.num_columns());
    let found = match (rows, columns) {
        (1, 1) => {
            let column = batches.iter().find(|batch| batch.num_rows() == 1).map(|batch| batch.column(0).clone());
            let Some(column) = column else { return Ok(Err("no row".to_owned())) };
            let value = ScalarValue::try_from_array(&column, 0)?;
            if is_true(&value) {
                return Ok(Ok(()));
            }
            if column.is_null(0) {
                "NULL".to_owned()
            } else {
                display::array_value_to_string(&column, 0).unwrap_or_else(|_| value.to_string())
            }
        }
        (0, _) => "no row".to_owned(),
        (1, columns) => format!("{columns} columns"),
        (rows, _) => format!("{rows} rows"),
    };
    Ok(Err(found))
}

/// True, or a number that is not zero.
fn is_true(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Boolean(value) => *value == Some(true),
        value if value.data_type().is_numeric() && !value.is_null() => {
            ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| *value != zero)
        }
        _ => false,
    }
}
