//! The ledger of a rebuild holds digests of rows between gathering and settling. It has buckets,
//! each small enough to be compared in memory, so that a rebuild needs the memory of one bucket
//! only.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::rows_digest::RowsDigest;
use crate::limits::{LEDGER_BUFFER_BYTES, LEDGER_CALLS_AT_ONCE};

/// A call of the ledger's storage failed. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct LedgerError(pub String);

/// The storage of a ledger's parts: objects by path, `<run>/<bucket>/<part>`.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes a part atomically, and overwrites one with the same path.
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError>;

    /// The paths of all parts that begin with `prefix`.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError>;

    /// Reads a part.
    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError>;
}

/// The rows that a digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestKind {
    /// The rows that follow from the history.
    Expected,
    /// The rows that are stored.
    Stored,
}

/// The path prefix of a bucket's parts.
pub fn bucket(run: &str, bucket: u32) -> String {
    format!("{run}/{bucket:05}/")
}

/// The name of a part: its source and segment, its number, and how many items it covers. A task may
/// be executed twice, even concurrently, and then the same part can cover different numbers of
/// items.
pub fn part(source: &str, segment: u32, number: u32, items: u64) -> String {
    format!("{source}-{segment}-{number}-{items:015}")
}

/// Of all versions of the same part, the one that covers the most items: it contains the others.
/// Items that the next part covers as well make a digest that differs, so the aggregate is compared
/// exactly, and no row is missed.
pub fn most_complete(mut paths: Vec<String>) -> Vec<String> {
    paths.sort_unstable();
    let same = |path: &str| path.rsplit_once('-').map(|(part, _)| part.to_owned());
    let mut most_complete: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        match most_complete.last_mut() {
            Some(last) if same(last) == same(&path) => *last = path,
            _ => most_complete.push(path),
        }
    }
    most_complete
}

/// Collects entries by bucket, to be written as parts.
#[derive(Debug, Default)]
pub struct Buffer {
    buckets: BTreeMap<u32, Vec<u8>>,
    bytes: usize,
}

impl Buffer {
    /// Adds the digest of an aggregate, by its name, to one of `buckets` buckets.
    pub fn add(&mut self, name: &str, side: DigestKind, digest: RowsDigest, buckets: u32) {
        let bytes = self.buckets.entry(bucket_of(name, buckets)).or_default();
        let before = bytes.len();
        // A valid name has at most 521 bytes; a key that somebody made up has at most 2,048, set by
        // DynamoDB.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&name.as_bytes()[..usize::from(length)]);
        bytes.push(match side {
            DigestKind::Expected => 0,
            DigestKind::Stored => 1,
        });
        bytes.extend(digest.rows.to_be_bytes());
        bytes.extend(digest.sum.to_be_bytes());
        self.bytes += bytes.len() - before;
    }

    /// Whether the buffer should be written.
    pub fn is_full(&self) -> bool {
        self.bytes >= LEDGER_BUFFER_BYTES
    }

    /// Writes all entries as the part `part` of the rebuild `run`, and empties the buffer.
    pub async fn flush(
        &mut self,
        ledger: &dyn Ledger,
        run: &str,
        part: &str,
    ) -> Result<(), LedgerError> {
        self.bytes = 0;
        let buckets = std::mem::take(&mut self.buckets).into_iter();
        let puts = buckets.map(|(number, bytes)| async move {
            let path = format!("{}{part}", bucket(run, number));
            ledger.put(&path, bytes).await
        });
        let puts = stream::iter(puts).buffer_unordered(LEDGER_CALLS_AT_ONCE);
        puts.try_collect().await
    }
}

/// The two digests of an aggregate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestPair {
    /// The digest of the rows that follow from its history.
    pub expected: RowsDigest,
    /// The digest of the rows that are stored.
    pub stored: RowsDigest,
}

/// The entries of all parts of a bucket, which [`Entries::read`] adds one by one.
#[derive(Debug, Default)]
pub struct Entries(HashMap<String, DigestPair>);

impl Entries {
    /// Adds the entries of a part. Fails where the part is cut short.
    pub fn read(&mut self, part: &[u8]) -> Result<(), LedgerError> {
        let mut rest = part;
        while !rest.is_empty() {
            let (name, side, digest) =
                entry(&mut rest).ok_or_else(|| LedgerError("a part is cut short".to_owned()))?;
            let both = self.0.entry(name).or_default();
            match side {
                DigestKind::Expected => both.expected.merge(digest),
                DigestKind::Stored => both.stored.merge(digest),
            }
        }
        Ok(())
    }

    /// The number of aggregates.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no aggregates.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the aggregates whose digests differ, in order.
    pub fn different(self) -> Vec<String> {
        let different =
            |(name, both): (String, DigestPair)| (both.expected != both.stored).then_some(name);
        let mut names: Vec<String> = self.0.into_iter().filter_map(different).collect();
        names.sort_unstable();
        names
    }
}

fn entry(rest: &mut &[u8]) -> Option<(String, DigestKind, RowsDigest)> {
    let length = u16::from_be_bytes(*take(rest)?);
    let (name, behind) = rest.split_at_checked(usize::from(length))?;
    *rest = behind;
    let name = String::from_utf8_lossy(name).into_owned();
    let side = match take::<1>(rest)? {
        [0] => DigestKind::Expected,
        _ => DigestKind::Stored,
    };
    let rows = u32::from_be_bytes(*take(rest)?);
    let sum = u128::from_be_bytes(*take(rest)?);
    Some((name, side, RowsDigest { rows, sum }))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(first)
}

/// The bucket of a name. It does not use a hasher of the standard library, since those may change
/// between builds, and another process reads the ledger.
fn bucket_of(name: &str, buckets: u32) -> u32 {
    let digest = Sha256::digest(name);
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % buckets.max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_read() {
        let digest = |sum| RowsDigest { rows: 1, sum };
        let mut buffer = Buffer::default();
        buffer.add("order#1", DigestKind::Expected, digest(7), 1);
        buffer.add("order#2", DigestKind::Expected, digest(8), 1);
        buffer.add("order#1", DigestKind::Stored, digest(7), 1);
        buffer.add("order#2", DigestKind::Stored, digest(9), 1);
        buffer.add("order#3", DigestKind::Stored, digest(1), 1);
        let part = buffer.buckets.remove(&0).unwrap();
        let mut entries = Entries::default();
        entries.read(&part).unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries.different(), ["order#2", "order#3"]);
        assert!(Entries::default().read(&part[..part.len() - 1]).is_err());
    }

    #[test]
    fn of_a_part_that_was_written_twice_the_longer_one_counts() {
        let path = |number, items| format!("run/00000/{}", part("events", 3, number, items));
        let paths = vec![path(1, 90), path(0, 1_000), path(1, 2_000), path(10, 3_000)];
        let expected = [path(0, 1_000), path(1, 2_000), path(10, 3_000)];
        assert_eq!(most_complete(paths), expected);
    }

    #[test]
    fn names_spread_over_the_buckets() {
        let mut buffer = Buffer::default();
        for number in 0..10_000 {
            let name = format!("order#{number}");
            buffer.add(&name, DigestKind::Stored, RowsDigest::default(), 16);
        }
        let sizes = buffer.buckets.values().map(Vec::len);
        assert_eq!(sizes.clone().count(), 16);
        assert!(sizes.clone().max() < Some(2 * sizes.clone().min().unwrap()));
    }
}
