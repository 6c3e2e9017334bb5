//! The state after a commit, and which commits carry it.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_item;

use crate::{
    commit::{Item, SNAPSHOT, Unreadable},
    limits::{
        COMMITS_MAX, HISTORY_BYTES_MAX, ITEM_BYTES_MAX, SEAL_SHARE, SIZE_ERROR_BYTES,
        SNAPSHOT_EVERY, WRITE_UNIT_BYTES,
    },
    size::item_bytes,
};

/// The state after a commit. These names are stored, and read for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The state's shape; one of another shape is passed over.
    pub shape: String,
    /// The state, as JSON.
    pub state: String,
    /// A [`crate::fingerprint::Fingerprint`] of every commit so far, its own included, in order;
    /// where it names a seal, of every commit behind that. Stored under the name of old, so that
    /// builds before seals read it: they pass over a snapshot that has not all of them.
    #[serde(rename = "traces", with = "serde_bytes")]
    pub fingerprints: Vec<u8>,
    /// The sequence of the commit whose snapshot has the fingerprints before these. Without it,
    /// this snapshot has all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<u64>,
    /// What all commits so far take, see [`crate::Commit::text_bytes`]. Older builds did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// Bytes that it adds to its commit's item.
    pub fn item_bytes(&self) -> Result<usize, Unreadable> {
        let members: Item = to_item(self).map_err(Unreadable::damaged)?;
        let alone = Item::from([(SNAPSHOT.to_owned(), AttributeValue::M(members))]);
        Ok(item_bytes(&alone))
    }
}

/// How long a history may get, and which of its commits carry a snapshot. The default is what
/// [`crate::limits`] says; a test may want the same in small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Commits of an aggregate.
    pub commits_max: u32,
    /// Bytes of an aggregate's commits.
    pub bytes_max: u64,
    /// At the latest, commits whose ordinal this divides carry a snapshot.
    pub every: u32,
    /// Bytes that a put is charged by.
    pub unit_bytes: usize,
    /// A seal is worth paying for where one in so many fingerprints is behind the last.
    pub seal_share: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            commits_max: COMMITS_MAX,
            bytes_max: HISTORY_BYTES_MAX,
            every: SNAPSHOT_EVERY,
            unit_bytes: WRITE_UNIT_BYTES,
            seal_share: SEAL_SHARE,
        }
    }
}

/// What a commit can carry, by size.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Bytes of its item alone.
    pub bytes: usize,
    /// Is a snapshot due, whatever it costs?
    pub due: bool,
    /// Commits up to and with this one.
    pub ordinal: u32,
    /// Bytes of a snapshot with all fingerprints, where they are known.
    pub seal: Option<usize>,
    /// Bytes of a snapshot with those behind the last seal, where there is one, and how many.
    pub light: Option<(usize, u32)>,
}

/// What a commit carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// No snapshot.
    Nothing,
    /// The state, with the fingerprints behind the last seal.
    Light,
    /// The state, with all fingerprints.
    Seal,
}

impl Policy {
    /// Is the snapshot of commit number `ordinal` due, where `bare` commits before it have none?
    pub fn due(&self, ordinal: u32, bare: u32) -> bool {
        ordinal.is_multiple_of(self.every) || bare >= self.every
    }

    /// What a commit carries: whatever rides free, all fingerprints rather than some. What must be
    /// paid for waits until it is due; a seal, until [`Policy::seal_share`] says that it is worth
    /// it, but then at once, so that the snapshots behind it ride free again.
    pub fn carried(&self, choice: Choice) -> Carried {
        let Choice { bytes, .. } = choice;
        let seal = choice.seal.filter(|more| bytes + more <= ITEM_BYTES_MAX);
        let light = choice.light;
        let light = light.filter(|(more, _)| bytes + more <= ITEM_BYTES_MAX);
        let paid = self.units(bytes.saturating_sub(SIZE_ERROR_BYTES));
        let free = |more: usize| self.units(bytes + more) <= paid;
        let worth = |behind: u32| behind.saturating_mul(self.seal_share) >= choice.ordinal;
        match (seal, light) {
            (Some(seal), _) if free(seal) => Carried::Seal,
            (_, Some((light, _))) if free(light) => Carried::Light,
            (Some(_), Some((_, behind))) if behind >= self.every && worth(behind) => Carried::Seal,
            _ if !choice.due => Carried::Nothing,
            (Some(seal), Some((light, behind))) => {
                let no_more = self.units(bytes + seal) <= self.units(bytes + light);
                match no_more || worth(behind.max(self.every)) {
                    true => Carried::Seal,
                    false => Carried::Light,
                }
            }
            (Some(_), None) => Carried::Seal,
            (None, Some(_)) => Carried::Light,
            // A snapshot is only a short cut: the command must not fail for it.
            (None, None) => Carried::Nothing,
        }
    }

    fn units(&self, bytes: usize) -> usize {
        bytes.div_ceil(self.unit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(bytes: usize, ordinal: u32, seal: usize, light: Option<(usize, u32)>) -> Carried {
        let due = Policy::default().due(ordinal, 0);
        Policy::default().carried(Choice {
            bytes,
            due,
            ordinal,
            seal: Some(seal),
            light,
        })
    }

    #[test]
    fn what_rides_free_ends_with_the_unit() {
        assert_eq!(carried(600, 7, 424, None), Carried::Seal);
        assert_eq!(carried(600, 7, 425, None), Carried::Nothing);
        assert_eq!(carried(600, 7, 425, Some((424, 1))), Carried::Light);
        assert_eq!(carried(2_500, 7, 572, None), Carried::Seal);
        assert_eq!(carried(2_500, 7, 573, None), Carried::Nothing);
        // It may have been counted too large: then it costs one unit, not two.
        assert_eq!(carried(1_025, 7, 1, None), Carried::Nothing);
    }

    #[test]
    fn what_is_paid_for_is_a_seal_where_that_costs_no_more_or_is_worth_it() {
        assert_eq!(carried(900, 8, 900, None), Carried::Seal);
        assert_eq!(carried(900, 2_000, 1_140, Some((900, 8))), Carried::Seal);
        assert_eq!(carried(900, 384, 3_100, Some((500, 3))), Carried::Seal);
        assert_eq!(carried(900, 392, 3_100, Some((500, 8))), Carried::Light);
        assert_eq!(carried(900, 2_000, 16_500, Some((900, 41))), Carried::Light);
        assert_eq!(carried(900, 2_000, 16_500, Some((900, 42))), Carried::Seal);
        // Between two that are due, too, once the snapshots behind the last one ride free no more.
        assert_eq!(
            carried(900, 1_999, 16_500, Some((900, 41))),
            Carried::Nothing
        );
        assert_eq!(carried(900, 1_999, 16_500, Some((900, 42))), Carried::Seal);
        assert_eq!(carried(900, 1_999, 16_500, Some((100, 42))), Carried::Light);
        assert_eq!(carried(900, 15, 900, Some((700, 7))), Carried::Nothing);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let room = ITEM_BYTES_MAX - 900;
        assert_eq!(carried(900, 8, room, None), Carried::Seal);
        assert_eq!(carried(900, 8, room + 1, None), Carried::Nothing);
        assert_eq!(carried(900, 8, room + 1, Some((room, 8))), Carried::Light);
    }
}
