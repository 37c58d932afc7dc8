//! Two releases on one column, overlapping, in every order of commands: what a plan passes runs, the table can always be written, and no step
//! is left without an end.

use super::{
    command,
    operations::{lake, project},
    states, with,
};
use crate::{
    engine::fake::Fake,
    event::End,
    model::{Class, Dialect, Finding, Guards, PhaseState, Reach},
    ops::{Field, TableState},
    plan::tests::fixture,
    release::Project,
    sql,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Every name that a column of the tests has.
const NAMES: [&str; 5] = ["id", "amount", "note", "price", "loud"];

/// The first release's operation, and the second's.
const PAIRS: [(&str, &str); 4] = [
    (RENAME, "drop_column: {table: sales, column: price}"),
    (NEVER_NULL, RENAME),
    (CHANGE, "drop_column: {table: sales, column: amount}"),
    (GONE, "add_column: {table: sales, column: amount, type: long}"),
];

const RENAME: &str = "rename_column: {table: sales, column: amount, to: price}";
const CHANGE: &str = "change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}";
const NEVER_NULL: &str = "set_not_null: {table: sales, column: amount, up: note}";
const GONE: &str = "drop_column: {table: sales, column: amount}";

/// What keeps everybody from writing a table: a constraint or generated column over one that is not there.
fn spoilt(state: &TableState) -> Option<String> {
    let generated = state.fields.iter().filter_map(|field| field.generation());
    let texts = generated.chain(state.constraints().map(|(_, text)| text));
    let mut used = texts.flat_map(|text| sql::names_in(Dialect::Delta, text, NAMES));
    used.find(|name| state.field(name).is_none()).map(str::to_owned)
}

/// What of a table the next command goes by. Not the ids of its columns: each that comes anew has another.
fn shape(state: &TableState) -> String {
    let field =
        |field: &Field| format!("{} {} {} {:?}", field.name, field.data_type, field.nullable, field.generation());
    let fields: Vec<_> = state.fields.iter().map(field).collect();
    format!("{fields:?} {:?}", state.constraints().collect::<Vec<_>>())
}

/// A target that is as another.
fn like(other: &Fake) -> Fake {
    let fake = lake();
    {
        let (mut new, old) = (fake.state(), other.state());
        (new.kept.ledger, new.kept.stored) = (old.kept.ledger.clone(), old.kept.stored.clone());
        (new.lake, new.clock) = (old.lake.clone(), old.clock);
    }
    fake
}

/// All steps are at an end: finished, or as if they had never been.
fn ended(states: &BTreeMap<String, PhaseState>) -> bool {
    ["v1/a", "v2/b"].iter().all(|step| {
        let of = |phase: &str| states.get(&format!("{step} {phase}")).copied().unwrap_or(PhaseState::Pending);
        of("drop") == PhaseState::Done || matches!(of("add"), PhaseState::Pending | PhaseState::RolledBack)
    })
}

fn overlapping() -> Guards {
    Guards { require_previous: Some(Reach::Added), ..Guards::default() }
}

async fn every_order(first: &str, second: &str) {
    let releases =
        project(&[("v1", &format!("steps:\n  a:\n    {first}\n")), ("v2", &format!("steps:\n  b:\n    {second}\n"))]);
    let guards = overlapping();
    let verbs = ["add", "simdrop", "drop", "rollback_simdrop", "rollback_add"];
    let commands: Vec<String> =
        ["v1", "v2"].iter().flat_map(|release| verbs.map(|verb| format!("{verb} {release} --accept-loss"))).collect();
    let key = |fake: &Fake| format!("{:?} {}", states(fake), shape(&fake.state().lake.tables["sales"]));
    // By what a target is: how it came to be, and where one command leads.
    let mut met: BTreeMap<String, (String, BTreeSet<String>, bool)> = BTreeMap::new();
    let fresh = lake();
    met.insert(key(&fresh), (String::new(), BTreeSet::new(), true));
    let mut open = vec![fresh];
    while let Some(before) = open.pop() {
        let from = key(&before);
        for line in &commands {
            let fake = like(&before);
            let end = command(&fake, &guards, &releases, line).await.end;
            let path = format!("{}; {line}", met[&from].0);
            let to = key(&fake);
            match end {
                End::Done => {}
                End::Refused(findings) => {
                    assert_eq!(to, from, "{path}: refused, and something is changed");
                    assert!(findings.iter().all(|one| one.class == Class::Guard), "{path}: {findings:?}");
                    assert!(findings.iter().all(|one| !one.way_out.is_empty()), "{path}: {findings:?}");
                    continue;
                }
                end => panic!("{first}; {second}: {path}: a plan passed, and the run ended with {end:?}"),
            }
            assert_eq!(spoilt(&fake.state().lake.tables["sales"]), None, "{first}; {second}: {path}");
            if let Some((_, leads, _)) = met.get_mut(&from) {
                leads.insert(to.clone());
            }
            if let Entry::Vacant(new) = met.entry(to) {
                new.insert((path, BTreeSet::new(), ended(&states(&fake))));
                open.push(fake);
            }
        }
    }
    // What leads to an end has one.
    loop {
        let good: BTreeSet<String> = met.iter().filter(|(_, (_, _, ends))| *ends).map(|(key, _)| key.clone()).collect();
        let more = met.values_mut().filter(|(_, to, ends)| !*ends && to.iter().any(|to| good.contains(to)));
        if more.map(|(_, _, ends)| *ends = true).count() == 0 {
            break;
        }
    }
    let stuck: Vec<_> = met.values().filter(|(_, _, ends)| !ends).map(|(path, _, _)| path.clone()).collect();
    assert_eq!(stuck, Vec::<String>::new(), "{first}; {second}");
    assert!(met.len() > 5, "{first}; {second}: {}", met.len());
}

#[tokio::test]
async fn releases_that_overlap_on_one_column() {
    for (first, second) in PAIRS {
        every_order(first, second).await;
    }
}

/// Releases `v1`, `v2`, … of the steps `a`, `b`, …, each an operation.
fn releases(steps: &[&str]) -> Project {
    let named = steps.iter().zip('a'..).enumerate();
    let texts: Vec<_> =
        named.map(|(at, (step, name))| (format!("v{}", at + 1), format!("steps:\n  {name}:\n    {step}\n"))).collect();
    project(&texts.iter().map(|(version, text)| (version.as_str(), text.as_str())).collect::<Vec<_>>())
}

async fn done(fake: &Fake, project: &Project, commands: &[&str]) {
    for text in commands {
        let end = command(fake, &overlapping(), project, text).await.end;
        assert!(matches!(end, End::Done), "{text}: {end:?}");
    }
}

async fn refused(fake: &Fake, project: &Project, text: &str) -> Vec<Finding> {
    match command(fake, &overlapping(), project, text).await.end {
        End::Refused(findings) => findings,
        end => panic!("{text}: {end:?}"),
    }
}

/// Another table, as the first.
fn with_another(name: &str) -> Fake {
    let fake = lake();
    let sales = fake.state().lake.tables["sales"].clone();
    fake.state().lake.tables.insert(name.to_owned(), sales);
    fake
}

/// A step forward names a later step that is in its way, as one back does: the last, not one that happens to be about the table.
#[tokio::test]
async fn the_step_in_the_way_is_named() {
    let comment = "set_comment: {table: sales, comment: harmless}";
    let (fake, files) = (lake(), releases(&[NEVER_NULL, comment, RENAME]));
    done(&fake, &files, &["add v1", "add v2", "add v3", "simdrop v3"]).await;
    let [finding] = &refused(&fake, &files, "simdrop v1").await[..] else { panic!() };
    assert!(
        finding.way_out.starts_with(
            "step `v3/c` is about the same table, and is simdropped: take it back first: triphase rollback_simdrop v3"
        ),
        "{finding:?}"
    );
    done(&fake, &files, &["rollback_simdrop v3", "simdrop v1"]).await;

    let again = "add_column: {table: sales, column: amount, type: long}";
    let (fake, files) = (lake(), releases(&[RENAME, comment, again]));
    done(&fake, &files, &["add v1", "simdrop v1", "add v2", "add v3"]).await;
    let [finding] = &refused(&fake, &files, "rollback_simdrop v1").await[..] else { panic!() };
    assert!(
        finding.way_out.starts_with(
            "step `v3/c` is about the same table, and is added: take it back first: triphase rollback_add v3"
        ),
        "{finding:?}"
    );
    done(&fake, &files, &["rollback_add v3", "rollback_add v2", "rollback_simdrop v1"]).await;
}

#[tokio::test]
async fn all_that_does_not_fit_is_said_at_once() {
    let two = |operation: &str, more: &str| {
        let one = |name: &str, table: &str| {
            format!("  {name}_{operation}:\n    {operation}: {{table: {table}, column: amount{more}}}\n")
        };
        format!("steps:\n{}{}", one("a", "sales"), one("b", "other"))
    };
    let (first, second) = (two("set_not_null", ", up: note"), two("rename_column", ", to: price"));
    let (fake, files) = (with_another("other"), project(&[("v1", &first), ("v2", &second)]));
    done(&fake, &files, &["add v1", "add v2", "simdrop v2"]).await;
    let findings = refused(&fake, &files, "simdrop v1").await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    let findings = refused(&fake, &files, "drop v2").await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    for finding in findings {
        let way_out = "take `v2` back first: triphase rollback_simdrop v2; then finish that one: triphase simdrop v1";
        assert_eq!(finding.way_out, way_out, "{finding:?}");
    }
}

/// A step that the files say is deleted is as good as any other: its release can be taken back still.
#[tokio::test]
async fn a_deleted_step_keeps_its_way() {
    let files = releases(&[RENAME, "drop_column: {table: sales, column: price}"]);
    let fake = lake();
    done(&fake, &files, &["add v1"]).await;
    let deleted = format!("steps:\n  a:\n    deleted: true\n    {RENAME}\n");
    let second = "steps:\n  b:\n    drop_column: {table: sales, column: price}\n";
    let files = project(&[("v1", &deleted), ("v2", second)]);
    done(&fake, &files, &["add v2"]).await;
    let [finding] = &refused(&fake, &files, "simdrop v2").await[..] else { panic!() };
    assert!(finding.message.contains("would leave step `v1/a`, which is added, no way on"), "{finding:?}");
}

/// A table that can't be read keeps the steps on other tables from nothing; its own do not begin.
#[tokio::test]
async fn a_table_that_can_not_be_read_is_in_nobody_elses_way() {
    let (fake, files) = (with_another("other"), releases(&["drop_column: {table: other, column: note}", GONE]));
    done(&fake, &files, &["add v1", "simdrop v1", "add v2", "simdrop v2"]).await;
    let why = "table `other` can't be read: its log is damaged";
    fake.state().lake.unread.insert("other".to_owned(), why.to_owned());
    let target = fixture::target(overlapping());
    let look = super::super::look(&target, &fake, &files, &fixture::request("rollback_simdrop v2")).await.unwrap();
    assert!(look.plan.warnings.iter().any(|warning| warning.starts_with(why)), "{:?}", look.plan.warnings);
    done(&fake, &files, &["rollback_simdrop v2"]).await;
    let end = super::run(&with(&fake, &target), &files, &fixture::request("rollback_simdrop v1")).await.end;
    assert_eq!(end, End::Access(why.to_owned()));
}
