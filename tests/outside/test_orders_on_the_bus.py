"""Orders by event: placed, completed and cancelled by other systems."""

import pytest

from client import new_id
from expect import announced, at_rest, no_internals, problem
from oracle import differences, fold_order
from orders import completed_by_itself, order, placed
from patience import until

COMMANDS = {"Source": "orders.commands", "EventBusName": "waybill-dev"}


def send(client, kind: str, detail: dict) -> str:
    return client.put_event(detail, DetailType=kind, **COMMANDS)


def test_an_order_of_the_bus_is_automatic_and_completed(client):
    order_id = new_id("BUS")
    send(client, "Place Order", order(orderId=order_id))
    row = completed_by_itself(client, order_id)
    assert row["fulfilment"] == "automatic" and row["version"] == 2
    history = client.history(order_id)
    assert not differences(row, fold_order(history))
    assert history[1]["commandId"] == f"fulfil/{order_id}"
    at_rest(client)
    assert announced(client, order_id) == {"Order Created", "Order Processed"}


def test_an_order_of_the_bus_is_completed_and_cancelled_by_events(client):
    one, two = new_id("BUS"), new_id("BUS")
    for order_id in (one, two):
        send(client, "Place Order", order(orderId=order_id, fulfilment="merchant"))
        assert client.order(order_id)["status"] == "PROCESSING"
    send(client, "Complete Order", {"orderId": one})
    send(client, "Cancel Order", {"orderId": two, "reason": "out of stock"})
    assert client.order(one, version=2)["status"] == "PROCESSED"
    row = client.order(two, version=2)
    assert row["status"] == "CANCELLED" and row["cancelReason"] == "out of stock"


def test_an_event_delivered_again_places_nothing_twice(client):
    order_id = new_id("BUS")
    body = order(orderId=order_id, fulfilment="merchant")
    event = {
        "version": "0",
        "id": new_id("event"),
        "detail-type": "Place Order",
        "source": "orders.commands",
        "account": "000000000000",
        "time": "2024-01-15T10:30:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": body,
    }
    for _ in range(3):
        client.invoke("bus", event)
    assert len(client.history(order_id)) == 1


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("Place Order", {"orderId": "a/b"}),
        ("Place Order", order(items=[])),
        ("Place Order", order(totalAmount=1)),
        ("Complete Order", {"orderId": "NOBODY-1"}),
        ("Complete Order", {}),
        ("Cancel Order", {"orderId": "NOBODY-1"}),
        ("Cancel Order", {"orderId": 5}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_order_event_that_can_never_succeed_is_given_up_aloud(client, kind, detail):
    event_id = send(client, kind, detail)
    given_up(client, event_id)


def test_a_closed_order_is_not_closed_again_by_an_event(client):
    order_id = placed(client)
    client.complete(order_id, new_id("key")).ok()
    given_up(client, send(client, "Cancel Order", {"orderId": order_id}))
    assert len(client.history(order_id)) == 2


def test_order_events_are_heard_on_the_own_bus_only(client):
    order_id = new_id("BUS")
    client.put_event(
        order(orderId=order_id), DetailType="Place Order", Source="orders.commands"
    )
    at_rest(client)
    problem(client.get(f"/orders/{order_id}"), 404)


def given_up(client, event_id: str) -> None:
    """Kept, said aloud once and acknowledged; the mail tells nothing of the customer."""
    until(
        "its dead letter",
        lambda: event_id in str(client.local("dead-letters")["deadLetters"]),
    )
    at_rest(client)
    mails = [each for each in client.messages() if event_id in each.get("message", "")]
    assert len(mails) == 1
    assert mails[0]["subject"] == "Logistics Processing Error - dev"
    no_internals(mails[0]["message"])
    assert "customer123" not in mails[0]["message"]
