//! A world with orders and shipments in every state, and rebuilds of all its rows.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Timestamp, order::Intent};
use event_store::Clock;
use projectors::{
    Projectors, Role,
    ports::{Row, Table},
    rebuild::{finding::Finding, gather::Source, settle::Counted},
    task::{Plan, Task},
};
use support::{
    envelopes::{at, placing, to_order, update},
    stream::batch,
};

use crate::World;

/// The read models.
pub const MODELS: [Table; 2] = [Table::ProcessedOrders, Table::ShipmentLog];

/// A clock whose time advances by sleeping, and by a little at each reading.
#[derive(Debug, Default)]
pub struct SteppedClock {
    millis: Mutex<i64>,
    /// The milliseconds by which each reading advances it.
    pub look: i64,
}

impl SteppedClock {
    /// Returns a clock that starts at this time, and that readings do not advance.
    pub fn from(text: &str) -> Arc<Self> {
        Self::passing(text, 0)
    }

    /// Returns a clock that starts at this time, and that each reading advances by `look`
    /// milliseconds.
    pub fn passing(text: &str, look: i64) -> Arc<Self> {
        let millis = Mutex::new(at(text).millis());
        Arc::new(Self { millis, look })
    }

    /// Returns the time in milliseconds since 1970.
    pub fn millis(&self) -> i64 {
        *self.millis.lock().unwrap()
    }

    /// Sets the clock forward, or back where `millis` is negative.
    pub fn jump(&self, millis: i64) {
        *self.millis.lock().unwrap() += millis;
    }
}

#[async_trait]
impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        self.jump(self.look);
        Timestamp::from_millis(self.millis()).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap();
        self.jump((micros + 999) / 1_000);
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

/// Returns a world whose waits take no real time.
pub fn unhurried() -> World {
    let mut world = World::new();
    world.projectors.clock = SteppedClock::from("2024-02-01T00:00:00Z");
    world
}

/// Stores placed, completed and cancelled orders, and shipments with one to seven updates.
pub async fn fill(world: &World) {
    for number in 0..9 {
        let id = format!("A-{number}");
        world.order(placing(&id, "c-1")).await;
        match number % 3 {
            0 => {}
            1 => world.order(to_order(&id, "c-2", Intent::Complete)).await,
            _ => {
                let cancel = Intent::Cancel { reason: None };
                world.order(to_order(&id, "c-2", cancel)).await;
            }
        }
    }
    for number in 0..7 {
        let id = format!("SHIP-{number}");
        for place in 0..=number {
            // With timestamps in reverse, so that the first update stays the current one.
            let time = format!("2024-01-15T{:02}:00:00Z", 20 - place);
            let command = update(&id, &format!("c-{place}"), "Memphis", Some(&time));
            world.shipment(command).await;
        }
    }
}

/// Returns a filled world with all its rows, projected live. Nothing was announced yet.
pub async fn filled() -> World {
    let world = unhurried();
    fill(&world).await;
    let commits = batch(&world.commits());
    assert_eq!(world.deliver(Role::Project, commits).await, None);
    world
}

/// Returns all rows of the read models, in the order of a scan.
pub async fn rows(projectors: &Projectors) -> Vec<(Table, Row)> {
    let mut rows = Vec::new();
    for table in MODELS {
        let mut after = None;
        loop {
            let page = projectors.rows.segment(table, 0, 1, after).await.unwrap();
            rows.extend(page.rows.into_iter().map(|row| (table, row)));
            after = page.last;
            if after.is_none() {
                break;
            }
        }
    }
    rows.sort_by_key(|(table, row)| (*table, table.key_of(row)));
    rows
}

/// Returns the plan of a rebuild of everything, with a few segments and a few buckets.
pub fn plan(run: &str, repair: bool) -> Plan {
    Plan {
        run: run.to_owned(),
        segments: 3,
        buckets: 4,
        repair,
        only: None,
    }
}

/// The result of a rebuild of everything.
#[derive(Debug, Default)]
pub struct Done {
    /// The findings, sorted.
    pub findings: Vec<Finding>,
    /// The counts.
    pub counted: Counted,
    /// The halves of a read unit that gathering has cost: of all tables, and of the tables of rows.
    pub gathered: u64,
    pub gathered_of_rows: u64,
}

/// Executes a plan, one piece after the other.
pub async fn carry_out(projectors: &Projectors, plan: &Plan) -> Done {
    let mut done = Done::default();
    for mut gather in plan.gather() {
        while !gather.done {
            gather.step(projectors, || false).await.unwrap();
        }
        done.gathered += gather.half_units;
        if gather.source != Source::Events {
            done.gathered_of_rows += gather.half_units;
        }
    }
    for mut settle in plan.settle() {
        while !settle.done {
            let findings = settle.step(projectors, || false).await.unwrap();
            done.findings.extend(findings);
        }
        done.counted.add(&settle.counted);
    }
    done.findings.sort();
    done
}

/// Compares all rows, and reports the wrong ones.
pub async fn verify(projectors: &Projectors) -> Done {
    carry_out(projectors, &plan(&name("verify"), false)).await
}

/// Repairs all wrong rows.
pub async fn rebuild(projectors: &Projectors) -> Done {
    carry_out(projectors, &plan(&name("rebuild"), true)).await
}

/// Returns a unique name of a run.
pub fn name(of: &str) -> String {
    static NEXT: Mutex<u32> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    *next += 1;
    format!("{of}-{next}")
}

/// Returns the request for a piece of work.
pub fn request(task: &Task) -> serde_json::Value {
    serde_json::to_value(task).unwrap()
}
