"""Who is told of a shipment, when, and in which words."""

from datetime import UTC, datetime

import pytest

from client import new_id
from expect import at_rest, attributes_of, id_of, message, messages_about
from orders import update

CRITICAL = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"]
CHANGED, ALERT = "Shipment Status Changed", "Shipment Alert"
MORNING, NOON = (f"2024-01-15T{hour}:00:00.000Z" for hour in ("08", "12"))


def send(client, shipment_id: str, **changes) -> None:
    body = update(shipment_id, **changes)
    client.update(shipment_id, body, new_id("key")).ok()


def ids_about(client, shipment_id: str, via: str) -> list[str]:
    about = messages_about(client, f"shipment#{shipment_id}", via)
    return [id_of(each).removeprefix(f"shipment#{shipment_id}/") for each in about]


@pytest.mark.parametrize("status", CRITICAL)
def test_a_critical_update_reaches_the_topic(client, status):
    shipment_id = new_id("SHIP")
    client.put_event(update(shipment_id, status=status, timestamp=NOON))
    message_id = f"shipment#{shipment_id}/1/{ALERT}"
    sent = message(client, message_id, "SNS")
    assert sent["topic"].endswith("waybill-dev-alerts")
    assert sent["subject"] == f"Logistics Alert: {status} - {shipment_id}"
    assert attributes_of(sent) == {
        "id": message_id,
        "status": status,
        "carrier": "FedEx",
        "environment": "dev",
    }
    for word in (shipment_id, status, "Memphis, TN", "FedEx"):
        assert word in sent["message"]


def test_a_critical_update_is_announced_on_the_bus(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="LOST", timestamp=NOON, orderId="ORD-1")
    sent = message(client, f"shipment#{shipment_id}/1/{ALERT}")
    assert sent["source"] == "waybill.shipments" and sent["bus"] == "waybill-dev"
    assert sent["detailType"] == ALERT
    detail = sent["detail"]
    assert detail["shipmentId"] == shipment_id and detail["status"] == "LOST"
    assert detail["version"] == 1 and detail["timestamp"] == NOON
    assert detail["carrier"] == "FedEx" and detail["location"] == "Memphis, TN"
    assert detail["orderId"] == "ORD-1" and detail["occurredAt"] > NOON


def test_an_ordinary_update_raises_no_alert(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="IN_TRANSIT")
    at_rest(client)
    assert ids_about(client, shipment_id, "SNS") == []
    assert ids_about(client, shipment_id, "EventBridge") == [f"1/{CHANGED}"]


def test_a_change_is_announced_only_when_the_current_status_changed(client):
    shipment_id = new_id("SHIP")
    for minute, status in enumerate(
        ["CREATED", "IN_TRANSIT", "IN_TRANSIT", "DELIVERED", "DELIVERED"]
    ):
        timestamp = f"2024-01-15T10:{minute:02}:00Z"
        send(client, shipment_id, status=status, timestamp=timestamp)
    at_rest(client)
    about = messages_about(client, f"shipment#{shipment_id}", "EventBridge")
    told = [
        (each["detail"]["version"], each["detail"].get("previousStatus"))
        for each in about
    ]
    assert sorted(told) == [(1, None), (2, "CREATED"), (4, "IN_TRANSIT")]


def test_a_late_update_changes_nothing_and_is_not_announced(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="DELIVERED", timestamp=NOON)
    send(client, shipment_id, status="IN_TRANSIT", timestamp=MORNING)
    at_rest(client)
    assert ids_about(client, shipment_id, "EventBridge") == [f"1/{CHANGED}"]


def test_a_late_critical_update_raises_an_alert_that_says_so(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="DELIVERED", timestamp=NOON)
    send(client, shipment_id, status="DELAYED", timestamp=MORNING)
    late = message(client, f"shipment#{shipment_id}/2/{ALERT}")
    mail = message(client, f"shipment#{shipment_id}/2/{ALERT}", "SNS")
    assert "late" in str(late["detail"]).lower()
    assert "late" in mail["message"].lower()
    at_rest(client)
    assert f"2/{CHANGED}" not in ids_about(client, shipment_id, "EventBridge")


def test_a_timely_critical_update_does_not_call_itself_late(client):
    shipment_id = new_id("SHIP")
    send(client, shipment_id, status="LOST", timestamp=MORNING)
    send(client, shipment_id, status="DAMAGED", timestamp=NOON)
    first, second = (
        message(client, f"shipment#{shipment_id}/{n}/{ALERT}")["detail"] for n in (1, 2)
    )
    late = {name for name in first if "late" in name.lower()}
    assert all(not first[name] and not second[name] for name in late)
    at_rest(client)
    assert sorted(ids_about(client, shipment_id, "EventBridge")) == [
        f"1/{ALERT}",
        f"1/{CHANGED}",
        f"2/{ALERT}",
        f"2/{CHANGED}",
    ]


def test_a_subject_fits_what_the_topic_takes(client):
    shipment_id = "S" * 64
    send(client, shipment_id, status="EXCEPTION", timestamp=NOON)
    sent = message(client, f"shipment#{shipment_id}/1/{ALERT}", "SNS")
    assert len(sent["subject"]) <= 100
    assert sent["subject"].startswith("Logistics Alert: EXCEPTION - SSSS")


def test_texts_that_the_topic_would_refuse_are_still_announced(client):
    """Texts of carriers are free; what SNS takes as subject or attribute is not."""
    shipment_id = new_id("SHIP")
    texts = {"carrier": "Œuvre 配送 🚚", "location": "line\nbreak\ttab"}
    answer = client.update(
        shipment_id, update(shipment_id, status="LOST", **texts), new_id("key")
    )
    if answer.status == 200:
        message(client, f"shipment#{shipment_id}/1/{ALERT}", "SNS")
    else:
        assert answer.status == 400, answer.text


def test_many_critical_updates_at_once_are_all_announced(client):
    """More than the ten that one request of either service takes."""
    ids = [new_id("SHIP") for _ in range(35)]
    entries = [
        {
            "Source": "logistics.shipments",
            "DetailType": "Shipment Delayed",
            "Detail": f'{{"shipmentId":"{shipment_id}"}}',
            "Time": datetime(2024, 1, 15, 13, tzinfo=UTC),
        }
        for shipment_id in ids
    ]
    for start in range(0, len(entries), 10):
        put = client.events.put_events(Entries=entries[start : start + 10])
        assert put["FailedEntryCount"] == 0
    for shipment_id in ids:
        message(client, f"shipment#{shipment_id}/1/{ALERT}", "SNS")
        message(client, f"shipment#{shipment_id}/1/{ALERT}")
        message(client, f"shipment#{shipment_id}/1/{CHANGED}")
