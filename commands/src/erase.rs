//! Erases the personal data of a customer: writes an event to the customer's history of erasures,
//! and destroys the key. From then on nobody can read the data; the role `project` rewrites the
//! rows.

use domain::{
    AggregateId, Erasures, Json, Timestamp, aggregate::Intent as _, erasure, json::Object,
    personal::Owner,
};
use event_store::{Cause, Clock, EventStore, StoreError};

use crate::{
    execute::{Envelope, Failure, execute},
    limits::BACKUP_DAYS,
};

/// The result of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The owner of the personal data.
    pub owner: Owner,
    /// The time from before which all personal data of the owner are erased.
    pub erased_at: Timestamp,
    /// Whether nothing was left to erase: the owner's key was destroyed before.
    pub before: bool,
}

impl Erased {
    /// The last day on which a backup may still hold the destroyed key, or rows from before.
    pub fn backups_until(&self) -> String {
        let days = i64::from(BACKUP_DAYS) * 24 * 60 * 60 * 1_000;
        let until = Timestamp::from_millis(self.erased_at.millis().saturating_add(days));
        until.unwrap_or(self.erased_at).day()
    }

    /// The JSON of the answer: what is erased, and which copies exist until when.
    pub fn to_json(&self) -> Json {
        let (name, id) = match &self.owner {
            Owner::Customer(id) => ("customerId", id.as_str()),
            Owner::Order(id) => ("orderId", id.as_str()),
        };
        let message = match self.before {
            true => "Personal data were erased before",
            false => "Personal data erased",
        };
        let copies = [
            ("backups", self.backups_until()),
            ("orderFiles", FILES.to_owned()),
            ("deadLetters", LETTERS.to_owned()),
        ];
        let copies = copies.map(|(name, text)| (name.to_owned(), Json::from(text)));
        Json::Object(Object::from([
            ("message".to_owned(), message.into()),
            (name.to_owned(), id.into()),
            ("erasedAt".to_owned(), self.erased_at.to_string().into()),
            ("copies".to_owned(), Json::Object(Object::from(copies))),
        ]))
    }
}

/// The answer's text about order files, which this function cannot read.
const FILES: &str = "`waybill erase` names the order files that hold them, and removes those that \
                     hold no other customer's orders";

/// The answer's text about dead letters.
const LETTERS: &str = "dead letters hold commands as they were sent, for 14 days";

/// Erases the personal data of `owner`, of all orders that were placed before. It can be repeated:
/// a repeat with the same command id does not erase data that were stored after the first time.
///
/// The event is written before the key is destroyed. Where destroying fails, the role `project`
/// destroys the key, since it reads the event from the stream.
pub async fn erase(
    store: &EventStore,
    clock: &dyn Clock,
    owner: &Owner,
    mut cause: Cause,
) -> Result<Erased, Failure> {
    let keys = store.keys().map_err(StoreError::from)?;
    let record = keys.record(owner).await.map_err(StoreError::from)?;
    let before = record.as_ref().and_then(|record| {
        let erased = record.wrapped.is_none() && record.version > 0;
        record.erased_at.filter(|_| erased)
    });
    let intent = erasure::Intent {
        owner: owner.clone(),
        key: record.map_or(0, |record| record.version),
    };
    cause.digest = intent.digest();
    let aggregate = AggregateId::Erasure(owner.clone());
    let envelope = Envelope {
        aggregate: aggregate.clone(),
        expected_version: None,
        cause,
        intent,
    };
    execute::<Erasures>(store, clock, envelope).await?;
    let erasures = store.load::<Erasures>(&aggregate).await?;
    let Some(noted) = erasures.state.latest else {
        return Err(Failure::Corrupt(format!(
            "{aggregate}: its history has no erasure although one was just written"
        )));
    };
    let destroyed = keys.destroy(owner, Some(noted.key), noted.at).await;
    let destroyed = destroyed.map_err(StoreError::from)?;
    Ok(Erased {
        owner: owner.clone(),
        erased_at: before.unwrap_or(destroyed.erased_at),
        before: before.is_some(),
    })
}
