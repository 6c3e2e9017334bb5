"""Nothing that is rejected is silent."""

import json

from client import new_id
from deployed import NAME, received
from expect import problem
from orders import order, update
from patience import until


def test_an_invalid_order_is_refused(waybill):
    answer = waybill.place(order(items=[]), new_id("key"))
    problem(answer, 400, "items")


def test_an_event_that_can_never_succeed_is_a_dead_letter_at_once(waybill, inbox):
    url = waybill.outputs["DeadLettersQueueUrl"]
    received(waybill.sqs, url)
    marker = new_id("secret")
    event_id = waybill.put_event({"status": "DELIVERED", "location": marker})
    letters: list[dict] = []

    def kept():
        letters.extend(received(waybill.sqs, url))
        return letters

    until("a dead letter", kept)
    assert [letter["id"] for letter in letters] == [event_id], letters
    # As it came, so that it can be mended and sent again.
    assert letters[0]["detail"] == {"status": "DELIVERED", "location": marker}, letters
    alert = inbox.alert("Logistics Processing Error - dev-e2e", event_id)
    assert marker not in json.dumps(alert), alert
    # At once: nobody tried again.
    lines = lambda: [each for each in waybill.log_lines("bus") if each.get("event_id") == event_id]
    assert len(until("a line in the log", lines)) == 1, lines()
    errors = waybill.metrics("bus", "LogisticsProcessing", "ProcessingErrors", "Environment")
    assert sum(errors) >= 1


def test_what_no_rule_asks_for_reaches_nobody(waybill):
    shipment_id = new_id("SHIP")
    waybill.put_event(update(shipment_id), Source="somebody.else")
    waybill.put_event(update(shipment_id), DetailType="Shipment Photographed")
    # An event behind them has come through, so they would have.
    other = new_id("SHIP")
    waybill.put_event(update(other))
    waybill.shipment(other)
    assert waybill.get(f"/shipments/{shipment_id}").status == 404


def test_the_queue_of_dead_letters_holds_them_for_fourteen_days(waybill):
    url = waybill.outputs["DeadLettersQueueUrl"]
    assert f"{NAME}-dead-letters" in url
    attributes = waybill.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert int(attributes["Attributes"]["MessageRetentionPeriod"]) == 14 * 24 * 3600
