//! Every scan of the examples that were found has the expected time, location and status.

use std::collections::{BTreeMap, BTreeSet};

use commands::carriers::{
    Provider,
    scan::{Parcel, Unreadable, Webhook},
};
use domain::{Json, shipment::Update};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::at;

const EXAMPLES: &str = include_str!("scans.json");

#[derive(Deserialize)]
struct Example {
    provider: String,
    source: String,
    body: Value,
    /// Time, location, status and code of each scan, oldest first.
    expected: Vec<(String, Option<String>, String, String)>,
}

fn examples() -> Vec<Example> {
    serde_json::from_str(EXAMPLES).unwrap()
}

fn parcel(provider: Provider, body: &Value) -> Parcel {
    match provider.translate(body.to_string().as_bytes()).unwrap() {
        Webhook::Parcel(parcel) => parcel,
        Webhook::Nothing => panic!("nothing of a parcel: {body}"),
    }
}

fn intents(parcel: &Parcel) -> Vec<Update> {
    let updates = parcel
        .updates("carriers/test", false, at(1_790_000_000))
        .unwrap();
    updates
        .into_iter()
        .map(|update| update.unwrap().intent)
        .collect()
}

#[test]
fn every_scan_of_the_examples_is_read_as_it_should_be() {
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for example in examples() {
        let provider: Provider = example.provider.parse().unwrap();
        let parcel = parcel(provider, &example.body);
        let mut found: Vec<_> = intents(&parcel)
            .into_iter()
            .map(|intent| {
                assert_eq!(intent.shipment_id.as_str(), parcel.tracking_number);
                assert_eq!(
                    intent.tracking_number.as_deref(),
                    Some(&*parcel.tracking_number)
                );
                (
                    intent.timestamp.unwrap().at.to_string(),
                    intent.location,
                    intent.status.as_str().to_owned(),
                    intent.carrier_status.unwrap(),
                )
            })
            .collect();
        let times: Vec<String> = found.iter().map(|found| found.0.clone()).collect();
        assert!(times.is_sorted(), "{}", example.source);
        let mut expected = example.expected;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", example.source);
        *read.entry(example.provider).or_default() += found.len();
    }
    // The number of examples that the source has, so that a missing one is noticed.
    let expected = [
        ("17track", 7),
        ("aftership", 8),
        ("easypost", 37),
        ("sendcloud", 1),
        ("shipengine", 37),
        ("shippo", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(read, BTreeMap::from(expected));
}

#[test]
fn the_signed_webhook_of_easypost_has_seven_scans() {
    let body = include_bytes!("signed/easypost.json");
    let Webhook::Parcel(parcel) = Provider::EasyPost.translate(body).unwrap() else {
        panic!("nothing of a parcel")
    };
    let intents = intents(&parcel);
    let told: Vec<_> = intents
        .iter()
        .map(|intent| {
            let code = match &intent.attributes["carrierCode"] {
                Json::String(code) => code.as_str(),
                other => panic!("{other}"),
            };
            (
                intent.status.as_str(),
                intent.location.as_deref().unwrap(),
                code,
            )
        })
        .collect();
    let expected = [
        ("CREATED", "32837, US", "OC"),
        ("IN_TRANSIT", "ORLANDO, FL, 32809, US", "PU"),
        ("IN_TRANSIT", "ORLANDO, FL, 32809, US", "AR"),
        ("IN_TRANSIT", "ORLANDO, FL, 32809, US", "DP"),
        ("IN_TRANSIT", "KENLY, NC, 27542, US", "IT"),
        ("IN_TRANSIT", "EDISON TWP, NJ, 08817, US", "IT"),
        ("IN_TRANSIT", "EDISON, NJ, 08817, US", "AR"),
    ];
    assert_eq!(told, expected);
    assert_eq!(intents[1].carrier.as_deref(), Some("FedEx"));
    assert_eq!(intents[1].attributes["message"], Json::from("Picked up"));
}

#[test]
fn a_scan_is_the_same_scan_in_every_later_webhook() {
    for example in examples() {
        let provider: Provider = example.provider.parse().unwrap();
        let whole = parcel(provider, &example.body);
        let ids = |parcel: &Parcel, arrived| -> Vec<String> {
            let updates = parcel.updates("carriers/test", false, at(arrived)).unwrap();
            updates
                .into_iter()
                .map(|update| update.unwrap().id)
                .collect()
        };
        let first: BTreeSet<_> = ids(&whole, 1_790_000_000).into_iter().collect();
        // In whatever order and at whatever time they arrive.
        let mut later = whole.clone();
        later.scans.reverse();
        let second: BTreeSet<_> = ids(&later, 1_790_100_000).into_iter().collect();
        assert_eq!(first, second, "{}", example.source);
        // Different scans have different ids; scans with the same id were sent twice by the
        // carrier.
        let mut different = whole.scans.clone();
        different.sort_by_key(|scan| format!("{scan:?}"));
        different.dedup();
        assert_eq!(first.len(), different.len(), "{}", example.source);
    }
}

#[test]
fn a_scan_without_a_code_of_its_own_stays_the_same_when_it_is_no_longer_the_newest() {
    let event = |time: &str| json!({ "event_date": time, "description": "text" });
    let body = |status: &str, events: Vec<Value>| {
        json!({
            "resource_type": "API_TRACK",
            "resource_url": "https://api.shipengine.com/v1/tracking/usps/1",
            "data": { "tracking_number": "1", "status_code": status, "events": events },
        })
    };
    let ids = |body: &Value| -> Vec<String> {
        let parcel = parcel(Provider::ShipEngine, body);
        let updates = parcel
            .updates("carriers/test", false, at(1_790_000_000))
            .unwrap();
        updates
            .into_iter()
            .map(|update| update.unwrap().id)
            .collect()
    };
    let (old, new) = (event("2019-04-11T10:00:00Z"), event("2019-04-12T10:00:00Z"));
    let first = ids(&body("IT", vec![old.clone()]));
    let second = ids(&body("DE", vec![new, old]));
    assert_eq!(first[0], second[0]);
}

#[test]
fn a_test_and_an_event_about_something_else_do_nothing() {
    let signed: Value = serde_json::from_slice(include_bytes!("signed/sendcloud.json")).unwrap();
    for (provider, body) in [
        (
            "easypost",
            json!({ "description": "batch.created", "result": { "object": "Batch" } }),
        ),
        (
            "easypost",
            json!({ "description": "payment.created", "result": null }),
        ),
        ("aftership", json!({ "event": "edd_revise", "msg": {} })),
        (
            "aftership",
            json!({ "event": "tracking_pending_time", "msg": {} }),
        ),
        (
            "shipengine",
            json!({ "resource_type": "BATCH_PROCESSED_V2", "resource_url": "x" }),
        ),
        (
            "shippo",
            json!({ "event": "transaction_created", "data": {} }),
        ),
        (
            "shippo",
            json!({ "event": "track_updated", "test": true, "data": {} }),
        ),
        (
            "17track",
            json!({ "event": "TRACKING_STOPPED", "data": { "number": "1" } }),
        ),
        ("sendcloud", json!({ "action": "test_webhook" })),
        (
            "sendcloud",
            json!({ "action": "integration_updated", "integration": {} }),
        ),
        // A parcel that is not announced at the carrier yet has no tracking number.
        ("sendcloud", signed),
        (
            "sendcloud",
            json!({ "action": "parcel_status_changed", "parcel": { "tracking_number": "" } }),
        ),
    ] {
        let provider: Provider = provider.parse().unwrap();
        let read = provider.translate(body.to_string().as_bytes());
        assert_eq!(read, Ok(Webhook::Nothing), "{provider:?} {body}");
    }
}

#[test]
fn what_cannot_be_read_is_said_to_be_unreadable() {
    for provider in Provider::ALL {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "\"text\"",
            "{\"event\":",
            "\u{feff}{}",
        ] {
            let read = provider.translate(body.as_bytes());
            assert!(matches!(read, Err(Unreadable(_))), "{provider:?} {body}");
        }
        assert!(provider.translate(&[0xff, 0xfe]).is_err());
    }
    for (provider, body) in [
        (
            "easypost",
            json!({ "description": "tracker.updated", "result": { "object": "Tracker" } }),
        ),
        ("aftership", json!({ "event": "tracking_update" })),
        (
            "aftership",
            json!({ "event": "tracking_update", "msg": { "tracking_number": "1", "checkpoints": {} } }),
        ),
        (
            "shipengine",
            json!({ "resource_type": "API_TRACK", "data": {} }),
        ),
        (
            "shippo",
            json!({ "event": "track_updated", "data": { "tracking_number": null } }),
        ),
        ("17track", json!({ "event": "TRACKING_UPDATED" })),
        (
            "sendcloud",
            json!({ "action": "parcel_status_changed", "parcel": { "tracking_number": "1" } }),
        ),
    ] {
        let provider: Provider = provider.parse().unwrap();
        assert!(
            provider.translate(body.to_string().as_bytes()).is_err(),
            "{provider:?} {body}"
        );
    }
}

#[test]
fn one_scan_that_cannot_be_logged_does_not_stop_the_others() {
    let detail = |time: &str| json!({ "status": "in_transit", "datetime": time, "message": time });
    let times = ["2025-08-19T20:37:09Z", "yesterday", "2025-08-20T20:37:09Z"];
    let body = json!({ "description": "tracker.updated", "result": {
        "object": "Tracker", "tracking_code": "1", "tracking_details": times.map(detail),
    }});
    let parcel = parcel(Provider::EasyPost, &body);
    let updates = parcel
        .updates("carriers/easypost", false, at(1_790_000_000))
        .unwrap();
    assert_eq!(updates.iter().filter(|update| update.is_ok()).count(), 2);
    let wrong = updates.into_iter().find_map(Result::err).unwrap();
    assert_eq!(wrong.refusal.code(), "invalid_field");
}

#[test]
fn a_shipment_is_called_by_the_shops_reference_where_that_is_wanted() {
    let body = |reference: Value| {
        json!({ "event": "track_updated", "data": {
            "tracking_number": "1Z", "metadata": reference,
            "tracking_status": { "status": "TRANSIT", "status_date": "2025-08-19T20:37:09Z" },
        }})
    };
    for (reference, by_reference, id) in [
        (json!("ORDER-1"), false, "1Z"),
        (json!("ORDER-1"), true, "ORDER-1"),
        (json!(null), true, "1Z"),
    ] {
        let parcel = parcel(Provider::Shippo, &body(reference));
        let updates = parcel
            .updates("carriers/shippo", by_reference, at(1_790_000_000))
            .unwrap();
        let intent = &updates[0].as_ref().unwrap().intent;
        assert_eq!(intent.shipment_id.as_str(), id);
        assert_eq!(intent.tracking_number.as_deref(), Some("1Z"));
    }
}

#[test]
fn times_of_every_form_are_read() {
    let event = |event: Value| {
        json!({ "event": "TRACKING_UPDATED", "data": { "number": "1", "carrier": 3011, "track_info": {
            "tracking": { "providers": [{ "provider": { "key": 3011 }, "events": [event] }] },
        }}})
    };
    for (times, written) in [
        (
            json!({ "time_iso": "2022-05-02T12:35:48+08:00", "time_utc": "2022-05-02T04:35:48Z" }),
            Some("2022-05-02T04:35:48.000Z"),
        ),
        (
            json!({ "time_iso": null, "time_utc": "2022-05-02T04:35:48Z" }),
            Some("2022-05-02T04:35:48.000Z"),
        ),
        (
            json!({ "time_raw": { "date": "2022-05-02", "time": "12:35:48", "timezone": "+08:00" } }),
            Some("2022-05-02T04:35:48.000Z"),
        ),
        (
            json!({ "time_raw": { "date": "2022-05-02", "time": null, "timezone": null } }),
            Some("2022-05-02T00:00:00.000Z"),
        ),
        (json!({}), None),
    ] {
        let parcel = parcel(Provider::Track17, &event(times.clone()));
        let found = intents(&parcel)[0]
            .timestamp
            .as_ref()
            .map(|sent| sent.at.to_string());
        assert_eq!(found.as_deref(), written, "{times}");
        assert_eq!(intents(&parcel)[0].carrier.as_deref(), Some("3011"));
    }
}
