//! Rebuilds that are interrupted at any call, and continued from the state that was saved last.

use std::collections::BTreeSet;

use domain::Timestamp;
use lambda::Invocation;
use projectors::{
    Projectors, Role,
    limits::REBUILD_RESERVE,
    ports::{Row, Table},
    rebuild::{
        RebuildError, finding::Finding, gather::Gather, ledger::bucket, settle::Settle,
        sweep::Sweep,
    },
    task::{Plan, Task},
};
use serde_json::{Value, value::to_raw_value};
use support::envelopes::placing;

use super::{
    corrupted::tamper,
    trap::{Mode, Trap, trapped},
    whole::{MODELS, SteppedClock, filled, name, plan, request, rows, verify},
};
use crate::World;

/// The number of further orders without a row, in a test that needs more.
const MORE: usize = 24;

/// Returns a filled world whose rows were changed by hand, the right rows, and the expected
/// findings.
async fn tampered(seed: u64) -> (World, Vec<(Table, Row)>, Vec<Finding>) {
    let world = filled().await;
    let right = rows(&world.projectors).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let found = tamper(&world.projectors, &mut random).await;
    let mut findings: Vec<Finding> = found.into_values().collect();
    findings.sort();
    (world, right, findings)
}

/// Restores rows to what they were before, whatever is stored now.
async fn restore(world: &World, wrong: &[(Table, Row)]) {
    for table in MODELS {
        for row in world.rows.all(table) {
            world.projectors.rows.remove(table, row).await.unwrap();
        }
    }
    for (table, row) in wrong {
        let put = world.projectors.rows.put(*table, row.clone());
        put.await.unwrap();
    }
}

/// Repeats a step until it succeeds, each time from the state that was saved last.
async fn saved<S: Clone, T, E: std::fmt::Debug>(
    trap: &Trap,
    state: &mut S,
    step: impl AsyncFn(&mut S) -> Result<T, E>,
) -> T {
    for _ in 0..3 {
        let mut next = state.clone();
        match trap.around(step(&mut next)).await {
            Some(Ok(done)) => {
                *state = next;
                return done;
            }
            Some(Err(_)) | None => trap.take_away(),
        }
    }
    panic!("it fails without a reason");
}

/// Executes a plan in the smallest steps, with a trap. Returns the findings.
async fn carried_out(projectors: &Projectors, plan: &Plan, trap: &Trap) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mut gather in plan.gather() {
        while !gather.done {
            let step = async |state: &mut Gather| state.step(projectors, || true).await;
            saved(trap, &mut gather, step).await;
        }
    }
    for mut settle in plan.settle() {
        while !settle.done {
            let step = async |state: &mut Settle| state.step(projectors, || true).await;
            findings.extend(saved(trap, &mut settle, step).await);
        }
    }
    findings.sort();
    findings
}

/// Interrupts a rebuild at every call of every port, in every mode.
async fn at_every_call(repair: bool) {
    let (world, right, found) = tampered(7).await;
    let wrong = rows(&world.projectors).await;
    let count = Trap::none();
    let counting = trapped(&world.projectors, world.table.clone(), &count);
    let undisturbed = carried_out(&counting, &plan(&name("counted"), repair), &count).await;
    assert_eq!(undisturbed, found);
    assert!(count.calls() > 300, "{} calls", count.calls());
    for (first, mode) in (1..).zip(Mode::ALL) {
        for call in (first..=count.calls()).step_by(Mode::ALL.len()) {
            restore(&world, &wrong).await;
            let trap = Trap::at(call, mode);
            let projectors = trapped(&world.projectors, world.table.clone(), &trap);
            let run = plan(&name("trapped"), repair);
            let findings = carried_out(&projectors, &run, &trap).await;
            if repair {
                let mended = rows(&world.projectors).await;
                assert!(mended == right, "{mode:?} at call {call}");
            } else {
                assert_eq!(findings, found, "{mode:?} at call {call}");
            }
        }
    }
    assert_eq!(verify(&world.projectors).await.findings.is_empty(), repair);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_ends_right_wherever_it_is_stopped() {
    at_every_call(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_names_the_same_wherever_it_is_stopped() {
    at_every_call(false).await;
}

/// Here the state is kept in memory only, as in one process, and the work continues from it after
/// an error. Findings before an outage must not be lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_before_an_error_is_not_lost_with_it() {
    let (world, _, found) = tampered(8).await;
    // So many that a sweep needs several steps for them.
    for number in 0..MORE {
        world.order(placing(&format!("B-{number}"), "c-1")).await;
    }
    let count = Trap::none();
    let counting = trapped(&world.projectors, world.table.clone(), &count);
    let all = in_place(&counting, &count).await;
    assert_eq!(all.len(), found.len() + MORE);
    for call in (1..=count.calls()).step_by(3) {
        let trap = Trap::at(call, Mode::Outage);
        let projectors = trapped(&world.projectors, world.table.clone(), &trap);
        assert_eq!(in_place(&projectors, &trap).await, all, "call {call}");
    }
}

/// Gathers and settles, then sweeps. Checks that both find the same and returns it.
async fn in_place(projectors: &Projectors, trap: &Trap) -> Vec<Finding> {
    let plan = plan(&name("in-place"), false);
    for mut gather in plan.gather() {
        while !gather.done {
            if gather.step(projectors, || false).await.is_err() {
                trap.take_away();
            }
        }
    }
    let mut settled = Vec::new();
    for mut settle in plan.settle() {
        while !settle.done {
            match settle.step(projectors, || false).await {
                Ok(findings) => settled.extend(findings),
                Err(_) => trap.take_away(),
            }
        }
    }
    let mut swept = Vec::new();
    let mut sweep = Sweep::new(0, 1, false);
    while !sweep.done {
        match sweep.step(projectors, || false).await {
            Ok(findings) => swept.extend(findings),
            Err(_) => trap.take_away(),
        }
    }
    settled.sort();
    swept.sort();
    assert_eq!(settled, swept);
    assert_eq!(sweep.counted.wrong(), swept.len() as u64);
    assert_eq!(sweep.counted.aggregates, 9 + 7 + MORE as u64);
    settled
}

// ---- As invocations of the function

/// Invokes the function with a time limit of this many milliseconds, without the reserve.
async fn invoke(
    projectors: &Projectors,
    millis: i64,
    task: &Value,
) -> Result<Value, lambda::Failed> {
    let reserve = i64::try_from(REBUILD_RESERVE.as_millis()).unwrap();
    let end = projectors.clock.now().millis() + reserve + millis;
    let mut invocation = Invocation::of("request");
    invocation.deadline = Timestamp::from_millis(end);
    let payload = to_raw_value(task).unwrap();
    projectors.handle(Role::Rebuild, payload, &invocation).await
}

/// Runs a rebuild as a state machine does: each answer is the next request until it says `done`,
/// and a request that failed is repeated. Returns the number of invocations, and the counts.
async fn driven(projectors: &Projectors, trap: &Trap, millis: i64, plan: Plan) -> (u64, Value) {
    let (mut invocations, mut counted) = (0, Vec::new());
    let mut plan = request(&Task::Plan(plan));
    let pieces = saved(trap, &mut plan, async |plan: &mut Value| {
        invoke(projectors, millis, plan).await
    });
    let pieces = pieces.await;
    for stage in ["gather", "settle"] {
        for piece in pieces[stage].as_array().unwrap() {
            let mut piece = piece.clone();
            while piece["done"] != true {
                assert!(invocations < 10_000, "it does not end");
                invocations += 1;
                let answer = saved(trap, &mut piece, async |piece: &mut Value| {
                    invoke(projectors, millis, piece).await
                });
                piece = answer.await;
            }
            if stage == "settle" {
                counted.push(piece["counted"].clone());
            }
        }
    }
    (invocations, counted.into())
}

fn sum(counted: &Value, name: &str) -> u64 {
    let each = counted.as_array().unwrap().iter();
    each.map(|one| one[name].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_goes_on_by_its_own_answers_however_short_its_time() {
    for millis in [-60_000, 0, 3, 1_000_000] {
        let (mut world, right, found) = tampered(9).await;
        // Each reading of the clock takes a millisecond.
        world.projectors.clock = SteppedClock::passing("2024-02-01T00:00:00Z", 1);
        let run = plan(&name("role"), true);
        let pieces = (run.gather().len() + run.settle().len()) as u64;
        assert_eq!(pieces, 13);
        let none = Trap::none();
        let (invocations, counted) = driven(&world.projectors, &none, millis, run).await;
        match millis {
            1_000_000 => assert_eq!(invocations, pieces),
            _ => assert!(invocations > pieces, "{invocations} invocations"),
        }
        assert_eq!(rows(&world.projectors).await, right);
        assert_eq!(sum(&counted, "aggregates"), sum_of_aggregates(&found));
        let rows = sum(&counted, "written") + sum(&counted, "removed");
        assert_eq!(rows, found.len() as u64);
        assert!(world.bus.calls().is_empty() && world.topic.calls().is_empty());
    }
}

/// Returns the number of aggregates: those that exist, and those of rows that were inserted by
/// hand.
fn sum_of_aggregates(found: &[Finding]) -> u64 {
    let names = found.iter().map(|one| (&one.table, &one.id));
    let invented = names.filter(|(_, id)| {
        let number = id.rsplit('-').next().unwrap();
        let real = id.starts_with("A-") || id.starts_with("SHIP-");
        !real || number.len() != 1
    });
    let invented: BTreeSet<_> = invented.collect();
    9 + 7 + invented.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_fails_is_sent_again() {
    let (mut world, right, _) = tampered(10).await;
    let wrong = rows(&world.projectors).await;
    world.projectors.clock = SteppedClock::passing("2024-02-01T00:00:00Z", 1);
    let count = Trap::none();
    let counting = trapped(&world.projectors, world.table.clone(), &count);
    driven(&counting, &count, 3, plan(&name("counted"), true)).await;
    for call in (1..=count.calls()).step_by(3) {
        for mode in [Mode::Outage, Mode::CutOffBefore, Mode::CutOffAfter] {
            restore(&world, &wrong).await;
            let trap = Trap::at(call, mode);
            let projectors = trapped(&world.projectors, world.table.clone(), &trap);
            driven(&projectors, &trap, 3, plan(&name("again"), true)).await;
            let mended = rows(&world.projectors).await;
            assert!(mended == right, "{mode:?} at call {call}");
        }
    }
}

#[tokio::test]
async fn what_is_no_piece_of_work_is_refused() {
    let world = filled().await;
    for (task, said) in [
        (r#"{"operation":"rebuild"}"#, "the payload is not a task"),
        (
            r#"{"operation":"plan","run":"a/b","segments":1,"buckets":1}"#,
            "run",
        ),
        (
            r#"{"operation":"plan","run":"","segments":1,"buckets":1}"#,
            "run",
        ),
        (
            r#"{"operation":"plan","run":"a","segments":0,"buckets":1}"#,
            "segments",
        ),
        (
            r#"{"operation":"plan","run":"a","segments":257,"buckets":1}"#,
            "segments",
        ),
        (
            r#"{"operation":"plan","run":"a","segments":1,"buckets":4097}"#,
            "buckets",
        ),
        (
            r#"{"operation":"plan","run":"a","segments":1,"buckets":1,"more":1}"#,
            "the payload is not a task",
        ),
        (
            r#"{"operation":"part","segment":0,"segments":0,"mend":true}"#,
            "segments",
        ),
    ] {
        let task: Value = serde_json::from_str(task).unwrap();
        let refused = invoke(&world.projectors, 1_000, &task).await.unwrap_err();
        assert!(refused.0.contains(said), "{task}: {}", refused.0);
    }
}

#[tokio::test]
async fn one_aggregate_is_named_or_mended_by_an_invocation() {
    let (world, _, found) = tampered(11).await;
    let one = found.iter().find(|one| one.id == "SHIP-6").unwrap();
    let all = found.iter().filter(|other| other.id == one.id).count();
    let mut task = serde_json::json!({
        "operation": "aggregate", "aggregate": "shipment#SHIP-6", "mend": false,
    });
    let named = invoke(&world.projectors, 1_000, &task).await.unwrap();
    assert_eq!(named["findings"].as_array().unwrap().len(), all);
    assert_eq!(
        (&named["written"], &named["done"]),
        (&0.into(), &true.into())
    );
    task["mend"] = true.into();
    let mended = invoke(&world.projectors, 1_000, &task).await.unwrap();
    let touched = mended["written"].as_u64().unwrap() + mended["removed"].as_u64().unwrap();
    assert_eq!(touched, all as u64);
    let again = invoke(&world.projectors, 1_000, &task).await.unwrap();
    assert_eq!(again["findings"], serde_json::json!([]));
}

#[tokio::test]
async fn a_ledger_that_was_cut_short_is_no_ledger() {
    let (world, _, _) = tampered(12).await;
    let plan = plan(&name("cut"), true);
    let ledger = world.projectors.rebuilds.ledger.clone();
    for mut gather in plan.gather() {
        while !gather.done {
            gather.step(&world.projectors, || false).await.unwrap();
        }
    }
    for mut settle in plan.settle() {
        let prefix = bucket(&plan.run, settle.bucket);
        let part = ledger.list(&prefix).await.unwrap().remove(0);
        let mut bytes = ledger.get(&part).await.unwrap();
        bytes.pop();
        ledger.put(&part, bytes).await.unwrap();
        let cut = settle.step(&world.projectors, || false).await;
        assert!(matches!(cut, Err(RebuildError::Unavailable(_))));
        assert!(!settle.done);
    }
}
