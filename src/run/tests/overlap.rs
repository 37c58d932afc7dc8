//! Two releases on one column, overlapping, in every order of commands: what a plan passes runs, the table can always be written, and no step
//! is left without an end.

use super::{
    command,
    operations::{lake, project},
    states,
};
use crate::{
    engine::fake::Fake,
    event::End,
    model::{Class, Dialect, Guards, PhaseState, Reach},
    ops::{Field, TableState},
    sql,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Every name that a column of the tests has.
const NAMES: [&str; 5] = ["id", "amount", "note", "price", "loud"];

/// The first release's operation, and the second's.
const PAIRS: [(&str, &str); 4] = [
    (RENAME, "drop_column: {table: sales, column: price}"),
    (RENAME, "change_type: {table: sales, column: price, type: long, down: CAST(price AS string)}"),
    (CHANGE, "drop_column: {table: sales, column: amount}"),
    (GONE, "add_column: {table: sales, column: amount, type: long}"),
];

const RENAME: &str = "rename_column: {table: sales, column: amount, to: price}";
const CHANGE: &str = "change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}";
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

async fn every_order(first: &str, second: &str) {
    let releases =
        project(&[("v1", &format!("steps:\n  a:\n    {first}\n")), ("v2", &format!("steps:\n  b:\n    {second}\n"))]);
    let guards = Guards { require_previous: Some(Reach::Added), ..Guards::default() };
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
