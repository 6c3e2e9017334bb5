"""When nothing is on its way any more, and what must hold then."""

import json

from deployed import Deployed, Inbox
from patience import PATIENCE_SECONDS, until

ANNOUNCED = {
    "OrderPlaced": "Order Created",
    "OrderProcessed": "Order Processed",
    "OrderCancelled": "Order Cancelled",
    "ShipmentStalled": "Shipment Stalled",
}


def histories(waybill: Deployed) -> dict[str, list[dict]]:
    """The commits of every aggregate, in order; without what is none."""
    found: dict[str, list[dict]] = {}
    for commit in waybill.rows("events"):
        # Erasures have no rows and no messages.
        if "commandId" in commit and not commit["aggregate"].startswith("erasure#"):
            events = json.loads(commit["events"])
            found.setdefault(commit["aggregate"], []).append({**commit, "events": events})
    for commits in found.values():
        commits.sort(key=lambda commit: commit["sequence"])
    return found


def version(commits: list[dict]) -> int:
    """The sequence of the last event."""
    return int(commits[-1]["sequence"]) + len(commits[-1]["events"]) - 1


def versions(waybill: Deployed) -> dict[str, int]:
    """Of every aggregate, the version that its row has come to."""
    orders = {f"order#{row['orderId']}": row["version"] for row in waybill.rows("processed-orders")}
    shipments = {
        f"shipment#{row['shipmentId']}": row["version"]
        for row in waybill.rows("shipment-log")
        if row["entry"] == "CURRENT"
    }
    return {aggregate: int(seen) for aggregate, seen in (orders | shipments).items()}


def to_be_announced(waybill: Deployed) -> set[str]:
    """The ids under which the events of all orders are announced."""
    return {
        f"{aggregate}/{int(commit['sequence']) + place}/{ANNOUNCED[event['type']]}"
        for aggregate, commits in histories(waybill).items()
        if aggregate.startswith("order#")
        for commit in commits
        for place, event in enumerate(commit["events"])
    }


def on_its_way(waybill: Deployed, inbox: Inbox) -> list[str]:
    """What has not come to rest yet; an order that completes itself has not before it is done."""
    stored = {each: version(commits) for each, commits in histories(waybill).items()}
    seen = versions(waybill)
    rows = [
        f"{each}: the row is at {seen.get(each)}, the history at {stored.get(each)}"
        for each in stored.keys() | seen.keys()
        if stored.get(each) != seen.get(each)
    ]
    orders = waybill.rows("processed-orders")
    new = [f"{row['orderId']} is NEW" for row in orders if row["status"] == "NEW"]
    unsaid = to_be_announced(waybill) - inbox.said().keys()
    return rows + new + [f"{each} is not announced" for each in sorted(unsaid)]


def at_rest(waybill: Deployed, inbox: Inbox, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until every row has caught up with its history, and every order is announced."""
    left: list[str] = []

    def resting():
        left[:] = on_its_way(waybill, inbox)
        return not left

    try:
        until("rest: rows as their histories, all announced", resting, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; {len(left)} on their way: {left[:10]}") from error


def snapshot(waybill: Deployed) -> dict[str, list[str]]:
    """Every commit, every row and what is parked, to compare."""
    tables = ("events", "processed-orders", "shipment-log")
    found = {table: waybill.scan(table) for table in tables}
    # Whenever one is parked again, its row says so by another version.
    found["parked"] = [
        {name: value for name, value in row.items() if name != "version"}
        for row in waybill.scan("parked")
    ]
    return {table: sorted(map(repr, map(in_order, rows))) for table, rows in found.items()}


def in_order(value):
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [in_order(inner) for inner in value]
    return value
