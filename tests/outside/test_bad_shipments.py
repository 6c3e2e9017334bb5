"""Shipment updates that are refused: over HTTP with a reason, on the bus aloud."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from client import new_id
from exact import json_text
from expect import at_rest, no_internals, problem
from orders import update
from patience import until

DETAIL_BYTES_MAX = 64 * 1024


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


TOMORROW = datetime.now(UTC) + timedelta(hours=25)

# What is wrong -> (changes of a good detail, the field that is told).
FAULTS = {
    "no status": ({"status": None}, "status"),
    "empty status": ({"status": ""}, "status"),
    "a digit first": ({"status": "1ST_TRY"}, "status"),
    "no letter": ({"status": "_ -"}, "status"),
    "a mark": ({"status": "DELIVERED!"}, "status"),
    "another alphabet": ({"status": "доставлено"}, "status"),
    "41 letters": ({"status": "X" * 41}, "status"),
    "a status that is no text": ({"status": 7}, "status"),
    "no time": ({"timestamp": "yesterday"}, "timestamp"),
    "no such day": ({"timestamp": "2024-02-30T10:00:00Z"}, "timestamp"),
    "a time that is no time": ({"timestamp": []}, "timestamp"),
    "before time began": ({"timestamp": -1}, "timestamp"),
    "a date as a number": ({"timestamp": 20250826}, "timestamp"),
    "before 2000": ({"timestamp": "1999-12-31T23:59:59.999Z"}, "timestamp"),
    "seconds before 2000": ({"timestamp": 946_684_799}, "timestamp"),
    "microseconds": ({"timestamp": 1_763_632_800_123_456}, "timestamp"),
    "a time in digits alone": ({"timestamp": "20250826101500"}, "timestamp"),
    "an American date": ({"timestamp": "08/26/2025"}, "timestamp"),
    "after time ends": ({"timestamp": Decimal("1e30")}, "timestamp"),
    "25 hours ahead": ({"timestamp": TOMORROW.isoformat()}, "timestamp"),
    "25 hours ahead in milliseconds": (
        {"timestamp": int(TOMORROW.timestamp() * 1000)},
        "timestamp",
    ),
    "a place that is no text": ({"location": ["x"]}, "location"),
    "a carrier that is no text": ({"carrier": {"a": 1}}, "carrier"),
    "a bad order": ({"orderId": "a/b"}, "orderId"),
    "17 levels": ({"deep": nested(16)}, ""),
    "39 digits": ({"weight": Decimal("1" * 39)}, ""),
    "out of range": ({"weight": Decimal("1e126")}, ""),
}
BY_NAME = pytest.mark.parametrize("name", FAULTS)


@BY_NAME
def test_a_bad_update_over_http_is_refused_with_its_reason(client, name):
    changes, field = FAULTS[name]
    shipment_id, key = new_id("SHIP"), new_id("key")
    problem(client.update(shipment_id, update(shipment_id, **changes), key), 400, field)
    problem(client.get(f"/shipments/{shipment_id}"), 404)
    # Its key stays free, and its shipment untouched.
    good = client.update(shipment_id, update(shipment_id), key).ok()
    assert good["version"] == 1


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "1", '"x"', "[{}]"])
def test_an_update_that_is_no_json_object_is_refused(client, body):
    problem(client.update(new_id("SHIP"), body, new_id("key")), 400)


@pytest.mark.parametrize("bad", ["%20", "a%20", "a%5Cb", "%0A", "x" * 129, "e%CC%81"])
def test_a_bad_shipment_id_is_refused(client, bad):
    answer = client.update(bad, {"status": "LOST"}, new_id("key"))
    assert answer.status in (400, 404), answer.text
    problem(answer, answer.status)


def test_a_detail_over_64_kib_is_refused(client):
    shipment_id = new_id("SHIP")
    body = update(shipment_id, note="x" * DETAIL_BYTES_MAX)
    answer = client.update(shipment_id, body, new_id("key"))
    assert answer.status in (400, 413), answer.text
    problem(answer, answer.status)
    nearly = update(shipment_id, note="x" * (DETAIL_BYTES_MAX - 500))
    client.update(shipment_id, nearly, new_id("key")).ok()
    assert client.log(shipment_id)[0]["attributes"]["note"] == nearly["note"]


def test_a_key_with_another_update_is_refused(client):
    shipment_id, key = new_id("SHIP"), new_id("key")
    client.update(shipment_id, update(shipment_id), key).ok()
    other = update(shipment_id, status="LOST")
    problem(client.update(shipment_id, other, key), 422)
    assert len(client.log(shipment_id)) == 1


def test_a_shipment_that_has_moved_on_fails_the_precondition(client):
    shipment_id = new_id("SHIP")
    for _ in range(2):
        client.update(shipment_id, update(shipment_id), new_id("key")).ok()
    stale = {"If-Match": '"1"'}
    body = update(shipment_id, status="LOST")
    problem(client.update(shipment_id, body, new_id("key"), stale), 412)


# The bus. There is nobody to answer, so it is said aloud and kept.


def refusals(client) -> list[dict]:
    return [
        each
        for each in client.messages()
        if each.get("subject") == "Logistics Processing Error - dev"
    ]


def dead_letters_of(client, event_id: str) -> list[dict]:
    letters = client.local("dead-letters")["deadLetters"]
    return [each for each in letters if event_id in json_text(each)]


def given_up_aloud(client, event_id: str, told_before: int) -> None:
    """Announced once, kept once, acknowledged: nothing is on its way any more."""
    (letter,) = until("its dead letter", lambda: dead_letters_of(client, event_id))
    assert letter["consumer"] == "bus"
    at_rest(client)
    told = refusals(client)
    assert len(told) == told_before + 1
    assert told[0]["topic"].endswith("waybill-dev-alerts")
    no_internals(told[0]["message"])
    assert len(dead_letters_of(client, event_id)) == 1


@BY_NAME
def test_a_bad_event_is_given_up_aloud_and_never_retried(client, name):
    changes, _ = FAULTS[name]
    shipment_id, before = new_id("SHIP"), len(refusals(client))
    event_id = client.put_event(update(shipment_id, **changes))
    given_up_aloud(client, event_id, before)
    problem(client.get(f"/shipments/{shipment_id}"), 404)
    client.put_event(update(shipment_id))
    assert len(client.log(shipment_id)) == 1


@pytest.mark.parametrize("shipment_id", [None, "", "a/b", "x" * 129, 5.5, ["SHIP-1"]])
def test_an_event_without_a_good_shipment_id_is_given_up_aloud(client, shipment_id):
    before = len(refusals(client))
    event_id = client.put_event(update("SHIP-1") | {"shipmentId": shipment_id})
    given_up_aloud(client, event_id, before)


def test_an_event_over_64_kib_is_given_up_aloud(client):
    before = len(refusals(client))
    body = update(new_id("SHIP"), note="x" * DETAIL_BYTES_MAX)
    given_up_aloud(client, client.put_event(body), before)


@pytest.mark.parametrize(
    "fields",
    [{"Source": "somebody.else"}, {"DetailType": "Shipment Exploded"}],
    ids=str,
)
def test_an_event_that_no_rule_asks_for_is_nobodys_business(client, fields):
    shipment_id, before = new_id("SHIP"), len(refusals(client))
    event_id = client.put_event(update(shipment_id), **fields)
    at_rest(client)
    problem(client.get(f"/shipments/{shipment_id}"), 404)
    assert len(refusals(client)) == before
    assert not dead_letters_of(client, event_id)


@pytest.mark.parametrize("detail", ["{", "nonsense", "[1]", ""])
def test_a_detail_that_is_no_json_object_is_refused_at_the_door(client, detail):
    entry = {"Source": "logistics.shipments", "DetailType": "Shipment Update"}
    good = entry | {"Detail": json_text(update(new_id("SHIP")))}
    put = client.events.put_events(Entries=[entry | {"Detail": detail}, good])
    assert put["FailedEntryCount"] == 1
    bad, fine = put["Entries"]
    assert bad["ErrorCode"] and bad.get("EventId") is None
    assert fine["EventId"] and fine.get("ErrorCode") is None


def test_one_bad_event_does_not_stop_its_batch(client):
    ids = [new_id("SHIP") for _ in range(9)]
    bodies = [update(shipment_id) for shipment_id in ids]
    bodies.insert(4, update(new_id("SHIP"), status="bad"))
    client.events.put_events(
        Entries=[
            {
                "Source": "logistics.shipments",
                "DetailType": "Shipment Update",
                "Detail": json_text(body),
            }
            for body in bodies
        ]
    )
    for shipment_id in ids:
        assert len(client.log(shipment_id)) == 1
