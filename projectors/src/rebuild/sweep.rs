//! The sweep compares a segment of the store with its rows regularly, and rewrites rows that
//! differ. It has no ledger and reads each aggregate's rows by their keys, which costs more for
//! each row than a scan, but is the right way for a small part.

use std::collections::BTreeMap;

use domain::AggregateId;
use event_store::{
    Commit, StoreError,
    scan::{AggregateHistory, ScanError, ScanPosition},
};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    aggregate::stored_rows,
    erase,
    error::RebuildError,
    expected,
    finding::{Finding, OnDifference, drop_difference},
    gather::Key,
    settle::{Counted, settle_aggregate},
};
use crate::{
    Projectors,
    limits::{AGGREGATES_AT_ONCE, GATHER_ATTEMPTS, GATHER_WAIT},
    ports::{Row, Table},
};

/// One segment of the events and of the rows, and the progress in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sweep {
    /// The segment's number, from 0.
    pub segment: u32,
    /// The number of segments.
    pub segments: u32,
    /// Whether rows that differ are repaired. Otherwise they are only reported.
    #[serde(rename = "mend")]
    pub repair: bool,
    /// The table that is swept now.
    #[serde(default)]
    pub stage: Stage,
    /// The key after which the next step continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Key>,
    /// The counts so far.
    #[serde(default)]
    pub counted: Counted,
    /// Whether the segment is done.
    #[serde(default)]
    pub done: bool,
}

/// The table that a sweep reads: first the events, to check every aggregate's rows; then the rows,
/// to find those without an aggregate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The events.
    #[default]
    Events,
    /// The rows of orders.
    ProcessedOrders,
    /// The rows of shipments.
    ShipmentLog,
}

/// The findings of a step, and the callback for their rows.
struct Found<'a> {
    findings: Vec<Finding>,
    on_difference: OnDifference<'a>,
}

impl Sweep {
    /// The beginning of a segment.
    pub fn new(segment: u32, segments: u32, repair: bool) -> Self {
        Self {
            segment,
            segments,
            repair,
            stage: Stage::default(),
            behind: None,
            counted: Counted::default(),
            done: false,
        }
    }

    /// Sweeps the segment, until its end, until `enough` says so, or until a table is unavailable;
    /// returns the findings. It fails only where it has made no progress, so findings are never
    /// lost.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<Vec<Finding>, RebuildError> {
        self.step_reporting(projectors, enough, &mut drop_difference)
            .await
    }

    /// Like [`Sweep::step`], and passes the first differences of each aggregate to `on_difference`.
    pub async fn step_reporting(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
        on_difference: OnDifference<'_>,
    ) -> Result<Vec<Finding>, RebuildError> {
        let mut found = Found {
            findings: Vec::new(),
            on_difference,
        };
        let place = |sweep: &Self| (sweep.stage, sweep.behind.clone());
        let began = place(self);
        while !self.done {
            let ended = match self.stage {
                Stage::Events => self.events(projectors, &enough, &mut found).await,
                Stage::ProcessedOrders => {
                    let table = Table::ProcessedOrders;
                    self.rows(projectors, table, &enough, &mut found).await
                }
                Stage::ShipmentLog => {
                    let table = Table::ShipmentLog;
                    self.rows(projectors, table, &enough, &mut found).await
                }
            };
            match ended {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if place(self) == began && found.findings.is_empty() => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "a segment is swept in part");
                    break;
                }
            }
            self.behind = None;
            match self.stage {
                Stage::Events => self.stage = Stage::ProcessedOrders,
                Stage::ProcessedOrders => self.stage = Stage::ShipmentLog,
                Stage::ShipmentLog => self.done = true,
            }
        }
        Ok(found.findings)
    }

    /// Sweeps the events; returns whether their end was reached.
    async fn events(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
        found: &mut Found<'_>,
    ) -> Result<bool, RebuildError> {
        let behind = self.behind.clone().map(ScanPosition::from);
        let mut scan = projectors.store.scan(self.segment, self.segments, behind);
        let (mut failures, mut paid) = (0, 0);
        loop {
            let (mut histories, mut names, mut ended) = (Vec::new(), Vec::new(), false);
            while histories.len() + names.len() < AGGREGATES_AT_ONCE && !ended {
                match scan.next().await {
                    None => ended = true,
                    // They have no rows of their own, but somebody must carry them out, even where
                    // the stream has lost them.
                    Some(Ok(AggregateHistory {
                        id: AggregateId::Erasure(owner),
                        ..
                    })) => {
                        if self.repair {
                            match erase::carry_out(projectors, &owner).await {
                                Ok(rebuilt) => {
                                    self.counted.written += rebuilt.written;
                                    self.counted.removed += rebuilt.removed;
                                }
                                // One history that cannot be read must not hold up the segment.
                                Err(RebuildError::Corrupt(reason)) => {
                                    tracing::error!(reason, "an erasure cannot be carried out");
                                }
                                Err(unavailable) => return Err(unavailable),
                            }
                        }
                    }
                    Some(Ok(whole)) => histories.push(whole),
                    Some(Err(ScanError::NoAggregate(name))) => {
                        tracing::error!(name, "items of no aggregate lie among the events");
                    }
                    Some(Err(ScanError::Store(StoreError::Unavailable(error)))) => {
                        failures += 1;
                        if failures >= GATHER_ATTEMPTS {
                            return Err(RebuildError::Unavailable(error.to_string()));
                        }
                        projectors.clock.sleep(GATHER_WAIT).await;
                    }
                    Some(Err(ScanError::Store(error))) => {
                        tracing::error!(%error, "a history cannot be read");
                        names.extend(scan.behind().map(|behind| behind.aggregate.clone()));
                    }
                }
            }
            let used = scan.half_units() - paid;
            paid = scan.half_units();
            self.read(projectors, used).await;
            let aggregates = (histories.len() + names.len()) as u64;
            names.extend(self.suspicious(projectors, histories).await?);
            self.settle(projectors, names, found).await?;
            self.counted.aggregates += aggregates;
            failures = 0;
            self.behind = scan.behind().map(Key::from);
            if ended || enough() {
                return Ok(ended);
            }
        }
    }

    /// Sweeps the rows, to find those without an aggregate; returns whether their end was reached.
    async fn rows(
        &mut self,
        projectors: &Projectors,
        table: Table,
        enough: impl Fn() -> bool,
        found: &mut Found<'_>,
    ) -> Result<bool, RebuildError> {
        loop {
            let after = self
                .behind
                .as_ref()
                .map(|Key(id, sort)| table.key(id, sort));
            let page = projectors
                .rows
                .segment(table, self.segment, self.segments, after);
            let page = page.await?;
            self.read(projectors, page.half_units).await;
            let mut names: Vec<String> = page.rows.iter().map(|row| table.aggregate(row)).collect();
            names.dedup();
            // One whose rows began on the page before has been looked at.
            let known = self
                .behind
                .as_ref()
                .map(|Key(id, sort)| table.key(id, sort));
            let known = known.map(|row| table.aggregate(&row));
            names.retain(|name| Some(name) != known.as_ref());
            // One read unit for the first commit of each.
            self.read(projectors, 2 * names.len() as u64).await;
            let looks = names.into_iter().map(|name| orphan(projectors, name));
            let looked: Vec<_> = stream::iter(looks)
                .buffered(AGGREGATES_AT_ONCE)
                .collect()
                .await;
            let orphans: Result<Vec<Option<String>>, RebuildError> = looked.into_iter().collect();
            let orphans: Vec<String> = orphans?.into_iter().flatten().collect();
            self.settle(projectors, orphans, found).await?;
            let Some(last) = page.last else {
                return Ok(true);
            };
            let [id, sort] = table.key_of(&last);
            self.behind = Some(Key(id, sort));
            if enough() {
                return Ok(false);
            }
        }
    }

    /// The aggregates whose rows, by an eventually consistent read, differ from what follows from
    /// their history.
    async fn suspicious(
        &mut self,
        projectors: &Projectors,
        histories: Vec<AggregateHistory>,
    ) -> Result<Vec<String>, RebuildError> {
        // One read unit each: a row of up to 8 KB, with eventual consistency.
        self.read(projectors, 2 * histories.len() as u64).await;
        let compared = histories
            .into_iter()
            .map(|AggregateHistory { id, history }| async move {
                let name = id.to_string();
                let same = rows_match(projectors, &name, history).await?;
                Ok((!same).then_some(name))
            });
        let compared: Vec<_> = stream::iter(compared)
            .buffered(AGGREGATES_AT_ONCE)
            .collect()
            .await;
        let names: Result<Vec<Option<String>>, RebuildError> = compared.into_iter().collect();
        Ok(names?.into_iter().flatten().collect())
    }

    async fn settle(
        &mut self,
        projectors: &Projectors,
        names: Vec<String>,
        found: &mut Found<'_>,
    ) -> Result<(), RebuildError> {
        let (mut all, mut failed) = (Vec::new(), None);
        for name in names {
            match settle_aggregate(projectors, name, self.repair).await {
                Ok(compared) => all.push(compared),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // After a failure it is repeated: repaired rows are then not found again, but rows that
        // were only reported are.
        if failed.is_none() || self.repair {
            for compared in all {
                let findings = self.counted.count(compared, &mut *found.on_difference);
                found.findings.extend(findings);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn read(&mut self, projectors: &Projectors, half_units: u64) {
        self.counted.half_units += half_units;
        projectors.rebuilds.read(projectors, half_units).await;
    }
}

/// Whether the rows of this aggregate are what follows from its history; `false` where that cannot
/// be folded.
async fn rows_match(
    projectors: &Projectors,
    name: &str,
    history: Vec<Commit>,
) -> Result<bool, RebuildError> {
    let (Ok(id), Some(table)) = (name.parse::<AggregateId>(), expected::table(name)) else {
        return Ok(false);
    };
    let history = match projectors.store.opened(history).await {
        Ok(history) => history,
        Err(StoreError::Unavailable(error)) => {
            return Err(RebuildError::Unavailable(error.to_string()));
        }
        Err(_) => return Ok(false),
    };
    let Ok(rows) = expected::rows(&id, history, &projectors.environment) else {
        return Ok(false);
    };
    let key = |row: Row| {
        let [_, sort] = table.key_of(&row);
        (sort, row)
    };
    let expected_rows: BTreeMap<String, Row> = rows.into_iter().map(key).collect();
    let bare = expected::id(name);
    Ok(expected_rows == stored_rows(projectors, table, bare).await?)
}

/// The name, if the aggregate has no history.
async fn orphan(projectors: &Projectors, name: String) -> Result<Option<String>, RebuildError> {
    let Ok(id) = name.parse() else {
        return Ok(Some(name));
    };
    match projectors.store.history(&id, 1, 1).await {
        Ok(page) => Ok(page.commits.is_empty().then_some(name)),
        Err(StoreError::Unavailable(error)) => Err(RebuildError::Unavailable(error.to_string())),
        // It is reported when the events are swept.
        Err(_) => Ok(None),
    }
}
