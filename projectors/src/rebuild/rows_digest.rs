//! A digest of a set of rows: of those that an aggregate should have, or of those that are stored.

use domain::Json;
use sha2::{Digest, Sha256};

use crate::ports::Row;

/// The number of rows, and the sum of their digests, which depends neither on their order nor on
/// how they are grouped. Two sets of rows with the same digest are equal, as far as 128 bits of
/// SHA-256 can tell. An attacker who could make a collision could already write rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsDigest {
    /// The number of rows.
    pub rows: u32,
    /// The sum of their digests, modulo 2^128.
    pub sum: u128,
}

impl RowsDigest {
    /// The digest of unknown rows. No set of rows has it, so the aggregate is always compared row
    /// by row.
    pub const UNKNOWN: Self = Self {
        rows: u32::MAX,
        sum: 0,
    };

    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        self.merge(Self {
            rows: 1,
            sum: digest(row),
        });
    }

    /// Adds the rows of another digest.
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

/// The digest of one row. Equal rows have equal texts: members are ordered by name, and a number is
/// written in one way only.
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
