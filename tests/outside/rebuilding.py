"""The command line of an operator who rebuilds and verifies, and what a rebuild must lead to."""

import json
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client import Client
from exact import plain, read_json
from expect import id_of
from oracle import differences, fold_order, fold_shipment
from spoiling import TABLES, Rows, key_of, text_of
from system import System, binary

WELL, FAILED, MISUSED, WRONG = 0, 1, 2, 3  # exit codes
COMMAND_SECONDS = 600


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def findings(self) -> list[tuple[str, str, str, str]]:
        return [
            (each["table"], each["id"], each["entry"] or "", each["wrong"])
            for each in self.json["findings"]
        ]


class Operator:
    """Somebody at a terminal, in a folder of his own."""

    def __init__(self, system: System, folder: Path):
        self._endpoint = system.client.aws
        self.folder = folder

    def command(self, *arguments: str) -> list[str]:
        return [str(binary()), *arguments, "--endpoint-url", self._endpoint]

    def surroundings(self) -> dict[str, Any]:
        """As for `subprocess`. What the shell of the tests has set is not his."""
        foreign = ("WAYBILL_", "AWS_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return {"cwd": self.folder, "env": env, "stdin": subprocess.DEVNULL}

    def run(self, *arguments: str) -> Done:
        done = subprocess.run(
            self.command(*arguments),
            **self.surroundings(),
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert "panicked" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def verify(self, *arguments: str) -> Done:
        return self.run("verify", "--json", *arguments)

    def rebuild(self, *arguments: str) -> Done:
        return self.run("rebuild", "--json", *arguments)


def rows_of(client: Client) -> dict[str, Rows]:
    """Every row of both read models: as text, for there are many."""
    return {table: dict(_rows(client, table)) for table in TABLES}


def _rows(client: Client, table: str) -> Iterator[tuple[tuple[str, str], str]]:
    pages = client.dynamodb.get_paginator("scan").paginate(
        TableName=f"waybill-dev-{table}", ConsistentRead=True
    )
    for page in pages:
        for row in page["Items"]:
            yield key_of(table, row), text_of(row)


def announced(client: Client) -> Counter:
    """How often each message was emitted."""
    return Counter((each["via"], id_of(each)) for each in client.messages())


def histories(client: Client, *names: str) -> dict[str, list[dict]]:
    """Every event of the aggregates whose names begin so, from the commits, as `oracle` folds
    them."""
    commits = defaultdict(list)
    for commit in client.scan("events"):
        if commit["aggregate"]["S"].startswith(names):
            commits[commit["aggregate"]["S"]].append(commit)
    told = {}
    for aggregate, items in commits.items():
        events = []
        for commit in sorted(items, key=lambda item: int(item["sequence"]["N"])):
            # Every writer starts where the last one ended.
            assert int(commit["sequence"]["N"]) == len(events) + 1, aggregate
            for event in read_json(commit["events"]["S"]):
                at = event["data"]["at"]
                events.append(event | {"sequence": len(events) + 1, "at": at})
        told[aggregate] = events
    return told


def check_folds(rows: dict[str, Rows], histories: dict[str, list[dict]]) -> None:
    """These rows are the folds of these histories, and there is no other among them."""
    there = {
        (f"{kind}#{key[0]}", key[1]): text
        for kind, table in zip(("order", "shipment"), TABLES, strict=True)
        for key, text in rows[table].items()
    }
    for aggregate, history in histories.items():
        if aggregate.startswith("order#"):
            expected = {"": fold_order(history)}
        else:
            log, current = fold_shipment(history)
            expected = {row["entry"]: row for row in log} | {"CURRENT": current}
        for entry, row in expected.items():
            found = plain(json.loads(there.pop((aggregate, entry))))
            assert not differences(found, row), (aggregate, entry)
    assert not there, f"of no event: {sorted(there)[:5]}"
