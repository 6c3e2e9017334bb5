"""One day of a shop, posted as impatient clients post it, the process killed midway."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import Answer
from dirty_day import dirty_day
from exact import plain, read_json
from expect import at_rest, id_of, problem
from oracle import (
    announcements_of,
    check_sequences,
    differences,
    faults_of,
    fold_order,
    total_of,
)
from patience import answered, until
from system import System

CONNECTIONS = 16
SEED = int(os.environ.get("WAYBILL_SEED", "1"))

# The real day is not ours to keep; who has it names its folder.
REAL = os.environ.get("ONLINE_RETAIL")
DAYS = ["generated", *(["real"] if REAL else [])]


def orders_of(day: str) -> list[dict]:
    if day == "real":
        return read_json((Path(REAL) / "orders-2010-12-01.json").read_bytes())
    return dirty_day(SEED)


class Day:
    """A day that was posted: what came back, and the system that took it."""

    def __init__(self, orders: list[dict], system: System):
        self.orders = orders
        self.system = system
        self.answers: list[list[Answer]] = [[] for _ in orders]
        self._half = threading.Event()

    def post(self) -> None:
        rng = random.Random(SEED)
        sendings = []
        for place in range(len(self.orders)):
            twice = rng.random() < 0.5
            together = rng.random() < 0.5
            # Two neighbours in the queue are sent at about the same time, by two
            # connections; the others' repeat follows its answer.
            sendings += [(place, 1)] * 2 if twice and together else []
            sendings += [] if twice and together else [(place, 1 + twice)]
        with ThreadPoolExecutor(CONNECTIONS) as connections:
            done = [connections.submit(self._send, *each) for each in sendings]
            failed = lambda: any(each.done() and each.exception() for each in done)
            until("half of the answers", lambda: self._half.is_set() or failed())
            self.system.kill()
            self.system.start()
            for each in done:
                each.result()

    def _send(self, place: int, times: int) -> None:
        order = self.orders[place]
        key = f"day/{order['orderId']}"
        for _ in range(times):
            answer = answered(lambda: self.system.client.place(order, key))
            self.answers[place].append(answer)
            if 2 * sum(map(bool, self.answers)) >= len(self.orders):
                self._half.set()

    def row(self, order: dict) -> dict:
        """At rest, so there is nothing to wait for."""
        return self.system.client.get(f"/orders/{order['orderId']}").ok()

    def accepted(self) -> list[dict]:
        return [order for order in self.orders if not faults_of(order)]

    def refused(self) -> list[dict]:
        return [order for order in self.orders if faults_of(order)]


@pytest.fixture(scope="module", params=DAYS)
def day(request, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("day")).start()
    day = Day(orders_of(request.param), system)
    day.post()
    at_rest(system.client)
    yield day
    system.kill()


def test_every_order_is_accepted_once_or_refused_with_its_reason(day):
    for order, answers in zip(day.orders, day.answers, strict=True):
        first = answers[0]
        assert all(each.text == first.text for each in answers), answers
        faults = faults_of(order)
        if faults:
            refusal = problem(first, 400)
            assert any(fault in refusal["field"] for fault in faults), refusal
        else:
            answer = first.ok()
            assert answer["orderId"] == order["orderId"]
            automatic = order.get("fulfilment") == "automatic"
            assert answer["status"] == ("NEW" if automatic else "PROCESSING")
            assert answer["version"] == 1


def test_every_total_is_the_one_of_pythons_decimal(day):
    for order in day.accepted():
        row = day.row(order)
        assert row["totalAmount"] == total_of(order["items"]), order["orderId"]


def test_items_come_back_as_they_were_sent(day):
    for order in day.accepted():
        row = day.row(order)
        sent = [without_empty(item) for item in order["items"]]
        assert [without_empty(item) for item in row["items"]] == sent
        assert row["attributes"]["country"] == order["country"]
        assert row.get("customerId") == order.get("customerId")


def without_empty(item: dict) -> dict:
    """The real data writes a missing name as an empty text."""
    return {name: value for name, value in item.items() if value != ""}


def test_every_row_is_the_fold_of_its_history(day):
    client = day.system.client
    rows = {row["orderId"]: row for row in map(plain, client.scan("processed-orders"))}
    assert set(rows) == {order["orderId"] for order in day.accepted()}
    for order_id, row in rows.items():
        expected = fold_order(client.history(order_id))
        assert not differences(row, expected), order_id
        assert not differences(day.row(row), expected), order_id


def test_automatic_orders_were_completed_once_all_others_wait(day):
    for order in day.accepted():
        history = day.system.client.history(order["orderId"])
        automatic = order.get("fulfilment") == "automatic"
        check_sequences(history)
        assert len(history) == 1 + automatic
        if automatic:
            assert history[1]["commandId"] == f"fulfil/{order['orderId']}"


def test_a_refused_order_leaves_nothing_behind(day):
    client = day.system.client
    for order in day.refused():
        problem(client.get(f"/orders/{order['orderId']}"), 404)
        problem(client.get(f"/orders/{order['orderId']}/history"), 404)
        assert client.commits(f"order#{order['orderId']}") == []


def test_every_accepted_order_was_announced_and_no_other(day):
    client = day.system.client
    expected = set()
    for order in day.accepted():
        history = client.history(order["orderId"])
        expected |= announcements_of(f"order#{order['orderId']}", history)
    assert {id_of(each) for each in client.messages()} == expected


def test_what_a_message_says_is_what_its_order_was(day):
    client = day.system.client
    created = {
        each["detail"]["orderId"]: each["detail"]
        for each in client.messages()
        if each["detailType"] == "Order Created"
    }
    for order in day.accepted():
        detail = created[order["orderId"]]
        assert detail["totalAmount"] == total_of(order["items"])
        assert detail["currency"] == order["currency"]
        assert detail.get("customerId") == order.get("customerId")
        assert detail["version"] == 1 and "items" not in detail
