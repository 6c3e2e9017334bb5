//! The second half of a rebuild: compares the digests of one bucket of the ledger. Aggregates whose
//! digests differ are compared row by row, reported, and repaired where the task says so.

use futures::{StreamExt, stream};
use lambda::ReadModel;
use serde::{Deserialize, Serialize};

use super::{
    aggregate::{RepairOutcome, compare, compare_and_repair},
    error::RebuildError,
    expected,
    finding::{Finding, FindingKind, OnDifference, drop_difference},
    ledger::{self, Entries, LedgerError, bucket},
};
use crate::{
    Projectors,
    limits::{
        AGGREGATES_AT_ONCE, COMPARISON_WAIT, COMPARISONS_MAX, GATHER_ATTEMPTS, GATHER_WAIT,
        LEDGER_CALLS_AT_ONCE, PROJECTED_WITHIN,
    },
};

/// The counts of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Counted {
    /// The number of aggregates whose rows were compared.
    pub aggregates: u64,
    /// The number of those that were compared row by row.
    pub examined: u64,
    /// The number of rows that follow from the history and did not exist.
    pub missing: u64,
    /// The number of rows with a lower version than the history.
    pub stale: u64,
    /// The number of rows that follow from no event.
    pub superfluous: u64,
    /// The number of rows of at least the history's version that differ from what follows from it.
    pub different: u64,
    /// The number of aggregates whose history cannot be folded.
    pub unreadable: u64,
    /// The number of rows that were written.
    pub written: u64,
    /// The number of rows that were removed.
    pub removed: u64,
    /// The estimated cost of comparing row by row, in halves of a read unit.
    pub half_units: u64,
}

/// One bucket to settle, and the progress in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settle {
    /// The unique name of the rebuild.
    pub run: String,
    /// The bucket's number, from 0.
    pub bucket: u32,
    /// Whether rows that differ are repaired. Otherwise they are only reported.
    #[serde(rename = "mend")]
    pub repair: bool,
    /// The only read model to rebuild; without it, all that are queried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// The aggregate after which the next step continues, in order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// The counts so far.
    #[serde(default)]
    pub counted: Counted,
    /// Whether the bucket is done.
    #[serde(default)]
    pub done: bool,
}

impl Settle {
    /// The beginning of a bucket.
    pub fn new(run: &str, bucket: u32, repair: bool) -> Self {
        Self {
            run: run.to_owned(),
            bucket,
            repair,
            only: None,
            behind: None,
            counted: Counted::default(),
            done: false,
        }
    }

    /// Settles the bucket, until its end, until `enough` says so after some aggregates, or until an
    /// aggregate cannot be settled now; returns the findings. It fails only where nothing was
    /// settled, so findings are never lost.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<Vec<Finding>, RebuildError> {
        self.step_reporting(projectors, enough, &mut drop_difference)
            .await
    }

    /// Like [`Settle::step`], and passes the first differences of each aggregate to
    /// `on_difference`.
    pub async fn step_reporting(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
        on_difference: OnDifference<'_>,
    ) -> Result<Vec<Finding>, RebuildError> {
        let entries = self.entries(projectors).await?;
        if self.behind.is_none() {
            self.counted.aggregates = entries.len() as u64;
        }
        let mut names = entries.different();
        if let Some(behind) = &self.behind {
            names.retain(|name| name > behind);
        }
        let (mut findings, mut first) = (Vec::new(), true);
        for some in names.chunks(AGGREGATES_AT_ONCE) {
            let work = some
                .iter()
                .cloned()
                .map(|name| settle_aggregate(projectors, name, self.repair));
            let results: Vec<_> = stream::iter(work)
                .buffered(AGGREGATES_AT_ONCE)
                .collect()
                .await;
            let before = self.clone();
            let failed = self.take(some, results, &mut findings, on_difference);
            match failed {
                Some(error) if *self == before && first => return Err(error),
                Some(error) => {
                    tracing::warn!(%error, "a bucket is settled in part");
                    return Ok(findings);
                }
                None if enough() => return Ok(findings),
                None => first = false,
            }
        }
        self.done = true;
        Ok(findings)
    }

    /// Counts the results of `names` up to the first failure, and returns that error. After it, the
    /// results of repaired aggregates count as well, since they are not found again; those that
    /// were only reported are.
    fn take(
        &mut self,
        names: &[String],
        results: Vec<Result<RepairOutcome, RebuildError>>,
        findings: &mut Vec<Finding>,
        on_difference: OnDifference<'_>,
    ) -> Option<RebuildError> {
        let mut failed = None;
        for (name, result) in names.iter().zip(results) {
            match result {
                Ok(compared) if failed.is_none() || self.repair => {
                    findings.extend(self.counted.count(compared, on_difference));
                    if failed.is_none() {
                        self.behind = Some(name.clone());
                    }
                }
                Ok(_) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed
    }

    async fn entries(&self, projectors: &Projectors) -> Result<Entries, RebuildError> {
        let unavailable = |error: LedgerError| RebuildError::Unavailable(error.to_string());
        let ledger = &projectors.rebuilds.ledger;
        let parts = ledger.list(&bucket(&self.run, self.bucket)).await;
        let mut entries = Entries::default();
        let parts = ledger::most_complete(parts.map_err(unavailable)?).into_iter();
        let parts = parts.map(|part| async move { ledger.get(&part).await });
        let mut parts = stream::iter(parts).buffer_unordered(LEDGER_CALLS_AT_ONCE);
        while let Some(part) = parts.next().await {
            let bytes = part.map_err(unavailable)?;
            entries.read(&bytes).map_err(unavailable)?;
        }
        Ok(entries)
    }
}

impl Counted {
    /// Counts the result of one aggregate, and passes its differences to `on_difference`; returns
    /// its findings.
    pub(super) fn count(
        &mut self,
        compared: RepairOutcome,
        on_difference: OnDifference<'_>,
    ) -> Vec<Finding> {
        compared.differences.into_iter().for_each(on_difference);
        self.examined += 1;
        self.written += compared.rebuilt.written;
        self.removed += compared.rebuilt.removed;
        self.half_units += compared.half_units;
        self.found(&compared.findings);
        compared.findings
    }

    /// Counts findings by their kind.
    pub fn found(&mut self, findings: &[Finding]) {
        for finding in findings {
            match finding.kind {
                FindingKind::Missing => self.missing += 1,
                FindingKind::Stale => self.stale += 1,
                FindingKind::Superfluous => self.superfluous += 1,
                FindingKind::Different => self.different += 1,
                FindingKind::Unreadable => self.unreadable += 1,
            }
        }
    }

    /// Adds the counts of another step or bucket.
    pub fn add(&mut self, other: &Self) {
        let Self {
            aggregates,
            examined,
            missing,
            stale,
            superfluous,
            different,
            unreadable,
            written,
            removed,
            half_units,
        } = other;
        self.aggregates += aggregates;
        self.examined += examined;
        self.missing += missing;
        self.stale += stale;
        self.superfluous += superfluous;
        self.different += different;
        self.unreadable += unreadable;
        self.written += written;
        self.removed += removed;
        self.half_units += half_units;
    }

    /// The number of rows, or unreadable histories, that differ from what is expected.
    pub fn wrong(&self) -> u64 {
        self.missing + self.stale + self.superfluous + self.different + self.unreadable
    }
}

/// Compares an aggregate, and repairs it where `repair` says so. An unavailable table is tried a
/// few times.
pub(crate) async fn settle_aggregate(
    projectors: &Projectors,
    name: String,
    repair: bool,
) -> Result<RepairOutcome, RebuildError> {
    let mut attempt = 1;
    loop {
        let compared = match repair {
            true => compare_and_repair(projectors, &name).await,
            false => compare_until_stable(projectors, &name).await,
        };
        match compared {
            Err(RebuildError::Unavailable(reason)) if attempt < GATHER_ATTEMPTS => {
                tracing::warn!(reason, attempt, "will try again");
                projectors.clock.sleep(GATHER_WAIT).await;
                attempt += 1;
            }
            Err(RebuildError::Corrupt(reason)) => {
                tracing::error!(aggregate = name, reason, "a history cannot be folded");
                return Ok(unreadable(&name));
            }
            other => return other,
        }
    }
}

/// The findings about an aggregate that do not disappear within some seconds: `project` may be
/// about to write a missing row.
async fn compare_until_stable(
    projectors: &Projectors,
    name: &str,
) -> Result<RepairOutcome, RebuildError> {
    let mut compared = RepairOutcome::default();
    for reads in 1..=COMPARISONS_MAX {
        let comparison = compare(projectors, name).await?;
        compared.half_units += comparison.half_units;
        projectors
            .rebuilds
            .read(projectors, comparison.half_units)
            .await;
        compared.findings = comparison.findings;
        compared.differences = comparison.differences;
        let on_its_way = compared.findings.iter().any(Finding::may_be_pending);
        let age = i64::try_from(PROJECTED_WITHIN.as_millis()).unwrap_or(i64::MAX);
        let now = projectors.clock.now().millis();
        let young = comparison.newest.is_some_and(|at| now - at.millis() <= age);
        if !(on_its_way && young) || reads == COMPARISONS_MAX {
            break;
        }
        projectors.clock.sleep(COMPARISON_WAIT).await;
    }
    Ok(compared)
}

fn unreadable(name: &str) -> RepairOutcome {
    let of = |table| Finding::unreadable(table, expected::id(name));
    RepairOutcome {
        findings: expected::table(name).map(of).into_iter().collect(),
        ..RepairOutcome::default()
    }
}
