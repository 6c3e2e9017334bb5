"""Whether the local system pays at run time for being quick to compile, in one run side by side:

    make bench-build-profile [ROUNDS=5]

`Cargo.toml` leaves some crates without optimisation, since a first build waits for them. The rival is the
same source with these crates optimised like all other dependencies (`opt-level = 1`), built beside in
`target/bench/plain`. The two take turns, each round in a new data folder. Wall time is what a client waits;
processor time is that of the system's process alone. It is a measurement and no test: nothing fails by
being slow.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/outside"))

from client import Client
from expect import at_rest
from orders import order, update
from system import System

BUILT = REPOSITORY / "target/debug/waybill"
RIVAL_TARGET = REPOSITORY / "target/bench/plain"
RIVAL = RIVAL_TARGET / "debug/waybill"

# Clients at the same time, and what a round sends.
CLIENTS = 4
ORDERS, UPDATES, READS, LISTS, FILE_ORDERS = 1_000, 1_000, 1_000, 200, 2_000
SHIPMENTS = 100
REST_SECONDS = 600
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    build_rival()
    print(f"{os.cpu_count()} cores, load {load()} before; {CLIENTS} clients, {rounds} rounds in turns")
    taken = defaultdict(lambda: {"built": [], "rival": []})
    for number in range(rounds):
        turns = [("built", BUILT), ("rival", RIVAL)]
        # Neither has always the warmer machine.
        for name, binary in turns if number % 2 == 0 else reversed(turns):
            for stage, figures in measured(binary).items():
                taken[stage][name].append(figures)
    report(taken)
    print(f"load {load()} after")


def build_rival() -> None:
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    packages = manifest["profile"]["dev"]["package"]
    quick = [name for name, profile in packages.items() if profile.get("opt-level") == 0]
    assert quick, "no crate is left without optimisation: there is nothing to compare"
    command = ["cargo", "build", "--locked", "--bin", "waybill", "--target-dir", RIVAL_TARGET]
    for name in quick:
        command += ["--config", f"profile.dev.package.{name}.opt-level=1"]
    subprocess.run(command, cwd=REPOSITORY, check=True)


def measured(binary: Path) -> dict[str, tuple[float, float]]:
    """By stage, seconds of wall time and of the process's own processor time, for one unit."""
    os.environ["WAYBILL_BIN"] = str(binary)
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        system = System(Path(folder))
        began = time.monotonic()
        system.start()
        figures = {"start": (time.monotonic() - began, processor_seconds(system))}
        try:
            for stage, units, work in stages(system.client):
                before, began = processor_seconds(system), time.monotonic()
                work()
                wall, processor = time.monotonic() - began, processor_seconds(system) - before
                figures[stage] = (wall / units, processor / units)
        finally:
            system.kill()
    return figures


def stages(client: Client):
    """What is done with the system: the stage's name, its units, and the work."""

    def place(number: int) -> None:
        client.place(order(orderId=f"BENCH-{number}"), f"place-{number}").ok()

    def move(number: int) -> None:
        shipment = f"SHIP-{number % SHIPMENTS}"
        client.update(shipment, update(shipment, location=f"Hub {number}"), f"move-{number}").ok()

    def read(number: int) -> None:
        client.get(f"/orders/BENCH-{number % ORDERS}").ok()

    def list_orders(_: int) -> None:
        client.get("/orders?limit=50").ok()

    def load_file() -> None:
        one = '{{"orderId":"FILE-{}","items":[{{"productId":"p","quantity":2,"price":29.99}}]}}'
        lines = "\n".join(one.format(number) for number in range(FILE_ORDERS))
        client.put("orders/bench.jsonl", lines.encode())
        at_rest(client, REST_SECONDS)

    def all_at_rest(work, times: int):
        """With the rows and messages that follow: they are part of what a command costs."""

        def done() -> None:
            in_turns(work, times)
            at_rest(client, REST_SECONDS)

        return done

    in_turns(lambda number: client.get("/health"), CLIENTS)
    yield "order placed", ORDERS, all_at_rest(place, ORDERS)
    yield "shipment updated", UPDATES, all_at_rest(move, UPDATES)
    yield "order read", READS, lambda: in_turns(read, READS)
    yield "50 orders listed", LISTS, lambda: in_turns(list_orders, LISTS)
    yield "order of a file", FILE_ORDERS, load_file


def in_turns(work, times: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(work, range(times)))


def processor_seconds(system: System) -> float:
    """User and system time of the process so far (proc(5), fields 14 and 15 of `stat`)."""
    stat = Path(f"/proc/{system.pid}/stat").read_text()
    after_name = stat.rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_SECOND


def report(taken: dict) -> None:
    print("\nMilliseconds each, median of the rounds: as built, its rival, and their ratio")
    print(f"{'':<20}{'wall time':^34}{'processor time':^34}")
    for stage, by_build in taken.items():
        line = f"{stage:<20}"
        for which in (0, 1):
            built, rival = (
                statistics.median(figures[which] for figures in by_build[name])
                for name in ("built", "rival")
            )
            line += f"{built * 1000:>12.2f}{rival * 1000:>12.2f}{built / rival:>10.2f}"
        print(line)


def load() -> str:
    return ", ".join(f"{each:.1f}" for each in os.getloadavg())


if __name__ == "__main__":
    main()
