//! Snapshots: the state after a commit, and the choice of the commits that carry one.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_item;

use crate::{
    error::UnreadableCommit,
    item::{Item, SNAPSHOT},
    limits::{
        COMMITS_MAX, FULL_SNAPSHOT_SHARE, HISTORY_BYTES_MAX, ITEM_BYTES_MAX, SIZE_ERROR_BYTES,
        SNAPSHOT_EVERY, WRITE_UNIT_BYTES,
    },
    size::item_bytes,
};

/// The state of an aggregate after a commit, stored in the commit's item. The names of its fields
/// are stored and never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The name of the state's schema (`EventSourced::STATE_SCHEMA`). A load ignores a snapshot
    /// with another one.
    #[serde(rename = "shape")]
    pub schema: String,
    /// The state, as JSON.
    pub state: String,
    /// A [`crate::fingerprint::Fingerprint`] of every commit up to this one, in order; where
    /// `full_snapshot` is set, of every commit after that one. The stored name is an old one:
    /// builds from before partial snapshots read it, and ignore a snapshot that lacks fingerprints.
    #[serde(rename = "traces", with = "serde_bytes")]
    pub fingerprints: Vec<u8>,
    /// The sequence of the commit whose snapshot has the fingerprints before these. Where it is
    /// missing, this snapshot has all of them and is a full one itself.
    #[serde(default, rename = "seal", skip_serializing_if = "Option::is_none")]
    pub full_snapshot: Option<u64>,
    /// The bytes of all commits so far, see [`crate::Commit::text_bytes`]; missing in snapshots of
    /// older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// The bytes that the snapshot adds to its commit's item.
    pub fn item_bytes(&self) -> Result<usize, UnreadableCommit> {
        let members: Item = to_item(self).map_err(UnreadableCommit::damaged)?;
        let alone = Item::from([(SNAPSHOT.to_owned(), AttributeValue::M(members))]);
        Ok(item_bytes(&alone))
    }
}

/// How large a history may become, and which of its commits carry a snapshot. The default follows
/// [`crate::limits`]; a test may use smaller numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The most commits of an aggregate.
    pub commits_max: u32,
    /// The most bytes of an aggregate's commits.
    pub bytes_max: u64,
    /// A snapshot is due in every commit whose ordinal is a multiple of this.
    pub every: u32,
    /// Bytes of a write unit, by which a put is charged.
    pub unit_bytes: usize,
    /// A full snapshot is worth its write units once one in this many fingerprints is newer than
    /// the last full snapshot.
    pub full_snapshot_share: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            commits_max: COMMITS_MAX,
            bytes_max: HISTORY_BYTES_MAX,
            every: SNAPSHOT_EVERY,
            unit_bytes: WRITE_UNIT_BYTES,
            full_snapshot_share: FULL_SNAPSHOT_SHARE,
        }
    }
}

/// The sizes from which [`Policy::choose_snapshot`] chooses what a commit carries.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotSizes {
    /// The bytes of the commit's item without a snapshot.
    pub bytes: usize,
    /// Whether a snapshot is due, whatever it costs.
    pub due: bool,
    /// The commit's ordinal: the number of commits up to this one.
    pub ordinal: u32,
    /// The bytes of a snapshot with all fingerprints; `None` where they are not all known.
    pub full: Option<usize>,
    /// The bytes of a snapshot with the fingerprints after the last full one, and their number;
    /// `None` where there is no full one.
    pub partial: Option<(usize, u32)>,
}

/// The kind of snapshot that a commit carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// No snapshot.
    None,
    /// The state, with the fingerprints of the commits after the last full snapshot.
    Partial,
    /// The state, with the fingerprints of all commits.
    Full,
}

impl Policy {
    /// Whether commit number `ordinal` is due to carry a snapshot, where the last
    /// `commits_since_snapshot` commits before it carry none.
    pub fn due(&self, ordinal: u32, commits_since_snapshot: u32) -> bool {
        ordinal.is_multiple_of(self.every) || commits_since_snapshot >= self.every
    }

    /// Chooses what a commit carries. A snapshot that costs no further write unit is always
    /// carried, a full one before a partial one. One that costs waits until it is due. A full one
    /// that costs waits until it is worth it by [`Policy::full_snapshot_share`], but is then
    /// written at once, so that the partial snapshots after it are small and free again.
    pub fn choose_snapshot(&self, sizes: SnapshotSizes) -> SnapshotKind {
        let SnapshotSizes { bytes, .. } = sizes;
        let full = sizes.full.filter(|more| bytes + more <= ITEM_BYTES_MAX);
        let partial = sizes.partial;
        let partial = partial.filter(|(more, _)| bytes + more <= ITEM_BYTES_MAX);
        let paid = self.units(bytes.saturating_sub(SIZE_ERROR_BYTES));
        let free = |more: usize| self.units(bytes + more) <= paid;
        let worth = |newer: u32| newer.saturating_mul(self.full_snapshot_share) >= sizes.ordinal;
        match (full, partial) {
            (Some(full), _) if free(full) => SnapshotKind::Full,
            (_, Some((partial, _))) if free(partial) => SnapshotKind::Partial,
            (Some(_), Some((_, newer))) if newer >= self.every && worth(newer) => {
                SnapshotKind::Full
            }
            _ if !sizes.due => SnapshotKind::None,
            (Some(full), Some((partial, newer))) => {
                let no_more = self.units(bytes + full) <= self.units(bytes + partial);
                match no_more || worth(newer.max(self.every)) {
                    true => SnapshotKind::Full,
                    false => SnapshotKind::Partial,
                }
            }
            (Some(_), None) => SnapshotKind::Full,
            (None, Some(_)) => SnapshotKind::Partial,
            // A snapshot only saves reads: the command must not fail because it does not fit.
            (None, None) => SnapshotKind::None,
        }
    }

    fn units(&self, bytes: usize) -> usize {
        bytes.div_ceil(self.unit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(
        bytes: usize,
        ordinal: u32,
        full: usize,
        partial: Option<(usize, u32)>,
    ) -> SnapshotKind {
        let due = Policy::default().due(ordinal, 0);
        Policy::default().choose_snapshot(SnapshotSizes {
            bytes,
            due,
            ordinal,
            full: Some(full),
            partial,
        })
    }

    #[test]
    fn what_rides_free_ends_with_the_unit() {
        assert_eq!(carried(600, 7, 424, None), SnapshotKind::Full);
        assert_eq!(carried(600, 7, 425, None), SnapshotKind::None);
        assert_eq!(carried(600, 7, 425, Some((424, 1))), SnapshotKind::Partial);
        assert_eq!(carried(2_500, 7, 572, None), SnapshotKind::Full);
        assert_eq!(carried(2_500, 7, 573, None), SnapshotKind::None);
        // It may have been counted too large: then it costs one unit, not two.
        assert_eq!(carried(1_025, 7, 1, None), SnapshotKind::None);
    }

    #[test]
    fn what_is_paid_for_is_a_seal_where_that_costs_no_more_or_is_worth_it() {
        assert_eq!(carried(900, 8, 900, None), SnapshotKind::Full);
        assert_eq!(
            carried(900, 2_000, 1_140, Some((900, 8))),
            SnapshotKind::Full
        );
        assert_eq!(carried(900, 384, 3_100, Some((500, 3))), SnapshotKind::Full);
        assert_eq!(
            carried(900, 392, 3_100, Some((500, 8))),
            SnapshotKind::Partial
        );
        assert_eq!(
            carried(900, 2_000, 16_500, Some((900, 41))),
            SnapshotKind::Partial
        );
        assert_eq!(
            carried(900, 2_000, 16_500, Some((900, 42))),
            SnapshotKind::Full
        );
        // Between two that are due, too, once the snapshots newer the last one ride free no more.
        assert_eq!(
            carried(900, 1_999, 16_500, Some((900, 41))),
            SnapshotKind::None
        );
        assert_eq!(
            carried(900, 1_999, 16_500, Some((900, 42))),
            SnapshotKind::Full
        );
        assert_eq!(
            carried(900, 1_999, 16_500, Some((100, 42))),
            SnapshotKind::Partial
        );
        assert_eq!(carried(900, 15, 900, Some((700, 7))), SnapshotKind::None);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let room = ITEM_BYTES_MAX - 900;
        assert_eq!(carried(900, 8, room, None), SnapshotKind::Full);
        assert_eq!(carried(900, 8, room + 1, None), SnapshotKind::None);
        assert_eq!(
            carried(900, 8, room + 1, Some((room, 8))),
            SnapshotKind::Partial
        );
    }
}
