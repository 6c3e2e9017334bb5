//! A world with orders and shipments in every state, and whole rebuilds of it.

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

/// A clock whose time passes by waiting, and by a little with every look at it.
#[derive(Debug, Default)]
pub struct Waited {
    millis: Mutex<i64>,
    /// Milliseconds that pass with a look.
    pub look: i64,
}

impl Waited {
    /// One that stands at a time.
    pub fn from(text: &str) -> Arc<Self> {
        Self::passing(text, 0)
    }

    /// One whose time passes by so many milliseconds with every look.
    pub fn passing(text: &str, look: i64) -> Arc<Self> {
        let millis = Mutex::new(at(text).millis());
        Arc::new(Self { millis, look })
    }

    /// Milliseconds since 1970.
    pub fn millis(&self) -> i64 {
        *self.millis.lock().unwrap()
    }

    /// Goes on, or back.
    pub fn jump(&self, millis: i64) {
        *self.millis.lock().unwrap() += millis;
    }
}

#[async_trait]
impl Clock for Waited {
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

/// A world whose waits take no time.
pub fn unhurried() -> World {
    let mut world = World::new();
    world.projectors.clock = Waited::from("2024-02-01T00:00:00Z");
    world
}

/// Orders placed, completed and cancelled; shipments with one to seven updates.
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
            // Backwards, so that only the first of them is current.
            let time = format!("2024-01-15T{:02}:00:00Z", 20 - place);
            let command = update(&id, &format!("c-{place}"), "Memphis", Some(&time));
            world.shipment(command).await;
        }
    }
}

/// A filled world with all its rows, projected live; nobody has heard of it yet.
pub async fn filled() -> World {
    let world = unhurried();
    fill(&world).await;
    let commits = batch(&world.commits());
    assert_eq!(world.deliver(Role::Project, commits).await, None);
    world
}

/// Every row of the read models, as a scan finds them.
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

/// A whole rebuild's plan: few segments and buckets, so that there is more than one of each.
pub fn plan(run: &str, mend: bool) -> Plan {
    Plan {
        run: run.to_owned(),
        segments: 3,
        buckets: 4,
        repair: mend,
        only: None,
    }
}

/// What came of a whole rebuild.
#[derive(Debug, Default)]
pub struct Done {
    /// What was found, sorted.
    pub findings: Vec<Finding>,
    /// All that was counted.
    pub counted: Counted,
    /// Halves of a read unit that gathering has cost, of all tables and of those of rows.
    pub gathered: u64,
    pub gathered_of_rows: u64,
}

/// Carries a plan out, one piece after the other.
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

/// Names every wrong row.
pub async fn verify(projectors: &Projectors) -> Done {
    carry_out(projectors, &plan(&name("verify"), false)).await
}

/// Mends every wrong row.
pub async fn rebuild(projectors: &Projectors) -> Done {
    carry_out(projectors, &plan(&name("rebuild"), true)).await
}

/// A run's name of its own.
pub fn name(of: &str) -> String {
    static NEXT: Mutex<u32> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    *next += 1;
    format!("{of}-{next}")
}

/// A piece of work as a request.
pub fn request(task: &Task) -> serde_json::Value {
    serde_json::to_value(task).unwrap()
}
