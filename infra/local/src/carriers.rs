//! Sends an example of a provider's webhook, to check whether it is accepted.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use commands::carriers::Provider;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use crate::{clock, limits::DYNAMODB_TIMEOUT, settings::carrier_secret_of_environment};

/// An example to try.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// Provider whose example is sent
    #[arg(value_parser = |name: &str| name.parse::<Provider>())]
    provider: Provider,
}

/// The reasons why an example was not sent or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CarriersError {
    /// The HTTP API does not answer.
    #[error("the HTTP API does not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// The example cannot be signed.
    #[error("{0}")]
    NotSigned(String),
    /// The HTTP API did not accept the example.
    #[error("the webhook was not accepted: {0}")]
    NotAccepted(String),
}

/// Sends an example to the HTTP API at `url` as the provider would, signed with the secret from the
/// environment variable. Prints the answer.
pub async fn try_one(args: &TryArgs, url: &str) -> Result<(), CarriersError> {
    let provider = args.provider;
    let http = reqwest::Client::builder()
        .timeout(DYNAMODB_TIMEOUT)
        .build()?;
    let address = |provider: Provider| {
        let url = url.trim_end_matches('/');
        format!("{url}/carriers/{}", provider.as_str())
    };
    let no_secret = || {
        let name = provider.as_str().to_uppercase();
        CarriersError::NotSigned(format!(
            "set WAYBILL_CARRIER_SECRET_{name} to sign an example with"
        ))
    };
    let secret = carrier_secret_of_environment(provider).ok_or_else(no_secret)?;
    let first = secret.lines().next().unwrap_or_default();
    let (header, signature, body) = example(provider, first, clock::now()).ok_or_else(|| {
        CarriersError::NotSigned("only ShipEngine has the key that it signs with".to_owned())
    })?;
    let request = http.post(address(provider)).header(header, signature);
    let answer = request.body(body).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    match status.is_success() {
        true => {
            print_line(&text);
            Ok(())
        }
        false => Err(CarriersError::NotAccepted(format!("{status}: {text}"))),
    }
}

/// Prints a line. A closed standard output is not a failure.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns a webhook with one scan of now: header, signature and body. `None` where only the
/// provider has the key.
fn example(
    provider: Provider,
    secret: &str,
    now: DateTime<Utc>,
) -> Option<(&'static str, String, String)> {
    let body = event(provider, now)?.to_string();
    let (header, signature) = signature(provider, secret, &body, now)?;
    Some((header, signature, body))
}

/// Returns the name and the value of the header with which EasyPost signs this body.
pub fn easypost_signature(secret: &str, body: &str) -> (String, String) {
    let first = secret.lines().next().unwrap_or_default();
    let signed = signature(Provider::EasyPost, first, body, clock::now());
    let (header, value) = signed.unwrap_or_default();
    (header.to_owned(), value)
}

/// Returns the name and the value of the header with which the provider signs this body; `None`
/// where only the provider has the key.
pub(crate) fn signature(
    provider: Provider,
    secret: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Option<(&'static str, String)> {
    Some(match provider {
        Provider::EasyPost => {
            let secret: String = secret.nfkd().collect();
            let mac = hex::encode(mac(&secret, &[body]));
            ("x-hmac-signature", format!("hmac-sha256-hex={mac}"))
        }
        Provider::AfterShip => (
            "aftership-hmac-sha256",
            BASE64_STANDARD.encode(mac(secret, &[body])),
        ),
        Provider::Shippo => {
            let time = now.timestamp().to_string();
            let mac = hex::encode(mac(secret, &[&time, ".", body]));
            ("shippo-auth-signature", format!("t={time},v1={mac}"))
        }
        Provider::Track17 => {
            let hash = Sha256::digest(format!("{body}/{secret}"));
            ("sign", hex::encode(hash))
        }
        Provider::Sendcloud => ("sendcloud-signature", hex::encode(mac(secret, &[body]))),
        Provider::ShipEngine => return None,
    })
}

fn mac(secret: &str, parts: &[&str]) -> Vec<u8> {
    // HMAC accepts keys of any length, so this does not fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return Vec::new();
    };
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

fn event(provider: Provider, now: DateTime<Utc>) -> Option<Value> {
    let number = format!("TRY-{}", now.timestamp_millis());
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    Some(match provider {
        Provider::EasyPost => json!({
            "object": "Event", "description": "tracker.updated", "mode": "production",
            "result": {
                "object": "Tracker", "tracking_code": number, "carrier": "USPS",
                "tracking_details": [{
                    "object": "TrackingDetail", "status": "in_transit", "datetime": time,
                    "status_detail": "arrived_at_facility", "message": "Arrived",
                    "tracking_location": { "city": "Memphis", "state": "TN", "country": "US" },
                }],
            },
        }),
        Provider::AfterShip => json!({
            "event": "tracking_update",
            "msg": {
                "tracking_number": number, "slug": "usps",
                "checkpoints": [{
                    "tag": "InTransit", "subtag": "InTransit_003", "checkpoint_time": time,
                    "city": "Memphis", "state": "TN", "message": "Arrived",
                }],
            },
        }),
        Provider::Shippo => json!({
            "event": "track_updated", "test": false,
            "data": {
                "tracking_number": number, "carrier": "usps",
                "tracking_history": [{
                    "status": "TRANSIT", "substatus": { "code": "package_arrived" },
                    "status_date": time, "status_details": "Arrived",
                    "location": { "city": "Memphis", "state": "TN", "country": "US" },
                }],
            },
        }),
        Provider::Track17 => json!({
            "event": "TRACKING_UPDATED",
            "data": {
                "number": number,
                "track_info": { "tracking": { "providers": [{
                    "provider": { "name": "USPS" },
                    "events": [{
                        "time_iso": time, "stage": "InTransit", "sub_status": "InTransit_Arrival",
                        "description": "Arrived", "location": "Memphis, TN",
                    }],
                }] } },
            },
        }),
        Provider::Sendcloud => json!({
            "action": "parcel_status_changed", "timestamp": now.timestamp_millis(),
            "parcel": {
                "tracking_number": number, "carrier": { "code": "usps" },
                "status": { "id": 3, "message": "En route to sorting center" },
            },
        }),
        Provider::ShipEngine => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use commands::carriers::{
        SignatureContext, keys::KeySet, scan::Webhook, signature::WebhookRequest,
    };
    use domain::Timestamp;

    use super::*;

    #[test]
    fn every_example_is_trusted_and_has_one_scan_whose_code_is_known() {
        let now = clock::now();
        let at = Timestamp::from_datetime(now).unwrap();
        for provider in Provider::ALL {
            let Some((header, signature, body)) = example(provider, "sécret", now) else {
                assert_eq!(provider, Provider::ShipEngine);
                continue;
            };
            let mut headers = HeaderMap::new();
            headers.insert(header, HeaderValue::from_str(&signature).unwrap());
            let signed = WebhookRequest {
                method: "POST",
                headers: &headers,
                body: body.as_bytes(),
            };
            let trust = SignatureContext {
                secrets: &["sécret".to_owned()],
                keys: &KeySet::default(),
                now: at,
            };
            assert_eq!(provider.verify(&signed, trust), Ok(()), "{provider:?}");
            let Ok(Webhook::Parcel(parcel)) = provider.translate(body.as_bytes()) else {
                panic!("{provider:?} has no parcel");
            };
            assert_eq!(parcel.scans.len(), 1, "{provider:?}");
            assert!(parcel.scans[0].meaning.mapped, "{provider:?}");
        }
    }
}
