//! The event source mappings: consumers of the streams of tables.
//!
//! A consumer passes a batch to its function and continues when all records are done; `progress`
//! decides how it continues after a failure. Its checkpoint is stored after every attempt that has
//! finished records, so that a restart repeats at most the attempt in flight.

mod dead_letter;
mod progress;
mod reader;

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::watch;

use self::dead_letter::{LastAttempt, Mapping};
use self::progress::{Outcome, Progress, outcome};
use self::reader::{ReadError, Reader, Record};
use crate::aws::s3::{Bucket, DeadLetterObject, KeepError};
use crate::clock;
use crate::definition::StreamConsumer;
use crate::faults::Faults;
use crate::function::Answer;
use crate::invoker::Invoker;
use crate::limits::{INVOCATION_BYTES, STREAM_FIRST_WAIT, STREAM_LONGEST_WAIT, STREAM_POLL};
use crate::measured::{Metric, MetricStore};
use crate::state::{GivenUp, NewCheckpoint, State, StateError};
use crate::stop::Stop;

/// A consumer of one stream.
pub struct Consumer {
    /// The id of its function.
    function: String,
    /// The number of attempts at one record.
    attempts: u32,
    mapping: Mapping,
    dead_letters: Bucket,
    reader: Reader,
    state: State,
    invoker: Invoker,
    measured: MetricStore,
    /// The metric of the age of the records that the function receives.
    age: Metric,
    faults: Faults,
    written: watch::Receiver<u64>,
    stop: Stop,
    /// The number of failures since the last finished record.
    failures: u32,
}

/// The reason why a consumer cannot continue for now.
#[derive(Debug, thiserror::Error)]
enum ConsumerError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error("a batch: {0}")]
    Payload(#[from] serde_json::Error),
}

/// The services that each consumer uses.
#[derive(Clone)]
pub struct Dependencies {
    /// The HTTP client for the embedded DynamoDB.
    pub client: reqwest::Client,
    /// The URL of the embedded DynamoDB.
    pub url: String,
    /// The state, which holds the checkpoints.
    pub state: State,
    /// Invokes functions.
    pub invoker: Invoker,
    /// Receives the metric of the records' age.
    pub measured: MetricStore,
    /// The faults that are switched on.
    pub faults: Faults,
    /// Changes with each write to a table with a stream.
    pub written: watch::Receiver<u64>,
}

impl Consumer {
    /// Creates a consumer, which runs until `stop` is requested. `function_name` is the name of its
    /// function; records that it gives up are stored in `dead_letters`.
    pub fn new(
        defined: StreamConsumer,
        function_name: &str,
        dead_letters: Bucket,
        dependencies: Dependencies,
        stop: Stop,
    ) -> Self {
        let StreamConsumer {
            function,
            table,
            batch_size,
            attempts,
            failure_bucket: _,
        } = defined;
        let Dependencies {
            client,
            url,
            state,
            invoker,
            measured,
            faults,
            written,
        } = dependencies;
        Self {
            function,
            attempts,
            mapping: Mapping::new(&table, function_name, attempts),
            dead_letters,
            reader: Reader::new(client, url, table, batch_size),
            state,
            invoker,
            measured,
            age: Metric::new(
                "AWS/Lambda",
                "IteratorAge",
                &[("FunctionName", function_name)],
            ),
            faults,
            written,
            stop,
            failures: 0,
        }
    }

    /// Consumes the stream until `stop` is requested.
    pub async fn run(mut self) {
        while !self.stop.requested() {
            if self.faults.is_held(&self.function) {
                self.faults
                    .wait_until_released(&self.function, &mut self.stop)
                    .await;
                continue;
            }
            // Reset before reading, so that a write during the read wakes the next one.
            self.written.mark_unchanged();
            match self.take_next().await {
                Ok(true) => {}
                Ok(false) => self.idle().await,
                Err(error) => {
                    let consumer = &self.function;
                    tracing::warn!(consumer, %error, "a stream consumer failed and tries again");
                    self.reader.rewind();
                    self.wait_after_failure().await;
                }
            }
        }
    }

    /// Reads and delivers the next records. Returns whether there were any.
    async fn take_next(&mut self) -> Result<bool, ConsumerError> {
        let after = self.state.checkpoint(&self.function).await?;
        let records = self.reader.read(after.as_deref()).await?;
        for batch in batches(&records) {
            // The consumer may have been switched to held since the read began.
            let held = self.faults.is_held(&self.function);
            if held || !self.deliver(batch).await? {
                self.reader.rewind();
                break;
            }
        }
        Ok(!records.is_empty())
    }

    /// Delivers a batch until all its records are done or given up. Returns `false` where it was
    /// stopped before that.
    async fn deliver(&mut self, batch: &[Record]) -> Result<bool, ConsumerError> {
        let mut progress = Progress::new(batch.len(), self.attempts);
        while let Some(range) = progress.next() {
            if self.stop.requested() {
                return Ok(false);
            }
            let records = &batch[range];
            self.measure(records);
            let request_id = uuid::Uuid::new_v4().to_string();
            let answer = self.invoke(records, &request_id).await?;
            let sequences: Vec<&str> = records
                .iter()
                .map(|record| record.sequence.as_str())
                .collect();
            let outcome = outcome(&answer, &sequences);
            self.note(&outcome, &answer, records);
            let step = progress.advance(outcome);
            if let Some(position) = step.last_finished {
                self.failures = 0;
                let record = &batch[position];
                if step.given_up {
                    self.give_up(record, &answer, &request_id).await?;
                } else {
                    self.passed(record).await?;
                }
            }
            if step.wait {
                self.wait_after_failure().await;
            }
        }
        Ok(true)
    }

    /// Records the age of the last record in milliseconds, as Lambda does with each batch.
    fn measure(&self, records: &[Record]) {
        let Some(arrived) = records.last().and_then(|record| record.arrived) else {
            return;
        };
        let now = clock::now();
        // A float holds the milliseconds of some weeks exactly.
        let age = (now - arrived).num_milliseconds().max(0) as f64;
        self.measured
            .record(self.age.clone(), now.timestamp_millis(), age);
    }

    /// Makes one attempt. Where the fault of double deliveries is on, an accepted batch is
    /// delivered a second time, as after a crash between the function's answer and the checkpoint.
    async fn invoke(&self, records: &[Record], request_id: &str) -> Result<Answer, ConsumerError> {
        let attempt = async || {
            let payload = payload(records)?;
            let answer = self.invoker.invoke(&self.function, payload, request_id);
            Ok(answer.await)
        };
        let answer = attempt().await?;
        match answer.is_ok() && self.faults.delivers_twice() {
            true => attempt().await,
            false => Ok(answer),
        }
    }

    /// Logs a failed attempt.
    fn note(&self, outcome: &Outcome, answer: &Answer, records: &[Record]) {
        let reason = match (outcome, answer) {
            (Outcome::Done, _) => return,
            (_, Err(failed)) => failed.0.as_str(),
            (_, Ok(_)) => "the function named failures",
        };
        let (consumer, records) = (&self.function, records.len());
        tracing::warn!(
            consumer,
            records,
            reason,
            "batch failed, will be tried again"
        );
    }

    async fn passed(&self, record: &Record) -> Result<(), StateError> {
        self.state
            .store_checkpoint(NewCheckpoint {
                consumer: self.function.clone(),
                sequence: record.sequence.clone(),
                given_up: None,
            })
            .await
    }

    async fn give_up(
        &self,
        record: &Record,
        answer: &Answer,
        request_id: &str,
    ) -> Result<(), ConsumerError> {
        let (consumer, sequence) = (self.function.clone(), record.sequence.clone());
        let last = LastAttempt {
            request_id,
            function_failed: answer.is_err(),
            shard: self.reader.shard(),
            at: clock::now(),
        };
        let letter = DeadLetterObject {
            key: self.mapping.key(&last),
            body: self.mapping.body(record, &last)?,
            given_up: GivenUp {
                at: clock::text(last.at),
                reason: match answer {
                    Err(failed) => failed.0.clone(),
                    Ok(_) => "the function named it as failed each time".to_owned(),
                },
                attempts: self.attempts,
                record: record.json.clone(),
            },
        };
        tracing::error!(
            consumer,
            sequence,
            "record given up: see /_local/dead-letters"
        );
        Ok(self.dead_letters.keep(letter, consumer, sequence).await?)
    }

    async fn idle(&mut self) {
        let Self { written, stop, .. } = self;
        tokio::select! {
            _ = written.changed() => {}
            () = tokio::time::sleep(STREAM_POLL) => {}
            () = stop.wait() => {}
        }
    }

    async fn wait_after_failure(&mut self) {
        let wait = wait_after(self.failures);
        self.failures = self.failures.saturating_add(1);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.stop.wait() => {}
        }
    }
}

/// Returns the time to wait after this number of earlier failures in a row.
fn wait_after(failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    STREAM_FIRST_WAIT
        .saturating_mul(factor)
        .min(STREAM_LONGEST_WAIT)
}

/// Cuts records into batches that fit into the payload of an invocation. A single record always
/// fits, since an item has at most 400 KB.
fn batches(records: &[Record]) -> Vec<&[Record]> {
    let envelope = ENVELOPE.0.len() + ENVELOPE.1.len();
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, envelope);
    for (position, record) in records.iter().enumerate() {
        let size = record.json.len() + 1;
        if bytes + size > INVOCATION_BYTES && position > start {
            batches.push(&records[start..position]);
            (start, bytes) = (position, envelope);
        }
        bytes += size;
    }
    if start < records.len() {
        batches.push(&records[start..]);
    }
    batches
}

/// The text before and after the records in a payload.
const ENVELOPE: (&str, &str) = (r#"{"Records":["#, "]}");

fn payload(records: &[Record]) -> Result<Box<RawValue>, serde_json::Error> {
    let records: Vec<&str> = records.iter().map(|record| record.json.as_str()).collect();
    let (head, tail) = ENVELOPE;
    RawValue::from_string(format!("{head}{}{tail}", records.join(",")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(bytes: usize) -> Record {
        Record {
            sequence: "1".to_owned(),
            arrived: None,
            json: format!("\"{}\"", "x".repeat(bytes - 2)),
        }
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let millis: Vec<u128> = (0..9).map(|n| wait_after(n).as_millis()).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(wait_after(u32::MAX), STREAM_LONGEST_WAIT);
    }

    #[test]
    fn a_batch_is_cut_where_an_invocation_is_full() {
        let records: Vec<Record> = (0..40).map(|_| record(400 * 1_024)).collect();
        let cut = batches(&records);
        assert_eq!(cut.iter().map(|batch| batch.len()).sum::<usize>(), 40);
        assert_eq!(cut.iter().map(|batch| batch.len()).max(), Some(15));
        assert!(
            cut.iter()
                .all(|batch| payload(batch).unwrap().get().len() <= INVOCATION_BYTES)
        );
        assert!(batches(&[]).is_empty());
        assert_eq!(batches(&[record(INVOCATION_BYTES + 9)]).len(), 1);
    }

    #[test]
    fn records_travel_in_one_payload() {
        let two = [record(3), record(4)];
        assert_eq!(payload(&two).unwrap().get(), r#"{"Records":["x","xx"]}"#);
    }
}
