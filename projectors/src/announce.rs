//! Announces the commits of a span of time once more, with the same message ids: for subscribers
//! that missed them.

use domain::Timestamp;
use event_store::{
    Commit, StoreError,
    scan::{ScanError, ScanPosition},
};
use serde::{Deserialize, Serialize};

use crate::{
    Projectors,
    limits::{ANNOUNCED_AT_ONCE, GATHER_ATTEMPTS, GATHER_WAIT},
    notify,
    rebuild::{RebuildError, gather::Key},
};

/// One segment of the event store whose commits of a span of time are announced again, and the
/// progress in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Announce {
    /// The segment's number, from 0.
    pub segment: u32,
    /// The number of segments.
    pub segments: u32,
    /// The beginning of the span: commits at this time or later are announced.
    pub from: Timestamp,
    /// The end of the span: commits before this time are announced.
    pub to: Timestamp,
    /// The key after which the next step continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Key>,
    /// The counts so far.
    #[serde(default)]
    pub counted: Announced,
    /// Whether the segment is done.
    #[serde(default)]
    pub done: bool,
}

/// The counts of announcing commits again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Announced {
    /// The number of commits that were read.
    pub read: u64,
    /// The number of commits in the span of time.
    pub commits: u64,
    /// The number of their messages that were accepted.
    pub messages: u64,
    /// The number of aggregates with a commit that cannot be read, or a message that will never be
    /// accepted.
    pub refused: u64,
    /// The cost of reading, in halves of a read unit.
    pub half_units: u64,
}

impl Announced {
    /// Adds the counts of another segment or step.
    pub fn add(&mut self, other: &Self) {
        let Self {
            read,
            commits,
            messages,
            refused,
            half_units,
        } = other;
        self.read += read;
        self.commits += commits;
        self.messages += messages;
        self.refused += refused;
        self.half_units += half_units;
    }
}

impl Announce {
    /// The beginning of a segment.
    pub fn new((segment, segments): (u32, u32), from: Timestamp, to: Timestamp) -> Self {
        Self {
            segment,
            segments,
            from,
            to,
            behind: None,
            counted: Announced::default(),
            done: false,
        }
    }

    /// Announces the commits of the segment, until its end or until `enough` says so. After a
    /// failure, the next step continues after the aggregates that are done; messages may be sent
    /// twice, with the same ids.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<(), RebuildError> {
        let behind = self.behind.clone().map(ScanPosition::from);
        let mut scan = projectors.store.scan(self.segment, self.segments, behind);
        let (mut failures, mut paid, mut unreadable) = (0, 0, 0);
        let (mut due, mut commits_read): (Vec<Commit>, u64) = (Vec::new(), 0);
        loop {
            let next = scan.next().await;
            let used = scan.half_units() - paid;
            paid = scan.half_units();
            self.counted.half_units += used;
            projectors.rebuilds.read(projectors, used).await;
            let ended = next.is_none();
            match next {
                None => {}
                Some(Ok(whole)) => {
                    commits_read += whole.history.len() as u64;
                    let of_the_time =
                        |commit: &Commit| commit.at >= self.from && commit.at < self.to;
                    due.extend(whole.history.into_iter().filter(of_the_time));
                }
                Some(Err(ScanError::Store(StoreError::Unavailable(error)))) => {
                    failures += 1;
                    if failures >= GATHER_ATTEMPTS {
                        return Err(RebuildError::Unavailable(error.to_string()));
                    }
                    projectors.clock.sleep(GATHER_WAIT).await;
                    continue;
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a history cannot be announced");
                    unreadable += 1;
                }
            }
            failures = 0;
            let enough = ended || (used > 0 && enough());
            if enough || due.len() >= ANNOUNCED_AT_ONCE as usize {
                self.send(projectors, std::mem::take(&mut due)).await?;
                self.counted.read += std::mem::take(&mut commits_read);
                self.counted.refused += std::mem::take(&mut unreadable);
                self.behind = scan.behind().map(Key::from);
                self.done = ended;
            }
            if enough {
                return Ok(());
            }
        }
    }

    async fn send(
        &mut self,
        projectors: &Projectors,
        commits: Vec<Commit>,
    ) -> Result<(), RebuildError> {
        let number = commits.len() as u64;
        let announced = notify::announce_again(projectors, commits).await?;
        for (aggregate, reason) in &announced.refused {
            tracing::error!(aggregate, reason, "a commit cannot be announced");
        }
        self.counted.messages += announced.messages;
        self.counted.refused += announced.refused.len() as u64;
        self.counted.commits += number;
        Ok(())
    }
}
