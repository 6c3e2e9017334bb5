//! Loads an aggregate: its state and version, from its latest snapshot on.

use domain::{AggregateId, EventSourced, Timestamp};

use crate::{
    commit::{Cause, Commit, UnreadableCommit},
    error::StoreError,
    fingerprint::{Fingerprint, Fingerprints},
    limits::{HISTORY_PAGE, LOAD_BYTES_MAX, PAGES_MAX},
    size::item_bytes,
    snapshot::{Policy, Snapshot, SnapshotKind, SnapshotSizes},
    store::{EventStore, gap, read},
};

/// An aggregate with its present state.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The aggregate's id.
    pub id: AggregateId,
    /// The state after the last commit.
    pub state: A,
    /// The sequence of its last event, 0 before the first.
    pub version: u64,
    /// The number of commits.
    pub commits: u32,
    /// The time of the last commit, `None` before the first.
    pub at: Option<Timestamp>,
    /// The commits that were read, oldest first: the one with the snapshot and all after it, or the
    /// whole history. Empty where the history was too large to hold.
    pub recent: Vec<Commit>,
    /// The fingerprints of all commits, or of those after a full snapshot.
    pub(crate) fingerprints: Fingerprints,
    /// The bytes of all commits; those before a snapshot of an older build are not counted.
    bytes: u64,
    policy: Policy,
    /// The number of commits since the latest snapshot of the present schema.
    commits_since_snapshot: u32,
}

impl<A: EventSourced> Loaded<A> {
    /// An aggregate without a history.
    pub fn new(id: AggregateId) -> Self {
        Self {
            id,
            state: A::default(),
            version: 0,
            commits: 0,
            at: None,
            recent: Vec::new(),
            fingerprints: Fingerprints::default(),
            bytes: 0,
            policy: Policy::default(),
            commits_since_snapshot: 0,
        }
    }

    /// The same aggregate with the limits of `policy`.
    pub fn under(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Folds a whole history, from sequence 1 on. Fails where it has a gap, or an event cannot be
    /// decoded.
    pub fn from_history(id: AggregateId, history: Vec<Commit>) -> Result<Self, StoreError> {
        let mut loaded = Self::new(id);
        for commit in history {
            loaded.add(commit)?;
        }
        Ok(loaded)
    }

    /// The commit that `events` make, with a snapshot as [`Policy::choose_snapshot`] chooses. Fails
    /// with [`StoreError::HistoryFull`] where the aggregate has reached a limit.
    pub fn next_commit(
        &self,
        events: Vec<A::Event>,
        at: Timestamp,
        cause: Cause,
    ) -> Result<Commit, StoreError> {
        let ordinal = self.commits + 1;
        if ordinal > self.policy.commits_max {
            return Err(StoreError::HistoryFull(self.id.clone()));
        }
        let unwritable = |error: serde_json::Error| self.corrupt(error.to_string());
        let encoded: Result<Vec<_>, _> = events.iter().map(A::encode).collect();
        let mut commit = Commit {
            aggregate: self.id.clone(),
            sequence: self.version + 1,
            ordinal,
            at,
            events: encoded.map_err(unwritable)?,
            cause,
            snapshot: None,
        };
        if self.bytes + commit.text_bytes() > self.policy.bytes_max {
            return Err(StoreError::HistoryFull(self.id.clone()));
        }
        let state = self.state.clone().folded(events);
        if state.may_be_in_snapshot() {
            let state = serde_json::to_string(&state).map_err(unwritable)?;
            commit.snapshot = self
                .snapshot(&commit, state)
                .map_err(|error| error.of(&self.id, commit.sequence))?;
        }
        Ok(commit)
    }

    /// The snapshot that `commit` carries: the given state after it, and fingerprints.
    fn snapshot(
        &self,
        commit: &Commit,
        state: String,
    ) -> Result<Option<Snapshot>, UnreadableCommit> {
        let mut fingerprints = self.fingerprints.clone();
        fingerprints.push(&commit.cause);
        let of = |fingerprints: &[u8], full_snapshot| Snapshot {
            schema: A::STATE_SCHEMA.to_owned(),
            state: state.clone(),
            fingerprints: fingerprints.to_vec(),
            full_snapshot,
            bytes: Some(self.bytes + commit.text_bytes()),
        };
        let full = fingerprints.all().map(|all| of(all, None));
        let partial = fingerprints.after_full_snapshot();
        let partial = partial.map(|(full, newer)| of(newer, Some(full.sequence)));
        let size = |snapshot: &Snapshot| snapshot.item_bytes();
        let newer = partial
            .as_ref()
            .map(|partial| partial.fingerprints.len() / Fingerprint::BYTES);
        let newer = u32::try_from(newer.unwrap_or_default()).unwrap_or(u32::MAX);
        let kind = self.policy.choose_snapshot(SnapshotSizes {
            bytes: item_bytes(&commit.to_item()?),
            due: self.policy.due(commit.ordinal, self.commits_since_snapshot),
            ordinal: commit.ordinal,
            full: full.as_ref().map(size).transpose()?,
            partial: match &partial {
                Some(partial) => Some((size(partial)?, newer)),
                None => None,
            },
        });
        Ok(match kind {
            SnapshotKind::Full => full,
            SnapshotKind::Partial => partial,
            SnapshotKind::None => None,
        })
    }

    /// Applies the next commit. Fails where its sequence does not follow, or an event cannot be
    /// decoded.
    fn add(&mut self, commit: Commit) -> Result<(), StoreError> {
        if commit.sequence != self.version + 1 || commit.ordinal != self.commits + 1 {
            return Err(gap(&self.id, self.version + 1, commit.sequence));
        }
        let events = commit
            .decoded::<A>()
            .map_err(|error| error.of(&self.id, commit.sequence))?;
        self.state = std::mem::take(&mut self.state).folded(events);
        self.fingerprints.add(&commit);
        self.bytes += commit.text_bytes();
        self.note(commit);
        Ok(())
    }

    /// Begins with a commit's snapshot; returns the commit where it has none of the present schema.
    ///
    /// A snapshot only saves reads, so one that cannot be read is ignored like one of an old
    /// schema.
    fn from_snapshot(id: &AggregateId, commit: Commit) -> Result<Self, Box<Commit>> {
        let snapshot = commit
            .snapshot
            .as_ref()
            .filter(|snapshot| snapshot.schema == A::STATE_SCHEMA);
        let state = snapshot.and_then(|snapshot| serde_json::from_str(&snapshot.state).ok());
        let bytes = snapshot.and_then(|snapshot| snapshot.bytes);
        let (Some(state), Some(fingerprints)) = (state, Fingerprints::stored(&commit)) else {
            return Err(Box::new(commit));
        };
        let mut loaded = Self {
            state,
            fingerprints,
            bytes: bytes.unwrap_or_default(),
            ..Self::new(id.clone())
        };
        loaded.note(commit);
        Ok(loaded)
    }

    /// Applies the commits that follow, given newest first.
    pub fn apply_newest_first(mut self, mut newest_first: Vec<Commit>) -> Result<Self, StoreError> {
        while let Some(commit) = newest_first.pop() {
            self.add(commit)?;
        }
        Ok(self)
    }

    fn note(&mut self, commit: Commit) {
        self.version = commit.version();
        self.commits = commit.ordinal;
        self.at = Some(commit.at);
        let snapshot = commit.snapshot.as_ref();
        self.commits_since_snapshot =
            match snapshot.is_some_and(|snapshot| snapshot.schema == A::STATE_SCHEMA) {
                true => 0,
                false => self.commits_since_snapshot.saturating_add(1),
            };
        self.recent.push(commit);
    }

    fn corrupt(&self, reason: String) -> StoreError {
        StoreError::Corrupt {
            aggregate: self.id.clone(),
            sequence: self.version + 1,
            reason,
        }
    }
}

impl EventStore {
    /// Loads an aggregate: it reads backwards to the latest snapshot, or to the first commit.
    ///
    /// The first request asks for the newest commit, which mostly has a snapshot. The second goes
    /// as far back as one is due. Only where that is missing too (it did not fit, or has another
    /// schema) further requests ask for growing pages.
    pub async fn load<A: EventSourced>(&self, id: &AggregateId) -> Result<Loaded<A>, StoreError> {
        let name = id.to_string();
        let mut newest_first: Vec<Commit> = Vec::new();
        let (mut limit, mut bytes) = (1, 0);
        for _ in 0..PAGES_MAX {
            let before = newest_first.last().map(|commit| commit.sequence);
            let page = self.table.newest(&name, before, limit).await?;
            for item in page.items {
                bytes += item_bytes(&item);
                match Loaded::from_snapshot(id, read(id, None, item)?) {
                    Ok(loaded) => {
                        return loaded.under(self.policy).apply_newest_first(newest_first);
                    }
                    Err(commit) => newest_first.push(*commit),
                }
            }
            match newest_first.last() {
                Some(_) if bytes > LOAD_BYTES_MAX => return self.folded(id).await,
                Some(oldest) if page.more && oldest.sequence > 1 => {
                    limit = further(oldest.ordinal, newest_first.len(), self.policy.every);
                }
                _ => break,
            }
        }
        self.nothing(id).apply_newest_first(newest_first)
    }

    /// An aggregate without a history, for a command that is tried without a load. The table is not
    /// asked whether it has one.
    pub fn nothing<A: EventSourced>(&self, id: &AggregateId) -> Loaded<A> {
        Loaded::new(id.clone()).under(self.policy)
    }

    /// Folds an aggregate from its first commit on, a page at a time, without using snapshots.
    async fn folded<A: EventSourced>(&self, id: &AggregateId) -> Result<Loaded<A>, StoreError> {
        let mut loaded = self.nothing(id);
        for _ in 0..PAGES_MAX {
            let page = self.history(id, loaded.version + 1, HISTORY_PAGE).await?;
            let mut commits = page.commits;
            commits.reverse();
            loaded = loaded.apply_newest_first(commits)?;
            loaded.recent.clear();
            if page.next.is_none() {
                return Ok(loaded);
            }
        }
        Err(StoreError::HistoryFull(id.clone()))
    }
}

/// The number of commits before number `ordinal` to ask for next, where the `read` ones down to it
/// have no snapshot: as far as the next one is due, and no fewer than were read before.
fn further(ordinal: u32, read: usize, every: u32) -> u32 {
    let due = ordinal.saturating_sub(1) % every + 1;
    let read = u32::try_from(read).unwrap_or(HISTORY_PAGE);
    due.max(read.saturating_sub(1)).min(HISTORY_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_goes_back_to_where_a_snapshot_is_due_and_then_by_growing_pages() {
        // Of 8n + k commits, number 8n has one.
        assert_eq!(
            [1, 7, 8, 9, 15, 16].map(|ordinal| further(ordinal, 1, 8)),
            [1, 7, 8, 1, 7, 8]
        );
        assert_eq!([9, 17, 33].map(|read| further(1_000, read, 8)), [8, 16, 32]);
        assert_eq!(further(19_000, 5_000, 8), HISTORY_PAGE);
    }
}
