"""Scans as carriers send them: their spellings, their clocks, their places."""

import uuid

import pytest

from client import new_id
from expect import at_rest, messages_about
from patience import until

TIE = "2025-01-15T10:30"


def logged(client, **detail) -> dict:
    """The row of the only update of a new shipment."""
    shipment_id = new_id("SHIP")
    body = {"status": "IN_TRANSIT"} | detail
    client.update(shipment_id, body, new_id("key")).ok()
    (row,) = client.log(shipment_id)
    return row


@pytest.mark.parametrize(
    ("spelled", "status"),
    [
        ("in_transit", "IN_TRANSIT"),
        ("in transit", "IN_TRANSIT"),
        ("InTransit", "IN_TRANSIT"),
        ("Out For Delivery", "OUT_FOR_DELIVERY"),
        ("delivered", "DELIVERED"),
        ("READY-FOR-PICKUP", "READY_FOR_PICKUP"),
        ("customs hold", "CUSTOMS_HOLD"),
    ],
)
def test_a_status_is_read_in_any_spelling(client, spelled, status):
    row = logged(client, status=spelled)
    assert row["status"] == status and row["carrierStatus"] == spelled


@pytest.mark.parametrize("status", ["IN_TRANSIT", "CUSTOMS_HOLD"])
def test_a_status_that_is_spelled_as_ours_has_no_other_spelling(client, status):
    row = logged(client, status=status)
    assert row["status"] == status and "carrierStatus" not in row


@pytest.mark.parametrize(
    ("sent", "read", "offset"),
    [
        (1763632800, "2025-11-20T10:00:00.000Z", None),
        ("1763632800", "2025-11-20T10:00:00.000Z", None),
        (1763632800123, "2025-11-20T10:00:00.123Z", None),
        ("2021-01-26 13:44", "2021-01-26T13:44:00.000Z", None),
        ("20210126T134405Z", "2021-01-26T13:44:05.000Z", "+00:00"),
        ("2021-01-26T13:44:05,25+0100", "2021-01-26T12:44:05.250Z", "+01:00"),
        ("2021-01-26t13:44-05", "2021-01-26T18:44:00.000Z", "-05:00"),
    ],
)
def test_a_time_is_read_in_every_form(client, sent, read, offset):
    row = logged(client, timestamp=sent)
    assert row["timestamp"] == read
    assert row.get("timestampOffset") == offset
    assert "timestampPrecision" not in row


@pytest.mark.parametrize("sent", ["20250826", "2025-08-26"])
def test_a_date_alone_is_the_beginning_of_its_day(client, sent):
    row = logged(client, timestamp=sent)
    assert row["timestamp"] == "2025-08-26T00:00:00.000Z"
    assert row["timestampPrecision"] == "day"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({"city": "Berlin", "country": "DE", "zip": "10115"}, "Berlin, 10115, DE"),
        ({"city": "Berlin", "zip": 10115, "lat": 52.5}, "Berlin, 10115"),
        (
            {"name": "Hub 7", "address": "Dock 1", "city": "Memphis", "state": "TN"}
            | {"region": "South", "postalCode": "38118", "country": "US"},
            "Hub 7, Dock 1, Memphis, TN, 38118, US",
        ),
        ({"city": " ", "geo": {"lat": 1}}, "Unknown"),
    ],
)
def test_a_place_that_is_an_object_becomes_a_text_and_is_kept(client, place, text):
    row = logged(client, location=place)
    assert row["location"] == text
    assert set(row["attributes"]["location"]) == set(place)


def test_a_number_is_a_tracking_number(client):
    row = logged(client, trackingNumber=9400110200881234567)
    assert row["trackingNumber"] == "9400110200881234567"


def test_a_number_and_its_digits_are_the_same_id(client):
    number = 10**9 + uuid.uuid4().int % 10**9
    detail = {
        "status": "LOST",
        "timestamp": "2024-05-02T10:00:00Z",
        "trackingNumber": number,
        "orderId": number,
    }
    client.put_event(detail | {"shipmentId": number})
    client.shipment(str(number), 1)
    client.put_event(detail | {"shipmentId": str(number)})
    client.update(str(number), detail, new_id("key")).ok()
    texts = {"trackingNumber": str(number), "orderId": str(number)}
    client.update(str(number), detail | texts, new_id("key")).ok()
    at_rest(client)
    assert len(client.log(str(number))) == 1


@pytest.mark.parametrize(
    ("one", "other", "current"),
    [
        ("DELIVERED", "OUT_FOR_DELIVERY", "DELIVERED"),
        ("OUT_FOR_DELIVERY", "DELIVERED", "DELIVERED"),
        ("PICKED_UP", "CREATED", "PICKED_UP"),
        ("LOST", "IN_TRANSIT", "LOST"),
        # As far along as each other: the later one.
        ("IN_TRANSIT", "CUSTOMS_HOLD", "CUSTOMS_HOLD"),
    ],
)
def test_of_two_scans_of_one_minute_the_one_further_along_is_current(
    client, one, other, current
):
    shipment_id = new_id("SHIP")
    for status in (one, other):
        body = {"status": status, "timestamp": TIE}
        client.update(shipment_id, body, new_id("key")).ok()
    assert client.shipment(shipment_id, 2)["status"] == current
    at_rest(client)
    changes = [
        each["detail"]["status"]
        for each in messages_about(client, f"shipment#{shipment_id}", "EventBridge")
        if each["detailType"] == "Shipment Status Changed"
    ]
    assert set(changes) == {one, current}


def test_an_update_of_another_kind_is_another_update(client):
    shipment_id = new_id("SHIP")
    detail = {
        "shipmentId": shipment_id,
        "trackingNumber": "1Z",
        "timestamp": "2024-05-02T10:00:00+02:00",
    }
    for version, kind in enumerate(("Shipment Created", "Shipment Delayed"), 1):
        client.put_event(detail, DetailType=kind)
        client.shipment(shipment_id, version)
    # The same once more is a repeat, of either kind.
    for kind in ("Shipment Created", "Shipment Delayed"):
        client.put_event(detail, DetailType=kind)
    assert client.shipment(shipment_id, 2)["status"] == "DELAYED"
    at_rest(client)
    assert [row["status"] for row in client.log(shipment_id)] == ["CREATED", "DELAYED"]

    def alerted():
        subjects = [each.get("subject") for each in client.messages()]
        return f"Logistics Alert: DELAYED - {shipment_id}" in subjects

    until("an alert", alerted)
