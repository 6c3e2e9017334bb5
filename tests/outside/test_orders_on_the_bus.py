"""Orders by event: placed, completed and cancelled by other systems."""

from decimal import Decimal

import pytest

from client import new_id
from exact import json_text
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
        ("Complete Order", {}),
        ("Cancel Order", {"orderId": 5.5}),
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


def test_a_command_that_comes_before_its_order_waits_for_it(client):
    ids = [new_id("BUS") for _ in range(20)]
    for order_id in ids:
        cancel = {"orderId": order_id, "reason": "changed my mind"}
        place = order(orderId=order_id, fulfilment="merchant")
        entries = [
            {"EventBusName": "waybill-dev", "Source": "orders.commands"}
            | {"DetailType": kind, "Detail": json_text(detail)}
            for kind, detail in (("Cancel Order", cancel), ("Place Order", place))
        ]
        assert client.events.put_events(Entries=entries)["FailedEntryCount"] == 0
    for order_id in ids:
        assert client.order(order_id, 2)["status"] == "CANCELLED"
    at_rest(client)
    letters = str(client.local("dead-letters")["deadLetters"])
    assert not [order_id for order_id in ids if order_id in letters]


@pytest.mark.parametrize("kind", ["Complete Order", "Cancel Order"])
def test_a_command_whose_order_never_comes_is_a_dead_letter_in_the_end(client, kind):
    event_id = send(client, kind, {"orderId": new_id("NOBODY")})

    def letters():
        kept = client.local("dead-letters")["deadLetters"]
        return [each for each in kept if event_id in json_text(each)]

    until("its dead letter", letters)
    at_rest(client)
    assert len(letters()) == 1


def test_a_mail_names_the_order_and_no_word_of_its_sender(client):
    order_id = new_id("BUS")
    body = order(orderId=order_id, totalAmount=1)
    event_id = send(client, "Place Order", body)
    given_up(client, event_id)
    (mail,) = [each for each in client.messages() if event_id in each.get("message", "")]
    assert f"Order: {order_id}" in mail["message"] and "109.97" in mail["message"]
    spy = {"12 Elm Street\nClick here": 1}
    place = spy | {"note": {"12 Elm Street": Decimal("1" * 39)}}
    event_id = send(client, "Place Order", order(orderId=order_id) | place)
    given_up(client, event_id)
    (mail,) = [each for each in client.messages() if event_id in each.get("message", "")]
    assert "Elm" not in mail["message"] and "Click" not in mail["message"]


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
