"""What carriers say of a shipment, in whatever order they say it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from client import new_id
from exact import read_json
from expect import at_rest, messages_about
from oracle import entry_of, millis_of, time_of
from orders import update

KNOWN = [
    "CREATED",
    "PICKED_UP",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "DELIVERED",
    "DELAYED",
    "LOST",
    "DAMAGED",
    "EXCEPTION",
    "RETURNED",
    "READY_FOR_PICKUP",
    "DELIVERY_ATTEMPTED",
    "RETURNING",
    "CANCELLED",
]
MORNING, NOON, EVENING = (
    f"2024-01-15T{hour}:30:00.000Z" for hour in ("08", "12", "20")
)


def send(client, shipment_id: str, **changes) -> dict:
    body = update(shipment_id, **changes)
    return client.update(shipment_id, body, new_id("key")).ok()


def test_an_update_over_http_is_logged(client):
    shipment_id = new_id("SHIP")
    answer = send(client, shipment_id, timestamp=NOON, trackingNumber="1Z999")
    assert answer["shipmentId"] == shipment_id and answer["message"]
    assert answer["status"] == "IN_TRANSIT" and answer["version"] == 1
    (row,) = client.log(shipment_id)
    assert row["shipmentId"] == shipment_id
    assert row["entry"] == entry_of(NOON, 1)
    assert row["timestamp"] == NOON and row["timestampMs"] == millis_of(NOON)
    assert row["status"] == "IN_TRANSIT" and row["location"] == "Memphis, TN"
    assert row["carrier"] == "FedEx" and row["trackingNumber"] == "1Z999"
    time_of(row["processedAt"])


def test_an_event_of_the_bus_is_logged_with_where_it_came_from(client):
    shipment_id = new_id("SHIP")
    sent = update(shipment_id, timestamp=NOON, weight=Decimal("2.50"))
    event_id = client.put_event(sent, Time=datetime(2024, 1, 15, 13, tzinfo=UTC))
    (row,) = client.log(shipment_id)
    assert row["eventId"] == event_id
    assert row["eventSource"] == "logistics.shipments"
    assert row["eventType"] == "Shipment Update"
    assert row["eventTime"] == "2024-01-15T13:00:00.000Z"
    assert row["processedAt"] > row["eventTime"]
    raw = row["rawEvent"]
    raw = read_json(raw) if isinstance(raw, str) else raw
    assert raw.get("detail", raw)["weight"] == Decimal("2.5")
    assert row["attributes"] == {"weight": Decimal("2.5")}


@pytest.mark.parametrize("bus", [None, "default", "waybill-dev"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [("Shipment Created", "CREATED"), ("Shipment Delayed", "DELAYED")],
)
def test_some_detail_types_have_a_status_of_their_own(client, bus, kind, status):
    shipment_id = new_id("SHIP")
    to = {"EventBusName": bus} if bus else {}
    client.put_event({"shipmentId": shipment_id}, DetailType=kind, **to)
    (row,) = client.log(shipment_id)
    assert row["status"] == status and row["eventType"] == kind
    client.put_event(update(shipment_id, status="LOST"), DetailType=kind, **to)
    assert {row["status"] for row in client.log(shipment_id, 2)} == {status, "LOST"}


@pytest.mark.parametrize("missing", ["absent", "", None])
def test_what_is_missing_is_unknown_and_an_empty_text_is_missing(client, missing):
    shipment_id = new_id("SHIP")
    body = {"shipmentId": shipment_id, "status": "PICKED_UP"}
    if missing != "absent":
        names = ("location", "carrier", "trackingNumber", "timestamp", "orderId")
        body |= dict.fromkeys(names, missing)
    client.put_event(body, Time=datetime(2024, 1, 15, 13, tzinfo=UTC))
    (row,) = client.log(shipment_id)
    assert row["location"] == "Unknown" and row["carrier"] == "Unknown"
    # Without a time of its own, an update has its event's.
    assert row["timestamp"] == row["eventTime"] == "2024-01-15T13:00:00.000Z"
    assert not row.get("trackingNumber") and not row.get("orderId")


def test_known_statuses_and_any_other_word_are_logged_as_they_are(client):
    shipment_id = new_id("SHIP")
    statuses = [*KNOWN, "STUCK_AT_CUSTOMS_2", "X", "Z" * 40]
    for minute, status in enumerate(statuses):
        timestamp = f"2024-01-15T10:{minute:02}:00Z"
        send(client, shipment_id, status=status, timestamp=timestamp)
    log = client.log(shipment_id, len(statuses))
    assert [row["status"] for row in log] == statuses


@pytest.mark.parametrize(
    ("sent", "timestamp", "offset"),
    [
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z", None),
        ("2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00.000Z", "+02:00"),
        ("2024-01-15T10:30:00.123-05:30", "2024-01-15T16:00:00.123Z", "-05:30"),
        (1_705_314_600_123, "2024-01-15T10:30:00.123Z", None),
    ],
)
def test_times_are_iso_or_epoch_milliseconds_and_keep_their_offset(
    client, sent, timestamp, offset
):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, timestamp=sent)
    (row,) = client.log(shipment_id)
    assert row["timestamp"] == timestamp
    assert row["timestampMs"] == millis_of(timestamp)
    if offset is not None:
        assert row["timestampOffset"] == offset


def test_a_late_update_is_logged_and_does_not_become_current(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="DELIVERED", timestamp=EVENING)
    send(client, shipment_id, status="IN_TRANSIT", timestamp=MORNING, location="Far")
    row = client.shipment(shipment_id, version=2)
    assert row["status"] == "DELIVERED" and row["timestamp"] == EVENING
    assert row["location"] == "Memphis, TN"
    assert row["updates"] == 2 and row["version"] == 2
    log = client.log(shipment_id, 2)
    assert [each["entry"] for each in log] == [
        entry_of(MORNING, 2),
        entry_of(EVENING, 1),
    ]


def test_of_two_updates_of_one_time_the_later_one_is_current(client):
    shipment_id = new_id("SHIP")
    # Twelve, since 10 must not come before 2.
    for n in range(1, 13):
        send(client, shipment_id, status=f"STOP_{n}", timestamp=NOON)
        assert client.shipment(shipment_id, version=n)["status"] == f"STOP_{n}"
    entries = [row["entry"] for row in client.log(shipment_id, 12)]
    assert entries == [entry_of(NOON, n) for n in range(1, 13)]


def test_the_current_row_stands_beside_the_log(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, timestamp=NOON, orderId="ORD-1", trackingNumber="T")
    client.shipment(shipment_id)
    item = client.item("shipment-log", shipmentId=shipment_id, entry="CURRENT")
    assert item["currentStatus"] == {"S": "IN_TRANSIT"}
    assert item["currentTimestamp"] == {"S": NOON}
    assert item["orderId"] == {"S": "ORD-1"} and item["trackingNumber"] == {"S": "T"}
    assert item["version"] == {"N": "1"} and item["updates"] == {"N": "1"}
    # Indexes by `status` and `timestamp` show updates only.
    assert "status" not in item and "timestamp" not in item
    answer = client.get(f"/shipments/{shipment_id}")
    assert answer.headers["etag"] == '"1"'
    row = answer.ok()
    assert row["status"] == "IN_TRANSIT" and row["timestamp"] == NOON
    assert row["allowedActions"]
    assert client.log(shipment_id)[0]["orderId"] == "ORD-1"


def test_an_equal_detail_with_its_own_time_is_logged_once(client):
    shipment_id = new_id("SHIP")
    body = update(shipment_id, timestamp=NOON)
    first = client.update(shipment_id, body, new_id("key")).ok()
    again = client.update(shipment_id, body, new_id("key")).ok()
    assert (again["status"], again["version"]) == (first["status"], 1)
    client.put_event(body)
    at_rest(client)
    assert len(client.log(shipment_id)) == 1
    # Another detail at the same time is news.
    send(client, shipment_id, timestamp=NOON, location="Elsewhere")
    assert len(client.log(shipment_id, 2)) == 2


def test_a_repeat_is_found_behind_later_updates(client):
    shipment_id = new_id("SHIP")
    body = update(shipment_id, timestamp=NOON)
    client.update(shipment_id, body, new_id("key")).ok()
    for minute in range(40):
        send(client, shipment_id, timestamp=f"2024-01-16T10:{minute:02}:00Z")
    assert client.update(shipment_id, body, new_id("key")).ok()["version"] == 1
    at_rest(client)
    assert len(client.log(shipment_id, 41)) == 41


def test_without_its_own_time_an_equal_detail_is_news(client):
    shipment_id = new_id("SHIP")
    for _ in range(2):
        client.put_event(update(shipment_id))
        send(client, shipment_id)
    assert len(client.log(shipment_id, 4)) == 4


def test_a_time_almost_a_day_ahead_is_accepted(client):
    shipment_id = new_id("SHIP")
    ahead = datetime.now(UTC) + timedelta(hours=23)
    send(client, shipment_id, timestamp=ahead.isoformat())
    assert client.log(shipment_id)


def test_the_log_is_read_by_pages_in_order_of_time(client):
    shipment_id = new_id("SHIP")
    # Sent from the last to the first, so that arrival is not the order.
    for minute in reversed(range(25)):
        send(client, shipment_id, timestamp=f"2024-01-15T10:{minute:02}:00Z")
    client.log(shipment_id, 25)
    seen, path, sizes = [], f"/shipments/{shipment_id}/log?limit=10", []
    cursor = ""
    for _ in range(4):
        page = client.get(path + cursor).ok()
        sizes.append(len(page["items"]))
        seen += [row["timestamp"] for row in page["items"]]
        if not page.get("cursor"):
            break
        cursor = f"&cursor={page['cursor']}"
    assert sizes in ([10, 10, 5], [10, 10, 5, 0])
    assert seen == [f"2024-01-15T10:{minute:02}:00.000Z" for minute in range(25)]


def test_more_than_a_page_of_updates_is_one_history(client):
    shipment_id = new_id("SHIP")
    for second in range(120):
        timestamp = f"2024-01-15T10:{second // 60:02}:{second % 60:02}Z"
        send(client, shipment_id, timestamp=timestamp)
    log = client.log(shipment_id, 120)
    sequences = [int(row["entry"].split("#")[1]) for row in log]
    assert sequences == list(range(1, 121))
    assert client.shipment(shipment_id, 120)["updates"] == 120
    at_rest(client)
    changes = messages_about(client, f"shipment#{shipment_id}")
    assert len(changes) == 1
