//! The work that every peer does, and the commands that it is made of.

use std::{sync::Arc, time::Instant};

use cpu_time::ProcessTime;
use domain::{
    Timestamp,
    aggregate::Command,
    json::Object,
    order::{self, Fulfilment, Item, PlaceOrder},
    shipment::{self, Origin, Update, UpdateKind},
    time::SentTime,
};
use tokio::task::JoinSet;

use crate::{
    Failed, Peer, UPDATES,
    meter::{Figures, Meter, median},
};

/// What is done.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// Shipments, each created and then updated.
    Shipments,
    /// Orders, each placed.
    Orders,
}

impl Work {
    /// Says what the table below shows.
    pub fn title(self, rounds: u64, aggregates: u64, workers: u64) -> String {
        let what = match self {
            Self::Shipments => format!(
                "{aggregates} shipments, each a create and {} updates",
                UPDATES - 1
            ),
            Self::Orders => format!("{} orders placed", aggregates * UPDATES),
        };
        format!("{what}, {workers} workers, {rounds} rounds in turns; a command takes:")
    }

    /// A round of one peer.
    pub async fn round(
        self,
        peer: &Arc<dyn Peer>,
        round: u64,
        aggregates: u64,
        workers: u64,
        meter: &Meter,
    ) -> Result<Figures, Failed> {
        let aggregates = match self {
            Self::Shipments => aggregates,
            Self::Orders => aggregates * UPDATES,
        };
        meter.take();
        let cpu = ProcessTime::now();
        let begun = Instant::now();
        let mut at_work = JoinSet::new();
        for worker in 0..workers {
            let peer = peer.clone();
            at_work.spawn(async move {
                for number in (worker..aggregates).step_by(workers as usize) {
                    self.once(peer.as_ref(), &id(round, number)).await?;
                }
                Ok::<(), Failed>(())
            });
        }
        while let Some(done) = at_work.join_next().await {
            done??;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let cpu_millis = cpu.elapsed().as_secs_f64() * 1_000.0;
        let count = meter.take();
        let mut right = true;
        let commands = match self {
            Self::Orders => aggregates as f64,
            Self::Shipments => {
                for number in (0..aggregates).step_by(10) {
                    right &= peer.load(&id(round, number)).await? == UPDATES;
                }
                (aggregates * UPDATES) as f64
            }
        };
        Ok(Figures {
            requests: count.requests / commands,
            write_units: count.write_units / commands,
            read_units: count.read_units / commands,
            cpu_millis: cpu_millis / commands,
            per_second: commands / seconds,
            right,
        })
    }

    /// The work on one aggregate.
    async fn once(self, peer: &dyn Peer, id: &str) -> Result<(), Failed> {
        match self {
            Self::Orders => peer.place(id).await,
            Self::Shipments => {
                for number in 1..=UPDATES {
                    peer.update(id, number).await?;
                }
                Ok(())
            }
        }
    }
}

fn id(round: u64, number: u64) -> String {
    format!("{round}-{number}")
}

/// A line about loading a shipment of so many updates, which are logged first. A peer that cannot do
/// it says why.
pub async fn load(peer: &dyn Peer, updates: u64, meter: &Meter) -> String {
    let name = peer.name();
    match loaded(peer, updates, meter).await {
        Ok(text) => format!("{name:28} {updates:6} {text}"),
        Err(error) => format!("{name:28} {updates:6} failed: {error}"),
    }
}

async fn loaded(peer: &dyn Peer, updates: u64, meter: &Meter) -> Result<String, Failed> {
    const TIMES: usize = 15;
    let id = format!("long-{updates}");
    for number in 1..=updates {
        peer.update(&id, number).await?;
    }
    meter.take();
    let mut millis = Vec::new();
    let mut right = true;
    for _ in 0..TIMES {
        let begun = Instant::now();
        right &= peer.load(&id).await? == updates;
        millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let count = meter.take();
    let times = TIMES as f64;
    Ok(format!(
        "{:6.1} {:7.1} {:9.2}  {}",
        count.requests / times,
        count.read_units / times,
        median(millis),
        if right { "yes" } else { "NO" }
    ))
}

/// Now, to the millisecond.
pub fn now() -> Timestamp {
    use event_store::Clock as _;
    event_store::SystemClock.now()
}

/// A command that logs an update of some 300 bytes; the first one creates the shipment.
pub fn update(shipment: &str, number: u64) -> Result<Command<shipment::Intent>, Failed> {
    let (kind, status) = match number {
        1 => (UpdateKind::Created, "CREATED"),
        _ => (UpdateKind::Update, "IN_TRANSIT"),
    };
    let minute = format!("2026-01-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60);
    let detail = Object::from([
        ("shipmentId".to_owned(), shipment.into()),
        ("status".to_owned(), status.into()),
        ("number".to_owned(), number.into()),
    ]);
    let update = Update {
        shipment_id: shipment.parse()?,
        kind,
        status: status.to_owned().try_into()?,
        carrier_status: None,
        location: Some("Memphis, TN".to_owned()),
        carrier: Some("FedEx".to_owned()),
        tracking_number: None,
        order_id: None,
        timestamp: Some(SentTime::parse(&minute)?),
        origin: Origin {
            id: format!("{shipment}-{number}"),
            source: "logistics.shipments".to_owned(),
            time: now(),
        },
        attributes: Object::new(),
        detail,
    };
    Ok(Command {
        at: now(),
        intent: update.into(),
    })
}

/// A command that places an order of two items.
pub fn place(order: &str) -> Result<Command<order::Intent>, Failed> {
    let item = |product: &str, quantity: u64, price: &str| -> Result<Item, Failed> {
        Ok(Item {
            product_id: Some(product.to_owned()),
            name: None,
            quantity: quantity.into(),
            price: price.parse()?,
            adjustments: vec![],
            attributes: Object::new(),
        })
    };
    let place = PlaceOrder {
        order_id: order.parse()?,
        customer_id: Some("customer123".to_owned()),
        customer_name: None,
        personal: None,
        sealed: None,
        items: vec![item("prod1", 2, "29.99")?, item("prod2", 1, "49.99")?],
        adjustments: vec![],
        total_amount: Some("109.97".parse()?),
        currency: domain::money::Currency::DEFAULT,
        placed_at: None,
        fulfilment: None,
        default_fulfilment: Fulfilment::Merchant,
        source_file: None,
        attributes: Object::new(),
    };
    Ok(Command {
        at: now(),
        intent: order::Intent::Place(Box::new(place)),
    })
}
