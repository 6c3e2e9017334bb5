"""Orders and shipment updates to send, each fresh and valid until a test spoils it."""

from decimal import Decimal

from client import new_id
from patience import until

TOTAL = Decimal("109.97")


def order(**changes) -> dict:
    """A web shop's order; a change to `None` leaves the field out."""
    body = {
        "customerId": "customer123",
        "items": [
            {"productId": "prod1", "quantity": 2, "price": Decimal("29.99")},
            {"productId": "prod2", "quantity": 1, "price": Decimal("49.99")},
        ],
        "totalAmount": TOTAL,
        "currency": "USD",
    }
    return changed(body, changes)


def snack_order(**changes) -> dict:
    """A snack order, as it comes by direct invocation."""
    body = {
        "customerName": "Aïcha",
        "snackItems": [{"name": "Crisps", "quantity": 3, "price": Decimal("1.10")}],
        "totalAmount": Decimal("3.30"),
    }
    return changed(body, changes)


def update(shipment_id: str, **changes) -> dict:
    body = {
        "shipmentId": shipment_id,
        "status": "IN_TRANSIT",
        "location": "Memphis, TN",
        "carrier": "FedEx",
    }
    return changed(body, changes)


def changed(body: dict, changes: dict) -> dict:
    merged = body | changes
    return {name: value for name, value in merged.items() if value is not None}


def placed(client, **changes) -> str:
    """The id of an order that has just been accepted."""
    body = order(orderId=new_id("ORD"), **changes)
    answer = client.place(body, key=new_id("key")).ok()
    assert answer["orderId"] == body["orderId"]
    return answer["orderId"]


def completed_by_itself(client, order_id: str) -> dict:
    return until(
        f"{order_id} processed",
        lambda: (row := client.order(order_id))["status"] == "PROCESSED" and row,
    )
