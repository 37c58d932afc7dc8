//! What holds of every operation on every table (O2, O6, O9, and that physical names never come back).

use super::{super::*, column, derived, operation, step};
use crate::model::Verb;
use crate::ops::{
    apply::map_columns,
    names,
    state::{CONSTRAINT, GENERATION, MAX_COLUMN_ID, Protocol},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Names that have gone wrong somewhere.
const NAMES: &[&str] = &[
    "id",
    "select",
    "MixedCase",
    "with space",
    "quo`te",
    "do\"uble",
    "it's",
    "a.b",
    "$sql",
    "größe",
    "a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows",
    "_x",
    "1st",
    "--",
    "from",
];

/// A table of some of the names; mapped or not, with a constraint or not.
fn tables() -> impl Strategy<Value = TableState> {
    let types = prop::sample::select(vec!["string", "long", "date", "struct<a:int,b:string>"]);
    let columns = prop::sample::subsequence(NAMES, 3..=6);
    (columns, prop::collection::vec((types, any::<bool>()), 6), any::<[bool; 4]>()).prop_map(
        |(names, types, [map, check, part, generated])| {
            let fields: Vec<Field> = names
                .iter()
                .zip(types)
                .map(|(name, (data_type, nullable))| column(name, data_type, nullable))
                .collect();
            let mut state = TableState { fields, protocol: Protocol::legacy(1, 2), ..TableState::default() };
            if map {
                map_columns(&mut state);
            }
            if check {
                let text = format!("{} IS NOT NULL", expr::ident(&state.fields[1].name));
                state.properties.insert(format!("{CONSTRAINT}known"), text);
            }
            if part {
                let name = state
                    .fields
                    .iter()
                    .rev()
                    .find(|field| field.data_type.partitions())
                    .map(|field| field.name.clone());
                state.partition_by = name.into_iter().collect();
            }
            if generated {
                let from = expr::ident(&state.fields[0].name);
                let last = state.fields.len() - 1;
                state.fields[last].metadata.insert(GENERATION.into(), from.into());
            }
            state
        },
    )
}

/// Operations on a table: on one of its columns, with a new name.
fn operations() -> impl Strategy<Value = (usize, usize, usize)> {
    (0..CASES, 0..6_usize, 0..NAMES.len())
}

const CASES: usize = 16;

fn case(state: &TableState, (case, at, new): (usize, usize, usize)) -> Operation {
    let column = &state.fields[at % state.fields.len()].name;
    let new = NAMES[new];
    let (name, fields): (&str, Value) = match case {
        0 => ("add_column", json!({"column": new, "type": "long"})),
        1 => ("add_column", json!({"column": new, "type": "struct<a:int>", "nullable": false, "default": "NULL"})),
        2 => ("add_column", json!({"column": new, "type": "string", "nullable": false, "up": expr::ident(column)})),
        3 => ("add_column", json!({"column": new, "type": "string", "generated": expr::ident(column)})),
        4 => ("drop_column", json!({"column": column, "down": "NULL"})),
        5 => ("drop_column", json!({"column": column, "rewrite": true})),
        6 => ("drop_column", json!({"column": column, "hide": "detach", "key": [state.fields[0].name]})),
        7 => ("rename_column", json!({"column": column, "to": new})),
        8 => ("rename_column", json!({"column": column, "to": new, "strategy": "instant", "rewrite": true})),
        9 => {
            ("change_type", json!({"column": column, "type": "double", "down": expr::ident(column), "rewrite": at > 3}))
        }
        10 => ("change_type", json!({"column": column, "type": "double", "as": new})),
        11 => ("set_not_null", json!({"column": column})),
        12 => ("drop_not_null", json!({"column": column})),
        13 => (
            "add_constraint",
            json!({"name": new, "check": "1 = 1", "enforce": if at > 2 { "add" } else { "simdrop" }}),
        ),
        14 => ("drop_constraint", json!({"name": "known"})),
        _ => ("set_comment", json!({"column": column, "comment": new})),
    };
    let mut fields = fields;
    fields["table"] = "sales".into();
    operation(name, fields)
}

/// The table after a handler. `some`: rows speak against each choice.
fn after(derived: &Derived, verb: Verb, state: &TableState, some: bool) -> TableState {
    let acts = derived.handlers.get(&verb).cloned().unwrap_or_default();
    acts.iter().fold(state.clone(), |state, act| {
        let edits = match &act.does {
            Does::Choose { some: edits, .. } if some => edits,
            _ => act.edits(),
        };
        let anew = matches!(act.does, Does::Rewrite { .. });
        let next = if anew { apply_all(edits, &state) } else { apply_in_place(edits, &state) };
        next.unwrap_or_else(|refusal| panic!("{verb}: {}\n{refusal:?}\n{state:#?}", act.text()))
    })
}

/// What must be as before: not how high ids have got, nor a protocol that was raised.
fn visible(state: &TableState) -> TableState {
    let mut state = TableState { protocol: Protocol::default(), ..state.clone() };
    state.properties.remove(MAX_COLUMN_ID);
    state.fields.retain(|field| !names::ours(&field.name));
    state
}

/// The same with what is hidden, but for generation expressions, which a choice may leave out.
fn bare(state: &TableState) -> TableState {
    let mut state = TableState { protocol: Protocol::default(), ..state.clone() };
    state.properties.remove(MAX_COLUMN_ID);
    state.properties.retain(|key, _| !key.starts_with("triphase."));
    state.fields.iter_mut().for_each(|field| drop(field.metadata.remove(GENERATION)));
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// O6: add, then rollback_add, gives the schema as it was; what others wrote stays hidden, and is gone with the next drop.
    #[test]
    fn rollback_add_gives_back_the_schema(state in tables(), op in operations()) {
        let operation = case(&state, op);
        let Ok(derived) = derived(&operation, Some(&state)) else { return Ok(()) };
        let added = after(&derived, Verb::Add, &state, false);
        let back = after(&derived, Verb::RollbackAdd, &added, false);
        prop_assert_eq!(TableState { protocol: Protocol::default(), ..visible(&back) }, visible(&state));
        prop_assert!(back.fields.iter().all(|field| !names::ours(&field.name)));
        let hidden = after(&derived, Verb::RollbackAdd, &added, true);
        prop_assert_eq!(visible(&hidden), visible(&state));
    }

    /// O2: simdrop, then rollback_simdrop, gives the schema as add had left it, in its order.
    #[test]
    fn rollback_simdrop_gives_back_the_schema(state in tables(), op in operations(), there in any::<bool>(), back in any::<bool>()) {
        let operation = case(&state, op);
        let Ok(derived) = derived(&operation, Some(&state)) else { return Ok(()) };
        let added = after(&derived, Verb::Add, &state, false);
        let dropped = after(&derived, Verb::Simdrop, &added, there);
        let again = after(&derived, Verb::RollbackSimdrop, &dropped, back);
        if !there && !back {
            prop_assert_eq!(TableState { protocol: Protocol::default(), ..again.clone() }, TableState { properties: {
                let mut properties = added.properties.clone();
                if let Some(id) = again.properties.get(MAX_COLUMN_ID) { properties.insert(MAX_COLUMN_ID.into(), id.clone()); }
                properties
            }, protocol: Protocol::default(), ..added.clone() });
        } else if !operation.name().starts_with("drop_co") {
            prop_assert_eq!(bare(&again), bare(&added));
        }
        // And a second time, to the end: nothing of ours is left (O9).
        let end = after(&derived, Verb::Drop, &after(&derived, Verb::Simdrop, &again, there), false);
        prop_assert!(end.fields.iter().all(|field| !names::ours(&field.name)), "{:?}", end.fields);
        prop_assert!(end.properties.keys().all(|key| !key.starts_with("triphase.")), "{:?}", end.properties);
        let order: Vec<_> = state.fields.iter().map(|field| &field.name).filter(|name| end.field(name).is_some()).collect();
        let kept: Vec<_> = end.fields.iter().map(|field| &field.name).filter(|name| order.contains(name)).collect();
        prop_assert_eq!(order, kept);
    }

    /// A name in the files never comes back for another column, however often a step is taken back and applied again.
    #[test]
    fn physical_names_never_come_back(state in tables(), op in operations(), others in any::<[bool; 4]>()) {
        let operation = case(&state, op);
        let mut now = state.clone();
        let mut seen: BTreeSet<String> = now.fields.iter().map(|field| field.physical().to_owned()).collect();
        for wrote in others {
            let Ok(derived) = derived(&operation, Some(&now)) else { return Ok(()) };
            let added = after(&derived, Verb::Add, &now, false);
            if now.mapped() {
                for field in added.fields.iter().filter(|field| !now.fields.iter().any(|old| old.id() == field.id())) {
                    prop_assert!(seen.insert(field.physical().to_owned()), "{} twice", field.physical());
                }
            }
            now = after(&derived, Verb::RollbackAdd, &added, wrote);
            let ids: BTreeSet<_> = now.fields.iter().filter_map(Field::id).collect();
            prop_assert!(!now.mapped() || ids.len() == now.fields.len());
        }
        // What was left hidden goes with the next drop.
        if let Ok(derived) = derived(&operation, Some(&now)) {
            let simdropped = after(&derived, Verb::Simdrop, &after(&derived, Verb::Add, &now, false), false);
            let end = after(&derived, Verb::Drop, &simdropped, false);
            prop_assert!(names::of(&names::hash(&step()), &end).next().is_none());
        }
    }

    /// A handler that stopped halfway is taken back by its whole rollback, act by act, without those that find nothing.
    #[test]
    fn what_stopped_halfway_is_taken_back(state in tables(), op in operations(), at in 0..4_usize, simdrop in any::<bool>()) {
        let operation = case(&state, op);
        let Ok(derived) = derived(&operation, Some(&state)) else { return Ok(()) };
        let (base, there, back) = if simdrop {
            (after(&derived, Verb::Add, &state, false), Verb::Simdrop, Verb::RollbackSimdrop)
        } else {
            (state, Verb::Add, Verb::RollbackAdd)
        };
        let acts = |verb| derived.handlers.get(&verb).cloned().unwrap_or_default();
        let halfway = acts(there).iter().take(at).fold(base.clone(), |now, act| apply_all(act.edits(), &now).unwrap());
        let end = acts(back).iter().filter(|act| !matches!(act.does, Does::Recover { .. })).fold(halfway, |now, act| {
            if act.finds_nothing(Some(&now)) { now } else { apply_all(act.edits(), &now).unwrap() }
        });
        let bare = |state: &TableState| {
            let mut state = TableState { protocol: Protocol::default(), ..state.clone() };
            state.properties.remove(MAX_COLUMN_ID);
            state
        };
        prop_assert_eq!(bare(&end), bare(&base));
    }

    /// O4: what is derived is kept as JSON, and comes back the same.
    #[test]
    fn acts_are_kept_and_read_again(state in tables(), op in operations()) {
        let Ok(derived) = derived(&case(&state, op), Some(&state)) else { return Ok(()) };
        for act in derived.handlers.values().flatten() {
            let json = serde_json::to_string(act).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Act>(&json).unwrap(), act);
        }
        let again = TableState::fields_of(&state.schema_string()).unwrap();
        prop_assert_eq!(again, state.fields);
    }
}

/// No operation is refused on every table: the laws above would hold of nothing.
#[test]
fn every_case_is_derived_on_some_table() {
    let mut state = super::constrained();
    state.properties.insert(format!("{CONSTRAINT}known"), "1 = 1".into());
    let cases = (0..CASES).filter(|n| (0..5).all(|at| derived(&case(&state, (*n, at, 8)), Some(&state)).is_err()));
    assert_eq!(cases.collect::<Vec<_>>(), Vec::<usize>::new());
}
