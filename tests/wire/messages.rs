//! Answers that accept only a part: `PutEvents` and `PublishBatch` fail for single entries, with
//! status 200.

use projectors::Role;
use support::{
    envelopes::{placing, update, update_of},
    stream::batch,
};

use crate::{
    World,
    proxy::{Fault, Plan},
};

/// Returns the commits of three placed orders, or of three lost shipments.
async fn commits(world: &World, lost: bool) -> Vec<event_store::Commit> {
    let mut commits = Vec::new();
    for id in ["1", "2", "3"] {
        let mut command = update(id, "c-1", "x", None);
        update_of(&mut command).status = "LOST".to_owned().try_into().unwrap();
        match lost {
            true => world.shipment(command).await.unwrap(),
            false => world.order(placing(id, "c-1")).await.unwrap(),
        };
        commits.extend(world.history(id).await);
    }
    commits
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_not_accepted_are_sent_again_and_the_others_are_not() {
    let world = World::new().await;
    let commits = commits(&world, false).await;
    let partly = vec![Fault::Entries(0b101), Fault::Entries(0b10)];
    world.proxy.plan_for("PutEvents", Plan::Scripted(partly));
    world.proxy.take_count("");
    assert_eq!(world.delivered(Role::Notify, batch(&commits)).await, None);
    let expected = [2, 1, 3].map(|id| format!("order#{id}/1/Order Created"));
    assert_eq!(world.proxy.services().accepted().events, expected);
    let count = world.proxy.take_count("PutEvents");
    assert_eq!(
        (count.calls, count.by_sdk),
        (3, 0),
        "the SDK sees nothing of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_were_not_accepted_are_sent_again_and_the_others_are_not() {
    let world = World::new().await;
    let commits = commits(&world, true).await;
    let partly = vec![Fault::Entries(0b011), Fault::Entries(0b01)];
    world.proxy.plan_for("PublishBatch", Plan::Scripted(partly));
    world.proxy.take_count("");
    assert_eq!(world.delivered(Role::Notify, batch(&commits)).await, None);
    let expected = [3, 2, 1].map(|id| format!("shipment#{id}/1/Shipment Alert"));
    assert_eq!(world.proxy.services().accepted().alerts, expected);
    let count = world.proxy.take_count("PublishBatch");
    assert_eq!(
        (count.calls, count.by_sdk),
        (3, 0),
        "the SDK sees nothing of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_never_accepted_stops_the_batch_at_its_record_and_parks_nobody() {
    let world = World::new().await;
    let commits = commits(&world, false).await;
    let entry = Plan::Scripted(vec![
        Fault::Entries(0b010),
        Fault::Entries(0b1),
        Fault::Entries(0b1),
        Fault::Entries(0b1),
    ]);
    world.proxy.plan_for("PutEvents", entry);
    let stopped = world.delivered(Role::Notify, batch(&commits)).await;
    assert_eq!(stopped.as_deref(), Some("2"));
    assert_eq!(world.parked().await, []);
}
