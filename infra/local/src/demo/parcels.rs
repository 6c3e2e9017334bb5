//! Parcels in carriers' webhooks: webhooks that overlap and repeat, signed here as their provider
//! would sign them; and one parcel without further updates.
//!
//! They are counted separately: the answer to a webhook says what it led to, and the row of a
//! shipment says whether it has stalled.

use std::{fmt, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use commands::carriers::Provider;
use lambda::StalledAfter;
use serde_json::{Value, json};

use crate::{
    carriers, clock,
    limits::{DEMO_PARCELS, DEMO_POLL, DEMO_STALL_TIMEOUT},
    settings::DEMO_STALLED_AFTER,
};

/// The addresses of the system under demonstration, and the names of the parcels.
pub struct Parcels<'a> {
    /// The client for the HTTP API and for the settings of functions.
    pub http: &'a reqwest::Client,
    /// The address of the HTTP API, `http://<address>`.
    pub api: &'a str,
    /// The address of the AWS protocols, `http://<address>`.
    pub aws: &'a str,
    /// The name of the function that looks for stalled shipments.
    pub watch: &'a str,
    /// The beginning of every parcel's number.
    pub run: &'a str,
    /// The time at which the run began. The scans are from the days before.
    pub began: DateTime<Utc>,
}

/// The results of the parcels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The numbers of webhooks and of their scans; `None` where no secret to sign with is known.
    pub webhooks: Option<WebhookCounts>,
    /// The parcel that has stalled, or why none has.
    pub stalled: Result<String, String>,
}

/// The number of webhooks, and of the scans that their answers report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// WebhookCounts that were sent.
    pub sent: u64,
    /// WebhookCounts that were not answered with success.
    pub failed: u64,
    /// Scans that were new and logged.
    pub logged: u64,
    /// Scans that were already known and stored nothing.
    pub known: u64,
}

/// The number of scans in each of a parcel's webhooks: the first scans, all of them, and all of
/// them once more.
const LISTS: [usize; 3] = [2, SCANS.len(), SCANS.len()];

/// A parcel's scans: EasyPost's status and status detail, text, and age in hours.
const SCANS: [(&str, &str, &str, i64); 5] = [
    ("pre_transit", "label_created", "Label created", 60),
    (
        "in_transit",
        "arrived_at_facility",
        "Arrived at a facility",
        48,
    ),
    (
        "in_transit",
        "departed_facility",
        "Departed from a facility",
        40,
    ),
    (
        "out_for_delivery",
        "out_for_delivery",
        "Out for delivery",
        8,
    ),
    (
        "delivered",
        "arrived_at_destination",
        "Left at the front door",
        2,
    ),
];

/// The longest time until a parcel is stalled that a demonstration waits for, in seconds.
const SILENT_SECONDS_MAX: u64 = 60;

impl Parcels<'_> {
    /// Sends all webhooks and lets one parcel stall. `secret` is the one that EasyPost would sign
    /// with, where the system has one.
    pub async fn send(&self, secret: Option<&str>) -> Outcome {
        let webhooks = match secret {
            Some(secret) => Some(self.webhooks(secret).await),
            None => None,
        };
        let stalled = self.let_one_stall().await;
        Outcome { webhooks, stalled }
    }

    async fn webhooks(&self, secret: &str) -> WebhookCounts {
        let mut counts = WebhookCounts::default();
        for number in 0..DEMO_PARCELS {
            // The list of scans grows and is sent as a whole each time.
            for scans in LISTS {
                counts.sent += 1;
                let code = format!("{}-p{number}", self.run);
                let event = tracker(&code, scans, self.began);
                let Some(answer) = self.webhook(secret, event).await else {
                    counts.failed += 1;
                    continue;
                };
                counts.logged += answer["logged"].as_u64().unwrap_or_default();
                counts.known += answer["known"].as_u64().unwrap_or_default();
            }
        }
        counts
    }

    async fn webhook(&self, secret: &str, event: Value) -> Option<Value> {
        let body = event.to_string();
        let provider = Provider::EasyPost;
        let (header, signature) = carriers::signature(provider, secret, &body, clock::now())?;
        let url = format!("{}/carriers/{}", self.api, provider.as_str());
        let request = self.http.post(url).header(header, signature);
        let answer = request.body(body).send().await.ok()?;
        let taken = answer.status().is_success();
        let answer = answer.json().await.ok()?;
        taken.then_some(answer)
    }

    /// Sends one update with the status that stalls soonest, and then none, until the system marks
    /// the parcel as stalled.
    async fn let_one_stall(&self) -> Result<String, String> {
        let after = self.stalled_after().await?;
        let soonest = after.soonest();
        let (status, after) = soonest.ok_or("no status stalls on this system")?;
        if after.as_secs() > SILENT_SECONDS_MAX {
            return Err(format!(
                "the system waits for {} hours with {status}; start it with \
                 --stalled-after-hours {DEMO_STALLED_AFTER} to see one",
                after.as_secs() / 3_600
            ));
        }
        let id = format!("{}-silent", self.run);
        let url = format!("{}/shipments/{id}", self.api);
        let update = json!({ "status": status, "location": "Rotterdam", "carrier": "PostNL" });
        let sent = self.http.post(format!("{url}/updates")).json(&update);
        let sent = sent.header("Idempotency-Key", &id).send().await;
        let sent = sent.and_then(reqwest::Response::error_for_status);
        sent.map_err(|error| error.to_string())?;
        let started = Instant::now();
        while started.elapsed() < after + DEMO_STALL_TIMEOUT {
            let row: Value = match self.http.get(&url).send().await {
                Ok(answer) => answer.json().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            if let Some(since) = row["stalledSince"].as_str() {
                return Ok(format!("{id}, silent since {since}"));
            }
            tokio::time::sleep(DEMO_POLL).await;
        }
        Err(format!("{id} was not found to be silent"))
    }

    /// Reads after which time without updates the system marks a shipment as stalled, from the
    /// settings of its function.
    async fn stalled_after(&self) -> Result<StalledAfter, String> {
        let functions = format!("{}/2015-03-31/functions", self.aws);
        let url = format!("{functions}/{}/configuration", self.watch);
        let answer = self.http.get(url).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let config: Value = answer.json().await.map_err(|error| error.to_string())?;
        let set = &config["Environment"]["Variables"]["WAYBILL_STALLED_AFTER_HOURS"];
        let set = set
            .as_str()
            .ok_or("the system does not say how long it waits")?;
        set.parse()
            .map_err(|error: lambda::stalled_after::InvalidStalledAfter| error.to_string())
    }
}
fn tracker(code: &str, scans: usize, began: DateTime<Utc>) -> Value {
    let scan = |(status, detail, text, hours): &(&str, &str, &str, i64)| {
        let time = clock::text(began - TimeDelta::hours(*hours));
        json!({
            "object": "TrackingDetail", "status": status, "status_detail": detail,
            "datetime": time, "message": text,
            "tracking_location": { "city": "Memphis", "state": "TN", "country": "US" },
        })
    };
    json!({
        "object": "Event", "description": "tracker.updated", "mode": "production",
        "result": {
            "object": "Tracker", "tracking_code": code, "carrier": "USPS",
            "tracking_details": SCANS.iter().take(scans).map(scan).collect::<Vec<_>>(),
        },
    })
}

impl Outcome {
    /// Returns the differences from the expected numbers.
    pub fn mismatches(&self) -> Vec<String> {
        let Some(counts) = self.webhooks else {
            return Vec::new();
        };
        let parcels = DEMO_PARCELS as u64;
        let scans = parcels * SCANS.len() as u64;
        let repeats = parcels * (LISTS.iter().sum::<usize>() - SCANS.len()) as u64;
        let expected = WebhookCounts {
            sent: parcels * LISTS.len() as u64,
            failed: 0,
            logged: scans,
            known: repeats,
        };
        match counts == expected {
            true => Vec::new(),
            false => vec![format!(
                "webhooks: {counts:?}, and {expected:?} was expected"
            )],
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.webhooks {
            Some(WebhookCounts {
                sent,
                failed,
                logged,
                known,
            }) => writeln!(
                f,
                "Carriers' webhooks: {sent} of {DEMO_PARCELS} parcels, {logged} scans logged, \
                 {known} known before, {failed} failed"
            )?,
            None => writeln!(
                f,
                "Carriers' webhooks: none, since EasyPost has no secret here \
                 (WAYBILL_CARRIER_SECRET_EASYPOST)"
            )?,
        }
        match &self.stalled {
            Ok(parcel) => write!(f, "Stalled: {parcel}"),
            Err(reason) => write!(f, "Stalled: none, since {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_as_expected_does_not_add_up() {
        let counts = WebhookCounts {
            sent: 36,
            failed: 0,
            logged: 60,
            known: 84,
        };
        let outcome = |webhooks| Outcome {
            webhooks,
            stalled: Err("reasons".to_owned()),
        };
        assert!(outcome(None).mismatches().is_empty());
        assert!(outcome(Some(counts)).mismatches().is_empty());
        let less = WebhookCounts {
            logged: 59,
            ..counts
        };
        assert_eq!(outcome(Some(less)).mismatches().len(), 1);
    }

    #[test]
    fn every_code_of_a_scan_is_known() {
        for (status, detail, ..) in SCANS {
            let meaning = Provider::EasyPost.codes().read(Some(status), Some(detail));
            assert!(meaning.mapped, "{status}/{detail}");
        }
    }
}
