//! An aggregate as it is now, from its latest snapshot on.

use domain::{AggregateId, Digest, EventSourced, Timestamp};

use crate::{
    commit::{Cause, Commit, Mark, Snapshot, Trace, Unreadable},
    limits::{
        COMMITS_MAX, HISTORY_PAGE, ITEM_BYTES_MAX, LOAD_BYTES_MAX, PAGES_MAX, SNAPSHOT_EVERY,
    },
    size::{item_bytes, rides_free},
    store::{EventStore, StoreError, gap, read},
};

/// An aggregate as it is now.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// Which one.
    pub id: AggregateId,
    /// Its state.
    pub state: A,
    /// The sequence of its last event, 0 before the first.
    pub version: u64,
    /// How many commits it has.
    pub commits: u32,
    /// The time of its last commit.
    pub at: Option<Timestamp>,
    /// The commits that were read, oldest first: the one with the snapshot and all after it, or
    /// all there are.
    pub recent: Vec<Commit>,
    /// Traces of every commit, as a snapshot keeps them.
    traces: Vec<u8>,
    /// Commits since the latest snapshot, those of another shape not counted as one.
    bare: u32,
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
            traces: Vec::new(),
            bare: 0,
        }
    }

    /// The aggregate that a whole history leads to: commits from sequence 1 on.
    pub fn from_history(id: AggregateId, history: Vec<Commit>) -> Result<Self, StoreError> {
        let mut loaded = Self::new(id);
        for commit in history {
            loaded.add(commit)?;
        }
        Ok(loaded)
    }

    /// The commit that `events` would make, with a snapshot where it rides free, or is due and fits.
    pub fn next_commit(
        &self,
        events: Vec<A::Event>,
        at: Timestamp,
        cause: Cause,
    ) -> Result<Commit, StoreError> {
        let ordinal = self.commits + 1;
        if ordinal > COMMITS_MAX {
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
        let state = self.state.clone().folded(events);
        let mut traces = self.traces.clone();
        traces.extend_from_slice(Trace::of(&commit.cause).bytes());
        let snapshot = Snapshot {
            shape: A::SHAPE.to_owned(),
            state: serde_json::to_string(&state).map_err(unwritable)?,
            traces,
        };
        if self.carries(&commit, &snapshot)? {
            commit.snapshot = Some(snapshot);
        }
        Ok(commit)
    }

    /// Does a snapshot ride in this commit: free, or because one is due, and the item has room?
    fn carries(&self, commit: &Commit, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let unwritable = |Unreadable(reason)| self.corrupt(reason);
        let bytes = item_bytes(&commit.to_item().map_err(unwritable)?);
        let more = snapshot.bytes().map_err(unwritable)?;
        let due = commit.ordinal.is_multiple_of(SNAPSHOT_EVERY) || self.bare >= SNAPSHOT_EVERY;
        // A snapshot is only a short cut: the command must not fail for it. Without one, a load
        // reads on to the one before.
        Ok((due || rides_free(bytes, more)) && bytes + more <= ITEM_BYTES_MAX)
    }

    /// Takes a commit in: the one that comes next.
    fn add(&mut self, commit: Commit) -> Result<(), StoreError> {
        if commit.sequence != self.version + 1 || commit.ordinal != self.commits + 1 {
            return Err(gap(&self.id, self.version + 1, commit.sequence));
        }
        let events = commit
            .decoded::<A>()
            .map_err(|Unreadable(reason)| StoreError::Corrupt {
                aggregate: self.id.clone(),
                sequence: commit.sequence,
                reason,
            })?;
        self.state = std::mem::take(&mut self.state).folded(events);
        self.traces
            .extend_from_slice(Trace::of(&commit.cause).bytes());
        self.note(commit);
        Ok(())
    }

    /// Begins with a commit's snapshot; hands the commit back where it has none of this shape.
    ///
    /// A snapshot is only a short cut, so one that cannot be read is passed over like an old one.
    fn from_snapshot(id: &AggregateId, commit: Commit) -> Result<Self, Box<Commit>> {
        let snapshot = commit
            .snapshot
            .as_ref()
            .filter(|snapshot| snapshot.shape == A::SHAPE);
        let state = snapshot.and_then(|snapshot| serde_json::from_str(&snapshot.state).ok());
        let traces = snapshot
            .map(|snapshot| snapshot.traces.clone())
            .unwrap_or_default();
        let whole = traces.len() == Trace::BYTES * commit.ordinal as usize;
        let Some(state) = state.filter(|_| whole) else {
            return Err(Box::new(commit));
        };
        let mut loaded = Self {
            state,
            traces,
            ..Self::new(id.clone())
        };
        loaded.note(commit);
        Ok(loaded)
    }

    /// Takes in the commits that follow, given newest first.
    pub fn followed_by(mut self, mut newest_first: Vec<Commit>) -> Result<Self, StoreError> {
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
        self.bare = match snapshot.is_some_and(|snapshot| snapshot.shape == A::SHAPE) {
            true => 0,
            false => self.bare.saturating_add(1),
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
    /// Loads an aggregate: backwards to the latest snapshot, or to its first commit.
    ///
    /// It asks for the newest commit first, which mostly has a snapshot; then as far back as one is
    /// due; and only where there is none (it did not fit, or is of another shape) for pages that
    /// grow.
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
                    Ok(loaded) => return loaded.followed_by(newest_first),
                    Err(commit) => newest_first.push(*commit),
                }
            }
            match newest_first.last() {
                Some(_) if bytes > LOAD_BYTES_MAX => return self.folded(id).await,
                Some(oldest) if page.more && oldest.sequence > 1 => {
                    limit = further(oldest.ordinal, newest_first.len());
                }
                _ => break,
            }
        }
        Loaded::new(id.clone()).followed_by(newest_first)
    }

    /// An aggregate from its first commit on, whatever snapshots there are, a page at a time.
    async fn folded<A: EventSourced>(&self, id: &AggregateId) -> Result<Loaded<A>, StoreError> {
        let mut loaded = Loaded::new(id.clone());
        for _ in 0..PAGES_MAX {
            let page = self.history(id, loaded.version + 1, HISTORY_PAGE).await?;
            let mut commits = page.commits;
            commits.reverse();
            loaded = loaded.followed_by(commits)?;
            loaded.recent.clear();
            if page.next.is_none() {
                return Ok(loaded);
            }
        }
        Err(StoreError::HistoryFull(id.clone()))
    }

    /// The commit that a command has made before: looked up before anything is decided.
    ///
    /// By its id first, then by the digests that its content has or had in earlier builds; of
    /// commits that bear one of those, only one that `says_the_same` counts.
    pub async fn recognise<A: EventSourced>(
        &self,
        loaded: &Loaded<A>,
        command_id: &str,
        contents: &[Digest],
        says_the_same: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        let id = Mark::Command(command_id);
        if let Some(commit) = self.made_by(loaded, id, &|_| true).await? {
            return Ok(Some(commit));
        }
        for digest in contents {
            let content = Mark::Content(digest);
            if let Some(commit) = self.made_by(loaded, content, says_the_same).await? {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    async fn made_by<A: EventSourced>(
        &self,
        loaded: &Loaded<A>,
        mark: Mark<'_>,
        counts: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        let is_it = |commit: &Commit| mark.is_on(commit) && counts(commit);
        if let Some(commit) = loaded.recent.iter().find(|commit| is_it(commit)) {
            return Ok(Some(commit.clone()));
        }
        let older = (loaded.commits as usize).saturating_sub(loaded.recent.len());
        let mut traces = loaded.traces.chunks(Trace::BYTES).take(older);
        match traces.position(|trace| mark.may_be_on(trace)) {
            // Commit number n begins with sequence n or above.
            Some(place) => self.find(&loaded.id, place as u64 + 1, &is_it).await,
            None => Ok(None),
        }
    }
}

/// How many commits before number `ordinal` to ask for next, where the `read` ones down to it have
/// no snapshot: as far as the next one is due, and no fewer than were read before.
fn further(ordinal: u32, read: usize) -> u32 {
    let due = ordinal.saturating_sub(1) % SNAPSHOT_EVERY + 1;
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
            [1, 7, 8, 9, 15, 16].map(|ordinal| further(ordinal, 1)),
            [1, 7, 8, 1, 7, 8]
        );
        assert_eq!([9, 17, 33].map(|read| further(1_000, read)), [8, 16, 32]);
        assert_eq!(further(19_000, 5_000), HISTORY_PAGE);
    }
}
