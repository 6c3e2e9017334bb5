"""One id finds the whole way of an order, from the request to what was announced."""

import json

import pytest

from client import new_id
from exact import json_text
from expect import message
from orders import completed_by_itself, order, placed, snack_order, update
from patience import until
from reports import imported

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def logged(system) -> list[dict]:
    """The log as CloudWatch would have it: a JSON object a line."""
    text = (system.data / "waybill.log").read_text(errors="replace")
    return [json.loads(line) for line in text.splitlines()]


def lines(system, **fields) -> list[dict]:
    """Lines of the log with all of these fields."""
    return [line for line in logged(system) if fields.items() <= line.items()]


def traces_of(client, aggregate: str) -> list[str]:
    items = client.commits(aggregate)
    return [item.get("traceparent", {}).get("S") for item in items]


def test_a_trace_goes_from_the_request_through_every_commit(client):
    headers = {"traceparent": TRACEPARENT}
    body = order(orderId=new_id("ORD"), fulfilment="automatic")
    client.place(body, headers=headers).ok()
    order_id = body["orderId"]
    completed_by_itself(client, order_id)
    assert traces_of(client, f"order#{order_id}") == [TRACEPARENT] * 2
    for event in client.history(order_id):
        assert event["correlationId"] == TRACE
    for place, kind in enumerate(["Order Created", "Order Processed"], 1):
        said = message(client, f"order#{order_id}/{place}/{kind}")["detail"]
        assert said["correlationId"] == TRACE
        assert said["traceparent"] == TRACEPARENT


def test_the_completion_was_caused_by_the_announcement(client):
    order_id = placed(client, fulfilment="automatic")
    completed_by_itself(client, order_id)
    first, second = client.history(order_id)
    assert second["causationId"] == f"order#{order_id}/1/Order Created"
    assert second["correlationId"] == first["correlationId"]


def test_one_id_finds_every_line_of_the_log(system, client):
    own = new_id("correlation")
    body = order(orderId=new_id("ORD"), fulfilment="automatic")
    client.place(body, headers={"X-Correlation-Id": own}).ok()
    completed_by_itself(client, body["orderId"])
    for what in ["a command was executed", "a commit was announced"]:
        for version in (1, 2):
            told = {"message": what, "version": version, "correlation_id": own}
            until(f"{told} in the log", lambda fields=told: lines(system, **fields))


def test_nothing_of_the_customer_is_in_the_log(system, client):
    marker = new_id("MARKER")
    body = order(orderId=new_id("ORD"), customerName=marker, note=marker)
    client.place(body).ok()
    client.place(body | {"items": []})
    shipment = new_id("SHIP")
    client.put_event(update(shipment, location=marker, status="LOST"))
    client.put_event({"location": marker})
    client.shipment(shipment)
    text = (system.data / "waybill.log").read_text(errors="replace")
    assert "a command was executed" in text
    assert marker not in text and marker not in system.log.read_text(errors="replace")


@pytest.mark.parametrize(
    "kind, detail",
    [
        ("Shipment Update", {"status": "LOST"}),
        ("Shipment Delayed", {}),
    ],
)
def test_an_event_may_bring_its_trace(client, kind, detail):
    shipment = new_id("SHIP")
    event = {"shipmentId": shipment, "traceparent": TRACEPARENT, **detail}
    client.put_event(event, DetailType=kind)
    row = until("its log", lambda: client.log(shipment))[0]
    assert traces_of(client, f"shipment#{shipment}") == [TRACEPARENT]
    said = message(client, f"shipment#{shipment}/1/Shipment Alert")["detail"]
    assert said["correlationId"] == TRACE and said["traceparent"] == TRACEPARENT
    # It says how the update came, not what it is.
    assert "traceparent" not in json.dumps(row["attributes"])


def test_a_direct_invocation_may_bring_its_trace(client):
    order_id = client.invoke("invoke", snack_order(traceparent=TRACEPARENT))["orderId"]
    assert traces_of(client, f"order#{order_id}")[0] == TRACEPARENT


def test_what_is_no_trace_is_ignored(client):
    body = order(orderId=new_id("ORD"))
    client.place(body, headers={"traceparent": "00-0-0-0"}).ok()
    assert traces_of(client, f"order#{body['orderId']}") == [None]


def test_the_orders_of_a_file_have_one_correlation_id(client):
    orders = [order(orderId=new_id("ORD")) for _ in range(2)]
    body = "\n".join(map(json_text, orders)).encode()
    report = imported(client, f"{new_id('file')}.jsonl", body)
    for each in orders:
        (placing, *_) = client.history(each["orderId"])
        assert placing["correlationId"] == report["correlationId"]
