"""A topic that takes nothing holds no dashboard back, and loses nothing."""

import json

import pytest

from client import new_id
from deployed import NAME
from orders import order, update
from patience import until


@pytest.fixture
def broken_topic(waybill):
    """`notify` speaks to a topic that is not there."""
    function = f"{NAME}-notify"
    config = waybill.functions.get_function_configuration(FunctionName=function)
    right = config["Environment"]["Variables"]
    wrong = {**right, "WAYBILL_ALERTS_ARN": f"{right['WAYBILL_ALERTS_ARN']}-gone"}
    change = lambda variables: waybill.functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
    change(wrong)
    yield
    change(right)


def given_up(waybill) -> list[dict]:
    """Every record in the bucket of dead letters."""
    keys = waybill.s3.list_objects_v2(Bucket=waybill.dead_letters_bucket).get("Contents", [])
    read = lambda key: waybill.s3.get_object(Bucket=waybill.dead_letters_bucket, Key=key)
    return [json.loads(read(each["Key"])["Body"].read()) for each in keys]


def test_an_alert_that_cannot_be_sent_is_tried_again_and_then_kept(waybill, inbox, broken_topic):
    shipment_id, order_id = new_id("SHIP"), new_id("ORD")
    waybill.update(shipment_id, update(shipment_id, status="LOST"), new_id("key")).ok()
    waybill.place(order(orderId=order_id), new_id("key")).ok()
    # The rows do not wait for the topic.
    waybill.shipment(shipment_id)
    waybill.order(order_id)
    lost = lambda: [each for each in given_up(waybill) if shipment_id in each["payload"]]
    [record] = until("a dead letter", lost, seconds=90)
    context, mapping = record["requestContext"], waybill.mapping("notify")
    assert context["condition"] == "RetryAttemptsExhausted", context
    assert context["functionArn"].endswith(f":function:{NAME}-notify"), context
    assert context["approximateInvokeCount"] == mapping["MaximumRetryAttempts"] + 1, context
    # The whole record is there: it outlives the stream's 24 hours.
    [kept] = json.loads(record["payload"])["Records"]
    assert kept["dynamodb"]["Keys"]["aggregate"]["S"] == f"shipment#{shipment_id}", kept
    assert "NewImage" in kept["dynamodb"], kept
    # What lies behind it in the stream is announced.
    inbox.announcement(f"order#{order_id}/1/Order Created")


def test_after_that_alerts_are_sent_again(waybill, inbox):
    shipment_id = new_id("SHIP")
    waybill.update(shipment_id, update(shipment_id, status="LOST"), new_id("key")).ok()
    inbox.alert(f"Logistics Alert: LOST - {shipment_id}")


def test_what_was_kept_can_be_announced_from_the_dead_letter(waybill, inbox):
    for record in given_up(waybill):
        answer = waybill.invoke("notify", record["payload"])
        assert not answer["batchItemFailures"], answer
        for each in json.loads(record["payload"])["Records"]:
            aggregate = each["dynamodb"]["Keys"]["aggregate"]["S"]
            inbox.alert(f"Logistics Alert: LOST - {aggregate.removeprefix('shipment#')}")
