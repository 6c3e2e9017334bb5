"""Every way in, and what comes of it: rows, histories, announcements, alerts, metrics."""

import json
from decimal import Decimal

import pytest

from client import new_id
from deployed import NAME
from orders import order, snack_order, update
from patience import until
from reports import report_of

pytestmark = pytest.mark.usefixtures("inbox")

ORDERS = "DeliveryApp/OrderProcessing"
SHIPMENTS = "LogisticsProcessing"


def test_an_order_by_http(waybill, inbox):
    order_id, key = new_id("ORD"), new_id("key")
    body = order(orderId=order_id)
    placed = waybill.place(body, key).ok()
    assert placed["orderId"] == order_id and placed["status"] == "PROCESSING", placed
    row = waybill.order(order_id)
    assert row["totalAmount"] == body["totalAmount"] and row["items"] == body["items"], row
    assert row["environment"] == "dev-e2e", row
    created = inbox.announcement(f"order#{order_id}/1/Order Created")
    assert created["source"] == "waybill.orders" and created["detail-type"] == "Order Created"

    # A retry of the client makes no second order.
    assert waybill.place(body, key).ok() == placed
    assert waybill.place(order(orderId=order_id, customerId="other"), key).status == 422

    waybill.complete(order_id, new_id("key")).ok()
    assert waybill.order(order_id, version=2)["status"] == "PROCESSED"
    stored = until("the row", lambda: row_if(waybill, order_id, "PROCESSED"))
    assert stored["processedAt"].endswith("Z") and stored["processedTimestamp"] > 0, stored
    assert stored["totalAmount"] == body["totalAmount"], stored
    inbox.announcement(f"order#{order_id}/2/Order Processed")

    history = waybill.history(order_id)
    assert [event["sequence"] for event in history] == [1, 2]
    # Who it was says the gateway: the role without its session.
    assert {event["actor"] for event in history} == {waybill.caller.arn}


def row_if(waybill, order_id: str, status: str) -> dict | None:
    row = waybill.item("processed-orders", orderId=order_id)
    return row if row and row["status"] == status else None


def test_a_call_without_signature_is_refused(waybill):
    assert waybill.unsigned("GET", "/orders?status=PROCESSED").status == 403
    assert waybill.unsigned("POST", "/orders").status == 403


def test_a_browser_may_send_what_the_api_knows(waybill):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key,content-type,authorization",
    }
    answer = waybill.unsigned("OPTIONS", "/orders", asked)
    assert answer.status in (200, 204), answer
    assert answer.headers["access-control-allow-origin"] in ("*", asked["Origin"])
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"idempotency-key", "if-match", "authorization"} <= set(allowed.split(",")), allowed


@pytest.mark.parametrize("bus", [NAME, "default"])
def test_a_shipment_by_the_bus(waybill, inbox, bus):
    shipment_id = new_id("SHIP")
    body = update(shipment_id, status="DELAYED", timestamp="2024-05-02T10:00:00+02:00")
    event_id = waybill.put_event(body, bus=bus)
    shipment = waybill.shipment(shipment_id)
    assert shipment["status"] == "DELAYED", shipment
    assert shipment["timestamp"] == "2024-05-02T08:00:00.000Z", shipment
    [entry] = waybill.log(shipment_id)
    assert entry["eventId"] == event_id and entry["carrier"] == "FedEx", entry
    inbox.announcement(f"shipment#{shipment_id}/1/Shipment Status Changed")
    inbox.announcement(f"shipment#{shipment_id}/1/Shipment Alert")
    alert = inbox.alert(f"Logistics Alert: DELAYED - {shipment_id}")
    assert alert["MessageAttributes"]["status"]["Value"] == "DELAYED", alert


def test_an_order_by_the_bus(waybill, inbox):
    body = order(orderId=new_id("ORD"))
    waybill.put_event(body, Source="orders.commands", DetailType="Place Order")
    # Nobody else completes it: its own announcement comes round, through a rule.
    until("processed", lambda: row_if(waybill, body["orderId"], "PROCESSED"))
    inbox.announcement(f"order#{body['orderId']}/2/Order Processed")


def test_a_file_with_a_rejection_by_s3(waybill, inbox):
    good, bad = new_id("FILE"), new_id("FILE")
    name = f"{new_id('orders')}.json"
    items = [{"name": "Lamp", "quantity": 2, "price": Decimal("12.50")}]
    orders = [
        {"orderId": good, "weightKg": "3.75", "items": items},
        {"orderId": bad, "items": []},
    ]
    stored = waybill.put(f"orders/{name}", json.dumps(orders, default=str).encode())
    version = stored.get("VersionId") or stored["ETag"].strip('"')
    report = report_of(waybill, f"orders/{name}", version)
    assert (report["accepted"], report["rejected"], report["total"]) == (1, 1, 2), report
    [rejection] = report["rejections"]
    assert (rejection["position"], rejection["orderId"]) == (1, bad), report
    row = until("processed", lambda: row_if(waybill, good, "PROCESSED"))
    assert row["sourceFile"] == f"s3://{waybill.bucket}/orders/{name}", row
    assert row["attributes"] == {"weightKg": "3.75"}, row
    assert waybill.item("processed-orders", orderId=bad) is None
    inbox.alert("Logistics Processing Error - dev-e2e", f"reports/orders/{name}")


def test_a_direct_invocation(waybill, inbox):
    command = {**snack_order(), "commandId": new_id("snack")}
    answer = waybill.invoke("invoke", command)
    assert answer["status"] == "NEW", answer
    assert waybill.invoke("invoke", command) == answer
    row = until("processed", lambda: row_if(waybill, answer["orderId"], "PROCESSED"))
    assert row["customerName"] == command["customerName"], row
    inbox.announcement(f"order#{answer['orderId']}/1/Order Created")
    refused = waybill.invoke("invoke", snack_order(snackItems=[]))
    assert refused["error"]["status"] == 400, refused


def test_a_request_that_the_gateway_has_not_brought_is_refused(waybill):
    """It says who its caller is; what the gateway brings says so, too, and is taken."""
    placed = waybill.place(order(orderId=new_id("ORD")), new_id("key")).ok()
    path = f"/orders/{placed['orderId']}/cancel"
    spoofed = {
        "version": "2.0",
        "routeKey": "POST /orders/{orderId}/cancel",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"idempotency-key": new_id("key")},
        "requestContext": {
            "authorizer": {"jwt": {"claims": {"sub": "ceo@shop"}}},
            "http": {"method": "POST", "path": path},
            "requestId": new_id("request"),
            "stage": "$default",
        },
        "body": "{}",
        "isBase64Encoded": False,
    }
    assert waybill.invoke("api", spoofed)["statusCode"] == 403
    assert waybill.invoke("invoke", spoofed)["error"]["status"] == 400
    [placing] = waybill.history(placed["orderId"])
    assert placing["actor"] != "ceo@shop"


def test_the_old_name_still_takes_bare_orders(waybill):
    assert waybill.invoke("api", snack_order())["status"] == "NEW"


def test_what_was_done_is_told_in_metrics(waybill):
    """Embedded metric format in the functions' own log groups."""
    placed = lambda: sum(waybill.metrics("api", ORDERS, "OrdersProcessed", "Environment"))
    before = placed()
    waybill.place(order(orderId=new_id("ORD")), new_id("key")).ok()
    until("an order more", lambda: placed() == before + 1)

    logged = lambda: sum(
        waybill.metrics("bus", SHIPMENTS, "ShipmentUpdatesProcessed", "Environment", "Status")
    )
    before = logged()
    shipment_id = new_id("SHIP")
    waybill.put_event(update(shipment_id))
    waybill.shipment(shipment_id)
    until("an update more", lambda: logged() == before + 1)
