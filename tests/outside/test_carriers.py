"""Carriers' webhooks become rows: all of a parcel's scans at once, and more than once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from carriers import SECRETS, minute, of_each_provider, running_with_secrets, send, tracker
from client import new_id
from expect import id_of, messages_about
from patience import until
from system import System

CODES = {
    "easypost": "out_for_delivery",
    "aftership": "OutForDelivery_001",
    "shippo": "TRANSIT/out_for_delivery",
    "17track": "OutForDelivery_Other",
    "sendcloud": "92",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    yield from running_with_secrets(tmp_path_factory.mktemp("system"))


# What is logged.


@pytest.mark.parametrize("provider", SECRETS)
def test_a_scan_becomes_a_row(client, provider):
    code = new_id("T")
    answer = send(client, provider, of_each_provider(code)[provider]).ok()
    assert answer == {
        "message": "Scans logged",
        "shipmentId": code,
        "version": 1,
        "logged": 1,
        "known": 0,
    }
    (row,) = client.log(code)
    assert row["status"] == "OUT_FOR_DELIVERY"
    assert row["carrierStatus"] == CODES[provider]
    assert row["timestamp"] == "2025-08-01T00:03:00.000Z"
    assert (row["carrier"], row["trackingNumber"]) == ("UPS", code)
    assert row["eventSource"] == f"carriers/{provider}"
    assert row.get("location", "Unknown") == (
        "Unknown" if provider == "sendcloud" else "Orlando, FL"
    )
    assert row["attributes"]["message"] == "text"
    if provider in ("easypost", "aftership"):
        assert row["attributes"]["carrierCode"] == "OF"
    current = client.shipment(code)
    assert (current["status"], current["updates"]) == ("OUT_FOR_DELIVERY", 1)


def test_only_new_scans_are_logged(client):
    code = new_id("T")
    for scans, new in [(2, 2), (2, 0), (5, 3), (5, 0)]:
        answer = send(client, "easypost", tracker(code, scans)).ok()
        assert (answer["logged"], answer["known"]) == (new, scans - new)
        assert answer["version"] == scans
    assert len(client.commits(f"shipment#{code}")) == 2
    rows = client.log(code, 5)
    assert [row["attributes"]["message"] for row in rows] == [f"scan {n}" for n in range(5)]
    assert client.shipment(code, 5)["updates"] == 5


@pytest.mark.parametrize(("scans", "commits"), [(100, 1), (1_000, 10)])
def test_many_scans_at_once(client, scans, commits):
    code = new_id("T")
    assert send(client, "easypost", tracker(code, scans)).ok()["logged"] == scans
    assert len(client.commits(f"shipment#{code}")) == commits
    rows = client.log(code, scans)
    assert [row["timestamp"][:16] for row in rows] == [minute(n)[:16] for n in range(scans)]
    current = client.shipment(code, scans)
    assert (current["updates"], current["version"]) == (scans, scans)
    # All of them are known.
    answer = send(client, "easypost", tracker(code, scans)).ok()
    assert (answer["logged"], answer["known"]) == (0, scans)


def test_a_list_that_begins_anew_is_known_all_the_same(client):
    """A provider that forgets the oldest scans, and one that sends them late."""
    code = new_id("T")
    assert send(client, "easypost", tracker(code, 10, first=5)).ok()["logged"] == 5
    assert send(client, "easypost", tracker(code, 12, first=8)).ok()["logged"] == 2
    assert send(client, "easypost", tracker(code, 12)).ok()["logged"] == 5
    assert len(client.log(code, 12)) == 12
    assert client.shipment(code, 12)["timestamp"][:16] == minute(11)[:16]


def test_every_scan_is_told_of_as_any_other_update_is(client):
    code = new_id("T")
    event = tracker(code, 3)
    event["result"]["tracking_details"][1] |= {"status": "failure", "status_detail": "damaged"}
    event["result"]["tracking_details"][2] |= {"status": "delivered", "status_detail": None}
    send(client, "easypost", event).ok()

    def told():
        about = messages_about(client, f"shipment#{code}", "EventBridge")
        return sorted(id_of(each).partition("/")[2] for each in about)

    expected = ["1/Shipment Status Changed", "2/Shipment Alert", "2/Shipment Status Changed"]
    until("its messages", lambda: told() == [*expected, "3/Shipment Status Changed"])


# However often, from however many sides.


def test_forty_six_deliveries_from_eight_connections_make_each_scan_one_row(client):
    code = new_id("T")
    body = json.dumps(tracker(code, 150)).encode()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(client, "easypost", body), range(46)))
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.json["logged"] for answer in answers) == 150
    rows = client.log(code, 150)
    messages = [row["attributes"]["message"] for row in rows]
    assert sorted(messages) == sorted(f"scan {number}" for number in range(150))
    assert client.shipment(code, 150)["version"] == 150


def test_two_webhooks_of_one_parcel_at_the_same_time(client):
    code = new_id("T")
    bodies = [tracker(code, 60, first=n % 2 * 30) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda event: send(client, "easypost", event), bodies))
    assert {answer.status for answer in answers} == {200}
    assert len(client.log(code, 60)) == 60
    assert client.shipment(code, 60)["version"] == 60


def test_a_webhook_that_a_crash_has_cut_off_is_logged_whole_when_it_is_sent_again(tmp_path):
    own = System(tmp_path)
    own.more = [f"--carrier-secret=easypost={SECRETS['easypost']}"]
    own.start()
    try:
        code = new_id("T")
        body = json.dumps(tracker(code, 2_000)).encode()
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(send, own.client, "easypost", body)
            until("a first commit", lambda: own.client.commits(f"shipment#{code}"))
            own.kill()
            sent.exception()  # waits for it; it may have been answered just before
        own.start()
        before = len(own.client.commits(f"shipment#{code}"))
        assert before >= 1
        answer = send(own.client, "easypost", body).ok()
        assert answer["logged"] + answer["known"] == answer["version"] == 2_000
        assert answer["known"] == before * 100
        rows = own.client.log(code, 2_000)
        assert len({row["attributes"]["message"] for row in rows}) == len(rows) == 2_000
    finally:
        own.kill()
