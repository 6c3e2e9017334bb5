//! `waybill status`: what is there, what is parked, what lies among the dead letters.

use std::collections::BTreeMap;

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::{
    cost::{Size, size},
    dead_letters::{DeadLetters, Depth, Objects},
    folder::{Folder, usual},
    outcome::{OperatorError, Outcome, counted, say, say_json},
    parked,
    target::{Environment, Target},
};

/// Of which environment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Tables: items and bytes as DynamoDB counts them, on AWS some hours late. What is unfinished is looked
for in the folder `.waybill` under this one: a `rebuild`, `verify` or `announce` that was stopped.
Messages: about, up to a minute late, and each copy of one that was kept more than once, which `retry`
takes for one.

Examples:
  waybill status --local
  waybill status --env prod --json | jq .parked

Ends with 0 where all is well, 3 where anything is parked or a dead letter, 1 where it could not be
looked at.")]
pub struct StatusArgs {
    #[command(flatten)]
    target: Target,
}

/// What is parked of one consumer.
#[derive(Default)]
struct OfConsumer {
    number: u64,
    /// Since when the one that stands longest.
    since: String,
}

/// Everything that is said.
struct Status {
    tables: Vec<(String, Size)>,
    parked: BTreeMap<String, OfConsumer>,
    queue: Depth,
    bucket: Objects,
    unfinished: Vec<Unfinished>,
}

/// A run that was begun and not finished.
struct Unfinished {
    command: &'static str,
    begun: String,
}

/// Says how things are.
pub(crate) async fn run(args: StatusArgs) -> Result<Outcome, OperatorError> {
    let environment = args.target.reach().await?;
    let status = Status::of(&environment).await?;
    match args.target.json {
        true => say_json(&status.json(&args.target.env))?,
        false => status.say(),
    }
    Ok(Outcome::wrong_if(status.is_wrong()))
}

impl Status {
    async fn of(environment: &Environment) -> Result<Self, OperatorError> {
        let names = &environment.names;
        let models = environment.settings.read_models.all().iter();
        let rows = models.map(|model| names.of(&model.to_string()));
        let all = [names.events(), names.parked()].into_iter().chain(rows);
        let mut tables = Vec::new();
        for table in all {
            let size = size(environment, &table).await?;
            tables.push((table, size));
        }
        let mut by_consumer: BTreeMap<String, OfConsumer> = BTreeMap::new();
        // The oldest come first.
        for one in parked::all(environment).await? {
            let of = by_consumer.entry(one.consumer).or_default();
            if of.number == 0 {
                of.since = one.since;
            }
            of.number += 1;
        }
        let letters = DeadLetters::of(environment)?;
        Ok(Self {
            tables,
            parked: by_consumer,
            queue: letters.depth().await?,
            bucket: letters.count_objects().await?,
            unfinished: unfinished(environment)?,
        })
    }

    fn is_wrong(&self) -> bool {
        let messages = self.queue.visible + self.queue.hidden;
        !self.parked.is_empty() || messages > 0 || self.bucket.number > 0
    }

    fn json(&self, environment: &str) -> Value {
        let tables = self.tables.iter().map(
            |(table, size)| json!({ "table": table, "items": size.items, "bytes": size.bytes }),
        );
        let parked = self.parked.iter().map(|(consumer, of)| {
            json!({ "consumer": consumer, "aggregates": of.number, "since": of.since })
        });
        let unfinished = self
            .unfinished
            .iter()
            .map(|one| json!({ "command": one.command, "begun": one.begun }));
        json!({
            "environment": environment,
            "tables": tables.collect::<Value>(),
            "parked": parked.collect::<Value>(),
            "deadLetters": {
                "messages": self.queue.visible,
                "messagesInFlight": self.queue.hidden,
                "objects": self.bucket.number,
                "moreObjects": self.bucket.more,
            },
            "unfinished": unfinished.collect::<Value>(),
        })
    }

    fn say(&self) {
        say("tables");
        for (table, Size { items, bytes }) in &self.tables {
            let (items, bytes) = (
                HumanCount(*items).to_string(),
                HumanBytes(*bytes).to_string(),
            );
            say(&format!("  {table:<40} {items:>12} items {bytes:>12}"));
        }
        say("parked");
        for (consumer, OfConsumer { number, since }) in &self.parked {
            say(&format!(
                "  {consumer:<7} {number}, the oldest since {since}"
            ));
        }
        if self.parked.is_empty() {
            say("  nothing");
        }
        say("dead letters");
        let Depth { visible, hidden } = self.queue;
        let visible = counted(visible, "message");
        say(&format!(
            "  of the bus and of files  {visible}, and {hidden} that somebody has taken"
        ));
        let Objects { number, more } = self.bucket;
        let or_more = if more { " or more" } else { "" };
        let objects = counted(number, "object");
        say(&format!("  of the stream            {objects}{or_more}"));
        for Unfinished { command, begun } in &self.unfinished {
            say(&format!(
                "unfinished\n  {command}, begun at {begun}: the same command goes on with it"
            ));
        }
        if self.is_wrong() {
            say("`waybill parked` says what is parked, `waybill retry` takes it all up again");
        }
    }
}

/// Runs that were begun in the usual folder and not finished.
fn unfinished(environment: &Environment) -> Result<Vec<Unfinished>, OperatorError> {
    let mut unfinished = Vec::new();
    for command in ["rebuild", "verify", "announce"] {
        let folder = Folder::at(usual(command, environment.names.environment()));
        if let Some(begun) = folder.begun(&environment.identity())? {
            unfinished.push(Unfinished { command, begun });
        }
    }
    Ok(unfinished)
}
