//! The fingerprints of earlier commits in snapshots: of all commits in a full snapshot, of those
//! after the last full snapshot in a partial one.

use aws_sdk_dynamodb::types::AttributeValue;
use commands::execute::Failure;
use domain::Shipment;
use event_store::{
    Append, Commit, Loaded, Policy, Snapshot, StoreError,
    commit::SNAPSHOT,
    fingerprint::{Fingerprint, Fingerprints},
};
use proptest::prelude::*;
use support::envelopes::update;

use crate::{
    World,
    event_store_contract::{assert_whole, next, send, shipment},
};

contract!(
    every_repeat_is_known_on_either_side_of_a_full_snapshot,
    a_damaged_full_snapshot_is_made_up_for_from_the_history,
    a_snapshot_that_names_no_full_snapshot_is_an_error_never_a_second_effect,
    a_snapshot_that_lost_a_fingerprint_is_passed_over,
    a_full_snapshot_of_another_schema_is_a_full_one,
    what_older_builds_have_stored_is_gone_on_with,
);

/// A policy under which every commit has a snapshot, none of which is free, and a snapshot is full
/// as soon as half of the history came after the last full one.
const SMALL: Policy = Policy {
    commits_max: 200,
    bytes_max: u64::MAX,
    every: 1,
    unit_bytes: 1,
    full_snapshot_share: 2,
};

fn time(number: u64) -> String {
    format!("2024-01-15T10:{:02}:{:02}Z", number / 60, number % 60)
}

/// Sends the update number `number` of shipment S under this id. Returns the version.
async fn sent(world: &World, id: &str, number: u64) -> Result<u64, Failure> {
    let command = update("S", id, &number.to_string(), Some(&time(number)));
    send(world, command).await.map(|outcome| outcome.version)
}

async fn history(world: &World) -> Vec<Commit> {
    world.store.whole_history(&shipment("S")).await.unwrap()
}

fn is_full(commit: &Commit) -> bool {
    let snapshot = commit.snapshot.as_ref();
    snapshot.is_some_and(|snapshot| snapshot.full_snapshot.is_none())
}

/// Checks that every snapshot, with the full snapshot that it names, has the fingerprint of each
/// commit up to its own. Returns the number of full snapshots, and of partial ones.
fn assert_remembered(history: &[Commit]) -> (usize, usize) {
    let (mut all, mut full, mut partial) = (Vec::new(), 0, 0);
    for commit in history {
        all.extend_from_slice(Fingerprint::of(&commit.cause).bytes());
        let Some(snapshot) = &commit.snapshot else {
            continue;
        };
        let earlier = snapshot.full_snapshot.map(|sequence| {
            partial += 1;
            let found = history
                .iter()
                .find(|commit| commit.sequence == sequence)
                .unwrap();
            assert!(is_full(found));
            found.snapshot.as_ref().unwrap().fingerprints.clone()
        });
        full += usize::from(earlier.is_none());
        let remembered = [earlier.unwrap_or_default(), snapshot.fingerprints.clone()];
        assert_eq!(remembered.concat(), all, "commit {}", commit.ordinal);
        // A build without partial snapshots ignores a snapshot that has not all fingerprints, and
        // uses one that has all.
        assert_eq!(
            snapshot.fingerprints.len() == Fingerprint::BYTES * commit.ordinal as usize,
            snapshot.full_snapshot.is_none()
        );
    }
    (full, partial)
}

async fn every_repeat_is_known_on_either_side_of_a_full_snapshot(mut world: World) {
    world.store = world.store.under(SMALL);
    for number in 1..=40 {
        assert_eq!(
            sent(&world, &format!("c-{number}"), number).await,
            Ok(number)
        );
        // After each commit, all earlier ones are recognised: by id and by content. An id with
        // another content is an error.
        for old in [1, number / 2, number - 1, number] {
            let old = old.max(1);
            assert_eq!(sent(&world, &format!("c-{old}"), old).await, Ok(old));
            assert_eq!(sent(&world, &format!("again-{old}"), old).await, Ok(old));
            let reused = sent(&world, &format!("c-{old}"), 50).await;
            assert_eq!(reused, Err(Failure::IdReused));
        }
    }
    let (full, partial) = assert_remembered(&history(&world).await);
    assert!(full >= 4 && partial >= 20, "{full} and {partial}");
    assert_whole(&world, &shipment("S"), 40).await;
}

/// Writes updates up to number `last`, of which `change` changes each commit.
async fn written(world: &World, last: u64, change: impl Fn(&mut Commit)) {
    let first = history(world).await.len() as u64 + 1;
    for number in first..=last {
        let id = format!("c-{number}");
        let command = update("S", &id, &number.to_string(), Some(&time(number)));
        let mut loaded: Loaded<Shipment> = world.store.load(&command.aggregate).await.unwrap();
        // This reads the full snapshot, as every command does.
        world
            .store
            .recognise(&mut loaded, &id, &[], &|_| true)
            .await
            .unwrap();
        let at = support::envelopes::at("2024-01-15T12:00:00Z");
        let intent = command.intent;
        let decision = domain::aggregate::Command { at, intent };
        let events = domain::EventSourced::decide(&loaded.state, &decision).unwrap();
        let mut commit = loaded.next_commit(events, at, command.cause).unwrap();
        change(&mut commit);
        let done = world.store.append(&commit).await;
        assert!(matches!(done, Ok(Append::Done)));
    }
}

async fn assert_known(world: &World, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        assert_eq!(
            sent(world, &format!("c-{number}"), number).await,
            Ok(number)
        );
        assert_eq!(
            sent(world, &format!("other-{number}"), number).await,
            Ok(number)
        );
    }
}

fn snapshot(commit: &mut Commit) -> &mut Snapshot {
    commit.snapshot.as_mut().unwrap()
}

async fn a_damaged_full_snapshot_is_made_up_for_from_the_history(mut world: World) {
    world.store = world.store.under(SMALL);
    // Commit 8 has a full snapshot; the commits 9 to 15 name it.
    written(&world, 7, |_| ()).await;
    written(&world, 8, |commit| {
        snapshot(commit).fingerprints.truncate(24)
    })
    .await;
    written(&world, 12, |commit| {
        let count = commit.ordinal as usize - 8;
        let all = snapshot(commit).fingerprints.clone();
        let snapshot = snapshot(commit);
        snapshot.full_snapshot = Some(8);
        snapshot.fingerprints = all[all.len() - 8 * count..].to_vec();
    })
    .await;
    assert_known(&world, 1..=12).await;
    written(&world, 20, |_| ()).await;
    assert_known(&world, 1..=20).await;
    assert_whole(&world, &shipment("S"), 20).await;
}

async fn a_snapshot_that_names_no_full_snapshot_is_an_error_never_a_second_effect(
    mut world: World,
) {
    world.store = world.store.under(SMALL);
    written(&world, 4, |_| ()).await;
    // Its ordinal says that five commits precede it, but there are four.
    let mut ahead = next(&world, "S", "ahead").await;
    ahead.ordinal = 6;
    ahead.sequence = 6;
    let own = Fingerprint::of(&ahead.cause).bytes().to_vec();
    (
        snapshot(&mut ahead).full_snapshot,
        snapshot(&mut ahead).fingerprints,
    ) = (Some(5), own);
    world.store.append(&ahead).await.unwrap();
    let refused = sent(&world, "c-7", 7).await;
    assert!(matches!(refused, Err(Failure::Corrupt(_))), "{refused:?}");
}

async fn a_snapshot_that_lost_a_fingerprint_is_passed_over(mut world: World) {
    world.store = world.store.under(SMALL);
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 8),
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 3),
        |bytes: &mut Vec<u8>| drop(bytes.drain(..8)),
        |bytes: &mut Vec<u8>| bytes.extend([7; 8]),
        |bytes: &mut Vec<u8>| bytes.clear(),
    ] {
        let before = history(&world).await.len() as u64;
        written(&world, before + 7, |commit| {
            damage(&mut snapshot(commit).fingerprints);
        })
        .await;
        assert_known(&world, 1..=before + 7).await;
        written(&world, before + 10, |_| ()).await;
        assert_known(&world, 1..=before + 10).await;
    }
}

async fn a_full_snapshot_of_another_schema_is_a_full_one(mut world: World) {
    world.store = world.store.under(SMALL);
    written(&world, 8, |commit| {
        snapshot(commit).schema = "shipment/0".to_owned()
    })
    .await;
    written(&world, 12, |_| ()).await;
    assert_known(&world, 1..=12).await;
    let history = history(&world).await;
    assert_eq!(history[8].snapshot.as_ref().unwrap().full_snapshot, Some(8));
    assert_whole(&world, &shipment("S"), 12).await;
}

/// Returns a commit's item as builds without partial snapshots wrote it.
fn of_old(commit: &Commit) -> event_store::commit::Item {
    let mut item = commit.to_item().unwrap();
    let Some(AttributeValue::M(snapshot)) = item.get_mut(SNAPSHOT) else {
        return item;
    };
    snapshot.remove("bytes");
    let mut names: Vec<&String> = snapshot.keys().collect();
    names.sort();
    assert_eq!(names, ["shape", "state", "traces"]);
    item
}

async fn what_older_builds_have_stored_is_gone_on_with(mut world: World) {
    let id = shipment("S");
    let mut loaded = Loaded::<Shipment>::new(id.clone());
    for number in 1..=21 {
        let command_id = format!("c-{number}");
        let command = update("S", &command_id, &number.to_string(), Some(&time(number)));
        let at = support::envelopes::at("2024-01-15T12:00:00Z");
        let intent = command.intent;
        let decision = domain::aggregate::Command { at, intent };
        let events = domain::EventSourced::decide(&loaded.state, &decision).unwrap();
        let mut commit = loaded.next_commit(events, at, command.cause).unwrap();
        if number % 8 != 0 {
            commit.snapshot = None;
        }
        world.table.put_new(of_old(&commit)).await.unwrap();
        loaded = loaded.apply_newest_first(vec![commit]).unwrap();
    }
    assert_whole(&world, &id, 21).await;
    assert_known(&world, 1..=21).await;
    // First under this build's policy, then under one that makes full snapshots soon.
    written(&world, 24, |_| ()).await;
    assert_known(&world, 1..=24).await;
    world.store = world.store.under(SMALL);
    written(&world, 60, |_| ()).await;
    assert_known(&world, 1..=60).await;
    let (full, partial) = assert_remembered(&history(&world).await);
    assert!(full >= 4 && partial >= 20, "{full} and {partial}");
    assert_whole(&world, &id, 60).await;
}

#[derive(Debug, Clone)]
enum Step {
    /// An update whose text has this many characters.
    New(usize),
    /// A repeat of an earlier update, at this share of all of them; true for the same id.
    Again(f64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![4 => 0_usize..30, 1 => 0_usize..1_500].prop_map(Step::New),
        1 => (0.0..1.0, any::<bool>()).prop_map(|(share, id)| Step::Again(share, id)),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (1..10_u32, prop_oneof![Just(1), 64..2_000_usize], 1..40_u32).prop_map(
        |(every, unit_bytes, full_snapshot_share)| Policy {
            every,
            unit_bytes,
            full_snapshot_share,
            ..Policy::default()
        },
    )
}

/// Executes the steps one after the other, and checks the answer to each.
#[allow(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
async fn carried_out(policy: Policy, steps: Vec<Step>) -> Result<(), StoreError> {
    let mut world = World::in_memory();
    world.store = world.store.under(policy);
    let command = |id: &str, number: u64, length: usize| {
        update("S", id, &"x".repeat(length), Some(&time(number)))
    };
    let mut sent: Vec<usize> = Vec::new();
    for (step, other) in steps.into_iter().zip(0..) {
        let (id, number, length) = match step {
            Step::New(length) => {
                sent.push(length);
                (format!("c-{}", sent.len()), sent.len(), length)
            }
            Step::Again(_, _) if sent.is_empty() => continue,
            Step::Again(share, same_id) => {
                let number = (share * sent.len() as f64) as usize + 1;
                let id = match same_id {
                    true => format!("c-{number}"),
                    false => format!("other-{other}"),
                };
                (id, number, sent[number - 1])
            }
        };
        let outcome = send(&world, command(&id, number as u64, length)).await;
        assert_eq!(outcome.unwrap().version, number as u64);
    }
    if !sent.is_empty() {
        assert_whole(&world, &shipment("S"), sent.len() as u64).await;
    }
    let history = world.store.whole_history(&shipment("S")).await?;
    assert_remembered(&history);
    // A snapshot is where a load looks for one, and a free one costs no unit.
    for commit in &history {
        let stored = Fingerprints::stored(commit);
        assert_eq!(stored.is_some(), commit.snapshot.is_some());
        assert!(stored.is_some() || !policy.due(commit.ordinal, 0));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_rides_where_nothing_is_forgotten(
        policy in policy(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(carried_out(policy, steps)).unwrap();
    }
}
