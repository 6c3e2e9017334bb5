"""Rows that somebody has changed, removed or invented, and what `verify` must say of each."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from client import Client

TABLES = ("processed-orders", "shipment-log")
KEYS = {"processed-orders": ["orderId"], "shipment-log": ["shipmentId", "entry"]}
# Keys of indexes have a type that DynamoDB insists on.
INDEXED = {
    *("statusShard", "createdAt", "customerId", "processingDateShard", "processedAt"),
    *("status", "timestamp", "currentStatusShard", "currentTimestamp"),
    *("currentOrderId", "shipmentId", "watchShard", "heardAt"),
}
PUT_MAX = 25  # of one BatchWriteItem

# Rows by their key, as text.
Rows = dict[tuple[str, str], str]

# Table, id, entry ("" of an order), and what is wrong.
Finding = tuple[str, str, str, str]


@dataclass
class Spoilt:
    """What was done to rows, and what it must be called."""

    findings: set[Finding] = field(default_factory=set)
    rows: int = 0
    invented: int = 0


def spoil(
    client: Client,
    rng: random.Random,
    tables: dict[str, Rows],
    number: int | None = None,
    invented: int = 40,
) -> Spoilt:
    """Spoils so many rows of each table, or all, and invents some.

    `tables` has the rows of each, as they should be.
    """
    spoilt = Spoilt(invented=len(tables) * invented)
    for table, rows in tables.items():
        requests = []
        keys = sorted(rows)
        if number is not None:
            keys = rng.sample(keys, min(number, len(keys)))
        for key in keys:
            request, wrong = _spoil_one(rng, table, json.loads(rows[key]))
            requests.append(request)
            spoilt.findings.add((table, *key, wrong))
        spoilt.rows += len(keys)
        for place in range(invented):
            row = _invented(rng, table, json.loads(rows[rng.choice(keys)]), place)
            assert key_of(table, row) not in rows
            requests.append({"PutRequest": {"Item": row}})
            spoilt.findings.add((table, *key_of(table, row), "superfluous"))
        _write(client, table, requests)
    return spoilt


def text_of(row: dict) -> str:
    """A row as text; two are equal where their texts are."""
    return json.dumps(row, sort_keys=True, default=repr)


def key_of(table: str, row: dict) -> tuple[str, str]:
    """Partition and sort key; the sort key is empty where the table has none."""
    partition, *sort = (row[name]["S"] for name in KEYS[table])
    return partition, "".join(sort)


def _write(client: Client, table: str, requests: list[dict]) -> None:
    name = f"waybill-dev-{table}"
    for start in range(0, len(requests), PUT_MAX):
        some = requests[start : start + PUT_MAX]
        answer = client.dynamodb.batch_write_item(RequestItems={name: some})
        assert not answer.get("UnprocessedItems"), answer


def _spoil_one(rng: random.Random, table: str, row: dict) -> tuple[dict, str]:
    if rng.random() < 0.25:
        key = {name: row[name] for name in KEYS[table]}
        return {"DeleteRequest": {"Key": key}}, "missing"
    changed = dict(row)
    _change(rng, table, changed)
    assert changed != row
    older = _version(changed) < _version(row)
    wrong = "stale" if older else "different"
    return {"PutRequest": {"Item": changed}}, wrong


def _version(row: dict) -> int:
    """0 where there is none that is a whole number."""
    text = row.get("version", {}).get("N", "0")
    return int(text) if text.isdigit() else 0


def _change(rng: random.Random, table: str, row: dict) -> None:
    """Changes one attribute in any way that DynamoDB takes."""
    names = sorted(set(row) - set(KEYS[table]))
    name = rng.choice(names)
    kind = rng.choice(["value", "value", "type", "gone", "new", "version"])
    if kind == "version":
        version = _version(row)
        odd = [{"N": str(version + step)} for step in (-1, 1, 1_000)]
        odd += [{"N": f"{version}.5"}, {"N": f"-{version}"}, {"S": str(version)}]
        row["version"] = rng.choice(odd)
    elif kind == "gone":
        del row[name]
    elif kind == "new":
        row["note"] = rng.choice(
            [{"S": ""}, {"NULL": True}, {"B": b"\x00"}, {"SS": ["a", "b"]}, {"M": {}}]
        )
    elif kind == "type" and name not in INDEXED:
        row[name] = {"N": "1"} if "S" in row[name] else {"S": "1"}
    else:
        row[name] = _another(rng, row[name])


def _another(rng: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """Another value of the same type: of a list or a map, it is somewhere within."""
    [(kind, inner)] = value.items()
    if kind == "S":
        return {"S": rng.choice([inner + " ", "x" + inner])}
    if kind == "N":
        return {"N": f"{inner}1" if "." in inner else f"{inner}.00000001"}
    if kind == "BOOL":
        return {"BOOL": not inner}
    if kind == "L" and inner:
        place = rng.randrange(len(inner))
        rest = [*inner[:place], *inner[place + 1 :]]
        other = [*inner[:place], _another(rng, inner[place]), *inner[place + 1 :]]
        return {"L": rng.choice([rest, other])}
    if kind == "M" and inner:
        name = rng.choice(sorted(inner))
        return {"M": inner | {name: _another(rng, inner[name])}}
    if kind in ("L", "M"):
        return {"L": [{"S": "x"}]} if kind == "L" else {"M": {"x": {"S": "x"}}}
    return {"S": "x"}


def _invented(rng: random.Random, table: str, row: dict, number: int) -> dict:
    """A row of no event: of an order or shipment that is none, or cannot be one, or an update
    that there never was."""
    odd = rng.choice(["nobody", "no id!", "Ω", "a/b"])
    nobody = {KEYS[table][0]: {"S": f"{odd}-{number}"}}
    if table == "processed-orders":
        return row | nobody
    update = {"entry": {"S": f"2011-01-01T00:00:00.000Z#{900_000 + number}"}}
    return row | rng.choice([nobody, update, nobody | update])
