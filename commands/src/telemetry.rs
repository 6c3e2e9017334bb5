//! The log line and the metrics of a command. The line has the ids by which the command's request,
//! events and messages are found. Neither holds any content of the order or shipment.

use domain::{AggregateId, EventSourced, Timestamp, shipment::Status};
use event_store::Cause;
use lambda::metrics::{Orders, Shipments};

use crate::{
    Commands,
    execute::{Envelope, Failure, Outcome, execute},
};

/// The subject of a command, by which metrics are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Orders,
    Shipments,
}

impl About {
    /// The subject by the first segment of a request's path; `None` of any other path.
    pub(crate) fn of_path(path: &[&str]) -> Option<Self> {
        match path.first() {
            Some(&"orders") => Some(Self::Orders),
            Some(&"shipments") => Some(Self::Shipments),
            _ => None,
        }
    }
}

impl Commands {
    /// Executes a command, and logs and counts its result.
    pub(crate) async fn execute<A: EventSourced>(
        &self,
        envelope: Envelope<A::Intent>,
    ) -> Result<Outcome, Failure> {
        let started = self.clock.now();
        let (aggregate, cause) = (envelope.aggregate.clone(), envelope.cause.clone());
        let done = execute::<A>(&self.store, self.clock.as_ref(), envelope).await;
        log(&aggregate, &cause, &done);
        if let Ok(outcome) = &done {
            self.count(&aggregate, outcome, started);
        }
        done
    }

    /// Counts the effect of a command. A repeat was counted when it had the effect.
    fn count(&self, aggregate: &AggregateId, outcome: &Outcome, started: Timestamp) {
        let now = self.clock.now();
        let anew = outcome.own && !outcome.repeated;
        match aggregate {
            AggregateId::Order(_) => {
                let placed = anew && outcome.event.as_deref() == Some("OrderPlaced");
                let orders = Orders {
                    processed: u64::from(placed),
                    millis: millis(started, now),
                    ..Orders::default()
                };
                self.metrics.orders(now, orders);
            }
            AggregateId::Erasure(_) => {}
            AggregateId::Shipment(_) => {
                let mut shipments = Shipments::default();
                match outcome.event.as_deref() {
                    Some("ShipmentStalled") => shipments.stalled = u64::from(anew),
                    _ if anew => {
                        let status = Status::known(&outcome.status);
                        shipments.processed.insert(status, 1);
                    }
                    _ => {}
                }
                self.metrics.shipments(now, &shipments);
            }
        }
    }

    /// Counts a command without effect: a refused one with its code, or with a status of 500 or
    /// more a failure.
    pub(crate) fn count_failed(
        &self,
        about: About,
        (status, code): (u16, &'static str),
        started: Timestamp,
    ) {
        let now = self.clock.now();
        let failed = status >= 500;
        let code = (!failed).then_some(code);
        match about {
            About::Orders => self.metrics.orders(
                now,
                Orders {
                    processed: 0,
                    refused: u64::from(!failed),
                    failures: u64::from(failed),
                    millis: millis(started, now),
                    code,
                },
            ),
            About::Shipments => self.metrics.shipments(
                now,
                &Shipments {
                    errors: 1,
                    code,
                    ..Shipments::default()
                },
            ),
        }
    }
}

/// Milliseconds from one time to another; zero where the clock went back.
pub(crate) fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.millis() - from.millis()).unwrap_or_default()
}

/// Logs one line with the ids by which the command's cause and its messages are found.
fn log(aggregate: &AggregateId, cause: &Cause, done: &Result<Outcome, Failure>) {
    let Cause {
        source,
        correlation_id,
        causation_id,
        traceparent,
        ..
    } = cause;
    match done {
        Ok(outcome) => tracing::info!(
            %aggregate,
            version = outcome.version,
            event = outcome.event.as_deref().unwrap_or("nothing"),
            repeated = outcome.repeated || !outcome.own,
            source,
            correlation_id,
            causation_id,
            traceparent,
            "a command was executed"
        ),
        Err(failure) => tracing::info!(
            %aggregate,
            code = failure.code(),
            source,
            correlation_id,
            causation_id,
            traceparent,
            "a command was not executed"
        ),
    }
}
