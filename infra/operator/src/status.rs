//! What is there, what is parked, what lies among the dead letters, and what was begun.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::{
    alarms::{Alarm, alarms},
    cost::{Size, size},
    dead_letters::store::DeadLetterStore,
    environment::Environment,
    error::OperatorError,
    folder::{Folder, Unfinished},
    parked,
};

/// How an environment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What it is called.
    pub environment: String,
    /// The tables of events, of what is parked, and of every read model.
    pub tables: Vec<TableSize>,
    /// What is parked, by consumer; a consumer that has parked nothing is left out.
    pub parked: Vec<ParkedOf>,
    /// How many dead letters there are.
    pub dead_letters: DeadLetterCounts,
    /// The alarms that ring, the latest first.
    pub ringing: Vec<Alarm>,
    /// Why it is not known which alarms ring; the rest of this holds nevertheless.
    pub alarms_unknown: Option<String>,
    /// Runs that were begun from this machine and not finished.
    pub unfinished: Vec<Unfinished>,
}

/// A table's size, as DynamoDB counts it: on AWS some hours late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSize {
    /// Its whole name.
    pub table: String,
    /// How large it is.
    #[serde(flatten)]
    pub size: Size,
}

/// What one consumer has parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedOf {
    /// `project` or `notify`.
    pub consumer: String,
    /// How many orders and shipments.
    pub aggregates: u64,
    /// When the one was parked that is parked for longest.
    pub since: String,
}

/// How many dead letters there are. Messages are counted by SQS, about, up to a minute late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterCounts {
    /// Messages in the queue of events and files that a function has given up.
    pub messages: u64,
    /// Messages that somebody has taken and not yet removed or given back.
    pub messages_in_flight: u64,
    /// Objects in the bucket of what a consumer of the stream has given up.
    pub objects: u64,
    /// May there be more objects than were counted?
    pub more_objects: bool,
}

/// Says how an environment is; `state` is where runs are kept, such as
/// [`STATE_FOLDER`](crate::folder::STATE_FOLDER).
pub async fn status(environment: &Environment, state: &Path) -> Result<Status, OperatorError> {
    let names = &environment.names;
    let models = environment.settings.read_models.all().iter();
    let rows = models.map(|model| names.of(&model.to_string()));
    let all = [names.events(), names.parked()].into_iter().chain(rows);
    let mut tables = Vec::new();
    for table in all {
        let size = size(environment, &table).await?;
        tables.push(TableSize { table, size });
    }
    let mut by_consumer: BTreeMap<String, ParkedOf> = BTreeMap::new();
    // The oldest come first.
    for one in parked::all(environment).await? {
        let of = by_consumer.entry(one.consumer.clone());
        let of = of.or_insert_with(|| ParkedOf {
            consumer: one.consumer,
            aggregates: 0,
            since: one.since,
        });
        of.aggregates += 1;
    }
    let (ringing, alarms_unknown) = match alarms(environment).await {
        Ok(all) => (all.into_ringing(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Ok(Status {
        environment: environment.name().to_owned(),
        tables,
        parked: by_consumer.into_values().collect(),
        dead_letters: dead_letters(environment).await?,
        ringing,
        alarms_unknown,
        unfinished: Folder::unfinished(state, environment)?,
    })
}

/// Counts the dead letters.
pub async fn dead_letters(environment: &Environment) -> Result<DeadLetterCounts, OperatorError> {
    let store = DeadLetterStore::of(environment)?;
    let (queue, bucket) = (store.depth().await?, store.count_objects().await?);
    Ok(DeadLetterCounts {
        messages: queue.visible,
        messages_in_flight: queue.hidden,
        objects: bucket.number,
        more_objects: bucket.more,
    })
}

impl DeadLetterCounts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.messages + self.messages_in_flight + self.objects
    }
}

impl Status {
    /// Is anything parked, or a dead letter? An alarm that rings is none of this: it may ring for
    /// some minutes after what it rang for is mended.
    pub fn is_wrong(&self) -> bool {
        let DeadLetterCounts {
            messages,
            messages_in_flight,
            objects,
            ..
        } = self.dead_letters;
        !self.parked.is_empty() || messages + messages_in_flight + objects > 0
    }
}
