//! The status of an environment: its tables, parked aggregates, dead letters, alarms and unfinished
//! runs.

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

/// The status of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The environment's name.
    pub environment: String,
    /// The table of events, the table of parked aggregates, and the table of every read model.
    pub tables: Vec<TableSize>,
    /// The parked aggregates, counted by consumer. A consumer that has parked nothing is left out.
    pub parked: Vec<ParkedOf>,
    /// The number of dead letters.
    pub dead_letters: DeadLetterCounts,
    /// The alarms that are in the state ALARM, the latest first.
    pub ringing: Vec<Alarm>,
    /// Why the states of the alarms are not known, where CloudWatch cannot be asked. The other
    /// fields are right nevertheless.
    pub alarms_unknown: Option<String>,
    /// Runs that were started from this machine and have not finished.
    pub unfinished: Vec<Unfinished>,
}

/// A table and its size, as DynamoDB counts it. On AWS the count is some hours old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSize {
    /// The table's full name, such as `waybill-dev-events`.
    pub table: String,
    /// The number of items, and their bytes.
    #[serde(flatten)]
    pub size: Size,
}

/// The aggregates that one consumer of the stream has parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedOf {
    /// The consumer: `project` or `notify`.
    pub consumer: String,
    /// The number of orders and shipments.
    pub aggregates: u64,
    /// The time at which the oldest of them was parked, in ISO 8601.
    pub since: String,
}

/// The number of dead letters. SQS counts messages approximately, up to a minute late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterCounts {
    /// Messages in the queue: events, orders and files that a function has failed to handle.
    pub messages: u64,
    /// Messages that another reader has received and neither deleted nor returned: SQS hides them.
    pub messages_in_flight: u64,
    /// Objects in the bucket: batches that a consumer of the stream has failed to handle.
    pub objects: u64,
    /// Whether there may be more objects than were counted.
    pub more_objects: bool,
}

/// Returns the status of an environment. `state` is the folder that keeps runs, such as
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

/// Counts the dead letters in the queue and in the bucket.
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
    /// The number of all dead letters together.
    pub fn all(&self) -> u64 {
        self.messages + self.messages_in_flight + self.objects
    }
}

impl Status {
    /// Whether anything is parked or there is a dead letter. An alarm does not count: it may stay
    /// in the state ALARM for some minutes after its cause is repaired.
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
