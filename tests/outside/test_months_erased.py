"""Months of real orders with invented persons: half of the customers are erased while the orders of
the other half come in and a rebuild runs, and the system is killed again and again in between."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from urllib.parse import quote

import pytest

from exact import json_text, plain
from expect import at_rest
from months import MONTHS, files_of, orders_of
from oracle import faults_of
from patience import answered
from rebuilding import WELL, Operator
from reports import IMPORT_SECONDS, report_of, upload
from system import System

SEED = int(os.environ.get("WAYBILL_SEED", "1"))
KILLS = 20
CUSTOMERS = 300  # of the real months; of the generated ones there are fewer
ERASED = "[erased]"
CLIENTS = 4
REBUILDS_MAX = 100


def person(customer: str) -> dict:
    return {
        "customerName": f"Quetzalin {customer}x",
        "personal": {"mail": f"q.{customer}x@quetzal.example", "since": Decimal("1999.5")},
    }


def with_persons(order: dict) -> dict:
    return order | person(order["customerId"])


class Erased:
    def __init__(self, months: str, folder):
        self.system = System(folder).start()
        self.client = self.system.client
        self.operator = Operator(self.system, folder)
        rng = random.Random(SEED)
        orders = [
            with_persons(order)
            for body in files_of(months).values()
            for order in orders_of(body)
            if order.get("customerId") and "customerName" not in order
        ]
        orders = [order for order in orders if not faults_of(order)]
        # Of two orders with one id, the second may be refused.
        orders = list({order["orderId"]: order for order in orders}.values())
        customers = sorted({str(order["customerId"]) for order in orders})
        rng.shuffle(customers)
        customers = customers[:CUSTOMERS]
        self.gone = set(customers[::2])
        self.stay = set(customers[1::2])
        self.orders = [
            order for order in orders if str(order["customerId"]) in {*customers}
        ]
        later = [order for order in self.orders if self.stays(order)][::2]
        ids = {order["orderId"] for order in later}
        first = [order for order in self.orders if order["orderId"] not in ids]
        self.take("first.jsonl", first)
        at_rest(self.client, IMPORT_SECONDS)
        self.before = self.rows()
        self.kills = 0
        self.run(later)
        self.after = self.rows()

    def stays(self, order: dict) -> bool:
        return str(order["customerId"]) in self.stay

    def take(self, name: str, orders: list[dict]) -> None:
        body = "\n".join(json_text(order) for order in orders).encode()
        report = report_of(self.client, *upload(self.client, name, body))
        assert report["rejected"] == 0, report["rejections"][:3]
        assert report["accepted"] + report["alreadyKnown"] == len(orders)

    def rows(self) -> dict[str, dict]:
        rows = map(plain, self.client.scan("processed-orders"))
        return {row["orderId"]: row for row in rows}

    def run(self, later: list[dict]) -> None:
        rng = random.Random(SEED)
        done = threading.Event()
        body = "\n".join(json_text(order) for order in later).encode()
        at = upload(self.client, "later.jsonl", body)
        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            gone = sorted(self.gone)
            erasing = [
                pool.submit(self.erase, gone[number::CLIENTS])
                for number in range(CLIENTS)
            ]
            rebuilding = pool.submit(self.rebuild, done)
            try:
                while self.kills < KILLS:
                    time.sleep(rng.uniform(0.1, 1.2))
                    self.system.kill()
                    self.kills += 1
                    self.system.start()
                for each in erasing:
                    each.result()
            finally:
                done.set()
            rebuilding.result()
        report = report_of(self.client, *at)
        assert report["accepted"] + report["alreadyKnown"] == len(later), report
        at_rest(self.client, IMPORT_SECONDS)

    def erase(self, customers: list[str]) -> None:
        for customer in customers:
            path = f"/customers/{quote(customer, safe='')}/personal-data"
            headers = {"Idempotency-Key": f"erase-{customer}"}
            answer = answered(
                lambda path=path, headers=headers: self.client.request(
                    "DELETE", path, headers=headers
                ),
                seconds=120,
            )
            assert answer.ok()["customerId"] == customer

    def rebuild(self, done: threading.Event) -> None:
        """Rebuilds all the time; the system is killed under it, so it may fail."""
        for _ in range(REBUILDS_MAX):
            if done.is_set():
                return
            self.operator.rebuild("--state", "state", "--segments", "4")


@pytest.fixture(scope="module", params=MONTHS)
def erased(request, tmp_path_factory):
    erased = Erased(request.param, tmp_path_factory.mktemp("erased"))
    yield erased
    erased.system.kill()


def test_there_are_enough_of_both(erased):
    assert erased.kills == KILLS
    assert len(erased.gone) >= 20 and len(erased.stay) >= 20
    assert set(erased.after) == {order["orderId"] for order in erased.orders}
    assert len(erased.before) < len(erased.after)


def test_rows_say_what_they_said_but_for_erased_persons(erased):
    for order in erased.orders:
        row = erased.after[order["orderId"]]
        open_data = person(str(order["customerId"]))
        gone = {"customerName": ERASED, "personal": ERASED}
        expected = open_data if erased.stays(order) else gone
        assert {name: row[name] for name in expected} == expected, order["orderId"]
        before = erased.before.get(order["orderId"])
        if before is not None:
            assert before | expected == row


def test_the_rows_are_what_follows_from_the_events(erased):
    verified = erased.operator.verify()
    assert verified.code == WELL, verified.out


def test_no_table_holds_an_erased_person_and_no_event_any(erased):
    names = [person(customer)["customerName"] for customer in erased.gone]
    mails = [person(customer)["personal"]["mail"] for customer in erased.gone]
    assert names and mails
    rows = json_text(list(erased.after.values()))
    tables = json_text([erased.client.scan(name) for name in ("events", "parked")])
    assert "Quetzalin" in rows and "[erased]" in rows
    assert not [text for text in names + mails if text in rows]
    assert "Quetzalin" not in tables and "quetzal.example" not in tables


def test_histories_are_open_or_erased_as_the_rows_are(erased):
    rng = random.Random(SEED)
    for order in rng.sample(erased.orders, 40):
        placed = erased.client.history(order["orderId"])[0]["data"]
        row = erased.after[order["orderId"]]
        assert placed["customerName"] == row["customerName"]
        assert "sealed" not in placed


def test_each_erasure_is_noted(erased):
    noted = {
        commit["aggregate"]["S"]
        for commit in erased.client.scan("events")
        if commit["aggregate"]["S"].startswith("erasure#")
    }
    assert noted == {f"erasure#customer#{customer}" for customer in erased.gone}
