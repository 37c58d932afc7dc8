//! The other ways a run ends, one each.

use super::{Asked, command, fixture, run, say, states, with};
use crate::{
    engine::{
        Access, Driver as _, Where,
        fake::{Fake, Fault},
    },
    event::{End, Event},
    model::{Class, Finding, Guards, Phase, PhaseState, Verb},
    plan::{
        About, Repair, Scope,
        tests::fixture::{guards, project},
    },
};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

fn decide(step: &str, phase: Phase, done: bool) -> About {
    About::Decide { step: Scope::Step(fixture::v("v1"), step.into()), phase, statement: None, done }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_lock_ends_with_4_and_writes_nothing_more() {
    let files = project(&[("v1", &["a add:A;!B;C", "b add:D"])]);
    let clean = Fake::new(true);
    command(&clean, &Guards::default(), &files, "ff").await;
    let calls = clean.state().calls;
    let mut fenced = 0;
    for at in 4..=calls {
        let fake = Fake::new(true);
        fake.fail_at(Some((at, Fault::Stolen)));
        let outcome = command(&fake, &Guards::default(), &files, "ff").await;
        // The last call gives the lock back: whoever has it by then keeps it.
        assert_eq!(outcome.exit_code(), if at == calls { 0 } else { 4 }, "at {at}: {outcome:?}");
        let state = fake.state();
        assert_eq!(state.lock.as_ref().unwrap().1.run, "thief", "at {at}: another's lock is not given back");
        assert_eq!(clean.state().log[..state.log.len()], state.log[..]);
        fenced += u32::from(state.log.len() < clean.state().log.len());
    }
    assert!(fenced > 3);
}

#[tokio::test(start_paused = true)]
async fn a_busy_lock_names_its_holder() {
    let files = project(&[("v1", &["a add:A"])]);
    let fake = Fake::new(true);
    fake.fail_at(Some((1, Fault::Stolen)));
    let outcome = command(&fake, &Guards::default(), &files, "ff").await;
    let End::Busy(text) = &outcome.end else { panic!("{outcome:?}") };
    assert_eq!(
        text,
        "waited 0s for the lock, held by run thief of other@host (pid 7), `ff` since 1970-01-01T00:16:40Z"
    );
    assert!(fake.state().log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_handler_leaves_what_committed_and_a_rerun_goes_on() {
    let files = project(&[("v1", &["a add:A;!B;FAIL1;C", "b add:=false"])]);
    let fake = Fake::new(true);
    fake.state().failing = true;
    assert_eq!(command(&fake, &Guards::default(), &files, "ff").await.exit_code(), 1);
    assert_eq!(fake.state().log, ["A", "B"]);
    assert_eq!(states(&fake)["v1/a add"], PhaseState::Failed);
    fake.state().failing = false;
    let outcome = command(&fake, &Guards::default(), &files, "ff").await;
    assert_eq!((outcome.exit_code(), outcome.end), (1, End::Failed), "an expect of false fails");
    assert_eq!(fake.state().log, ["A", "B", "FAIL1", "C"]);
    let row = fake.state().kept.ledger.steps[&fixture::id("v1", "b")].phase(Phase::Add).clone();
    assert_eq!(row.error.as_deref(), Some("expected true, found false"));
}

/// That a handler failed is told, whether or not it can be recorded: what is in the way is waited out, what is gone is one more thing to
/// tell.
#[tokio::test(start_paused = true)]
async fn a_failure_that_can_not_be_recorded_is_told_all_the_same() {
    let files = project(&[("v1", &["a add:A;FAIL"])]);
    let told = |fault| {
        let files = &files;
        async move {
            let fake = Fake::new(true);
            fake.state().failing = true;
            let calls = {
                let clean = Fake::new(true);
                clean.state().failing = true;
                command(&clean, &Guards::default(), files, "ff").await;
                clean.state().calls
            };
            // The last call gives the lock back, the one before it records.
            fake.fail_at(Some((calls - 1, fault)));
            let said = Mutex::new(Vec::new());
            let tell = |event| {
                if let Event::Warning(text) = event {
                    said.lock().unwrap().push(text);
                }
            };
            let target = fixture::target(Guards::default());
            let context = super::Context { tell: &tell, ..with(&fake, &target) };
            let outcome = run(&context, files, &fixture::request("ff")).await;
            assert_eq!((outcome.exit_code(), outcome.end), (1, End::Failed), "{fault:?}");
            let said = said.lock().unwrap().iter().any(|text| text.contains("could not be recorded"));
            (said, states(&fake).get("v1/a add").copied())
        }
    };
    assert_eq!(told(Fault::Before).await, (true, None));
    assert_eq!(told(Fault::DeadBefore).await, (true, None));
    assert_eq!(told(Fault::Busy).await, (false, Some(PhaseState::Failed)));
}

#[tokio::test(start_paused = true)]
async fn a_lone_rollback_statement_that_failed_is_simply_run_again() {
    let files = project(&[("v1", &["a add:A rollback_add:!-A;!FAIL-A;!-Z"])]);
    let fake = Fake::new(false);
    command(&fake, &Guards::default(), &files, "add v1").await;
    fake.state().failing = true;
    assert_eq!(command(&fake, &Guards::default(), &files, "rollback_add v1").await.exit_code(), 1);
    assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 7, "only the rollback goes on");
    fake.state().failing = false;
    assert_eq!(command(&fake, &Guards::default(), &files, "rollback_add v1").await.exit_code(), 0);
    assert_eq!(fake.state().log, ["A", "-A", "FAIL-A", "-Z"]);
}

/// What is undecided says which word ends it, before its rollback began and after. Nothing runs before it is said.
#[tokio::test(start_paused = true)]
async fn a_partly_applied_step_is_asked_and_a_person_ends_it() {
    for (begun, word, done, end) in
        [(false, "undone", false, PhaseState::Pending), (true, "done", true, PhaseState::RolledBack)]
    {
        let files = project(&[("v1", &["a add:!A;!FAIL rollback_add:?-B;?FAIL"])]);
        let asks = project(&[("v1", &["a add:!A;!FAIL rollback_add:?-B;!-A"])]);
        let handler = asks.releases[0].steps[0].handlers[&Verb::RollbackAdd].clone();
        let step = || Scope::Step(fixture::v("v1"), "a".into());
        let fake = Fake::new(false);
        fake.state().failing = true;
        assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 1);
        if begun {
            assert_eq!(command(&fake, &Guards::default(), &files, "rollback_add v1").await.exit_code(), 1);
        }
        let about = About::Handler { step: step(), verb: Verb::RollbackAdd, handler };
        assert_eq!(say(&fake, &files, about).await.end, End::Done);
        let log = fake.state().log.clone();
        let before = states(&fake);
        for _ in 0..2 {
            let outcome = command(&fake, &Guards::default(), &files, "rollback_add v1").await;
            assert_eq!(outcome.exit_code(), 5);
            assert_eq!(
                outcome.next,
                format!("look, do by hand what is needed, then: triphase repair {word} v1/a add --reason …")
            );
            assert_eq!(fake.state().log, log);
            assert_eq!(states(&fake), before);
        }
        assert_eq!(say(&fake, &files, decide("a", Phase::Add, done)).await.end, End::Done);
        assert_eq!(fake.state().kept.ledger.steps[&fixture::id("v1", "a")].phase(Phase::Add).state, end);
        assert_eq!(command(&fake, &Guards::default(), &files, "rollback_add v1").await.exit_code(), 0);
    }
}

/// G9: who says no, and where nobody can be asked; what is only added asks nothing.
#[tokio::test(start_paused = true)]
async fn a_protected_target_asks_before_drops_and_rollbacks() {
    let files = project(&[("v1", &["a add:A simdrop:B drop:C rollback_simdrop:-B"])]);
    let fake = Fake::new(true);
    let target = fixture::target(guards("protected: true"));
    let asked = AtomicU32::new(0);
    let no = |_: &Where, _: &Asked<'_>| {
        asked.fetch_add(1, Ordering::Relaxed);
        Ok(false)
    };
    let nobody =
        |_: &Where, _: &Asked<'_>| Err(Finding::new(Class::Guard, "G9", "there is no terminal").way_out("--yes"));
    for text in ["add v1", "simdrop v1"] {
        let context = super::Context { confirm: &no, ..with(&fake, &target) };
        assert_eq!(run(&context, &files, &fixture::request(text)).await.end, End::Done);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    for text in ["drop v1", "rollback_simdrop v1"] {
        let context = super::Context { confirm: &no, ..with(&fake, &target) };
        assert_eq!(run(&context, &files, &fixture::request(text)).await.end, End::Declined);
        let context = super::Context { confirm: &nobody, ..with(&fake, &target) };
        let refused = run(&context, &files, &fixture::request(text)).await;
        assert_eq!((refused.exit_code(), refused.next.as_str()), (7, "--yes"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(fake.state().log, ["A", "B"]);
    assert_eq!(
        command(&fake, &Guards::default(), &files, "drop v1").await.exit_code(),
        0,
        "the ledger's guard asks, and yes is said"
    );
}

/// G9: what a person must know stands above the question, and is not said again under the lock.
#[tokio::test(start_paused = true)]
async fn what_the_plan_warns_of_is_told_once_and_before_the_question() {
    let files = project(&[("v1", &["a add:A simdrop:B rollback_simdrop:-B"]), ("v2", &["b add:C"])]);
    let fake = Fake::new(true);
    let target = fixture::target(guards("protected: true\nrequire_previous: simdropped"));
    for text in ["add v1", "simdrop v1", "add v2"] {
        assert_eq!(run(&with(&fake, &target), &files, &fixture::request(text)).await.end, End::Done);
    }
    let warned = Mutex::new(Vec::new());
    let tell = |event| {
        if let Event::Warning(text) = event {
            warned.lock().unwrap().push(text);
        }
    };
    let expected = ["later release `v2` is added already: see that it does without what `v1` hid"];
    let yes = |_: &Where, _: &Asked<'_>| {
        assert_eq!(*warned.lock().unwrap(), expected);
        Ok(true)
    };
    let context = super::Context { confirm: &yes, tell: &tell, ..with(&fake, &target) };
    assert_eq!(run(&context, &files, &fixture::request("rollback_simdrop v1")).await.end, End::Done);
    assert_eq!(*warned.lock().unwrap(), expected);
    assert_eq!(fake.state().log, ["A", "B", "C", "-B"]);
}

/// G9: what was said yes to is what is written, though somebody wrote between the question and the lock.
#[tokio::test(start_paused = true)]
async fn a_confirmed_repair_is_the_one_that_is_written() {
    let files = project(&[("v1", &["a add:A"])]);
    let fake = Fake::new(true);
    let target = fixture::target(guards("protected: true"));
    command(&fake, &Guards::default(), &files, "add v1").await;
    let meddle = |_: &Where, _: &Asked<'_>| {
        let mut state = fake.state();
        let row = state.kept.ledger.steps.get_mut(&fixture::id("v1", "a")).unwrap();
        row.phases[0].state = PhaseState::RollbackFailed;
        Ok(true)
    };
    let context = super::Context { confirm: &meddle, ..with(&fake, &target) };
    let word = crate::plan::Repair { about: decide("a", Phase::Add, false), reason: "looked".into() };
    let outcome = super::repair(&context, &files, &word).await;
    let End::Refused(findings) = &outcome.end else { panic!("{outcome:?}") };
    assert_eq!(
        (findings[0].rule, findings[0].message.as_str()),
        ("G9", "the repair is no longer the one that was confirmed: the target has changed meanwhile")
    );
    assert_eq!(states(&fake)["v1/a add"], PhaseState::RollbackFailed, "nothing is written");
    assert_eq!(super::repair(&with(&fake, &target), &files, &word).await.end, End::Done, "asked again, it is");
}

/// G9: a plan of which another run has done a part meanwhile is another plan.
#[tokio::test(start_paused = true)]
async fn a_confirmed_plan_is_the_one_that_runs() {
    let files = project(&[("v1", &["a add:A rollback_add:-A", "b add:B rollback_add:-B"])]);
    let fake = Fake::new(true);
    let target = fixture::target(guards("protected: true"));
    command(&fake, &Guards::default(), &files, "add v1").await;
    let meddle = |_: &Where, _: &Asked<'_>| {
        let mut state = fake.state();
        let row = state.kept.ledger.steps.get_mut(&fixture::id("v1", "b")).unwrap();
        row.phases[0].state = PhaseState::RolledBack;
        Ok(true)
    };
    let context = super::Context { confirm: &meddle, ..with(&fake, &target) };
    let outcome = run(&context, &files, &fixture::request("rollback_add v1")).await;
    let End::Refused(findings) = &outcome.end else { panic!("{outcome:?}") };
    assert_eq!(
        (findings[0].rule, findings[0].message.as_str()),
        ("G9", "the plan is no longer the one that was confirmed: the target has changed meanwhile")
    );
    assert_eq!(fake.state().log, ["A", "B"], "nothing is taken back");
}

/// What is shown or scripted of a partly applied step is what a run runs, and asks where a run would.
#[tokio::test(start_paused = true)]
async fn a_look_at_a_partly_applied_step_shows_what_a_run_runs() {
    let files = project(&[("v1", &["a add:!A;!FAIL rollback_add:?-B;?-A"])]);
    let fake = Fake::new(false);
    let target = fixture::target(Guards::default());
    fake.state().failing = true;
    assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 1);
    fake.state().log.push("-B".into());
    let look = super::super::look(&target, &fake, &files, &fixture::request("rollback_add v1")).await.unwrap();
    assert_eq!(look.plan.findings, []);
    assert!(look.plan.tasks[0].skips(0) && !look.plan.tasks[0].skips(1));
    let units = crate::plan::cut(&look.plan, &look.facts.ledger, crate::model::Dialect::Sqlite);
    let texts: Vec<_> = units.iter().flat_map(|cut| &cut.unit.actions).map(crate::action::Action::text).collect();
    assert_eq!(texts, ["-A"]);
    let notes: Vec<_> = units.iter().flat_map(|cut| cut.unit.notes.clone()).collect();
    assert_eq!(notes, ["statement 1 of rollback_add of step v1/a is so already, and is left out: -B"]);
    command(&fake, &Guards::default(), &files, "rollback_add v1").await;
    assert_eq!(fake.state().log, ["A", "-B", "-A"], "the run runs the same");

    let files = project(&[("v2", &["b add:!C;!FAIL rollback_add:!-C"])]);
    let fake = Fake::new(false);
    fake.state().failing = true;
    assert_eq!(command(&fake, &Guards::default(), &files, "add v2").await.exit_code(), 1);
    let look = super::super::look(&target, &fake, &files, &fixture::request("rollback_add v2")).await.unwrap();
    let ran = command(&fake, &Guards::default(), &files, "rollback_add v2").await;
    assert_eq!(ran.end, End::Undecided(look.plan.findings.clone()));
    assert_eq!(look.plan.tasks.len(), 1, "what would run is shown all the same");
}

/// L5: a word whose answer was lost is recorded once, and is told to be: whichever answer it was, and whether it came to anything or not.
#[tokio::test(start_paused = true)]
async fn a_word_whose_answer_is_lost_is_recorded_once() {
    let files = project(&[("v1", &["a add:!A;!FAIL rollback_add:!-A"])]);
    let ready = || async {
        let fake = Fake::new(false);
        fake.state().failing = true;
        assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 1);
        fake.fail_at(None);
        fake
    };
    let clean = ready().await;
    let said = say(&clean, &files, decide("a", Phase::Add, true)).await;
    assert_eq!((&said.end, said.notes.len()), (&End::Done, 1));
    let calls = clean.state().calls;
    let mut decided = 0;
    for fault in [Fault::Before, Fault::After] {
        for at in 1..=calls {
            let fake = ready().await;
            fake.fail_at(Some((at, fault)));
            let outcome = say(&fake, &files, decide("a", Phase::Add, true)).await;
            let words = fake.state().history.iter().filter(|row| row.verb == "repair done add").count();
            match outcome.end {
                End::Done => {
                    assert_eq!((words, &outcome.notes), (1, &said.notes), "{fault:?} at {at}");
                    assert_eq!(states(&fake), states(&clean), "{fault:?} at {at}");
                    decided += 1;
                }
                // Before anything was sent, a target that can't be reached is told as such.
                ref end => assert!(matches!(end, End::Access(_)) && words == 0 && at < 5, "{fault:?} at {at}: {end:?}"),
            }
            assert!(fake.state().lock.is_none(), "{fault:?} at {at}: the lock is kept");
        }
    }
    assert!(decided > 5, "{decided}");
}

/// L4: what a person has seen while another run was at work may be so no more once that has ended. Where nothing was waited for, the word
/// is good.
#[tokio::test(start_paused = true)]
async fn a_word_that_had_to_wait_for_another_run_is_to_be_said_again() {
    let files = project(&[("v1", &["a add:!A;!FAIL rollback_add:!-A"])]);
    let fake = Fake::new(false);
    fake.state().failing = true;
    assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 1);
    let before = states(&fake);
    let other = fake.open(&fixture::target(Guards::default()), Access::Write).await.unwrap();
    let target = fixture::target(Guards::default());
    let mut context = with(&fake, &target);
    context.wait_lock = Duration::from_secs(60);
    let repair = Repair { about: decide("a", Phase::Add, false), reason: "looked".into() };
    let me = with(&fake, &target).me;
    let hold = other.try_lock(&me).await.unwrap().unwrap();
    let (outcome, ()) = tokio::join!(super::repair(&context, &files, &repair), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        hold.release().await.unwrap();
    });
    let End::Undecided(findings) = &outcome.end else { panic!("{outcome:?}") };
    assert_eq!((findings[0].rule, outcome.exit_code()), ("L4", 5));
    assert_eq!(outcome.next, "it has ended meanwhile: look again, then say it again");
    assert_eq!(states(&fake), before);
    let context = with(&fake, &target);
    assert_eq!(super::repair(&context, &files, &repair).await.end, End::Done);
    assert!(states(&fake).is_empty());
}

/// A word that was sent, and whose answer was lost, may have to wait for what it left itself: it is no less true for that.
#[tokio::test(start_paused = true)]
async fn a_word_that_waits_once_it_was_sent_is_as_good_as_before() {
    let files = project(&[("v1", &["a add:!A;!FAIL rollback_add:!-A"])]);
    let target = fixture::target(Guards::default());
    let mut waited = 0;
    for at in 1.. {
        let fake = Fake::new(false);
        fake.state().failing = true;
        assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.exit_code(), 1);
        let other = fake.open(&target, Access::Write).await.unwrap();
        let mut context = with(&fake, &target);
        context.wait_lock = Duration::from_secs(60);
        let me = context.me.clone();
        fake.fail_at(Some((at, Fault::Before)));
        let repair = Repair { about: decide("a", Phase::Add, true), reason: "looked".into() };
        let held = async {
            // From the lost answer on, until the word has waited for it.
            while fake.state().calls < at {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if let Ok(Ok(hold)) = other.try_lock(&me).await {
                tokio::time::sleep(Duration::from_secs(3)).await;
                hold.release().await.unwrap();
            }
        };
        let outcome = tokio::select! {
            (outcome, ()) = async { tokio::join!(super::repair(&context, &files, &repair), held) } => outcome,
            () = tokio::time::sleep(Duration::from_secs(600)) => break,
        };
        let words = fake.state().history.iter().filter(|row| row.verb == "repair done add").count();
        match outcome.end {
            End::Done => waited += words,
            ref end => assert!(words == 0 && at < 5, "at {at}: {end:?}"),
        }
    }
    assert!(waited > 2, "{waited}");
}

/// F2: files that were read for one server are not run, and no word is recorded by them, where another one answers.
#[tokio::test(start_paused = true)]
async fn files_that_were_read_for_another_dialect_are_not_run() {
    let mut files = project(&[("v1", &["a add:A"])]);
    files.read_for = Some(crate::model::Dialect::Mariadb);
    let fake = Fake::new(true);
    let ran = command(&fake, &Guards::default(), &files, "add v1").await;
    let said = say(&fake, &files, decide("a", Phase::Add, true)).await;
    for outcome in [ran, said] {
        let End::Access(why) = &outcome.end else { panic!("{outcome:?}") };
        assert!(why.starts_with("the release files were read for mariadb"), "{why}");
    }
    assert!(fake.state().log.is_empty() && fake.state().kept.ledger.format.is_none());
    files.read_for = Some(crate::model::Dialect::Sqlite);
    assert_eq!(command(&fake, &Guards::default(), &files, "add v1").await.end, End::Done);
}

/// A task is told to begin once, whatever has to be cleared before its handler.
#[tokio::test(start_paused = true)]
async fn a_task_is_told_to_begin_once() {
    let files = project(&[("v1", &["a add:?INDEX1;A2 rollback_add:?-A2;?-INDEX1"])]);
    let target = fixture::target(Guards::default());
    let mut cleared = 0;
    for at in 1..12 {
        let fake = Fake::new(true);
        fake.fail_at(Some((at, Fault::DeadBefore)));
        command(&fake, &Guards::default(), &files, "add v1").await;
        fake.fail_at(None);
        cleared += fake.state().halves.len();
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |event| {
            if let crate::event::Event::Started { task, .. } = event {
                told.lock().unwrap().push(task);
            }
        };
        let context = super::Context { tell: &tell, ..with(&fake, &target) };
        run(&context, &files, &fixture::request("rollback_add v1")).await;
        assert!(told.lock().unwrap().len() <= 1, "at {at}: {told:?}");
    }
    assert!(cleared > 0);
}

/// X3: a ledger that the holder keeps to itself must not keep anybody from ending it; nothing says then that the target is not protected.
#[tokio::test(start_paused = true)]
async fn unlock_needs_no_ledger_but_then_asks() {
    let files = project(&[("v1", &["a add:A"])]);
    let target = fixture::target(Guards::default());
    for (fault, asked, end) in [(None, 0, true), (Some((2, Fault::Busy)), 1, true), (Some((2, Fault::Busy)), 1, false)]
    {
        let fake = Fake::new(true);
        command(&fake, &Guards::default(), &files, "add v1").await;
        fake.fail_at(fault);
        let times = AtomicU32::new(0);
        let answer = |_: &Where, _: &Asked<'_>| {
            times.fetch_add(1, Ordering::Relaxed);
            Ok(end)
        };
        let context = super::Context { confirm: &answer, ..with(&fake, &target) };
        let ended = super::super::unlock(&context, true).await;
        assert_eq!(ended, if end { Ok("nobody has the lock".to_owned()) } else { Err(End::Declined) });
        assert_eq!(times.load(Ordering::Relaxed), asked);
    }
}
