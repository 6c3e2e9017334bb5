//! The first half of a rebuild: scans one segment of one table once, and writes digests of its
//! aggregates' rows to the ledger.

use domain::AggregateId;
use event_store::{
    Commit, StoreError,
    scan::{ScanError, ScanPosition},
};
use lambda::ReadModel;
use serde::{Deserialize, Serialize};

use super::{
    error::RebuildError,
    expected,
    ledger::{self, Buffer, DigestKind},
    rows_digest::RowsDigest,
};
use crate::{
    Projectors,
    limits::{GATHER_ATTEMPTS, GATHER_WAIT},
    ports::{Row, Table},
};

/// The table that is scanned.
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
    /// The read model's table; `None` for the event store.
    pub fn table(self) -> Option<Table> {
        match self {
            Self::Events => None,
            Self::ProcessedOrders => Some(Table::ProcessedOrders),
            Self::ShipmentLog => Some(Table::ShipmentLog),
        }
    }

    /// The name in tasks and in parts of the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::ProcessedOrders => "processed-orders",
            Self::ShipmentLog => "shipment-log",
        }
    }
}

/// One segment to gather, and the progress in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gather {
    /// The unique name of the rebuild.
    pub run: String,
    /// The table that is scanned.
    pub source: Source,
    /// The segment's number, from 0.
    pub segment: u32,
    /// The number of segments.
    pub segments: u32,
    /// The number of buckets of the ledger.
    pub buckets: u32,
    /// The only read model to rebuild; without it, all that are queried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// The number of parts of the ledger that it has written.
    #[serde(default)]
    pub parts: u32,
    /// The key after which the next step continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Key>,
    /// The number of commits or rows that it has read.
    #[serde(default)]
    pub items: u64,
    /// The cost of reading, in halves of a read unit.
    #[serde(default)]
    pub half_units: u64,
    /// Whether the segment is done.
    #[serde(default)]
    pub done: bool,
}

/// A table's key as text: partition key and sort key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub String, pub String);

impl From<&ScanPosition> for Key {
    fn from(behind: &ScanPosition) -> Self {
        Self(behind.aggregate.clone(), behind.sequence.to_string())
    }
}

impl From<Key> for ScanPosition {
    fn from(Key(aggregate, sequence): Key) -> Self {
        Self {
            aggregate,
            sequence: sequence.parse().unwrap_or_default(),
        }
    }
}

impl Gather {
    /// The beginning of a segment.
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

    /// Scans until a part of the ledger is full, `enough` says so after a page, or the segment
    /// ends; then writes the part. The progress in [`Gather`] changes only after that: a step that
    /// is cut off is repeated from the [`Gather`] before, and writes the same part again.
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
        let put = buffer.flush(projectors.rebuilds.ledger.as_ref(), &next.run, &part);
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
        let behind = self.behind.take().map(ScanPosition::from);
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
                        let rows = expected_digest(projectors, &whole.id, whole.history).await?;
                        buffer.add(&name, DigestKind::Expected, rows, self.buckets);
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
                // It cannot be folded: settling reports it.
                Some(Err(ScanError::Store(error))) => {
                    tracing::error!(%error, "a history cannot be read");
                    if let Some(behind) = scan.behind()
                        && self.wants(&behind.aggregate)
                    {
                        let unknown = RowsDigest::UNKNOWN;
                        buffer.add(
                            &behind.aggregate,
                            DigestKind::Expected,
                            unknown,
                            self.buckets,
                        );
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

    /// Whether an aggregate has rows in the read models that are rebuilt.
    fn wants(&self, aggregate: &str) -> bool {
        let only = self.only.map(|model| Table::from(model.kind));
        let table = expected::table(aggregate);
        table.is_some() && (only.is_none() || only == table)
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
            // Rows of one aggregate follow one another in a scan.
            for rows in page
                .rows
                .chunk_by(|one, next| same_aggregate(table, one, next))
            {
                let stored = RowsDigest::from_iter(rows);
                let name = table.aggregate(&rows[0]);
                buffer.add(&name, DigestKind::Stored, stored, self.buckets);
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
/// Fails where its personal data cannot be opened because their keys are unavailable.
async fn expected_digest(
    projectors: &Projectors,
    id: &AggregateId,
    history: Vec<Commit>,
) -> Result<RowsDigest, RebuildError> {
    let opened = projectors.store.opened(history).await;
    let rows = opened
        .map_err(RebuildError::from)
        .and_then(|history| expected::rows(id, history, &projectors.environment));
    match rows {
        Ok(rows) => Ok(RowsDigest::from_iter(&rows)),
        Err(RebuildError::Unavailable(reason)) => Err(RebuildError::Unavailable(reason)),
        Err(error) => {
            tracing::error!(aggregate = %id, %error, "a history cannot be folded");
            Ok(RowsDigest::UNKNOWN)
        }
    }
}

fn same_aggregate(table: Table, one: &Row, next: &Row) -> bool {
    table.key_of(one)[0] == table.key_of(next)[0]
}
