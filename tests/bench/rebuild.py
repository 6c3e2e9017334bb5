"""What a rebuild costs, side by side in one run:

1. a whole rebuild in which nothing differs, beside a bare parallel scan of the same tables with the
   same SDK: items a second, and the memory that the rebuild takes;
2. the latency of `POST /orders` at a steady rate, with and without a rebuild, in turns.

    make bench-rebuild [AGGREGATES=100000]

It is a measurement and no test: nothing fails by being slow.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/outside"))

from client import Client
from expect import at_rest
from orders import order, update
from rebuilding import Operator
from system import System, binary

BARE_SCAN = binary().with_name("bare-scan")
TABLES = [f"waybill-dev-{t}" for t in ("events", "processed-orders", "shipment-log")]
SEGMENTS = 8  # of `waybill rebuild`, unless somebody says otherwise
ORDERS_PER_FILE = 5_000
SHIPMENT_SHARE = 10  # one of so many aggregates is a shipment
LOAD_SECONDS = 3_600
SENDERS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--aggregates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=40, help="commands a second")
    parser.add_argument("--seconds", type=int, default=20, help="of each round")
    settings = parser.parse_args()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}; both programs as `cargo build` makes")
    print("them, the system on the same machine", flush=True)
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        system = System(Path(folder)).start()
        try:
            fill(system.client, settings.aggregates)
            operator = Operator(system, Path(folder))
            compare_with_a_scan(operator, system.client, settings)
            compare_latencies(operator, system.client, settings)
        finally:
            system.kill()


def fill(client: Client, aggregates: int) -> None:
    """So many orders and shipments, each of one event."""
    started = time.monotonic()
    shipments = aggregates // SHIPMENT_SHARE
    orders = aggregates - shipments
    for start in range(0, orders, ORDERS_PER_FILE):
        lines = [
            f'{{"orderId":"BENCH-{number}","customerId":"customer-{number % 997}",'
            '"fulfilment":"merchant","items":[{"productId":"prod1","quantity":2,'
            '"price":29.99},{"productId":"prod2","quantity":1,"price":49.99}]}'
            for number in range(start, min(start + ORDERS_PER_FILE, orders))
        ]
        client.put(f"orders/bench-{start}.jsonl", "\n".join(lines).encode())
    for start in range(0, shipments, 10):
        numbers = range(start, min(start + 10, shipments))
        entries = [
            {
                "Source": "logistics.shipments",
                "DetailType": "Shipment Update",
                "Detail": json.dumps(update(f"BENCH-{number}")),
            }
            for number in numbers
        ]
        answer = client.events.put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer
    at_rest(client, LOAD_SECONDS)
    took = time.monotonic() - started
    print(f"{orders} orders and {shipments} shipments, loaded in {took:.0f} s")


def compare_with_a_scan(operator: Operator, client: Client, settings) -> None:
    print("\nA whole rebuild in which nothing differs, and a bare scan of its tables:")
    print("round   bare scan     rebuild   ratio   memory of the rebuild")
    ratios = []
    for number in range(1, settings.rounds + 1):
        command = [str(BARE_SCAN), client.aws, str(SEGMENTS), *TABLES]
        scan = json.loads(subprocess.check_output(command))
        bare = scan["items"] * 1000 / scan["milliseconds"]
        took, kilobytes = rebuild(operator)
        rate = scan["items"] / took
        ratios.append(bare / rate)
        print(
            f"{number:>5}  {bare:>8.0f}/s  {rate:>8.0f}/s  {bare / rate:>5.2f}x"
            f"   {kilobytes / 1024:.0f} MB",
            flush=True,
        )
    print(f"median: the scan is {statistics.median(ratios):.2f} times as fast")


def rebuild(operator: Operator) -> tuple[float, int]:
    """The seconds that it took, and the most memory that it had, in KB."""
    started = time.monotonic()
    process = subprocess.Popen(
        operator.command("rebuild", "--json", "--segments", str(SEGMENTS)),
        **operator.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    took = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    counted = json.loads(said)["counted"]
    assert (counted["written"], counted["removed"]) == (0, 0), counted
    return took, used.ru_maxrss


def compare_latencies(operator: Operator, client: Client, settings) -> None:
    rate, seconds = settings.rate, settings.seconds
    print(f"\nPOST /orders, {rate} a second, {seconds} s a round; milliseconds:")
    print("round            alone         while it rebuilds   rebuilds")
    sides: dict[str, list[float]] = {"alone": [], "rebuilding": []}
    for number in range(1, settings.rounds + 1):
        alone = latencies(client, f"{number}-a", rate, seconds)
        with Rebuilds(operator) as rebuilds:
            beside = latencies(client, f"{number}-b", rate, seconds)
        sides["alone"] += alone
        sides["rebuilding"] += beside
        done = f"{rebuilds.done} and a part"
        print(f"{number:>5}  {told(alone)}  {told(beside)}   {done}", flush=True)
    print(f"  all  {told(sides['alone'])}  {told(sides['rebuilding'])}")


def told(latencies: list[float]) -> str:
    in_order = sorted(latencies)
    p50, p99 = (in_order[len(in_order) * share // 100] * 1000 for share in (50, 99))
    return f"p50 {p50:>6.1f}  p99 {p99:>6.1f}"


def latencies(client: Client, mark: str, rate: int, seconds: int) -> list[float]:
    """From when a command was due to its answer: one that has to wait for another counts so."""
    begin = time.monotonic() + 0.1

    def send(number: int) -> float:
        due = begin + number / rate
        time.sleep(max(due - time.monotonic(), 0))
        body = order(orderId=f"LATE-{mark}-{number}", fulfilment="merchant")
        client.place(body, key=f"{mark}-{number}").ok()
        return time.monotonic() - due

    with ThreadPoolExecutor(SENDERS) as senders:
        return list(senders.map(send, range(rate * seconds)))


class Rebuilds:
    """One rebuild after the other, as long as it is entered."""

    def __init__(self, operator: Operator):
        self.done = 0
        self._operator = operator
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            process = subprocess.Popen(
                self._operator.command("rebuild", "--anew"),
                **self._operator.surroundings(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while process.poll() is None and not self._stop.wait(0.05):
                pass
            if process.poll() is None:
                process.kill()
                process.wait()
            else:
                assert process.returncode == 0
                self.done += 1


if __name__ == "__main__":
    main()
