//! Seals the personal data of commands, and opens those of commits: the only place where that is
//! done. What cannot be opened because its key is destroyed becomes [`domain::personal::ERASED`].

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
    /// The same store with the keys of personal data. Without them, neither can an order with
    /// personal data be placed, nor can stored ones be opened.
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The keys of personal data; unavailable where the store has none.
    pub fn keys(&self) -> Result<&Keys, Unavailable> {
        let missing = || Unavailable("this event store has no keys of personal data".to_owned());
        self.keys.as_ref().ok_or_else(missing)
    }

    /// Seals the personal data of a command; true where it had any that were not sealed. Then its
    /// digest is another one.
    pub async fn seal<I: Intent>(&self, intent: &mut I) -> Result<bool, Unavailable> {
        let Some(unsealed) = intent.unsealed() else {
            return Ok(false);
        };
        intent.seal(self.keys()?.seal(&unsealed).await?);
        Ok(true)
    }

    /// The commits of one aggregate with the personal data of their events open: what rows and
    /// answers are made of. Commits without personal data cost nothing; others one read of the
    /// table of keys, and a call of KMS where the key is not kept in memory.
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

/// Whether commits have other events than their opened form: they hold personal data.
pub fn holds_personal_data(stored: &[Commit], opened: &[Commit]) -> bool {
    !texts(stored).eq(texts(opened))
}

/// The data of the commits' events.
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
        // An older build has stored them as they were sent.
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
            "the table of keys has never had the key of its personal data",
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
            .map_err(|_| UnreadableCommit::damaged("its personal data are no JSON")),
    }
}
