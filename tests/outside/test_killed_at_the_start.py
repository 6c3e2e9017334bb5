"""kill -9 before anything was ever said: the next start finds half a house."""

import random
import time

import pytest

from client import new_id
from expect import at_rest
from orders import order, placed, update
from system import System

SEED = 1
ROUNDS = 15
EARLIEST_SECONDS, LATEST_SECONDS = 0.0, 0.12  # twice what a whole start takes


@pytest.fixture
def another(tmp_path):
    system = System(tmp_path)
    yield system
    system.kill()


def kill_while_starting(system: System, rng: random.Random) -> None:
    system.spawn()
    # The one thing to wait for here is an arbitrary moment.
    time.sleep(rng.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
    system.kill()


def test_killed_again_and_again_in_its_very_first_start(another):
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        kill_while_starting(another, rng)
    client = another.start().client
    order_id = placed(client, fulfilment="automatic")
    assert client.order(order_id, version=2)["status"] == "PROCESSED"
    shipment_id = new_id("SHIP")
    client.put_event(update(shipment_id))
    assert client.log(shipment_id)
    at_rest(client)


def test_killed_again_and_again_while_it_takes_up_its_work(another):
    rng = random.Random(SEED)
    client = another.start().client
    ids = [f"ORD-{n}" for n in range(100)]
    for order_id in ids:
        client.place(order(orderId=order_id, fulfilment="automatic"), order_id).ok()
    another.kill()
    for _ in range(ROUNDS):
        kill_while_starting(another, rng)
    another.start()
    for order_id in ids:
        assert client.order(order_id, version=2)["status"] == "PROCESSED"
    at_rest(client)
    told = [
        (each["detail"]["orderId"], each["detailType"])
        for each in client.messages()
        if each["via"] == "EventBridge"
    ]
    assert set(told) == {
        (order_id, kind)
        for order_id in ids
        for kind in ("Order Created", "Order Processed")
    }
    assert client.local("dead-letters")["deadLetters"] == []
