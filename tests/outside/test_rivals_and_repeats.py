"""Many at once on one order: one wins, nobody is told a wrong story."""

from functools import partial

import pytest

from client import new_id
from expect import at_rest, conflict, messages_about
from oracle import differences, fold_order
from orders import order, placed
from patience import at_once

RIVALS = 50
REPEATS = 20


def test_of_fifty_rivals_one_wins_and_the_others_learn_where_the_order_stands(client):
    order_id = placed(client)
    calls = [
        partial(client.complete if n % 2 else client.cancel, order_id, key=f"rival-{n}")
        for n in range(RIVALS)
    ]
    answers = at_once(calls)
    (won,) = [answer.json for answer in answers if answer.status == 200]
    assert won["status"] in ("PROCESSED", "CANCELLED") and won["version"] == 2
    for answer in answers:
        if answer.status != 200:
            conflict(answer, version=2, status=won["status"])
    history = client.history(order_id)
    assert [event["sequence"] for event in history] == [1, 2]
    assert len(client.commits(f"order#{order_id}")) == 2
    row = client.order(order_id, version=2)
    assert not differences(row, fold_order(history))
    assert row["status"] == won["status"] and row["allowedActions"] == []


def test_the_winner_is_announced_and_no_rival(client):
    order_id = placed(client)
    at_once([partial(client.complete, order_id, key=f"rival-{n}") for n in range(10)])
    at_rest(client)
    about = messages_about(client, f"order#{order_id}")
    kinds = [each["detailType"] for each in about]
    assert kinds == ["Order Created", "Order Processed"]


@pytest.mark.parametrize("names_its_id", [True, False])
def test_twenty_repeats_of_one_new_key_are_one_order(client, names_its_id):
    customer = new_id("customer")
    body = order(customerId=customer, orderId=new_id("ORD") if names_its_id else None)
    key = new_id("key")
    answers = at_once([partial(client.place, body, key)] * REPEATS)
    assert {answer.status for answer in answers} == {200}, answers
    assert len({answer.text for answer in answers}) == 1, answers
    order_id = answers[0].json["orderId"]
    assert [event["sequence"] for event in client.history(order_id)] == [1]
    assert len(client.commits(f"order#{order_id}")) == 1
    at_rest(client)
    rows = client.scan("processed-orders")
    assert [r["orderId"]["S"] for r in rows if r["customerId"]["S"] == customer] == [
        order_id
    ]


def test_twenty_repeats_of_one_completion_are_one_completion(client):
    order_id = placed(client)
    answers = at_once([partial(client.complete, order_id, new_id("same"))] * REPEATS)
    assert {answer.status for answer in answers} == {200}, answers
    assert len({answer.text for answer in answers}) == 1, answers
    assert len(client.history(order_id)) == 2


def test_rival_updates_of_one_shipment_are_all_logged_once(client):
    shipment_id = new_id("SHIP")
    bodies = [{"status": "IN_TRANSIT", "location": f"Stop {n}"} for n in range(20)]
    keys = [new_id("key") for _ in bodies]
    calls = [
        partial(client.update, shipment_id, *each)
        for each in zip(bodies, keys, strict=True)
    ]
    answers = [answer.ok() for answer in at_once(calls * 2)]
    assert answers[:20] == answers[20:]
    assert sorted(answer["version"] for answer in answers[:20]) == list(range(1, 21))
    at_rest(client)
    log = client.log(shipment_id, entries=20)
    assert sorted(row["location"] for row in log) == sorted(
        body["location"] for body in bodies
    )


def test_rival_orders_under_one_id_are_one_order_and_conflicts(client):
    order_id = new_id("ORD")
    bodies = [order(orderId=order_id, customerId=f"rival-{n}") for n in range(10)]
    answers = at_once([partial(client.place, body, new_id("key")) for body in bodies])
    assert sorted(answer.status for answer in answers) == [200] + [409] * 9
    for answer in answers:
        if answer.status == 409:
            conflict(answer, version=1, status="PROCESSING")
    assert len(client.history(order_id)) == 1
