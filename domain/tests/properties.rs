//! What holds of any history.

#![allow(clippy::unwrap_used)]

use domain::{
    EventSourced, Json, Number, Order, Shipment, Timestamp,
    aggregate::{Command, Intent as _},
    event::EncodedEvent,
    order, shipment,
    time::SentTime,
};
use proptest::prelude::*;

mod samples;
use samples::{at, item, place, update};

/// A price as somebody writes it: up to 12 digits, up to 6 of them behind the point.
fn price() -> impl Strategy<Value = String> {
    (0_u64..1_000_000, 0_u32..1_000_000, 0_usize..=6).prop_map(|(whole, part, digits)| {
        format!("{whole}.{part:06}")[..]
            .to_owned()
            .chars()
            .take(whole.to_string().len() + 1 + digits.max(1))
            .collect()
    })
}

fn any_order() -> impl Strategy<Value = order::PlaceOrder> {
    (
        prop::collection::vec((1_u64..10_000, price()), 1..40),
        any::<bool>(),
    )
        .prop_map(|(lines, automatic)| order::PlaceOrder {
            items: lines
                .iter()
                .map(|(quantity, price)| item("p", *quantity, price))
                .collect(),
            total_amount: None,
            fulfilment: automatic.then_some(order::Fulfilment::Automatic),
            ..place()
        })
}

fn any_order_intent() -> impl Strategy<Value = order::Intent> {
    prop_oneof![
        any_order().prop_map(|place| order::Intent::Place(Box::new(place))),
        Just(order::Intent::Complete),
        Just(order::Intent::Fulfil),
        prop::option::of("[a-z ]{1,20}").prop_map(|reason| order::Intent::Cancel { reason }),
    ]
}

/// Updates as a carrier's details say them: few times, so that many are told at once; and with the
/// status that a kind stands for, where the detail names none.
fn any_update() -> impl Strategy<Value = shipment::Update> {
    let status = prop::option::of(prop::sample::select(shipment::Status::KNOWN.to_vec()));
    let kind = prop::sample::select(shipment::UpdateKind::ALL.to_vec());
    let minute = prop::option::of(0_i64..10);
    let carrier = prop::option::of("[A-C]");
    (status, kind, minute, carrier).prop_map(|(status, kind, minute, carrier)| {
        let time = minute.map(|minute| {
            Timestamp::from_millis(1_705_276_800_000 + minute * 60_000)
                .unwrap()
                .to_string()
        });
        let named = match kind {
            shipment::UpdateKind::Update => Some(status.unwrap_or("IN_TRANSIT")),
            _ => status,
        };
        let said = [
            ("status", named.map(str::to_owned)),
            ("timestamp", time.clone()),
            ("carrier", carrier.clone()),
        ];
        let default = || kind.default_status().unwrap().as_str().to_owned();
        let status = named.map_or_else(default, str::to_owned);
        shipment::Update {
            kind,
            carrier,
            detail: said
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
                .collect(),
            ..update(&status, time.as_deref())
        }
    })
}

/// What a history becomes on its way through the store.
fn stored<A: EventSourced>(events: &[A::Event]) -> Vec<A::Event> {
    let written: Vec<EncodedEvent> = events
        .iter()
        .map(|event| A::encode(event).unwrap())
        .collect();
    let text = serde_json::to_string(&written).unwrap();
    let read: Vec<EncodedEvent> = serde_json::from_str(&text).unwrap();
    read.iter().map(|event| A::decode(event).unwrap()).collect()
}

/// Decides one command after the other, at one-second steps.
fn history<A: EventSourced>(intents: Vec<impl Into<A::Intent>>) -> (A, Vec<A::Event>) {
    let mut state = A::default();
    let mut events = Vec::new();
    for (second, intent) in intents.into_iter().enumerate() {
        let at = Timestamp::from_millis(1_705_363_200_000 + second as i64 * 1_000).unwrap();
        if let Ok(new) = state.decide(&Command {
            at,
            intent: intent.into(),
        }) {
            state = state.folded(new.clone());
            events.extend(new);
        }
    }
    (state, events)
}

proptest! {
    #[test]
    fn the_total_of_an_order_is_the_sum_of_its_lines(place in any_order()) {
        // Counted once more in whole millionths.
        let millionths = |price: &Number| -> u128 {
            let text = price.to_string();
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            format!("{whole}{part:0<6}").parse().unwrap()
        };
        let expected: u128 = place.items.iter()
            .map(|item| millionths(&item.price) * u128::from(item.quantity.to_u64().unwrap())).sum();
        let command = Command { at: at("2024-01-15T12:00:00Z"), intent: order::Intent::Place(Box::new(place)) };
        let events = Order::default().decide(&command).unwrap();
        let order::Event::OrderPlaced(placed) = &events[0] else { unreachable!() };
        prop_assert_eq!(millionths(&placed.total_amount), expected);
    }

    #[test]
    fn any_history_of_an_order_folds_to_what_was_decided_on(
        intents in prop::collection::vec(any_order_intent(), 0..12)
    ) {
        let (state, events) = history::<Order>(intents);
        prop_assert_eq!(&Order::default().folded(stored::<Order>(&events)), &state);
        // Placed, and then once closed.
        prop_assert!(events.len() <= 2);
        let snapshot = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Order>(&snapshot).unwrap(), &state);
    }

    #[test]
    fn any_history_of_a_shipment_folds_and_its_latest_update_is_current(
        updates in prop::collection::vec(any_update(), 1..40)
    ) {
        let (state, events) = history::<Shipment>(updates);
        prop_assert_eq!(&Shipment::default().folded(stored::<Shipment>(&events)), &state);
        let snapshot = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Shipment>(&snapshot).unwrap(), &state);
        let latest = events.iter().filter_map(|event| event.update())
            .max_by_key(|update| (update.timestamp, update.status.progress())).unwrap();
        let current = state.current.unwrap();
        prop_assert_eq!(&current.status, &latest.status);
        prop_assert_eq!(current.timestamp, latest.timestamp);
        let told = events.iter().filter_map(|event| event.update())
            .filter(|update| update.carrier.is_some()).max_by_key(|update| update.timestamp);
        prop_assert_eq!(state.carrier.map(|known| known.value), told.and_then(|u| u.carrier.clone()));
    }

    #[test]
    fn a_watcher_that_asks_after_every_update_is_told_once_for_each_current_one(
        updates in prop::collection::vec(any_update(), 1..40), times in 1_usize..3
    ) {
        let (mut state, mut events) = (Shipment::default(), Vec::new());
        for (second, update) in updates.into_iter().enumerate() {
            let at = Timestamp::from_millis(1_705_363_200_000 + second as i64 * 1_000).unwrap();
            let stall = shipment::Stall { shipment_id: update.shipment_id.clone(), last_update_at: at };
            let stalls = std::iter::repeat_n(shipment::Intent::Stall(stall), times);
            for intent in std::iter::once(shipment::Intent::from(update)).chain(stalls) {
                if let Ok(new) = state.decide(&Command { at, intent }) {
                    state = state.folded(new.clone());
                    events.extend(new);
                }
            }
        }
        prop_assert_eq!(&Shipment::default().folded(stored::<Shipment>(&events)), &state);
        let snapshot = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Shipment>(&snapshot).unwrap(), &state);
        // Counted once more from the events: a stall for each update that became current under way.
        let count = |is: &dyn Fn(&shipment::Event) -> bool| events.iter().filter(|e| is(e)).count();
        let due = count(&|event| event.update().is_some_and(|u| u.current && u.status.expects_updates()));
        prop_assert_eq!(count(&|event| event.update().is_none()), due);
        prop_assert_eq!(state.updates as usize + due, events.len());
        prop_assert!(state.watched_since().is_none());
    }

    #[test]
    fn the_current_status_does_not_depend_on_the_order_of_arrival(
        updates in prop::collection::vec(any_update(), 1..12), turn in 0_usize..12
    ) {
        // Statuses as far along as each other stay in the order in which they came.
        let furthest = |updates: &[shipment::Update]| {
            let (state, _) = history::<Shipment>(updates.to_vec());
            let current = state.current.unwrap();
            (current.timestamp, current.status.progress())
        };
        let mut turned = updates.clone();
        turned.rotate_left(turn % updates.len());
        let mut reversed = updates.clone();
        reversed.reverse();
        prop_assert_eq!(furthest(&updates), furthest(&turned));
        prop_assert_eq!(furthest(&updates), furthest(&reversed));
    }

    #[test]
    fn whatever_time_is_read_is_written_as_the_same_instant(
        millis in 946_684_800_000_i64..253_402_300_799_999, minutes in -839_i32..840,
        form in 0_usize..6, cut in any::<bool>()
    ) {
        let millis = if cut { millis / 60_000 * 60_000 } else { millis };
        let local = chrono::DateTime::from_timestamp_millis(millis).unwrap()
            .with_timezone(&chrono::FixedOffset::east_opt(minutes * 60).unwrap());
        let text = local.format([
            "%Y-%m-%dT%H:%M:%S%.3f%:z", "%Y-%m-%d %H:%M:%S%.3f %z", "%Y%m%dT%H%M%S%.3f%z",
            "%Y-%m-%dt%H:%M:%S%.3f%z", "%Y%m%d %H%M%S,%3f%z", "%Y-%m-%dT%H:%M:%S%.6f%:z",
        ][form]).to_string();
        // A year of five digits has no such form.
        prop_assume!(local.format("%Y").to_string().len() == 4);
        let sent = SentTime::parse(&text).unwrap();
        prop_assert_eq!(sent.at.millis(), millis, "{}", text);
        prop_assert_eq!(sent.at.to_string().parse::<Timestamp>().unwrap(), sent.at);
    }

    #[test]
    fn no_text_and_no_number_comes_out_before_2000(text in "[0-9TtZz:. ,+-]{0,24}", number in any::<i64>()) {
        let first: Timestamp = "2000-01-01T00:00:00.000Z".parse().unwrap();
        let number: Number = number.to_string().parse().unwrap();
        for sent in [SentTime::parse(&text), SentTime::from_number(&number)].into_iter().flatten() {
            prop_assert!(sent.at >= first, "{} {}", text, number);
        }
    }

    #[test]
    fn updates_that_lead_to_different_events_have_different_digests(
        one in any_update(), other in any_update()
    ) {
        let [one, other] = [one, other].map(shipment::Intent::from);
        let events = |intent: &shipment::Intent| {
            let at = at("2030-01-15T12:00:00Z");
            Shipment::default().decide(&Command { at, intent: intent.clone() })
        };
        if one.digest() == other.digest() {
            prop_assert_eq!(events(&one), events(&other));
        }
    }

    #[test]
    fn a_command_that_closed_an_order_changes_nothing_when_it_is_decided_again(
        intents in prop::collection::vec(any_order_intent(), 1..12)
    ) {
        let (state, _) = history::<Order>(intents.clone());
        if state.allowed_actions().is_empty() && state != Order::default() {
            for intent in intents {
                let again = state.decide(&Command { at: at("2024-02-01T00:00:00Z"), intent });
                prop_assert!(again.is_err() || again == Ok(vec![]));
            }
        }
    }

    #[test]
    fn a_digest_tells_contents_apart_and_nothing_else(
        one in any_order(), other in any_order(), id in "[a-z]{1,8}"
    ) {
        let digest = |place: &order::PlaceOrder| order::Intent::Place(Box::new(place.clone())).digest();
        let mut renamed = one.clone();
        renamed.order_id = id.parse().unwrap();
        renamed.source_file = Some("s3://orders/a.json".to_owned());
        renamed.default_fulfilment = order::Fulfilment::Automatic;
        prop_assert_eq!(digest(&one), digest(&renamed));
        let equal = one.items == other.items && one.fulfilment == other.fulfilment;
        prop_assert_eq!(digest(&one) == digest(&other), equal);
    }

    #[test]
    fn any_json_that_is_read_is_written_and_read_the_same(text in "[\\[\\]{}:,\"0-9a-z.eE+-]{0,40}") {
        if let Ok(json) = Json::parse(&text) {
            let written = json.to_string();
            prop_assert_eq!(Json::parse(&written), Ok(json));
        }
    }
}
