"""Makes, changes and reads Delta tables with another library than triphase's: one command a line on standard input, an answer a line."""

import json
import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

TYPES = {
    "long": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}


def table(columns, rows):
    schema = pa.schema([pa.field(name, TYPES[kind]) for name, kind in columns])
    arrays = [pa.array([row[n] for row in rows], type=field.type) for n, field in enumerate(schema)]
    return pa.Table.from_arrays(arrays, schema=schema)


def create(path, columns, rows, partition_by=None, configuration=None):
    write_deltalake(path, table(columns, rows), partition_by=partition_by, configuration=configuration)


def append(path, columns, rows):
    write_deltalake(path, table(columns, rows), mode="append")


def query(path, sql):
    """Rows of the table, which the query calls t."""
    found = pa.table(QueryBuilder().register("t", DeltaTable(path)).execute(sql).read_all())
    return [list(row.values()) for row in found.to_pylist()]


def schema(path):
    return [[field.name, json.loads(field.type.to_json()), field.nullable] for field in DeltaTable(path).schema().fields]


def version(path):
    return DeltaTable(path).version()


def history(path):
    return [entry for entry in DeltaTable(path).history()]


def txn(path, app):
    return DeltaTable(path).transaction_version(app)


def update(path, updates, predicate=None):
    return DeltaTable(path).update(updates=updates, predicate=predicate)


def delete(path, predicate=None):
    return DeltaTable(path).delete(predicate)


def configuration(path):
    return DeltaTable(path).metadata().configuration


def merge_insert(path, columns, id):
    """One row, by a writer that leaves out what it does not know."""
    delta = DeltaTable(path)
    types = {field.name: json.loads(field.type.to_json()) for field in delta.schema().fields}
    values = {"id": id, "kind": "w", "amount": "7", "price": "7"}
    arrow = {"long": pa.int64(), "string": pa.string()}
    source = pa.table({name: pa.array([values[name]], type=arrow[types[name]]) for name in columns})
    quoted = {f"`{name}`": f"s.`{name}`" for name in columns}
    delta.merge(source, "t.id = s.id", source_alias="s", target_alias="t").when_not_matched_insert(quoted).execute()


def forget_log(path):
    """A checkpoint, and every commit before it gone."""
    table = DeltaTable(path)
    table.create_checkpoint()
    for n in range(table.version() + 1):
        file = os.path.join(path, "_delta_log", f"{n:020}.json")
        if os.path.exists(file) and n < table.version():
            os.remove(file)


def partitions(path):
    return DeltaTable(path).metadata().partition_columns


COMMANDS = {f.__name__: f for f in (create, append, query, schema, version, history, txn, update, delete, configuration, merge_insert, partitions, forget_log)}

if __name__ == "__main__":
    for line in sys.stdin:
        name, args = json.loads(line)
        try:
            answer = {"ok": COMMANDS[name](*args)}
        except Exception as error:  # Whatever it is, the test says what it means.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)
