//! The queue of asynchronous invocations: it invokes the functions for the events that
//! EventBridge's rules have matched and for the calls of `Invoke` with the type `Event`. The number
//! of invocations at the same time is limited, and each is attempted as often as Lambda would. A
//! function with reserved concurrency has a lane of its own in the queue.

use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock;
use crate::definition::Definition;
use crate::faults::Faults;
use crate::function::FunctionError;
use crate::invoker::Invoker;
use crate::limits::{
    CONCURRENT_DELIVERIES, DELIVERY_ATTEMPTS, DELIVERY_POLL, DELIVERY_WAITS, ERROR_MESSAGE_BYTES,
};
use crate::state::{Delivery, FinishedAttempt, GivenUp, Lane, State, StoredAs, Verdict};
use crate::stop::Stop;

/// Delivers the pending invocations of one lane.
pub struct Deliverer {
    /// The state that holds the queue.
    pub state: State,
    /// The lane whose deliveries this task delivers.
    pub lane: Lane,
    /// The maximum number of deliveries at the same time.
    pub max_in_flight: usize,
    /// Invokes functions.
    pub invoker: Invoker,
    /// The faults that are switched on.
    pub faults: Faults,
    /// Changes when an invocation has been accepted.
    pub accepted: watch::Receiver<()>,
    /// Ends this task.
    pub stop: Stop,
}

impl Deliverer {
    /// Delivers until `stop` is requested, then waits for the deliveries that have started.
    pub async fn run(mut self) {
        let mut in_flight = JoinSet::new();
        let mut finished = Vec::new();
        while !self.stop.requested() {
            let free = self.max_in_flight.saturating_sub(in_flight.len());
            for delivery in self.exchange(&mut finished, free).await {
                in_flight.spawn(deliver(self.invoker.clone(), self.faults.clone(), delivery));
            }
            tokio::select! {
                Some(ended) = in_flight.join_next() => finished.extend(ended.ok()),
                Ok(()) = self.accepted.changed() => {}
                () = tokio::time::sleep(DELIVERY_POLL) => {}
                () = self.stop.wait() => {}
            }
            while let Some(ended) = in_flight.try_join_next() {
                finished.extend(ended.ok());
            }
        }
        while let Some(ended) = in_flight.join_next().await {
            finished.extend(ended.ok());
        }
        self.exchange(&mut finished, 0).await;
    }

    /// Stores the finished attempts and takes new deliveries, in one transaction. Where that fails,
    /// the finished attempts are kept for the next call.
    async fn exchange(&self, finished: &mut Vec<FinishedAttempt>, free: usize) -> Vec<Delivery> {
        let now = clock::now().timestamp_millis();
        let exchanged = self
            .state
            .exchange(finished.clone(), self.lane.clone(), free, now)
            .await;
        match exchanged {
            Ok(due) => {
                finished.clear();
                due
            }
            Err(error) => {
                tracing::error!(%error, "the queue of deliveries could not be read or written");
                tokio::time::sleep(DELIVERY_POLL).await;
                Vec::new()
            }
        }
    }
}

/// Returns the lanes of a system, and the maximum number of deliveries at the same time for each.
pub fn lanes(definition: &Definition) -> Vec<(Lane, usize)> {
    let others = Lane::Others {
        without: definition.reserved(),
    };
    let own = definition.functions.iter().filter_map(|function| {
        let max_in_flight = function.reserved_concurrency?;
        Some((Lane::Function(function.id.clone()), max_in_flight))
    });
    own.chain([(others, CONCURRENT_DELIVERIES)]).collect()
}

async fn deliver(invoker: Invoker, faults: Faults, delivery: Delivery) -> FinishedAttempt {
    let Delivery {
        id,
        function,
        request_id,
        payload,
        attempts,
    } = delivery;
    let attempt = async || match RawValue::from_string(payload.clone()) {
        Ok(payload) => invoker.invoke(&function, payload, &request_id).await,
        Err(_) => Err(FunctionError("the payload is not JSON".to_owned())),
    };
    let mut answer = attempt().await;
    if answer.is_ok() && faults.delivers_twice() {
        answer = attempt().await;
    }
    let record = payload;
    let verdict = match answer {
        Ok(_) => Verdict::Delivered,
        Err(failed) => after_failure(attempts + 1, failed, &request_id, record),
    };
    match &verdict {
        Verdict::Delivered => {}
        Verdict::Retry { .. } => {
            tracing::warn!(function, request_id, "delivery failed, will be tried again");
        }
        Verdict::GivenUp { given_up, .. } => {
            let (text, reason) = (
                "delivery given up: see /_local/dead-letters",
                &given_up.reason,
            );
            tracing::error!(function, request_id, reason, "{text}");
        }
    }
    FinishedAttempt { id, verdict }
}

/// Returns what happens with a delivery of `record` after its attempt number `attempts` has failed.
fn after_failure(
    attempts: u32,
    failed: FunctionError,
    request_id: &str,
    record: String,
) -> Verdict {
    let now = clock::now();
    let wait = usize::try_from(attempts)
        .ok()
        .and_then(|n| DELIVERY_WAITS.get(n.checked_sub(1)?));
    match wait {
        Some(wait) if attempts < DELIVERY_ATTEMPTS => {
            let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            Verdict::Retry {
                due_ms: now.timestamp_millis().saturating_add(wait),
            }
        }
        _ => Verdict::GivenUp {
            stored_as: StoredAs::Message {
                id: uuid::Uuid::new_v4().to_string(),
                attributes: attributes(request_id, &failed.0),
                sent_ms: now.timestamp_millis(),
            },
            given_up: GivenUp {
                at: clock::text(now),
                reason: failed.0,
                attempts,
                record,
            },
        },
    }
}

/// Returns the message attributes that Lambda adds to a dead letter. The error code is the HTTP
/// status of the invocation: 200, since the invocation itself succeeds even where the function
/// fails.
fn attributes(request_id: &str, error: &str) -> String {
    let end = error.floor_char_boundary(ERROR_MESSAGE_BYTES);
    let attribute = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
    json!({
        "RequestID": attribute("String", request_id),
        "ErrorCode": attribute("Number", "200"),
        "ErrorMessage": attribute("String", &error[..end]),
    })
    .to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::toy;

    #[test]
    fn each_delivery_is_of_one_lane() {
        let lanes = lanes(&toy::library());
        let without = vec!["scan".to_owned()];
        let expected = [
            (Lane::Function("scan".to_owned()), 4),
            (Lane::Others { without }, CONCURRENT_DELIVERIES),
        ];
        assert_eq!(lanes, expected);
    }

    #[test]
    fn the_third_failure_is_the_last() {
        let after = |attempts| {
            after_failure(
                attempts,
                FunctionError("no".to_owned()),
                "r",
                "{}".to_owned(),
            )
        };
        assert!(matches!(after(1), Verdict::Retry { .. }));
        assert!(matches!(after(2), Verdict::Retry { .. }));
        let Verdict::GivenUp { given_up, .. } = after(3) else {
            panic!("tried for ever");
        };
        assert_eq!((given_up.reason.as_str(), given_up.attempts), ("no", 3));
        assert_eq!(given_up.record, "{}");
    }

    #[test]
    fn a_long_error_is_cut_between_two_characters() {
        let error = format!("x{}", "ä".repeat(ERROR_MESSAGE_BYTES));
        let attributes: serde_json::Value = serde_json::from_str(&attributes("r", &error)).unwrap();
        let told = &attributes["ErrorMessage"]["StringValue"];
        assert_eq!(told.as_str().unwrap().len(), ERROR_MESSAGE_BYTES - 1);
        assert_eq!(attributes["ErrorCode"]["DataType"], "Number");
        assert_eq!(attributes["RequestID"]["StringValue"], "r");
    }
}
