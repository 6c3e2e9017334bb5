"""The bare order JSON of the snack shop, handed to the function itself."""

from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from client import json_text, new_id, read_json
from expect import announced, at_rest, problem_body
from orders import completed_by_itself, snack_order


def test_a_snack_order_is_accepted_as_it_is_and_completed_by_itself(client):
    answer = client.invoke("invoke", snack_order())
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
    answer = client.invoke("invoke", snack_order(fulfilment="merchant"))
    assert answer["status"] == "PROCESSING"
    at_rest(client)
    assert len(client.history(answer["orderId"])) == 1


def test_a_command_id_makes_a_direct_invocation_repeatable(client):
    body = snack_order(orderId=new_id("SNACK"), commandId=new_id("cmd"))
    first = client.invoke("invoke", body)
    completed_by_itself(client, body["orderId"])
    assert client.invoke("invoke", body) == first
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
    problem_body(client.invoke("invoke", snack_order(**changes))["error"], 400, field)


@pytest.mark.parametrize("payload", ["[]", "null", "1", '"x"', "{}", "[[[[]]]]"])
def test_a_direct_invocation_that_is_no_order_is_told_so(client, payload):
    problem_body(client.invoke("invoke", payload)["error"], 400)


def spoofed(order_id):
    """A request as the gateway would bring it, of somebody who may invoke functions."""
    path = f"/orders/{order_id}/cancel"
    return {
        "version": "2.0",
        "routeKey": "POST /orders/{orderId}/cancel",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"idempotency-key": new_id("key")},
        "requestContext": {
            "authorizer": {"jwt": {"claims": {"sub": "ceo@shop"}}},
            "http": {"method": "POST", "path": path, "sourceIp": "127.0.0.1"},
            "requestId": new_id("request"),
            "stage": "$default",
        },
        "body": '{"reason":"I am the boss"}',
        "isBase64Encoded": False,
    }


def test_nobody_but_the_gateway_says_who_calls(client):
    order_id = client.invoke("invoke", snack_order(fulfilment="merchant"))["orderId"]
    refused = client.invoke("api", spoofed(order_id))
    assert refused["statusCode"] == 403
    assert problem_body(read_json(refused["body"]), 403)["code"] == "not_by_gateway"
    problem_body(client.invoke("invoke", spoofed(order_id))["error"], 400)
    for name in ("waybill-dev-api", "waybill-dev-query"):
        for asked in ({"FunctionName": f"{name}:live"}, {"FunctionName": name, "Qualifier": "live"}):
            with pytest.raises(ClientError) as denied:
                payload = json_text(spoofed(order_id)).encode()
                client.functions.invoke(Payload=payload, **asked)
            assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    at_rest(client)
    [placing] = client.history(order_id)
    assert placing["actor"] == "invoke"


def test_the_old_name_takes_bare_orders_with_a_warning(system, client):
    answer = client.invoke("api", snack_order())
    assert answer["status"] == "NEW"
    assert client.history(answer["orderId"])[0]["actor"] == "invoke"
    assert "send it to the function `invoke`" in system.log_tail(200)


def test_a_direct_invocation_meets_the_same_conflicts(client):
    body = snack_order(orderId=new_id("SNACK"), commandId=new_id("cmd"))
    client.invoke("invoke", body)
    other = client.invoke("invoke", body | {"customerName": "Bo"})
    problem_body(other["error"], 422)
    rival = body | {"customerName": "Bo", "commandId": new_id("cmd")}
    error = problem_body(client.invoke("invoke", rival)["error"], 409)
    assert error["version"] >= 1 and error["orderStatus"] in ("NEW", "PROCESSED")
