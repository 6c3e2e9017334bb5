"""Members that nobody knows, or nearly: what would change the meaning is refused by name."""

import pytest

from client import new_id
from expect import at_rest, problem
from orders import order, placed
from test_orders_on_the_bus import COMMANDS
from patience import until


@pytest.mark.parametrize(
    "name",
    [
        *("curency", "Currency", "CURRENCY", "total_amount", "total-amount", "Items"),
        *("customer_id", "customerID", "fulfillment", "placed_at", "Adjustments"),
        *("adjustment", "order_id", "snackitems", "traceParent", "currecny", "item"),
    ],
)
def test_a_name_that_is_nearly_one_of_ours_is_refused(client, name):
    body = order(orderId=new_id("ORD"), totalAmount=None) | {name: "EUR"}
    refusal = problem(client.place(body, new_id("key")), 400, name)
    assert refusal["code"] == "misspelt_member" and refusal["field"] == name
    # Said under `null`, it says nothing.
    client.place(body | {name: None}, new_id("key")).ok()


@pytest.mark.parametrize(
    ("meant", "name"),
    [
        *(("items", "Items"), ("items", "itmes"), ("items", "item")),
        *(("quantity", "Quantity"), ("quantity", "qty_"), ("price", "prices")),
    ],
)
def test_a_member_that_is_required_and_nearly_there_is_named(client, meant, name):
    body = order(totalAmount=None)
    holder = body if meant == "items" else body["items"][0]
    holder[name] = holder.pop(meant)
    refusal = problem(client.place(body, new_id("key")), 400)
    if name == "qty_":
        assert refusal["field"].endswith("quantity")
    else:
        assert refusal["code"] == "misspelt_member"
        assert refusal["field"].endswith(name) and meant in refusal["message"]


def test_other_names_stay_attributes(client):
    more = {"country": "France", "status": "paid", "note2": 1, "items2": [], "total": 3}
    order_id = placed(client, **more)
    assert client.order(order_id)["attributes"] == more


@pytest.mark.parametrize("action", ["complete", "cancel"])
@pytest.mark.parametrize("name", ["items", "reasn", "Reason", "status", "amount"])
def test_closing_an_order_takes_what_it_takes_and_nothing_else(client, action, name):
    order_id, key = placed(client), new_id("key")
    path = f"/orders/{order_id}/{action}"
    refusal = problem(client.post(path, {name: ["p"]}, key), 400, name)
    assert refusal["code"] == "unknown_member" and refusal["field"] == name
    assert client.order(order_id)["status"] == "PROCESSING"
    assert client.post(path, {name: None, "orderId": order_id}, key).ok()["version"] == 2


def test_closing_names_no_other_order(client):
    order_id = placed(client)
    body = {"orderId": new_id("other")}
    problem(client.post(f"/orders/{order_id}/complete", body, new_id("k")), 400, "orderId")


@pytest.mark.parametrize("kind", ["Complete Order", "Cancel Order"])
def test_the_bus_drops_nothing_that_changes_the_meaning(client, kind):
    order_id = placed(client)
    detail = {"orderId": order_id, "items": [{"productId": "p"}]}
    event = client.put_event(detail, DetailType=kind, **COMMANDS)
    mailed = lambda: [m for m in client.messages() if event in str(m.get("message"))]
    [mail] = until("a mail of the refusal", mailed)
    assert "unknown_member" in mail["message"] and "items" in mail["message"]
    at_rest(client)
    assert client.order(order_id)["status"] == "PROCESSING"
