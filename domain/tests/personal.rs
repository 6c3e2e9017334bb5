//! Personal data of an order: sealed in its events, compared without their key, and erased.

#![allow(clippy::unwrap_used)]

use domain::{
    Digest, EventSourced, Json, Order, Refusal,
    aggregate::{Command, Intent as _},
    event::EncodedEvent,
    json::Object,
    order::{Event, Intent, PlaceOrder},
    personal::{Field, Owner, Sealed, Stored},
};

mod samples;
use samples::{at, place};

const NOON: &str = "2024-01-15T12:00:00.000Z";

fn named(name: &str) -> PlaceOrder {
    let mut sent = place();
    sent.customer_name = Some(name.to_owned());
    let mail = Object::from([("mail".to_owned(), "zoe@example.com".into())]);
    sent.personal = Some(mail);
    sent
}

/// The order as if it had been sealed with this version of the key; a text in reverse stands for
/// the sealed one.
fn sealed(mut sent: PlaceOrder, key: u32) -> PlaceOrder {
    let seal = |text: String| text.chars().rev().collect::<String>();
    let personal = sent
        .personal
        .clone()
        .map(|data| seal(Json::Object(data).to_string()));
    sent.sealed = Some(Sealed {
        key,
        customer_name: sent.customer_name.clone().map(seal),
        personal,
    });
    sent
}

fn decided(sent: PlaceOrder) -> Event {
    let intent = Intent::Place(Box::new(sent));
    let command = Command {
        at: at(NOON),
        intent,
    };
    Order::default().decide(&command).unwrap().remove(0)
}

fn digest(sent: PlaceOrder) -> Digest {
    Intent::Place(Box::new(sent)).digest()
}

fn again(placed: Event, sent: PlaceOrder) -> Result<Vec<Event>, String> {
    let order = Order::default().folded([placed]);
    let intent = Intent::Place(Box::new(sent));
    let command = Command {
        at: at(NOON),
        intent,
    };
    order
        .decide(&command)
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn a_command_names_what_is_to_be_sealed_and_whose_it_is() {
    let unsealed = Intent::Place(Box::new(named("Zoë"))).unsealed().unwrap();
    assert_eq!(unsealed.owner, Owner::Customer("customer123".to_owned()));
    let mail = r#"{"mail":"zoe@example.com"}"#.to_owned();
    let expected = vec![
        (Field::CustomerName, "Zoë".to_owned()),
        (Field::Personal, mail),
    ];
    assert_eq!(unsealed.fields, expected);
    let nobody = PlaceOrder {
        customer_id: None,
        ..named("Zoë")
    };
    let owner = Intent::Place(Box::new(nobody)).unsealed().unwrap().owner;
    assert_eq!(owner.to_string(), "order#536365");
    assert!(Intent::Place(Box::new(place())).unsealed().is_none());
    let twice = Intent::Place(Box::new(sealed(named("Zoë"), 1)));
    assert!(twice.unsealed().is_none());
}

#[test]
fn what_is_not_sealed_is_not_stored() {
    assert!(Order::encode(&decided(named("Zoë"))).is_err());
    let open = Order::default().folded([decided(named("Zoë"))]);
    assert!(!open.may_be_in_snapshot());
    let event = decided(sealed(named("Zoë"), 1));
    let stored = Order::encode(&event).unwrap();
    assert!(!stored.data.get().contains("Zoë") && !stored.data.get().contains("example"));
    let order = Order::default().folded([event]);
    assert!(order.may_be_in_snapshot());
    let kept = serde_json::to_string(&order).unwrap();
    assert!(!kept.contains("Zoë") && !kept.contains("example"));
}

#[test]
fn a_digest_says_nothing_of_a_name_without_its_key() {
    let one = digest(sealed(named("Zoë"), 1));
    assert_eq!(digest(sealed(named("Zoë"), 1)), one);
    assert_ne!(digest(sealed(named("Zoe"), 1)), one);
    // The text of the sealed data alone decides: the name itself is not part of the digest.
    let mut guessed = sealed(named("Zoë"), 1);
    guessed.customer_name = Some("somebody else".to_owned());
    assert_eq!(digest(guessed), one);
    // Orders without personal data have the digests that they always had.
    assert!(Intent::Place(Box::new(place())).earlier_digest().is_none());
}

#[test]
fn an_order_that_an_older_build_stored_openly_is_recognised() {
    let earlier = Intent::Place(Box::new(sealed(named("Zoë"), 1))).earlier_digest();
    let mut older = named("Zoë");
    let personal = older.personal.take().unwrap();
    let name = "personal".to_owned();
    older.attributes.insert(name, Json::Object(personal));
    assert_eq!(earlier, Some(digest(older.clone())));
    let stored = decided(older);
    assert_eq!(again(stored.clone(), sealed(named("Zoë"), 1)), Ok(vec![]));
    let other = again(stored, sealed(named("Zoe"), 1)).unwrap_err();
    assert!(other.ends_with("what differs: customerName"), "{other}");
}

#[test]
fn orders_are_compared_by_their_sealed_data_as_long_as_the_key_is_the_same() {
    let placed = decided(sealed(named("Zoë"), 1));
    assert_eq!(again(placed.clone(), sealed(named("Zoë"), 1)), Ok(vec![]));
    let other = again(placed.clone(), sealed(named("Zoe"), 1)).unwrap_err();
    assert!(other.ends_with("what differs: customerName"), "{other}");
    // After an erasure nothing can be compared but that there is a name.
    assert_eq!(again(placed.clone(), sealed(named("Zoe"), 2)), Ok(vec![]));
    let mut without = sealed(named("Zoë"), 2);
    without.personal = None;
    let other = again(placed.clone(), without).unwrap_err();
    assert!(other.ends_with("what differs: personal"), "{other}");
    let equal = |sent: PlaceOrder| {
        Order::equals_except_personal_data(&placed, &Intent::Place(Box::new(sent)))
    };
    assert!(equal(sealed(named("Zoe"), 2)));
    assert!(!equal(sealed(named("Zoe"), 1)));
    let mut other = sealed(named("Zoë"), 2);
    other.items.pop();
    assert!(!equal(other));
}

#[test]
fn too_much_of_it_is_refused_and_nothing_of_it_is_quoted() {
    let mut much = named("Zoë");
    let long = "x".repeat(16 * 1024);
    much.personal = Some(Object::from([("mail".to_owned(), long.into())]));
    let command = Command {
        at: at(NOON),
        intent: Intent::Place(Box::new(sealed(much, 1))),
    };
    let Err(Refusal::Invalid { field, message, .. }) = Order::default().decide(&command) else {
        panic!("it is accepted")
    };
    assert_eq!(field, "personal");
    assert!(!message.contains("xx"), "{message}");
}

fn stored_as(data: &str, version: u32) -> EncodedEvent {
    EncodedEvent {
        kind: "OrderPlaced".to_owned(),
        version,
        data: serde_json::from_str(data).unwrap(),
    }
}

#[test]
fn a_stored_event_is_opened_and_erased() {
    let event = Order::encode(&decided(sealed(named("Zoë"), 1))).unwrap();
    let stored = || Stored::of(&event).unwrap().unwrap();
    assert_eq!(stored().owner, Owner::Customer("customer123".to_owned()));
    let mail = Json::parse(r#"{"mail":"zoe@example.com"}"#).unwrap();
    let fields = vec![(Field::CustomerName, "Zoë".into()), (Field::Personal, mail)];
    let opened = stored().opened(&event, fields).unwrap();
    assert_eq!(Order::decode(&opened), Ok(decided(named("Zoë"))));
    let erased = stored().erased(&event).unwrap();
    let Event::OrderPlaced(erased) = Order::decode(&erased).unwrap() else {
        unreachable!()
    };
    assert_eq!(erased.customer_name.as_deref(), Some("[erased]"));
    assert_eq!(erased.personal, Some("[erased]".into()));
    assert_eq!(erased.sealed, None);
    let Event::OrderPlaced(placed) = decided(named("Zoë")) else {
        unreachable!()
    };
    assert_eq!(erased.total_amount, placed.total_amount);
}

#[test]
fn what_older_builds_stored_openly_is_erased_too_when_it_is_read() {
    let data = concat!(
        r#"{"orderId":"1","at":"2024-01-15T12:00:00.000Z","customerName":"Zoë","items":"#,
        r#"[{"name":"gift","quantity":1,"price":1.50}],"itemsAmount":1.50,"totalAmount":1.50,"#,
        r#""currency":"EUR","fulfilment":"merchant","attributes":{"personal":{"mail":"z@x"}}}"#
    );
    let event = stored_as(data, 2);
    let stored = Stored::of(&event).unwrap().unwrap();
    assert_eq!((stored.sealed.clone(), stored.at), (None, at(NOON)));
    assert_eq!(stored.owner.to_string(), "order#1");
    let erased = stored.erased(&event).unwrap();
    let text = erased.data.get();
    assert!(!text.contains("Zoë") && !text.contains("z@x"), "{text}");
    assert!(text.contains(r#""price":1.5"#), "{text}");
    assert!(Order::decode(&erased).is_ok());
    // One without personal data is left alone, and one of another kind.
    let bare = data
        .replace(r#""customerName":"Zoë","#, "")
        .replace("personal", "other");
    assert_eq!(Stored::of(&stored_as(&bare, 2)), Ok(None));
    let mut other = event;
    other.kind = "OrderProcessed".to_owned();
    assert_eq!(Stored::of(&other), Ok(None));
}
