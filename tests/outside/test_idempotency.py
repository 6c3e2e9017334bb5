"""A command's id: accepted once, remembered for ever, free until accepted."""

from decimal import Decimal

import pytest

from client import new_id
from expect import at_rest, messages_about, problem
from orders import TOTAL, order, placed, update


def test_a_repeat_gets_the_first_answer_after_the_order_has_moved_on(client):
    key, body = new_id("key"), order(orderId=new_id("ORD"))
    first = client.place(body, key).ok()
    client.complete(body["orderId"], new_id("key")).ok()
    assert client.place(body, key).ok() == first
    assert first["status"] == "PROCESSING" and first["version"] == 1
    assert len(client.history(body["orderId"])) == 2


@pytest.mark.parametrize("act", ["complete", "cancel"])
def test_a_repeated_change_gets_the_first_answer(client, act):
    order_id, key = placed(client), new_id("key")
    first = client.post(f"/orders/{order_id}/{act}", None, key).ok()
    again = client.post(f"/orders/{order_id}/{act}", None, key).ok()
    assert again == first
    assert first["version"] == 2
    assert len(client.history(order_id)) == 2


def test_a_repeated_cancel_with_another_reason_is_another_command(client):
    order_id, key = placed(client), new_id("key")
    client.cancel(order_id, "changed my mind", key).ok()
    problem(client.cancel(order_id, "out of stock", key), 422)
    assert client.history(order_id)[1]["data"]["reason"] == "changed my mind"


def test_complete_and_cancel_under_one_key_are_not_one_command(client):
    order_id, key = placed(client), new_id("key")
    client.complete(order_id, key).ok()
    problem(client.cancel(order_id, key=key), 422)


def test_an_order_without_an_id_is_found_again_by_its_key(client):
    key = new_id("key")
    first = client.place(order(), key).ok()
    assert client.place(order(), key).ok() == first
    assert client.place(order(), new_id("key")).ok()["orderId"] != first["orderId"]


def test_an_order_without_id_and_key_is_a_new_one_each_time(client):
    ids = {client.place(order()).ok()["orderId"] for _ in range(3)}
    assert len(ids) == 3


def test_a_wrong_total_makes_another_order_of_it(client):
    body, key = order(orderId=new_id("ORD")), new_id("key")
    first = client.place(body, key).ok()
    wrong = body | {"totalAmount": TOTAL + 1}
    problem(client.place(wrong, key), 422)
    conflict = problem(client.place(wrong, new_id("key")), 409)
    assert conflict["message"].endswith(": totalAmount")
    # A right one says nothing that the items do not say.
    assert client.place(body | {"totalAmount": None}, key).ok() == first


def test_equal_content_under_another_key_is_already_known(client):
    body = order(orderId=new_id("ORD"))
    first = client.place(body, new_id("key")).ok()
    again = client.place(body, new_id("key")).ok()
    assert again == first | {"message": "Order already known"}
    client.cancel(body["orderId"], key=new_id("key")).ok()
    # Whoever places it once more must not take it for a live one.
    later = client.place(body, new_id("key")).ok()
    assert later == again | {"status": "CANCELLED", "version": 2}
    assert len(client.history(body["orderId"])) == 2


def test_a_member_that_is_null_says_as_much_as_a_missing_one(client):
    body = order(orderId=new_id("ORD"))
    client.place(body, new_id("key")).ok()
    nulls = body | {"customerName": None, "note": None, "adjustments": None}
    nulls["items"] = [each | {"name": None, "gift": None} for each in body["items"]]
    assert client.place(nulls, new_id("key")).ok()["message"] == "Order already known"


def test_a_conflict_names_the_members_that_differ(client):
    body = order(orderId=new_id("ORD"), note="as it was")
    client.place(body, new_id("key")).ok()
    other = body | {
        "customerId": "someone else",
        "currency": "EUR",
        "note": "zoe@example.org",
        "placedAt": "2024-01-15T10:30:00Z",
        "adjustments": [{"type": "tip", "amount": 0}],
        "zoe@example.org": 1,
    }
    conflict = problem(client.place(other, new_id("key")), 409)
    assert conflict["code"] == "order_exists"
    differing = conflict["message"].split(": ")[1].split(", ")
    assert set(differing) == {
        *("customerId", "currency", "placedAt", "adjustments", "attributes"),
    }


def test_one_key_serves_two_orders(client):
    """A key is scoped to its order, so a client may number per order."""
    key = new_id("key")
    one, two = order(orderId=new_id("ORD")), order(orderId=new_id("ORD"))
    client.place(one, key).ok()
    client.place(two, key).ok()
    for body in (one, two):
        assert len(client.history(body["orderId"])) == 1


def test_numbers_and_member_order_do_not_make_another_body(client):
    key, order_id = new_id("key"), new_id("ORD")
    text = '{"orderId":"%s","items":[{"productId":"p","quantity":1,"price":%s}],"n":%s}'
    first = client.place(text % (order_id, "2.50", "1.0"), key).ok()
    same = client.place(text % (order_id, '"2.5"', "1"), key)
    assert same.ok() == first


def test_a_refused_order_leaves_its_key_free(client):
    key, order_id = new_id("key"), new_id("ORD")
    problem(client.place(order(orderId=order_id, items=[]), key), 400)
    assert client.place(order(orderId=order_id), key).ok()["version"] == 1


def test_a_refused_change_leaves_its_key_free(client):
    key, order_id = new_id("key"), new_id("ORD")
    problem(client.complete(order_id, key), 404)
    client.place(order(orderId=order_id), new_id("key")).ok()
    problem(client.complete(order_id, key, {"If-Match": '"7"'}), 412)
    assert client.complete(order_id, key).ok()["status"] == "PROCESSED"


def test_a_conflict_leaves_its_key_free(client):
    key, order_id = new_id("key"), placed(client)
    other = order(orderId=order_id, customerId="other")
    problem(client.place(other, key), 409)
    assert client.cancel(order_id, key=key).ok()["version"] == 2


def test_a_restart_forgets_no_key(system, client):
    place_key, cancel_key = new_id("key"), new_id("key")
    body = order(orderId=new_id("ORD"))
    first = client.place(body, place_key).ok()
    cancelled = client.cancel(body["orderId"], "late", cancel_key).ok()
    system.kill()
    system.start()
    assert client.place(body, place_key).ok() == first
    assert client.cancel(body["orderId"], "late", cancel_key).ok() == cancelled
    problem(client.cancel(body["orderId"], "other", cancel_key), 422)


def test_a_key_is_remembered_behind_a_long_history(client):
    """Past every snapshot, and not only among the last commits."""
    shipment_id, key = new_id("SHIP"), new_id("first")
    first = client.update(shipment_id, {"status": "CREATED"}, key).ok()
    for n in range(50):
        body = {"status": "IN_TRANSIT", "location": f"Stop {n}"}
        client.update(shipment_id, body, new_id("key")).ok()
    assert client.update(shipment_id, {"status": "CREATED"}, key).ok() == first
    problem(client.update(shipment_id, {"status": "LOST"}, key), 422)
    assert len(client.commits(f"shipment#{shipment_id}")) == 51


def test_a_repeat_announces_nothing_anew(client):
    key, body = new_id("key"), order(orderId=new_id("ORD"))
    for _ in range(5):
        client.place(body, key).ok()
    at_rest(client)
    assert len(messages_about(client, f"order#{body['orderId']}")) == 1


def test_an_event_of_the_bus_is_known_by_its_id(client):
    """As the platform delivers it, and delivers it once more."""
    shipment_id = new_id("SHIP")
    event = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "Shipment Update",
        "source": "logistics.shipments",
        "account": "000000000000",
        "time": "2024-01-15T10:30:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": update(shipment_id, weight=Decimal("1.50")),
    }
    for _ in range(3):
        client.invoke("bus", event)
    assert len(client.log(shipment_id)) == 1
    assert len(client.commits(f"shipment#{shipment_id}")) == 1
    other = event | {"id": "00000000-b491-4cf7-a9f1-bf3703467718"}
    client.invoke("bus", other)
    assert len(client.log(shipment_id, entries=2)) == 2
