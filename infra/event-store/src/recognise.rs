//! Recognises a repeated command: finds the commit that it made before.

use domain::{AggregateId, Digest, EventSourced};

use crate::{
    commit::Commit,
    error::StoreError,
    fingerprint::{Fingerprints, FullSnapshotPosition, LookupKey},
    limits::{HISTORY_PAGE, PAGES_MAX},
    load::Loaded,
    store::EventStore,
};

impl EventStore {
    /// Finds the commit that a command made before; it is called before anything is decided.
    ///
    /// The command's id is looked up first, then the digests that its content has in this build and
    /// had in earlier ones. A commit with one of those digests counts only if `has_same_content` is
    /// true of it.
    ///
    /// Where `loaded` lacks fingerprints of older commits, and the command is not found among the
    /// latest, one more request reads the missing ones: a consistent read, 8 bytes a commit. They
    /// are kept in `loaded`, so its next commit can carry a full snapshot.
    pub async fn recognise<A: EventSourced>(
        &self,
        loaded: &mut Loaded<A>,
        command_id: &str,
        contents: &[Digest],
        has_same_content: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        let id = LookupKey::Command(command_id);
        if let Some(commit) = self.made_by(loaded, id, &|_| true).await? {
            return Ok(Some(commit));
        }
        if let Some(full) = loaded.fingerprints.missing() {
            let earlier = self.fingerprints_up_to(&loaded.id, full).await?;
            loaded.fingerprints.complete(earlier);
            if let Some(commit) = self.made_by(loaded, id, &|_| true).await? {
                return Ok(Some(commit));
            }
        }
        for digest in contents {
            let content = LookupKey::Content(digest);
            if let Some(commit) = self.made_by(loaded, content, has_same_content).await? {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    async fn made_by<A: EventSourced>(
        &self,
        loaded: &Loaded<A>,
        key: LookupKey<'_>,
        counts: &(dyn Fn(&Commit) -> bool + Sync),
    ) -> Result<Option<Commit>, StoreError> {
        let is_it = |commit: &Commit| key.matches(commit) && counts(commit);
        if let Some(commit) = loaded.recent.iter().find(|commit| is_it(commit)) {
            return Ok(Some(commit.clone()));
        }
        let recent = u32::try_from(loaded.recent.len()).unwrap_or(u32::MAX);
        let older = loaded.commits.saturating_sub(recent);
        match loaded.fingerprints.first(key, older) {
            // Commit number n begins with sequence n or above.
            Some(ordinal) => self.find(&loaded.id, ordinal.into(), &is_it).await,
            None => Ok(None),
        }
    }

    /// The fingerprints of a full snapshot; where it is damaged, those of the history itself.
    async fn fingerprints_up_to(
        &self,
        id: &AggregateId,
        position: FullSnapshotPosition,
    ) -> Result<Vec<u8>, StoreError> {
        let page = self.history(id, position.sequence, 1).await?;
        let commit = page.commits.first();
        let commit = commit.filter(|commit| commit.ordinal == position.ordinal);
        let stored = commit.and_then(Fingerprints::stored);
        if let Some(all) = stored.as_ref().and_then(Fingerprints::all) {
            return Ok(all.to_vec());
        }
        let (mut taken, mut from) = (Fingerprints::default(), 1);
        for _ in 0..PAGES_MAX {
            let page = self.history(id, from, HISTORY_PAGE).await?;
            for commit in page.commits {
                taken.push(&commit.cause);
                if commit.ordinal >= position.ordinal {
                    return Ok(taken.all().unwrap_or_default().to_vec());
                }
            }
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        Err(StoreError::Corrupt {
            aggregate: id.clone(),
            sequence: position.sequence,
            reason: "a snapshot refers to an earlier full snapshot that does not exist".to_owned(),
        })
    }
}
