"""Carriers' webhooks, as their providers send them: signed, all of a parcel's scans at once, and
more than once."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from client import new_id
from expect import id_of, messages_about, problem
from operator_cli import environment, waybill
from patience import until
from system import System, binary

SECRETS = {
    "easypost": "s\u00e9cret of easypost",
    "aftership": "aftership's",
    "shippo": "shippo's",
    "17track": "0123456789ABCDEF",
    "sendcloud": "old one\nnew one",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    running = System(tmp_path_factory.mktemp("system"))
    running.more = [f"--carrier-secret={name}={secret}" for name, secret in SECRETS.items()]
    running.start()
    yield running
    alive = running.is_running()
    running.kill()
    assert alive, f"the process ended by itself:\n{running.log_tail()}"


def mac(secret: str, *parts: bytes) -> bytes:
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()


def signature(provider: str, body: bytes, secret: str | None = None) -> dict[str, str]:
    """The headers that the provider sends with this body."""
    secret = secret or SECRETS[provider].splitlines()[-1]
    match provider:
        case "easypost":
            # Its libraries sign with the decomposed form.
            decomposed = secret.replace("\u00e9", "e\u0301")
            return {"X-Hmac-Signature": f"hmac-sha256-hex={mac(decomposed, body).hex()}"}
        case "aftership":
            return {"aftership-hmac-sha256": base64.b64encode(mac(secret, body)).decode()}
        case "shippo":
            at = str(int(time.time()))
            signed = mac(secret, at.encode(), b".", body).hex()
            return {"Shippo-Auth-Signature": f"t={at},v1={signed}"}
        case "17track":
            return {"sign": hashlib.sha256(body + b"/" + secret.encode()).hexdigest()}
        case "sendcloud":
            return {"Sendcloud-Signature": mac(secret, body).hex()}


def send(client, provider: str, event, headers=None):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = signature(provider, body) if headers is None else headers
    return client.request("POST", f"/carriers/{provider}", body, headers)


def minute(number: int) -> str:
    at = datetime(2025, 8, 1, tzinfo=UTC) + timedelta(minutes=number)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def tracker(code: str, scans: int, first: int = 0) -> dict:
    """An event of EasyPost about a parcel with so many scans, newest last."""
    details = [
        {
            "object": "TrackingDetail",
            "message": f"scan {number}",
            "status": "in_transit",
            "status_detail": "arrived_at_facility",
            "datetime": minute(number),
            "carrier_code": "AR",
            "tracking_location": {"city": "Orlando", "state": "FL", "country": "US", "zip": None},
        }
        for number in range(first, scans)
    ]
    return {
        "description": "tracker.updated",
        "mode": "production",
        "result": {
            "object": "Tracker",
            "tracking_code": code,
            "carrier": "FedEx",
            "tracking_details": details,
        },
    }


def of_each_provider(code: str) -> dict[str, dict]:
    """One scan by each provider: out for delivery in Orlando at the third minute."""
    at = minute(3)
    return {
        "easypost": {
            "description": "tracker.created",
            "result": {
                "object": "Tracker",
                "tracking_code": code,
                "carrier": "UPS",
                "tracking_details": [
                    {
                        "status": "out_for_delivery",
                        "message": "text",
                        "datetime": at,
                        "carrier_code": "OF",
                        "tracking_location": {"city": "Orlando", "state": "FL"},
                    }
                ],
            },
        },
        "aftership": {
            "event": "tracking_update",
            "msg": {
                "tracking_number": code,
                "slug": "UPS",
                "checkpoints": [
                    {
                        "checkpoint_time": at,
                        "tag": "OutForDelivery",
                        "subtag": "OutForDelivery_001",
                        "raw_tag": "OF",
                        "message": "text",
                        "city": "Orlando",
                        "state": "FL",
                    }
                ],
            },
        },
        "shippo": {
            "event": "track_updated",
            "test": False,
            "data": {
                "tracking_number": code,
                "carrier": "UPS",
                "tracking_history": [
                    {
                        "status": "TRANSIT",
                        "substatus": {"code": "out_for_delivery"},
                        "status_date": at,
                        "status_details": "text",
                        "location": {"city": "Orlando", "state": "FL"},
                    }
                ],
            },
        },
        "17track": {
            "event": "TRACKING_UPDATED",
            "data": {
                "number": code,
                "carrier": 100002,
                "track_info": {
                    "tracking": {
                        "providers": [
                            {
                                "provider": {"key": 100002, "name": "UPS"},
                                "events": [
                                    {
                                        "time_iso": at,
                                        "sub_status": "OutForDelivery_Other",
                                        "description": "text",
                                        "address": {"city": "Orlando", "state": "FL"},
                                    }
                                ],
                            }
                        ]
                    }
                },
            },
        },
        "sendcloud": {
            "action": "parcel_status_changed",
            "carrier_status_change_timestamp": 1754006580000,
            "timestamp": 1754006589999,
            "parcel": {
                "tracking_number": code,
                "carrier": {"code": "UPS"},
                "status": {"id": 92, "message": "text"},
                "city": "the recipient's",
            },
        },
    }


CODES = {
    "easypost": "out_for_delivery",
    "aftership": "OutForDelivery_001",
    "shippo": "TRANSIT/out_for_delivery",
    "17track": "OutForDelivery_Other",
    "sendcloud": "92",
}


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


# What is not trusted.


def wrong(body: bytes) -> dict[str, tuple[dict[str, str], bytes]]:
    """Webhooks of EasyPost that are not, each with its headers and its body."""
    right = signature("easypost", body)
    (name, value), *_ = right.items()
    large = b'{"x":"' + b"x" * 1_000_000 + b'"}'
    return {
        "a wrong secret": (signature("easypost", body, "another"), body),
        "a wrong byte": (right, body[:-1] + b" "),
        "no header": ({}, body),
        "an empty header": ({name: ""}, body),
        "a header twice": ({name: f"{value},{value}"}, body),
        "another provider's": (signature("sendcloud", body), body),
        "an empty body": (right, b""),
        "nothing at all": ({}, b""),
        "a megabyte": (right, large),
    }


@pytest.mark.parametrize("what", wrong(b"{}"))
def test_what_is_not_trusted_leaves_nothing(client, what):
    code = new_id("T")
    headers, body = wrong(json.dumps(tracker(code, 3)).encode())[what]
    refused = problem(send(client, "easypost", body, headers), 401)
    assert refused["code"] == "wrong_signature"
    assert client.commits(f"shipment#{code}") == []
    assert client.get(f"/shipments/{code}").status == 404


def test_a_body_that_is_too_large_is_not_read(client):
    body = b'"' + b"x" * 1_100_000 + b'"'
    problem(send(client, "easypost", body), 413)


def test_a_time_that_is_not_now_is_not_trusted(client):
    body = json.dumps(of_each_provider(new_id("T"))["shippo"]).encode()
    for away in (-301 - 5, 301 + 5):
        at = str(int(time.time()) + away)
        signed = mac(SECRETS["shippo"], at.encode(), b".", body).hex()
        headers = {"Shippo-Auth-Signature": f"t={at},v1={signed}"}
        problem(send(client, "shippo", body, headers), 401)


def test_both_secrets_are_trusted(client):
    for secret in SECRETS["sendcloud"].splitlines():
        code = new_id("T")
        body = json.dumps(of_each_provider(code)["sendcloud"]).encode()
        send(client, "sendcloud", body, signature("sendcloud", body, secret)).ok()
        client.log(code)


@pytest.mark.parametrize("provider", ["shipengine", "dhl", "EasyPost"])
def test_a_provider_without_a_secret_is_not_there(client, provider):
    body = json.dumps(tracker(new_id("T"), 1)).encode()
    answer = client.request("POST", f"/carriers/{provider}", body, signature("easypost", body))
    problem(answer, 404)


def test_nothing_but_a_post_is_there(client):
    assert client.get("/carriers/easypost").status == 404


# What does nothing, and what cannot be read.


@pytest.mark.parametrize(
    ("provider", "event"),
    [
        ("sendcloud", {"action": "test_webhook"}),
        ("shippo", {"event": "track_updated", "test": True, "data": {"tracking_number": "1"}}),
        ("easypost", {"description": "batch.created", "result": {"object": "Batch"}}),
        ("aftership", {"event": "edd_revise", "msg": {"tracking_number": "1"}}),
        ("17track", {"event": "TRACKING_STOPPED", "data": {"number": "1"}}),
    ],
)
def test_a_test_and_an_event_about_something_else_do_nothing(client, provider, event):
    assert send(client, provider, event).ok() == {"message": "Nothing to do"}


def test_what_is_signed_and_cannot_be_read_is_a_dead_letter(client):
    mark = new_id("mark")
    body = f"no JSON {mark}".encode()
    assert send(client, "easypost", body).ok()["message"] == "Kept, since it cannot be read"

    def letter():
        letters = client.local("dead-letters")["deadLetters"]
        found = [each for each in letters if mark in json.dumps(each)]
        return found[0] if found else None

    found = until("the letter", letter)
    assert found["consumer"] == "carriers"
    assert found["payload"]["detail"]["provider"] == "easypost"


def test_a_letter_that_can_be_read_by_now_is_logged_by_a_retry(system, client):
    code = new_id("T")
    kept = {
        "source": "waybill.carriers",
        "detail-type": "Carrier Webhook",
        "id": "request-1",
        "time": "2025-08-01T00:00:00.000Z",
        "detail": {"provider": "easypost", "body": json.dumps(tracker(code, 3))},
    }
    queue = client._aws("sqs")
    url = queue.get_queue_url(QueueName="waybill-dev-dead-letters")["QueueUrl"]
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(kept))
    ran = waybill(system, "retry", "--only", "dead-letters")
    assert "done   message" in ran.out, ran
    assert len(client.log(code, 3)) == 3


def test_a_code_that_no_table_has_is_logged_and_counted(client):
    code = new_id("T")
    event = tracker(code, 2)
    event["result"]["tracking_details"][0] |= {"status": "teleported", "status_detail": None}
    event["result"]["tracking_details"][1] |= {"status": "delivery_failed", "status_detail": None}
    before = counted(client, "UnmappedCarrierStatus", "easypost")
    send(client, "easypost", event).ok()
    rows = client.log(code, 2)
    assert [row["status"] for row in rows] == ["IN_TRANSIT", "EXCEPTION"]
    assert [row["carrierStatus"] for row in rows] == ["teleported", "delivery_failed"]
    assert counted(client, "UnmappedCarrierStatus", "easypost") == before + 2


def test_webhooks_are_counted_by_provider_and_outcome(client):
    code = new_id("T")
    event = of_each_provider(code)["aftership"]
    outcomes = ("logged", "known", "refused", "nothing")

    def counts():
        return [counted(client, "CarrierWebhooks", "aftership", each) for each in outcomes]

    before = counts()
    send(client, "aftership", event).ok()
    send(client, "aftership", event).ok()
    send(client, "aftership", event, {})
    send(client, "aftership", {"event": "edd_revise"}).ok()
    assert counts() == [each + 1 for each in before]


def carriers(client, *words: str, **secrets: str) -> subprocess.CompletedProcess:
    """The command `waybill carriers`, on this system."""
    named = {f"WAYBILL_CARRIER_SECRET_{name.upper()}": value for name, value in secrets.items()}
    return subprocess.run(
        [str(binary()), "carriers", *words, "--url", client.http],
        capture_output=True,
        text=True,
        env=environment(**named),
        timeout=60,
    )


def test_the_command_line_says_which_providers_have_a_secret(client):
    told = carriers(client)
    assert told.returncode == 0, told.stderr
    rows = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    expected = dict.fromkeys(SECRETS, "secret is set")
    assert rows == expected | {"shipengine": "secret is not set"}


@pytest.mark.parametrize("provider", SECRETS)
def test_the_command_line_tries_a_provider(client, provider):
    tried = carriers(client, "try", provider, **{provider: SECRETS[provider]})
    assert tried.returncode == 0, tried.stderr
    answer = json.loads(tried.stdout)
    [row] = client.log(answer["shipmentId"], 1)
    assert (row["status"], row["eventSource"]) == ("IN_TRANSIT", f"carriers/{provider}")


def test_the_command_line_says_why_a_try_is_not_taken(client):
    wrong = carriers(client, "try", "aftership", aftership="another")
    assert wrong.returncode == 1 and "401" in wrong.stderr
    without = carriers(client, "try", "aftership")
    assert without.returncode == 1 and "WAYBILL_CARRIER_SECRET_AFTERSHIP" in without.stderr
    nobody_else = carriers(client, "try", "shipengine", shipengine="any")
    assert nobody_else.returncode == 1 and "ShipEngine" in nobody_else.stderr


def counted(client, name: str, provider: str, outcome: str | None = None) -> int:
    lines = client.local("metrics")["metrics"]
    return sum(
        line[name]
        for line in lines
        if name in line and line["Provider"] == provider and line.get("Outcome") == outcome
    )
