//! Shards: the partitions that an index is spread over.

use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The most shards of an index. More would not help: a list reads every one of them.
pub const SHARDS_MAX: u8 = 64;

/// The number of shards of an environment's indexes, 1 to 64.
///
/// The number may only grow, and the read models are rebuilt after that. Until then rows stay in
/// the shard that they were written to, which is still one of those that a list reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u8);

/// The text is not a number of shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} shards: a whole number from 1 to {SHARDS_MAX} was expected")]
pub struct InvalidShards(pub String);

impl Shards {
    /// One shard: the index is not spread.
    pub const ONE: Self = Self(1);

    /// The number of shards.
    pub fn count(self) -> u8 {
        self.0
    }

    /// The shard of an order or shipment: the first four bytes of the SHA-256 of its id, as a
    /// big-endian number, modulo the number of shards. Rows store it, so this rule never changes.
    pub fn of(self, id: &str) -> u8 {
        let hash = Sha256::digest(id);
        let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        // Less than the modulus, which is a byte.
        u8::try_from(number % u32::from(self.0)).unwrap_or_default()
    }

    /// The partition key of a shard: `<value>#<shard>`.
    pub fn partition(value: &str, shard: u8) -> String {
        format!("{value}#{shard}")
    }
}

impl Default for Shards {
    fn default() -> Self {
        Self::ONE
    }
}

impl FromStr for Shards {
    type Err = InvalidShards;

    fn from_str(text: &str) -> Result<Self, InvalidShards> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let count = text.parse().ok().filter(|_| digits);
        count
            .filter(|count| (1..=SHARDS_MAX).contains(count))
            .map(Self)
            .ok_or_else(|| InvalidShards(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_to_sixty_four() {
        for (text, count) in [("1", 1), ("8", 8), ("64", 64)] {
            assert_eq!(text.parse(), Ok(Shards(count)));
        }
        for bad in ["", "0", "65", "-1", "+1", "1.0", "x", "300"] {
            assert_eq!(
                bad.parse::<Shards>(),
                Err(InvalidShards(bad.to_owned())),
                "{bad}"
            );
        }
    }

    /// Stored rows are in these shards: another result would make them impossible to find.
    #[test]
    fn an_id_stays_in_its_shard_for_ever() {
        let of = |id: &str| [1, 2, 8, 16, 64].map(|count| Shards(count).of(id));
        assert_eq!(of("ORD-1"), GOLDEN[0]);
        assert_eq!(of("SHIP-12345"), GOLDEN[1]);
        assert_eq!(of("0"), GOLDEN[2]);
    }

    const GOLDEN: [[u8; 5]; 3] = [[0, 0, 0, 0, 32], [0, 1, 5, 5, 53], [0, 0, 6, 6, 38]];

    #[test]
    fn shards_are_filled_evenly() {
        let mut filled = [0_u32; 16];
        for number in 0..16_000 {
            filled[usize::from(Shards(16).of(&format!("ORD-{number}")))] += 1;
        }
        assert!(
            filled.iter().all(|n| (900..1_100).contains(n)),
            "{filled:?}"
        );
    }
}
