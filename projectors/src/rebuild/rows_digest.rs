//! A digest of an aggregate's rows, of those that should be or of those that are.

use domain::Json;
use sha2::{Digest, Sha256};

use crate::ports::Row;

/// So many rows, and the sum of their digests: the order in which they come does not matter, nor
/// whether they come at once. Two sets of rows with the same one are equal, as far as 128 bits of
/// SHA-256 can tell; nobody who may write rows gains by making them collide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsDigest {
    /// How many rows.
    pub rows: u32,
    /// The sum of their digests, modulo 2^128.
    pub sum: u128,
}

impl RowsDigest {
    /// Of rows that nobody knows: no set of rows has it, so the aggregate is always examined.
    pub const UNKNOWN: Self = Self {
        rows: u32::MAX,
        sum: 0,
    };

    /// Takes another row in.
    pub fn add(&mut self, row: &Row) {
        self.merge(Self {
            rows: 1,
            sum: digest(row),
        });
    }

    /// Takes the rows of another digest in.
    pub fn merge(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl<'a> FromIterator<&'a Row> for RowsDigest {
    fn from_iter<I: IntoIterator<Item = &'a Row>>(rows: I) -> Self {
        let mut digest = Self::default();
        rows.into_iter().for_each(|row| digest.add(row));
        digest
    }
}

/// Rows that are equal have one text: members stand in the order of their names, and a number has
/// one way to be written.
fn digest(row: &Row) -> u128 {
    let mut hasher = Sha256::new();
    for (name, value) in row {
        hasher.update(Json::String(name.clone()).to_string());
        hasher.update(value.to_string());
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    u128::from_be_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: Json) -> Row {
        Row::from([(name.to_owned(), value)])
    }

    #[test]
    fn equal_rows_have_one_digest_in_any_order() {
        let (one, other) = (row("a", 1_u64.into()), row("b", "x".into()));
        let forth = RowsDigest::from_iter([&one, &other]);
        assert_eq!(forth, RowsDigest::from_iter([&other, &one]));
        let mut merged = RowsDigest::from_iter([&other]);
        merged.merge(RowsDigest::from_iter([&one]));
        assert_eq!(forth, merged);
    }

    #[test]
    fn rows_that_differ_have_different_ones() {
        let rows = [
            row("a", "1".into()),
            row("a", 1_u64.into()),
            row("a1", "".into()),
            row("b", "1".into()),
            Row::new(),
        ];
        let mut seen = vec![RowsDigest::default()];
        for row in &rows {
            let digest = RowsDigest::from_iter([row]);
            assert!(!seen.contains(&digest));
            seen.push(digest);
        }
        let twice = RowsDigest::from_iter([&rows[0], &rows[0]]);
        assert!(!seen.contains(&twice));
    }
}
