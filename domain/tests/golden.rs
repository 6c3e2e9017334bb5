//! Every version of every event must stay readable for ever: a frozen sample of each is read here.
//!
//! A new version of an event adds a file; none is ever changed. To write a missing one:
//! `WRITE_GOLDEN=1 cargo test -p domain --test golden`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use domain::{
    Erasures, EventSourced, Json, Order, Shipment, aggregate::Command, erasure,
    event::EncodedEvent, json::Object, order, personal::Sealed, shipment,
};

mod samples;
use domain::order::AdjustmentType;
use samples::{adjustment, at, item, place, update};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

/// Holds `text` against the frozen file of this name.
fn frozen(name: &str, text: &str) {
    let path = golden(name);
    if std::env::var_os("WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, format!("{text}\n")).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name} is missing"));
    assert_eq!(
        kept.trim_end(),
        text,
        "{name} is stored like this: it cannot change"
    );
}

fn full_order() -> order::PlaceOrder {
    let mut sent = place();
    sent.customer_name = Some("Zoë".to_owned());
    sent.source_file = Some("s3://waybill-dev-orders-000000000000/orders/a.json".to_owned());
    sent.fulfilment = Some(order::Fulfilment::Automatic);
    let colour = Object::from([("colour".to_owned(), "red".into())]);
    sent.items.push(order::Item {
        name: Some("gift".to_owned()),
        attributes: colour,
        ..item("p3", 1, "0")
    });
    sent.attributes = Json::parse(r#"{"country":"United Kingdom","weights":[1.10,null,true]}"#)
        .unwrap()
        .into_object()
        .unwrap();
    // What version 2 brought.
    sent.items[0].quantity = "2.5".parse().unwrap();
    sent.items[0].adjustments = vec![adjustment(AdjustmentType::Discount, "-0.70")];
    sent.adjustments = vec![
        order::Adjustment {
            name: Some("express".to_owned()),
            attributes: Object::from([("taxable".to_owned(), Json::Bool(true))]),
            ..adjustment(AdjustmentType::Shipping, "6.99")
        },
        order::Adjustment {
            included: true,
            ..adjustment(AdjustmentType::Tax, "19.05")
        },
    ];
    sent.total_amount = None;
    let placed_at = "2024-01-15T12:58:00+01:00".into();
    sent.placed_at = order::PlacedAt::read(&placed_at);
    // What version 3 brought.
    let mail = Object::from([("mail".to_owned(), "zoe@example.com".into())]);
    sent.personal = Some(mail);
    sent.sealed = Some(Sealed {
        key: 1,
        customer_name: Some("c2VhbGVkIG5hbWU".to_owned()),
        personal: Some("c2VhbGVkIGRhdGE".to_owned()),
    });
    sent
}

/// A sample of every kind of event, each with the state that it meets.
fn order_samples() -> Vec<(Order, order::Event)> {
    let decide = |state: &Order, intent| {
        let at = at("2024-01-15T12:00:00.123Z");
        state.decide(&Command { at, intent }).unwrap().remove(0)
    };
    let unplaced = Order::default();
    let placed = decide(&unplaced, order::Intent::Place(Box::new(full_order())));
    let open = unplaced.clone().folded([placed.clone()]);
    let reason = Some("changed my mind".to_owned());
    vec![
        (unplaced, placed),
        (open.clone(), decide(&open, order::Intent::Complete)),
        (
            open.clone(),
            decide(&open, order::Intent::Cancel { reason }),
        ),
    ]
}

/// A sample of every kind of event and a late update, each with the state that it meets.
fn shipment_samples() -> Vec<(Shipment, shipment::Event)> {
    let first = shipment::Update {
        location: Some("Memphis, TN".to_owned()),
        carrier: Some("FedEx".to_owned()),
        tracking_number: Some("1Z999".to_owned()),
        order_id: Some("536365".parse().unwrap()),
        carrier_status: Some("delayed".to_owned()),
        attributes: Object::from([("weightKg".to_owned(), Json::Number("2.50".parse().unwrap()))]),
        ..update("DELAYED", Some("2024-01-15T13:30:00+02:00"))
    };
    let at = at("2024-01-15T12:00:00.123Z");
    let stall = shipment::Stall {
        shipment_id: first.shipment_id.clone(),
        last_update_at: at,
    };
    let mut state = Shipment::default();
    let mut samples = Vec::new();
    for intent in [
        first.into(),
        shipment::Intent::Stall(stall),
        update("IN_TRANSIT", Some("2024-01-15T10:00:00Z")).into(),
    ] {
        let event = state.decide(&Command { at, intent }).unwrap().remove(0);
        samples.push((state.clone(), event.clone()));
        state = state.folded([event]);
    }
    samples
}

/// The file of a kind of event in a version.
fn file_of(kind: &str, version: u32) -> String {
    format!("{kind}.{version}.json")
}

/// Every kind has a sample, is stored as it always was, and is read as what it was.
fn every_kind_is_kept<A: EventSourced>(samples: &[(A, A::Event)])
where
    A::Event: PartialEq + std::fmt::Debug,
{
    for kind in A::kinds() {
        let written = samples
            .iter()
            .map(|(_, event)| (event, A::encode(event).unwrap()));
        let mut written = written.filter(|(_, encoded)| encoded.kind == kind.name);
        let sample = written.next();
        let (event, encoded) = sample.unwrap_or_else(|| panic!("no sample of {}", kind.name));
        assert_eq!(encoded.version, kind.version());
        frozen(&file_of(kind.name, kind.version()), encoded.data.get());
        assert_eq!(A::decode(&encoded).as_ref(), Ok(event));
        for version in 1..kind.version() {
            let older = golden(&file_of(kind.name, version));
            assert!(older.exists(), "{} version {version}", kind.name);
        }
    }
}

/// A sample of the event of an erasure, with the state that it meets.
fn erasure_samples() -> Vec<(Erasures, erasure::Event)> {
    let intent = erasure::Intent {
        owner: "customer#a/b#c".parse().unwrap(),
        key: 2,
    };
    let at = at("2024-01-15T12:00:00.123Z");
    let nothing = Erasures::default();
    let event = nothing.decide(&Command { at, intent }).unwrap().remove(0);
    vec![(nothing, event)]
}

#[test]
fn events_are_written_as_they_always_were() {
    every_kind_is_kept(&order_samples());
    every_kind_is_kept(&erasure_samples());
    every_kind_is_kept(&shipment_samples());
    // A date alone is told from a point in time.
    let dated = Shipment::default().decide(&Command {
        at: at("2024-01-15T12:00:00.123Z"),
        intent: update("PICKED_UP", Some("20240114")).into(),
    });
    let data = Shipment::encode(&dated.unwrap()[0]).unwrap().data;
    assert!(
        data.get().contains(r#""timestampPrecision":"day""#),
        "{data}"
    );
}

#[test]
fn every_event_ever_written_is_read() {
    let mut read = 0;
    for file in std::fs::read_dir(golden("")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let parts: Vec<&str> = name.split('.').collect();
        let [kind, version, "json"] = parts[..] else {
            continue;
        };
        let data = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let event = EncodedEvent {
            kind: kind.to_owned(),
            version: version.parse().unwrap(),
            data,
        };
        let decoded = match kind.starts_with("Order") {
            true => Order::decode(&event).map(drop),
            false if kind == "CustomerErased" => Erasures::decode(&event).map(drop),
            false => Shipment::decode(&event).map(drop),
        };
        assert_eq!(decoded, Ok(()), "{name}");
        read += 1;
    }
    assert!(read >= 4, "only {read} samples");
}

#[test]
fn every_kind_of_event_changes_the_state() {
    for (before, event) in order_samples() {
        let after = before.clone().folded([event.clone()]);
        assert_ne!(after, before, "{event:?}");
        let status = after.order_status().unwrap();
        assert!(order::Status::ALL.contains(&status), "{status:?}");
        assert_eq!(Order::status_of(&event), status.as_str());
    }
    for (before, event) in shipment_samples() {
        let after = before.clone().folded([event.clone()]);
        assert_ne!(after, before, "{event:?}");
    }
}

#[test]
fn a_state_of_another_shape_has_another_name() {
    let shape = |name: &str| name.replace('/', "-");
    for (before, event) in order_samples() {
        let after = before.folded([event]);
        let state = match after {
            Order::Unplaced => unreachable!(),
            Order::Open(_) => "open",
            Order::Processed { .. } => "processed",
            Order::Cancelled { .. } => "cancelled",
        };
        let name = format!("state.{}.{state}.txt", shape(Order::STATE_SCHEMA));
        frozen(&name, &serde_json::to_string(&after).unwrap());
    }
    for (before, event) in erasure_samples() {
        let after = serde_json::to_string(&before.folded([event])).unwrap();
        frozen(
            &format!("state.{}.txt", shape(Erasures::STATE_SCHEMA)),
            &after,
        );
    }
    let events = shipment_samples().into_iter().map(|(_, event)| event);
    let shipment = Shipment::default().folded(events);
    let name = format!("state.{}.txt", shape(Shipment::STATE_SCHEMA));
    frozen(&name, &serde_json::to_string(&shipment).unwrap());
}

#[test]
fn an_order_of_an_older_build_is_the_same_order_today() {
    use domain::aggregate::Intent as _;
    // The content as older builds wrote it, with `placedAt` as an attribute, and its digest.
    let mut sent = place();
    sent.placed_at = order::PlacedAt::read(&"2010-12-01 08:26:00".into());
    sent.attributes = Object::from([("country".to_owned(), "United Kingdom".into())]);
    let content = concat!(
        r#"{"attributes":{"country":"United Kingdom","placedAt":"2010-12-01 08:26:00"},"#,
        r#""currency":"USD","customerId":"customer123","customerName":null,"fulfilment":null,"#,
        r#""items":[{"price":29.99,"productId":"prod1","quantity":2},"#,
        r#"{"price":49.99,"productId":"prod2","quantity":1}]}"#
    );
    let digest = order::Intent::Place(Box::new(sent)).digest();
    assert_eq!(digest, domain::Digest::of(&Json::parse(content).unwrap()));
    assert_eq!(digest.as_str(), "efac601f78d8b80d601e0cab985f9a74");
}

#[test]
fn an_order_of_version_1_has_the_sum_of_its_items_and_knows_when_it_was_placed() {
    let data = concat!(
        r#"{"orderId":"1","at":"2024-01-15T12:00:00.000Z","items":[{"name":"gift","#,
        r#""quantity":2,"price":1.5,"attributes":DEEP}],"totalAmount":3,"currency":"EUR","#,
        r#""fulfilment":"merchant","attributes":{"placedAt":"2010-12-01 08:26:00","x":DEEP}}"#
    );
    // As deep as an order could be: 16 levels of what was sent, an item's attribute at the fourth.
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(13), "]".repeat(13));
    let event = EncodedEvent {
        kind: "OrderPlaced".to_owned(),
        version: 1,
        data: serde_json::from_str(&data.replace("DEEP", &deep)).unwrap(),
    };
    let order::Event::OrderPlaced(placed) = Order::decode(&event).unwrap() else {
        unreachable!()
    };
    assert_eq!(placed.items_amount.to_string(), "3");
    assert_eq!(placed.placed_at(), at("2010-12-01T08:26:00Z"));
    assert!(placed.attributes.contains_key("placedAt"));
}
