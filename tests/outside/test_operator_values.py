"""What an operator's console shows as well: both rows, an event's messages, dead letters."""

import pytest

from client import Client, new_id
from exact import json_text
from expect import at_rest, id_of
from operator_cli import (
    FAILED,
    USAGE,
    WELL,
    WRONG,
    Between,
    depth,
    event,
    letter,
    letters,
    send,
    waybill,
)
from orders import placed, update
from system import System


@pytest.fixture
def own(tmp_path):
    running = System(tmp_path).start()
    yield running
    running.kill()


def spoilt(client: Client, order_id: str) -> None:
    client.dynamodb.update_item(
        TableName="waybill-dev-processed-orders",
        Key={"orderId": {"S": order_id}},
        UpdateExpression="SET customerId = :c",
        ExpressionAttributeValues={":c": {"S": "somebody else"}},
    )


def test_a_wrong_row_is_shown_beside_the_right_one_to_who_asks(own):
    client = own.client
    orders = [placed(client) for _ in range(3)]
    at_rest(client)
    right = client.item("processed-orders", orderId=orders[0])
    for each in orders:
        spoilt(client, each)
    assert "differences" not in waybill(own, "verify", "--json").json
    ran = waybill(own, "verify", "--rows", "2", "--json")
    assert ran.code == WRONG and len(ran.json["findings"]) == 3
    assert len(ran.json["differences"]) == 2
    one = waybill(own, "verify", f"order#{orders[0]}", "--rows", "1", "--json").json
    (difference,) = one["differences"]
    assert difference["finding"] == one["findings"][0]
    assert difference["there"]["customerId"] == "somebody else"
    assert difference["expected"].keys() == right.keys()
    text = waybill(own, "verify", "--rows", "1").out
    assert text.count("should be") == 1 and "somebody else" in text


def test_a_history_shows_the_messages_of_each_event(own):
    client, shipment_id = own.client, new_id("SHIP")
    for status in ("IN_TRANSIT", "LOST"):
        detail = update(shipment_id, status=status)
        client.update(shipment_id, detail, new_id("key")).ok()
    client.shipment(shipment_id, version=2)
    at_rest(client)
    name = f"shipment#{shipment_id}"
    plain = waybill(own, "history", name, "--json").json["events"]
    events = waybill(own, "history", name, "--messages", "--json").json["events"]
    assert [each["event"] for each in events] == plain
    assert all(each["version"] >= 1 for each in events)
    made = [
        (each["channel"], each["id"]) for one in events for each in one["messages"]
    ]
    sent = [
        ({"EventBridge": "bus", "SNS": "topic"}[each["via"]], id_of(each))
        for each in client.messages()
    ]
    assert sorted(made) == sorted(sent)
    text = waybill(own, "history", name, "--messages").out
    assert f"{name}/2/Shipment Alert  to the topic" in text
    # The same is what would be announced.
    dry = waybill(own, "announce", name, "--dry-run", "--json")
    assert dry.code == WELL
    assert [(each["channel"], each["id"]) for each in dry.json["messages"]] == made


def test_dead_letters_are_listed_and_their_content_is_for_who_asks(own):
    client = own.client
    nothing = waybill(own, "dead-letters")
    assert (nothing.code, nothing.out) == (
        WELL,
        "0 dead letters, and 0 that somebody has taken\n",
    )
    (commit,) = client.commits(f"order#{(order_id := placed(client))}")
    key = letter(client, "notify", [commit])
    detail = {"shipmentId": "S-1", "status": "IN_TRANSIT", "location": "Elm Street 7"}
    message = send(client, event(detail))
    ran = waybill(own, "dead-letters", "--json")
    assert ran.code == WRONG
    (of_stream,) = ran.json["stream"]["letters"]
    assert of_stream["id"] == {"place": "stream", "name": key}
    assert (of_stream["role"], of_stream["about"]) == ("notify", [f"order#{order_id}"])
    assert of_stream["reason"] == "RetryAttemptsExhausted"
    (of_queue,) = ran.json["queue"]["letters"]
    assert of_queue["id"] == {"place": "message", "name": message}
    assert of_queue["role"] == "bus" and "shipment#S-1" in of_queue["about"]
    assert 0 <= of_queue["ageSeconds"] < 300
    assert "Elm Street" not in ran.out
    shown = waybill(own, "dead-letters", "--payload", message)
    assert shown.code == WELL and "Elm Street" in shown.out
    assert order_id in waybill(own, "dead-letters", "--payload", key).out
    gone = waybill(own, "dead-letters", "--payload", new_id("GONE"))
    assert gone.code == FAILED and "gone" in gone.err
    # A look has taken nothing away.
    assert waybill(own, "retry", "--json").json["done"] == 2
    assert letters(client) == []


def test_what_cannot_succeed_is_told_and_discarded_by_who_says_yes(own):
    client = own.client
    detail = {"shipmentId": "S-1", "status": "?", "location": "Elm Street 7"}
    message = send(client, event(detail), reason="invalid_field")
    outage = send(client, event(detail), reason="unavailable")
    ran = waybill(own, "dead-letters", "--json")
    told = {one["id"]["name"]: one["maySucceed"] for one in ran.json["queue"]["letters"]}
    assert told == {message: False, outage: True}
    text = waybill(own, "dead-letters").out
    assert "cannot succeed as it is" in text and "may succeed when tried again" in text

    # Nobody sits there to say yes.
    asked = waybill(own, "dead-letters", "--discard", message)
    assert (asked.code, asked.out) == (FAILED, "")
    assert "lost for ever" in asked.err and f"--payload {message}" in asked.err
    assert "invalid_field" in asked.err and "nothing was done" in asked.err
    assert "Elm Street" not in asked.err
    assert depth(client) == (2, 0)

    refused = waybill(own, "dead-letters", "--discard", outage, "--yes")
    assert refused.code == USAGE and "may succeed when tried again" in refused.err
    with Between(client, denied) as endpoint:
        ran = waybill(own, "dead-letters", "--discard", message, "--yes", endpoint=endpoint)
    assert ran.code == FAILED and "AccessDenied to sqs:DeleteMessage" in ran.err
    assert depth(client) == (2, 0)

    ran = waybill(own, "dead-letters", "--discard", message, "--yes", "--json")
    assert ran.code == WELL and ran.json["discarded"]["id"]["name"] == message
    # Who did it, what it was about and why; nothing of its content.
    for said in ("local operator", "shipment#S-1", "invalid_field", message):
        assert said in ran.err, ran.err
    assert "Elm Street" not in ran.err + ran.out
    assert depth(client) == (1, 0)
    gone = waybill(own, "dead-letters", "--discard", message, "--yes")
    assert gone.code == FAILED and "gone" in gone.err
    assert outage in waybill(own, "dead-letters").out


def denied(path: str, target: str) -> tuple[int, dict, str] | None:
    if target != "AmazonSQS.DeleteMessage":
        return None
    said = "User: x is not authorized to perform: sqs:DeleteMessage on resource: y"
    body = {"__type": "com.amazonaws.sqs#AccessDenied", "message": said}
    return 403, {"Content-Type": "application/x-amz-json-1.0"}, json_text(body)


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_a_price_is_told_to_machines(own, command):
    placed(own.client)
    ran = waybill(own, command, "--dry-run", "--json")
    assert ran.code == WELL and "read units" in ran.err
    assert ran.json["cost"].keys() == {"readUnits", "dollars"}
