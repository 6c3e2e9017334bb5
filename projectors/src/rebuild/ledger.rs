//! Where digests lie between gathering and settling: in buckets, each small enough to be
//! compared in memory, so that the whole needs no more memory than one of them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::rows_digest::RowsDigest;
use crate::limits::{LEDGER_BUFFER_BYTES, LEDGER_CALLS_AT_ONCE};

/// What a ledger's place cannot do. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is unavailable: {0}")]
pub struct LedgerError(pub String);

/// A place for the parts of a ledger: objects by path, `<run>/<bucket>/<part>`.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Keeps a part, whole or not at all, in place of one with the same path.
    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LedgerError>;

    /// The paths of the parts that begin so.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, LedgerError>;

    /// A part as it was put.
    async fn get(&self, path: &str) -> Result<Vec<u8>, LedgerError>;
}

/// Which rows a digest is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those that should be.
    Expected,
    /// Those that are.
    There,
}

/// The path of a bucket's parts.
pub fn bucket(run: &str, bucket: u32) -> String {
    format!("{run}/{bucket:05}/")
}

/// The name of a part of a segment: which one, and how far it reaches. A piece of work may be done
/// twice, even at the same time, and then its parts reach differently far.
pub fn part(source: &str, segment: u32, number: u32, items: u64) -> String {
    format!("{source}-{segment}-{number}-{items:015}")
}

/// Of parts that are the same one, the one that reaches furthest: it holds what the others do. What
/// the next part holds as well makes a digest that differs, and no row goes unseen.
pub fn furthest(mut paths: Vec<String>) -> Vec<String> {
    paths.sort_unstable();
    let same = |path: &str| path.rsplit_once('-').map(|(part, _)| part.to_owned());
    let mut furthest: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        match furthest.last_mut() {
            Some(last) if same(last) == same(&path) => *last = path,
            _ => furthest.push(path),
        }
    }
    furthest
}

/// Parts being written: entries by bucket.
#[derive(Debug, Default)]
pub struct Buffer {
    buckets: BTreeMap<u32, Vec<u8>>,
    bytes: usize,
}

impl Buffer {
    /// Notes an aggregate by its name, in one of `buckets` buckets.
    pub fn add(&mut self, name: &str, side: Side, digest: RowsDigest, buckets: u32) {
        let bytes = self.buckets.entry(bucket_of(name, buckets)).or_default();
        let before = bytes.len();
        // Ids have at most 64 characters, invented ones at most 2,048 bytes, set by DynamoDB.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&name.as_bytes()[..usize::from(length)]);
        bytes.push(match side {
            Side::Expected => 0,
            Side::There => 1,
        });
        bytes.extend(digest.rows.to_be_bytes());
        bytes.extend(digest.sum.to_be_bytes());
        self.bytes += bytes.len() - before;
    }

    /// Is it time to put it away?
    pub fn is_full(&self) -> bool {
        self.bytes >= LEDGER_BUFFER_BYTES
    }

    /// Puts all of it away as `part` of `run`, and is empty.
    pub async fn put_away(
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

/// An aggregate's digests: of the rows that should be, and of those that are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Both {
    /// Of those that should be.
    pub expected: RowsDigest,
    /// Of those that are.
    pub there: RowsDigest,
}

/// Reads the parts of a bucket together, each in turn by [`Entries::read`].
#[derive(Debug, Default)]
pub struct Entries(HashMap<String, Both>);

impl Entries {
    /// Reads one part. Where it is cut short, that is said.
    pub fn read(&mut self, part: &[u8]) -> Result<(), LedgerError> {
        let mut rest = part;
        while !rest.is_empty() {
            let (name, side, digest) =
                entry(&mut rest).ok_or_else(|| LedgerError("a part is cut short".to_owned()))?;
            let both = self.0.entry(name).or_default();
            match side {
                Side::Expected => both.expected.merge(digest),
                Side::There => both.there.merge(digest),
            }
        }
        Ok(())
    }

    /// How many aggregates were read.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Was nothing read?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The aggregates whose digests differ, by name.
    pub fn different(self) -> Vec<String> {
        let different =
            |(name, both): (String, Both)| (both.expected != both.there).then_some(name);
        let mut names: Vec<String> = self.0.into_iter().filter_map(different).collect();
        names.sort_unstable();
        names
    }
}

fn entry(rest: &mut &[u8]) -> Option<(String, Side, RowsDigest)> {
    let length = u16::from_be_bytes(*take(rest)?);
    let (name, behind) = rest.split_at_checked(usize::from(length))?;
    *rest = behind;
    let name = String::from_utf8_lossy(name).into_owned();
    let side = match take::<1>(rest)? {
        [0] => Side::Expected,
        _ => Side::There,
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

/// The bucket of a name. Not by a hasher of the standard library: those may change, and a ledger is
/// read by another process than wrote it.
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
        buffer.add("order#1", Side::Expected, digest(7), 1);
        buffer.add("order#2", Side::Expected, digest(8), 1);
        buffer.add("order#1", Side::There, digest(7), 1);
        buffer.add("order#2", Side::There, digest(9), 1);
        buffer.add("order#3", Side::There, digest(1), 1);
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
        assert_eq!(furthest(paths), expected);
    }

    #[test]
    fn names_spread_over_the_buckets() {
        let mut buffer = Buffer::default();
        for number in 0..10_000 {
            let name = format!("order#{number}");
            buffer.add(&name, Side::There, RowsDigest::default(), 16);
        }
        let sizes = buffer.buckets.values().map(Vec::len);
        assert_eq!(sizes.clone().count(), 16);
        assert!(sizes.clone().max() < Some(2 * sizes.clone().min().unwrap()));
    }
}
