//! Defects that are planted on purpose: a world that does not find them proves nothing.
//!
//! Most sit where shipping code meets a port, and do to it what a mistake in that code would do.

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

/// A mistake that somebody could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// An append without its condition overwrites a rival.
    LostCondition,
    /// A failed condition is taken for success.
    SwallowedConflict,
    /// Success is answered, and nothing was stored.
    UnstoredAnswer,
    /// A write that succeeded is done once more behind itself.
    DoubledWrite,
    /// Command ids are not looked up before a decision.
    ForgottenCommands,
    /// What lies behind a seal is forgotten when it is looked up.
    ForgottenSeal,
    /// A snapshot drops the fingerprint of the commit before its own.
    DroppedFingerprint,
    /// A history is read without its next pages.
    FirstPageOnly,
    /// A commit is dated by the clock alone, which may have gone back.
    UnclampedTime,
    /// A row is put whatever is there.
    BlindRow,
    /// A row is put once, and never again.
    FirstRowWins,
    /// A rebuild puts its rows whatever is there by then.
    BlindRebuild,
    /// A row takes its time from projecting.
    RowOfNow,
    /// The usual recipe: fold what comes into the row, and remember the highest sequence seen.
    RememberedSequence,
    /// An entry that failed in a call that says 200 is taken for sent.
    SwallowedEntry,
    /// The same on the topic.
    SwallowedAlert,
    /// A message has another id each time.
    UnstableIds,
    /// A batch's failures are not named.
    UnnamedFailures,
    /// A batch's last record is named instead of the first that failed.
    LateFailure,
    /// The place in the stream moves on before the batch is done.
    EarlyCursor,
    /// What cannot be projected is passed over in silence.
    SwallowedPark,
    /// A report is taken for written that was not.
    LostReport,
    /// What comes in is logged.
    LeakyLog,
    /// A rebuild leaves rows of nothing where they are.
    IgnoredSuperfluous,
    /// A scan leaves out the aggregate that a page begins with.
    LostAtPageEnd,
    /// What is left of a bucket when a step ends is never settled.
    SkippedRest,
    /// What is parked is forgotten before it goes on.
    ForgottenFirst,
    /// A range to announce begins behind its first commit.
    LateBeginning,
    /// A part of the ledger is put over the one before.
    LostPart,
    /// A dead letter is thrown away whether its redrive succeeds or not.
    ThrownAwayLetter,
    /// A record's redrive makes the rows again and tells nobody, for either consumer.
    SilentRedrive,
    /// A webhook writes scans that are known once more.
    RewrittenScans,
    /// Of a webhook the latest scan alone is logged.
    LatestScanOnly,
    /// A webhook is trusted without a look at its signature.
    TrustedBlindly,
    /// A shipment is marked as stalled without a look at what was heard of it since.
    StaleMark,
    /// A shipment is marked as stalled as often as that is asked for.
    MarkedAnew,
    /// The watcher takes half the time for the whole.
    WatchedTooEarly,
    /// The watcher looks at the first shard alone.
    FirstShardWatched,
    /// A row keeps that its shipment is stalled when that is over.
    KeptStall,
    /// What opens personal data asks the table of keys once, and never again.
    KeyRemembered,
    /// A kept key never grows old.
    KeptForEver,
    /// A snapshot holds personal data as they were sent.
    PlainSnapshot,
    /// A commit's digest is of personal data as they were sent.
    PlainDigest,
    /// What projects an order does not look again whether it was erased meanwhile.
    NotLookedAgain,
    /// An erasure leaves rows as they are.
    UnwrittenRows,
    /// A key is destroyed before the erasure is noted, which may fail.
    ErasedBeforeNoted,
    /// A repeated erasure destroys the key that a customer was given since.
    DestroyedAnew,
}

impl Defect {
    /// Every one.
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

    /// Does it show only where something goes wrong? Then a world without faults must not find it.
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

/// A commit on its way to the table.
pub fn written(core: &Core, digests: &plain::Digests, mut item: Item) -> Item {
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

/// Forgets fingerprints of an item's snapshot but its own, the last, up to `most` of them.
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

/// A part of a history, or a seal, on its way from the table.
pub fn read_on(core: &Core, mut page: Page) -> Page {
    if core.defect == Some(Defect::ForgottenSeal) {
        let items = page.items.iter_mut();
        items.for_each(|item| forget(item, usize::MAX));
    }
    if core.defect == Some(Defect::RewrittenScans) {
        page.items.iter_mut().for_each(forget_scans);
    }
    read(core, page)
}

/// Forgets by what the scans of a commit are known.
fn forget_scans(item: &mut Item) {
    if let Some(AttributeValue::S(events)) = item.get_mut("events") {
        *events = events.replace(r#""origin":{"id":""#, r#""origin":{"id":"forgotten "#);
    }
}

/// The same commit behind itself.
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

/// Commits on their way from the table.
pub fn read(core: &Core, mut page: Page) -> Page {
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

/// A page without the aggregate that it begins with.
pub fn without_first<T>(page: &mut Vec<T>, aggregate: impl Fn(&T) -> String) {
    let [first, last] = [page.first(), page.last()].map(|one| one.map(&aggregate));
    // The last one says where a scan goes on.
    if first != last {
        page.retain(|one| Some(aggregate(one)) != first);
    }
}

/// The path of a part of the ledger, `…/<source>-<segment>-<part>-<items>`, with the number of the
/// first.
pub fn first_part(path: &str) -> String {
    match path.rsplitn(3, '-').collect::<Vec<_>>()[..] {
        [items, _, source] => format!("{source}-0-{items}"),
        _ => path.to_owned(),
    }
}

/// A row on its way to its table.
pub fn row(core: &Core, mut row: Row) -> Row {
    if core.defect == Some(Defect::RowOfNow) && row.contains_key("updatedAt") {
        row.insert("updatedAt".to_owned(), core.now().to_string().into());
    }
    row
}

/// An announcement on its way to the bus.
pub fn announced(core: &Core, mut message: Announcement) -> Announcement {
    if core.defect == Some(Defect::UnstableIds) {
        message.id = format!("{}/{}", message.id, core.choose(1_000_000));
    }
    message
}

/// The usual recipe: what is known of each order, and the highest sequence seen.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<BTreeMap<AggregateId, (Order, u64)>>);

impl Remembered {
    /// The row that an order has once this commit has been taken in, if it is one of an order.
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
