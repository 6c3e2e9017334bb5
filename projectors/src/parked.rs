//! Parked aggregates, at which a consumer of the stream has stopped, and how they are resumed.

use domain::{AggregateId, Json};
use serde::Serialize;

use crate::{
    Projectors,
    limits::{PARKED_PAGES_MAX, RESUMES_MAX},
    notify,
    ports::{Row, RowError, Table},
    rebuild::{RebuildError, erase},
    row,
};

/// A parked aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// The consumer that stopped, `project` or `notify`.
    pub consumer: String,
    /// The aggregate: `order#<orderId>` or `shipment#<shipmentId>`, or the text of an invalid key.
    pub aggregate: String,
    /// The time at which it was parked first, such as `2010-12-01T08:26:00.000Z`.
    pub since: String,
    /// The sequence of the commit at which the consumer stopped.
    pub sequence: u64,
    /// The kind of error that stopped it, such as `row_refused`.
    pub code: String,
    #[serde(skip)]
    row: Row,
}

/// The result of resuming a parked aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    /// It is resumed, and no longer parked.
    Done,
    /// It stays parked. The text says why, for an operator.
    Stays(String),
}

impl Parked {
    fn of(row: Row) -> Self {
        let text = |name: &str| match row.get(name) {
            Some(Json::String(text)) => text.clone(),
            _ => String::new(),
        };
        let sequence = row::number(&row, "sequence");
        Self {
            consumer: text("consumer"),
            aggregate: text("aggregate"),
            since: text("since"),
            sequence,
            code: text("code"),
            row,
        }
    }
}

/// One page of the parked aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedPage {
    /// Parked aggregates in the order of the table's scan, at most 1 MB of them.
    pub parked: Vec<Parked>,
    /// The key after which the next page begins; `None` after the last page.
    pub next: Option<String>,
}

/// Reads a page of the parked aggregates: the first one, or the one after a page whose `next` is
/// given.
pub async fn page(projectors: &Projectors, after: Option<&str>) -> Result<ParkedPage, RowError> {
    let after = after.map(|id| Table::Parked.key(id, ""));
    let page = projectors.rows.segment(Table::Parked, 0, 1, after).await?;
    let id = |key: Row| {
        let [id, _] = Table::Parked.key_of(&key);
        id
    };
    Ok(ParkedPage {
        parked: page.rows.into_iter().map(Parked::of).collect(),
        next: page.last.map(id),
    })
}

/// The aggregate as one consumer has parked it, by its name, valid or not; `None` where it is not
/// parked.
pub async fn one(
    projectors: &Projectors,
    consumer: &str,
    aggregate: &str,
) -> Result<Option<Parked>, RowError> {
    let key = Table::Parked.key(&format!("{consumer}#{aggregate}"), "");
    let row = projectors.rows.get(Table::Parked, key).await?;
    Ok(row.map(Parked::of))
}

/// All parked aggregates, oldest first.
pub async fn all(projectors: &Projectors) -> Result<Vec<Parked>, RowError> {
    let (mut parked, mut after): (Vec<Parked>, Option<String>) = (Vec::new(), None);
    for _ in 0..PARKED_PAGES_MAX {
        let page = page(projectors, after.as_deref()).await?;
        parked.extend(page.parked);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    parked
        .sort_by(|one, other| (&one.since, &one.aggregate).cmp(&(&other.since, &other.aggregate)));
    Ok(parked)
}

/// The number of parked aggregates; `None` where the table cannot be read.
pub(crate) async fn count(projectors: &Projectors) -> Option<u64> {
    match all(projectors).await {
        Ok(parked) => Some(parked.len() as u64),
        Err(error) => {
            tracing::error!(%error, "what is parked cannot be read");
            None
        }
    }
}

/// Resumes a parked aggregate at the commit where its consumer stopped, then removes its row.
///
/// If the aggregate is parked again meanwhile, the version of its row has changed and the row
/// stays. Then the consumer is resumed again from where it has come to.
pub async fn resume(projectors: &Projectors, parked: &Parked) -> Result<Resumed, RebuildError> {
    let rows = &projectors.rows;
    let (mut parked, mut behind) = (parked.clone(), parked.sequence);
    for _ in 0..RESUMES_MAX {
        behind = match repeat_work(projectors, &parked, behind).await {
            Ok(behind) => behind,
            Err(error) => {
                save_progress(projectors, parked, behind).await?;
                return stays_parked(error);
            }
        };
        rows.remove(Table::Parked, parked.row.clone()).await?;
        let [id, _] = Table::Parked.key_of(&parked.row);
        let seen = row::version(&parked.row);
        let stored = rows.get(Table::Parked, Table::Parked.key(&id, "")).await?;
        match stored.filter(|stored| row::version(stored) != seen) {
            None => return Ok(Resumed::Done),
            Some(again) => {
                let again = Parked::of(again);
                // An earlier commit may have been delivered and refused later: it is not announced
                // yet.
                if again.sequence < parked.sequence {
                    behind = again.sequence;
                }
                parked = again;
            }
        }
    }
    Ok(Resumed::Stays("it is parked again each time".to_owned()))
}

/// Writes to the row how far a parked aggregate has come, unless it is parked again meanwhile.
async fn save_progress(
    projectors: &Projectors,
    parked: Parked,
    sequence: u64,
) -> Result<(), RowError> {
    if sequence == parked.sequence {
        return Ok(());
    }
    let mut row = parked.row;
    let version = row::version(&row) + 1;
    row.insert("sequence".to_owned(), sequence.into());
    row.insert("version".to_owned(), version.into());
    projectors.rows.put_newer(Table::Parked, row, version).await
}

fn stays_parked(error: RebuildError) -> Result<Resumed, RebuildError> {
    match error {
        RebuildError::Corrupt(reason) => Ok(Resumed::Stays(reason)),
        unavailable => Err(unavailable),
    }
}

/// Repeats the consumer's work from `sequence` on; returns the sequence after the last event that
/// is done.
async fn repeat_work(
    projectors: &Projectors,
    parked: &Parked,
    sequence: u64,
) -> Result<u64, RebuildError> {
    let Ok(id) = parked.aggregate.parse::<AggregateId>() else {
        let reason = "it is no order and no shipment".to_owned();
        return Err(RebuildError::Corrupt(reason));
    };
    match parked.consumer.as_str() {
        "notify" => notify::history(projectors, &id, sequence).await,
        _ => erase::aggregate(projectors, &id).await.map(|_| sequence),
    }
}
