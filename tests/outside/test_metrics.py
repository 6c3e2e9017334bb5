"""Metrics as CloudWatch reads them out of the logs (embedded metric format)."""

from client import new_id
from exact import json_text
from orders import order, placed, update
from patience import until
from reports import imported

ORDERS = "DeliveryApp/OrderProcessing"
SHIPMENTS = "LogisticsProcessing"
UNITS = {
    "OrdersProcessed": "Count",
    "OrderProcessingErrors": "Count",
    "ProcessingTime": "Milliseconds",
    "SuccessRate": "Percent",
    "ProcessingFailures": "Count",
    "ShipmentUpdatesProcessed": "Count",
    "ProcessingErrors": "Count",
    "AggregatesParked": "Count",
}


class Seen:
    """The values of a metric, by the rules of the format and no others."""

    def __init__(self, client):
        self.lines = client.local("metrics")["metrics"]

    def values(self, namespace: str, name: str, **dimensions: str) -> list:
        found = []
        for line in self.lines:
            for directive in line["_aws"]["CloudWatchMetrics"]:
                if directive["Namespace"] != namespace:
                    continue
                for metric in directive["Metrics"]:
                    assert metric["Unit"] == UNITS[metric["Name"]], metric
                    sets = [
                        {each: line[each] for each in names}
                        for names in directive["Dimensions"]
                    ]
                    if metric["Name"] == name and dimensions in sets:
                        found.append(line[name])
        return found


def total(client, namespace, name, **dimensions):
    return sum(Seen(client).values(namespace, name, Environment="dev", **dimensions))


def grows(client, by, namespace, name, act, **dimensions):
    """`act` adds exactly `by` to a metric; what comes of it later, too."""
    before = total(client, namespace, name, **dimensions)
    act()
    until(
        f"{name} grows by {by}",
        lambda: total(client, namespace, name, **dimensions) >= before + by,
    )
    assert total(client, namespace, name, **dimensions) == before + by


def test_a_placed_order_is_counted_once(client):
    body, key = order(orderId=new_id("ORD")), new_id("key")
    place = lambda: [client.place(body, key).ok() for _ in range(3)]
    grows(client, 1, ORDERS, "OrdersProcessed", place)


def test_a_refused_order_is_an_error_and_lowers_the_rate(client):
    refuse = lambda: client.place(order(items=[]))
    grows(client, 1, ORDERS, "OrderProcessingErrors", refuse)
    assert Seen(client).values(ORDERS, "SuccessRate", Environment="dev")[-1] == 0
    placed(client)
    assert Seen(client).values(ORDERS, "SuccessRate", Environment="dev")[-1] == 100


def test_time_and_failures_are_told_with_every_invocation(client):
    placed(client)
    seen = Seen(client)
    times = seen.values(ORDERS, "ProcessingTime", Environment="dev")
    assert times and all(0 <= each < 30_000 for each in times)
    assert set(seen.values(ORDERS, "ProcessingFailures", Environment="dev")) == {0}


def test_a_file_is_counted_as_a_whole(client):
    good = [order(orderId=new_id("ORD"), customerId=None) for _ in range(3)]
    bad = {"orderId": new_id("BAD")}
    body = "\n".join(map(json_text, [*good, bad])).encode()
    before = total(client, ORDERS, "OrdersProcessed")
    errors = total(client, ORDERS, "OrderProcessingErrors")
    imported(client, f"{new_id('file')}.jsonl", body)
    until("3 orders", lambda: total(client, ORDERS, "OrdersProcessed") == before + 3)
    assert total(client, ORDERS, "OrderProcessingErrors") == errors + 1
    rate = Seen(client).values(ORDERS, "SuccessRate", Environment="dev")[-1]
    assert rate == 75


def test_updates_are_counted_in_all_and_by_status(client):
    shipment = new_id("SHIP")
    lost = lambda: client.update(shipment, update(shipment, status="LOST")).ok()
    grows(client, 1, SHIPMENTS, "ShipmentUpdatesProcessed", lost, Status="LOST")
    moved = lambda: client.update(shipment, update(shipment)).ok()
    grows(client, 1, SHIPMENTS, "ShipmentUpdatesProcessed", moved)


def test_statuses_that_anybody_makes_up_are_one(client):
    shipment = new_id("SHIP")
    odd = lambda: client.update(shipment, update(shipment, status="AT_SEA_3")).ok()
    grows(client, 1, SHIPMENTS, "ShipmentUpdatesProcessed", odd, Status="OTHER")
    assert not Seen(client).values(
        SHIPMENTS, "ShipmentUpdatesProcessed", Environment="dev", Status="AT_SEA_3"
    )


def test_a_rejected_event_is_an_error(client):
    reject = lambda: client.put_event({"status": "LOST"})
    grows(client, 1, SHIPMENTS, "ProcessingErrors", reject)


def test_a_rejected_order_command_is_an_error(client):
    def reject():
        client.put_event(
            {"orderId": new_id("ORD")},
            Source="orders.commands",
            DetailType="Complete Order",
            EventBusName="waybill-dev",
        )

    grows(client, 1, ORDERS, "OrderProcessingErrors", reject)


def test_what_is_no_event_at_all_is_an_error_too(client):
    bus = lambda: client.invoke("bus", {"no": "event"})
    grows(client, 1, SHIPMENTS, "ProcessingErrors", bus)
    file = lambda: client.invoke("import", {"no": "event"})
    grows(client, 1, ORDERS, "OrderProcessingErrors", file)


def test_metrics_tell_nothing_of_customers(client):
    marker = new_id("MARKER")
    client.place(order(customerName=marker, orderId=new_id("ORD"))).ok()
    client.place(order(customerName=marker, items=[]))
    assert marker not in client.request("GET", f"{client.aws}/_local/metrics").text
