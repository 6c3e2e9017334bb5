//! EventBridge's `PutEvents`, with the limits of AWS and an error for each entry.
//!
//! An entry is accepted once the deliveries that follow from it and its kept message are on disk.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

use super::{Services, json_answer, json_error};
use crate::arn::{self, ACCOUNT, REGION};
use crate::clock;
use crate::definition::{DEFAULT_BUS, Definition};
use crate::limits::{PUT_EVENTS_BYTES, PUT_EVENTS_ENTRIES, PUT_EVENTS_TIME_BYTES};
use crate::rules::Rules;
use crate::state::{Acceptance, Message, NewDelivery, StateError};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    time: Option<Number>,
    source: Option<String>,
    resources: Option<Vec<String>>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// An event in the form in which its targets receive it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Event<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'a str,
    source: &'a str,
    account: &'static str,
    time: String,
    region: &'static str,
    resources: &'a [String],
    detail: &'a RawValue,
}

/// The reason why an entry was not accepted.
#[derive(Debug, PartialEq, Eq)]
struct Rejected {
    code: &'static str,
    message: String,
}

/// Handles `PutEvents`.
pub(super) async fn put_events(services: &Services, body: &[u8]) -> Response {
    let request: PutEvents = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            let message = error.to_string();
            return json_error(StatusCode::BAD_REQUEST, "SerializationException", &message);
        }
    };
    if let Err(message) = check_size(&request.entries) {
        return json_error(StatusCode::BAD_REQUEST, "ValidationException", &message);
    }
    let mut acceptance = Acceptance::default();
    let mut results = Vec::new();
    for entry in &request.entries {
        let id = uuid::Uuid::new_v4().to_string();
        results.push(
            match accept(
                &services.definition,
                &services.rules,
                entry,
                &id,
                &mut acceptance,
            ) {
                Ok(()) => Ok(id),
                Err(rejected) => Err(rejected),
            },
        );
    }
    store(services, acceptance, results).await
}

async fn store(
    services: &Services,
    acceptance: Acceptance,
    mut results: Vec<Result<String, Rejected>>,
) -> Response {
    let now = clock::now();
    let delivers = !acceptance.deliveries.is_empty();
    match services
        .state
        .accept(clock::text(now), now.timestamp_millis(), acceptance)
        .await
    {
        Ok(()) if delivers => {
            services.delivery_accepted.send_replace(());
        }
        Ok(()) => {}
        Err(StateError::Full) => {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                let message = "Rate exceeded".to_owned();
                *result = Err(Rejected {
                    code: "ThrottlingException",
                    message,
                });
            }
        }
        Err(error) => {
            tracing::error!(%error, "a request of PutEvents failed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return json_error(status, "InternalException", "the event was not stored");
        }
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    let entries: Vec<Value> = results.into_iter().map(entry_result).collect();
    json_answer(
        StatusCode::OK,
        &json!({ "FailedEntryCount": failed, "Entries": entries }),
    )
}

fn entry_result(result: Result<String, Rejected>) -> Value {
    match result {
        Ok(id) => json!({ "EventId": id }),
        Err(Rejected { code, message }) => json!({ "ErrorCode": code, "ErrorMessage": message }),
    }
}

/// Checks the number of entries and their total size. AWS refuses the whole call beyond these
/// limits.
fn check_size(entries: &[Entry]) -> Result<(), String> {
    let bounds = [
        (entries.is_empty(), "greater than or equal to 1"),
        (
            entries.len() > PUT_EVENTS_ENTRIES,
            "less than or equal to 10",
        ),
    ];
    if let Some((_, bound)) = bounds.iter().find(|(broken, _)| *broken) {
        return Err(format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
             Member must have length {bound}"
        ));
    }
    if entries.iter().map(size).sum::<usize>() > PUT_EVENTS_BYTES {
        return Err("Total size of the entries in the request is over the limit.".to_owned());
    }
    Ok(())
}

/// Returns the size of an entry in bytes, as EventBridge counts it.
fn size(entry: &Entry) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let time = entry.time.as_ref().map_or(0, |_| PUT_EVENTS_TIME_BYTES);
    let resources: usize = entry.resources.iter().flatten().map(String::len).sum();
    time + length(&entry.source) + length(&entry.detail_type) + length(&entry.detail) + resources
}

/// Checks one entry, and adds its deliveries and its kept message to `acceptance`.
fn accept(
    definition: &Definition,
    rules: &Rules,
    entry: &Entry,
    id: &str,
    acceptance: &mut Acceptance,
) -> Result<(), Rejected> {
    let source = required("Source", entry.source.as_deref())?;
    let detail_type = required("DetailType", entry.detail_type.as_deref())?;
    let detail = object(required("Detail", entry.detail.as_deref())?)?;
    if source.starts_with("aws.") {
        let message = "Not authorized for the source.".to_owned();
        return Err(Rejected {
            code: "NotAuthorizedForSourceException",
            message,
        });
    }
    let bus = entry
        .event_bus_name
        .as_deref()
        .map_or(DEFAULT_BUS, arn::last_part);
    if bus != DEFAULT_BUS && !definition.buses.iter().any(|known| known == bus) {
        // AWS accepts an event for a bus that does not exist, and drops it (aws-cli #9186).
        tracing::warn!(bus, "an event for a bus that does not exist was dropped");
        return Ok(());
    }
    let time = time(entry).unwrap_or_else(clock::now);
    let resources = entry.resources.as_deref().unwrap_or_default();
    let event = Event::new(id, source, detail_type, time, resources, &detail);
    let deliveries = deliveries(rules, bus, &event).map_err(|_| malformed())?;
    acceptance.deliveries.extend(deliveries);
    let mut kept = definition.kept_sources.iter();
    if kept.any(|beginning| source.starts_with(beginning)) {
        acceptance.messages.push(Message::EventBridge {
            id: id.to_owned(),
            bus: bus.to_owned(),
            source: source.to_owned(),
            detail_type: detail_type.to_owned(),
            detail,
        });
    }
    Ok(())
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Rejected> {
    value
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Rejected {
            code: "InvalidArgument",
            message: format!(
                "Parameter {name} is not valid. Reason: {name} is a required argument."
            ),
        })
}

/// Returns the detail, which must be a JSON object. Its text is kept unchanged, so that numbers
/// keep their digits.
fn object(detail: &str) -> Result<Box<RawValue>, Rejected> {
    serde_json::from_str::<Box<RawValue>>(detail)
        .ok()
        .filter(|value| value.get().starts_with('{'))
        .ok_or_else(malformed)
}

fn malformed() -> Rejected {
    Rejected {
        code: "MalformedDetail",
        message: "Detail is malformed.".to_owned(),
    }
}

fn time(entry: &Entry) -> Option<DateTime<Utc>> {
    let number = entry.time.as_ref()?;
    // An event has no fractions of a second.
    #[allow(clippy::cast_possible_truncation)]
    let seconds = number
        .as_i64()
        .or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
    DateTime::from_timestamp_secs(seconds)
}

impl<'a> Event<'a> {
    /// Creates an event of the emulator's account and region.
    pub(super) fn new(
        id: &'a str,
        source: &'a str,
        detail_type: &'a str,
        time: DateTime<Utc>,
        resources: &'a [String],
        detail: &'a RawValue,
    ) -> Self {
        Self {
            version: "0",
            id,
            detail_type,
            source,
            account: ACCOUNT,
            time: clock::event_text(time),
            region: REGION,
            resources,
            detail,
        }
    }
}

/// Returns the deliveries that follow from an event: one for each rule that it matches.
pub(super) fn deliveries(
    rules: &Rules,
    bus: &str,
    event: &Event<'_>,
) -> Result<Vec<NewDelivery>, serde_json::Error> {
    let payload = serde_json::to_string(event)?;
    // The parsed value is only for matching; the text is what is delivered.
    let matched: Value = serde_json::from_str(&payload)?;
    let delivery = |function: &str| NewDelivery {
        function: function.to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
        payload: payload.clone(),
    };
    Ok(rules
        .targets(bus, &matched)
        .into_iter()
        .map(delivery)
        .collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::definition::toy;

    fn entry(fields: Value) -> Entry {
        serde_json::from_value(fields).unwrap()
    }

    fn lent(detail: &str) -> Entry {
        entry(json!({
            "Source": "library.loans", "DetailType": "Book Lent", "Detail": detail,
        }))
    }

    fn accepted(entry: &Entry) -> Result<Acceptance, Rejected> {
        let library = toy::library();
        let mut acceptance = Acceptance::default();
        let rules = Rules::read(&library.rules).unwrap();
        accept(&library, &rules, entry, "id-1", &mut acceptance)?;
        Ok(acceptance)
    }

    #[test]
    fn an_event_is_delivered_as_its_target_expects_it() {
        let mut entry = lent("{\"isbn\":\"1\",\"fine\":0.10}");
        entry.time = Some(Number::from(1_700_000_000));
        let acceptance = accepted(&entry).unwrap();
        assert_eq!(
            acceptance.deliveries[0].payload,
            "{\"version\":\"0\",\"id\":\"id-1\",\"detail-type\":\"Book Lent\",\
             \"source\":\"library.loans\",\"account\":\"000000000000\",\
             \"time\":\"2023-11-14T22:13:20Z\",\"region\":\"us-east-1\",\"resources\":[],\
             \"detail\":{\"isbn\":\"1\",\"fine\":0.10}}"
        );
    }

    #[test]
    fn an_event_of_a_kept_source_is_kept_as_a_message() {
        let mut kept = lent("{}");
        let acceptance = accepted(&kept).unwrap();
        assert_eq!(acceptance.messages.len(), 1);
        assert_eq!(acceptance.deliveries.len(), 1);
        kept.source = Some("library".to_owned());
        let acceptance = accepted(&kept).unwrap();
        assert_eq!(acceptance.messages.len(), 0);
    }

    #[test]
    fn a_bus_is_known_by_name_and_by_arn_and_an_unknown_one_swallows() {
        let on = |bus: &str| {
            let mut entry = lent("{}");
            entry.event_bus_name = Some(bus.to_owned());
            accepted(&entry).unwrap().deliveries.len()
        };
        assert_eq!(on("toy-bus"), 1);
        assert_eq!(
            on("arn:aws:events:us-east-1:000000000000:event-bus/toy-bus"),
            1
        );
        assert_eq!(on("toy-none"), 0);
    }

    #[test]
    fn each_entry_is_refused_for_its_own_reason() {
        let code = |entry: &Entry| accepted(entry).unwrap_err().code;
        assert_eq!(code(&Entry::default()), "InvalidArgument");
        assert_eq!(
            code(&entry(json!({ "Source": "s", "DetailType": "" }))),
            "InvalidArgument"
        );
        for detail in ["[]", "text", "{\"a\":}", "{} {}", "\"{}\""] {
            assert_eq!(code(&lent(detail)), "MalformedDetail", "{detail}");
        }
        let mut foreign = lent("{}");
        foreign.source = Some("aws.ec2".to_owned());
        assert_eq!(code(&foreign), "NotAuthorizedForSourceException");
    }

    #[test]
    fn a_call_is_limited_in_entries_and_in_bytes() {
        let many = |count: usize| (0..count).map(|_| lent("{}")).collect::<Vec<_>>();
        assert!(check_size(&many(10)).is_ok());
        assert!(check_size(&many(11)).is_err());
        assert!(check_size(&[]).is_err());

        let fixed = size(&lent(""));
        assert!(check_size(&[lent(&"x".repeat(PUT_EVENTS_BYTES - fixed))]).is_ok());
        assert!(check_size(&[lent(&"x".repeat(PUT_EVENTS_BYTES - fixed + 1))]).is_err());
    }
}
