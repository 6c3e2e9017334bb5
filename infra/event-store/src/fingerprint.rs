//! What is remembered of every commit, so that a repeated command is known without its history.
//!
//! A snapshot has the fingerprints of all commits up to its own: then it is a *seal*. Or it names
//! an earlier seal and has those behind it only, so that it stays small; whoever wants all of them
//! reads that seal, too.

use domain::Digest;
use sha2::{Digest as _, Sha256};

use crate::commit::{Cause, Commit};

/// What remains of an old commit: four bytes each of its command id and its digest, hashed. Enough
/// to say "never seen"; what seems seen is confirmed in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; Fingerprint::BYTES]);

impl Fingerprint {
    /// Bytes of a fingerprint.
    pub const BYTES: usize = 8;

    /// Of a commit with this cause.
    pub fn of(cause: &Cause) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&short_hash(&cause.command_id));
        bytes[4..].copy_from_slice(&short_hash(cause.digest.as_str()));
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a commit is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// The id of the command that made it.
    Command(&'a str),
    /// The content of the command that made it.
    Content(&'a Digest),
}

impl Mark<'_> {
    /// Does this commit bear it?
    pub fn is_on(self, commit: &Commit) -> bool {
        match self {
            Self::Command(id) => commit.cause.command_id == id,
            Self::Content(digest) => commit.cause.digest == *digest,
        }
    }

    /// Where it is in a fingerprint, and what it looks like there.
    fn hashed(self) -> (std::ops::Range<usize>, [u8; 4]) {
        match self {
            Self::Command(id) => (0..4, short_hash(id)),
            Self::Content(digest) => (4..Fingerprint::BYTES, short_hash(digest.as_str())),
        }
    }
}

fn short_hash(text: &str) -> [u8; 4] {
    let hash = Sha256::digest(text);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Where the fingerprints of an aggregate's commits up to one of them stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The sequence that the commit with them begins with.
    pub sequence: u64,
    /// Which commit it is, and how many fingerprints there are.
    pub ordinal: u32,
}

/// Fingerprints of an aggregate's commits: of all of them, or of those behind a seal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// Commits before the first of these.
    lacking: u32,
    /// The latest seal that is stored.
    seal: Option<Seal>,
    bytes: Vec<u8>,
}

impl Fingerprints {
    /// Those that a commit's snapshot has or names; `None` where it has none, or they are damaged:
    /// the last one is the commit's own, so that none can be missing behind it.
    pub fn stored(commit: &Commit) -> Option<Self> {
        let snapshot = commit.snapshot.as_ref()?;
        let bytes = &snapshot.fingerprints;
        let count = u32::try_from(bytes.len() / Fingerprint::BYTES).ok()?;
        let lacking = commit.ordinal.checked_sub(count)?;
        let sound = bytes.len().is_multiple_of(Fingerprint::BYTES)
            && bytes.ends_with(Fingerprint::of(&commit.cause).bytes());
        let seal = match snapshot.seal {
            None if lacking == 0 => Seal {
                sequence: commit.sequence,
                ordinal: commit.ordinal,
            },
            Some(sequence) if lacking > 0 && sequence < commit.sequence => Seal {
                sequence,
                ordinal: lacking,
            },
            _ => return None,
        };
        sound.then(|| Self {
            lacking,
            seal: Some(seal),
            bytes: bytes.clone(),
        })
    }

    /// Takes in the commit that comes next.
    pub fn add(&mut self, commit: &Commit) {
        self.push(&commit.cause);
        // Of a shape that its state is not read of, it is a seal all the same.
        match Self::stored(commit).filter(|stored| stored.lacking == 0) {
            Some(all) if self.lacking > 0 => *self = all,
            Some(all) => self.seal = all.seal,
            None => {}
        }
    }

    /// The same, and that of a commit with this cause.
    pub fn push(&mut self, cause: &Cause) {
        self.bytes.extend_from_slice(Fingerprint::of(cause).bytes());
    }

    /// The seal that has those which are not here; `None` where all are.
    pub fn missing(&self) -> Option<Seal> {
        self.seal.filter(|_| self.lacking > 0)
    }

    /// Takes those in that the missing seal has.
    pub fn complete(&mut self, mut earlier: Vec<u8>) {
        earlier.append(&mut self.bytes);
        self.bytes = earlier;
        self.lacking = 0;
    }

    /// All of them, where all are here.
    pub fn all(&self) -> Option<&[u8]> {
        (self.lacking == 0).then_some(&self.bytes)
    }

    /// The latest seal and the fingerprints behind it, where there is one.
    pub fn behind_seal(&self) -> Option<(Seal, &[u8])> {
        let seal = self.seal?;
        let sealed = seal.ordinal.checked_sub(self.lacking)? as usize * Fingerprint::BYTES;
        Some((seal, self.bytes.get(sealed..)?))
    }

    /// The number of the first commit up to `last` that may bear a mark, as far as is known here.
    pub fn first(&self, mark: Mark<'_>, last: u32) -> Option<u32> {
        let (place, hash) = mark.hashed();
        let numbered = self.bytes.chunks_exact(Fingerprint::BYTES);
        (self.lacking + 1..=last)
            .zip(numbered)
            .find(|(_, fingerprint)| fingerprint.get(place.clone()) == Some(&hash))
            .map(|(ordinal, _)| ordinal)
    }
}
