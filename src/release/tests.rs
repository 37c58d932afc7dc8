#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::action::Action;
use std::{fs, path::Path};

fn files(texts: &[(&str, &str)]) -> Files {
    let texts: BTreeMap<String, Arc<str>> =
        texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())).collect();
    let mut entries: BTreeSet<String> = texts.keys().cloned().collect();
    entries.extend(texts.keys().filter_map(|path| Some(format!("{}/", path.rsplit_once('/')?.0))));
    Files { entries: entries.into_iter().collect(), texts, ..Files::default() }
}

fn good(text: &str, dialect: Dialect) -> Release {
    let project = project(&files(&[("releases/v1.yaml", text)]), dialect);
    assert_eq!(render(&project.findings), "");
    project.releases.into_iter().next().unwrap()
}

/// `file:line:column path: message — way out`, a line each.
fn render(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut all, finding| {
        assert_eq!(finding.class, Class::Usage);
        if let Some(place) = &finding.place {
            assert!(place.source.get(place.span.clone()).is_some(), "a span inside the text: {finding:?}");
            all += &format!("{}:{}:{} {}: ", place.file, place.line(), place.column(), place.path);
        }
        all += &finding.message;
        if !finding.way_out.is_empty() {
            all += &format!(" — {}", finding.way_out);
        }
        all + "\n"
    })
}

/// `tests/malformed/releases/<name>.yaml` is refused with `<name>.txt`, on SQLite, or on the engine that the name begins
/// with: `postgres_`, `delta_`. `UPDATE_GOLDEN=1` writes what is said now.
#[test]
fn malformed_releases_are_refused_at_their_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed/releases");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    names.sort();
    assert!(names.len() >= 30, "{} malformed releases", names.len());
    let mut wrong = vec![];
    for path in names {
        let text = fs::read_to_string(&path).unwrap();
        let given = files(&[("releases/v1.yaml", &text), ("releases/two.sql", "SELECT 1;\n  BEGIN;\n")]);
        let given = Files { entries: vec!["releases/v1.yaml".to_owned()], ..given };
        let postgres = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres_"));
        let delta = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("delta_"));
        let dialect = match (postgres, delta) {
            (true, _) => Dialect::Postgres,
            (false, true) => Dialect::Delta,
            (false, false) => Dialect::Sqlite,
        };
        let said = render(&project(&given, dialect).findings);
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        if said.is_empty() || fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_release_is_read() {
    let release = good(
        "description: Split\nbefore: {add: [SELECT 1], rollback_add: SELECT 2}\nafter: {drop: SELECT 3}\nsteps:\n  \
         two: {after: [one], add: {sqlite: SELECT 4, default: SELECT 5}, deleted: true}\n  \
         one: {id: uno, description: One, add: 'SELECT 6; SELECT 7', rollback_add: []}\n",
        Dialect::Sqlite,
    );
    let names: Vec<_> = release.steps.iter().map(|s| (s.name.as_str(), s.id.step.as_str())).collect();
    assert_eq!(names, [("@before", "@before"), ("one", "uno"), ("two", "two"), ("@after", "@after")]);
    assert_eq!(release.description, "Split");
    let texts =
        |step: usize, verb| release.steps[step].handlers[&verb].actions.iter().map(Action::text).collect::<Vec<_>>();
    assert_eq!(texts(1, Verb::Add), ["SELECT 6", "SELECT 7"]);
    assert_eq!(texts(2, Verb::Add), ["SELECT 4"]);
    assert!(release.steps[2].deleted && !release.steps[1].has(Verb::RollbackAdd));
}

#[test]
fn engines_are_chosen_by_name() {
    let text = "steps: {a: {add: {mysql: SELECT 'my', default: SELECT 'all'}}}";
    for (dialect, wanted) in [(Dialect::Mariadb, "SELECT 'my'"), (Dialect::Postgres, "SELECT 'all'")] {
        assert_eq!(good(text, dialect).steps[0].handlers[&Verb::Add].actions[0].text(), wanted);
    }
}

/// O1: every text of an operation may be a map from engine to text, and the checksum is over this engine's.
#[test]
fn an_operation_takes_its_engines_texts() {
    let read = |fields: &str| {
        let step = good(&format!("steps: {{a: {{allow_blocking: true, change_type: {fields}}}}}"), Dialect::Delta)
            .steps
            .remove(0);
        let declared = step.operation.clone().unwrap();
        assert!(declared.allow_blocking && step.handlers.values().all(|handler| handler.checksum == declared.checksum));
        (declared.operation.fields().to_string(), declared.checksum)
    };
    let plain = read("{table: t, column: a, type: long, up: CAST(a AS bigint)}");
    assert_eq!(plain.0, r#"{"table":"t","column":"a","type":"long","up":"CAST(a AS bigint)"}"#);
    let mapped = read(
        "{up: {default: x, delta: 'CAST(a  AS bigint) -- n'}, type: {postgres: int8, delta: long}, column: a, table: t, rewrite: false}",
    );
    assert_eq!(plain.1, mapped.1);
    assert!(mapped.0.ends_with(r#""up":"CAST(a  AS bigint)"}"#), "{}", mapped.0);
    assert_ne!(plain.1, read("{table: t, column: a, type: long, up: CAST(a AS int)}").1);
    let number = good("steps: {a: {add_column: {table: t, column: b, type: long, default: 0}}}", Dialect::Delta);
    let text = number.steps[0].operation.as_ref().unwrap().operation.fields().to_string();
    assert!(text.ends_with(r#""default":"0"}"#), "{text}");
}

#[test]
fn options_reach_their_statements() {
    let text = "steps:\n  a:\n    add:\n      - {sql: 'UPDATE t SET a = 1; UPDATE t SET b = 1', transaction: false}\n      \
                - {sql: UPDATE t SET c = 1, done_when: SELECT true;}\n      - expect: SELECT 1;\n";
    let release = good(text, Dialect::Postgres);
    let sql = |text: &str, alone, done_when: Option<&str>| Action::Sql {
        text: text.to_owned(),
        alone,
        done_when: done_when.map(str::to_owned),
    };
    assert_eq!(
        release.steps[0].handlers[&Verb::Add].actions,
        [
            sql("UPDATE t SET a = 1", true, None),
            sql("UPDATE t SET b = 1", true, None),
            sql("UPDATE t SET c = 1", false, Some("SELECT true")),
            Action::Expect { query: "SELECT 1".to_owned() },
        ]
    );
}

#[test]
fn the_checksum_is_over_what_runs() {
    let sum = |handler: &str| {
        good(&format!("steps: {{a: {{description: '{}', add: {handler}}}}}", handler.len()), Dialect::Sqlite).steps[0]
            .checksum(Phase::Add)
            .unwrap()
            .clone()
    };
    let same = sum("'SELECT 1; SELECT 2'");
    assert_eq!(same, sum("['SELECT   1 -- one', {sql: SELECT 2;}]"));
    assert_eq!(same, sum("{sqlite: [SELECT 1, SELECT 2], postgres: SELECT 3}"));
    for other in [
        "'SELECT 1'",
        "'SELECT 2; SELECT 1'",
        "[{sql: 'SELECT 1; SELECT 2', transaction: false}]",
        "[SELECT 1, {expect: SELECT 2}]",
    ] {
        assert_ne!(same, sum(other), "{other}");
    }
}

#[test]
fn a_file_counts_by_its_contents() {
    let read = |path: &str, name: &str, text: &str| {
        let release = format!("steps: {{a: {{add: [{{sql_file: {name}}}]}}}}");
        let mut project = project(&files(&[("releases/v1/release.yaml", &release), (path, text)]), Dialect::Sqlite);
        assert_eq!(render(&project.findings), "");
        project.releases.remove(0).steps.remove(0).handlers.remove(&Verb::Add).unwrap()
    };
    let one = read("releases/v1/a.sql", "a.sql", "SELECT 1;\nSELECT\n2;\n");
    assert_eq!(one, read("sql/b.sql", "../../sql/b.sql", "\u{feff}SELECT 1;\r\nSELECT\r\n2;\r\n"));
    assert_eq!(one.actions.len(), 2);
}

#[test]
fn one_broken_file_does_not_hide_the_others() {
    let project = project(
        &files(&[
            ("releases/v1.yaml", "steps: ["),
            ("releases/v2.yaml", "steps: {a: {ad: SELECT 1}}"),
            ("releases/v3.yaml", "steps: {a: {add: SELECT 1}, b: {id: a, add: SELECT 2}}"),
        ]),
        Dialect::Sqlite,
    );
    assert_eq!(
        render(&project.findings),
        "releases/v1.yaml:1:9 : did not find expected node content, while parsing a flow node — write the value that is missing here, or close the bracket that is open\n\
         releases/v2.yaml:1:13 steps.a.ad: unknown key `ad` in step `a` — write `add`\n\
         releases/v3.yaml:1:9 steps.a: the id `a` is that of step `v2/a` already — give this step an `id` of its own, or rename it\n\
         releases/v3.yaml:1:33 steps.b.id: the id `a` is that of step `v2/a` already — give this step an `id` of its own, or rename it\n"
    );
    assert_eq!(project.releases.len(), 2);
}

#[test]
fn an_unreadable_release_is_a_finding() {
    let mut given = files(&[("releases/v1.yaml", "")]);
    given.texts.clear();
    given.unread.insert("releases/v1.yaml".to_owned(), "it is no UTF-8 text".to_owned());
    assert_eq!(
        render(&project(&given, Dialect::Sqlite).findings),
        "releases/v1.yaml can't be read: it is no UTF-8 text\n"
    );
}

#[test]
fn the_sample_project_is_clean_on_both_engines() {
    let given = crate::load::files(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let project = project(&given, dialect);
        assert_eq!(render(&project.findings), "");
        let versions: Vec<_> = project.releases.iter().map(|r| r.version.as_str()).collect();
        assert_eq!(versions, ["v1", "v2", "v3", "v4", "v5"]);
        let concurrent = &project.releases[3].steps[0].handlers[&Verb::Add].actions[0];
        assert_eq!(concurrent.alone(), dialect == Dialect::Postgres);
        for step in project.releases.iter().flat_map(|release| &release.steps) {
            for phase in [Phase::Add, Phase::Simdrop] {
                let back = phase.rollback().unwrap();
                assert_eq!(step.has(phase.verb()), step.has(back), "{} {phase}", step.id);
            }
        }
    }
}

#[test]
fn a_thousand_steps_are_read_at_once() {
    let mut text = "steps:\n".to_owned();
    for n in 0..1000 {
        text += &format!("  s{n}:\n    add: CREATE TABLE t{n} (id int)\n    rollback_add: DROP TABLE t{n}\n");
    }
    assert_eq!(good(&text, Dialect::Postgres).steps.len(), 1000);
}
