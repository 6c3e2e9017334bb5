"""Erases personal data from stored events that a build before version 3 of `OrderPlaced` has written.

    python3 infra/operator/rewrite_open_events.py waybill-prod-events order#ORD-1 order#ORD-2

Events are immutable: nothing of Waybill may do this, and whoever runs it needs the right to query and
to put items of the table of events. `infra/operator/ERASING.md` says when, and what happens then.

It puts `[erased]` in the place of each personal value that is stored openly, and drops snapshots, which
follow from the events. An item that has changed meanwhile is not put. It may be repeated.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3

ERASED = "[erased]"


class Number(str):
    """A number as it is written: a float would change an amount."""


def written(value: Any) -> str:
    """JSON with numbers as they were."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{written(name)}:{written(each)}" for name, each in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def erased(events: str) -> str:
    """The events of an item without personal data that are stored openly."""
    read = json.loads(events, parse_float=Number, parse_int=Number)
    for event in read:
        data = event["data"]
        if event["type"] != "OrderPlaced" or "sealed" in data:
            continue
        for name in {"customerName", "personal"} & data.keys():
            data[name] = ERASED
        # Where builds kept `personal` that did not know it.
        if "personal" in data.get("attributes", {}):
            data["attributes"]["personal"] = ERASED
    return written(read)


def items(dynamodb: Any, table: str, order: str) -> Iterator[dict]:
    """Every commit of an order."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": "aggregate"},
        ExpressionAttributeValues={":a": {"S": order}},
    )
    for page in pages:
        yield from page["Items"]


def main(table: str, orders: list[str]) -> None:
    """Rewrites what is to be rewritten, order by order."""
    dynamodb = boto3.client("dynamodb")
    for order in orders:
        changed = 0
        for item in items(dynamodb, table, order):
            before = item["events"]
            after = {"S": erased(before["S"])}
            if json.loads(after["S"]) == json.loads(before["S"]) and "snapshot" not in item:
                continue
            item.pop("snapshot", None)
            dynamodb.put_item(
                TableName=table,
                Item=item | {"events": after},
                ConditionExpression="#e = :before",
                ExpressionAttributeNames={"#e": "events"},
                ExpressionAttributeValues={":before": before},
            )
            changed += 1
        print(f"{order}: {changed} items rewritten")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
