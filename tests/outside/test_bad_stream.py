"""Commits that cannot be read: their aggregates stop, aloud; all others go on."""

import copy

import pytest

from client import new_id
from expect import at_rest, id_of, problem
from oracle import time_of
from orders import placed, update
from patience import until
from stream import batch

READERS = ["project", "notify"]
UNKNOWN_EVENT = '[{"type":"OrderExploded","version":1,"data":{"orderId":"x"}}]'
NEWER_EVENT = '[{"type":"OrderPlaced","version":99,"data":{"orderId":"x"}}]'
POISON = {
    "an unknown event": ("events", {"S": UNKNOWN_EVENT}),
    "an event of a newer version": ("events", {"S": NEWER_EVENT}),
    "no JSON": ("events", {"S": '[{"type":'}),
    "no array": ("events", {"S": "{}"}),
    "no events": ("events", {"S": "[]"}),
    "events of another kind": ("events", {"N": "5"}),
    "no events at all": ("events", None),
    "no time": ("at", {"S": "yesterday"}),
}


def poisoned(client, name: str) -> tuple[str, dict]:
    """An order whose only commit cannot be read, as newer code might leave one."""
    order_id = new_id("POISON")
    (commit,) = client.commits(f"order#{placed(client)}")
    bad = copy.deepcopy(commit)
    bad["aggregate"] = {"S": f"order#{order_id}"}
    attribute, value = POISON[name]
    bad.pop(attribute)
    if value is not None:
        bad[attribute] = value
    # Newer code has another shape of the state, too.
    bad["snapshot"]["M"]["shape"] = {"S": "of newer code"}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=bad)
    return order_id, bad


def parked(client, reader: str, aggregate: str) -> dict:
    return until(
        f"{aggregate} parked for {reader}",
        lambda: client.item("parked", id=f"{reader}#{aggregate}"),
    )


@pytest.mark.parametrize("name", POISON)
def test_a_commit_that_cannot_be_read_parks_its_order_for_both_readers(client, name):
    order_id, _ = poisoned(client, name)
    for reader in READERS:
        mark = parked(client, reader, f"order#{order_id}")
        time_of(mark["since"]["S"])
        assert mark["sequence"] == {"N": "1"}
        assert mark["code"]["S"]
    assert client.item("processed-orders", orderId=order_id) is None
    # The others go on: what comes behind it in the stream is projected and told.
    other = placed(client)
    assert client.order(other)["version"] == 1
    client.complete(other, new_id("key")).ok()
    client.order(other, version=2)
    at_rest(client)
    ids = {id_of(message) for message in client.messages()}
    assert f"order#{other}/2/Order Processed" in ids
    assert not any(order_id in each for each in ids)


def test_a_shipment_is_parked_like_an_order(client):
    shipment_id = new_id("SHIP")
    client.update(shipment_id, update(shipment_id), new_id("key")).ok()
    client.shipment(shipment_id)
    (commit,) = client.commits(f"shipment#{shipment_id}")
    bad = commit | {"sequence": {"N": "2"}, "events": {"S": UNKNOWN_EVENT}}
    bad["ordinal"] = {"N": "2"}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=bad)
    for reader in READERS:
        mark = parked(client, reader, f"shipment#{shipment_id}")
        assert mark["sequence"] == {"N": "2"}
    # What was known before stays known.
    assert client.shipment(shipment_id)["version"] == 1
    assert len(client.log(shipment_id)) == 1


def test_one_bad_commit_among_good_ones_of_a_batch_stops_only_its_own(client):
    orders = [placed(client) for _ in range(5)]
    order_id, bad = poisoned(client, "an unknown event")
    at_rest(client)
    for each in orders:
        client.dynamodb.delete_item(
            TableName="waybill-dev-processed-orders", Key={"orderId": {"S": each}}
        )
    commits = [client.commits(f"order#{each}")[0] for each in orders]
    answer = client.invoke("project", batch(commits[:2] + [bad] + commits[2:]))
    assert not (answer or {}).get("batchItemFailures"), answer
    for each in orders:
        assert client.item("processed-orders", orderId=each)
    assert client.item("processed-orders", orderId=order_id) is None


def test_the_reader_moves_past_a_parked_order_and_keeps_nothing_in_flight(client):
    order_id, _ = poisoned(client, "an unknown event")
    parked(client, "notify", f"order#{order_id}")
    status = at_rest(client)
    assert all(each["behind"] == 0 for each in status["consumers"].values())


@pytest.mark.parametrize("name", ["no JSON", "no events", "no time"])
def test_a_parked_order_answers_without_internals_and_takes_no_command(client, name):
    order_id, _ = poisoned(client, name)
    parked(client, "project", f"order#{order_id}")
    for answer in (
        client.get(f"/orders/{order_id}"),
        client.get(f"/orders/{order_id}/history"),
        client.complete(order_id, new_id("key")),
        client.cancel(order_id, key=new_id("key")),
    ):
        assert answer.status in (404, 500), answer.text
        problem(answer, answer.status)
        for word in ("column", "unreadable", "missing field", "yesterday"):
            assert word not in answer.text
    assert len(client.commits(f"order#{order_id}")) == 1


@pytest.mark.parametrize("name", ["an unknown event", "an event of a newer version"])
def test_an_order_with_an_event_of_newer_code_takes_no_command(client, name):
    order_id, _ = poisoned(client, name)
    # A build that can read it may come: nothing is said for good.
    for act in (client.complete, client.cancel):
        problem(act(order_id, key=new_id("key")), 503)
    assert len(client.commits(f"order#{order_id}")) == 1


@pytest.mark.parametrize("events", [UNKNOWN_EVENT, NEWER_EVENT, '[{"type":', "[]"])
def test_a_history_with_an_unreadable_end_is_never_a_short_one(client, events):
    order_id = placed(client)
    client.order(order_id)
    (commit,) = client.commits(f"order#{order_id}")
    bad = commit | {"sequence": {"N": "2"}, "events": {"S": events}}
    bad["ordinal"] = {"N": "2"}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=bad)
    answer = client.get(f"/orders/{order_id}/history")
    if answer.status == 200:
        # An event that only newer code understands may be shown as it is.
        assert len(answer.json["events"]) == 2
    else:
        problem(answer, 500)
    newer = events in (UNKNOWN_EVENT, NEWER_EVENT)
    problem(client.complete(order_id, new_id("key")), 503 if newer else 500)
    assert len(client.commits(f"order#{order_id}")) == 2


@pytest.mark.parametrize("aggregate", ["nonsense", "parcel#1", "order#a/b", "order#"])
def test_a_commit_of_nothing_known_does_not_stop_the_stream(client, aggregate):
    (commit,) = client.commits(f"order#{placed(client)}")
    bad = commit | {"aggregate": {"S": aggregate}}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=bad)
    for reader in READERS:
        parked(client, reader, aggregate)
    other = placed(client)
    assert client.order(other)["version"] == 1
