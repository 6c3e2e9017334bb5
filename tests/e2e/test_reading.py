"""Lists, pages and the past, through the deployed API."""

from client import new_id
from expect import problem
from orders import order, update


def test_orders_of_a_customer_in_order_of_their_time(waybill):
    customer = new_id("customer")
    ids = [new_id("ORD") for _ in range(3)]
    for order_id in ids:
        waybill.place(order(orderId=order_id, customerId=customer), new_id("key")).ok()
        waybill.order(order_id)
    first = waybill.get(f"/orders?customerId={customer}&limit=2").ok()
    assert [each["orderId"] for each in first["items"]] == ids[:2], first
    rest = waybill.get(f"/orders?customerId={customer}&limit=2&cursor={first['cursor']}").ok()
    assert [each["orderId"] for each in rest["items"]] == ids[2:] and rest["cursor"] is None
    newest = waybill.get(f"/orders?customerId={customer}&sort=newest").ok()
    assert [each["orderId"] for each in newest["items"]] == ids[::-1]


def test_orders_by_status_and_by_day(waybill):
    order_id = new_id("ORD")
    waybill.place(order(orderId=order_id), new_id("key")).ok()
    waybill.complete(order_id, new_id("key")).ok()
    day = waybill.order(order_id, version=2)["processingDate"]
    for filter in ("status=PROCESSED", f"day={day}"):
        page = waybill.get(f"/orders?{filter}&sort=newest").ok()
        assert order_id in [each["orderId"] for each in page["items"]], filter


def test_shipments_of_an_order_and_in_a_status(waybill):
    order_id, shipment_id = new_id("ORD"), new_id("SHIP")
    sent = update(shipment_id, orderId=order_id, status="LOST")
    version = waybill.update(shipment_id, sent, new_id("key")).ok()["version"]
    # The row catches up while the reader waits.
    waybill.get(f"/shipments/{shipment_id}?minVersion={version}").ok()
    for filter in (f"orderId={order_id}", "status=LOST"):
        page = waybill.get(f"/shipments?{filter}").ok()
        assert shipment_id in [each["shipmentId"] for each in page["items"]], filter


def test_what_is_not_there_is_a_problem(waybill):
    problem(waybill.get(f"/orders/{new_id('none')}"), 404)
    problem(waybill.get("/nothing"), 404)
    problem(waybill.get("/orders?status=NEW&limit=0"), 400)
