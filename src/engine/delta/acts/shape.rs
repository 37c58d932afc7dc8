//! Columns as a table's files have them: by their physical names, in the words for types that files have.

use super::super::trouble::Trouble;
use crate::ops::{Field, TableState};
use deltalake::{
    arrow::{
        array::{ArrayData, ArrayRef, RecordBatch, make_array},
        datatypes::{DataType, Field as Column, Schema, SchemaRef},
        error::ArrowError,
    },
    kernel::{StructType, engine::arrow_conversion::TryIntoArrow as _},
};
use std::sync::Arc;

/// The key by which the library's writer of files knows a mapped column's id. It stands in the file: in mode `id` readers go by it alone
/// (`PROTOCOL.md`, "Column Mapping").
const FIELD_ID: &str = "PARQUET:field_id";

/// How a table's rows are written.
#[derive(Clone, Debug)]
pub struct Shape {
    /// As a query gives them: the columns by their physical names, what is inside them by its logical ones.
    pub asked: SchemaRef,
    /// As the files have them.
    pub file: SchemaRef,
}

impl Shape {
    /// Of a table.
    ///
    /// # Errors
    /// Where the library does not know a type.
    pub fn of(state: &TableState) -> Result<Self, Trouble> {
        Ok(Self { asked: schema(state, false)?, file: schema(state, true)? })
    }

    /// A query's batch as the files have it.
    ///
    /// # Errors
    /// Where it has NULL in a column that may not hold it.
    pub fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, Trouble> {
        let columns = self.file.fields().iter().zip(batch.columns());
        let columns: Result<Vec<ArrayRef>, ArrowError> =
            columns.map(|(field, column)| named(column, field.data_type())).collect();
        let batch = columns.and_then(|columns| RecordBatch::try_new(Arc::clone(&self.file), columns));
        batch.map_err(|error| Trouble::Refused(error.into()))
    }
}

fn schema(state: &TableState, physical: bool) -> Result<SchemaRef, Trouble> {
    let plain = |field: &Field| {
        let mut plain = field.clone();
        field.physical().clone_into(&mut plain.name);
        let id = |field: &mut Field| {
            let id = field.id().filter(|_| physical && state.mapped());
            field.metadata = id.map(|id| (FIELD_ID.to_owned(), id.to_string().into())).into_iter().collect();
        };
        id(&mut plain);
        plain.data_type.inner_mut(&mut |inner: &mut Field| {
            if physical {
                inner.name = inner.physical().to_owned();
            }
            id(inner);
        });
        plain
    };
    let text = TableState { fields: state.fields.iter().map(plain).collect(), ..TableState::default() }.schema_string();
    let refused = |error: anyhow::Error| Trouble::Refused(error);
    let kernel: StructType = serde_json::from_str(&text).map_err(|error| refused(error.into()))?;
    let schema: Schema = (&kernel).try_into_arrow().map_err(|error: ArrowError| refused(error.into()))?;
    let fields: Vec<Column> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(of_files(field.data_type())))
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The library's words for texts in memory are not those of files.
fn of_files(of: &DataType) -> DataType {
    let field = |field: &Arc<Column>| Arc::new(field.as_ref().clone().with_data_type(of_files(field.data_type())));
    match of {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(of) => DataType::List(field(of)),
        DataType::Map(of, sorted) => DataType::Map(field(of), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

/// A column whose inner parts have other names; its values are not touched.
fn named(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    renamed(column.to_data(), to).map(make_array)
}

fn renamed(data: ArrayData, to: &DataType) -> Result<ArrayData, ArrowError> {
    let inner: Vec<&DataType> = match to {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(field) | DataType::Map(field, _) => vec![field.data_type()],
        _ => vec![],
    };
    let parts = data.child_data().to_vec().into_iter().zip(inner).map(|(part, to)| renamed(part, to));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    data.into_builder().data_type(to.clone()).child_data(parts).build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ops::DataType as Type;
    use deltalake::arrow::array::{Array as _, AsArray as _, Int64Array, StructArray};

    #[test]
    fn what_is_inside_a_column_gets_its_name_in_the_files_and_keeps_its_values() {
        let text = r#"[{"name":"s","type":{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,
            "metadata":{"delta.columnMapping.physicalName":"col-1"}}]},"nullable":true,
            "metadata":{"delta.columnMapping.physicalName":"col-0"}}]"#;
        let fields: Vec<Field> = serde_json::from_str(text).unwrap();
        assert!(matches!(fields[0].data_type, Type::Nested(_)));
        let shape = Shape::of(&TableState { fields, ..TableState::default() }).unwrap();
        let DataType::Struct(inner) = shape.asked.field(0).data_type().clone() else { unreachable!() };
        assert_eq!((shape.asked.field(0).name().as_str(), inner[0].name().as_str()), ("col-0", "a"));
        let values = StructArray::new(inner, vec![Arc::new(Int64Array::from(vec![1, 2]))], None);
        let batch = RecordBatch::try_new(Arc::clone(&shape.asked), vec![Arc::new(values)]).unwrap();
        let written = shape.batch(&batch).unwrap();
        let column = written.column(0).as_struct();
        assert_eq!(column.column_names(), ["col-1"]);
        assert_eq!(column.column(0).to_data(), Int64Array::from(vec![1, 2]).to_data());
    }
}
