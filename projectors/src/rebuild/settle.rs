//! The second half of a rebuild: a bucket of the ledger is compared, and the aggregates whose
//! digests differ are examined, named, and where that is asked for mended.

use futures::{StreamExt, stream};
use lambda::ReadModel;
use serde::{Deserialize, Serialize};

use super::{
    RebuildError,
    aggregate::{Settled, examine, mended},
    expected,
    finding::{Finding, Tell, Wrong, nobody},
    ledger::{self, Entries, LedgerError, bucket},
};
use crate::{
    Projectors,
    limits::{
        AGGREGATES_AT_ONCE, GATHER_ATTEMPTS, GATHER_WAIT, LEDGER_CALLS_AT_ONCE, LOOK_AGE,
        LOOK_WAIT, LOOKS,
    },
};

/// What came of comparing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Counted {
    /// Aggregates whose rows were compared.
    pub aggregates: u64,
    /// Those of them that were examined row by row.
    pub examined: u64,
    /// Rows that follow from the history and were not there.
    pub missing: u64,
    /// Rows of a lower version than the history.
    pub stale: u64,
    /// Rows that follow from no event.
    pub superfluous: u64,
    /// Rows that were not what follows from the history.
    pub different: u64,
    /// Aggregates whose history cannot be folded.
    pub unreadable: u64,
    /// Rows that were put.
    pub written: u64,
    /// Rows that were removed.
    pub removed: u64,
    /// What examining has cost, in halves of a read unit, estimated.
    pub half_units: u64,
}

/// One bucket to settle, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settle {
    /// Which rebuild it is a part of.
    pub run: String,
    /// Which bucket of its ledger, from 0.
    pub bucket: u32,
    /// Make the rows what they should be? Else they are only named.
    pub mend: bool,
    /// For one read model alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// The aggregate that it goes on behind, in order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// What came of it so far.
    #[serde(default)]
    pub counted: Counted,
    /// Has it come to its end?
    #[serde(default)]
    pub done: bool,
}

impl Settle {
    /// A bucket's beginning.
    pub fn new(run: &str, bucket: u32, mend: bool) -> Self {
        Self {
            run: run.to_owned(),
            bucket,
            mend,
            only: None,
            behind: None,
            counted: Counted::default(),
            done: false,
        }
    }

    /// Settles the bucket, until its end, until `enough` says so after some aggregates, or until one
    /// cannot be settled now; hands out what was found. It is an error only where nothing is
    /// settled, so what was found is never lost with one.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<Vec<Finding>, RebuildError> {
        self.step_telling(projectors, enough, &mut nobody).await
    }

    /// As [`Settle::step`], and tells the first differences of each aggregate with both rows.
    pub async fn step_telling(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
        tell: Tell<'_>,
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
                .map(|name| one(projectors, name, self.mend));
            let settled: Vec<_> = stream::iter(work)
                .buffered(AGGREGATES_AT_ONCE)
                .collect()
                .await;
            let before = self.clone();
            let failed = self.take(some, settled, &mut findings, tell);
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

    /// Takes in what came of `names`, up to the first that failed: that error. Behind it, what was
    /// mended counts as well, since it is not found again; what was only named is.
    fn take(
        &mut self,
        names: &[String],
        settled: Vec<Result<Settled, RebuildError>>,
        findings: &mut Vec<Finding>,
        tell: Tell<'_>,
    ) -> Option<RebuildError> {
        let mut failed = None;
        for (name, settled) in names.iter().zip(settled) {
            match settled {
                Ok(settled) if failed.is_none() || self.mend => {
                    findings.extend(self.counted.count(settled, tell));
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
        let parts = ledger::furthest(parts.map_err(unavailable)?).into_iter();
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
    /// Counts what came of an aggregate that was examined, and tells its differences; its findings.
    pub(super) fn count(&mut self, settled: Settled, tell: Tell<'_>) -> Vec<Finding> {
        settled.differences.into_iter().for_each(tell);
        self.examined += 1;
        self.written += settled.rebuilt.written;
        self.removed += settled.rebuilt.removed;
        self.half_units += settled.half_units;
        self.found(&settled.findings);
        settled.findings
    }

    /// Counts findings by their kind.
    pub fn found(&mut self, findings: &[Finding]) {
        for finding in findings {
            match finding.wrong {
                Wrong::Missing => self.missing += 1,
                Wrong::Stale => self.stale += 1,
                Wrong::Superfluous => self.superfluous += 1,
                Wrong::Different => self.different += 1,
                Wrong::Unreadable => self.unreadable += 1,
            }
        }
    }

    /// Counts what another has counted.
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

    /// How many rows, or histories, are not as they should be.
    pub fn wrong(&self) -> u64 {
        self.missing + self.stale + self.superfluous + self.different + self.unreadable
    }
}

/// Examines an aggregate, and mends it where that is asked for. An unavailable table is asked a few
/// times.
pub(super) async fn one(
    projectors: &Projectors,
    name: String,
    mend: bool,
) -> Result<Settled, RebuildError> {
    let mut attempt = 1;
    loop {
        let settled = match mend {
            true => mended(projectors, &name).await,
            false => look(projectors, &name).await,
        };
        match settled {
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

/// What is wrong with an aggregate, and stays so: a row may be on its way.
async fn look(projectors: &Projectors, name: &str) -> Result<Settled, RebuildError> {
    let mut settled = Settled::default();
    for look in 1..=LOOKS {
        let examined = examine(projectors, name).await?;
        settled.half_units += examined.half_units;
        projectors
            .rebuilds
            .read(projectors, examined.half_units)
            .await;
        settled.findings = examined.findings;
        settled.differences = examined.differences;
        let on_its_way = settled.findings.iter().any(Finding::may_be_on_its_way);
        let age = i64::try_from(LOOK_AGE.as_millis()).unwrap_or(i64::MAX);
        let now = projectors.clock.now().millis();
        let young = examined.newest.is_some_and(|at| now - at.millis() <= age);
        if !(on_its_way && young) || look == LOOKS {
            break;
        }
        projectors.clock.sleep(LOOK_WAIT).await;
    }
    Ok(settled)
}

fn unreadable(name: &str) -> Settled {
    let of = |table| Finding::unreadable(table, expected::id(name));
    Settled {
        findings: expected::table(name).map(of).into_iter().collect(),
        ..Settled::default()
    }
}
