"""Months of a shop as order files: what they hold, and a folder of data that has taken them.

They are loaded once; whoever works with them gets a copy, and may do as he likes with it.
"""

import gzip
import os
import shutil
from copy import copy
from functools import cached_property
from pathlib import Path

from dirty_day import dirty_day
from exact import json_text, plain, read_json
from expect import at_rest
from oracle import faults_of
from reports import IMPORT_SECONDS, report_of, upload
from system import System

# The real months are not ours to keep; who has them names their folder.
REAL = os.environ.get("ONLINE_RETAIL")
MONTHS = ["generated", *(["real"] if REAL else [])]
GENERATED = 320


def files_of(months: str) -> dict[str, bytes]:
    if months == "real":
        return {
            path.name.removesuffix(".gz"): gzip.decompress(path.read_bytes())
            for path in sorted(Path(REAL).glob("orders-*.jsonl.gz"))
        }
    lines = [json_text(order) for order in dirty_day(1, GENERATED)]
    half = GENERATED // 2
    return {
        "orders-1.jsonl": "\n".join(lines[:half]).encode(),
        "orders-2.json": f"[{','.join(lines[half:])}]".encode(),
    }


def orders_of(body: bytes) -> list[dict]:
    if body.startswith(b"["):
        return read_json(body)
    return [read_json(line) for line in body.splitlines()]


class Months:
    """The files, what is expected of them, and the system that took them."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.folder = folder
        self.system = System(folder)
        self.files = files_of(name)
        self.orders = {name: orders_of(body) for name, body in self.files.items()}

    def load(self) -> "Months":
        """Takes the files, notes what came of them, and stops."""
        self.system.start()
        self.reports = self.upload()
        at_rest(self.system.client, IMPORT_SECONDS)
        self.rows = {
            row["orderId"]: row
            for row in map(plain, self.system.client.scan("processed-orders"))
        }
        assert self.system.stop() == 0
        return self

    def copied_to(self, folder: Path) -> "Months":
        """The same months in another folder, and a running system of their own."""
        months = copy(self)
        months.folder, months.system = folder, System(folder)
        shutil.copytree(self.system.data, months.system.data)
        months.system.start()
        return months

    def remove(self) -> None:
        self.system.kill()
        shutil.rmtree(self.folder)

    def upload(self) -> dict[str, dict]:
        sent = {
            name: upload(self.system.client, name, body)
            for name, body in self.files.items()
        }
        # They are read side by side; each report comes in its own time.
        return {name: report_of(self.system.client, *at) for name, at in sent.items()}

    @cached_property
    def all(self) -> list[dict]:
        return [order for orders in self.orders.values() for order in orders]

    @cached_property
    def accepted(self) -> dict[str, dict]:
        return {each["orderId"]: each for each in self.all if not faults_of(each)}
