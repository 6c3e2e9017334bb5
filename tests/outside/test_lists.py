"""Lists of orders and shipments: every index, page by page, held against the tables.

Once with one shard and once with five: nobody outside sees a difference.
"""

from functools import partial
from urllib.parse import urlencode

import pytest
from boto3.dynamodb.types import TypeDeserializer

from client import new_id
from expect import at_rest, problem
from orders import order, placed, update
from patience import at_once
from system import System

PAGES_MAX = 1_000

# What only an index wants of a row.
INDEX_ONLY = {
    "statusShard",
    "processingDateShard",
    "currentStatusShard",
    "currentOrderId",
    "watchShard",
    "heardAt",
}

ORDER_SHOWS = {
    "orderId",
    "status",
    "version",
    "customerId",
    "customerName",
    "totalAmount",
    "currency",
    "fulfilment",
    "placedAt",
    "createdAt",
    "updatedAt",
    "processedAt",
    "cancelledAt",
}

SHIPMENT_SHOWS = {
    "shipmentId",
    "status",
    "timestamp",
    "location",
    "carrier",
    "trackingNumber",
    "orderId",
    "version",
    "updates",
}


@pytest.fixture(scope="module", params=[1, 5])
def system(request, tmp_path_factory):
    running = System(tmp_path_factory.mktemp("system"))
    running.shards = request.param
    running.start()
    fill(running.client)
    yield running
    assert running.is_running(), running.log_tail()
    running.kill()


def fill(client):
    """Orders of three customers in every status; shipments with and without order."""
    ids = []
    for number in range(24):
        customer = f"customer-{number % 3}"
        automatic = "automatic" if number % 4 == 0 else "merchant"
        ids.append(placed(client, customerId=customer, fulfilment=automatic))
    # All at once, so that some have the same time.
    more = [partial(placed, client, customerId="crowd") for _ in range(16)]
    ids += at_once(more)
    client.place(order(orderId=new_id("ORD"), customerId=None)).ok()
    # A query is taken apart at commas, and at other letters that mean something to it.
    for customer in ["a,b", "a", "Zoë & Co. +1", "x=y#1"]:
        placed(client, customerId=customer)
    at_rest(client)
    for number, order_id in enumerate(ids):
        if number % 4 == 1:
            client.complete(order_id).ok()
        elif number % 4 == 2:
            client.cancel(order_id, "late").ok()
    for number in range(20):
        shipment_id = new_id("SHIP")
        of_order = ids[number % 5] if number % 4 else None
        for step, status in enumerate(["CREATED", "IN_TRANSIT", "DELIVERED"]):
            if step > number % 3:
                break
            # Many at the same time.
            at = f"2024-01-15T1{step}:00:0{number % 2}Z"
            detail = update(
                shipment_id, status=status, timestamp=at, orderId=of_order
            )
            client.update(shipment_id, detail).ok()
    at_rest(client)


def pages(client, path: str, limit: int = 2, **query: str) -> list[dict]:
    """A whole list, through its cursor."""
    items = []
    cursor = {}
    for _ in range(PAGES_MAX):
        asked = urlencode(query | {"limit": limit} | cursor)
        page = client.get(f"{path}?{asked}").ok()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["cursor"] is None:
            return items
        assert len(page["items"]) == limit, "a page that is not full, and not the last"
        cursor = {"cursor": page["cursor"]}
    raise AssertionError("a list without an end")


def rows(client, suffix: str) -> list[dict]:
    """Every row of a table."""
    read = TypeDeserializer().deserialize
    items = client.scan(suffix)
    return [{name: read(value) for name, value in item.items()} for item in items]


def check(listed: list[dict], expected: list[dict], key: str, time: str, shows: set):
    """The rows that were expected, each once, with what a list shows, in order."""
    by_id = {row[key]: row for row in expected}
    assert len(listed) == len(expected)
    assert {item[key] for item in listed} == set(by_id)
    for item in listed:
        row = by_id[item[key]]
        assert item == {name: row[name] for name in shows & set(row)}, row
    times = [item[time] for item in listed]
    assert times == sorted(times)


@pytest.mark.parametrize("limit", [2, 7, 100])
@pytest.mark.parametrize("name", ["status", "customerId", "day"])
def test_orders_are_listed_by_status_customer_and_day(client, name, limit):
    attribute = {"day": "processingDate"}.get(name, name)
    time = {"day": "processedAt"}.get(name, "createdAt")
    table = rows(client, "processed-orders")
    values = {row[attribute] for row in table if attribute in row}
    assert values and (name == "day" or len(values) == (3 if name == "status" else 8))
    for value in values:
        expected = [row for row in table if row.get(attribute) == value]
        oldest = pages(client, "/orders", limit, **{name: value})
        check(oldest, expected, "orderId", time, ORDER_SHOWS)
        newest = pages(client, "/orders", limit, **{name: value, "sort": "newest"})
        check(newest[::-1], expected, "orderId", time, ORDER_SHOWS)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_all_orders_are_one_list(client, limit):
    expected = rows(client, "processed-orders")
    assert len({row["status"] for row in expected}) == 3
    oldest = pages(client, "/orders", limit)
    check(oldest, expected, "orderId", "createdAt", ORDER_SHOWS)
    newest = pages(client, "/orders", limit, sort="newest")
    check(newest[::-1], expected, "orderId", "createdAt", ORDER_SHOWS)


def current(client) -> list[dict]:
    """The rows that say how shipments stand, with the names that HTTP has for them."""
    found = [row for row in rows(client, "shipment-log") if row["entry"] == "CURRENT"]
    for row in found:
        row["status"] = row["currentStatus"]
        row["timestamp"] = row["currentTimestamp"]
    return found


@pytest.mark.parametrize("limit", [2, 7, 100])
def test_shipments_are_listed_by_the_status_that_they_have_now(client, limit):
    table = current(client)
    for status in ["CREATED", "IN_TRANSIT", "DELIVERED"]:
        expected = [row for row in table if row["status"] == status]
        assert len(expected) >= 5
        oldest = pages(client, "/shipments", limit, status=status)
        check(oldest, expected, "shipmentId", "timestamp", SHIPMENT_SHOWS)
        newest = pages(client, "/shipments", limit, status=status, sort="newest")
        check(newest[::-1], expected, "shipmentId", "timestamp", SHIPMENT_SHOWS)


@pytest.mark.parametrize("limit", [1, 100])
def test_shipments_are_listed_by_their_order(client, limit):
    table = current(client)
    ids = {row["orderId"] for row in table if "orderId" in row}
    assert len(ids) == 5
    for order_id in ids:
        expected = [row for row in table if row.get("orderId") == order_id]
        listed = pages(client, "/shipments", limit, orderId=order_id)
        check(listed, expected, "shipmentId", "shipmentId", SHIPMENT_SHOWS)


def test_an_order_moves_from_list_to_list(client):
    customer = new_id("customer")
    order_id = placed(client, customerId=customer)

    def listed() -> list[str]:
        at_rest(client)
        statuses = ["NEW", "PROCESSING", "PROCESSED", "CANCELLED"]
        return [
            status
            for status in statuses
            if any(
                item["orderId"] == order_id
                for item in pages(client, "/orders", 100, status=status)
            )
        ]

    assert listed() == ["PROCESSING"]
    client.complete(order_id).ok()
    assert listed() == ["PROCESSED"]
    (item,) = pages(client, "/orders", 100, customerId=customer)
    assert item["status"] == "PROCESSED" and item["version"] == 2
    day = pages(client, "/orders", 100, day=item["processedAt"][:10])
    assert item in day
    assert pages(client, "/orders", 100, day="2001-01-01") == []


def test_a_shipment_moves_to_another_status_and_another_order(client):
    shipment_id, first, second = new_id("SHIP"), new_id("ORD"), new_id("ORD")
    for status, order_id in [("LOST", first), ("RETURNED", second)]:
        detail = update(shipment_id, status=status, orderId=order_id)
        client.update(shipment_id, detail).ok()
        at_rest(client)
        found = pages(client, "/shipments", 100, status=status)
        assert [item["shipmentId"] for item in found] == [shipment_id]
        assert pages(client, "/shipments", 100, orderId=order_id) == found
    assert pages(client, "/shipments", 100, status="LOST") == []
    assert pages(client, "/shipments", 100, orderId=first) == []


def test_every_update_stands_in_the_index_of_dashboards(client, system):
    """S3's `StatusIndex`; above one shard, `StatusShardIndex`."""
    updates = [r for r in rows(client, "shipment-log") if r["entry"] != "CURRENT"]
    spread = system.shards > 1
    index = "StatusShardIndex" if spread else "StatusIndex"
    found = []
    for shard in range(system.shards):
        answer = client.dynamodb.query(
            TableName="waybill-dev-shipment-log",
            IndexName=index,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": "statusShard" if spread else "status"},
            ExpressionAttributeValues={
                ":value": {"S": f"CREATED#{shard}" if spread else "CREATED"}
            },
        )
        times = [item["timestamp"]["S"] for item in answer["Items"]]
        assert times == sorted(times)
        found += answer["Items"]
    read = TypeDeserializer().deserialize
    found = [{name: read(value) for name, value in row.items()} for row in found]
    expected = [row for row in updates if row["status"] == "CREATED"]
    key = lambda row: (row["shipmentId"], row["entry"])  # noqa: E731
    assert sorted(found, key=key) == sorted(expected, key=key)
    if spread:
        partitions = {row["statusShard"] for row in updates}
        assert len(partitions) > 3, "all in one shard"


def test_no_answer_shows_what_only_an_index_wants(client):
    order_id = pages(client, "/orders", 1, status="PROCESSED")[0]["orderId"]
    shipment_id = pages(client, "/shipments", 1, status="DELIVERED")[0]["shipmentId"]
    shown = [
        client.order(order_id),
        client.shipment(shipment_id),
        *client.log(shipment_id),
        *pages(client, "/orders", 100, status="PROCESSED"),
        *pages(client, "/shipments", 100, status="DELIVERED"),
    ]
    for each in shown:
        assert not INDEX_ONLY & set(each), each


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/orders?status=NEW&customerId=c", None),
        ("/orders?status=DELIVERED", "status"),
        ("/orders?status=NEW&status=PROCESSED", "status"),
        ("/orders?customerId=", "customerId"),
        ("/orders?day=15.01.2024", "day"),
        ("/orders?day=2024-02-30", "day"),
        ("/orders?status=NEW&sort=best", "sort"),
        ("/orders?status=NEW&limit=101", "limit"),
        ("/orders?status=NEW&cursor=bm9uc2Vuc2U", "cursor"),
        ("/orders?status=NEW&at=2024-01-15T10:30:00Z", "at"),
        ("/shipments?status=NEW&minVersion=1", "minVersion"),
        ("/shipments", None),
        ("/shipments?status=lost", "status"),
        ("/shipments?orderId=a%2Fb", "orderId"),
    ],
)
def test_what_cannot_be_listed_is_refused(client, path, field):
    problem(client.get(path), 400, field)


def test_a_cursor_of_another_list_or_a_changed_one_is_refused(client):
    page = client.get("/orders?status=PROCESSED&limit=2").ok()
    cursor = page["cursor"]
    assert client.get(f"/orders?status=PROCESSED&limit=9&cursor={cursor}").ok()["items"]
    for path in [
        "/orders?status=CANCELLED",
        "/orders?status=PROCESSED&sort=newest",
        "/orders?customerId=PROCESSED",
        "/shipments?status=PROCESSED",
    ]:
        problem(client.get(f"{path}&cursor={cursor}"), 400, "cursor")
    for place in range(0, len(cursor) - 1, 5):
        letter = "B" if cursor[place] == "A" else "A"
        changed = cursor[:place] + letter + cursor[place + 1 :]
        path = f"/orders?status=PROCESSED&cursor={changed}"
        problem(client.get(path), 400, "cursor")
