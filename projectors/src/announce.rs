//! Notifications sent once more, with the same ids: for a time in which nobody heard them.

use domain::Timestamp;
use event_store::{
    Commit, StoreError,
    scan::{Behind, ScanError},
};
use serde::{Deserialize, Serialize};

use crate::{
    Projectors,
    limits::{ANNOUNCED_AT_ONCE, GATHER_ATTEMPTS, GATHER_WAIT},
    notify,
    rebuild::{RebuildError, gather::Key},
};

/// One segment of the store, of which the commits of a time are announced, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Announce {
    /// Which segment, from 0.
    pub segment: u32,
    /// Of how many.
    pub segments: u32,
    /// Commits of this time or later
    pub from: Timestamp,
    /// and before this.
    pub to: Timestamp,
    /// The key that it goes on behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Key>,
    /// What came of it so far.
    #[serde(default)]
    pub counted: Announced,
    /// Has it come to its end?
    #[serde(default)]
    pub done: bool,
}

/// What came of announcing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Announced {
    /// Commits that were read.
    pub read: u64,
    /// Those of them that are of the time.
    pub commits: u64,
    /// Their messages that were accepted.
    pub messages: u64,
    /// Aggregates with a commit that cannot be read or a message that will never be accepted.
    pub refused: u64,
    /// What reading has cost, in halves of a read unit.
    pub half_units: u64,
}

impl Announced {
    /// Counts what another has counted.
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
    /// A segment's beginning.
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

    /// Goes through the segment, until its end or until `enough` says so. Where it fails, it goes
    /// on from the aggregates that are done; messages may be sent twice, with the same ids.
    pub async fn step(
        &mut self,
        projectors: &Projectors,
        enough: impl Fn() -> bool,
    ) -> Result<(), RebuildError> {
        let behind = self.behind.clone().map(Behind::from);
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
        let again = notify::again(projectors, commits).await?;
        for (aggregate, reason) in &again.refused {
            tracing::error!(aggregate, reason, "a commit cannot be announced");
        }
        self.counted.messages += again.messages;
        self.counted.refused += again.refused.len() as u64;
        self.counted.commits += number;
        Ok(())
    }
}
