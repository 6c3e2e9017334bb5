//! The results of a run, counted in the tables and in the lists of the local system.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use lambda::Names;
use serde_json::Value;

use super::DemoError;
use super::tally::{Answers, Reasons};
use crate::limits::{DEMO_POLL, DEMO_TIMEOUT, PAGE_MAX};

/// Reads the state of the system under demonstration.
pub struct Observer {
    /// The client for the local system's own pages.
    pub http: reqwest::Client,
    /// The address of the AWS protocols, `http://<address>`.
    pub aws: String,
    /// The client for the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The names of the tables.
    pub names: Names,
}

/// The numbers of the newest message and dead letter before a run.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    message: u64,
    dead_letter: u64,
}

/// The results of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of rows of orders.
    pub orders: u64,
    /// The number of rows of updates.
    pub updates: u64,
    /// The number of rows of current shipments.
    pub shipments: u64,
    /// The number of distinct messages, by detail-type, and of alerts on the topic.
    pub messages: BTreeMap<String, u64>,
    /// The number of events that the function refused, by reason.
    pub refused_events: Reasons,
}

impl Observer {
    /// Reads the state before the run.
    pub async fn before(&self) -> Result<Before, DemoError> {
        let newest = async |list: &str, name: &str| -> Result<u64, DemoError> {
            let page = self.get(&format!("{list}?limit=1")).await?;
            Ok(page[name][0]["number"].as_u64().unwrap_or(0))
        };
        Ok(Before {
            message: newest("/_local/messages", "messages").await?,
            dead_letter: newest("/_local/dead-letters", "deadLetters").await?,
        })
    }

    /// Waits until nothing is left to do. Returns the time from `since` until then. Fails after
    /// [`DEMO_TIMEOUT`].
    pub async fn wait_until_idle(&self, since: Instant) -> Result<Duration, DemoError> {
        let mut quiet = None;
        loop {
            let status = self.get("/_local/status").await?;
            let lag = since.elapsed();
            let busy = status["pendingDeliveries"] != 0
                || status["consumers"]["project"]["behind"] != 0
                || status["consumers"]["notify"]["behind"] != 0;
            // A delivery may end while the parts of one status are read. Only where the next status
            // is the same has nothing happened in between.
            match quiet.take() {
                Some((earlier, lag)) if !busy && earlier == status => return Ok(lag),
                _ if !busy => quiet = Some((status, lag)),
                _ if lag > DEMO_TIMEOUT => return Err(DemoError::NotIdle(status.to_string())),
                _ => {}
            }
            tokio::time::sleep(DEMO_POLL).await;
        }
    }

    /// Counts the results of the run.
    pub async fn count(&self, run: &str, before: Before) -> Result<Outcome, DemoError> {
        let (orders, log) = (self.names.processed_orders(), self.names.shipment_log());
        let messages = self.messages(run, before.message).await?;
        Ok(Outcome {
            orders: self
                .rows(&orders, "begins_with(orderId, :run)", run, None)
                .await?,
            updates: self.shipment_rows(&log, run, "<>").await?,
            shipments: self.shipment_rows(&log, run, "=").await?,
            messages,
            refused_events: self.refused_events(run, before.dead_letter).await?,
        })
    }

    async fn shipment_rows(&self, table: &str, run: &str, is: &str) -> Result<u64, DemoError> {
        let filter = format!("begins_with(shipmentId, :run) AND entry {is} :current");
        self.rows(table, &filter, run, Some("CURRENT")).await
    }

    async fn rows(
        &self,
        table: &str,
        filter: &str,
        run: &str,
        current: Option<&str>,
    ) -> Result<u64, DemoError> {
        let mut scan = self
            .dynamodb
            .scan()
            .table_name(table)
            .select(Select::Count)
            .consistent_read(true)
            .filter_expression(filter)
            .expression_attribute_values(":run", AttributeValue::S(run.to_owned()));
        if let Some(current) = current {
            let current = AttributeValue::S(current.to_owned());
            scan = scan.expression_attribute_values(":current", current);
        }
        let (mut count, mut start) = (0, None);
        loop {
            let page = scan.clone().set_exclusive_start_key(start).send().await;
            let page = page.map_err(|error| DemoError::Scan(error.into_service_error()))?;
            count += u64::try_from(page.count).unwrap_or(0);
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// Counts the distinct messages of the run. A message may be sent twice, with the same id.
    async fn messages(&self, run: &str, after: u64) -> Result<BTreeMap<String, u64>, DemoError> {
        let ours = [format!("order#{run}"), format!("shipment#{run}")];
        let mut seen = BTreeSet::new();
        let mut counts = BTreeMap::new();
        for message in self.list("/_local/messages", "messages", after).await? {
            let (kind, id) = match message["via"].as_str() {
                Some("SNS") => ("SNS alert", &message["attributes"]["id"]),
                _ => (
                    message["detailType"].as_str().unwrap_or_default(),
                    &message["detail"]["id"],
                ),
            };
            let id = id.as_str().unwrap_or_default();
            let is_ours = ours.iter().any(|prefix| id.starts_with(prefix.as_str()));
            if is_ours && seen.insert((kind.to_owned(), id.to_owned())) {
                *counts.entry(kind.to_owned()).or_default() += 1;
            }
        }
        Ok(counts)
    }

    async fn refused_events(&self, run: &str, after: u64) -> Result<Reasons, DemoError> {
        let mut reasons = Reasons::new();
        for letter in self
            .list("/_local/dead-letters", "deadLetters", after)
            .await?
        {
            let shipment = letter["payload"]["detail"]["shipmentId"]
                .as_str()
                .unwrap_or_default();
            if shipment.starts_with(run) {
                Answers::count(&mut reasons, letter["reason"].as_str().unwrap_or_default());
            }
        }
        Ok(reasons)
    }

    /// Reads all entries of a list with a number above `after`.
    async fn list(&self, path: &str, name: &str, after: u64) -> Result<Vec<Value>, DemoError> {
        let (mut all, mut before) = (Vec::new(), u64::MAX);
        loop {
            let page = self
                .get(&format!("{path}?limit={PAGE_MAX}&before={before}"))
                .await?;
            let page = page[name].as_array().cloned().unwrap_or_default();
            let new = page
                .into_iter()
                .filter(|entry| entry["number"].as_u64() > Some(after));
            let found = all.len();
            all.extend(new);
            match all
                .last()
                .and_then(|entry: &Value| entry["number"].as_u64())
            {
                Some(last) if all.len() > found => before = last,
                _ => return Ok(all),
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Value, DemoError> {
        let answer = self.http.get(format!("{}{path}", self.aws)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
