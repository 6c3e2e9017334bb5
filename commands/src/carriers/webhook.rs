//! The way of a webhook: trusted, read, logged, answered. Whoever sends one that is trusted hears
//! `200`, whatever became of it, unless it may succeed when it is sent again: a provider switches
//! off an address that fails.

use std::io::{Read as _, Write as _};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{Digest, Json, ShipmentId, Timestamp, json::Object, shipment::Status};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use lambda::{
    Answer, Failed, Invocation,
    http::{Problem, Request, Response, is_request},
    metrics::{CarrierWebhook, Shipments},
    trace::TraceParent,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Provider, SignatureContext,
    keys::KeySet,
    scan::{Parcel, Unreadable, Update, Webhook},
    shipengine,
    signature::{SignatureError, WebhookRequest},
};
use crate::{
    Commands,
    execute::Failure,
    execute_many::{Logged, Refused, Updates, log_all},
    limits::{LETTER_BYTES_MAX, WEBHOOK_BYTES_MAX},
    rejection::{Rejection, reject},
};

/// Handles a webhook, or one that lay among the dead letters.
pub async fn handle(commands: &Commands, payload: &RawValue, invocation: &Invocation) -> Answer {
    if is_request(payload) {
        let event: ApiGatewayV2httpRequest = serde_json::from_str(payload.get())
            .map_err(|_| Failed("not a request of an HTTP API".to_owned()))?;
        return Ok(match request(commands, event, invocation).await {
            Ok(said) => Response::ok(said).to_payload(),
            Err(problem) => problem.to_payload(),
        });
    }
    // Only who may invoke the function comes this way: the operator, with a letter.
    let letter = Letter::read(payload).map_err(|reason| Failed(reason.to_owned()))?;
    let arrived = TrustedWebhook {
        provider: letter.provider,
        id: letter.id,
        at: letter.time,
        trace: None,
        retried: true,
    };
    let said = accept(commands, &arrived, &letter.body).await;
    let said = said.map_err(|problem| Failed(problem.message))?;
    serde_json::to_value(&said).map_err(|error| Failed(error.to_string()))
}

/// A webhook that is trusted.
#[derive(Clone)]
struct TrustedWebhook {
    provider: Provider,
    /// The request that brought it.
    id: String,
    at: Timestamp,
    trace: Option<TraceParent>,
    /// Is it a dead letter that is taken up? Then what still cannot be logged of it is kept again.
    retried: bool,
}

async fn request(
    commands: &Commands,
    event: ApiGatewayV2httpRequest,
    invocation: &Invocation,
) -> Result<Json, Problem> {
    let request = Request::new(event)?;
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let nobody = || Problem::not_found("there is nothing here");
    let ("POST", ["carriers", name]) = (request.method.as_str(), &path[..]) else {
        return Err(nobody());
    };
    let provider: Provider = name.parse().map_err(|_| nobody())?;
    let now = commands.clock.now();
    let secrets = commands.carriers.secrets.of(provider, now).await;
    let secrets = secrets.map_err(|error| {
        tracing::error!(%error, provider = provider.as_str(), "a webhook cannot be checked");
        commands.count_webhook(provider, "unavailable");
        Problem::unavailable()
    })?;
    // Without a secret nobody can be trusted, and the address is none.
    if secrets.is_empty() {
        commands.count_webhook(provider, "no_secret");
        return Err(nobody());
    }
    if request.body.len() > WEBHOOK_BYTES_MAX {
        commands.count_webhook(provider, "too_large");
        let message = format!("a webhook has at most {WEBHOOK_BYTES_MAX} bytes");
        return Err(Problem::new(413, "body_too_large", message));
    }
    let signed = WebhookRequest {
        method: &request.method,
        headers: &request.headers,
        body: &request.body,
    };
    check(commands, provider, &signed, &secrets, now).await?;
    let arrived = TrustedWebhook {
        provider,
        id: request.request_id.clone(),
        at: now,
        trace: invocation.traceparent(),
        retried: false,
    };
    accept(commands, &arrived, &request.body).await
}

/// Is it trusted? Whoever it is not hears no more than that.
async fn check(
    commands: &Commands,
    provider: Provider,
    signed: &WebhookRequest<'_>,
    secrets: &[String],
    now: Timestamp,
) -> Result<(), Problem> {
    let forged = |error: SignatureError| {
        tracing::warn!(%error, provider = provider.as_str(), "a webhook is not trusted");
        commands.count_webhook(provider, "refused");
        Problem::new(401, "wrong_signature", "the signature is missing or wrong")
    };
    let keys = match provider {
        Provider::ShipEngine => {
            let id = shipengine::key_id(signed).map_err(forged)?;
            let url = shipengine::ShipEngineSecret::of(secrets).keys_url;
            let keys = commands.carriers.keys.get(url, id, now).await;
            keys.map_err(|error| {
                tracing::error!(%error, provider = provider.as_str(), "a webhook cannot be checked");
                commands.count_webhook(provider, "unavailable");
                Problem::unavailable()
            })?
        }
        _ => KeySet::default(),
    };
    let keys = &keys;
    let verified = provider.verify(signed, SignatureContext { secrets, keys, now });
    verified.map_err(forged)
}

/// Reads and logs it. What cannot be is kept among the dead letters.
async fn accept(
    commands: &Commands,
    arrived: &TrustedWebhook,
    body: &[u8],
) -> Result<Json, Problem> {
    let provider = arrived.provider;
    let parcel = match provider.translate(body) {
        Ok(Webhook::Parcel(parcel)) => parcel,
        Ok(Webhook::Nothing) => {
            commands.count_webhook(provider, "nothing");
            return Ok(said("Nothing to do", None, None));
        }
        Err(Unreadable(reason)) => return give_up(commands, arrived, body, reason, None).await,
    };
    let source = format!("carriers/{}", provider.as_str());
    let by_reference = commands.carriers.by_reference.contains(&provider);
    let updates = match parcel.updates(&source, by_reference, arrived.at) {
        Ok(updates) => updates,
        Err(Unreadable(reason)) => return give_up(commands, arrived, body, reason, None).await,
    };
    let (updates, refused): (Vec<_>, Vec<_>) = updates.into_iter().partition(Result::is_ok);
    let updates: Vec<Update> = updates.into_iter().flatten().collect();
    let mut refused: Vec<Refused> = refused.into_iter().filter_map(Result::err).collect();
    let Some(first) = updates.first() else {
        if !refused.is_empty() {
            let told = tell(commands, arrived, body, &refused, None).await?;
            return Ok(told.unwrap_or_else(|| said("Nothing to do", None, None)));
        }
        commands.count_webhook(provider, "nothing");
        return Ok(said("Nothing to do", None, None));
    };
    let shipment_id = first.intent.shipment_id.clone();
    let logged = log(commands, arrived, source, &shipment_id, updates).await;
    match logged {
        Ok(logged) => {
            count(commands, provider, &parcel, &logged);
            refused.extend(logged.refused.iter().cloned());
            let told = tell(commands, arrived, body, &refused, Some(&shipment_id)).await?;
            if let Some(told) = told {
                return Ok(told);
            }
            let outcome = if logged.new.is_empty() {
                "known"
            } else {
                "logged"
            };
            commands.count_webhook(provider, outcome);
            let message = if logged.new.is_empty() {
                "Nothing to do"
            } else {
                "Scans logged"
            };
            let mut answer = said(message, Some(&shipment_id), Some(&logged));
            if let (Json::Object(members), 1..) = (&mut answer, refused.len()) {
                members.insert("refused".to_owned(), (refused.len() as u64).into());
            }
            Ok(answer)
        }
        Err(Failure::Unavailable(reason)) => {
            tracing::warn!(reason, "a webhook waits to be sent again");
            commands.count_webhook(provider, "unavailable");
            Err(Problem::unavailable())
        }
        Err(failure) => {
            tracing::error!(%failure, "a webhook cannot be logged");
            give_up(commands, arrived, body, failure.code(), Some(&shipment_id)).await
        }
    }
}

/// Keeps the webhook because of scans that cannot be logged, unless this process has told of each
/// of them before; what is answered then, `None` where nothing was to be told.
async fn tell(
    commands: &Commands,
    arrived: &TrustedWebhook,
    body: &[u8],
    refused: &[Refused],
    shipment_id: Option<&ShipmentId>,
) -> Result<Option<Json>, Problem> {
    let kept = &commands.carriers.kept;
    let is_new = |refused: &&Refused| arrived.retried || !kept.knows(&refused.id);
    let new: Vec<&Refused> = refused.iter().filter(is_new).collect();
    let Some(first) = new.first() else {
        return Ok(None);
    };
    let ids: Vec<Json> = new.iter().map(|new| new.id.as_str().into()).collect();
    let about = TrustedWebhook {
        // That of the scans, which is the same whichever webhook brings them: who has one letter or
        // mail of them knows the next.
        id: format!("scans/{}", Digest::of(&Json::Array(ids)).as_str()),
        ..arrived.clone()
    };
    let reason = first.refusal.code();
    let answer = give_up(commands, &about, body, reason, shipment_id).await?;
    kept.add(new.into_iter().map(|new| new.id.clone()));
    Ok(Some(answer))
}

async fn log(
    commands: &Commands,
    arrived: &TrustedWebhook,
    actor: String,
    shipment_id: &ShipmentId,
    updates: Vec<Update>,
) -> Result<Logged, Failure> {
    let trace = arrived.trace.as_ref();
    let correlation_id = trace.map_or(arrived.id.as_str(), TraceParent::trace_id);
    let updates = Updates {
        shipment_id: shipment_id.clone(),
        intents: updates.into_iter().map(|update| update.intent).collect(),
        actor,
        source: "carriers".to_owned(),
        correlation_id: correlation_id.to_owned(),
        causation_id: arrived.id.clone(),
        traceparent: arrived.trace.clone().map(String::from),
    };
    let logged = log_all(&commands.store, commands.clock.as_ref(), &updates).await?;
    tracing::info!(
        aggregate = %format_args!("shipment#{shipment_id}"),
        version = logged.version,
        new = logged.new.len(),
        known = logged.known,
        refused = logged.refused.len(),
        source = updates.source,
        correlation_id = updates.correlation_id,
        causation_id = updates.causation_id,
        traceparent = updates.traceparent,
        "a webhook was logged"
    );
    Ok(logged)
}

/// Counts what was logged, and the codes that no table has. A scan that was known is counted by
/// neither: it was when it was new.
fn count(commands: &Commands, provider: Provider, parcel: &Parcel, logged: &Logged) {
    let now = commands.clock.now();
    let mut shipments = Shipments {
        errors: logged.refused.len() as u64,
        ..Shipments::default()
    };
    for status in &logged.new {
        let status = Status::known(status.as_str());
        *shipments.processed.entry(status).or_default() += 1;
    }
    commands.metrics.shipments(now, &shipments);
    let unmapped = parcel.scans.iter().filter(|scan| !scan.meaning.mapped);
    // Those that were known before are among them, so it is no more than there are new ones.
    let unmapped = unmapped.count().min(logged.new.len()) as u64;
    if unmapped > 0 {
        let name = provider.as_str();
        commands
            .metrics
            .unmapped_carrier_statuses(now, name, unmapped);
    }
}

impl Commands {
    fn count_webhook(&self, provider: Provider, outcome: &'static str) {
        let webhook = CarrierWebhook {
            provider: provider.as_str(),
            outcome,
        };
        self.metrics.carrier_webhook(self.clock.now(), webhook);
    }
}

fn said(message: &str, shipment_id: Option<&ShipmentId>, logged: Option<&Logged>) -> Json {
    let mut members = Object::from([("message".to_owned(), message.into())]);
    members.extend(shipment_id.map(|id| ("shipmentId".to_owned(), id.as_str().into())));
    if let Some(logged) = logged {
        members.insert("version".to_owned(), logged.version.into());
        members.insert("logged".to_owned(), (logged.new.len() as u64).into());
        members.insert("known".to_owned(), (logged.known as u64).into());
    }
    Json::Object(members)
}

// ---- What cannot be read or logged

/// Keeps the webhook among the dead letters. The reason has nothing of its sender.
async fn give_up(
    commands: &Commands,
    arrived: &TrustedWebhook,
    body: &[u8],
    reason: &str,
    shipment_id: Option<&ShipmentId>,
) -> Result<Json, Problem> {
    let provider = arrived.provider;
    let letter = Letter::write(arrived, body).ok_or_else(|| {
        commands.count_webhook(provider, "too_large");
        Problem::new(
            413,
            "body_too_large",
            "it cannot be read, and is too large to be kept",
        )
    })?;
    let about = shipment_id.map(|id| format!("\nShipment: {id}"));
    let rejection = Rejection {
        event_id: arrived.id.clone(),
        code: "unreadable",
        field: None,
        message: Some(reason.to_owned()),
        text: format!(
            "{LETTER_TYPE} from {}: {reason}{}",
            provider.as_str(),
            about.unwrap_or_default()
        ),
    };
    reject(commands, &letter, rejection).await.map_err(|_| {
        commands.count_webhook(provider, "unavailable");
        Problem::unavailable()
    })?;
    commands.count_webhook(provider, "unreadable");
    Ok(said("Kept, since it cannot be read", shipment_id, None))
}

/// What a letter says that it is.
const LETTER_TYPE: &str = "Carrier Webhook";

/// Where a letter says that it is from.
const LETTER_SOURCE: &str = "waybill.carriers";

/// A webhook that was trusted, as it lies among the dead letters: in the form of an event, so that
/// whoever takes it up finds its function.
struct Letter {
    provider: Provider,
    id: String,
    time: Timestamp,
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    id: String,
    time: Timestamp,
    detail: WrittenDetail,
}

#[derive(Serialize, Deserialize)]
struct WrittenDetail {
    provider: String,
    /// The body, where it is a text that is not too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Otherwise, packed by gzip, in Base64.
    #[serde(rename = "bodyGzip", skip_serializing_if = "Option::is_none")]
    body_gzip: Option<String>,
}

impl Letter {
    /// `None` where it is too large to be kept.
    fn write(arrived: &TrustedWebhook, body: &[u8]) -> Option<Box<RawValue>> {
        let letter = |body: Option<&str>, body_gzip: Option<String>| {
            let letter = Written {
                source: LETTER_SOURCE.to_owned(),
                detail_type: LETTER_TYPE.to_owned(),
                id: arrived.id.clone(),
                time: arrived.at,
                detail: WrittenDetail {
                    provider: arrived.provider.as_str().to_owned(),
                    body: body.map(str::to_owned),
                    body_gzip,
                },
            };
            let letter = to_raw_value(&letter).ok();
            letter.filter(|letter| letter.get().len() <= LETTER_BYTES_MAX)
        };
        let text = std::str::from_utf8(body).ok();
        text.and_then(|text| letter(Some(text), None)).or_else(|| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(body).ok()?;
            letter(None, Some(BASE64_STANDARD.encode(packed.finish().ok()?)))
        })
    }

    fn read(payload: &RawValue) -> Result<Self, &'static str> {
        let other = "neither a request of an HTTP API nor a webhook that was kept";
        let letter: Written = serde_json::from_str(payload.get()).map_err(|_| other)?;
        if letter.source != LETTER_SOURCE {
            return Err(other);
        }
        let WrittenDetail {
            provider,
            body,
            body_gzip,
        } = letter.detail;
        let body = match (body, body_gzip) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(packed)) => unpacked(&packed).ok_or("what was kept cannot be unpacked")?,
            _ => return Err(other),
        };
        Ok(Self {
            provider: provider.parse().map_err(|_| "no such provider")?,
            id: letter.id,
            time: letter.time,
            body,
        })
    }
}

fn unpacked(packed: &str) -> Option<Vec<u8>> {
    let packed = BASE64_STANDARD.decode(packed).ok()?;
    let mut body = Vec::new();
    let mut reader = GzDecoder::new(&packed[..]).take(WEBHOOK_BYTES_MAX as u64 + 1);
    reader.read_to_end(&mut body).ok()?;
    (body.len() <= WEBHOOK_BYTES_MAX).then_some(body)
}
