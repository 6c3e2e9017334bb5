//! Sends a plan, a bounded number of requests at a time, and counts the answers.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures::StreamExt as _;
use futures::stream;
use indicatif::ProgressBar;
use serde_json::Value;

use super::plan::{Order, Plan, RefusedBy, Update};
use super::tally::{Answers, Tally};
use crate::limits::{DEMO_ATTEMPTS, PUT_EVENTS_ENTRIES};

/// The clients and addresses of the system under demonstration.
pub struct Sender {
    /// The client for the HTTP API.
    pub http: reqwest::Client,
    /// The address of the HTTP API, `http://<address>`.
    pub api: String,
    /// The client for the bus.
    pub events: aws_sdk_eventbridge::Client,
    /// The name of the bus.
    pub bus: String,
    /// The progress bar, which counts everything that is sent.
    pub bar: ProgressBar,
}

/// One step of the plan. What must be sent in order is in one step.
enum Work<'a> {
    Order(&'a Order),
    HttpUpdate(&'a Update),
    Events(Vec<&'a Update>),
}

impl Sender {
    /// Sends the whole plan and returns the counts of the answers.
    pub async fn send(&self, plan: &Plan, concurrency: usize) -> Tally {
        let answers = stream::iter(work(plan)).map(|work| self.carry_out(work));
        let mut answers = answers.buffer_unordered(concurrency);
        let mut tally = Tally::default();
        while let Some(some) = answers.next().await {
            tally.add(some);
        }
        tally
    }

    async fn carry_out(&self, work: Work<'_>) -> Tally {
        let mut tally = Tally::default();
        match work {
            Work::Order(order) => self.order(order, &mut tally).await,
            Work::HttpUpdate(update) => {
                let path = format!("/shipments/{}/updates", update.shipment);
                let key = format!("update-{}", update.number);
                let answers = &mut tally.http_updates;
                let first = self.post(&path, &key, &update.detail, answers).await;
                if update.twice {
                    self.repeat(&path, &key, &update.detail, &first, answers)
                        .await;
                }
            }
            Work::Events(updates) => self.put_events(&updates, &mut tally.events).await,
        }
        tally
    }

    async fn order(&self, order: &Order, tally: &mut Tally) {
        let first = self
            .post("/orders", &order.id, &order.body, &mut tally.orders)
            .await;
        if order.twice {
            self.repeat("/orders", &order.id, &order.body, &first, &mut tally.orders)
                .await;
        }
        if let Some(then) = order.then {
            let path = format!("/orders/{}/{then}", order.id);
            let body = if then == "cancel" {
                r#"{"reason":"changed my mind"}"#
            } else {
                "{}"
            };
            self.post(
                &path,
                &format!("{}-{then}", order.id),
                body,
                &mut tally.follow_ups,
            )
            .await;
        }
    }

    /// Posts a command once more, and counts it as repeated where the answer is the same as
    /// `first`.
    async fn repeat(&self, path: &str, key: &str, body: &str, first: &Value, to: &mut Answers) {
        let mut second = Answers::default();
        let answer = self.post(path, key, body, &mut second).await;
        if second.accepted == 1 && answer == *first {
            second.accepted = 0;
            second.repeated = 1;
        } else {
            Answers::count(&mut second.failed, "a repeat was answered in another way");
        }
        to.add(second);
    }

    /// Posts a command, counts its answer and returns it.
    async fn post(&self, path: &str, key: &str, body: &str, answers: &mut Answers) -> Value {
        answers.sent += 1;
        self.bar.inc(1);
        let mut last = String::new();
        for _ in 0..DEMO_ATTEMPTS {
            let request = self.http.post(format!("{}{path}", self.api));
            let request = request.header("Idempotency-Key", key).body(body.to_owned());
            let answer = match request
                .header("Content-Type", "application/json")
                .send()
                .await
            {
                Ok(answer) => answer,
                Err(error) => {
                    last = error.to_string();
                    continue;
                }
            };
            let status = answer.status();
            let body: Value = answer.json().await.unwrap_or_default();
            if status.is_success() {
                answers.accepted += 1;
                return body;
            }
            let code = body["code"].as_str().unwrap_or("no code").to_owned();
            if status.is_client_error() {
                let field = body["field"].as_str().map(|field| format!(" at {field}"));
                Answers::count(&mut answers.refused, code + &field.unwrap_or_default());
                return body;
            }
            last = format!("{} {code}", status.as_u16());
        }
        Answers::count(&mut answers.failed, last);
        Value::Null
    }

    async fn put_events(&self, updates: &[&Update], answers: &mut Answers) {
        let entries = updates.iter().map(|update| {
            PutEventsRequestEntry::builder()
                .source("logistics.shipments")
                .detail_type("Shipment Update")
                .detail(&update.detail)
                .event_bus_name(&self.bus)
                .build()
        });
        let sent = u64::try_from(updates.len()).unwrap_or(u64::MAX);
        answers.sent += sent;
        self.bar.inc(sent);
        let answer = self
            .events
            .put_events()
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        match answer {
            Ok(answer) => {
                for entry in answer.entries() {
                    match entry.error_code() {
                        None => answers.accepted += 1,
                        Some(code) => Answers::count(&mut answers.refused, code),
                    }
                }
            }
            Err(error) => {
                let error = aws_sdk_eventbridge::error::DisplayErrorContext(error);
                Answers::count(&mut answers.failed, error.to_string());
            }
        }
    }
}

/// Returns the steps of the plan: orders and updates alternate, and events are in batches of the
/// size that EventBridge accepts.
fn work(plan: &Plan) -> Vec<Work<'_>> {
    let (over_http, by_event): (Vec<&Update>, Vec<&Update>) =
        plan.updates.iter().partition(|update| update.over_http);
    let again = by_event
        .iter()
        .filter(|update| update.twice && update.refused_by != Some(RefusedBy::Bus));
    let events: Vec<&Update> = by_event.iter().chain(again).copied().collect();
    let batches = events
        .chunks(PUT_EVENTS_ENTRIES)
        .map(|batch| Work::Events(batch.to_vec()));
    let mut rest = over_http.into_iter().map(Work::HttpUpdate).chain(batches);
    let mut work = Vec::new();
    for order in &plan.orders {
        work.push(Work::Order(order));
        work.extend(rest.next());
    }
    work.extend(rest);
    work
}
