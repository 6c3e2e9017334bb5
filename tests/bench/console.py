"""How long the console's pages take among many orders, side by side with `curl` of the same data from
the HTTP API, in one run:

    make bench-console [ORDERS=100000]

The rows of most orders are put beside those of some that are really placed, as what follows from an event
like theirs: a page is made of rows, lists of their indexes, and through the stream a hundred thousand come at
some ten a second where there is other work. Every order that a page shows by itself is a real one.

Both are asked in turns over connections of their own. A page asks for all of its data at once where it
can; `curl` here asks one after the other, and its times are added. Pages of the navigation that no line
of PAGES names are timed alone. It is a measurement and no test: nothing
fails by being slow.
"""

import argparse
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/outside"))

from client import Client
from expect import at_rest
from orders import update
from system import System

# Orders that are really placed, by a file; the first ones have a shipment each, with so many scans.
PLACED, SHIPMENTS, SCANS = 1_000, 600, 3
CUSTOMERS = 997
# Rows of one call, and calls at the same time.
ROWS_PER_CALL, WRITERS = 25, 4
LOAD_SECONDS = 3_600
CURL = ("curl", "--silent", "--show-error", "--fail", "--output", "/dev/null")

# What is called how, its page, and the API's answers that hold the same data.
CRITICAL = ("DELAYED", "EXCEPTION", "DAMAGED", "LOST")
PAGES = [
    ("Orders", "/orders", ["/orders?sort=newest&limit=50"]),
    (
        "Orders in a status",
        "/orders?status=PROCESSING",
        ["/orders?status=PROCESSING&sort=newest&limit=50"],
    ),
    (
        "Orders of a customer",
        "/orders?customerId={customer}",
        ["/orders?customerId={customer}&sort=newest&limit=50"],
    ),
    (
        "An order",
        "/orders/{order}",
        ["/orders/{order}", "/orders/{order}/history", "/shipments?orderId={order}"],
    ),
    (
        "Its history",
        "/orders/{order}/history",
        ["/orders/{order}/history", "/orders/{order}"],
    ),
    (
        "Shipments",
        "/shipments",
        [f"/shipments?status={status}&limit=10" for status in CRITICAL],
    ),
    (
        "Shipments in a status",
        "/shipments?status=IN_TRANSIT",
        ["/shipments?status=IN_TRANSIT&limit=50"],
    ),
    (
        "A shipment",
        "/shipments/{shipment}",
        ["/shipments/{shipment}", "/shipments/{shipment}/log?limit=100"],
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    settings = parser.parse_args()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load} before; `waybill local` as `make build` makes it")
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        system = System(Path(folder)).start()
        try:
            shipments = fill(system.client, settings.orders)
            compare(console_of(system), system.client.http, settings, shipments)
        finally:
            system.kill()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"load {load} after")


def fill(client: Client, orders: int) -> int:
    """So many orders, each of one event, and some shipments; how many of these."""
    started = time.monotonic()
    placed, shipments = min(orders, PLACED), min(orders, SHIPMENTS)
    lines = [
        f'{{"orderId":"BENCH-{number}","customerId":"customer-{number % CUSTOMERS}",'
        '"fulfilment":"merchant","items":[{"productId":"prod1","quantity":2,'
        '"price":29.99},{"productId":"prod2","quantity":1,"price":49.99}]}'
        for number in range(placed)
    ]
    client.put("orders/bench.jsonl", "\n".join(lines).encode())
    for scan in range(SCANS):
        for start in range(0, shipments, 10):
            send(client, range(start, min(start + 10, shipments)), scan)
    at_rest(client, LOAD_SECONDS)
    put_rows(client, range(placed, orders))
    took = time.monotonic() - started
    what = f"{orders} orders ({placed} placed), {shipments} shipments of {SCANS} scans"
    print(f"{what}, loaded in {took:.0f} s", flush=True)
    return shipments


def put_rows(client: Client, numbers: range) -> None:
    """Rows like the first order's, each a millisecond older than the one before."""
    table = "waybill-dev-processed-orders"
    found = client.dynamodb.get_item(TableName=table, Key={"orderId": {"S": "BENCH-0"}})
    first = found["Item"]
    newest = datetime.fromisoformat(first["createdAt"]["S"])

    def row(number: int) -> dict:
        at = (newest - timedelta(milliseconds=number)).isoformat(timespec="milliseconds")
        at = {"S": at.replace("+00:00", "Z")}
        own = {"orderId": {"S": f"BENCH-{number}"}, "placedAt": at, "createdAt": at, "updatedAt": at}
        own["customerId"] = {"S": f"customer-{number % CUSTOMERS}"}
        return copy.deepcopy(first) | own

    def put(some: range) -> None:
        rows = [{"PutRequest": {"Item": row(number)}} for number in some]
        answer = client.dynamodb.batch_write_item(RequestItems={table: rows})
        assert not answer["UnprocessedItems"], answer

    calls = [numbers[at : at + ROWS_PER_CALL] for at in range(0, len(numbers), ROWS_PER_CALL)]
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(put, calls))


def send(client: Client, numbers: range, scan: int) -> None:
    """One scan of each of these shipments; a tenth of them ends lost."""
    entries = []
    for number in numbers:
        lost = scan == SCANS - 1 and number % 10 == 0
        status = "LOST" if lost else "IN_TRANSIT"
        told = {"orderId": f"BENCH-{number}", "status": status, "location": f"Hub {scan}"}
        detail = update(f"SHIP-{number}", **told)
        source = {"Source": "logistics.shipments", "DetailType": "Shipment Update"}
        entries.append({**source, "Detail": json.dumps(detail)})
    answer = client.events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 0, answer


def console_of(system: System) -> str:
    found = re.search(r"Console +(http://\S+)", system.log.read_text())
    assert found, system.log.read_text()
    return found[1].rstrip("/")


def compare(console: str, api: str, settings, shipments: int) -> None:
    shown = {
        "order": f"BENCH-{shipments // 2}",
        "customer": "customer-1",
        "shipment": f"SHIP-{shipments // 2}",
    }
    print(f"\nMilliseconds, median and slowest of {settings.rounds}:")
    print(f"{'':<24}{'the page':>16}{'curl of its data':>20}{'requests':>10}")
    for name, page, answers in [*PAGES, *others(console)]:
        asked = [api + answer.format(**shown) for answer in answers]
        pages, datas = [], []
        for _ in range(settings.rounds + 1):
            pages.append(seconds([console + page.format(**shown)]))
            datas.append(seconds(asked))
        # The first of each warms up.
        alone = told(datas[1:]) if asked else ""
        print(f"{name:<24}{told(pages[1:]):>16}{alone:>20}{len(asked) or '':>10}", flush=True)


def others(console: str) -> list[tuple[str, str, list[str]]]:
    """Pages of the navigation beside those above."""
    html = subprocess.check_output(["curl", "--silent", "--fail", f"{console}/orders"], text=True)
    [navigation] = re.findall(r'<nav aria-label="Pages">.*?</nav>', html, re.S)
    links = re.findall(r'<a href="(/[^"?#]*)"[^>]*>([^<]+)</a>', navigation)
    known = {page for _, page, _ in PAGES}
    found = {page: name.strip() for page, name in links}
    return [(name, page, []) for page, name in found.items() if page not in known]


def seconds(urls: list[str]) -> float:
    """What `curl` measures for these, one after the other, its own start aside."""
    total = 0.0
    for url in urls:
        written = subprocess.check_output([*CURL, "--write-out", "%{time_total}", url], text=True)
        total += float(written)
    return total


def told(taken: list[float]) -> str:
    in_order = sorted(taken)
    return f"{in_order[len(in_order) // 2] * 1000:.0f}, {in_order[-1] * 1000:.0f}"


if __name__ == "__main__":
    main()
