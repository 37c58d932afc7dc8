//! Each operation on one table, and what two applications see of it: the old one, which knows the table as it was, and the new one.

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
    /// The same, and every name takes quoting: made by triphase, not by the other library.
    Odd,
}

use Kind::{Constrained, Full, Mapped, Odd, Partitioned, Plain};

/// All of them.
pub const KINDS: [Kind; 6] = [Plain, Partitioned, Constrained, Mapped, Full, Odd];
const UNMAPPED: [Kind; 3] = [Plain, Partitioned, Constrained];

impl Kind {
    /// Whether its columns are mapped by name.
    pub const fn mapped(self) -> bool {
        matches!(self, Mapped | Full | Odd)
    }

    /// Whether it has constraints.
    pub const fn constrained(self) -> bool {
        matches!(self, Constrained | Full | Odd)
    }
}

/// How long a case's table is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Before the step, and after it.
    Stays,
    /// The step makes it.
    Made,
    /// The step ends it: nobody can write it from simdrop on, and it is gone at drop.
    Ends,
    /// It stays, and the step has no way back from add.
    OneWay,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Before,
    Added,
    Hidden,
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
    /// The step, and the table that it is about.
    pub table: &'static str,
    /// The kind of its table.
    pub kind: Kind,
    /// How long the table is there, on tables without column mapping.
    pub life: Life,
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
    /// What simdrop makes of a row.
    pub on_hide: fn(&mut Row),
    /// What `rollback_add` makes of a row.
    pub on_undo: fn(&mut Row),
    /// What a row of the new application is once `rollback_simdrop` has run.
    pub back: fn(&mut Row),
    /// What a writer gives otherwise than usual.
    pub row: fn(&mut Row, At),
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
pub fn same(table: &'static str, on: &'static [Kind], otherwise: &'static str, operation: &'static str) -> Case {
    Case {
        table,
        kind: Plain,
        life: Life::Stays,
        operation,
        on,
        otherwise,
        added: vec![],
        hidden: OLD.to_vec(),
        omits: &[],
        on_add: |_| {},
        generates: false,
        fills: false,
        on_hide: |_| {},
        on_undo: |_| {},
        back: |_| {},
        row: |_, _| {},
    }
}

fn adds(table: &'static str, operation: &'static str, name: &'static str, see: See) -> Case {
    Case { added: vec![(name, see)], hidden: plus(name, see), ..same(table, &KINDS, "", operation) }
}

const MAPPED: &[Kind] = &[Mapped, Full, Odd];
const TAKES_MAPPING: &str = "upgrade_column_mapping";

const CREATE: &str = r#"create_table: {table: T, column_mapping: name, columns: [
      {name: id, type: long, nullable: false}, {name: region, type: string, comment: "it's \"where\"\n; --"},
      {name: amount, type: string}, {name: note, type: string}, {name: size, type: long, nullable: false},
      {name: loud, type: string, generated: upper(note)}],
      partition_by: [region], constraints: [{name: positive, check: id > 0}, {name: short, check: note <> ''}],
      properties: {my.key: "it's \"v\"\n; --"}, comment: "what's\n\"sold\"; --"}"#;
const CREATE_UNMAPPED: &str = "create_table: {table: T, column_mapping: none, columns: [
      {name: id, type: long, nullable: false}, {name: region, type: string}, {name: amount, type: string},
      {name: note, type: string}, {name: size, type: long, nullable: false}]}";
const ADD_DEFAULT: &str =
    r#"add_column: {table: T, column: colour, type: string, default: "'it''s \"red\"'", comment: red}"#;
const SET_PROPERTIES: &str = r#"set_properties: {table: T, properties: {my.key: "it's \"v\"\nand; --", "it's \"a\" ключ": "ü",
      gone.key: null, delta.logRetentionDuration: interval 60 days}}"#;

/// Every operation, with every field and every word that a lake takes: `listed` sees to that.
pub fn cases() -> Vec<Case> {
    let red: See = |row| match (row.new, row.late) {
        (true, _) => json!("blue"),
        (false, true) => Value::Null,
        (false, false) => json!("it's \"red\""),
    };
    let loud: See = |row| json!(row.note.to_uppercase());
    let price: See = |row| json!(row.amount);
    let drop_amount = || columns(&[("amount", None)]);
    let no_amount = |row: &mut Row| row.amount = if row.new { None } else { row.amount.clone() };
    let minus = |row: &mut Row| row.size = row.size.filter(|_| !row.new).or(Some(-row.id));
    let zero = |row: &mut Row| row.amount = row.amount.take().or_else(|| Some("0".to_owned()));
    let length: See = |row| json!(row.size);
    let remark: See = |row| json!(row.note);
    let area: See = |row| json!(row.region);
    vec![
        adds(
            "add_column",
            r#"add_column: {table: T, column: colour, type: string, comment: "it's \"new\"\n; -- so"}"#,
            "colour",
            |row| if row.new { json!("blue") } else { Value::Null },
        ),
        adds("add_default", ADD_DEFAULT, "colour", red),
        Case {
            fills: true,
            ..adds(
                "add_required",
                r#"add_column: {table: T, column: colour, type: string, nullable: false, default: "'it''s \"red\"'"}"#,
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
            ..same("drop_column", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: amount, hide: rename}")
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
            hidden: columns(&[("size", None)]),
            row: |row, at| row.size = row.size.filter(|_| at != At::Added),
            on_undo: |row| row.size = row.size.or(Some(-row.id)),
            back: minus,
            ..same("drop_required_down", MAPPED, TAKES_MAPPING, "drop_column: {table: T, column: size, down: 0 - id}")
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
            ..same(
                "rename_sync",
                MAPPED,
                TAKES_MAPPING,
                "rename_column: {table: T, column: amount, to: price, strategy: sync}",
            )
        },
        Case {
            added: vec![("length", length)],
            hidden: columns(&[("size", Some(("length", length)))]),
            ..same("rename_required", MAPPED, TAKES_MAPPING, "rename_column: {table: T, column: size, to: length}")
        },
        Case {
            added: vec![("remark", remark)],
            hidden: columns(&[("note", Some(("remark", remark)))]),
            ..same("rename_constrained", MAPPED, TAKES_MAPPING, "rename_column: {table: T, column: note, to: remark}")
        },
        Case {
            hidden: columns(&[("region", Some(("area", area)))]),
            ..same(
                "rename_partition",
                MAPPED,
                TAKES_MAPPING,
                "rename_column: {table: T, column: region, to: area, strategy: instant}",
            )
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
            hidden: columns(&[("size", Some(("size", |row| json!(row.size.unwrap().to_string()))))]),
            ..same(
                "change_required",
                MAPPED,
                TAKES_MAPPING,
                "change_type: {table: T, column: size, type: string, down: CAST(size AS bigint)}",
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
            on_add: zero,
            on_hide: zero,
            row: |row, at| row.amount = row.amount.take().or_else(|| (at == At::Hidden).then(|| "7".to_owned())),
            ..same("set_not_null_up", &KINDS, "", "set_not_null: {table: T, column: amount, up: \"'0'\"}")
        },
        same("drop_not_null", &KINDS, "", "drop_not_null: {table: T, column: size}"),
        Case {
            row: |row, at| row.size = row.size.filter(|_| at == At::Before),
            on_undo: |row| row.size = row.size.or(Some(0)),
            ..same("drop_not_null_down", &KINDS, "", "drop_not_null: {table: T, column: size, down: \"0\"}")
        },
        same(
            "add_constraint",
            &KINDS,
            "",
            "add_constraint: {table: T, name: sized, check: size > 0, enforce: simdrop}",
        ),
        same(
            "add_constraint_now",
            &KINDS,
            "",
            "add_constraint: {table: T, name: sized, check: size > 0, enforce: add}",
        ),
        same(
            "drop_constraint",
            &[Constrained, Full, Odd],
            "has no constraint `positive`",
            "drop_constraint: {table: T, name: positive}",
        ),
        same("set_comment", &KINDS, "", r#"set_comment: {table: T, column: note, comment: "it's \"said\"\n; -- ü"}"#),
        same("set_comment_table", &KINDS, "", r#"set_comment: {table: T, comment: "what's\n\"sold\"; --"}"#),
        same("set_properties", &KINDS, "", SET_PROPERTIES),
        same(
            "repartition",
            &[Plain, Constrained, Mapped],
            "is partitioned so already",
            "repartition: {table: T, partition_by: [region]}",
        ),
        same(
            "unpartition",
            &[Partitioned, Full, Odd],
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
            // Done twice it would be seen.
            on_add: |row| row.note.push('!'),
            ..same(
                "backfill_where",
                &KINDS,
                "",
                "backfill: {table: T, set: {note: \"concat(note, '!')\"}, where: id < 1000 AND note IS NOT NULL}",
            )
        },
        Case {
            life: Life::Made,
            added: vec![("loud", loud)],
            hidden: plus("loud", loud),
            omits: &["loud"],
            ..same("create_table", &[Plain, Full, Odd], "", CREATE)
        },
        Case { life: Life::Made, ..same("create_unmapped", &[Plain], "", CREATE_UNMAPPED) },
        Case { life: Life::Ends, ..same("drop_table", &KINDS, "", "drop_table: {table: T}") },
        Case { life: Life::OneWay, ..same("upgrade", &KINDS, "", "upgrade_column_mapping: {table: T}") },
    ]
}
