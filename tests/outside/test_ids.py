"""Ids as other systems have them go the whole way."""

from urllib.parse import quote

import pytest

from client import new_id
from expect import at_rest, messages_about
from orders import order, update

IDS = [
    "#1001",
    "50%",
    "%2F",
    "a b",
    "a+b&c=d",
    "who?",
    "x:y;z",
    '"it\'s"',
    "<script>",
    "order#1",
    "CURRENT",
    "Größe-ẞ",
    "\u202eabc",
    "\U0001f600" * 128,
]
BY_ID = pytest.mark.parametrize("text", IDS, ids=lambda text: ascii(text)[:14])


def unique(text: str) -> str:
    """Another one of its kind, so that tests of one system keep apart."""
    tail = new_id("-")
    return (text[: 128 - len(tail)] + tail) if len(text) < 128 else text


@BY_ID
def test_an_order_of_any_id_goes_the_whole_way(client, text):
    order_id = unique(text)
    path = quote(order_id, safe="")
    customer = new_id(text[:20])
    body = order(orderId=order_id, customerId=customer)
    assert client.place(body, new_id("key")).ok()["orderId"] == order_id
    assert client.order(path)["orderId"] == order_id
    done = client.complete(path, new_id("key"), {"If-Match": '"1"'}).ok()
    assert (done["orderId"], done["status"]) == (order_id, "PROCESSED")
    assert client.order(path, 2)["orderId"] == order_id
    kinds = [each["type"] for each in client.history(path)]
    assert kinds == ["OrderPlaced", "OrderProcessed"]
    listed = client.get(f"/orders?customerId={quote(customer, safe='')}").ok()["items"]
    assert [each["orderId"] for each in listed] == [order_id]
    at_rest(client)
    told = messages_about(client, f"order#{order_id}", "EventBridge")
    assert [each["detail"]["orderId"] for each in told] == [order_id] * 2
    assert client.commits(f"order#{order_id}")


@BY_ID
def test_a_shipment_of_any_id_goes_the_whole_way(client, text):
    shipment_id, order_id = unique(text), unique(text)
    path = quote(shipment_id, safe="")
    for status in ("IN_TRANSIT", "LOST"):
        body = update(shipment_id, status=status, orderId=order_id)
        answer = client.update(path, body, new_id("key")).ok()
        assert answer["shipmentId"] == shipment_id
    assert client.shipment(path, 2)["shipmentId"] == shipment_id
    assert {row["shipmentId"] for row in client.log(path, 2)} == {shipment_id}
    at_rest(client)
    (alert,) = messages_about(client, f"shipment#{shipment_id}", "SNS")
    assert shipment_id in alert["message"]
    assert alert["subject"].isascii() and len(alert["subject"]) <= 100
    found = client.get(f"/shipments?orderId={quote(order_id, safe='')}").ok()["items"]
    assert shipment_id in [each["shipmentId"] for each in found]


def test_a_list_of_any_ids_is_paged_without_loss(client):
    order_id = new_id("ORD #")
    ids = {f"{text[:100]} of {order_id}" for text in IDS}
    for shipment_id in ids:
        client.put_event(update(shipment_id, orderId=order_id))
        client.shipment(quote(shipment_id, safe=""))
    found, cursor = [], ""
    for _ in ids:
        asked = f"/shipments?orderId={quote(order_id, safe='')}&limit=3{cursor}"
        page = client.get(asked).ok()
        found += [each["shipmentId"] for each in page["items"]]
        if not page["cursor"]:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(found) == sorted(ids)


def test_numbers_are_ids(client):
    number = int(new_id("")[1:9], 16)
    items = [{"productId": 271, "quantity": 1, "price": 5}]
    body = {"orderId": number, "customerId": 6, "items": items}
    assert client.post("/orders", body, new_id("key")).ok()["orderId"] == str(number)
    row = client.order(str(number))
    assert row["customerId"] == "6" and row["items"][0]["productId"] == "271"
    client.put_event({"shipmentId": number, "status": "LOST", "orderId": number})
    assert client.shipment(str(number))["orderId"] == str(number)
