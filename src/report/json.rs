//! Everything as JSON, one function a document or line. Each document has `schema_version`; it grows when a field changes its meaning or
//! goes, not when one is added. Keys come in the order they are written here: what a thing is first, then what is known of it.

use crate::{
    event::{End, Event, Outcome, Where},
    ledger::{HistoryRow, RunRow},
    model::{Finding, StepId, Verb},
    plan::{Plan, Task, Wait},
};
use serde_json::{Map, Value, json};

/// The documents' version.
pub const SCHEMA_VERSION: u32 = 1;

/// A document: its version and kind first.
pub fn document(kind: &str, fields: Value) -> Value {
    let mut map = Map::new();
    map.insert("schema_version".into(), SCHEMA_VERSION.into());
    map.insert("type".into(), kind.into());
    if let Value::Object(fields) = fields {
        map.extend(fields);
    }
    Value::Object(map)
}

/// One event of a run.
pub fn event(event: &Event) -> Value {
    match event {
        Event::Host(place) => document("host", self::place(place)),
        Event::Warning(text) => document("warning", json!({ "message": text })),
        Event::Waiting { by, what } => document("waiting", json!({ "what": what, "by": by.as_ref().map(holder) })),
        Event::Planned(plan) => document("planned", plan_fields(plan)),
        Event::Started { id, verb, task, of } => {
            document("started", of_step(id, *verb, json!({ "task": task + 1, "of": of })))
        }
        Event::Statement { id, verb, index, of, text } => {
            document("statement", of_step(id, *verb, json!({ "statement": index + 1, "of": of, "text": text })))
        }
        Event::Blocked { id, waited, by, retry } => document(
            "blocked",
            json!({ "release": id.release, "step": id.step, "waited_ms": ms(*waited), "by": by, "retry": retry }),
        ),
        Event::Heartbeat { id, verb, elapsed, progress: _ } => {
            document("heartbeat", of_step(id, *verb, json!({ "elapsed_ms": ms(*elapsed) })))
        }
        Event::Progress { id, verb, progress, elapsed } => {
            let mut fields = serde_json::to_value(progress).unwrap_or_default();
            append(&mut fields, json!({ "elapsed_ms": ms(*elapsed) }));
            document("progress", of_step(id, *verb, fields))
        }
        Event::Finished { id, verb, empty, took } => {
            document("finished", of_step(id, *verb, json!({ "empty": empty, "took_ms": ms(*took) })))
        }
        Event::Failed { id, verb, index, text, committed, partly, at_commit, error, server: _, recorded: _ } => {
            document(
                "failed",
                of_step(
                    id,
                    *verb,
                    json!({ "statement": index + 1, "text": text, "committed": committed, "partly": partly, "at_commit": at_commit, "error": error }),
                ),
            )
        }
        Event::Reconnecting { why } => document("reconnecting", json!({ "why": why })),
    }
}

/// A run's last line.
pub fn result(outcome: &Outcome) -> Value {
    let done: Vec<Value> =
        outcome.done.iter().map(|(id, verb)| json!({ "release": id.release, "step": id.step, "verb": verb })).collect();
    let stopped = outcome.waits.iter().find(|w| w.blocks_add).or_else(|| outcome.waits.first());
    let stopped = stopped.map(|w| {
        let mut fields = wait(w);
        fields["next"] = outcome.next.as_str().into();
        fields
    });
    document(
        "result",
        json!({
            "exit_code": outcome.exit_code(),
            "end": end_name(outcome),
            "error": end_text(&outcome.end),
            "done": done,
            "stopped": stopped,
            "waits": outcome.waits.iter().map(wait).collect::<Vec<_>>(),
            "findings": findings(end_findings(&outcome.end)),
            "notes": outcome.notes,
            "next": outcome.next,
        }),
    )
}

/// What a command would do, as one document.
pub fn plan(place: &Where, plan: &Plan, atomic: bool, exit_code: u8) -> Value {
    let mut fields = json!({ "target": self::place(place), "exit_code": exit_code, "atomic": atomic });
    append(&mut fields, plan_fields(plan));
    document("plan", fields)
}

/// The audit trail.
pub fn history(place: &Where, rows: &[HistoryRow]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "at": row.at.to_string(), "run": row.run, "command": row.command, "who": row.who,
                "tool": row.tool, "release": row.release, "step": row.step, "verb": row.verb,
                "statement": row.statement, "hash": row.hash, "outcome": row.outcome, "detail": row.detail,
            })
        })
        .collect();
    document("history", json!({ "exit_code": 0, "target": self::place(place), "events": rows }))
}

/// Findings with place, as `check` and refusals give them.
pub fn findings(findings: &[Finding]) -> Vec<Value> {
    findings
        .iter()
        .map(|f| {
            let at = f
                .place
                .as_ref()
                .map(|p| json!({ "file": &*p.file, "line": p.line(), "column": p.column(), "path": p.path }));
            json!({ "class": f.class.name(), "rule": f.rule, "message": f.message, "way_out": f.way_out, "place": at })
        })
        .collect()
}

/// Where a command is at work.
pub fn place(place: &Where) -> Value {
    json!({ "engine": place.engine, "host": place.host, "database": place.database, "schema": place.schema })
}

/// Who holds the lock.
pub fn holder(run: &RunRow) -> Value {
    json!({
        "run": run.run, "who": run.who, "host": run.host, "pid": run.pid, "since": run.since.to_string(),
        "command": run.command, "at": run.at,
    })
}

fn plan_fields(plan: &Plan) -> Value {
    json!({
        "tasks": plan.tasks.iter().map(task).collect::<Vec<_>>(),
        "waits": plan.waits.iter().map(wait).collect::<Vec<_>>(),
        "findings": findings(&plan.findings),
        "warnings": plan.warnings,
        "notes": plan.notes,
    })
}

fn task(task: &Task) -> Value {
    let statements: Vec<Value> = task
        .handler
        .actions
        .iter()
        .zip(0_u32..)
        .map(|(action, index)| {
            let mut value = json!({ "n": index + 1 });
            append(&mut value, serde_json::to_value(action).unwrap_or_default());
            if let crate::action::Action::Operation { act, .. } = action {
                value["text"] = action.text().into();
                value["cost"] = act.cost().text().into();
            }
            value["alone"] = action.alone().into();
            value["skipped"] = task.skips(index).into();
            value
        })
        .collect();
    of_step(
        &task.id,
        task.verb,
        json!({
            "name": task.name, "label": task.label, "way_back_empty": task.nothing_back(), "empty": task.is_empty(),
            "ask_each": task.ask_each,
            "clears": task.clears.iter().map(crate::action::Action::text).collect::<Vec<_>>(), "statements": statements,
        }),
    )
}

fn wait(wait: &Wait) -> Value {
    json!({
        "release": wait.release, "phase": wait.phase, "guard": wait.rule, "setting": wait.why,
        "earliest": wait.until.map(|t| t.to_string()), "blocks_add": wait.blocks_add,
    })
}

fn of_step(id: &StepId, verb: Verb, fields: Value) -> Value {
    let mut all = json!({ "release": id.release, "step": id.step, "verb": verb });
    append(&mut all, fields);
    all
}

/// The fields of `more`, after those of `to`.
fn append(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}

fn ms(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// How it ended, in a word that the exit code agrees with: what could not add a release is not done.
fn end_name(outcome: &Outcome) -> &'static str {
    match &outcome.end {
        End::Done if outcome.exit_code() != 0 => "stopped",
        End::Done => "done",
        End::Refused(_) => "refused",
        End::Failed => "failed",
        End::Busy(_) => "busy",
        End::Fenced(_) => "fenced",
        End::Undecided(_) => "undecided",
        End::Access(_) => "access",
        End::Interrupted(_) => "interrupted",
        End::Declined => "declined",
    }
}

fn end_text(end: &End) -> Option<&str> {
    match end {
        End::Busy(why) | End::Fenced(why) | End::Access(why) => Some(why),
        End::Done | End::Refused(_) | End::Failed | End::Undecided(_) | End::Interrupted(_) | End::Declined => None,
    }
}

fn end_findings(end: &End) -> &[Finding] {
    match end {
        End::Refused(findings) | End::Undecided(findings) => findings,
        End::Done
        | End::Failed
        | End::Busy(_)
        | End::Fenced(_)
        | End::Access(_)
        | End::Interrupted(_)
        | End::Declined => &[],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{
        engine::{Doing, Progress},
        model::{Class, Phase, Time, Version},
        report::plan::tests::task,
    };

    #[test]
    fn a_result_names_what_stopped_it() {
        let wait = |phase, blocks_add| Wait {
            release: Version::parse("v2").unwrap(),
            phase,
            rule: "G6",
            why: "min_simdrop_age: 7d".into(),
            until: Some(Time(0)),
            blocks_add,
        };
        let outcome = Outcome {
            end: End::Done,
            done: vec![],
            waits: vec![wait(Phase::Drop, false), wait(Phase::Add, true)],
            notes: vec![],
            next: "triphase drop v2".into(),
        };
        let value = result(&outcome);
        assert_eq!(value["schema_version"], 1);
        assert_eq!(value["type"], "result");
        assert_eq!((value["exit_code"].as_u64(), value["end"].as_str()), (Some(7), Some("stopped")));
        assert_eq!(value["stopped"]["phase"], "add");
        assert_eq!(value["stopped"]["guard"], "G6");
        assert_eq!(value["stopped"]["setting"], "min_simdrop_age: 7d");
        assert_eq!(value["stopped"]["earliest"], "1970-01-01T00:00:00Z");
        assert_eq!(value["stopped"]["next"], "triphase drop v2");
        let waits = Outcome { waits: vec![wait(Phase::Drop, false)], ..outcome };
        assert_eq!((result(&waits)["exit_code"].as_u64(), result(&waits)["end"].as_str()), (Some(0), Some("done")));
    }

    #[test]
    fn events_are_as_the_schema_describes() {
        let id = StepId::new(Version::parse("v1").unwrap(), "a");
        let run = RunRow {
            run: "01J".into(),
            who: "ann@ci".into(),
            host: "ci".into(),
            pid: 7,
            since: Time(0),
            command: "triphase ff".into(),
            at: Some("add v1/a".into()),
        };
        let second = std::time::Duration::from_secs(1);
        let schema: Value = serde_json::from_str(include_str!("../cli/schema/output.json")).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for event in [
            Event::Warning("w".into()),
            Event::Waiting { by: Some(run), what: "the lock".into() },
            Event::Waiting { by: None, what: "the lock".into() },
            Event::Blocked { id: id.clone(), waited: second, by: vec!["pid 1".into()], retry: true },
            Event::Heartbeat { id: id.clone(), verb: Verb::Drop, elapsed: second, progress: None },
            Event::Progress {
                id: id.clone(),
                verb: Verb::Add,
                progress: Progress { doing: Doing::Rewrite, files: 1, of_files: 2, rows: 3, of_rows: None },
                elapsed: second,
            },
            Event::Reconnecting { why: "cut".into() },
            Event::Planned(Box::new(Plan { tasks: vec![task(Verb::Add, &[("A", true)], 0)], ..Plan::default() })),
        ] {
            let value = super::event(&event);
            let kind = value["type"].as_str().unwrap();
            assert!(validator.is_valid(&value), "{value}");
            let known: Vec<&String> = schema["definitions"][kind]["properties"].as_object().unwrap().keys().collect();
            assert!(value.as_object().unwrap().keys().all(|key| known.contains(&key)), "{value}");
        }
    }

    #[test]
    fn a_plan_numbers_its_statements_and_says_what_is_skipped() {
        let plan_value = Plan { tasks: vec![task(Verb::Add, &[("A", false), ("B", true)], 1)], ..Plan::default() };
        let place =
            Where { engine: "SQLite".into(), host: "/srv".into(), database: "a.db".into(), schema: String::new() };
        let value = plan(&place, &plan_value, true, 0);
        let statements = &value["tasks"][0]["statements"];
        let text = value.to_string();
        assert!(text.starts_with(r#"{"schema_version":1,"type":"plan","target":{"engine":"SQLite","#), "{text}");
        assert!(text.contains(r#""tasks":[{"release":"v1","step":"customers","verb":"add","name":"#), "{text}");
        assert_eq!(statements[0], json!({"kind": "sql", "text": "A", "n": 1, "alone": false, "skipped": true}));
        assert_eq!(statements[1]["alone"], true);
        assert_eq!(value["tasks"][0]["label"], "lossy");
        assert_eq!(value["tasks"][0]["verb"], "add");
    }

    #[test]
    fn findings_keep_class_rule_and_place() {
        let place = crate::model::Place {
            file: "releases/v1.yaml".into(),
            source: "a:\n  b".into(),
            span: 5..6,
            path: "a.b".into(),
        };
        let value = findings(&[Finding::new(Class::Usage, "F8", "m").at(place)]);
        assert_eq!(value[0]["class"], "usage");
        assert_eq!(value[0]["place"], json!({"file": "releases/v1.yaml", "line": 2, "column": 3, "path": "a.b"}));
    }
}
