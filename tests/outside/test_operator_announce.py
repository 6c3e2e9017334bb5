"""`waybill announce`: messages once more, with the same ids, and only those."""

import signal
from collections import Counter

import pytest

from client import Client, new_id
from exact import read_json
from expect import at_rest, id_of
from operator_cli import (
    FAILED,
    UNKNOWN_EVENT,
    WELL,
    WRONG,
    poisoned,
    put,
    start,
    waybill,
)
from orders import placed, update
from patience import until
from system import System

ORDERS = 40
SEGMENTS = 8


@pytest.fixture
def own(tmp_path):
    running = System(tmp_path).start()
    yield running
    running.kill()


def told(client: Client) -> Counter:
    """How often each message was emitted, by way and id."""
    return Counter((message["via"], id_of(message)) for message in client.messages())


def test_one_shipment_is_announced_again_with_the_same_ids(own):
    client, shipment_id = own.client, new_id("SHIP")
    for status in ("CREATED", "LOST", "IN_TRANSIT"):
        detail = update(shipment_id, status=status)
        client.update(shipment_id, detail, new_id("key")).ok()
    client.shipment(shipment_id, version=3)
    placed(client)
    at_rest(client)
    before = told(client)
    own_ids = [each for each in before if shipment_id in each[1]]
    # Three changes, and the alert on both ways.
    assert len(own_ids) == 5
    dry = waybill(own, "announce", f"shipment/{shipment_id}", "--dry-run")
    assert (dry.code, dry.out) == (WELL, "")
    assert told(client) == before
    ran = waybill(own, "announce", f"shipment/{shipment_id}", "--json")
    assert ran.code == WELL, ran
    assert (ran.json["fromSequence"], ran.json["toSequence"]) == (1, 3)
    assert told(client) - before == Counter(own_ids)
    before = told(client)
    waybill(own, "announce", f"shipment#{shipment_id}", "--from-sequence", "3")
    last = [each for each in own_ids if f"#{shipment_id}/3/" in each[1]]
    assert told(client) - before == Counter(last) and len(last) == 1
    ran = waybill(own, "announce", f"shipment#{shipment_id}", "--from-sequence", "4")
    assert ran.code == FAILED and "has no events from 4 on" in ran.err


def test_what_cannot_be_announced_is_said(own):
    order_id, _ = poisoned(own.client)
    ran = waybill(own, "announce", f"order#{order_id}", "--json")
    assert ran.code == WRONG
    assert "OrderExploded" in ran.json["refused"]
    ran = waybill(own, "announce", "order#NOBODY")
    assert (ran.code, ran.out) == (FAILED, "")


def test_the_commits_of_a_time_are_announced_and_no_others(own):
    client = own.client
    orders = [placed(client) for _ in range(ORDERS)]
    at_rest(client)
    times = [client.history(each)[0]["at"] for each in orders]
    first, behind = times[10], times[30]
    of_the_time = [
        each
        for each, at in zip(orders, times, strict=True)
        if first <= at < behind
    ]
    bad = client.commits(f"order#{of_the_time[0]}")[0]
    order_id = f"order#{new_id('POISON')}"
    events = {"S": UNKNOWN_EVENT}
    put(client, bad | {"aggregate": {"S": order_id}, "events": events})
    at_rest(client)
    before = told(client)
    span = ["announce", "--from", first, "--to", behind]
    dry = waybill(own, *span, "--dry-run")
    assert dry.code == WELL and "read units" in dry.err
    assert not (own.data.parent / ".waybill").exists()
    assert told(client) == before
    ran = waybill(own, *span, "--json")
    assert ran.code == WRONG, ran
    assert "read units" in ran.err
    # The one that cannot be announced is read and counted.
    assert ran.json["read"] == ORDERS + 1
    assert (ran.json["messages"], ran.json["refused"]) == (len(of_the_time), 1)
    again = [("EventBridge", f"order#{each}/1/Order Created") for each in of_the_time]
    assert told(client) - before == Counter(again)
    text = waybill(own, *span)
    assert f"by {len(of_the_time)} messages; 1 cannot be read" in text.out


def test_it_may_be_killed_and_goes_on(own):
    client, folder = own.client, own.data.parent
    orders = [placed(client) for _ in range(ORDERS)]
    at_rest(client)
    before = told(client)
    span = ["announce", "--from", "2020-01-01", "--to", "2100-01-01"]
    state = folder / ".waybill/announce-dev/run.json"

    def segments_done() -> int:
        run = read_json(state.read_text()) if state.exists() else {"segments": []}
        return sum(each["done"] for each in run["segments"])

    # So slow that it is killed amidst.
    process = start(own, *span, "--read-units", "1")
    until("a segment is done", segments_done)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = segments_done()
    assert 0 < done < SEGMENTS
    (unfinished,) = waybill(own, "status", "--json").json["unfinished"]
    assert unfinished["command"] == "announce"
    ran = waybill(own, *span, "--json")
    assert ran.code == WELL, ran
    assert f"going on with what was begun at {unfinished['begun']}" in ran.err
    assert (ran.json["read"], ran.json["commits"]) == (ORDERS, ORDERS)
    assert not state.exists()
    more = told(client) - before
    assert set(more) == {("EventBridge", f"order#{o}/1/Order Created") for o in orders}
    # What was done before is not done again.
    assert sum(more.values()) < 2 * ORDERS
    assert waybill(own, "status", "--json").json["unfinished"] == []


def test_another_time_begins_anew(own):
    placed(own.client)
    folder = own.data.parent / ".waybill/announce-dev"
    span = ["announce", "--from", "2020-01-01", "--to"]
    process = start(own, *span, "2100-01-01", "--read-units", "1")
    until("it has begun", lambda: (folder / "run.json").exists())
    process.kill()
    process.wait()
    ran = waybill(own, *span, "2020-01-02", "--json")
    assert "going on" not in ran.err
    assert (ran.code, ran.json["commits"]) == (WELL, 0)
