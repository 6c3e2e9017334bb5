//! Seals the personal data of commands, and opens those of commits. No other module does either.
//! Data whose key is destroyed become [`domain::personal::ERASED`].

use domain::{
    Json,
    aggregate::Intent,
    event::EncodedEvent,
    personal::{FIELDS, Field, Owner, Stored},
};

use crate::{
    commit::{Commit, UnreadableCommit},
    error::StoreError,
    keys::{DataKey, Held, Keys},
    store::EventStore,
    table::Unavailable,
};

impl EventStore {
    /// The same store with the keys of personal data. Without them, orders with personal data can
    /// neither be placed nor read.
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The keys of personal data. Fails with [`Unavailable`] where the store has none.
    pub fn keys(&self) -> Result<&Keys, Unavailable> {
        let missing = || Unavailable("this event store has no keys of personal data".to_owned());
        self.keys.as_ref().ok_or_else(missing)
    }

    /// Seals the personal data of a command. Returns whether it had any that were not sealed; then
    /// its digest has changed.
    pub async fn seal<I: Intent>(&self, intent: &mut I) -> Result<bool, Unavailable> {
        let Some(unsealed) = intent.unsealed() else {
            return Ok(false);
        };
        intent.seal(self.keys()?.seal(&unsealed).await?);
        Ok(true)
    }

    /// The commits of one aggregate with the personal data of their events open, for rows and
    /// answers. Commits without personal data cost nothing; others cost one read of the table of
    /// keys, and a call of KMS where the key is not cached.
    ///
    /// Snapshots stay as they are stored, so opened commits are folded from the first one on.
    pub async fn opened(&self, mut commits: Vec<Commit>) -> Result<Vec<Commit>, StoreError> {
        let mut known: Option<(Owner, Held)> = None;
        for commit in &mut commits {
            let (aggregate, sequence) = (&commit.aggregate, commit.sequence);
            for event in &mut commit.events {
                let unreadable = |error: UnreadableCommit| error.of(aggregate, sequence);
                let stored = Stored::of(event).map_err(|error| unreadable(error.into()))?;
                let Some(stored) = stored else { continue };
                let held = match known.take() {
                    Some((owner, held)) if owner == stored.owner => held,
                    _ => self.keys()?.held(&stored.owner).await?,
                };
                known = Some((stored.owner.clone(), held.clone()));
                *event = open(event, stored, &held).map_err(unreadable)?;
            }
        }
        Ok(commits)
    }
}

/// Whether the events of commits differ from their opened form, which means that they hold personal
/// data.
pub fn holds_personal_data(stored: &[Commit], opened: &[Commit]) -> bool {
    !texts(stored).eq(texts(opened))
}

/// The text of the data of each event of the commits.
pub fn texts(commits: &[Commit]) -> impl Iterator<Item = &str> {
    let events = commits.iter().flat_map(|commit| &commit.events);
    events.map(|event| event.data.get())
}

/// The event with its personal data open, or erased where their key is destroyed. A key that the
/// table has never had is an error, not an erasure: the table may be the wrong one.
fn open(
    event: &EncodedEvent,
    stored: Stored,
    held: &Held,
) -> Result<EncodedEvent, UnreadableCommit> {
    let erased = held.erased_at;
    let Some(sealed) = stored.sealed.clone() else {
        // An older build stored the data as they were sent.
        return match erased.is_some_and(|erased| stored.at <= erased) {
            true => Ok(stored.erased(event)?),
            false => Ok(event.clone()),
        };
    };
    match &held.key {
        Some((version, key)) if *version == sealed.key => {
            let fields = FIELDS.into_iter().filter_map(|field| {
                let text = sealed.text(field)?;
                Some(value(key, &stored, field, text).map(|value| (field, value)))
            });
            let fields = fields.collect::<Result<_, _>>()?;
            Ok(stored.opened(event, fields)?)
        }
        _ if erased.is_some() && sealed.key <= held.latest => Ok(stored.erased(event)?),
        _ => Err(UnreadableCommit::damaged(
            "the table of keys has never had the key with which its personal data are sealed",
        )),
    }
}

fn value(
    key: &DataKey,
    stored: &Stored,
    field: Field,
    text: &str,
) -> Result<Json, UnreadableCommit> {
    let opened = key.open(&stored.order_id, field, text);
    let opened = opened.map_err(UnreadableCommit::damaged)?;
    match field {
        Field::CustomerName => Ok(opened.into()),
        Field::Personal => Json::parse(&opened)
            .map_err(|_| UnreadableCommit::damaged("its personal data are not JSON")),
    }
}
