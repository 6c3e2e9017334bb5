//! Waybill's way of a command beside its peers, on one embedded DynamoDB.
//!
//! Every store does the same work with Waybill's own aggregates, in turns: a round of one, then a round
//! of the next, so that whatever else the machine does meets all of them. The database is a process of
//! its own, so the processor time of this one is the client's. Requests and capacity units are what the
//! SDK sent and what DynamoDB reported, read off every call.
//!
//! ```text
//! make bench-peers                      (some five minutes)
//! make bench-peers ROUNDS=3 AGGREGATES=100
//! ```

mod adapter;
mod database;
mod dynamo_es;
mod meter;
mod waybill;
mod work;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    meter::{Figures, Meter},
    work::Work,
};

/// Any failure ends a benchmark.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A store with its way of carrying out a command.
#[async_trait]
pub trait Peer: Send + Sync {
    /// What it is called in the table.
    fn name(&self) -> &'static str;

    /// Places an order.
    async fn place(&self, order: &str) -> Result<(), Failed>;

    /// Logs the update `number` of a shipment, from 1.
    async fn update(&self, shipment: &str, number: u64) -> Result<(), Failed>;

    /// Loads a shipment, and tells how many updates it has.
    async fn load(&self, shipment: &str) -> Result<u64, Failed>;
}

/// Updates of a shipment, the first of which creates it.
pub const UPDATES: u64 = 10;

/// So many commands are under way at a time.
const WORKERS: u64 = 4;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    if std::env::args().nth(1).as_deref() == Some("database") {
        return database::serve().await;
    }
    let rounds = number("ROUNDS", 7);
    let aggregates = number("AGGREGATES", 250);
    let database = database::start().await?;
    let meter = Meter::default();
    let client = database.client(&meter);
    let peers: Vec<Arc<dyn Peer>> = vec![
        Arc::new(waybill::Waybill::new(&client).await?),
        Arc::new(dynamo_es::DynamoEs::new(&client, None).await?),
        Arc::new(dynamo_es::DynamoEs::new(&client, Some(8)).await?),
        Arc::new(adapter::Adapter::new(&client).await?),
    ];
    for work in [Work::Shipments, Work::Orders] {
        let mut figures = vec![Vec::new(); peers.len()];
        for round in 0..=rounds {
            for (peer, figures) in peers.iter().zip(&mut figures) {
                let figure = work.round(peer, round, aggregates, WORKERS, &meter).await?;
                // The first round warms up.
                if round > 0 {
                    figures.push(figure);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        println!("\n{}", work.title(rounds, aggregates, WORKERS));
        print_table(&peers, &figures);
    }
    println!(
        "\nLoading a shipment of so many updates: requests, read units, median milliseconds; right?"
    );
    for updates in [10, 100, 1_000] {
        println!();
        for peer in &peers {
            println!("{}", work::load(peer.as_ref(), updates, &meter).await);
        }
    }
    Ok(())
}

/// A number from the environment.
fn number(variable: &str, otherwise: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A line for each peer: what a command of it took, the middle of its rounds. The ratio is that of
/// commands a second to `dynamo-es` in the same round, the middle of those.
fn print_table(peers: &[Arc<dyn Peer>], figures: &[Vec<Figures>]) {
    println!(
        "{:28} {:>8} {:>7} {:>7} {:>9} {:>12} {:>10}  right",
        "", "requests", "writes", "reads", "CPU ms", "commands/s", "dynamo-es"
    );
    let base = &figures[1];
    for (peer, rounds) in peers.iter().zip(figures) {
        let median = |of: &dyn Fn(&Figures) -> f64| meter::median(rounds.iter().map(of).collect());
        let ratios = rounds
            .iter()
            .zip(base)
            .map(|(own, base)| own.per_second / base.per_second);
        println!(
            "{:28} {:8.2} {:7.2} {:7.2} {:9.3} {:12.0} {:9.2}×  {}",
            peer.name(),
            median(&|figures| figures.requests),
            median(&|figures| figures.write_units),
            median(&|figures| figures.read_units),
            median(&|figures| figures.cpu_millis),
            median(&|figures| figures.per_second),
            meter::median(ratios.collect()),
            match rounds.iter().all(|figures| figures.right) {
                true => "yes",
                false => "NO",
            }
        );
    }
}
