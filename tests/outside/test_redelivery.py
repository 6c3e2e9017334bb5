"""The stream may say everything twice, late and out of order: nothing changes."""

import random

import pytest

from client import new_id
from expect import at_rest, id_of
from orders import completed_by_itself, order, placed, update
from stream import batch

STATUSES = ["CREATED", "DELAYED", "IN_TRANSIT", "LOST", "IN_TRANSIT"]
HOURS = [10, 14, 12, 16, 11]  # some of them late
READERS = ["project", "notify"]


@pytest.fixture(scope="module")
def commits(system) -> list[dict]:
    """Some of everything, all of it projected and announced."""
    client = system.client
    processed = placed(client)
    client.complete(processed, new_id("key")).ok()
    cancelled = placed(client)
    client.cancel(cancelled, "late", new_id("key")).ok()
    automatic = placed(client, fulfilment="automatic")
    completed_by_itself(client, automatic)
    waiting = placed(client)
    shipment = new_id("SHIP")
    # Enough updates that a snapshot rides in one of them.
    for n in range(30):
        body = update(
            shipment,
            status=STATUSES[n % 5],
            timestamp=f"2024-01-{1 + n // 5:02}T{HOURS[n % 5]}:00:00Z",
        )
        client.update(shipment, body, new_id("key")).ok()
    at_rest(client)
    aggregates = [
        f"order#{each}" for each in (processed, cancelled, automatic, waiting)
    ]
    aggregates.append(f"shipment#{shipment}")
    return [commit for each in aggregates for commit in client.commits(each)]


def rows(client) -> dict[str, list]:
    """Every row as DynamoDB itself writes it: equal means equal byte for byte."""
    return {
        table: sorted(map(repr, map(sorted_item, client.scan(table))))
        for table in ("processed-orders", "shipment-log")
    }


def sorted_item(value):
    if isinstance(value, dict):
        return {name: sorted_item(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [sorted_item(inner) for inner in value]
    return value


def told(client) -> dict[tuple, object]:
    """What was said under which id: an id that says two things fails here."""
    said: dict[tuple, object] = {}
    for message in client.messages():
        what = message.get("detail") or (message["subject"], message["message"])
        assert said.setdefault((message["via"], id_of(message)), what) == what
    return said


def deliver(client, role: str, records: list[dict]) -> None:
    answer = client.invoke(role, batch(records))
    assert not (answer or {}).get("batchItemFailures"), answer


@pytest.mark.parametrize("role", READERS)
def test_delivered_again_in_order(client, commits, role):
    before = rows(client), told(client)
    deliver(client, role, commits)
    at_rest(client)
    assert (rows(client), told(client)) == before


@pytest.mark.parametrize("role", READERS)
def test_delivered_again_backwards(client, commits, role):
    before = rows(client), told(client)
    deliver(client, role, commits[::-1])
    at_rest(client)
    assert (rows(client), told(client)) == before


@pytest.mark.parametrize("role", READERS)
def test_delivered_again_one_by_one_shuffled_and_twice(client, commits, role):
    before = rows(client), told(client)
    shuffled = commits * 2
    random.Random(1).shuffle(shuffled)
    for commit in shuffled:
        deliver(client, role, [commit])
    at_rest(client)
    assert (rows(client), told(client)) == before


def test_an_announcement_that_comes_round_again_completes_nothing_twice(client):
    order_id = placed(client, fulfilment="automatic")
    completed_by_itself(client, order_id)
    deliver(client, "notify", client.commits(f"order#{order_id}"))
    at_rest(client)
    assert len(client.history(order_id)) == 2


def keys_of(table: str, item: dict) -> dict:
    names = ["orderId"] if table == "processed-orders" else ["shipmentId", "entry"]
    return {name: item[name] for name in names}


@pytest.mark.parametrize("order_of", ["forwards", "backwards"])
def test_lost_rows_come_back_as_they_were(client, commits, order_of):
    """A row is a function of its history, so any record brings all of it back."""
    before = rows(client)
    for table in before:
        for item in client.scan(table):
            client.dynamodb.delete_item(
                TableName=f"waybill-dev-{table}", Key=keys_of(table, item)
            )
    again = client.scan("events")
    again.sort(key=lambda item: (item["aggregate"]["S"], int(item["sequence"]["N"])))
    deliver(client, "project", again if order_of == "forwards" else again[::-1])
    assert rows(client) == before


def test_the_last_record_alone_brings_a_whole_row(client):
    order_id = placed(client)
    client.complete(order_id, new_id("key")).ok()
    client.order(order_id, version=2)
    at_rest(client)
    before = client.item("processed-orders", orderId=order_id)
    client.dynamodb.delete_item(
        TableName="waybill-dev-processed-orders", Key={"orderId": {"S": order_id}}
    )
    deliver(client, "project", client.commits(f"order#{order_id}")[1:])
    assert client.item("processed-orders", orderId=order_id) == before


def test_an_old_record_does_not_turn_a_row_back(client):
    order_id = placed(client)
    client.cancel(order_id, "late", new_id("key")).ok()
    client.order(order_id, version=2)
    deliver(client, "project", client.commits(f"order#{order_id}")[:1])
    assert client.order(order_id)["status"] == "CANCELLED"


def test_a_wrong_row_does_not_survive_the_next_event(client):
    """No row is made from its own earlier content."""
    order_id = placed(client)
    client.order(order_id)
    client.dynamodb.update_item(
        TableName="waybill-dev-processed-orders",
        Key={"orderId": {"S": order_id}},
        UpdateExpression="SET customerId = :wrong, stray = :wrong",
        ExpressionAttributeValues={":wrong": {"S": "wrong"}},
    )
    client.complete(order_id, new_id("key")).ok()
    row = client.order(order_id, version=2)
    assert row["customerId"] == order()["customerId"]
    assert "stray" not in row


def test_changes_and_removals_in_the_stream_make_no_rows_and_no_messages(client):
    """Events are immutable: such records alarm, they are not projected."""
    order_id = placed(client)
    client.order(order_id)
    at_rest(client)
    before = rows(client), told(client)
    (commit,) = client.commits(f"order#{order_id}")
    for kind in ("MODIFY", "REMOVE"):
        payload = batch([commit])
        (record,) = payload["Records"]
        record["eventName"] = kind
        record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"]
        if kind == "REMOVE":
            del record["dynamodb"]["NewImage"]
        for role in READERS:
            answer = client.invoke(role, payload)
            assert not (answer or {}).get("batchItemFailures"), answer
    at_rest(client)
    assert (rows(client), told(client)) == before
