//! Fingerprints of commits, by which a repeated command is recognised without reading the history.
//!
//! A snapshot with the fingerprints of all commits up to its own is a *seal*. Any other snapshot
//! names an earlier seal and has only the fingerprints of the commits after it, so that it stays
//! small; a reader that needs all of them reads that seal, too.

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
pub enum Mark<'a> {
    /// The id of the command that made it.
    Command(&'a str),
    /// The content of the command that made it.
    Content(&'a Digest),
}

impl Mark<'_> {
    /// Whether the commit has this command id or content.
    pub fn is_on(self, commit: &Commit) -> bool {
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

/// The position of a seal, the commit whose snapshot has all fingerprints up to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The sequence with which the seal's commit begins.
    pub sequence: u64,
    /// The ordinal of the seal's commit, which is also the number of its fingerprints.
    pub ordinal: u32,
}

/// The fingerprints of all commits of an aggregate, or of those after a seal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// The number of commits before the first of these fingerprints.
    lacking: u32,
    /// The latest stored seal.
    seal: Option<Seal>,
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

    /// Adds the fingerprint of the next commit, and notes whether that commit carries a seal.
    pub fn add(&mut self, commit: &Commit) {
        self.push(&commit.cause);
        // Its fingerprints count even where its state has another shape and is ignored.
        match Self::stored(commit).filter(|stored| stored.lacking == 0) {
            Some(all) if self.lacking > 0 => *self = all,
            Some(all) => self.seal = all.seal,
            None => {}
        }
    }

    /// Adds the fingerprint of a commit with this cause.
    pub fn push(&mut self, cause: &Cause) {
        self.bytes.extend_from_slice(Fingerprint::of(cause).bytes());
    }

    /// The seal with the missing fingerprints; `None` where none are missing.
    pub fn missing(&self) -> Option<Seal> {
        self.seal.filter(|_| self.lacking > 0)
    }

    /// Adds the missing fingerprints, which the seal has.
    pub fn complete(&mut self, mut earlier: Vec<u8>) {
        earlier.append(&mut self.bytes);
        self.bytes = earlier;
        self.lacking = 0;
    }

    /// The bytes of all fingerprints; `None` where some are missing.
    pub fn all(&self) -> Option<&[u8]> {
        (self.lacking == 0).then_some(&self.bytes)
    }

    /// The latest seal and the fingerprints of the commits after it; `None` where there is no seal.
    pub fn behind_seal(&self) -> Option<(Seal, &[u8])> {
        let seal = self.seal?;
        let sealed = seal.ordinal.checked_sub(self.lacking)? as usize * Fingerprint::BYTES;
        Some((seal, self.bytes.get(sealed..)?))
    }

    /// The ordinal of the first commit up to `last` whose fingerprint matches `mark`. Missing
    /// fingerprints are not looked at.
    pub fn first(&self, mark: Mark<'_>, last: u32) -> Option<u32> {
        let (place, hash) = mark.hashed();
        let numbered = self.bytes.chunks_exact(Fingerprint::BYTES);
        (self.lacking + 1..=last)
            .zip(numbered)
            .find(|(_, fingerprint)| fingerprint.get(place.clone()) == Some(&hash))
            .map(|(ordinal, _)| ordinal)
    }
}
