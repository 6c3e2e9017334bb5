"""Carriers' webhooks that are not trusted, that do nothing, or that cannot be read; and what is
counted of all of them."""

import json
import time

import pytest

from carriers import (
    SECRETS,
    counted,
    mac,
    of_each_provider,
    running_with_secrets,
    send,
    signature,
    tracker,
)
from client import new_id
from expect import problem
from operator_cli import waybill
from patience import until


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    yield from running_with_secrets(tmp_path_factory.mktemp("system"))


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
