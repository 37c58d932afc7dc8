//! Values as names of folders. The files of a partition lie in a folder that is named by its value, and a file system has no long names; a
//! store of objects has. The library finds that out in the middle of a write, and panics where it ends what it has begun (object_store
//! 0.13.2, `buffered.rs`: `BufWriter::abort` after a `shutdown` that failed). So such a value is refused before it comes there.

use super::{acts, trouble::Trouble};
use crate::{model::Dialect, ops::DataType, sql};
use anyhow::anyhow;
use deltalake::{
    DeltaTable,
    arrow::{
        array::{Array, AsArray as _, RecordBatch},
        compute::cast,
        datatypes::{DataType as ArrowType, Float64Type},
    },
    datafusion::{
        common::{DataFusionError, exec_err},
        logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit},
        prelude::SessionContext,
        scalar::ScalarValue,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// What a name may have on the file systems that there are, in bytes.
const LONGEST: usize = 255;
/// A text up to this length has no long name, whatever its letters are: each byte is three at most.
const SHORT: usize = 60;
/// The digits of a number between this and its reciprocal are no long name.
const LARGE: f64 = 1e100;
/// The function that lets values through that can name a folder.
const FUNCTION: &str = "_tp_folder";

/// The columns by which a table is partitioned in a file system, and whose values may be long: with their types in SQL.
#[derive(Debug, Default)]
pub struct Folders(BTreeMap<String, &'static str>);

impl Folders {
    /// Those of a table.
    ///
    /// # Errors
    /// Where nothing is loaded of it.
    pub fn of(table: &DeltaTable) -> Result<Self, Trouble> {
        if table.table_url().scheme() != "file" {
            return Ok(Self::default());
        }
        let state = acts::state(table)?;
        let typed = state.partition_by.iter().filter_map(|name| {
            let DataType::Primitive(word) = &state.field(name)?.data_type else { return None };
            let word = match word.as_str() {
                "string" => "VARCHAR",
                "double" => "DOUBLE",
                _ => return None,
            };
            Some((name.clone(), word))
        });
        Ok(Self(typed.collect()))
    }

    /// The text of a column's new value, which refuses what can't name a folder. The session has the function by [`register`].
    pub fn text(&self, column: &str, value: &str) -> String {
        match self.0.get(column) {
            Some(word) => {
                let name = sql::literal(Dialect::Delta, column);
                format!("{FUNCTION}({name}, CAST(({value}) AS {word}))")
            }
            None => value.to_owned(),
        }
    }

    /// The same for an expression of the column's own type.
    pub fn expression(&self, column: &str, value: Expr) -> Expr {
        if self.0.contains_key(column) { udf().call(vec![lit(column), value]) } else { value }
    }
}

/// Gives a session the function that [`Folders::text`] names.
pub fn register(context: &SessionContext) {
    context.register_udf(udf());
}

/// Refuses rows of which a value can't name its partition's folder. `by`: the columns, by the names that they have in the files.
///
/// # Errors
/// [`Trouble::Refused`], with the value.
pub fn fit(batch: &RecordBatch, by: &[String]) -> Result<(), Trouble> {
    for column in by {
        if let Some(values) = batch.column_by_name(column) {
            fits(column, values).map_err(|why| Trouble::Refused(anyhow!(why)))?;
        }
    }
    Ok(())
}

fn fits(column: &str, values: &dyn Array) -> Result<(), String> {
    for row in (0..values.len()).filter(|row| !values.is_null(*row)) {
        let (length, shown) = match value(values, row) {
            Value::Text(text) => (escaped(text), text.chars().take(SHORT).chain(['…']).collect()),
            Value::Number(number) => (number.to_string().len(), format!("{number:e}")),
            Value::Other => continue,
        };
        let length = column.len() + 1 + length;
        if length > LONGEST {
            return Err(format!(
                "{shown} can't be a value of `{column}`, by which the table is partitioned: the folder of that partition would have a name of \
                 {length} bytes, and file systems take {LONGEST}"
            ));
        }
    }
    Ok(())
}

/// A value that may be long.
enum Value<'a> {
    Text(&'a str),
    Number(f64),
    Other,
}

fn value(values: &dyn Array, row: usize) -> Value<'_> {
    let text = |text| if str::len(text) > SHORT { Value::Text(text) } else { Value::Other };
    let number = |number: f64| {
        let long = number.is_finite() && number != 0.0 && !(1.0 / LARGE..LARGE).contains(&number.abs());
        if long { Value::Number(number) } else { Value::Other }
    };
    match values.data_type() {
        ArrowType::Utf8 => text(values.as_string::<i32>().value(row)),
        ArrowType::LargeUtf8 => text(values.as_string::<i64>().value(row)),
        ArrowType::Utf8View => text(values.as_string_view().value(row)),
        // One of 32 bits has 39 digits at most before the point, and 45 zeros behind it.
        ArrowType::Float64 => number(values.as_primitive::<Float64Type>().value(row)),
        _ => Value::Other,
    }
}

/// How long a text is once it is escaped as the protocol says (`PROTOCOL.md`, "How to URL encode keys and string values").
fn escaped(text: &str) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { 1 } else { 3 }).sum()
}

fn udf() -> ScalarUDF {
    ScalarUDF::new_from_impl(Folder { signature: Signature::any(2, Volatility::Volatile) })
}

/// `_tp_folder(column, value)`: the value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Folder {
    signature: Signature,
}

impl ScalarUDFImpl for Folder {
    fn name(&self) -> &str {
        FUNCTION
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[ArrowType]) -> Result<ArrowType, DataFusionError> {
        match types {
            [_, value] => Ok(value.clone()),
            _ => exec_err!("{FUNCTION} takes a column's name and a value"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [ColumnarValue::Scalar(ScalarValue::Utf8(Some(column)) | ScalarValue::Utf8View(Some(column))), value] =
            args.args.as_slice()
        else {
            return exec_err!("{FUNCTION} takes a column's name and a value");
        };
        let values = value.to_array(args.number_rows)?;
        let values = match values.data_type() {
            ArrowType::Dictionary(_, of) => cast(&values, of)?,
            _ => Arc::clone(&values),
        };
        match fits(column, &values) {
            Ok(()) => Ok(value.clone()),
            Err(why) => exec_err!("{why}"),
        }
    }
}
