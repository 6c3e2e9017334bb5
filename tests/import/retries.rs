//! Imports that are interrupted at any call, delivered twice or out of time have the same result as
//! an undisturbed one.

use std::sync::{Arc, atomic::Ordering};

use commands::{
    Role,
    limits::{CHECKPOINTS_MAX, CONCURRENT_ORDERS},
};
use event_store::Commit;
use futures::future::join;
use lambda::{Failed, Invocation};
use serde_json::{Value, value::to_raw_value};
use support::files::MemoryFiles;

use crate::{
    faults::Slow,
    world::{Ended, World, counts, created, order, report_key},
};

fn unavailable() -> Ended {
    Ended::Answered(Err(Failed("temporarily unavailable".to_owned())))
}

/// Returns enough orders for several batches, checkpoints and parts of the report. Most of them are
/// rejected without a call.
fn mixed() -> String {
    let mut lines: Vec<String> = (0..2_300)
        .map(|n| format!(r#"{{"orderId":"N-{n}"}}"#))
        .collect();
    for n in 0..24 {
        lines[n * 97] = order(&format!("A-{n}"));
    }
    // Repeated ids: close to the first, in another batch, and with another content.
    lines[98] = order("A-1");
    lines[1_500] = order("A-2");
    lines[1_700] = order("A-3").replace("customer", "stranger");
    lines[2_299] = order("A-0");
    lines.join("\n")
}

const MIXED: [u64; 4] = [24, 3, 2_273, 2_300];

/// Returns the result of an undisturbed import.
async fn undisturbed(content: &str) -> (Vec<String>, Value) {
    let mut world = World::with_files(MemoryFiles::in_chunks_of(20_000));
    world.import("orders/a.jsonl", content).await;
    world.result()
}

/// Checks that the alert was sent with one id only, however often it was sent.
fn check_alerts(world: &World) {
    let mut alerts = world.operator.messages().alerts;
    assert!(!alerts.is_empty());
    alerts.dedup();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing() {
    let content = mixed();
    let expected = undisturbed(&content).await;
    let mut crashes = 0;
    for check in 1.. {
        let mut world = World::with_files(MemoryFiles::in_chunks_of(20_000));
        let object = world.upload("orders/a.jsonl", content.as_str());
        world.crash_switch.crash_at(check);
        let event = created(&object);
        let ended = world.deliver(&event, None).await;
        if ended != Ended::Crashed {
            break;
        }
        crashes += 1;
        world.deliver_all(None).await;
        assert_eq!(counts(&world.report(&object)), MIXED, "crash {check}");
        assert!(
            world.result() == expected,
            "crash {check}: {:?}",
            world.report(&object)
        );
        check_alerts(&world);
    }
    assert!(crashes > 70, "{crashes}");
}

#[tokio::test]
async fn crash_after_crash_changes_nothing() {
    let content = mixed();
    let expected = undisturbed(&content).await;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::with_files(MemoryFiles::in_chunks_of(20_000));
        let object = world.upload("orders/a.jsonl", content.as_str());
        let millis = random.bool().then_some(60_000);
        world.clock.step(400);
        for _ in 0..random.usize(1..6) {
            let Some(event) = world.waiting.pop_front() else {
                break;
            };
            world.crash_switch.crash_at(random.usize(1..120));
            if random.bool() {
                world.waiting.push_back(event.clone());
            }
            if !matches!(world.deliver(&event, millis).await, Ended::Answered(Ok(_))) {
                world.waiting.push_back(event);
            }
        }
        world.crash_switch.crash_at(0);
        world.deliver_all(millis).await;
        assert_eq!(counts(&world.report(&object)), MIXED, "seed {seed}");
        assert!(world.result() == expected, "seed {seed}");
        check_alerts(&world);
    }
}

#[tokio::test]
async fn it_goes_on_in_as_many_invocations_as_it_takes() {
    let content: Vec<String> = (0..200).map(|n| order(&format!("A-{n}"))).collect();
    let content = content.join("\n");
    let expected = undisturbed(&content).await;
    // The clock advances by a second at each reading. 25 seconds of the time limit are the
    // reserve.
    for seconds in [27, 28, 30, 40, 60, 100, 300, 1_000] {
        let mut world = World::with_files(MemoryFiles::in_chunks_of(50_000));
        world.clock.step(1_000);
        let object = world.upload("orders/a.jsonl", content.as_str());
        let mut invocations = 0;
        while let Some(event) = world.waiting.pop_front() {
            let before = counts_so_far(&world);
            match world.deliver(&event, Some(seconds * 1_000)).await {
                Ended::Answered(Ok(_)) => invocations += 1,
                ended => {
                    // There is no time for one order: it fails, and writes no checkpoint.
                    assert_eq!(
                        ended,
                        Ended::Answered(Err(Failed("the import cannot be continued".to_owned())))
                    );
                    assert_eq!((invocations, before), (0, 0), "{seconds}");
                    assert_eq!(world.waiting.len(), 0);
                }
            }
        }
        if seconds <= 28 {
            assert_eq!(invocations, 0, "{seconds}");
            continue;
        }
        assert!(invocations >= 200 / seconds, "{seconds}: {invocations}");
        assert_eq!(counts(&world.report(&object)), [200, 0, 0, 200]);
        assert!(world.result() == expected, "{seconds}");
    }
}

fn counts_so_far(world: &World) -> usize {
    world.commits().len()
}

#[tokio::test]
async fn a_checkpoint_goes_on_where_it_stood_and_reads_no_byte_before() {
    let content: Vec<String> = (0..100).map(|n| order(&format!("A-{n}"))).collect();
    for content in [content.join("\n"), format!("[{}]", content.join(",\n"))] {
        let mut world = World::new();
        world.clock.step(1_000);
        let object = world.upload("orders/a.json", content.as_str());
        let invocations = world.deliver_all(Some(100_000)).await;
        assert!(invocations > 2, "{invocations}");
        assert_eq!(counts(&world.report(&object)), [100, 0, 0, 100]);
        let opened = world.files.opened();
        assert_eq!(opened.len(), invocations);
        assert!(opened.is_sorted_by(|one, other| one < other), "{opened:?}");
    }
}

#[tokio::test]
async fn an_event_that_comes_again_does_nothing_more() {
    let content = mixed();
    let mut world = World::with_files(MemoryFiles::in_chunks_of(20_000));
    world.clock.step(1_000);
    let object = world.upload("orders/a.jsonl", content.as_str());
    let mut all = vec![];
    while let Some(event) = world.waiting.pop_front() {
        world.deliver(&event, Some(60_000)).await;
        all.push(event);
    }
    assert!(all.len() > 1);
    let (result, told) = (world.result(), world.operator.messages());
    let put = world.files.put_by_functions();
    for event in all.iter().rev().chain(&all) {
        let ended = world.deliver(event, Some(60_000)).await;
        assert_eq!(ended, Ended::Answered(Ok(Value::Null)));
    }
    assert_eq!(counts(&world.report(&object)), MIXED);
    assert!(world.result() == result);
    assert_eq!(world.operator.messages(), told);
    assert_eq!(world.files.put_by_functions(), put);
}

#[tokio::test]
async fn two_at_once_come_to_the_same_end() {
    let content = mixed();
    let expected = undisturbed(&content).await;
    for seed in 0..20 {
        let world = World::with_files(MemoryFiles::in_chunks_of(20_000));
        let slow = Arc::new(Slow::new(world.inner_table(), 6, seed * 1_000));
        let mut world = world.with_table(slow);
        let object = world.upload("orders/a.jsonl", content.as_str());
        let payload = || to_raw_value(&created(&object)).unwrap();
        let invocation = Invocation::of("request");
        let (one, other) = join(
            Box::pin(world.commands.handle(Role::Import, payload(), &invocation)),
            Box::pin(world.commands.handle(Role::Import, payload(), &invocation)),
        )
        .await;
        assert_eq!((one, other), (Ok(Value::Null), Ok(Value::Null)));
        assert_eq!(counts(&world.report(&object)), MIXED, "seed {seed}");
        assert!(world.result() == expected, "seed {seed}");
        check_alerts(&world);
    }
}

#[tokio::test]
async fn of_one_id_the_earlier_always_wins() {
    for seed in 0..40 {
        let world = World::new();
        let slow = Arc::new(Slow::new(world.inner_table(), 20, seed * 1_000));
        let mut world = world.with_table(slow.clone());
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let mut lines = Vec::new();
        let mut first = std::collections::BTreeMap::new();
        for position in 0..400 {
            let id = format!("A-{}", random.usize(0..60));
            lines.push(order(&id).replace("customer", &format!("customer {position}")));
            first.entry(format!("order#{id}")).or_insert(position);
        }
        let report = world.import("orders/a.jsonl", lines.join("\n")).await;
        let many = first.len() as u64;
        assert_eq!(counts(&report), [many, 0, 400 - many, 400]);
        for (aggregate, commits) in world.commits() {
            let end = format!("/{}", first[&aggregate]);
            assert!(commits[0].cause.command_id.ends_with(&end), "{aggregate}");
        }
        let most = slow.most_under_way.load(Ordering::SeqCst);
        assert!(most > 8 && most <= CONCURRENT_ORDERS, "{most}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_read_on() {
    let content: Vec<String> = (0..50).map(|n| order(&format!("A-{n}"))).collect();
    for content in [content.join("\n"), format!("[{}]", content.join(","))] {
        for cut in [0, 1, 77, 1_000, 5_001] {
            let mut world = World::with_files(MemoryFiles::in_chunks_of(300));
            // It breaks off twice at the same place, and then at another.
            world.files.cut([cut, 0, 313]);
            let report = world.import("orders/a.json", content.as_str()).await;
            assert_eq!(counts(&report), [50, 0, 0, 50], "{cut}");
            let opened = world.files.opened();
            let (cut, then) = (cut as u64, cut as u64 + 313);
            assert_eq!(opened, [0, cut, cut, then], "{cut}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_never_comes_is_left_for_the_next_delivery() {
    let mut world = World::with_files(MemoryFiles::in_chunks_of(10_000));
    let content: Vec<String> = (0..1_000).map(|n| order(&format!("A-{n}"))).collect();
    let object = world.upload("orders/a.jsonl", content.join("\n"));
    world.files.cut([150_000, 0, 0]);
    let event = world.waiting.pop_front().unwrap();
    assert_eq!(world.deliver(&event, None).await, unavailable());
    let placed = world.commits().len();
    assert!(placed >= 256, "{placed}");
    // The second delivery continues behind the orders that are done.
    let deliver = world.deliver(&event, None).await;
    assert_eq!(deliver, Ended::Answered(Ok(Value::Null)));
    assert!(*world.files.opened().last().unwrap() > 0);
    assert_eq!(counts(&world.report(&object)), [1_000, 0, 0, 1_000]);
}

#[tokio::test]
async fn an_unavailable_table_rejects_nothing() {
    let content = mixed();
    let expected = undisturbed(&content).await;
    for answered in 0..24 {
        let world = World::with_files(MemoryFiles::in_chunks_of(20_000));
        let slow = Arc::new(Slow::new(world.inner_table(), 3, answered));
        slow.answered.store(answered, Ordering::SeqCst);
        slow.unavailable.store(1_000, Ordering::SeqCst);
        let mut world = world.with_table(slow.clone());
        let object = world.upload("orders/a.jsonl", content.as_str());
        let event = world.waiting.pop_front().unwrap();
        assert_eq!(world.deliver(&event, None).await, unavailable());
        assert_eq!(world.files.content(&report_key(&object)), None);
        assert_eq!(world.operator.messages(), Default::default());
        slow.unavailable.store(0, Ordering::SeqCst);
        let ended = world.deliver(&event, None).await;
        assert_eq!(ended, Ended::Answered(Ok(Value::Null)));
        assert!(world.result() == expected, "{answered}");
    }
}

/// A part of the report that could not be written is written by the next attempt, with the same
/// content.
#[tokio::test]
async fn a_bucket_that_fails_loses_no_rejection() {
    let content: Vec<String> = (0..2_050).map(|n| format!("bad {n}")).collect();
    let content = content.join("\n");
    let expected = undisturbed(&content).await;
    for fails in 1..=8 {
        let mut world = World::with_files(MemoryFiles::in_chunks_of(20_000));
        let object = world.upload("orders/a.jsonl", content.as_str());
        world.files.fail_put(fails);
        let event = world.waiting.pop_front().unwrap();
        let ended = world.deliver(&event, None).await;
        if ended != unavailable() {
            assert!(fails > 4, "{fails}");
            break;
        }
        world.deliver(&event, None).await;
        assert!(
            world.result() == expected,
            "{fails}: {}",
            world.report(&object)
        );
    }
}

#[tokio::test]
async fn a_file_that_goes_away_in_between_is_announced() {
    let mut world = World::new();
    world.clock.step(1_000);
    let content: Vec<String> = (0..100).map(|n| order(&format!("A-{n}"))).collect();
    world.upload("orders/a.json", content.join("\n"));
    let event = world.waiting.pop_front().unwrap();
    world.deliver(&event, Some(60_000)).await;
    world.files.remove("orders/a.json");
    let go_on = world.waiting.pop_front().unwrap();
    assert_eq!(
        world.deliver(&go_on, Some(60_000)).await,
        Ended::Answered(Ok(Value::Null))
    );
    let told = world.operator.messages();
    assert_eq!((told.dead_letters.len(), told.alerts.len()), (1, 1));
    assert_eq!(told.dead_letters[0].1, "file_gone");
}

#[tokio::test]
async fn a_file_takes_no_more_than_so_many_invocations() {
    let mut world = World::new();
    world.clock.step(1_000);
    let content = ["A-1", "B-2", "C-3"].map(order).join("\n");
    world.upload("orders/a.json", content);
    let event = world.waiting.pop_front().unwrap();
    // Each invocation has time for one order.
    world.deliver(&event, Some(30_000)).await;
    let mut event = world.waiting.pop_front().unwrap();
    let key = event["detail"]["object"]["key"].as_str().unwrap();
    let mut checkpoint = world.json(key);
    checkpoint["legs"] = CHECKPOINTS_MAX.into();
    let key = key.replace("/1.", &format!("/{CHECKPOINTS_MAX}."));
    world.files.upload(&key, checkpoint.to_string());
    event["detail"]["object"]["key"] = key.into();
    let cannot = Failed("the import cannot be continued".to_owned());
    let ended = world.deliver(&event, Some(30_000)).await;
    assert_eq!(ended, Ended::Answered(Err(cannot)));
    assert_eq!(world.commits().len(), 2);
    assert!(world.waiting.is_empty());
}

/// During a deployment or after a rollback, older code may read events of newer code.
#[tokio::test]
async fn an_order_that_newer_code_has_written_has_its_file_wait() {
    let mut world = World::new();
    let content = ["A-1", "B-2", "C-3"].map(order).join("\n");
    world.import("orders/earlier.json", order("B-2")).await;
    let ours = world.table.all().pop().unwrap();
    let mut newer = Commit::from_item(ours.clone()).unwrap();
    newer.events[0].version += 1;
    world.table.overwrite(newer.to_item().unwrap()).unwrap();
    let object = world.upload("orders/a.jsonl", content);
    let event = world.waiting.pop_front().unwrap();
    for _ in 0..3 {
        assert_eq!(world.deliver(&event, None).await, unavailable());
        assert!(!world.files.keys().contains(&report_key(&object)));
    }
    // From here on the order can be read, as by a newer build.
    world.table.overwrite(ours).unwrap();
    world.waiting.push_back(event);
    assert_eq!(world.deliver_all(None).await, 1);
    assert_eq!(counts(&world.report(&object)), [2, 1, 0, 3]);
}

/// The handler can be dropped wherever it waits, as a time-out does, and the next delivery
/// completes the import.
#[tokio::test]
async fn a_handler_that_is_dropped_anywhere_leaves_nothing_half() {
    let content: Vec<String> = (0..40).map(|n| order(&format!("A-{n}"))).collect();
    let content = content.join("\n");
    let expected = undisturbed(&content).await;
    for polls in 1..60 {
        let world = World::with_files(MemoryFiles::in_chunks_of(2_000));
        let slow = Arc::new(Slow::new(world.inner_table(), 4, polls));
        let mut world = world.with_table(slow);
        let object = world.upload("orders/a.jsonl", content.as_str());
        let invocation = Invocation::of("request");
        let payload = to_raw_value(&created(&object)).unwrap();
        let commands = world.commands.clone();
        let mut handle = Box::pin(commands.handle(Role::Import, payload, &invocation));
        for _ in 0..polls {
            if futures::poll!(&mut handle).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(handle);
        world.deliver_all(None).await;
        assert!(world.result() == expected, "{polls}");
    }
}
