//! Repeated commands, under the same id or under another: they have one effect and the same answer.

use std::sync::Arc;

use commands::execute::{Failure, Outcome, execute};
use domain::{
    Order, Refusal, Shipment,
    order::{Intent, Status},
};
use event_store::{EventStore, SystemClock};
use futures::future::join_all;
use support::{
    envelopes::{item, place, placing, to_order, update},
    faulty::LosesAnswers,
};

use crate::{
    World,
    event_store_contract::{assert_whole, order, order_id, send, shipment},
};

contract!(
    a_command_is_known_again_for_ever,
    a_command_that_comes_twice_at_once_has_one_effect,
    a_command_id_with_another_content_is_refused,
    a_content_is_known_again_under_another_id,
    what_may_come_first_is_known_again_like_anything,
    a_refusal_leaves_no_trace,
    our_own_lost_answer_is_no_conflict,
);

async fn a_command_is_known_again_for_ever(world: World) {
    for number in 1..=30 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    // The latest are found among the loaded commits, older ones by their fingerprints.
    for number in 1..=30 {
        let command = update("S", &format!("c-{number}"), &number.to_string(), None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    assert_whole(&world, &shipment("S"), 30).await;
}

/// Returns the parts of an outcome that the sender sees: event, status and version.
fn answer_of(outcome: &Result<Outcome, Failure>) -> (Option<&str>, &str, u64) {
    let outcome = outcome.as_ref().unwrap();
    (outcome.event.as_deref(), &outcome.status, outcome.version)
}

async fn a_command_that_comes_twice_at_once_has_one_effect(world: World) {
    let repeats = (0..20).map(|_| order(&world, placing("1", "c-1")));
    let answers = join_all(repeats).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer_of(answer) == answer_of(&answers[0])),
        "{answers:?}"
    );
    assert_eq!(answers[0].as_ref().unwrap().status, "PROCESSING");
    let repeats = (0..20).map(|_| send(&world, update("S", "c-1", "x", None)));
    let answers = join_all(repeats).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer_of(answer) == answer_of(&answers[0])),
        "{answers:?}"
    );
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_whole(&world, &shipment("S"), 1).await;
}

async fn a_command_id_with_another_content_is_refused(world: World) {
    order(&world, placing("1", "c-1")).await.unwrap();
    let mut other = place("1", vec![item("prod1", 3, "29.99")]);
    other.customer_id = Some("somebody".to_owned());
    let other = || to_order("1", "c-1", Intent::Place(Box::new(other.clone())));
    assert_eq!(order(&world, other()).await, Err(Failure::IdReused));
    assert_eq!(
        order(&world, to_order("1", "c-1", Intent::Complete)).await,
        Err(Failure::IdReused)
    );
    for number in 1..=20 {
        send(&world, update("S", &format!("c-{number}"), "x", None))
            .await
            .unwrap();
    }
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), "y", None);
        assert_eq!(send(&world, command).await, Err(Failure::IdReused));
    }
    assert_whole(&world, &shipment("S"), 20).await;
}

async fn a_content_is_known_again_under_another_id(world: World) {
    let first = order(&world, placing("1", "c-1")).await.unwrap();
    order(&world, to_order("1", "c-2", Intent::Complete))
        .await
        .unwrap();
    // The answer has the status of now, so that the sender does not take the order for open.
    let again = order(&world, placing("1", "c-3")).await.unwrap();
    assert_eq!(
        (again.event, again.status.as_str(), again.version),
        (None, "PROCESSED", 2)
    );
    assert!(again.repeated);
    // A repeat of the command itself always gets the first answer.
    let same = order(&world, placing("1", "c-1")).await.unwrap();
    assert_eq!(
        (same.event, same.status, same.version),
        (first.event, first.status, first.version)
    );
    assert!(first.own && !again.own);
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        2
    );
    let time = |number: u64| format!("2024-01-15T10:00:{number:02}Z");
    for number in 1..=20 {
        let command = update("S", &format!("c-{number}"), "x", Some(&time(number)));
        send(&world, command).await.unwrap();
    }
    for number in 1..=20 {
        let command = update("S", &format!("again-{number}"), "x", Some(&time(number)));
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
    assert_whole(&world, &shipment("S"), 20).await;
    // Without a timestamp, the same text is a new update.
    for number in 21..=22 {
        let command = update("S", &format!("c-{number}"), "x", None);
        assert_eq!(send(&world, command).await.unwrap().version, number);
    }
}

/// An update that is tried without a load must not be answered from the first commit alone.
async fn what_may_come_first_is_known_again_like_anything(world: World) {
    let created = |command_id: &str, text: &str| {
        let mut command = update("S", command_id, text, Some("2024-01-15T10:00:00Z"));
        support::envelopes::update_of(&mut command).status = domain::shipment::Status::created();
        command
    };
    let first = send(&world, created("c-1", "x")).await.unwrap();
    assert!((first.version, first.own, first.repeated) == (1, true, false));
    assert_eq!(send(&world, created("c-2", "y")).await.unwrap().version, 2);
    let again = send(&world, created("c-3", "x")).await.unwrap();
    assert!((again.version, again.own, again.repeated) == (1, false, true));
    // The id of a later commit, with the content of the first.
    let reused = send(&world, created("c-2", "x")).await;
    assert_eq!(reused, Err(Failure::IdReused));
    let reused = send(&world, created("c-1", "z")).await;
    assert_eq!(reused, Err(Failure::IdReused));
    assert_whole(&world, &shipment("S"), 2).await;
    // Many at the same time, and one where another update came first.
    let rivals = (0..20).map(|_| send(&world, update("T", "c-1", "x", None)));
    join_all(rivals).await;
    let mut late = created("c-2", "y");
    late.aggregate = shipment("T");
    support::envelopes::update_of(&mut late).shipment_id = "T".parse().unwrap();
    assert_eq!(send(&world, late).await.unwrap().version, 2);
}

async fn a_refusal_leaves_no_trace(world: World) {
    let refused = order(&world, to_order("1", "c-1", Intent::Complete)).await;
    let Err(Failure::Refused {
        refusal: Refusal::NotFound { .. },
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .is_empty()
    );
    // The command id stays free, even for another content.
    assert!(order(&world, placing("1", "c-1")).await.is_ok());
    let nothing = order(&world, to_order("1", "c-2", Intent::Fulfil))
        .await
        .unwrap();
    assert_eq!((nothing.event, nothing.version), (None, 1));
    assert_eq!(
        world
            .store
            .whole_history(&order_id("1"))
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        order(&world, to_order("1", "c-2", Intent::Complete))
            .await
            .is_ok()
    );
}

async fn our_own_lost_answer_is_no_conflict(world: World) {
    let lossy = |losses| EventStore::new(Arc::new(LosesAnswers::new(world.table.clone(), losses)));
    let answer = execute::<Order>(&lossy(1), &SystemClock, placing("1", "c-1"))
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_str(), answer.version),
        (Status::Processing.as_str(), 1)
    );
    let complete = || to_order("1", "c-2", Intent::Complete);
    let answer = execute::<Order>(&lossy(1), &SystemClock, complete())
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_str(), answer.version),
        (Status::Processed.as_str(), 2)
    );
    // All answers are lost: the sender gets an error, and the next attempt finds the effect.
    let lost = execute::<Shipment>(&lossy(9), &SystemClock, update("S", "c-1", "x", None)).await;
    assert!(matches!(lost, Ok(_) | Err(Failure::Unavailable(_))));
    let found = send(&world, update("S", "c-1", "x", None)).await.unwrap();
    assert_eq!(found.version, 1);
    assert_whole(&world, &shipment("S"), 1).await;
}
