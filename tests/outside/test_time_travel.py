"""Orders and shipments as they were, and rows that have caught up."""

import time
from datetime import datetime
from urllib.parse import quote

import pytest

from client import new_id
from expect import problem
from orders import order, placed, update

LONG_AGO = "2001-01-01T00:00:00Z"


def caught_up(client, path: str, version: int):
    """An answer, once it has caught up; nothing here waits but the system itself."""
    answer = client.get(f"{path}?minVersion={version}")
    row = answer.ok()
    assert row["version"] >= version
    return answer


def then(client, path: str, at: str):
    return client.get(f"{path}?at={quote(at)}")


def millis(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def pause() -> None:
    """Times have milliseconds: two steps must not share one."""
    time.sleep(0.01)


@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_an_order_is_told_as_it_was_at_each_version(client, end):
    order_id = placed(client, gift={"wrap": True})
    path = f"/orders/{order_id}"
    told = [caught_up(client, path, 1)]
    pause()
    client.post(f"{path}/{end}", {"reason": "late"} if end == "cancel" else None).ok()
    told.append(caught_up(client, path, 2))
    history = client.history(order_id)
    for number, (event, before) in enumerate(zip(history, told, strict=True), 1):
        for at in (event["at"], str(millis(event["at"]))):
            answer = then(client, path, at)
            assert answer.ok() == before.json
            assert answer.headers["etag"] == before.headers["etag"]
            events = then(client, f"{path}/history", at).ok()["events"]
            assert events == history[:number]
        # A moment before, it was not yet so.
        earlier = then(client, path, str(millis(event["at"]) - 1))
        if number == 1:
            problem(earlier, 404)
        else:
            assert earlier.ok() == told[number - 2].json
    assert told[0].json["status"] == "PROCESSING"
    assert then(client, path, "9999-12-31T23:59:59Z").ok() == told[1].json


def test_a_shipment_and_its_log_are_told_as_they_were_at_each_version(client):
    shipment_id = new_id("SHIP")
    path = f"/shipments/{shipment_id}"
    told = []
    for version, hour in enumerate([10, 14, 12, 13, 16, 11, 15, 9, 17, 8], 1):
        detail = update(shipment_id, timestamp=f"2024-01-15T{hour:02}:00:00Z")
        client.update(shipment_id, detail).ok()
        row = caught_up(client, path, version).json
        log = client.log(shipment_id, version)
        commit = client.commits(f"shipment#{shipment_id}")[-1]
        told.append((commit["at"]["S"], row, log))
        pause()
    for at, row, log in told:
        assert then(client, path, at).ok() == row
        assert then(client, f"{path}/log", at).ok()["items"] == log
    problem(then(client, path, LONG_AGO), 404)
    problem(then(client, f"{path}/log", LONG_AGO), 404)


def test_a_time_may_have_an_offset(client):
    order_id = placed(client)
    path = f"/orders/{order_id}"
    row = caught_up(client, path, 1).json
    assert then(client, path, "9999-12-31T01:00:00+01:00").ok() == row
    # A plus that is not escaped arrives as a space.
    body = problem(client.get(f"{path}?at=2024-01-15T10:30:00+01:00"), 400, "at")
    assert "%2B" in body["message"]


def test_a_command_s_version_is_there_for_whoever_waits_for_it(client):
    """Two hundred times at once after the command: never an older one, never none."""
    began = time.monotonic()
    for _ in range(100):
        order_id = client.place(order()).ok()["orderId"]
        assert caught_up(client, f"/orders/{order_id}", 1).json["version"] == 1
        done = client.complete(order_id).ok()
        row = caught_up(client, f"/orders/{order_id}", done["version"]).json
        assert row["status"] == "PROCESSED"
    assert time.monotonic() - began < 60


def test_a_shipment_is_waited_for_too(client):
    shipment_id = new_id("SHIP")
    for version in range(1, 11):
        client.update(shipment_id, update(shipment_id, location=f"place {version}")).ok()
        row = caught_up(client, f"/shipments/{shipment_id}", version).json
        assert row["version"] == row["updates"] == version


def test_a_version_that_does_not_come_is_waited_for_five_seconds(client):
    order_id = placed(client)
    began = time.monotonic()
    answer = client.get(f"/orders/{order_id}?minVersion=2")
    assert 4.5 < time.monotonic() - began < 7
    body = problem(answer, 503)
    assert body["code"] == "not_caught_up"
    assert int(answer.headers["retry-after"]) > 0


def test_nobody_waits_for_what_does_not_exist(client):
    began = time.monotonic()
    problem(client.get(f"/orders/{new_id('ORD')}?minVersion=1"), 404)
    problem(client.get(f"/shipments/{new_id('SHIP')}?minVersion=1"), 404)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("at=yesterday", "at"),
        ("at=", "at"),
        ("at=-1", "at"),
        ("at=1705314600123.5", "at"),
        ("minVersion=0", "minVersion"),
        ("minVersion=1.0", "minVersion"),
        (f"at={LONG_AGO}&minVersion=1", "minVersion"),
    ],
)
def test_what_is_no_time_or_version_is_refused(client, query, field):
    order_id = placed(client)
    problem(client.get(f"/orders/{order_id}?{query}"), 400, field)
    problem(client.get(f"/shipments/SHIP-1?{query}"), 400, field)
