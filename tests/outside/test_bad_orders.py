"""Orders that are refused, each with its reason and without a trace."""

from decimal import Decimal

import pytest

from client import new_id
from exact import json_text
from expect import problem
from orders import order

BODY_BYTES_MAX = 256 * 1024
LEVELS_MAX = 16


def item(**changes) -> dict:
    return {"productId": "p", "quantity": 1, "price": Decimal("1.00")} | changes


def with_item(**changes) -> dict:
    return order(items=[item(), item(**changes)], totalAmount=None)


def without(name: str) -> dict:
    line = item()
    del line[name]
    return order(items=[line], totalAmount=None)


def nested(levels: int) -> list:
    """Lists in lists, so many deep."""
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


def refused(client, body, field=None):
    """Refuses under any key and leaves that key free: nothing was stored."""
    order_id = new_id("ORD")
    if isinstance(body, dict):
        body = {"orderId": order_id} | body
    key = new_id("key")
    refusal = problem(client.place(body, key), 400, field)
    if isinstance(body, dict) and body["orderId"] == order_id:
        problem(client.get(f"/orders/{order_id}/history"), 404)
        client.place(order(orderId=order_id), key).ok()
    return refusal


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"{'customerId':'1'}",
        b'{"items":[],}',
        b'{"customerId":"\xff\xfe"}',
        b'{"customerId":NaN}',
        b'{"items":[{"quantity":01}]}',
        b"customerId=1&quantity=2",
        b'{"a":1}{"a":2}',
    ],
)
def test_what_is_not_json_is_refused(client, body):
    refused(client, body)


@pytest.mark.parametrize("body", ["[]", "null", "1", '"order"', "true", "[{}]"])
def test_what_is_not_an_object_is_refused(client, body):
    refused(client, body)


@pytest.mark.parametrize(
    "items",
    [None, [], {}, "two", 5, [None], ["prod1"], [[]], [item()] * 2_001],
    ids=lambda value: json_text(value)[:20],
)
def test_an_order_has_1_to_2000_items(client, items):
    body = order(totalAmount=None) | {"items": items}
    if items is None:
        del body["items"]
    refused(client, body, "items")


def test_2000_items_are_accepted(client):
    body = order(items=[item()] * 2_000, totalAmount=2_000)
    assert client.place(body, new_id("key")).ok()["version"] == 1


@pytest.mark.parametrize(
    "quantity",
    [0, -1, Decimal("-0.5"), "0.0", "x", None, True, [], {}, "", int("1" * 39)],
    ids=str,
)
def test_a_quantity_is_a_number_above_zero(client, quantity):
    refused(client, with_item(quantity=quantity), "quantity")


@pytest.mark.parametrize(
    "price",
    [
        *("x", "1,50", "1.5 ", "", None, True, [], {}),
        # More than 38 digits, written as number and as text.
        *(Decimal("1." + "1" * 38), "9" * 39),
        # Beyond what DynamoDB holds; the last would fill the memory if written out.
        *(Decimal("1e126"), Decimal("1e-131"), Decimal("1e999999999"), "1e400"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_price_is_a_number_that_can_be_kept(client, price):
    refused(client, with_item(price=price), "price")


@pytest.mark.parametrize("name", ["quantity", "price"])
def test_an_item_needs_its_quantity_and_price(client, name):
    refused(client, without(name), name)


def test_an_item_names_a_product_id_or_a_name(client):
    refused(client, without("productId"), "items")
    line = {"name": "only a name", "quantity": 1, "price": 1}
    client.place(order(items=[line], totalAmount=1), new_id("key")).ok()


@pytest.mark.parametrize(
    ("price", "quantity", "field"),
    # One digit too many by multiplying, forty by adding 0.01 to a large number.
    [(Decimal("9" * 38), 2, "items[0]"), (Decimal("1e37"), 1, "totalAmount")],
)
def test_a_total_of_more_than_38_digits_is_refused(client, price, quantity, field):
    lines = [item(price=price, quantity=quantity), item(price=Decimal("0.01"))]
    refused(client, order(items=lines, totalAmount=None), field)


@pytest.mark.parametrize(
    "total",
    [Decimal("109.96"), Decimal("109.98"), 0, -1, "x", True, [], Decimal("1e126")],
    ids=str,
)
def test_a_total_that_is_not_the_sum_is_refused(client, total):
    refused(client, order(totalAmount=total), "totalAmount")


@pytest.mark.parametrize(
    "currency",
    # Also funds, metals, tests and no currency at all.
    ["XAU", "XTS", "XXX", "XDR", "CHE", "USN", "US", "USDD", "ABC", "€", 840, [], {"code": "USD"}], ids=str
)
def test_a_currency_is_one_of_iso_4217(client, currency):
    refused(client, order(currency=currency), "currency")


@pytest.mark.parametrize(
    "order_id",
    ["", ".", "..", " a", "a ", "a/b", "a\\b", "e\u0301", "a\n", "x" * 129]
    + [Decimal("5.5"), True, None, [], {}],
    ids=lambda value: str(value)[:12],
)
def test_an_id_that_could_be_another_key_is_refused(client, order_id):
    answer = client.place(order() | {"orderId": order_id}, new_id("key"))
    if order_id in ("", None):
        # Nothing is not a bad id: the order is given one, or told to name one.
        assert answer.status in (200, 400), answer.text
    else:
        problem(answer, 400, "orderId")


@pytest.mark.parametrize("order_id", ["1", "a.b_c-d", "X" * 128])
def test_the_whole_alphabet_of_ids_is_accepted(client, order_id):
    answer = client.place(order(orderId=order_id), new_id("key"))
    assert answer.ok()["orderId"] == order_id
    assert client.order(order_id)["orderId"] == order_id


@pytest.mark.parametrize("fulfilment", ["AUTOMATIC", "shop", 1, []], ids=str)
def test_a_fulfilment_is_merchant_or_automatic(client, fulfilment):
    refused(client, order(fulfilment=fulfilment), "fulfilment")


@pytest.mark.parametrize("name", ["customerId", "customerName"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}], ids=["list", "object"])
def test_a_customer_is_a_text(client, name, value):
    refused(client, order(**{name: value}), name)


def test_a_customer_id_fits_the_key_of_an_index(client):
    refused(client, order(customerId="x" * 2_000), "customerId")


def test_16_levels_of_json_are_accepted_17_refused(client):
    # The body itself is the first level.
    kept = order(orderId=new_id("ORD"), gift=nested(LEVELS_MAX - 1))
    client.place(kept, new_id("key")).ok()
    row = client.order(kept["orderId"])
    assert row["attributes"] == {"gift": kept["gift"]}
    refused(client, order(gift=nested(LEVELS_MAX)))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_of_a_hundred_thousand_levels_is_refused_and_breaks_nothing(
    client, opening
):
    depth = BODY_BYTES_MAX // len(opening) // 3
    closing = "]" if opening == "[" else "}"
    for body in (opening * depth, opening * depth + "1" + closing * depth):
        refused(client, '{"gift":' + body + "}")


@pytest.mark.parametrize(
    "number",
    [
        "1" * 39,
        "1e126",
        "1e-131",
        "-1e126",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "0." + "1" * 39,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("place", ["order", "item"])
def test_numbers_that_dynamodb_cannot_hold_are_refused(client, number, place):
    body = with_item(weight=0) if place == "item" else order(weight=0)
    text = json_text({"orderId": new_id("ORD")} | body)
    refused(client, text.replace('"weight":0', f'"weight":{number}'))


def test_numbers_at_the_edge_are_kept_to_the_last_digit(client):
    edges = ["1e125", "9." + "9" * 37 + "E+125", "1e-130", "-" + "1" * 38, "0e0"]
    numbers = [Decimal(edge) for edge in edges]
    body = order(orderId=new_id("ORD"), edges=numbers)
    client.place(body, new_id("key")).ok()
    assert client.order(body["orderId"])["attributes"]["edges"] == numbers


def test_an_order_whose_row_would_not_fit_is_refused(client):
    # DynamoDB needs three bytes for a 1 in a list, JSON two: such an order comes
    # through the door and would stick in the table.
    ones = [1] * 125_000
    body = order(ones=ones)
    assert len(json_text(body)) < BODY_BYTES_MAX
    refused(client, body)


def test_an_empty_name_which_dynamodb_refuses_is_refused(client):
    refused(client, order(**{"": 1}))
