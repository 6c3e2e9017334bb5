"""What must come out, worked out a second time in Python.

Nothing here asks the system how it does it: orders are judged and added up with
`decimal`, rows are folded from histories.
"""

import re
from datetime import UTC, datetime
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, Inexact

# Wide enough that no sum of the tests rounds, and loud where one would.
EXACT = Context(prec=600, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])

EXACT_BUT_ROUNDED = Context(prec=600, Emax=MAX_EMAX, Emin=MIN_EMIN)

CRITICAL = {"DELAYED", "LOST", "DAMAGED", "EXCEPTION"}

ANNOUNCED = {
    "OrderPlaced": "Order Created",
    "OrderProcessed": "Order Processed",
    "OrderCancelled": "Order Cancelled",
    "ShipmentStalled": "Shipment Stalled",
}


def total_of(items: list[dict], adjustments: list[dict] | None = None) -> Decimal:
    """The exact sum of quantity × price and of every adjustment that the prices do not include."""
    total = added(adjustments)
    for item in items:
        line = EXACT.multiply(Decimal(item["quantity"]), Decimal(item["price"]))
        line = EXACT.add(line, added(item.get("adjustments")))
        total = EXACT.add(total, line)
    return total


def added(adjustments: list[dict] | None) -> Decimal:
    total = Decimal(0)
    for adjustment in adjustments or []:
        if not adjustment.get("included"):
            total = EXACT.add(total, Decimal(adjustment["amount"]))
    return total


def in_cents(amount: Decimal) -> Decimal:
    """Rounded as invoices are: halves away from zero."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP, EXACT_BUT_ROUNDED)


def nearly(sent: str, meant: str) -> bool:
    """Is a name another one but for case, `_`, `-`, white space, or one letter?"""
    strip = lambda name: re.sub(r"[_\-\s]", "", name).lower()
    one, other = strip(sent), strip(meant)
    if sent == meant or one == other:
        return sent != meant
    letters = set(one + other + "?")
    edits = set()
    for at in range(len(other) + 1):
        front, back = other[:at], other[at:]
        edits |= {front + letter + back for letter in letters if letter.isalpha()}
        edits |= {front + letter + back[1:] for letter in letters if letter.isalpha()}
        edits |= {front + back[1:], front + back[1:2] + back[:1] + back[2:]}
    return one in edits


def faults_of(order: dict) -> set[str]:
    """The names of fields that an order of a dirty day may be refused for."""
    faults = {"quantity" for item in order["items"] if item["quantity"] <= 0}
    if faults:
        return faults
    total = total_of(order["items"], order.get("adjustments"))
    wrong = "totalAmount" in order and (
        in_cents(Decimal(order["totalAmount"])) != in_cents(total)
    )
    return {"totalAmount"} if wrong or total < 0 else set()


def check_sequences(events: list[dict]) -> None:
    """I2: 1..n without gap or fork, and no event before its predecessor."""
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    times = [event["at"] for event in events]
    assert times == sorted(times)


def fold_order(events: list[dict]) -> dict:
    """The row of an order, from its history as `GET /orders/{id}/history` tells it."""
    check_sequences(events)
    placed, *later = events
    assert placed["type"] == "OrderPlaced"
    data = placed["data"]
    row = {
        "orderId": data["orderId"],
        "status": "NEW" if data["fulfilment"] == "automatic" else "PROCESSING",
        "customerId": data.get("customerId"),
        "customerName": data.get("customerName"),
        "items": data["items"],
        "adjustments": data.get("adjustments"),
        "itemsAmount": total_of(data["items"]),
        "totalAmount": total_of(data["items"], data.get("adjustments")),
        "currency": data["currency"],
        "fulfilment": data["fulfilment"],
        "createdAt": placed["at"],
        "placedAt": data.get("placedAt", placed["at"]),
        "attributes": data.get("attributes") or None,
        "environment": "dev",
    }
    for event in later:
        assert row["status"] in ("NEW", "PROCESSING"), f"closed, then {event}"
        if event["type"] == "OrderProcessed":
            row |= {
                "status": "PROCESSED",
                "processedAt": event["at"],
                "processedTimestamp": seconds_of(event["at"]),
                "processingDate": event["at"][:10],
            }
        else:
            assert event["type"] == "OrderCancelled"
            row |= {
                "status": "CANCELLED",
                "cancelledAt": event["at"],
                "cancelReason": event["data"].get("reason"),
            }
    row |= {"version": events[-1]["sequence"], "updatedAt": events[-1]["at"]}
    return told(row)


def fold_shipment(events: list[dict]) -> tuple[list[dict], dict]:
    """The log rows in order of their own time, and the CURRENT row.

    `events` are `{sequence, at, type, data}` as in an order's history.
    """
    check_sequences(events)
    last, since = events[-1]["sequence"], None
    current_then, updates = None, []
    for event in events:
        if event["type"] == "ShipmentStalled":
            since = event["data"]["stalledSince"]
            # Nothing has been heard since the last update, and it is told once for each current one.
            assert since == updates[-1]["at"] and current_then not in (None, "told")
            assert event["data"]["status"] == current_then["status"]
            told_of, current_then = current_then, "told"
            continue
        assert event["type"] == "ShipmentUpdated"
        since = None
        updates.append(event)
        before = told_of if current_then == "told" else current_then
        if before is None or standing(before) <= standing(event["data"]):
            current_then = event["data"]
    events, rows = updates, []
    for event in events:
        data = event["data"]
        rows.append(
            told(
                {
                    "shipmentId": data["shipmentId"],
                    "entry": entry_of(data["timestamp"], event["sequence"]),
                    "timestamp": data["timestamp"],
                    "timestampMs": millis_of(data["timestamp"]),
                    "timestampOffset": data.get("timestampOffset"),
                    "timestampPrecision": data.get("timestampPrecision"),
                    "carrierStatus": data.get("carrierStatus"),
                    "status": data["status"],
                    "location": data.get("location", "Unknown"),
                    "carrier": data.get("carrier", "Unknown"),
                    "trackingNumber": data.get("trackingNumber"),
                    "orderId": data.get("orderId"),
                    "processedAt": event["at"],
                }
            )
        )

    def in_time(event: dict) -> tuple[str, int]:
        return event["data"]["timestamp"], event["sequence"]

    ordered = sorted(events, key=in_time)
    latest = max(events, key=lambda event: standing(event["data"]))["data"]
    latest = [
        event["data"] for event in events if standing(event["data"]) == standing(latest)
    ][-1]

    def last_told(name: str):
        """A fact of the shipment itself: an update may leave it out."""
        values = [event["data"].get(name) for event in ordered]
        return next((value for value in reversed(values) if value is not None), None)

    current = {
        "shipmentId": latest["shipmentId"],
        "currentStatus": latest["status"],
        "currentTimestamp": latest["timestamp"],
        "location": latest.get("location", "Unknown"),
        "carrier": last_told("carrier") or "Unknown",
        "trackingNumber": last_told("trackingNumber"),
        "orderId": last_told("orderId"),
        "version": last,
        "updates": len(events),
        "stalledSince": since,
    }
    return sorted(rows, key=lambda row: row["timestamp"]), told(current)


# How far along each status is, where two updates tell the same time; any other one is 2.
PROGRESS = {"CREATED": 0, "PICKED_UP": 1}
PROGRESS |= dict.fromkeys(
    ["OUT_FOR_DELIVERY", "READY_FOR_PICKUP", "DELIVERY_ATTEMPTED", "RETURNING"], 3
)
PROGRESS |= dict.fromkeys(["DELIVERED", "RETURNED", "LOST", "DAMAGED", "CANCELLED"], 4)


def standing(update: dict) -> tuple[str, int]:
    """Of two updates the one with the higher standing is current; of equal ones the later."""
    return update["timestamp"], PROGRESS.get(update["status"], 2)


def entry_of(timestamp: str, sequence: int) -> str:
    """A log row's sort key: padded, so that text sorts as sequences do."""
    return f"{timestamp}#{sequence:06}"


def announcements_of(aggregate: str, events: list[dict]) -> set[str]:
    """The ids of every message that a history calls for, on the bus."""
    ids = set()
    current = None
    for event in events:
        if event["type"] in ANNOUNCED:
            kinds = [ANNOUNCED[event["type"]]]
        else:
            data = event["data"]
            stands = current is None or standing(current) <= standing(data)
            changed = current is None or current["status"] != data["status"]
            kinds = ["Shipment Status Changed"] if stands and changed else []
            kinds += ["Shipment Alert"] if data["status"] in CRITICAL else []
            current = data if stands else current
        ids |= {f"{aggregate}/{event['sequence']}/{kind}" for kind in kinds}
    return ids


def told(row: dict) -> dict:
    """Without what is not there: whether as null or not at all is not the point."""
    return {name: value for name, value in row.items() if value is not None}


def differences(row: dict, expected: dict) -> dict:
    """Where a row is not what was expected of it: name -> (is, should be)."""
    return {
        name: (row.get(name), value)
        for name, value in expected.items()
        if row.get(name) != value
    }


def time_of(text: str) -> datetime:
    assert len(text) == len("2010-12-01T08:26:00.000Z") and text.endswith("Z"), text
    return datetime.fromisoformat(text)


def millis_of(text: str) -> int:
    since = time_of(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def seconds_of(text: str) -> int:
    return millis_of(text) // 1000
