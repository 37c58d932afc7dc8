//! Each operation on one table, and what two applications see of it: the old one, which knows the table as it was, and the new one.

use super::Shore;
use serde_json::{Value, json};

/// How a table is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Partitioned,
    Constrained,
    Mapped,
    /// Mapped, partitioned and constrained.
    Full,
}

use Kind::{Constrained, Full, Mapped, Partitioned, Plain};

/// All of them.
pub const KINDS: [Kind; 5] = [Plain, Partitioned, Constrained, Mapped, Full];
const UNMAPPED: [Kind; 3] = [Plain, Partitioned, Constrained];

impl Kind {
    /// Whether its columns are mapped by name.
    pub const fn mapped(self) -> bool {
        matches!(self, Mapped | Full)
    }
}

/// A row as the applications mean it.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: i64,
    pub region: Option<String>,
    pub amount: Option<String>,
    pub note: String,
    pub size: Option<i64>,
    /// The old application wrote it, and the step has filled nothing in since.
    pub late: bool,
    /// The new application wrote it.
    pub new: bool,
}

/// What a column holds for a row.
pub type See = fn(&Row) -> Value;

/// The columns of the old application, in order.
pub const OLD: [(&str, See); 5] = [
    ("id", |row| json!(row.id)),
    ("region", |row| json!(row.region)),
    ("amount", |row| json!(row.amount)),
    ("note", |row| json!(row.note)),
    ("size", |row| json!(row.size)),
];

/// One operation.
#[derive(Clone)]
pub struct Case {
    /// The table that it is about.
    pub table: &'static str,
    /// The operation, its table written `T`.
    pub operation: &'static str,
    /// The kinds of table that it runs on.
    pub on: &'static [Kind],
    /// What is said on the others.
    pub otherwise: &'static str,
    /// What the old application can see beside its own columns after add.
    pub added: Vec<(&'static str, See)>,
    /// The new application's columns from simdrop on, in order.
    pub hidden: Vec<(&'static str, See)>,
    /// Those of them that the new application leaves out: they are filled for it.
    pub omits: &'static [&'static str],
    /// What add makes of a row.
    pub on_add: fn(&mut Row),
    /// Whether the new column is filled for old writers from add to simdrop; no more once new writers gave it values of their own.
    pub generates: bool,
    /// Whether simdrop fills in what old writers left out since add.
    pub fills: bool,
    /// What a row of the new application is once `rollback_simdrop` has run.
    pub back: fn(&mut Row),
}

/// The columns with some left out and some put in their place.
fn columns(change: &[(&str, Option<(&'static str, See)>)]) -> Vec<(&'static str, See)> {
    let of = |(name, see): &(&'static str, See)| match change.iter().find(|(changed, _)| changed == name) {
        Some((_, to)) => *to,
        None => Some((*name, *see)),
    };
    OLD.iter().filter_map(of).collect()
}

fn plus(name: &'static str, see: See) -> Vec<(&'static str, See)> {
    OLD.iter().copied().chain([(name, see)]).collect()
}

fn amount_as_number(row: &Row) -> Value {
    row.amount.as_ref().map_or(Value::Null, |text| json!(text.parse::<i64>().unwrap()))
}

/// A case whose columns stay as they are.
fn same(table: &'static str, on: &'static [Kind], otherwise: &'static str, operation: &'static str) -> Case {
    Case {
        table,
        operation,
        on,
        otherwise,
        added: vec![],
        hidden: OLD.to_vec(),
        omits: &[],
        on_add: |_| {},
        generates: false,
        fills: false,
        back: |_| {},
    }
}

fn adds(table: &'static str, operation: &'static str, name: &'static str, see: See) -> Case {
    Case { added: vec![(name, see)], hidden: plus(name, see), ..same(table, &KINDS, "", operation) }
}

const MAPPED: &[Kind] = &[Mapped, Full];
const TAKES_MAPPING: &str = "upgrade_column_mapping";

/// Every operation that changes a table in place.
pub fn cases() -> Vec<Case> {
    let red: See = |row| match (row.new, row.late) {
        (true, _) => json!("blue"),
        (false, true) => Value::Null,
        (false, false) => json!("red"),
    };
    let loud: See = |row| json!(row.note.to_uppercase());
    let price: See = |row| json!(row.amount);
    let drop_amount = || columns(&[("amount", None)]);
    let no_amount = |row: &mut Row| row.amount = if row.new { None } else { row.amount.clone() };
    vec![
        adds("add_column", "add_column: {table: T, column: colour, type: string}", "colour", |row| {
            if row.new { json!("blue") } else { Value::Null }
        }),
        adds("add_default", "add_column: {table: T, column: colour, type: string, default: \"'red'\"}", "colour", red),
        Case {
            fills: true,
            ..adds(
                "add_required",
                "add_column: {table: T, column: colour, type: string, nullable: false, default: \"'red'\"}",
                "colour",
                red,
            )
        },
        Case {
            fills: true,
            generates: true,
            ..adds(
                "add_up",
                "add_column: {table: T, column: loud, type: string, up: upper(note)}",
                "loud",
                |row| match (row.new, row.late) {
                    (true, _) => json!("own"),
                    (false, true) => Value::Null,
                    (false, false) => json!(row.note.to_uppercase()),
                },
            )
        },
        Case {
            omits: &["loud"],
            ..adds(
                "add_generated",
                "add_column: {table: T, column: loud, type: string, generated: upper(note)}",
                "loud",
                loud,
            )
        },
        Case {
            hidden: drop_amount(),
            back: no_amount,
            ..same("drop_column", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: amount}")
        },
        Case {
            hidden: drop_amount(),
            back: no_amount,
            ..same("drop_purge", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: amount, purge: true}")
        },
        Case {
            hidden: drop_amount(),
            back: no_amount,
            ..same("drop_rewrite", &UNMAPPED, "", "drop_column: {table: T, column: amount, rewrite: true}")
        },
        Case {
            hidden: columns(&[("note", None)]),
            back: |row| row.note = if row.new { "gone".to_owned() } else { row.note.clone() },
            ..same("drop_down", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: note, down: \"'gone'\"}")
        },
        Case {
            hidden: columns(&[("size", None)]),
            back: |row| row.size = if row.new { None } else { row.size },
            ..same("drop_required", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: size}")
        },
        Case {
            hidden: drop_amount(),
            back: no_amount,
            ..same("detach", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: amount, hide: detach, key: [id]}")
        },
        Case {
            hidden: drop_amount(),
            back: no_amount,
            ..same(
                "detach_purge",
                MAPPED,
                TAKES_MAPPING,
                "drop_column: {table: T, column: amount, hide: detach, key: [id, size], purge: true}",
            )
        },
        Case {
            added: vec![("price", price)],
            hidden: columns(&[("amount", Some(("price", price)))]),
            ..same("rename_sync", MAPPED, TAKES_MAPPING, "rename_column: {table: T, column: amount, to: price}")
        },
        Case {
            hidden: columns(&[("amount", Some(("Price in €", price)))]),
            ..same(
                "rename_instant",
                MAPPED,
                TAKES_MAPPING,
                "rename_column: {table: T, column: amount, to: Price in €, strategy: instant}",
            )
        },
        Case {
            hidden: columns(&[("note", Some(("select", |row| json!(row.note))))]),
            ..same(
                "rename_rewrite",
                &UNMAPPED,
                "",
                "rename_column: {table: T, column: note, to: select, rewrite: true}",
            )
        },
        Case {
            hidden: columns(&[("amount", Some(("amount", amount_as_number)))]),
            ..same(
                "change_type",
                MAPPED,
                TAKES_MAPPING,
                "change_type: {table: T, column: amount, type: long, up: CAST(amount AS bigint), down: CAST(amount AS string)}",
            )
        },
        Case {
            hidden: columns(&[("amount", Some(("amount", amount_as_number)))]),
            back: no_amount,
            ..same("change_lossy", MAPPED, TAKES_MAPPING, "change_type: {table: T, column: amount, type: long}")
        },
        Case {
            added: vec![("cents", amount_as_number)],
            hidden: columns(&[("amount", Some(("cents", amount_as_number)))]),
            ..same(
                "change_as",
                MAPPED,
                TAKES_MAPPING,
                "change_type: {table: T, column: amount, type: long, as: cents, down: CAST(cents AS string)}",
            )
        },
        Case {
            hidden: columns(&[("amount", Some(("amount", amount_as_number)))]),
            ..same(
                "change_rewrite",
                &UNMAPPED,
                "",
                "change_type: {table: T, column: amount, type: long, down: CAST(amount AS string), rewrite: true}",
            )
        },
        same("set_not_null", &[Plain, Partitioned, Mapped], "", "set_not_null: {table: T, column: note}"),
        Case {
            on_add: |row| row.amount = row.amount.take().or_else(|| Some("0".to_owned())),
            ..same("set_not_null_up", &KINDS, "", "set_not_null: {table: T, column: amount, up: \"'0'\"}")
        },
        same("drop_not_null", &KINDS, "", "drop_not_null: {table: T, column: size}"),
        same("drop_not_null_down", &KINDS, "", "drop_not_null: {table: T, column: size, down: \"0\"}"),
        same("add_constraint", &KINDS, "", "add_constraint: {table: T, name: sized, check: size > 0}"),
        same(
            "add_constraint_now",
            &KINDS,
            "",
            "add_constraint: {table: T, name: sized, check: size > 0, enforce: add}",
        ),
        same(
            "drop_constraint",
            &[Constrained, Full],
            "has no constraint `positive`",
            "drop_constraint: {table: T, name: positive}",
        ),
        same("set_comment", &KINDS, "", "set_comment: {table: T, column: note, comment: what it is}"),
        same("set_comment_table", &KINDS, "", "set_comment: {table: T, comment: what is sold}"),
        same(
            "set_properties",
            &KINDS,
            "",
            "set_properties: {table: T, properties: {my.key: v, delta.logRetentionDuration: interval 60 days}}",
        ),
        same(
            "repartition",
            &[Plain, Constrained, Mapped],
            "is partitioned so already",
            "repartition: {table: T, partition_by: [region]}",
        ),
        same(
            "unpartition",
            &[Partitioned, Full],
            "is partitioned so already",
            "repartition: {table: T, partition_by: []}",
        ),
        Case {
            on_add: |row| row.amount = row.size.map(|size| size.to_string()),
            ..same(
                "backfill",
                &KINDS,
                "",
                "backfill: {table: T, set: {amount: CAST(size AS string)}, batch: 2, key: id}",
            )
        },
        Case {
            on_add: |row| row.note = if row.id == 1 { "n1!".to_owned() } else { row.note.clone() },
            ..same(
                "backfill_where",
                &KINDS,
                "",
                "backfill: {table: T, set: {note: \"concat(note, '!')\"}, where: \"id = 1 AND note NOT LIKE '%!'\"}",
            )
        },
    ]
}

/// The rows that a table begins with.
pub fn first_rows() -> Vec<Row> {
    let row = |id: i64, region: Option<&str>, amount: Option<&str>| Row {
        id,
        region: region.map(str::to_owned),
        amount: amount.map(str::to_owned),
        note: format!("n{id}"),
        size: Some(id),
        late: false,
        new: false,
    };
    vec![row(1, Some("north"), Some("10")), row(2, Some("south"), Some("20")), row(3, None, None)]
}

/// Makes the tables of these cases, and the release `v2` that has an operation for each; mapped ones are mapped by `v1`.
pub fn lake(kind: Kind, cases: &[Case]) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let columns = json!([
        ["id", "long", false],
        ["region", "string"],
        ["amount", "string"],
        ["note", "string"],
        ["size", "long", false]
    ]);
    let rows: Vec<Vec<Value>> = first_rows().iter().map(|row| OLD.iter().map(|(_, see)| see(row)).collect()).collect();
    let by = if matches!(kind, Partitioned | Full) { json!(["region"]) } else { Value::Null };
    let (mut upgrades, mut steps) = ("steps:\n".to_owned(), "steps:\n".to_owned());
    for case in cases {
        let table = shore.table(case.table);
        shore.python.call("create", json!([table, columns, rows, by])).unwrap();
        if matches!(kind, Constrained | Full) {
            let checks = json!({"positive": "id > 0", "short": "note <> ''"});
            shore.python.call("constrain", json!([table, checks])).unwrap();
        }
        upgrades.push_str(&format!("  map_{0}:\n    upgrade_column_mapping: {{table: {0}}}\n", case.table));
        let operation = case.operation.replace("table: T", &format!("table: {}", case.table));
        steps.push_str(&format!("  {}:\n    {operation}\n", case.table));
    }
    if kind.mapped() {
        shore.release("v1", &upgrades);
        shore.ok("ff v1 --yes");
    }
    shore.release("v2", &steps);
    shore
}

/// The two ways to say rows: by the new application, and by the old one. Rows are of one of the two; the other way is for a table that is
/// on its way.
pub fn ways(case: &Case, rows: &[Row]) -> Value {
    let say = |columns: &[(&'static str, See)], rows: &[Row]| -> Vec<Value> {
        let one = |row: &Row| Value::Object(columns.iter().map(|(name, see)| ((*name).to_owned(), see(row))).collect());
        rows.iter().map(one).collect()
    };
    let given: Vec<_> = case.hidden.iter().copied().filter(|(name, _)| !case.omits.contains(name)).collect();
    let (old, new) = (say(&OLD, rows), say(&given, rows));
    if rows.iter().all(|row| row.new) { json!([new, old]) } else { json!([old, new]) }
}

/// What the table shows now, hidden columns left out: names, and rows by id.
pub fn seen(shore: &Shore, case: &Case) -> (Vec<String>, Vec<Value>) {
    let found = shore.python.call("look", json!([shore.table(case.table)])).unwrap();
    let names = found[0].as_array().unwrap().iter().map(|field| field[0].as_str().unwrap().to_owned()).collect();
    (names, found[1].as_array().unwrap().clone())
}

/// Checks what the table shows against what the applications mean.
#[track_caller]
pub fn check(shore: &Shore, case: &Case, columns: &[(&'static str, See)], rows: &[Row], at: &str) {
    let (names, found) = seen(shore, case);
    let expected: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected, "{}: columns {at}", case.table);
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row.id);
    let expected: Vec<Value> = rows.iter().map(|row| columns.iter().map(|(_, see)| see(row)).collect()).collect();
    pretty_assertions::assert_eq!(found, expected, "{}: rows {}", case.table, at);
}
