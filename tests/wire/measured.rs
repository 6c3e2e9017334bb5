//! How often the SDK and Waybill retry under each fault: measured, printed as a table, and compared
//! with what is expected.
//!
//! A cell has the form `requests = first calls + the SDK's retries + Waybill's retries`, and says
//! `fails` where the work failed.

use std::sync::Arc;

use futures::future::join_all;
use lambda::sdk;
use projectors::Role;
use support::{
    embedded::Embedded,
    envelopes::{placing, update, update_of},
    stream::batch,
};

use crate::{
    SHORT, World,
    proxy::{Count, Fault, Plan},
    succeeded,
};

/// The attempts of one SDK call.
const ATTEMPTS: usize = sdk::SDK_ATTEMPTS as usize;

/// How many of the first requests meet the fault.
const HOW_OFTEN: [(&str, u32); 3] = [("once", 1), ("three times", 3), ("always", u32::MAX)];

/// What is done while the wire is faulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// An order is placed: one put.
    Create,
    /// A shipment is updated, and all its requests can meet the fault: a query, then a put.
    Update,
    /// A shipment is updated, and only its puts can meet the fault.
    Append,
    /// An order's row is written: one put.
    Row,
    /// An event is announced: one `PutEvents`.
    Announce,
    /// An alert is sent: one `PublishBatch`.
    Alert,
}

const WORKS: [Work; 6] = [
    Work::Create,
    Work::Update,
    Work::Append,
    Work::Row,
    Work::Announce,
    Work::Alert,
];

impl Work {
    /// Returns the only operation that meets the fault, or an empty text for all operations.
    fn operation(self) -> &'static str {
        match self {
            Self::Append => "PutItem",
            Self::Alert => "PublishBatch",
            _ => "",
        }
    }

    /// Returns the only operation that is counted, or an empty text for all operations.
    fn counted(self) -> &'static str {
        match self {
            Self::Alert => "PublishBatch",
            _ => "",
        }
    }

    /// Returns the number of SDK calls that the work takes without faults.
    fn calls(self) -> usize {
        match self {
            Self::Update | Self::Append => 2,
            _ => 1,
        }
    }

    /// Returns what is expected while the first requests meet `fault`: whether the work succeeds,
    /// its SDK calls, and the SDK's retries. The SDK makes three attempts of every call; further
    /// calls are Waybill's retries.
    fn expected(self, fault: Fault, often: &str) -> (bool, usize, usize) {
        let by_sdk = ATTEMPTS - 1;
        let ours = commands::limits::UNAVAILABLE_ATTEMPTS as usize;
        let sends = projectors::limits::SEND_ATTEMPTS as usize;
        match (often, self) {
            // The SDK's retry alone is enough.
            ("once", _) => (true, self.calls(), 1),
            // The second attempt of a command reads first, and finds its own commit if there is
            // one.
            (_, Self::Append) if fault.has_effect() => (true, 3, by_sdk),
            ("three times", Self::Create) if fault.has_effect() => (true, 2, by_sdk),
            ("three times", Self::Create | Self::Update) => (true, 3, by_sdk),
            ("three times", Self::Append) => (true, 4, by_sdk),
            ("three times", Self::Announce | Self::Alert) => (true, 2, by_sdk),
            (_, Self::Create | Self::Update) => (false, ours, ours * by_sdk),
            (_, Self::Append) => (false, 2 * ours, ours * by_sdk),
            // The stream delivers the batch again later, which this test does not wait for.
            (_, Self::Row) => (false, 1, by_sdk),
            (_, Self::Announce | Self::Alert) => (false, sends, sends * by_sdk),
        }
    }
}

/// The measured result of a work under a fault.
#[derive(Debug, Clone, Copy)]
struct Cell {
    work: Work,
    done: bool,
    count: Count,
}

impl Cell {
    fn text(&self) -> String {
        let Count {
            requests,
            by_sdk,
            calls,
            operations,
        } = self.count;
        // Where the query never succeeds, there is no put.
        let first = self.work.calls().min(operations);
        let by_us = calls - first;
        let end = if self.done { "" } else { " fails" };
        format!("{requests} = {first}+{by_sdk}+{by_us}{end}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_repeats_how_often_is_as_the_table_says() {
    let embedded = Arc::new(Embedded::start().await);
    let mut wrong = Vec::new();
    println!("requests = first + the SDK's repeats + our repeats");
    println!("| fault | met | create | update | append | row | announce | alert |");
    println!("|---|---|---|---|---|---|---|---|");
    for fault in Fault::ALL {
        for (often, times) in HOW_OFTEN {
            let cells = WORKS.map(|work| measure(embedded.clone(), work, fault, times));
            let cells = join_all(cells).await;
            let texts: Vec<String> = cells.iter().map(Cell::text).collect();
            println!("| {fault:?} | {often} | {} |", texts.join(" | "));
            for Cell { work, done, count } in cells {
                let (succeeds, calls, by_sdk) = work.expected(fault, often);
                if (done, count.calls, count.by_sdk) != (succeeds, calls, by_sdk) {
                    wrong.push(format!("{work:?} {fault:?} {often}: {calls} + {by_sdk}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "expected otherwise: {wrong:#?}");
}

/// Does the work while the first `times` requests meet `fault`, and returns what was measured. Then
/// repeats it without faults, and checks that it had its effect exactly once.
async fn measure(embedded: Arc<Embedded>, work: Work, fault: Fault, times: u32) -> Cell {
    let attempt_timeout = match fault {
        Fault::Held => SHORT,
        _ => sdk::ATTEMPT_TIMEOUT,
    };
    let world = World::on(embedded, attempt_timeout).await;
    let id = format!("{work:?}.{fault:?}.{times}").replace(['(', ')'], ".");
    if matches!(work, Work::Row | Work::Announce | Work::Alert) {
        assert!(execute(&world, work, &id).await);
    }
    world.proxy.take_count("");
    world
        .proxy
        .plan_for(work.operation(), Plan::First(times, fault));
    let done = attempt(&world, work, &id).await;
    let count = world.proxy.take_count(work.counted());
    world.proxy.plan(Plan::Fair);
    assert!(attempt(&world, work, &id).await, "{id}");
    assert_done(&world, work, &id).await;
    Cell { work, done, count }
}

async fn attempt(world: &World, work: Work, id: &str) -> bool {
    match work {
        Work::Create | Work::Update | Work::Append => execute(world, work, id).await,
        Work::Row => deliver(world, Role::Project, id).await,
        Work::Announce | Work::Alert => deliver(world, Role::Notify, id).await,
    }
}

/// Executes the command of the work, or the command that it needs before. Returns whether it
/// succeeded; it may fail only as unavailable.
async fn execute(world: &World, work: Work, id: &str) -> bool {
    let outcome = match work {
        Work::Create | Work::Row | Work::Announce => world.order(placing(id, "c-1")).await,
        Work::Update | Work::Append | Work::Alert => {
            let mut command = update(id, "c-1", "x", None);
            update_of(&mut command).status = "LOST".to_owned().try_into().unwrap();
            world.shipment(command).await
        }
    };
    succeeded(outcome).is_some()
}

async fn deliver(world: &World, role: Role, id: &str) -> bool {
    let commits = world.history(id).await;
    world.delivered(role, batch(&commits)).await.is_none()
}

async fn assert_done(world: &World, work: Work, id: &str) {
    assert_eq!(world.history(id).await.len(), 1, "{id}");
    let accepted = world.proxy.services().accepted();
    let created = format!("order#{id}/1/Order Created");
    let alert = format!("shipment#{id}/1/Shipment Alert");
    match work {
        Work::Announce => assert!(accepted.events.contains(&created), "{id}"),
        Work::Alert => assert!(accepted.alerts.contains(&alert), "{id}"),
        _ => {}
    }
    assert!(world.parked().await.is_empty(), "{id}");
}
