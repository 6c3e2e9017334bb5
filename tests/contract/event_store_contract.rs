//! The contract of an event store for commits and histories. Repeated commands and damaged items
//! have files of their own.

use std::collections::BTreeSet;

use commands::execute::{Failure, Outcome, execute};
use domain::{AggregateId, Order, Refusal, Shipment, order::Intent};
use event_store::{Append, Commit, Loaded, Policy, SystemClock};
use futures::future::join_all;
use support::envelopes::{at, item, place, placing, to_order, update};

use crate::World;

contract!(
    a_commit_is_stored_once,
    a_history_beyond_a_page_is_read_whole,
    forty_rivals_leave_no_gap_and_no_fork,
    an_order_of_1114_items_comes_back_as_it_was,
    a_commit_beyond_the_limit_is_refused_before_it_is_sent,
    an_aggregate_takes_as_many_commits_as_it_may,
    an_aggregate_takes_as_many_bytes_as_it_may,
    time_never_goes_back_within_an_aggregate,
    a_version_that_moved_on_is_told,
);

pub async fn send(
    world: &World,
    command: commands::execute::Envelope<domain::shipment::Intent>,
) -> Result<Outcome, Failure> {
    execute::<Shipment>(&world.store, &SystemClock, command).await
}

pub async fn order(
    world: &World,
    command: commands::execute::Envelope<Intent>,
) -> Result<Outcome, Failure> {
    execute::<Order>(&world.store, &SystemClock, command).await
}

pub fn shipment(id: &str) -> AggregateId {
    AggregateId::Shipment(id.parse().unwrap())
}

pub fn order_id(id: &str) -> AggregateId {
    AggregateId::Order(id.parse().unwrap())
}

/// Checks that sequences and ordinals are 1 to `events`, and that a load equals the fold of the
/// whole history.
pub async fn assert_whole(world: &World, id: &AggregateId, events: u64) {
    let history = world.store.whole_history(id).await.unwrap();
    let sequences: Vec<u64> = history.iter().map(|commit| commit.sequence).collect();
    assert_eq!(sequences, (1..=events).collect::<Vec<_>>());
    assert!(
        history
            .iter()
            .zip(1..)
            .all(|(commit, ordinal)| commit.ordinal == ordinal)
    );
    let loaded: Loaded<Shipment> = world.store.load(id).await.unwrap();
    let folded = Loaded::<Shipment>::from_history(id.clone(), history).unwrap();
    assert_eq!(
        (loaded.version, loaded.state),
        (folded.version, folded.state)
    );
}

/// Returns a commit of one update, as it follows the shipment's history of now. It is not stored.
pub async fn next(world: &World, id: &str, command_id: &str) -> Commit {
    let command = update(id, command_id, command_id, None);
    let loaded: Loaded<Shipment> = world.store.load(&command.aggregate).await.unwrap();
    let decided = domain::EventSourced::decide(
        &loaded.state,
        &domain::aggregate::Command {
            at: at("2024-01-15T12:00:00Z"),
            intent: command.intent,
        },
    );
    loaded
        .next_commit(decided.unwrap(), at("2024-01-15T12:00:00Z"), command.cause)
        .unwrap()
}

async fn a_commit_is_stored_once(world: World) {
    let commit = next(&world, "S", "c-1").await;
    assert!(matches!(
        world.store.append(&commit).await,
        Ok(Append::Done)
    ));
    let Ok(Append::Occupied(other)) = world.store.append(&commit).await else {
        unreachable!()
    };
    assert_eq!(other.cause, commit.cause);
    assert_eq!(other.events[0].data.get(), commit.events[0].data.get());
    assert_whole(&world, &shipment("S"), 1).await;
}

async fn a_history_beyond_a_page_is_read_whole(world: World) {
    // 60 commits of more than 40 KB: more than two pages of 1 MB.
    let text = "x".repeat(40_000);
    for number in 0..60 {
        let id = format!("c-{number}");
        send(&world, update("S", &id, &format!("{text}{number}"), None))
            .await
            .unwrap();
    }
    assert_whole(&world, &shipment("S"), 60).await;
}

async fn forty_rivals_leave_no_gap_and_no_fork(world: World) {
    // Appends without the retry loop: of 40 with the same sequence, exactly one succeeds.
    let mut aimed = Vec::new();
    for number in 0..40 {
        aimed.push(next(&world, "S", &format!("c-{number}")).await);
    }
    let hits = join_all(aimed.iter().map(|commit| world.store.append(commit))).await;
    let done = hits
        .iter()
        .filter(|hit| matches!(hit, Ok(Append::Done)))
        .count();
    assert_eq!(done, 1);
    // With the retry loop, all of them succeed in the end.
    let rivals =
        (0..40).map(|n| send(&world, update("S", &format!("r-{n}"), &n.to_string(), None)));
    let versions: BTreeSet<u64> = join_all(rivals)
        .await
        .into_iter()
        .map(|outcome| outcome.unwrap().version)
        .collect();
    assert_eq!(versions, (2..=41).collect());
    assert_whole(&world, &shipment("S"), 41).await;
}

async fn an_order_of_1114_items_comes_back_as_it_was(world: World) {
    let items: Vec<_> = (0..1_114_u64)
        .map(|n| domain::order::Item {
            name: Some(format!("WHITE HANGING HEART T-LIGHT HOLDER {n}")),
            ..item(
                &format!("{n}A"),
                n % 50 + 1,
                &format!("{}.{:02}", n % 30, n % 100),
            )
        })
        .collect();
    let sent = place("1", items);
    order(
        &world,
        to_order("1", "c-1", Intent::Place(Box::new(sent.clone()))),
    )
    .await
    .unwrap();
    let loaded: Loaded<Order> = world.store.load(&order_id("1")).await.unwrap();
    let Order::Open(placed) = loaded.state else {
        unreachable!()
    };
    assert_eq!(placed.items, sent.items);
}

async fn a_commit_beyond_the_limit_is_refused_before_it_is_sent(world: World) {
    let command = update("S", "c-1", &"x".repeat(360 * 1024), None);
    let Err(Failure::Refused { refusal, .. }) = send(&world, command).await else {
        unreachable!()
    };
    assert!(
        matches!(
            refusal,
            Refusal::Invalid {
                code: "too_large",
                ..
            }
        ),
        "{refusal:?}"
    );
    assert!(
        world
            .store
            .whole_history(&shipment("S"))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn an_aggregate_takes_as_many_commits_as_it_may(mut world: World) {
    let policy = Policy {
        commits_max: 50,
        ..Policy::default()
    };
    world.store = world.store.under(policy);
    for number in 1..=50 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        send(&world, command).await.unwrap();
    }
    assert_whole(&world, &shipment("S"), 50).await;
    // The next command is refused, and a repeat of each earlier one is still recognised.
    let full = send(&world, update("S", "c-51", "x", None)).await;
    assert_eq!(full, Err(Failure::HistoryFull));
    for number in 1..=50 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
}

async fn an_aggregate_takes_as_many_bytes_as_it_may(mut world: World) {
    let policy = Policy {
        bytes_max: 100_000,
        ..Policy::default()
    };
    world.store = world.store.under(policy);
    // Nine commits of 10 KB and some metadata.
    let text = "x".repeat(10_000);
    for number in 1..=9 {
        let command = update("S", &format!("c-{number}"), &text, None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    let full = send(&world, update("S", "c-10", &text, None)).await;
    assert_eq!(full, Err(Failure::HistoryFull));
    assert_eq!(
        send(&world, update("S", "c-10", "x", None))
            .await
            .unwrap()
            .version,
        10
    );
    assert_whole(&world, &shipment("S"), 10).await;
}

async fn time_never_goes_back_within_an_aggregate(world: World) {
    let future = at("2099-01-01T00:00:00Z");
    let mut commit = next(&world, "S", "c-1").await;
    commit.at = future;
    world.store.append(&commit).await.unwrap();
    send(&world, update("S", "c-2", "x", None)).await.unwrap();
    let history = world.store.whole_history(&shipment("S")).await.unwrap();
    assert_eq!(history[1].at, future);
}

async fn a_version_that_moved_on_is_told(world: World) {
    order(&world, placing("1", "c-1")).await.unwrap();
    let mut complete = to_order("1", "c-2", Intent::Complete);
    complete.expected_version = Some(7);
    let Err(Failure::UnexpectedVersion(present_state)) = order(&world, complete.clone()).await
    else {
        unreachable!()
    };
    assert_eq!(
        (present_state.version, present_state.status.as_deref()),
        (1, Some("PROCESSING"))
    );
    complete.expected_version = Some(1);
    assert_eq!(order(&world, complete.clone()).await.unwrap().version, 2);
    // A command that was executed is recognised, whatever the version is now.
    assert_eq!(order(&world, complete).await.unwrap().version, 2);
    let mut place = placing("2", "c-1");
    place.expected_version = Some(3);
    assert!(matches!(
        order(&world, place).await,
        Err(Failure::UnexpectedVersion(_))
    ));
}
