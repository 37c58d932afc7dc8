//! Projects for tests, written short: `customer add:A;B simdrop:C`, a release a list of steps. A statement with `!` before it stands
//! alone; with `?` it stands alone and has a `done_when`; with `=` it is an `expect`.

pub(crate) use crate::target::fixture as target;
use crate::{
    action::{Action, Checksum, Handler},
    model::{Finding, Guards, Label, StepId, Verb, Version},
    plan::{Ask, FfTo, Plan, Request, Scope},
    release::{Project, Release, Step},
};

pub(crate) fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(crate) fn id(release: &str, step: &str) -> StepId {
    StepId::new(v(release), step)
}

pub(crate) fn action(text: &str) -> Action {
    match text.split_at(1) {
        ("=", query) => Action::Expect { query: query.into() },
        ("!", text) => Action::Sql { text: text.into(), alone: true, done_when: None },
        ("?", text) => Action::Sql { text: text.into(), alone: true, done_when: Some(format!("applied:{text}")) },
        (_, _) => Action::Sql { text: text.into(), alone: false, done_when: None },
    }
}

pub(crate) fn handler(texts: &str) -> Handler {
    let actions = texts.split(';').filter(|text| !text.is_empty()).map(action).collect();
    Handler { checksum: Checksum::of([texts]), label: Label::Lossy, actions }
}

pub(crate) fn step(release: &str, text: &str) -> Step {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let mut step = Step {
        name: name.into(),
        id: id(release, name),
        description: String::new(),
        deleted: false,
        handlers: [].into(),
        operation: None,
    };
    for word in words {
        match word.split_once(':') {
            Some((verb, texts)) => {
                step.handlers.insert(Verb::parse(verb).expect(verb), handler(texts));
            }
            None => step.deleted = word == "deleted",
        }
    }
    step
}

pub(crate) fn project(releases: &[(&str, &[&str])]) -> Project {
    let release = |(version, steps): &(&str, &[&str])| Release {
        version: v(version),
        description: String::new(),
        steps: steps.iter().map(|text| step(version, text)).collect(),
    };
    Project { releases: releases.iter().map(release).collect(), ..Project::default() }
}

/// `add`, `drop v1`, `rollback_add v2/name`, `ff`, `ff +1`, `ff v2`; flags and `--phase add` behind.
pub(crate) fn request(text: &str) -> Request {
    let mut words = text.split(' ');
    let command = words.next().unwrap();
    let (mut about, mut phase, mut flags) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        match word {
            "--phase" => phase = words.next().and_then(crate::model::Phase::parse),
            flag if flag.starts_with("--") => flags.push(flag),
            word => about = Some(word),
        }
    }
    let ask = match Verb::parse(command) {
        Some(verb) => Ask::Verb {
            verb,
            scope: match about.map(|about| about.split_once('/').ok_or(about)) {
                None => Scope::Auto,
                Some(Err(version)) => Scope::Release(v(version)),
                Some(Ok((version, step))) => Scope::Step(v(version), step.into()),
            },
        },
        None => {
            assert_eq!(command, "ff");
            let to = match about {
                None => FfTo::All,
                Some("+1") => FfTo::Next,
                Some(version) => FfTo::Release(v(version)),
            };
            Ask::Ff { to, phase }
        }
    };
    let has = |flag| flags.contains(&flag);
    Request {
        ask,
        out_of_order: has("--out-of-order"),
        cascade: has("--cascade"),
        contract: has("--contract"),
        from_files: has("--from-files"),
        accept_loss: has("--accept-loss"),
        within: None,
    }
}

/// Guards as a target file writes them, a line each.
pub(crate) fn guards(text: &str) -> Guards {
    serde_yaml::from_str(if text.is_empty() { "{}" } else { text }).unwrap()
}

/// What a plan would do: `add v1/a`, an empty phase in brackets.
pub(crate) fn tasks(plan: &Plan) -> Vec<String> {
    let said = |task: &crate::plan::Task| {
        let text = format!("{} {}", task.verb, task.id);
        if task.is_empty() { format!("({text})") } else { text }
    };
    plan.tasks.iter().map(said).collect()
}

/// What refuses, as `G1: message`.
pub(crate) fn refusals(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{}: {}", f.rule, f.message)).collect()
}
