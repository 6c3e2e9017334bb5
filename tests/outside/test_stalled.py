"""Shipments of which nothing is heard any more, on a system that waits for seconds, not for days."""

import pytest

from client import new_id
from expect import at_rest, attributes_of, message, messages_about
from oracle import differences, fold_shipment
from orders import update
from rebuilding import Operator, announced, histories, rows_of
from system import System
from test_settings import refused_to_start

STALLED = "Shipment Stalled"
# Two seconds; the others keep their days.
SHORT = "IN_TRANSIT=0.0005,OUT_FOR_DELIVERY=0"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    running = System(tmp_path_factory.mktemp("system"))
    running.more = ["--stalled-after-hours", SHORT]
    running.start()
    yield running
    running.kill()


def sent(client, shipment_id: str, status: str, timestamp: str, **more) -> None:
    body = update(shipment_id, status=status, timestamp=timestamp, **more)
    client.update(shipment_id, body, new_id("key")).ok()


def stalled(client, shipment_id: str, version: int) -> dict:
    """The announcement of it, once it is there."""
    return message(client, f"shipment#{shipment_id}/{version}/{STALLED}")


def test_a_silent_shipment_alerts_once_and_the_next_scan_ends_it(system):
    client, shipment_id = system.client, new_id("SHIP")
    sent(client, shipment_id, "IN_TRANSIT", "2024-01-15T10:00:00Z", orderId="ORD-1")
    said = stalled(client, shipment_id, 2)
    detail = said["detail"]
    assert said["source"] == "waybill.shipments" and detail["status"] == "IN_TRANSIT"
    assert detail["orderId"] == "ORD-1" and detail["carrier"] == "FedEx"
    assert detail["stalledSince"] < detail["occurredAt"]
    mail = message(client, f"shipment#{shipment_id}/2/{STALLED}", "SNS")
    assert mail["subject"] == f"Logistics Alert: STALLED - {shipment_id}"
    assert attributes_of(mail)["status"] == "IN_TRANSIT"
    assert detail["stalledSince"] in mail["message"]
    shipment = client.shipment(shipment_id, 2)
    assert shipment["stalledSince"] == detail["stalledSince"]
    assert (shipment["status"], shipment["updates"]) == ("IN_TRANSIT", 1)
    assert shipment["allowedActions"] == ["update"]
    # Still in the list of its status, and no entry of the log.
    listed = client.get("/shipments?status=IN_TRANSIT&limit=100").ok()["items"]
    assert shipment_id in {each["shipmentId"] for each in listed}
    assert len(client.log(shipment_id)) == 1

    sent(client, shipment_id, "DELIVERED", "2024-01-15T11:00:00Z")
    shipment = client.shipment(shipment_id, 3)
    assert "stalledSince" not in shipment and shipment["status"] == "DELIVERED"
    # As it was in between.
    then = client.get(f"/shipments/{shipment_id}?at={detail['occurredAt']}").ok()
    assert then["stalledSince"] == detail["stalledSince"] and then["version"] == 2
    log = client.get(f"/shipments/{shipment_id}/log?at={detail['occurredAt']}").ok()
    assert len(log["items"]) == 1
    assert_it_is_the_fold(client, shipment_id)


def test_what_has_been_told_is_not_told_again(system):
    client, shipment_id = system.client, new_id("SHIP")
    sent(client, shipment_id, "IN_TRANSIT", "2024-01-15T10:00:00Z")
    stalled(client, shipment_id, 2)
    # A late scan ends it, and the current update has had its event; several looks later, too.
    sent(client, shipment_id, "PICKED_UP", "2024-01-14T10:00:00Z")
    assert "stalledSince" not in client.shipment(shipment_id, 3)
    # Killed and started again, it looks at once.
    system.kill()
    system.start()
    another = new_id("SHIP")
    sent(client, another, "IN_TRANSIT", "2024-01-15T10:00:00Z")
    stalled(client, another, 2)
    at_rest(client)
    about = messages_about(client, f"shipment#{shipment_id}", "SNS")
    assert len(about) == 1
    assert len(client.commits(f"shipment#{shipment_id}")) == 3
    assert_it_is_the_fold(client, shipment_id)


def test_those_that_nobody_waits_for_and_those_that_have_ended_never_stall(system):
    client = system.client
    quiet = {
        status: new_id(status)
        for status in ("DELIVERED", "LOST", "CUSTOMS_HOLD", "OUT_FOR_DELIVERY", "CREATED")
    }
    for status, shipment_id in quiet.items():
        sent(client, shipment_id, status, "2024-01-15T10:00:00Z")
    last = new_id("SHIP")
    sent(client, last, "IN_TRANSIT", "2024-01-15T10:00:00Z")
    stalled(client, last, 2)
    for shipment_id in quiet.values():
        assert len(client.commits(f"shipment#{shipment_id}")) == 1


def test_rows_of_stalled_shipments_are_what_a_rebuild_makes(system, tmp_path):
    client, ids = system.client, [new_id("SHIP") for _ in range(3)]
    for shipment_id in ids:
        sent(client, shipment_id, "IN_TRANSIT", "2024-01-15T10:00:00Z")
    for shipment_id in ids:
        stalled(client, shipment_id, 2)
    at_rest(client)
    before, said = rows_of(client), announced(client)
    operator = Operator(system, tmp_path)
    assert operator.verify().code == 0
    # One that somebody has put back among the watched, and one that is gone.
    log = {"TableName": "waybill-dev-shipment-log"}
    key = {"shipmentId": {"S": ids[0]}, "entry": {"S": "CURRENT"}}
    set_back = "SET watchShard = :w, heardAt = :h REMOVE stalledSince"
    values = {":w": {"S": "IN_TRANSIT#0"}, ":h": {"S": "2024-01-15T10:00:00.000Z"}}
    client.dynamodb.update_item(
        **log, Key=key, UpdateExpression=set_back, ExpressionAttributeValues=values
    )
    client.dynamodb.delete_item(**log, Key=key | {"shipmentId": {"S": ids[1]}})
    found = operator.verify()
    assert sorted(each[1:] for each in found.findings()) == sorted(
        [(ids[0], "CURRENT", "different"), (ids[1], "CURRENT", "missing")]
    )
    assert operator.rebuild().code == 0
    assert rows_of(client) == before
    at_rest(client)
    stalls = {key: n for key, n in announced(client).items() if STALLED in key[1]}
    assert stalls == {key: n for key, n in said.items() if STALLED in key[1]}


def test_a_stranger_cannot_stall_anything(system):
    """The rule takes what this account's own function asks for, and the history decides."""
    client, shipment_id = system.client, new_id("SHIP")
    sent(client, shipment_id, "CREATED", "2024-01-15T10:00:00Z")
    asked = {"shipmentId": shipment_id, "heardAt": "2024-01-15T10:00:00.000Z"}
    ours = {"Source": "waybill.watch", "DetailType": "Mark Stalled"}
    client.put_event(asked, **ours, EventBusName="waybill-dev")
    at_rest(client)
    assert len(client.commits(f"shipment#{shipment_id}")) == 1


@pytest.mark.parametrize(
    "wrong", ["IN_TRANSIT", "DELIVERED=3", "CREATED=-1", "CREATED=1,CREATED=2"]
)
def test_a_wrong_setting_is_refused_by_name(tmp_path, wrong):
    said = refused_to_start("--stalled-after-hours", wrong, "--data", str(tmp_path))
    assert "IN_TRANSIT=72" in said


def assert_it_is_the_fold(client, shipment_id: str) -> None:
    aggregate = f"shipment#{shipment_id}"
    events = histories(client, aggregate)[aggregate]
    _, expected = fold_shipment(events)
    version = events[-1]["sequence"]
    row = client.shipment(shipment_id, version)
    row |= {"currentStatus": row["status"], "currentTimestamp": row["timestamp"]}
    assert differences(row, expected) == {}
    assert row.get("stalledSince") == expected.get("stalledSince")


def test_the_stalled_ones_are_listed_oldest_first_until_they_are_heard_of_again(system):
    client, order = system.client, new_id("ORD")
    before = {each["shipmentId"] for each in every(client)}
    shipments = [new_id("SHIP") for _ in range(3)]
    for version, shipment_id in enumerate(shipments):
        sent(client, shipment_id, "IN_TRANSIT", f"2024-01-15T1{version}:00:00Z", orderId=order)
    moving = new_id("SHIP")
    sent(client, moving, "OUT_FOR_DELIVERY", "2024-01-15T10:00:00Z")
    for shipment_id in shipments:
        stalled(client, shipment_id, 2)
        client.shipment(shipment_id, 2)
    listed = [each for each in every(client) if each["shipmentId"] not in before]
    assert [each["shipmentId"] for each in listed] == shipments
    for each in listed:
        single = client.shipment(each["shipmentId"], 2)
        assert each == {name: single[name] for name in each}
        assert {"status", "timestamp", "stalledSince", "carrier", "version"} <= each.keys()
        assert not {"watchShard", "heardAt", "entry", "currentOrderId"} & each.keys()
    newest = client.get("/shipments?stalled=true&sort=newest&limit=1").ok()
    assert [each["shipmentId"] for each in newest["items"]] == shipments[-1:]
    # A page at a time.
    cursor, paged = "", []
    while cursor is not None:
        page = client.get(f"/shipments?stalled=true&limit=2{cursor}").ok()
        paged += page["items"]
        cursor = page["cursor"] and f"&cursor={page['cursor']}"
    assert paged == every(client)

    sent(client, shipments[0], "DELIVERED", "2024-01-16T10:00:00Z")
    client.shipment(shipments[0], 3)
    assert shipments[0] not in {each["shipmentId"] for each in every(client)}
    for wrong in ("stalled=false", "stalled=", "stalled=true&status=CREATED"):
        assert client.get(f"/shipments?{wrong}").status == 400, wrong


def every(client) -> list[dict]:
    """All stalled shipments; a hundred are more than there are."""
    return client.get("/shipments?stalled=true&limit=100").ok()["items"]
