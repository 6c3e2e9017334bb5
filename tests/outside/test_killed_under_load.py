"""kill -9, again and again, while clients go on: what was acknowledged stays."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from exact import plain, read_json
from expect import at_rest, id_of
from load import Load
from oracle import announcements_of, differences, fold_order, fold_shipment
from patience import until
from system import System

KILLS = int(os.environ.get("WAYBILL_KILLS", "50"))
SEED = int(os.environ.get("WAYBILL_SEED", "1"))


class Survivor:
    """What was sent under fire, and what is there once the fire has stopped."""

    def __init__(self, system: System, load: Load):
        self.load = load
        self.client = client = system.client
        self.messages = client.messages()
        keys = {commit["aggregate"]["S"] for commit in client.scan("events")}
        self.histories = {key: self._history(key) for key in sorted(keys)}

    def _history(self, aggregate: str) -> list[dict]:
        """From the commits: shipments have no history over HTTP."""
        events = []
        for commit in map(plain, self.client.commits(aggregate)):
            # Every writer starts where the last one ended.
            assert commit["sequence"] == len(events) + 1, aggregate
            for event in read_json(commit["events"]):
                sequence = len(events) + 1
                at = event["data"]["at"]
                events.append(event | {"sequence": sequence, "at": at})
        return events


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    rng = random.Random(SEED)
    system = System(tmp_path_factory.mktemp("killed")).start()
    load = Load(system, SEED)
    with ThreadPoolExecutor(load.CLIENTS) as clients:
        working = [clients.submit(load.work, number) for number in range(load.CLIENTS)]
        try:
            for _ in range(KILLS):
                enough = load.acknowledged() + rng.randint(5, 150)
                until(f"{enough} answers", lambda n=enough: load.acknowledged() >= n)
                system.kill()
                if rng.random() < 0.2:
                    # Also while it starts and takes up its work again.
                    system.spawn()
                    system.kill()
                system.start()
                for client in working:
                    if client.done():
                        client.result()
            until("answers after the last start", load.answers_again())
        finally:
            load.stop()
        for each in working:
            each.result()
    at_rest(system.client)
    yield Survivor(system, load)
    system.kill()


def test_every_acknowledged_order_is_there(survivor):
    for order_id, answer in survivor.load.placed.items():
        history = survivor.histories[f"order#{order_id}"]
        assert history[0]["type"] == "OrderPlaced"
        assert answer["version"] == 1
        over_http = survivor.client.history(order_id)
        assert [event["type"] for event in over_http] == [e["type"] for e in history]


def test_every_acknowledged_change_happened_once(survivor):
    for order_id, answer in survivor.load.closed.items():
        history = survivor.histories[f"order#{order_id}"]
        kinds = [event["type"] for event in history]
        end = {"PROCESSED": "OrderProcessed", "CANCELLED": "OrderCancelled"}
        assert kinds == ["OrderPlaced", end[answer["status"]]]


def test_every_acknowledged_update_is_logged_once_and_no_update_twice(survivor):
    logged = [
        event["data"]["location"]
        for key, history in survivor.histories.items()
        if key.startswith("shipment#")
        for event in history
    ]
    assert len(logged) == len(set(logged)), "an update was logged twice"
    missing = set(survivor.load.updated) - set(logged)
    assert not missing, f"acknowledged, yet not logged: {sorted(missing)[:5]}"
    unknown = set(logged) - set(survivor.load.attempted)
    assert not unknown, f"logged, yet never sent: {sorted(unknown)[:5]}"


def test_automatic_orders_were_all_completed(survivor):
    for key, history in survivor.histories.items():
        if history[0]["data"].get("fulfilment") == "automatic":
            kinds = [event["type"] for event in history]
            assert kinds == ["OrderPlaced", "OrderProcessed"], key


def test_order_rows_are_the_folds_of_their_histories(survivor):
    rows = {
        f"order#{row['orderId']}": row
        for row in map(plain, survivor.client.scan("processed-orders"))
    }
    orders = {k: h for k, h in survivor.histories.items() if k.startswith("order#")}
    assert set(rows) == set(orders)
    for key, history in orders.items():
        assert not differences(rows[key], fold_order(history)), key


def test_shipment_rows_are_the_folds_of_their_histories(survivor):
    rows: dict[str, dict[str, dict]] = {}
    for row in map(plain, survivor.client.scan("shipment-log")):
        rows.setdefault(f"shipment#{row['shipmentId']}", {})[row["entry"]] = row
    shipments = {k: h for k, h in survivor.histories.items() if k.startswith("ship")}
    assert set(rows) == set(shipments)
    for key, history in shipments.items():
        log, current = fold_shipment(history)
        assert set(rows[key]) == {row["entry"] for row in log} | {"CURRENT"}
        assert not differences(rows[key]["CURRENT"], current), key
        for row in log:
            assert not differences(rows[key][row["entry"]], row), key


def test_everything_was_announced_under_its_own_id_and_nothing_else(survivor):
    expected = set()
    for key, history in survivor.histories.items():
        expected |= announcements_of(key, history)
    told: dict[str, dict] = {}
    for message in survivor.messages:
        if message["via"] == "EventBridge":
            # At least once: a repeat is allowed, another story under its id is not.
            detail = told.setdefault(id_of(message), message["detail"])
            assert detail == message["detail"]
    assert set(told) == expected


def test_every_critical_update_reached_the_topic(survivor):
    expected = {
        message_id
        for key, history in survivor.histories.items()
        for message_id in announcements_of(key, history)
        if message_id.endswith("/Shipment Alert")
    }
    sent = {id_of(message) for message in survivor.messages if message["via"] == "SNS"}
    assert sent == expected


def test_nothing_was_parked_or_given_up(survivor):
    assert survivor.client.scan("parked") == []
    assert survivor.client.local("dead-letters")["deadLetters"] == []
