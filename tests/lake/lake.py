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
    """Columns are name and type, and `False` where they are never NULL."""
    schema = pa.schema([pa.field(name, TYPES[kind], *nullable) for name, kind, *nullable in columns])
    arrays = [pa.array([row[n] for row in rows], type=field.type) for n, field in enumerate(schema)]
    return pa.Table.from_arrays(arrays, schema=schema)


def create(path, columns, rows, partition_by=None, configuration=None):
    write_deltalake(path, table(columns, rows), partition_by=partition_by, configuration=configuration)


def append(path, columns, rows):
    write_deltalake(path, table(columns, rows), mode="append")


def constrain(path, checks):
    DeltaTable(path).alter.add_constraint(checks)


def never_null(path, column):
    """A commit of another engine: the column is never NULL from now on."""
    log = os.path.join(path, "_delta_log")
    version = DeltaTable(path).version()
    actions = (json.loads(line) for n in range(version, -1, -1) for line in open(f"{log}/{n:020}.json"))
    action = next(action for action in actions if "metaData" in action)
    schema = json.loads(action["metaData"]["schemaString"])
    for field in schema["fields"]:
        if field["name"] == column:
            field["nullable"] = False
    action["metaData"]["schemaString"] = json.dumps(schema)
    with open(f"{log}/{version + 1:020}.json", "x") as commit:
        commit.write(json.dumps({"commitInfo": {"operation": "CHANGE COLUMN"}}) + "\n" + json.dumps(action) + "\n")


ARROW = {"long": pa.int64(), "integer": pa.int32(), "string": pa.string(), "double": pa.float64()}


def generated(field):
    return "delta.generationExpression" in field.metadata


def fitting(delta, rows):
    """Of each row two ways to say it, old and new: the first whose columns the table has, and that it may be given. Says which."""
    fields = {field.name: field for field in delta.schema().fields}
    fits = {"long": int, "integer": int, "string": str, "double": float}

    def good(row):
        known = all(name in fields and not generated(fields[name]) for name in row)
        return known and all(value is None or isinstance(value, fits[fields[name].type.type]) for name, value in row.items())

    which = next((n for n, way in enumerate(rows) if all(good(row) for row in way)), None)
    if which is None:
        raise ValueError(f"no way to write fits {list(fields)}")
    return which, rows[which], fields


def put(path, rows, on="t.id = s.id"):
    """Rows by a writer that looks at the table first, and gives what it knows: the rest is filled."""
    delta = DeltaTable(path)
    which, way, fields = fitting(delta, rows)
    arrays = {name: pa.array([row[name] for row in way], type=ARROW[fields[name].type.type]) for name in way[0]}
    merge = delta.merge(pa.table(arrays), on, source_alias="s", target_alias="t")
    merge.when_not_matched_insert({f"`{name}`": f"s.`{name}`" for name in way[0]}).execute()
    return which


HELD = {}


def hold(path):
    """A writer looks at the table, and writes later."""
    HELD[path] = DeltaTable(path)


def held_append(path, rows):
    """Appends rows as the table was when it was looked at: all its columns named, but those that are generated."""
    delta = HELD[path]
    which, way, fields = fitting(delta, rows)
    names = [name for name, field in fields.items() if name in way[0] or not generated(field)]
    arrays = {name: pa.array([row.get(name) for row in way], type=ARROW[fields[name].type.type]) for name in names}
    write_deltalake(delta, pa.table(arrays), mode="append")
    return which


def held_update(path, updates, predicate):
    return HELD.pop(path).update(updates=updates, predicate=predicate)


def add_row(path, rows):
    """The same for a row of a key that is there."""
    return put(path, rows, "1 = 0")


def look(path):
    """Columns as name, type, nullable; and all rows by id. What triphase hides is left out."""
    delta = DeltaTable(path)
    names = [field.name for field in delta.schema().fields if not field.name.startswith("_tp_")]
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return [field for field in schema(path) if field[0] in names], query(path, f"SELECT {quoted} FROM t ORDER BY id")


def hidden(path):
    return [field.name for field in DeltaTable(path).schema().fields if field.name.startswith("_tp_")]


def files(path):
    """The table as a reader of Parquet sees it that knows INT96: name in the files to values, of a table without deletion vectors."""
    import pyarrow.parquet as pq
    from urllib.parse import unquote

    read = lambda uri: pq.ParquetFile(unquote(uri).removeprefix("file://"), coerce_int96_timestamp_unit="us").read()
    found = {}
    for rows in map(read, DeltaTable(path).file_uris()):
        for name in rows.column_names:
            found.setdefault(name, []).extend(None if value is None else str(value) for value in rows.column(name).to_pylist())
    return found


def field_ids(path):
    """The columns of a mapped table that a file of it holds without their id, or under another."""
    import pyarrow.parquet as pq
    from urllib.parse import unquote

    delta = DeltaTable(path)
    partitions = delta.metadata().partition_columns
    ids = {
        field.metadata["delta.columnMapping.physicalName"]: str(field.metadata["delta.columnMapping.id"])
        for field in delta.schema().fields
        if field.name not in partitions
    }
    wrong = []
    for uri in delta.file_uris():
        for field in pq.ParquetFile(unquote(uri).removeprefix("file://")).schema_arrow:
            found = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode()
            if ids.get(field.name, found) != found:
                wrong.append([field.name, found])
    return wrong


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


def set_properties(path, properties):
    DeltaTable(path).alter.set_table_properties(properties, raise_if_not_exists=False)


def restore(path, version):
    DeltaTable(path).restore(version)


def configuration(path):
    return dict(sorted(DeltaTable(path).metadata().configuration.items()))


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


def checkpoint_alone(path):
    """A checkpoint, and no commit."""
    DeltaTable(path).create_checkpoint()
    log = os.path.join(path, "_delta_log")
    for name in os.listdir(log):
        if name.endswith(".json") or name == "_last_checkpoint":
            os.remove(os.path.join(log, name))


def partitions(path):
    return DeltaTable(path).metadata().partition_columns


def comments(path):
    """The table's comment, and those of its columns."""
    delta = DeltaTable(path)
    return [delta.metadata().description, [[field.name, field.metadata.get("comment")] for field in delta.schema().fields]]


COMMANDS = {f.__name__: f for f in (create, append, query, schema, version, history, txn, update, delete, configuration, merge_insert, partitions, comments, constrain, never_null, put, add_row, hold, held_append, held_update, look, hidden, files, field_ids, forget_log, checkpoint_alone, set_properties, restore)}

if __name__ == "__main__":
    for line in sys.stdin:
        name, args = json.loads(line)
        try:
            answer = {"ok": COMMANDS[name](*args)}
        except Exception as error:  # Whatever it is, the test says what it means.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)
