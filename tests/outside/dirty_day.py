"""A day of orders as real shops keep them: mostly right, and wrong in every known way.

Seeded, so that a failure can be played again. The kinds and their shares follow
the "Online Retail" data set; texts and numbers are made up here.
"""

import random
from decimal import Decimal

from oracle import total_of

LINES_MAX = 1_114  # the longest order of the real data

_COLOURS = [
    "RED",
    "WHITE",
    "BLÅ",
    "Vert forêt",
    "ROSÉ",
    "藍",
    "ЗЕЛЁНЫЙ",
    "silver & gold",
    "“ivory”",
]
_THINGS = [
    "LANTERN",
    "TEA CUP SET",
    'DOOR-BELL 2"',
    "Cushion, 40×40",
    "café sign",
    "BIRD'S NEST",
    "灯笼",
    "ЧАЙНИК",
    "Straße map",
    "NOTE\\BOOK",
    "🎁 wrap",
    "hook (brass)",
]
_COUNTRIES = ["United Kingdom", "EIRE", "España", "Österreich", "日本"]


def dirty_day(seed: int, count: int = 160) -> list[dict]:
    """Orders as they arrive; every kind occurs at least once, whatever the seed."""
    rng = random.Random(seed)
    kinds = [kind for kind in _KINDS for _ in range(2)]
    shares = [share for share, _ in _KINDS.values()]
    kinds += rng.choices(list(_KINDS), shares, k=count - len(kinds))
    rng.shuffle(kinds)
    return [_order(rng, kind, number) for number, kind in enumerate(kinds, 1)]


def _order(rng: random.Random, kind: str, number: int) -> dict:
    order = {
        "orderId": f"{700_000 + number}",
        "placedAt": f"2010-12-01 {8 + number // 30:02}:{number % 60:02}:00",
        "customerId": str(rng.randint(12_000, 18_999)),
        "country": rng.choice(_COUNTRIES),
        "currency": rng.choice(["GBP", "GBP", "EUR", "USD"]),
        "items": [_line(rng) for _ in range(_size(rng))],
    }
    _, spoil = _KINDS[kind]
    spoil(rng, order)
    return order


def _size(rng: random.Random) -> int:
    """Most orders are short, some have hundreds of lines."""
    return min(1 + int(rng.paretovariate(0.9) * 4), 300)


def _line(rng: random.Random) -> dict:
    return {
        "productId": f"{rng.randint(10_000, 99_999)}{rng.choice(['', 'A', 'B', 'L'])}",
        "name": f"{rng.choice(_COLOURS)} {rng.choice(_THINGS)}",
        "quantity": rng.choice([1, 1, 2, 3, 6, 12, 24, 96, rng.randint(1, 80_995)]),
        "price": _price(rng),
    }


def _price(rng: random.Random) -> Decimal:
    """Two decimals, sometimes one or three: `2.10` and `2.1` are both written."""
    cents = rng.randint(1, 2_000)
    return rng.choice(
        [
            Decimal(cents).scaleb(-2),
            Decimal(cents).scaleb(-2),
            Decimal(cents).scaleb(-1),
            Decimal(cents).scaleb(-3),
        ]
    )


def _any_line(rng: random.Random, order: dict) -> dict:
    return rng.choice(order["items"])


def _cancellation(rng: random.Random, order: dict) -> None:
    order["orderId"] = "C" + order["orderId"]
    for line in order["items"]:
        line["quantity"] = -line["quantity"]


def _long(rng: random.Random, order: dict) -> None:
    order["items"] = [_line(rng) for _ in range(LINES_MAX)]


def _in_cents(order: dict) -> None:
    """A total is only compared in cents; prices of tenths would make ties of it."""
    for line in order["items"]:
        line["price"] = line["price"].quantize(Decimal("0.01"))


def _summed_in_floats(rng: random.Random, order: dict) -> None:
    """As a shop's script does it; the noise must not cost the order."""
    _in_cents(order)
    floats = sum(line["quantity"] * float(line["price"]) for line in order["items"])
    order["totalAmount"] = Decimal(repr(floats))


def _wrong_total(rng: random.Random, order: dict) -> None:
    _in_cents(order)
    order["totalAmount"] = total_of(order["items"]) + Decimal("0.01")


def _set(name: str, value):
    return lambda rng, order: _any_line(rng, order).update({name: value})


# Kind -> (share in a hundred, what it does to a clean order).
_KINDS = {
    "clean": (60, lambda rng, order: None),
    "cancellation": (15, _cancellation),
    "zero quantity": (2, _set("quantity", 0)),
    "stock correction": (3, _set("quantity", -30)),
    "zero price": (3, _set("price", Decimal("0.0"))),
    "negative price": (1, _set("price", Decimal("-11062.06"))),
    "no customer": (8, lambda rng, order: order.pop("customerId")),
    "no name": (2, lambda rng, order: _any_line(rng, order).pop("name")),
    "empty name": (2, _set("name", "")),
    "long": (0, _long),
    "float total": (3, _summed_in_floats),
    "wrong total": (1, _wrong_total),
    "automatic": (10, lambda rng, order: order.update(fulfilment="automatic")),
}
