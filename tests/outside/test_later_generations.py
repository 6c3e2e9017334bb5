"""A read model of another generation beside the old: projected, filled, and then read."""

from dataclasses import dataclass

import pytest

from expect import at_rest
from orders import order, update
from rebuilding import WELL, WRONG, Operator
from system import System

ORDERS = 30
OLD = "processed-orders,shipment-log"
BESIDE = "processed-orders,processed-orders-v2,shipment-log"
MOVED = "processed-orders-v2,processed-orders,shipment-log"
V2 = ("--only", "processed-orders-v2")
V1 = ("--only", "processed-orders")


@dataclass
class Move:
    """What was seen on the way from one generation to the next."""

    steps: dict
    answers: dict
    operator: Operator
    system: System


def place_some(client, first: int) -> None:
    for number in range(first, first + ORDERS):
        body = order(
            orderId=f"GEN-{number}",
            customerId=f"customer-{number % 4}",
            fulfilment="merchant" if number % 3 else "automatic",
        )
        client.place(body, key=f"place-{number}").ok()
        if number % 3 == 1:
            client.complete(f"GEN-{number}", key=f"complete-{number}").ok()
    client.update("GEN-S", update("GEN-S", location=f"after {first}")).ok()
    at_rest(client)


def answers(client) -> dict:
    paths = [f"/orders/GEN-{number}" for number in range(2 * ORDERS)]
    paths += [f"/orders?customerId=customer-{number}&limit=100" for number in range(4)]
    paths += ["/orders?status=PROCESSING&limit=100", "/orders?status=PROCESSED&limit=7"]
    paths += ["/shipments/GEN-S", "/shipments/GEN-S/log"]
    return {path: client.get(path).ok() for path in paths}


def restart(system: System, read_models: str) -> None:
    if system.is_running():
        assert system.stop() == 0
    system.read_models = read_models
    system.start()


@pytest.fixture(scope="module")
def move(tmp_path_factory):
    system = System(tmp_path_factory.mktemp("generations"))
    operator = Operator(system, tmp_path_factory.mktemp("operator"))
    client, steps = system.client, {}
    restart(system, OLD)
    place_some(client, 0)
    restart(system, BESIDE)
    steps["empty"] = operator.verify(*V2)
    steps["filled"] = operator.rebuild(*V2)
    place_some(client, ORDERS)
    steps["old"] = operator.verify(*V1)
    steps["new"] = operator.verify(*V2)
    steps["all"] = operator.verify()
    before = answers(client)
    restart(system, MOVED)
    moved = answers(client)
    yield Move(steps, {"before": before, "moved": moved}, operator, system)
    system.kill()


def test_it_is_empty_until_it_is_rebuilt(move):
    empty, filled = move.steps["empty"], move.steps["filled"]
    assert empty.code == WRONG
    names = {(each["id"], each["wrong"]) for each in empty.json["findings"]}
    assert names == {(f"GEN-{number}", "missing") for number in range(ORDERS)}
    assert filled.code == WELL
    assert filled.json["counted"]["written"] == ORDERS


def test_what_comes_later_is_projected_to_both(move):
    for step in ("old", "new", "all"):
        assert move.steps[step].code == WELL, move.steps[step].out
    counted = [move.steps[step].json["counted"] for step in ("old", "new", "all")]
    orders = 2 * ORDERS
    assert [each["aggregates"] for each in counted] == [orders, orders, orders + 1]


def test_readers_who_moved_are_answered_the_same(move):
    assert move.answers["moved"] == move.answers["before"]


def test_the_new_one_is_read_and_the_old_one_still_kept(move):
    client = move.system.client
    rows = {name: client.scan(name) for name in ("processed-orders", V2[1])}
    key = lambda row: row["orderId"]["S"]
    old, new = (sorted(rows[name], key=key) for name in rows)
    assert old == new
    # Whoever spoils the old one changes no answer, and it can be mended by its name alone.
    wrong = old[0] | {"currency": {"S": "XXX"}}
    client.dynamodb.put_item(TableName="waybill-dev-processed-orders", Item=wrong)
    order_id = key(wrong)
    assert client.order(order_id)["currency"] == "USD"
    assert move.operator.verify().code == WELL
    noticed = move.operator.verify(*V1)
    assert noticed.code == WRONG
    [finding] = noticed.json["findings"]
    assert (finding["id"], finding["wrong"]) == (order_id, "different")
    assert move.operator.rebuild(*V2).json["counted"]["written"] == 0
    assert move.operator.rebuild(*V1).json["counted"]["written"] == 1
    assert client.scan("processed-orders") == rows["processed-orders"]
