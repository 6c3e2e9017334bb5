"""Orders as shops have them: adjustments, decimal quantities, totals of their own."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import new_id
from exact import json_text
from expect import message, problem
from oracle import in_cents, total_of
from orders import completed_by_itself, order, placed
from test_orders_on_the_bus import COMMANDS

SENT = [
    # Items, adjustments, the sender's total, the exact one.
    (
        [("1", "6.99")],
        [("discount", "-0.70"), ("shipping", "6.99")],
        "13.28",
        "13.28",
    ),
    (
        [("1", "19.99")],
        [("shipping", "6.99"), ("tax", "1.999")],
        "28.978999999999996",
        "28.979",
    ),
    ([("0.35", "19.90")], [], "6.97", "6.965"),
    ([("1", "-0.25"), ("1", "3")], [], "2.75", "2.75"),
]


def body_of(items, adjustments, total=None) -> dict:
    lines = [
        {"name": "Lamp", "quantity": Decimal(quantity), "price": Decimal(price)}
        for quantity, price in items
    ]
    parts = [{"type": kind, "amount": Decimal(amount)} for kind, amount in adjustments]
    return order(
        orderId=new_id("ORD"),
        items=lines,
        adjustments=parts or None,
        totalAmount=total and Decimal(total),
    )


@pytest.mark.parametrize(("items", "adjustments", "total", "exact"), SENT)
@pytest.mark.parametrize("way", ["http", "invoke", "bus", "file"])
def test_a_shops_total_is_accepted_by_every_way_in(
    client, way, items, adjustments, total, exact
):
    body = body_of(items, adjustments, total)
    order_id = body["orderId"]
    if way == "http":
        client.place(body, new_id("key")).ok()
    elif way == "invoke":
        answer = client.invoke("invoke", body)
        assert answer["message"] == "Order placed", answer
    elif way == "bus":
        client.put_event(body, DetailType="Place Order", **COMMANDS)
    else:
        client.put(f"orders/{order_id}.json", json_text([body]).encode())
    row = client.order(order_id)
    assert row["totalAmount"] == Decimal(exact)
    assert row["itemsAmount"] == total_of(body["items"])
    assert row.get("adjustments") == body.get("adjustments")
    assert row["placedAt"] == row["createdAt"]
    created = message(client, f"order#{order_id}/1/Order Created")["detail"]
    assert created["itemsAmount"] == row["itemsAmount"]
    assert created["totalAmount"] == row["totalAmount"]
    assert created["placedAt"] == row["createdAt"]


def test_a_total_without_its_tax_says_where_tax_goes(client):
    body = body_of([("1", "10")], [], "11.9")
    refusal = problem(client.place(body, new_id("key")), 400, "totalAmount")
    assert refusal["code"] == "total_mismatch"
    for part in ("11.9", "10", "tax", "shipping", "discounts", "adjustments"):
        assert part in refusal["message"], refusal


@pytest.mark.parametrize(
    ("adjustments", "field"),
    [
        ([{"type": "discount", "amount": "0.70"}], "adjustments[0].amount"),
        (
            [{"type": "discount", "amount": 1, "included": True}],
            "adjustments[0].amount",
        ),
        ([{"type": "tax", "amount": 1}, {"type": "vat", "amount": 1}], "adjustments[1].type"),
        ([{"type": "tax"}], "adjustments[0].amount"),
        ([{"amount": 1}], "adjustments[0].type"),
        ([{"type": "tax", "amount": 1, "included": "yes"}], "adjustments[0].included"),
        ([{"type": "tax", "amount": 1, "name": 7}], "adjustments[0].name"),
        ([{"type": "tax", "amount": "1" * 39}], "adjustments[0].amount"),
        ([{"type": "tax", "ammount": 1}], "adjustments[0].ammount"),
        (["tax"], "adjustments[0]"),
        ({"type": "tax", "amount": 1}, "adjustments"),
        ([{"type": "tip", "amount": 0}] * 101, "adjustments"),
        ([{"type": "discount", "amount": "-109.98"}], "totalAmount"),
    ],
    ids=str,
)
def test_an_adjustment_that_is_none_is_refused(client, adjustments, field):
    body = order(adjustments=adjustments, totalAmount=None)
    refusal = problem(client.place(body, new_id("key")), 400, field)
    assert refusal["field"] == field
    if "discount" in str(adjustments) and field.endswith("amount"):
        assert "a discount is zero or less" in refusal["message"]
    item = {"name": "Lamp", "quantity": 1, "price": 1, "adjustments": adjustments}
    if field != "totalAmount":
        body = order(items=[item], totalAmount=None)
        refusal = problem(client.place(body, new_id("key")), 400, field)
        assert refusal["field"] == f"items[0].{field}"


@pytest.mark.parametrize(
    ("sent", "code"),
    [("usd", "USD"), ("Eur", "EUR"), ("dem", "DEM"), ("ITL", "ITL"), ("ANG", "ANG")],
)
def test_a_currency_is_read_in_any_case_and_withdrawn_ones_too(client, sent, code):
    assert client.order(placed(client, currency=sent))["currency"] == code


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2010-12-01 08:26:00", "2010-12-01T08:26:00.000Z"),
        ("2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00.000Z"),
        (1705314600123, "2024-01-15T10:30:00.123Z"),
    ],
)
def test_when_the_customer_placed_it_stands_everywhere(client, sent, read):
    customer = new_id("customer")
    order_id = placed(client, placedAt=sent, customerId=customer)
    client.complete(order_id, new_id("key")).ok()
    row = client.order(order_id, 2)
    assert row["placedAt"] == read and row["createdAt"] > read
    assert "placedAt" not in row["attributes"]
    [listed] = client.get(f"/orders?customerId={customer}").ok()["items"]
    assert listed["placedAt"] == read
    for kind, sequence in (("Order Created", 1), ("Order Processed", 2)):
        said = message(client, f"order#{order_id}/{sequence}/{kind}")
        assert said["detail"]["placedAt"] == read


@pytest.mark.parametrize("sent", ["yesterday", "2999-01-01T00:00:00Z", True, [], {}])
def test_what_is_no_time_of_placing_is_refused(client, sent):
    problem(client.place(order(placedAt=sent), new_id("key")), 400, "placedAt")


amounts = st.decimals("-1000", "100000", places=4)
adjustments = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["shipping", "tax", "discount", "fee", "tip", "rounding", "other"]
            ),
            "amount": amounts,
        },
        optional={"included": st.booleans(), "name": st.just("a name")},
    ).map(
        lambda each: (
            each | {"amount": -abs(each["amount"])}
            if each["type"] == "discount"
            else each
        )
    ),
    max_size=6,
)
lines = st.fixed_dictionaries(
    {
        "name": st.just("Lamp"),
        "quantity": st.decimals("0.001", "5000", places=3),
        "price": amounts,
    },
    optional={"adjustments": adjustments},
)


@settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(items=st.lists(lines, min_size=1, max_size=8), parts=adjustments)
def test_the_parts_sum_to_the_total_to_the_digit(client, items, parts):
    total = total_of(items, parts)
    body = order(
        orderId=new_id("ORD"),
        items=items,
        adjustments=parts,
        totalAmount=str(in_cents(total)),
    )
    answer = client.place(body, new_id("key"))
    if total < 0:
        problem(answer, 400, "totalAmount")
        return
    answer.ok()
    row = client.order(body["orderId"])
    assert row["totalAmount"] == total
    assert row["itemsAmount"] == total_of(items)
    wrong = body | {"orderId": new_id("ORD"), "totalAmount": str(in_cents(total) + 1)}
    problem(client.place(wrong, new_id("key")), 400, "totalAmount")


def test_an_order_of_the_counter_keeps_its_adjustments(client):
    tip = {"type": "tip", "amount": Decimal("0.50"), "name": "for the cook", "paid": True}
    order_id = placed(
        client, adjustments=[tip], totalAmount=Decimal("110.47"), fulfilment="automatic"
    )
    row = completed_by_itself(client, order_id)
    [kept] = row["adjustments"]
    assert kept.pop("attributes") == {"paid": True}
    del tip["paid"]
    assert kept == tip
