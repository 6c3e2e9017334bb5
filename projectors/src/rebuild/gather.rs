//! The first half of a rebuild: one segment of one table is scanned once, and digests of what
//! is found there go to the ledger.

use domain::AggregateId;
use event_store::{
    StoreError,
    scan::{Behind, ScanError},
};
use lambda::ReadModel;
use serde::{Deserialize, Serialize};

use super::{
    RebuildError, expected,
    ledger::{self, Buffer, Side},
    rows_digest::RowsDigest,
};
use crate::{
    Projectors,
    limits::{GATHER_ATTEMPTS, GATHER_WAIT},
    ports::{Row, Table},
};

/// What is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The event store.
    Events,
    /// The read model of orders.
    ProcessedOrders,
    /// The read model of shipments.
    ShipmentLog,
}

impl Source {
    /// The read model; `None` of the event store.
    pub fn table(self) -> Option<Table> {
        match self {
            Self::Events => None,
            Self::ProcessedOrders => Some(Table::ProcessedOrders),
            Self::ShipmentLog => Some(Table::ShipmentLog),
        }
    }

    /// Its name, as in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::ProcessedOrders => "processed-orders",
            Self::ShipmentLog => "shipment-log",
        }
    }
}

/// One segment to gather, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gather {
    /// Which rebuild it is a part of: a name of its own.
    pub run: String,
    /// What is scanned.
    pub source: Source,
    /// Which segment, from 0.
    pub segment: u32,
    /// Of how many.
    pub segments: u32,
    /// Over how many buckets the ledger is spread.
    pub buckets: u32,
    /// For one read model alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// How many parts of the ledger it has written.
    #[serde(default)]
    pub parts: u32,
    /// The key that it goes on behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Key>,
    /// What it has read: commits or rows, and halves of a read unit.
    #[serde(default)]
    pub items: u64,
    /// What that has cost, in halves of a read unit.
    #[serde(default)]
    pub half_units: u64,
    /// Has it come to its end?
    #[serde(default)]
    pub done: bool,
}

/// A key of a table, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub String, pub String);

impl From<&Behind> for Key {
    fn from(behind: &Behind) -> Self {
        Self(behind.aggregate.clone(), behind.sequence.to_string())
    }
}

impl From<Key> for Behind {
    fn from(Key(aggregate, sequence): Key) -> Self {
        Self {
            aggregate,
            sequence: sequence.parse().unwrap_or_default(),
        }
    }
}

impl Gather {
    /// A segment's beginning.
    pub fn new(run: &str, source: Source, (segment, segments): (u32, u32), buckets: u32) -> Self {
        Self {
            run: run.to_owned(),
            source,
            segment,
            segments,
            buckets,
            only: None,
            parts: 0,
            behind: None,
            items: 0,
            half_units: 0,
            done: false,
        }
    }

    /// Scans until a part of the ledger is written, or `enough` says so after a page, or the
    /// segment ends. What is put away and what [`Gather`] says then go together: a scan that is cut
    /// off goes on from the [`Gather`] before, and writes the same part again.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<(), RebuildError> {
        let mut next = self.clone();
        let mut buffer = Buffer::default();
        match self.source.table() {
            None => next.events(projectors, &mut buffer, enough).await?,
            Some(table) => next.rows(projectors, table, &mut buffer, enough).await?,
        }
        let part = ledger::part(next.source.name(), next.segment, next.parts, next.items);
        let put = buffer.put_away(projectors.rebuilds.ledger.as_ref(), &next.run, &part);
        put.await
            .map_err(|error| RebuildError::Unavailable(error.to_string()))?;
        next.parts += 1;
        *self = next;
        Ok(())
    }

    async fn events(
        &mut self,
        projectors: &Projectors,
        buffer: &mut Buffer,
        enough: impl Fn() -> bool,
    ) -> Result<(), RebuildError> {
        let behind = self.behind.take().map(Behind::from);
        let mut scan = projectors.store.scan(self.segment, self.segments, behind);
        let (before, mut paid) = (self.half_units, 0);
        let mut failures = 0;
        loop {
            let next = scan.next().await;
            self.half_units = before + scan.half_units();
            let used = scan.half_units() - paid;
            paid = scan.half_units();
            if used > 0 {
                projectors.rebuilds.read(projectors, used).await;
            }
            match next {
                None => {
                    self.done = true;
                    return Ok(());
                }
                Some(Ok(whole)) => {
                    self.items += whole.history.len() as u64;
                    let name = whole.id.to_string();
                    if self.wants(&name) {
                        let rows = due(projectors, &whole.id, whole.history);
                        buffer.add(&name, Side::Expected, rows, self.buckets);
                    }
                }
                Some(Err(ScanError::NoAggregate(name))) => {
                    tracing::error!(name, "items of no aggregate lie among the events");
                }
                Some(Err(ScanError::Store(StoreError::Unavailable(error)))) => {
                    failures += 1;
                    if failures >= GATHER_ATTEMPTS {
                        return Err(RebuildError::Unavailable(error.to_string()));
                    }
                    projectors.clock.sleep(GATHER_WAIT).await;
                    continue;
                }
                // It cannot be folded: settling will say so.
                Some(Err(ScanError::Store(error))) => {
                    tracing::error!(%error, "a history cannot be read");
                    if let Some(behind) = scan.behind()
                        && self.wants(&behind.aggregate)
                    {
                        let unknown = RowsDigest::UNKNOWN;
                        buffer.add(&behind.aggregate, Side::Expected, unknown, self.buckets);
                    }
                }
            }
            failures = 0;
            self.behind = scan.behind().map(Key::from);
            if buffer.is_full() || (used > 0 && enough()) {
                return Ok(());
            }
        }
    }

    /// Are an aggregate's events asked for?
    fn wants(&self, aggregate: &str) -> bool {
        let only = self.only.map(|model| Table::from(model.kind));
        only.is_none() || only == expected::table(aggregate)
    }

    async fn rows(
        &mut self,
        projectors: &Projectors,
        table: Table,
        buffer: &mut Buffer,
        enough: impl Fn() -> bool,
    ) -> Result<(), RebuildError> {
        let (segment, segments) = (self.segment, self.segments);
        let mut failures = 0;
        loop {
            let after = self
                .behind
                .as_ref()
                .map(|Key(id, entry)| table.key(id, entry));
            let page = projectors.rows.segment(table, segment, segments, after);
            let page = match page.await {
                Ok(page) => page,
                Err(error) => {
                    failures += 1;
                    if failures >= GATHER_ATTEMPTS {
                        return Err(error.into());
                    }
                    projectors.clock.sleep(GATHER_WAIT).await;
                    continue;
                }
            };
            failures = 0;
            self.items += page.rows.len() as u64;
            self.half_units += page.half_units;
            // Rows of one aggregate lie together.
            for rows in page
                .rows
                .chunk_by(|one, next| same_aggregate(table, one, next))
            {
                let there = RowsDigest::from_iter(rows);
                let name = table.aggregate(&rows[0]);
                buffer.add(&name, Side::There, there, self.buckets);
            }
            projectors.rebuilds.read(projectors, page.half_units).await;
            let Some(last) = page.last else {
                self.done = true;
                return Ok(());
            };
            let [id, entry] = table.key_of(&last);
            self.behind = Some(Key(id, entry));
            if buffer.is_full() || enough() {
                return Ok(());
            }
        }
    }
}

/// The digest of the rows that follow from a history.
fn due(projectors: &Projectors, id: &AggregateId, history: Vec<event_store::Commit>) -> RowsDigest {
    match expected::rows(id, history, &projectors.environment) {
        Ok(rows) => RowsDigest::from_iter(&rows),
        Err(error) => {
            tracing::error!(aggregate = %id, %error, "a history cannot be folded");
            RowsDigest::UNKNOWN
        }
    }
}

fn same_aggregate(table: Table, one: &Row, next: &Row) -> bool {
    table.key_of(one)[0] == table.key_of(next)[0]
}
