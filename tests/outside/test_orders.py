"""The life of an order, placed, then processed or cancelled."""

from decimal import Decimal
from functools import partial

import pytest

from client import new_id
from expect import announced, at_rest, message
from oracle import differences, fold_order, seconds_of, time_of, total_of
from orders import TOTAL, completed_by_itself, order, placed
from patience import at_once


def test_a_shop_order_waits_for_its_shop(client):
    order_id = placed(client)
    at_rest(client)
    row = client.order(order_id)
    assert row["status"] == "PROCESSING" and row["version"] == 1
    assert row["fulfilment"] == "merchant"
    assert sorted(row["allowedActions"]) == ["cancel", "complete"]
    assert len(client.history(order_id)) == 1


def test_a_row_tells_the_order_as_it_was_sent(client):
    order_id = placed(client, gift={"wrap": True, "note": "für dich", "n": [1, None]})
    row = client.order(order_id)
    assert row["orderId"] == order_id and row["customerId"] == "customer123"
    assert row["totalAmount"] == TOTAL and row["currency"] == "USD"
    assert row["items"] == order()["items"]
    assert row["attributes"]["gift"] == {
        "wrap": True,
        "note": "für dich",
        "n": [1, None],
    }
    assert row["environment"] == "dev"
    assert row["createdAt"] == row["updatedAt"]
    time_of(row["createdAt"])


def test_a_completed_order_says_when(client):
    order_id = placed(client)
    answer = client.complete(order_id, new_id("key")).ok()
    assert answer["status"] == "PROCESSED" and answer["version"] == 2
    assert answer["orderId"] == order_id and answer["message"]
    row = client.order(order_id, version=2)
    assert row["status"] == "PROCESSED" and row["allowedActions"] == []
    assert row["updatedAt"] == row["processedAt"] >= row["createdAt"]
    assert row["processedTimestamp"] == seconds_of(row["processedAt"])
    assert row["processingDate"] == row["processedAt"][:10]


def test_a_cancelled_order_says_when_and_why(client):
    order_id = placed(client)
    answer = client.cancel(order_id, "out of stock", new_id("key")).ok()
    assert answer["status"] == "CANCELLED" and answer["version"] == 2
    row = client.order(order_id, version=2)
    assert row["status"] == "CANCELLED" and row["cancelReason"] == "out of stock"
    assert row["cancelledAt"] == row["updatedAt"]
    assert "processedAt" not in row


def test_a_history_tells_who_did_what_and_why(client):
    order_id = placed(client)
    client.cancel(order_id, "late", new_id("key")).ok()
    client.order(order_id, version=2)
    history = client.history(order_id)
    assert [event["type"] for event in history] == ["OrderPlaced", "OrderCancelled"]
    for event in history:
        for name in ("sequence", "at", "data", "actor", "source", "commandId"):
            assert event.get(name), (name, event)
    assert not differences(client.order(order_id), fold_order(history))


def test_messages_say_what_happened_and_no_items(client):
    order_id = placed(client)
    client.complete(order_id, new_id("key")).ok()
    created = message(client, f"order#{order_id}/1/Order Created")
    done = message(client, f"order#{order_id}/2/Order Processed")
    history = client.history(order_id)
    for sent, event in zip((created, done), history, strict=True):
        assert sent["source"] == "waybill.orders" and sent["bus"] == "waybill-dev"
        detail = sent["detail"]
        assert detail["orderId"] == order_id and detail["version"] == event["sequence"]
        assert detail["occurredAt"] == event["at"]
        assert detail["customerId"] == "customer123"
        assert detail["totalAmount"] == TOTAL and detail["currency"] == "USD"
        assert "items" not in detail
    assert created["detail"]["status"] == "PROCESSING"
    assert created["detail"].get("previousStatus") is None
    assert done["detail"]["status"] == "PROCESSED"
    assert done["detail"]["previousStatus"] == "PROCESSING"


def test_an_automatic_order_over_http_is_completed_by_itself(client):
    order_id = placed(client, fulfilment="automatic")
    completed_by_itself(client, order_id)
    assert client.history(order_id)[1]["commandId"] == f"fulfil/{order_id}"


def test_cancelling_an_automatic_order_races_its_completion_and_one_wins(client):
    ids = [new_id("RACE") for _ in range(20)]

    def race(order_id: str):
        client.place(order(orderId=order_id, fulfilment="automatic"), order_id).ok()
        return client.cancel(order_id, key=new_id("key"))

    answers = at_once([partial(race, order_id) for order_id in ids])
    at_rest(client)
    for order_id, answer in zip(ids, answers, strict=True):
        history = client.history(order_id)
        kinds = [event["type"] for event in history]
        won = answer.status == 200
        end = "OrderCancelled" if won else "OrderProcessed"
        assert kinds == ["OrderPlaced", end], answer.text
        assert not differences(client.order(order_id, 2), fold_order(history))
        ended = "Order Cancelled" if won else "Order Processed"
        assert announced(client, order_id) == {"Order Created", ended}
    # The loser's completion has nothing to report.
    assert not any(order_id in str(client.local("dead-letters")) for order_id in ids)
    assert not any(each.get("topic") for each in client.messages())


@pytest.mark.parametrize(
    ("price", "quantity"),
    [
        ("0.1", 3),
        ("2.55", 80_995),
        ("0.00000000000000000000000000000000000001", 7),
        ("12345678901234567890123456789012345.678", 1),
        ("99999999999999999999999999999999999999", 1),
    ],
)
def test_money_is_exact(client, price, quantity):
    line = {"productId": "p", "quantity": quantity, "price": Decimal(price)}
    as_text = line | {"price": price}
    for sent in (line, as_text):
        order_id = placed(client, items=[sent], totalAmount=None)
        total = total_of([line])
        row = client.order(order_id)
        assert row["totalAmount"] == total
        assert row["items"][0]["price"] == Decimal(price)
        stored = client.item("processed-orders", orderId=order_id)
        assert Decimal(stored["totalAmount"]["N"]) == total


@pytest.mark.parametrize(
    ("currency", "total"),
    [("USD", "0.30000000000000004"), ("USD", "0.304"), ("JPY", "0.4"), ("KWD", "0.3")],
)
def test_a_total_is_compared_in_the_minor_unit_and_stored_exactly(
    client, currency, total
):
    items = [{"productId": "p", "quantity": 3, "price": Decimal("0.1")}]
    order_id = placed(
        client, items=items, totalAmount=Decimal(total), currency=currency
    )
    assert client.order(order_id)["totalAmount"] == Decimal("0.3")


def test_a_currency_not_named_is_the_dollar(client):
    assert client.order(placed(client, currency=None))["currency"] == "USD"


def test_a_trace_can_be_followed_from_request_to_message(client):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    body = order(orderId=new_id("ORD"))
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    client.place(body, new_id("key"), headers).ok()
    (commit,) = client.commits(f"order#{body['orderId']}")
    assert trace in str(commit)
