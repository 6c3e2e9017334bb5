//! Fingerprints of commits, by which a repeated command is recognised without reading the history.
//!
//! A snapshot with the fingerprints of all commits up to its own is a *full snapshot*. Any other
//! snapshot names an earlier full one and has only the fingerprints of the commits after it, so
//! that it stays small; a reader that needs all of them reads that full snapshot, too.

use domain::Digest;
use sha2::{Digest as _, Sha256};

use crate::commit::{Cause, Commit};

/// The fingerprint of a commit: four bytes of a hash of its command id, and four of a hash of its
/// digest. Without a match, no such command was executed before; a match is confirmed in the
/// history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; Fingerprint::BYTES]);

impl Fingerprint {
    /// The bytes of a fingerprint.
    pub const BYTES: usize = 8;

    /// The fingerprint of a commit with this cause.
    pub fn of(cause: &Cause) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&short_hash(&cause.command_id));
        bytes[4..].copy_from_slice(&short_hash(cause.digest.as_str()));
        Self(bytes)
    }

    /// The 8 bytes of the fingerprint.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A property by which the commit of a command is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKey<'a> {
    /// The id of the command that made it.
    Command(&'a str),
    /// The content of the command that made it.
    Content(&'a Digest),
}

impl LookupKey<'_> {
    /// Whether the commit has this command id or content.
    pub fn matches(self, commit: &Commit) -> bool {
        match self {
            Self::Command(id) => commit.cause.command_id == id,
            Self::Content(digest) => commit.cause.digest == *digest,
        }
    }

    /// The bytes of a fingerprint that stand for this property, and their value.
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

/// The position of a full snapshot: the commit whose snapshot has all fingerprints up to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullSnapshotPosition {
    /// The sequence with which the commit begins.
    pub sequence: u64,
    /// The ordinal of the commit, which is also the number of its fingerprints.
    pub ordinal: u32,
}

/// The fingerprints of all commits of an aggregate, or of those after a full snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// The number of commits before the first of these fingerprints.
    missing_before: u32,
    /// The latest stored full snapshot.
    full_snapshot: Option<FullSnapshotPosition>,
    bytes: Vec<u8>,
}

impl Fingerprints {
    /// The fingerprints in a commit's snapshot; `None` where it has no snapshot, or they are
    /// damaged. They are sound if the last one is the commit's own: then none is missing at the
    /// end.
    pub fn stored(commit: &Commit) -> Option<Self> {
        let snapshot = commit.snapshot.as_ref()?;
        let bytes = &snapshot.fingerprints;
        let count = u32::try_from(bytes.len() / Fingerprint::BYTES).ok()?;
        let missing_before = commit.ordinal.checked_sub(count)?;
        let sound = bytes.len().is_multiple_of(Fingerprint::BYTES)
            && bytes.ends_with(Fingerprint::of(&commit.cause).bytes());
        let full_snapshot = match snapshot.full_snapshot {
            None if missing_before == 0 => FullSnapshotPosition {
                sequence: commit.sequence,
                ordinal: commit.ordinal,
            },
            Some(sequence) if missing_before > 0 && sequence < commit.sequence => {
                FullSnapshotPosition {
                    sequence,
                    ordinal: missing_before,
                }
            }
            _ => return None,
        };
        sound.then(|| Self {
            missing_before,
            full_snapshot: Some(full_snapshot),
            bytes: bytes.clone(),
        })
    }

    /// Adds the fingerprint of the next commit, and notes whether that commit carries a full
    /// snapshot.
    pub fn add(&mut self, commit: &Commit) {
        self.push(&commit.cause);
        // Its fingerprints count even where its state has another schema and is ignored.
        match Self::stored(commit).filter(|stored| stored.missing_before == 0) {
            Some(all) if self.missing_before > 0 => *self = all,
            Some(all) => self.full_snapshot = all.full_snapshot,
            None => {}
        }
    }

    /// Adds the fingerprint of a commit with this cause.
    pub fn push(&mut self, cause: &Cause) {
        self.bytes.extend_from_slice(Fingerprint::of(cause).bytes());
    }

    /// The full snapshot with the missing fingerprints; `None` where none are missing.
    pub fn missing(&self) -> Option<FullSnapshotPosition> {
        self.full_snapshot.filter(|_| self.missing_before > 0)
    }

    /// Adds the missing fingerprints, which the full snapshot has.
    pub fn complete(&mut self, mut earlier: Vec<u8>) {
        earlier.append(&mut self.bytes);
        self.bytes = earlier;
        self.missing_before = 0;
    }

    /// The bytes of all fingerprints; `None` where some are missing.
    pub fn all(&self) -> Option<&[u8]> {
        (self.missing_before == 0).then_some(&self.bytes)
    }

    /// The latest full snapshot and the fingerprints of the commits after it; `None` where there is
    /// no full snapshot.
    pub fn after_full_snapshot(&self) -> Option<(FullSnapshotPosition, &[u8])> {
        let full = self.full_snapshot?;
        let start = full.ordinal.checked_sub(self.missing_before)? as usize * Fingerprint::BYTES;
        Some((full, self.bytes.get(start..)?))
    }

    /// The ordinal of the first commit up to `last` whose fingerprint matches `key`. Missing
    /// fingerprints are not looked at.
    pub fn first(&self, key: LookupKey<'_>, last: u32) -> Option<u32> {
        let (byte_range, hash) = key.hashed();
        let numbered = self.bytes.chunks_exact(Fingerprint::BYTES);
        (self.missing_before + 1..=last)
            .zip(numbered)
            .find(|(_, fingerprint)| fingerprint.get(byte_range.clone()) == Some(&hash))
            .map(|(ordinal, _)| ordinal)
    }
}
