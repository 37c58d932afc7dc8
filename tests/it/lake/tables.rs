//! The tables of cases: how they are made, how the two applications write them, and how they are looked at.

use super::{
    Shore,
    cases::{At, Case, Kind, Life, OLD, Row, See},
    odd,
};
use serde_json::{Value, json};

impl Case {
    /// The operation's key.
    pub fn key(&self) -> String {
        self.operation.split(':').next().unwrap().to_owned()
    }

    /// The same on a table of a kind.
    pub fn on_a(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// How long its table is there.
    pub fn life(&self) -> Life {
        // A table that is mapped already stays so, and nothing is to be taken back.
        if self.life == Life::OneWay && self.kind.mapped() { Life::Stays } else { self.life }
    }

    /// The release that has the step: those without a way back have one of their own.
    pub fn release(&self) -> &'static str {
        if self.life() == Life::OneWay { "v3" } else { "v2" }
    }

    /// The table's path in the lake.
    pub fn path(&self) -> String {
        if self.kind == Kind::Odd { odd::path(self.table) } else { self.table.to_owned() }
    }

    /// What a column or constraint is called.
    pub fn name(&self, plain: &'static str) -> &'static str {
        if self.kind == Kind::Odd { odd::name(plain) } else { plain }
    }

    /// The operation as a release has it: JSON is YAML.
    pub fn step(&self) -> Value {
        let plain: Value = serde_yaml::from_str(self.operation).unwrap();
        let mut operation = if self.kind == Kind::Odd { odd::operation(plain) } else { plain };
        for fields in operation.as_object_mut().unwrap().values_mut() {
            if fields["table"] == "T" {
                fields["table"] = self.path().into();
            }
        }
        operation
    }

    /// What both applications together can see.
    pub fn columns(&self, at: At) -> Vec<(&'static str, See)> {
        match at {
            At::Before => OLD.to_vec(),
            At::Added => OLD.iter().copied().chain(self.added.iter().copied()).collect(),
            At::Hidden => self.hidden.clone(),
        }
    }

    /// The rows that its table begins with.
    pub fn first_rows(&self) -> Vec<Row> {
        if self.life == Life::Made { vec![] } else { first_rows() }
    }
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

/// A row that a writer gives, usual as rows are.
pub fn row(id: i64) -> Row {
    Row {
        id,
        region: Some(format!("r{}", id % 3)),
        amount: Some((id * 10).to_string()),
        note: format!("n{id}"),
        size: Some(id),
        late: false,
        new: false,
    }
}

/// Makes the tables of these cases, all of one kind, as [`lake_of`] does.
pub fn lake(kind: Kind, cases: &[Case]) -> Shore {
    lake_of(&cases.iter().map(|case| case.clone().on_a(kind)).collect::<Vec<_>>())
}

/// Makes the tables of these cases, and the release `v2` that has an operation for each, and `v3` for those that have no way back. Mapped
/// ones are mapped by `v1`, and odd ones made by it.
pub fn lake_of(cases: &[Case]) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let (mut first, mut second, mut third) = (String::new(), String::new(), String::new());
    for case in cases {
        if case.life != Life::Made
            && let Some(step) = table(&shore, case)
        {
            first.push_str(&format!("  before_{}:\n    {step}\n", case.table));
        }
        let steps = if case.release() == "v3" { &mut third } else { &mut second };
        steps.push_str(&format!("  {}:\n    {}\n", case.table, fields(&case.step())));
    }
    if !first.is_empty() {
        shore.release("v1", &format!("steps:\n{first}"));
        shore.ok("ff v1 --yes");
    }
    for case in cases.iter().filter(|case| case.kind == Kind::Odd && case.life != Life::Made) {
        shore.python.call("put", json!([shore.table(&case.path()), ways(case, &first_rows())])).unwrap();
    }
    for (version, steps) in [("v2", second), ("v3", third)] {
        if !steps.is_empty() {
            shore.release(version, &format!("steps:\n{steps}"));
        }
    }
    shore
}

/// A step's one operation: its key, and its fields as JSON.
fn fields(operation: &Value) -> String {
    let (key, fields) = operation.as_object().unwrap().iter().next().unwrap();
    format!("{key}: {fields}")
}

/// Makes one table with the other library, or says the operation that triphase makes it as it should be with.
fn table(shore: &Shore, case: &Case) -> Option<String> {
    let partition_by = match case.kind {
        Kind::Partitioned | Kind::Full | Kind::Odd => json!(["region"]),
        Kind::Plain | Kind::Constrained | Kind::Mapped => Value::Null,
    };
    let there = json!({"gone.key": "what's \"here\""});
    if case.kind == Kind::Odd {
        let column = |name: &str, kind: &str, nullable: bool| json!({"name": name, "type": kind, "nullable": nullable});
        let columns = [
            column("id", "long", false),
            column("region", "string", true),
            column("amount", "string", true),
            column("note", "string", true),
            column("size", "long", false),
        ];
        let checks = json!([{"name": "positive", "check": "id > 0"}, {"name": "short", "check": "note <> ''"}]);
        let made = json!({"create_table": {"table": case.path(), "columns": columns, "partition_by": partition_by,
            "constraints": checks, "properties": there, "comment": "it's \"odd\"\n; --"}});
        return Some(fields(&odd::operation(made)));
    }
    let columns = json!([
        ["id", "long", false],
        ["region", "string"],
        ["amount", "string"],
        ["note", "string"],
        ["size", "long", false]
    ]);
    let rows: Vec<Vec<Value>> = first_rows().iter().map(|row| OLD.iter().map(|(_, see)| see(row)).collect()).collect();
    let path = shore.table(&case.path());
    shore.python.call("create", json!([path, columns, rows, partition_by])).unwrap();
    shore.python.call("set_properties", json!([path, there])).unwrap();
    if case.kind.constrained() {
        let checks = json!({"positive": "id > 0", "short": "note <> ''"});
        shore.python.call("constrain", json!([path, checks])).unwrap();
    }
    case.kind.mapped().then(|| format!("upgrade_column_mapping: {}", json!({"table": case.path()})))
}

/// The two ways to say rows: by the new application, and by the old one. Rows are of one of the two; the other way is for a table that is
/// on its way.
pub fn ways(case: &Case, rows: &[Row]) -> Value {
    let say = |columns: &[(&'static str, See)], rows: &[Row]| -> Vec<Value> {
        let one =
            |row: &Row| columns.iter().map(|(name, see)| (case.name(name).to_owned(), see(row))).collect::<Value>();
        rows.iter().map(one).collect()
    };
    let given: Vec<_> = case.hidden.iter().copied().filter(|(name, _)| !case.omits.contains(name)).collect();
    let (old, new) = (say(&OLD, rows), say(&given, rows));
    if rows.iter().all(|row| row.new) { json!([new, old]) } else { json!([old, new]) }
}

/// What changes the region of rows, as the other library takes it.
pub fn region(case: &Case, at: At, region: &str) -> Value {
    let here = case.columns(at).iter().any(|(name, _)| *name == "region");
    let column = case.name(if here { "region" } else { "area" });
    json!({ format!("`{column}`"): format!("'{region}'") })
}

/// What the table shows now, hidden columns left out: names, and rows by id.
pub fn seen(shore: &Shore, case: &Case) -> (Vec<String>, Vec<Value>) {
    let found = shore.python.call("look", json!([shore.table(&case.path())])).unwrap();
    let names = found[0].as_array().unwrap().iter().map(|field| field[0].as_str().unwrap().to_owned()).collect();
    (names, found[1].as_array().unwrap().clone())
}

/// Checks what the table shows against what the applications mean: every row that was ever written and not deleted is there, once, with
/// every value that somebody gave it or the step did.
#[track_caller]
pub fn check(shore: &Shore, case: &Case, columns: &[(&'static str, See)], rows: &[Row], at: &str) {
    let (names, found) = seen(shore, case);
    let expected: Vec<&str> = columns.iter().map(|(name, _)| case.name(name)).collect();
    assert_eq!(names, expected, "{}: columns {at}", case.table);
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row.id);
    let expected: Vec<Value> = rows.iter().map(|row| columns.iter().map(|(_, see)| see(row)).collect()).collect();
    pretty_assertions::assert_eq!(found, expected, "{}: rows {}", case.table, at);
}

/// Checks that there is no table, nor any file that it had; `theirs`: writers have left files behind whose commits were refused, and which
/// no log ever named.
#[track_caller]
pub fn absent(shore: &Shore, case: &Case, theirs: bool, at: &str) {
    let inside = shore.path("lake").join(case.path());
    let inside = if theirs { inside.join("_delta_log") } else { inside };
    let files = shore.everything().into_iter().map(|(path, _)| path);
    let left: Vec<_> = files.filter(|path| path.starts_with(&inside) && path.is_file()).collect();
    assert!(left.is_empty(), "{}: {at} {left:?} is left", case.table);
}

/// Cases and counts of each operation, in the order of the vocabulary.
#[cfg(feature = "failpoints")]
pub fn by_operation(counts: impl Iterator<Item = (String, usize)>) -> Vec<(String, (usize, usize))> {
    let mut found = std::collections::BTreeMap::<String, (usize, usize)>::new();
    for (operation, count) in counts {
        let (cases, all) = found.entry(operation).or_default();
        (*cases, *all) = (*cases + 1, *all + count);
    }
    let order = triphase::ops::OPERATIONS.iter().map(|spec| spec.name.to_owned());
    order.filter_map(|name| Some((name.clone(), found.remove(&name)?))).collect()
}
