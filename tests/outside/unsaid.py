"""Rules of the interface that span fields, or look at the clock: a document can say them in words only.

`steer` makes most of the generated requests keep them; `explains` judges a refusal of the others a
second time.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, Inexact, InvalidOperation
from typing import Any

from exact import read_json
from oracle import EXACT, added, in_cents, nearly, total_of

DEPTH_MAX = 16
DIGITS_MAX = 38
PERSONAL_BYTES_MAX = 16 * 1024
# What can be sent with an order, its items and adjustments.
NAMES = (
    *("orderId", "customerId", "customerName", "personal"),
    *("items", "snackItems", "adjustments"),
    *("totalAmount", "currency", "placedAt", "fulfilment", "commandId", "traceparent"),
    *("productId", "name", "quantity", "price", "type", "amount", "included"),
)
# Members that are ids, whatever they are ids of.
IDS = ("orderId", "shipmentId", "customerId", "productId", "trackingNumber")
# What a list may be asked by.
QUESTIONS = ("status", "customerId", "day", "orderId", "stalled")


def steer(case, orders: tuple[str, ...], shipments: tuple[str, ...], step: int) -> None:
    """Makes a request meet what is there, and keep to what no schema can say."""
    for name, ids in (("orderId", orders), ("shipmentId", shipments)):
        if name in case.path_parameters:
            # Completing begins at one end, cancelling at the other: each meets open orders.
            at = -step if case.path.endswith("cancel") else step
            case.path_parameters[name] = ids[at % len(ids)]
    if case.headers is not None and case.method == "POST":
        case.headers.pop("If-Match", None)
        if "Idempotency-Key" in case.headers and step % 4:
            case.headers["Idempotency-Key"] = f"{case.path} {step}"
    if isinstance(case.body, dict):
        steer_body(case, step)
    if case.query:
        steer_query(case, step)


def steer_body(case, step: int) -> None:
    body = case.body
    if body.get("shipmentId"):
        body["shipmentId"] = case.path_parameters["shipmentId"]
    if body.get("orderId") and "orderId" in (case.path_parameters or {}):
        body["orderId"] = case.path_parameters["orderId"]
    for list_of in adjustments_of(body):
        for each in list_of:
            if each["type"] == "discount":
                each["amount"] = str(-abs(Decimal(str(each["amount"]))))
    if body.get("totalAmount") is not None and items_of(body):
        total = kept_total(exactly(body))
        body["totalAmount"] = None if total is None else str(total)
    if case.path == "/orders" and step % 40 == 7:
        # Some total that is not the order's.
        body["totalAmount"] = "123456.78"


def items_of(body: dict) -> list[dict]:
    return body.get("items") or body.get("snackItems") or []


def adjustments_of(body: dict) -> list[list[dict]]:
    """Those of the order and of each of its items."""
    return [each.get("adjustments") or [] for each in (body, *items_of(body))]


def steer_query(case, step: int) -> None:
    """A list has one question, a page begins at its beginning, and the time is now."""
    query = case.query
    asked = [name for name in QUESTIONS if name in query]
    for name in asked:
        if name != asked[step % len(asked)]:
            query.pop(name)
    query.pop("cursor", None)
    if "orderId" in query or step % 2:
        query.pop("sort", None)
    if "at" in query:
        query.pop("minVersion", None)
        if step % 2:
            query["at"] = datetime.now(UTC).isoformat()


def keep_from_waiting(case) -> None:
    """Nobody waits 5 seconds thousands of times; that has a test of its own."""
    query = case.query or {}
    if isinstance(query.get("minVersion"), int) and query["minVersion"] > 0:
        query["minVersion"] = 1


def explains(case, problem: dict) -> bool:
    """Is a refusal due to a rule that the document says in words only?"""
    code, place = problem["code"], problem.get("field", "")
    query = case.query or {}
    if code == "invalid_query":
        asked = len(set(QUESTIONS) & set(query))
        return asked > 1 or (asked == 0 and case.path != "/orders")
    if place.endswith(IDS) and code == "invalid_field":
        if not all(map(is_normal, ids_of(case))):
            return True
    if code == "invalid_cursor":
        return "cursor" in query
    if place in ("at", "timestamp"):
        sent = query.get("at") if place == "at" else case.body.get("timestamp")
        return not is_past(sent)
    if place in ("minVersion", "sort", "day"):
        return (
            (place == "minVersion" and "at" in query)
            or (place == "sort" and "orderId" in query)
            or (place == "day" and not is_day(query["day"]))
        )
    if not isinstance(case.body, dict):
        return False
    body = exactly(case.body)
    if code == "not_json":
        return depth(body) > DEPTH_MAX
    if not all(map(is_kept, numbers(body))):
        return True
    if place == "shipmentId":
        return body["shipmentId"] != case.path_parameters["shipmentId"]
    if place == "orderId" and "orderId" in (case.path_parameters or {}):
        return body["orderId"] != case.path_parameters["orderId"]
    if code == "misspelt_member":
        name = re.split(r"(?<=\])\.", place)[-1]
        return any(nearly(name, meant) for meant in NAMES)
    if place == "personal":
        return len(json.dumps(case.body["personal"])) > PERSONAL_BYTES_MAX
    if place == "placedAt":
        return not is_past(body["placedAt"])
    if place.endswith("amount"):
        return any(
            each["type"] == "discount" and Decimal(each["amount"]) > 0
            for list_of in adjustments_of(body)
            for each in list_of
        )
    if place == "totalAmount":
        total = kept_total(body)
        sent = body.get("totalAmount")
        return total is None or total < 0 or in_cents(Decimal(sent)) != in_cents(total)
    if re.fullmatch(r"items\[\d+\]", place):
        return kept_total(body) is None
    return False


def ids_of(case) -> list[str]:
    """The ids that a request names, in its path, its query, its body and its items."""
    named = dict(case.path_parameters or {}) | dict(case.query or {})
    if isinstance(case.body, dict):
        for each in (case.body, *items_of(case.body)):
            named |= {f"{id(each)} {name}": value for name, value in each.items()}
    return [str(value) for name, value in named.items() if name.endswith(IDS)]


def is_normal(text: str) -> bool:
    """In the normal form C, and no walk through a path?"""
    return unicodedata.is_normalized("NFC", text) and text not in (".", "..")


def kept_total(body: dict) -> Decimal | None:
    """The order's total, where it and each of its parts can be kept."""
    parts = []
    try:
        for item in items_of(body):
            product = EXACT.multiply(Decimal(item["quantity"]), Decimal(item["price"]))
            parts += [product, EXACT.add(product, added(item.get("adjustments")))]
        parts.append(total_of(items_of(body)))
        parts.append(total_of(items_of(body), body.get("adjustments")))
    except Inexact:
        return None
    return parts[-1] if all(map(is_kept, parts)) else None


def exactly(body: Any) -> Any:
    """A body as it is sent, its numbers exact."""
    return read_json(json.dumps(body))


def numbers(value: Any) -> Iterator[Decimal]:
    """Every number of a body, also those that are written as strings."""
    if isinstance(value, dict):
        for each in value.values():
            yield from numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, (int, Decimal, str)) and not isinstance(value, bool):
        try:
            yield Decimal(value)
        except InvalidOperation:
            pass


def is_kept(number: Decimal) -> bool:
    """Can it be kept exactly: 38 digits, of 1E-130 and more, below 1E+126?"""
    if not number.is_finite() or number == 0:
        return True
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= DIGITS_MAX and -130 <= number.adjusted() <= 125


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return True


def is_past(sent: Any) -> bool:
    """A real time, from 2000 to a day from now?"""
    latest = datetime.now(UTC) + timedelta(hours=23, minutes=59)
    try:
        if isinstance(sent, (int, float, Decimal)) or sent.isdigit():
            each = {9: 1, 10: 1, 12: 1000, 13: 1000}.get(len(str(int(sent))))
            if each is None or len(str(sent)) == 8:
                return False
            return 946_684_800 <= int(sent) / each <= latest.timestamp()
        time = datetime.fromisoformat(sent)
    except (ValueError, OverflowError):
        return False
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return datetime(2000, 1, 1, tzinfo=UTC) <= time <= latest
