"""Carriers' webhooks as the deployed route takes them, and the search for shipments that fall silent."""

import hashlib
import hmac
import json

import pytest

from client import new_id
from deployed import NAME
from deployment import ENVIRONMENT
from orders import update
from patience import until

SHIPMENTS = "LogisticsProcessing"
SECRET = "the provider's secret"


def secret_of(provider: str) -> str:
    """What the provider's secret is called: contract."""
    return f"waybill/{ENVIRONMENT}/carriers/{provider}"


@pytest.fixture(scope="module", autouse=True)
def secret(waybill):
    """EasyPost's, and nobody else's."""
    waybill.secrets.create_secret(Name=secret_of("easypost"), SecretString=SECRET)
    yield
    waybill.secrets.delete_secret(
        SecretId=secret_of("easypost"), ForceDeleteWithoutRecovery=True
    )


def tracker(code: str, scans: int) -> bytes:
    """An event of EasyPost about a parcel with so many scans."""
    details = [
        {
            "object": "TrackingDetail",
            "status": "in_transit",
            "status_detail": "arrived_at_facility",
            "datetime": f"2025-08-01T00:{number:02}:00Z",
            "message": f"scan {number}",
            "tracking_location": {"city": "Orlando", "state": "FL"},
        }
        for number in range(scans)
    ]
    result = {
        "object": "Tracker",
        "tracking_code": code,
        "carrier": "FedEx",
        "tracking_details": details,
    }
    return json.dumps({"description": "tracker.updated", "result": result}).encode()


def send(waybill, body: bytes, secret: str = SECRET, provider: str = "easypost"):
    """A webhook as its provider sends it: without any credentials of AWS."""
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hmac-Signature": f"hmac-sha256-hex={mac}", "Content-Type": "application/json"}
    return waybill.unsigned("POST", f"/carriers/{provider}", headers, body)


def webhooks(waybill, outcome: str) -> int:
    """How many the function has counted with this outcome."""
    lines = waybill.log_lines("carriers")
    return sum(line.get("CarrierWebhooks", 0) for line in lines if line.get("Outcome") == outcome)


def test_a_webhook_that_its_provider_has_signed_becomes_rows(waybill, inbox):
    code = new_id("1Z")
    answer = send(waybill, tracker(code, 2)).ok()
    assert (answer["shipmentId"], answer["logged"], answer["known"]) == (code, 2, 0), answer
    # The list comes again, and longer: what is new of it is written.
    again = send(waybill, tracker(code, 2)).ok()
    assert (again["logged"], again["known"], again["version"]) == (0, 2, 2), again
    longer = send(waybill, tracker(code, 3)).ok()
    assert (longer["logged"], longer["known"], longer["version"]) == (1, 2, 3), longer

    shipment = waybill.shipment(code, 3)
    assert (shipment["status"], shipment["updates"]) == ("IN_TRANSIT", 3), shipment
    assert shipment["trackingNumber"] == code and shipment["carrier"] == "FedEx", shipment
    rows = waybill.log(code, 3)
    assert [row["attributes"]["message"] for row in rows] == ["scan 0", "scan 1", "scan 2"], rows
    assert {row["eventSource"] for row in rows} == {"carriers/easypost"}, rows
    assert {row["location"] for row in rows} == {"Orlando, FL"}, rows
    inbox.announcement(f"shipment#{code}/1/Shipment Status Changed")
    until("the webhooks are counted", lambda: webhooks(waybill, "known") >= 1)
    assert webhooks(waybill, "logged") >= 2


def test_a_webhook_that_somebody_else_has_signed_is_refused(waybill):
    code = new_id("1Z")
    for refused in (
        send(waybill, tracker(code, 1), secret="a guess"),
        waybill.unsigned("POST", "/carriers/easypost", {}, tracker(code, 1)),
    ):
        assert refused.status == 401, refused
        assert json.loads(refused.text)["code"] == "wrong_signature", refused
        assert SECRET not in refused.text
    assert waybill.get(f"/shipments/{code}").status == 404
    until("it is counted", lambda: webhooks(waybill, "refused") >= 2)


def test_a_provider_without_a_secret_is_not_there(waybill):
    assert send(waybill, tracker(new_id("1Z"), 1), provider="sendcloud").status == 404
    assert send(waybill, tracker(new_id("1Z"), 1), provider="nobody").status == 404


@pytest.fixture
def returning_stalls_at_once(waybill):
    """The function `watch`, set so that a shipment on its way back is stalled after two seconds,
    and none of another status ever is: what other tests leave behind stays as it is."""
    name = f"{NAME}-watch"
    config = waybill.functions.get_function_configuration(FunctionName=name)
    before = config["Environment"]["Variables"]
    statuses = [each.partition("=")[0] for each in before["WAYBILL_STALLED_AFTER_HOURS"].split(",")]
    hours = {status: "0" for status in statuses} | {"RETURNING": "0.0005"}
    given = ",".join(f"{status}={each}" for status, each in hours.items())

    def set_to(variables):
        waybill.functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )

    set_to(before | {"WAYBILL_STALLED_AFTER_HOURS": given})
    yield
    set_to(before)


def test_a_shipment_that_falls_silent_is_found_by_the_schedules_turn(
    waybill, inbox, returning_stalls_at_once
):
    shipment_id, other = new_id("SHIP"), new_id("SHIP")
    waybill.put_event(update(shipment_id, status="RETURNING"))
    waybill.put_event(update(other, status="RETURNED"))
    waybill.shipment(shipment_id), waybill.shipment(other)

    def looked():
        # As EventBridge's schedule invokes it.
        waybill.invoke("watch", {"source": "aws.events", "detail-type": "Scheduled Event"})
        return waybill.item("shipment-log", shipmentId=shipment_id, entry="CURRENT").get(
            "stalledSince"
        )

    since = until("it is stalled", looked)
    row = waybill.item("shipment-log", shipmentId=shipment_id, entry="CURRENT")
    assert (row["version"], row["currentStatus"]) == (2, "RETURNING"), row
    assert row["watchShard"].startswith("STALLED#") and row["heardAt"] == since, row
    listed = lambda: {
        each["shipmentId"]: each for each in waybill.get("/shipments?stalled=true").ok()["items"]
    }
    shown = until("it is listed", lambda: listed().get(shipment_id))
    assert (shown["stalledSince"], shown["status"]) == (since, "RETURNING"), shown
    said = inbox.announcement(f"shipment#{shipment_id}/2/Shipment Stalled")
    assert said["source"] == "waybill.shipments", said
    assert said["detail"]["stalledSince"] == since, said
    mail = inbox.alert(f"Logistics Alert: STALLED - {shipment_id}")
    assert mail["MessageAttributes"]["id"]["Value"] == said["detail"]["id"], mail

    # Once, however often it looks; and what has come to an end never is.
    assert waybill.invoke("watch", {})["silent"] == 0
    waybill.put_event(update(shipment_id, status="RETURNED"))
    shipment = waybill.shipment(shipment_id, 3)
    assert "stalledSince" not in shipment and shipment["status"] == "RETURNED", shipment
    until("it is listed no more", lambda: shipment_id not in listed())
    stalled = [each for each in inbox.announced if each["detail-type"] == "Shipment Stalled"]
    assert {each["detail"]["shipmentId"] for each in stalled} == {shipment_id}, stalled
