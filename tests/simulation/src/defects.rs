//! Defects that are planted on purpose. A simulation that does not find them proves nothing.
//!
//! Most are planted where the real code meets a port: there they change what is written or read, as
//! a mistake in the real code would.

use std::{collections::BTreeMap, sync::Mutex};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{AggregateId, EventSourced, Order};
use event_store::{
    Commit,
    commit::{Item, SEQUENCE, SNAPSHOT},
    fingerprint::Fingerprint,
    table::Page,
};
use projectors::{
    Environment,
    ports::{Announcement, Row},
    processed_orders,
};

use crate::core::Core;

pub mod erasing;
pub mod marking;
pub mod plain;

/// A mistake that a developer could make. The names are the values of `cargo sim --defect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// An append has no condition, and overwrites a commit that another writer made first.
    LostCondition,
    /// The failed condition of an append is treated as success.
    SwallowedConflict,
    /// An append answers success and has stored nothing.
    UnstoredAnswer,
    /// A commit that was written is written once more, with the sequence that follows.
    DoubledWrite,
    /// Command ids are not looked up before a decision, so a repeated command has a second effect.
    ForgottenCommands,
    /// The command ids before a full snapshot (once called a seal) are not found when they are
    /// looked up.
    ForgottenSeal,
    /// A snapshot drops the fingerprint of the commit before its own.
    DroppedFingerprint,
    /// A load reads the first page of a history and not the others.
    FirstPageOnly,
    /// A commit takes its time from the clock alone, even where the clock has gone back behind the
    /// previous commit.
    UnclampedTime,
    /// A row is put without comparing its version with the stored row's.
    BlindRow,
    /// A row that exists is never replaced.
    FirstRowWins,
    /// A rebuild puts its rows without comparing their version with the stored rows'.
    BlindRebuild,
    /// A row takes its time from the clock when it is projected, and not from its event.
    RowOfNow,
    /// The usual design of a projector: it folds each incoming event into its state, keeps the
    /// highest sequence seen, and ignores lower ones. Records that arrive out of order are lost.
    RememberedSequence,
    /// An entry of `PutEvents` that failed in a call that answers 200 is treated as sent.
    SwallowedEntry,
    /// An entry of `PublishBatch` that failed in a call that answers 200 is treated as sent.
    SwallowedAlert,
    /// A message has another id each time that it is sent.
    UnstableIds,
    /// The answer to a batch does not name the records that failed.
    UnnamedFailures,
    /// The answer to a batch names its last record instead of the first one that failed.
    LateFailure,
    /// A consumer's position in the stream moves on before the batch is processed.
    EarlyCursor,
    /// An aggregate that cannot be projected or announced is skipped and not parked.
    SwallowedPark,
    /// The report about a file is treated as written, and was not.
    LostReport,
    /// The bodies of requests are logged.
    LeakyLog,
    /// A rebuild does not remove rows whose aggregate has no history.
    IgnoredSuperfluous,
    /// A scan loses the aggregate that a page begins with.
    LostAtPageEnd,
    /// The rest of a bucket is never settled once its first invocation has run out of time.
    SkippedRest,
    /// The row of a parked aggregate is removed before the aggregate is resumed.
    ForgottenFirst,
    /// A range to announce begins 1 ms too late, after its first commit.
    LateBeginning,
    /// Each part of a rebuild's ledger overwrites the part before.
    LostPart,
    /// A dead letter is deleted even where its retry fails.
    ThrownAwayLetter,
    /// The retry of a record rebuilds the rows, also where the consumer is `notify`, and announces
    /// nothing.
    SilentRedrive,
    /// A webhook writes scans that are in the history once more.
    RewrittenScans,
    /// Only the latest scan of a webhook is logged.
    LatestScanOnly,
    /// A webhook is accepted without a check of its signature.
    TrustedBlindly,
    /// A shipment is marked as stalled although an update has arrived since the watcher looked.
    StaleMark,
    /// A shipment is marked as stalled once more for each request, since the same update.
    MarkedAnew,
    /// The watcher waits for half of the time after which a shipment is stalled.
    WatchedTooEarly,
    /// The watcher reads only the first shard of its index.
    FirstShardWatched,
    /// A row still says that its shipment is stalled after the next update.
    KeptStall,
    /// A projector reads each key from the table once and never again, so it does not see that a
    /// key was destroyed.
    KeyRemembered,
    /// A cached key never expires.
    KeptForEver,
    /// A snapshot holds personal data in plain text.
    PlainSnapshot,
    /// The digest of a commit is computed of personal data in plain text.
    PlainDigest,
    /// `project` does not check again, after it has put an order's row, whether the order was
    /// erased meanwhile.
    NotLookedAgain,
    /// An erasure does not rewrite the rows of the owner's orders.
    UnwrittenRows,
    /// A key is destroyed before the erasure is written to the history, which may then fail.
    ErasedBeforeNoted,
    /// A repeated erasure destroys the key that the customer got after the first one.
    DestroyedAnew,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 47] = [
        Self::LostCondition,
        Self::SwallowedConflict,
        Self::UnstoredAnswer,
        Self::DoubledWrite,
        Self::ForgottenCommands,
        Self::ForgottenSeal,
        Self::DroppedFingerprint,
        Self::FirstPageOnly,
        Self::UnclampedTime,
        Self::BlindRow,
        Self::FirstRowWins,
        Self::BlindRebuild,
        Self::RowOfNow,
        Self::RememberedSequence,
        Self::SwallowedEntry,
        Self::SwallowedAlert,
        Self::UnstableIds,
        Self::UnnamedFailures,
        Self::LateFailure,
        Self::EarlyCursor,
        Self::SwallowedPark,
        Self::LostReport,
        Self::LeakyLog,
        Self::IgnoredSuperfluous,
        Self::LostAtPageEnd,
        Self::SkippedRest,
        Self::ForgottenFirst,
        Self::LateBeginning,
        Self::LostPart,
        Self::ThrownAwayLetter,
        Self::SilentRedrive,
        Self::RewrittenScans,
        Self::LatestScanOnly,
        Self::TrustedBlindly,
        Self::StaleMark,
        Self::MarkedAnew,
        Self::WatchedTooEarly,
        Self::FirstShardWatched,
        Self::KeptStall,
        Self::KeyRemembered,
        Self::KeptForEver,
        Self::PlainSnapshot,
        Self::PlainDigest,
        Self::NotLookedAgain,
        Self::UnwrittenRows,
        Self::ErasedBeforeNoted,
        Self::DestroyedAnew,
    ];

    /// Returns whether the defect has an effect only where some fault strikes. A run without faults
    /// must not find such a defect.
    pub fn needs_a_fault(self) -> bool {
        matches!(
            self,
            Self::UnclampedTime
                | Self::SwallowedEntry
                | Self::SwallowedAlert
                | Self::UnnamedFailures
                | Self::LateFailure
                | Self::EarlyCursor
                | Self::SwallowedPark
                | Self::IgnoredSuperfluous
                | Self::LostAtPageEnd
                | Self::SkippedRest
                | Self::ForgottenFirst
                | Self::LateBeginning
                | Self::LostPart
                | Self::ThrownAwayLetter
                | Self::SilentRedrive
                | Self::StaleMark
                | Self::KeptStall
                | Self::KeptForEver
        )
    }
}

/// Returns the item of a commit as a planted defect lets it be written.
pub fn alter_written(core: &Core, digests: &plain::Digests, mut item: Item) -> Item {
    match core.defect {
        Some(Defect::PlainSnapshot) => plain::snapshot(&mut item),
        Some(Defect::PlainDigest) => plain::digest(&mut item, digests),
        _ => {}
    }
    if core.defect == Some(Defect::UnclampedTime) {
        item.insert("at".to_owned(), AttributeValue::S(core.now().to_string()));
    }
    if core.defect == Some(Defect::DroppedFingerprint) {
        forget(&mut item, 1);
    }
    item
}

/// Clears fingerprints of an item's snapshot: up to `most` of them, from the latest, without the
/// last one, which is of the commit itself.
fn forget(item: &mut Item, most: usize) {
    if let Some(AttributeValue::M(snapshot)) = item.get_mut(SNAPSHOT)
        && let Some(AttributeValue::B(fingerprints)) = snapshot.get_mut("traces")
    {
        let mut bytes = fingerprints.clone().into_inner();
        let earlier = bytes.chunks_exact_mut(Fingerprint::BYTES).rev().skip(1);
        earlier.take(most).for_each(|one| one.fill(0));
        *fingerprints = Blob::new(bytes);
    }
}

/// Returns a page of `oldest`, a part of a history or a full snapshot, as a planted defect lets it
/// be read.
pub fn alter_oldest(core: &Core, mut page: Page) -> Page {
    if core.defect == Some(Defect::ForgottenSeal) {
        let items = page.items.iter_mut();
        items.for_each(|item| forget(item, usize::MAX));
    }
    if core.defect == Some(Defect::RewrittenScans) {
        page.items.iter_mut().for_each(forget_scans);
    }
    alter_newest(core, page)
}

/// Changes the ids by which the scans of a commit are recognised.
fn forget_scans(item: &mut Item) {
    if let Some(AttributeValue::S(events)) = item.get_mut("events") {
        *events = events.replace(r#""origin":{"id":""#, r#""origin":{"id":"forgotten "#);
    }
}

/// Returns a copy of a commit's item with the sequence and the ordinal that follow. `None` where
/// the item has none.
pub fn copy_behind(item: &Item) -> Option<Item> {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
    let mut copy = item.clone();
    for name in [SEQUENCE, "ordinal"] {
        copy.insert(
            name.to_owned(),
            AttributeValue::N((number(name)? + 1).to_string()),
        );
    }
    Some(copy)
}

/// Returns a page of commits as a planted defect lets it be read.
pub fn alter_newest(core: &Core, mut page: Page) -> Page {
    match core.defect {
        Some(Defect::ForgottenCommands) => {
            for item in &mut page.items {
                item.insert(
                    "commandId".to_owned(),
                    AttributeValue::S("forgotten".to_owned()),
                );
            }
        }
        Some(Defect::FirstPageOnly) => {
            page.items.truncate(2);
            page.more = false;
        }
        _ => {}
    }
    page
}

/// Removes from a page everything of the aggregate that it begins with.
pub fn without_first<T>(page: &mut Vec<T>, aggregate: impl Fn(&T) -> String) {
    let [first, last] = [page.first(), page.last()].map(|one| one.map(&aggregate));
    // The last item stays, since the scan continues behind it.
    if first != last {
        page.retain(|one| Some(aggregate(one)) != first);
    }
}

/// Returns the path of a part of a ledger, `…/<source>-<segment>-<part>-<items>`, with `<part>`
/// replaced by 0.
pub fn first_part(path: &str) -> String {
    match path.rsplitn(3, '-').collect::<Vec<_>>()[..] {
        [items, _, source] => format!("{source}-0-{items}"),
        _ => path.to_owned(),
    }
}

/// Returns a row as a planted defect lets it be written.
pub fn alter_row(core: &Core, mut row: Row) -> Row {
    if core.defect == Some(Defect::RowOfNow) && row.contains_key("updatedAt") {
        row.insert("updatedAt".to_owned(), core.now().to_string().into());
    }
    row
}

/// Returns an announcement as a planted defect lets it be sent.
pub fn alter_announcement(core: &Core, mut message: Announcement) -> Announcement {
    if core.defect == Some(Defect::UnstableIds) {
        message.id = format!("{}/{}", message.id, core.choose(1_000_000));
    }
    message
}

/// The memory of the defect `RememberedSequence`: the state of each order and the highest sequence
/// seen of it.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<BTreeMap<AggregateId, (Order, u64)>>);

impl Remembered {
    /// Folds a commit of an order into the remembered state and returns the order's row. Returns
    /// `None` for other aggregates.
    pub fn row(&self, commit: &Commit, environment: &Environment) -> Option<Row> {
        let mut known = self.0.lock().unwrap();
        let (order, seen) = known.entry(commit.aggregate.clone()).or_default();
        for (event, sequence) in commit
            .decoded::<Order>()
            .ok()?
            .into_iter()
            .zip(commit.sequence..)
        {
            if sequence > *seen {
                *order = order.clone().folded([event]);
                *seen = sequence;
            }
        }
        processed_orders::row(order, *seen, environment)
    }
}
