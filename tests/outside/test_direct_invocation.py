"""The bare order JSON of the snack shop, handed to the function itself."""

from decimal import Decimal

import pytest

from client import new_id
from expect import announced, at_rest, problem_body
from orders import completed_by_itself, snack_order


def test_a_snack_order_is_accepted_as_it_is_and_completed_by_itself(client):
    answer = client.invoke("api", snack_order())
    assert answer["status"] == "NEW" and answer["version"] == 1 and answer["message"]
    order_id = answer["orderId"]
    row = completed_by_itself(client, order_id)
    assert row["customerName"] == "Aïcha" and row["fulfilment"] == "automatic"
    assert row["totalAmount"] == Decimal("3.3") and row["processedAt"]
    assert row["items"] == snack_order()["snackItems"]
    placing, completion = client.history(order_id)
    assert completion["commandId"] == f"fulfil/{order_id}"
    assert completion["at"] >= placing["at"]
    at_rest(client)
    assert announced(client, order_id) == {"Order Created", "Order Processed"}


def test_a_merchant_order_by_direct_invocation_waits(client):
    answer = client.invoke("api", snack_order(fulfilment="merchant"))
    assert answer["status"] == "PROCESSING"
    at_rest(client)
    assert len(client.history(answer["orderId"])) == 1


def test_a_command_id_makes_a_direct_invocation_repeatable(client):
    body = snack_order(orderId=new_id("SNACK"), commandId=new_id("cmd"))
    first = client.invoke("api", body)
    completed_by_itself(client, body["orderId"])
    assert client.invoke("api", body) == first
    assert len(client.history(body["orderId"])) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"snackItems": []}, "tems"),
        ({"snackItems": None}, "tems"),
        ({"totalAmount": Decimal("3.31")}, "totalAmount"),
        ({"totalAmount": "three"}, "totalAmount"),
        ({"snackItems": [{"name": "x", "quantity": 0, "price": 1}]}, "quantity"),
        ({"snackItems": [{"name": "x", "quantity": 1, "price": -1}]}, "totalAmount"),
        ({"orderId": "a/b"}, "orderId"),
        ({"currency": "XAU"}, "currency"),
        ({"note": "x" * 400_000}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_direct_invocation_is_told_its_fault_without_a_function_error(
    client, changes, field
):
    problem_body(client.invoke("api", snack_order(**changes))["error"], 400, field)


@pytest.mark.parametrize("payload", ["[]", "null", "1", '"x"', "{}", "[[[[]]]]"])
def test_a_direct_invocation_that_is_no_order_is_told_so(client, payload):
    problem_body(client.invoke("api", payload)["error"], 400)


def test_a_direct_invocation_meets_the_same_conflicts(client):
    body = snack_order(orderId=new_id("SNACK"), commandId=new_id("cmd"))
    client.invoke("api", body)
    other = client.invoke("api", body | {"customerName": "Bo"})
    problem_body(other["error"], 422)
    rival = body | {"customerName": "Bo", "commandId": new_id("cmd")}
    error = problem_body(client.invoke("api", rival)["error"], 409)
    assert error["version"] >= 1 and error["orderStatus"] in ("NEW", "PROCESSED")
