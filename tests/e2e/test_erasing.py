"""A person is erased from a deployment: nothing that can be listed there holds the person's data but
what the erasure has announced."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from client import new_id
from deployed import NAME
from exact import json_text
from orders import order, snack_order
from patience import until
from traces import forms, unpacked

ERASED = "[erased]"
COMMANDS = {"Source": "orders.commands", "DetailType": "Place Order"}
# What holds commands as they were sent, and is announced.
FILES = "objects under orders/"


def personal(who: str) -> dict:
    return {
        "customerName": f"{who} Überquetzalin",
        "personal": {"mail": f"{who}.quetzal@überpost.example"},
    }


def looked_for(who: str) -> list[bytes]:
    mine = personal(who)
    texts = [mine["customerName"], mine["personal"]["mail"]]
    return [form for text in texts for form in forms(text).values()]


class Story:
    """Orders of two customers by every way in; one of them is erased."""

    def __init__(self, waybill):
        self.waybill = waybill
        self.who = {new_id("ann"): "ann", new_id("bob"): "bob"}
        self.gone, self.stays = self.who
        self.orders = {customer: self.place(customer) for customer in self.who}
        self.shared = f"orders/{new_id('shared')}.json"
        both = [self.body(customer) for customer in self.who]
        for customer, each in zip(self.who, both, strict=True):
            self.orders[customer].append(each["orderId"])
        waybill.put(self.shared, json.dumps(json.loads(json_text(both))).encode())
        for ids in self.orders.values():
            for each in ids:
                waybill.order(each)
        self.before = set(found(waybill, looked_for("ann")))
        self.rows = {each: waybill.order(each) for each in self.orders[self.gone]}
        path = f"/customers/{quote(self.gone, safe='')}/personal-data"
        self.answer = waybill.request("DELETE", path).ok()
        self.again = waybill.request("DELETE", path).ok()

        def rewritten():
            rows = [waybill.order(each) for each in self.orders[self.gone]]
            return all(row["customerName"] == ERASED for row in rows)

        until("rows without the person", rewritten)
        self.after = set(found(waybill, looked_for("ann")))

    def body(self, customer: str) -> dict:
        mine = {"orderId": new_id("E"), "customerId": customer}
        return order(**mine, **personal(self.who[customer]))

    def place(self, customer: str) -> list[str]:
        over_http, on_the_bus = self.body(customer), self.body(customer)
        self.waybill.place(over_http, new_id("key")).ok()
        self.waybill.put_event(on_the_bus, **COMMANDS)
        snack = {"orderId": new_id("E"), "customerId": customer}
        self.waybill.invoke("invoke", snack_order(**snack, **personal(self.who[customer])))
        return [over_http["orderId"], on_the_bus["orderId"], snack["orderId"]]


def found(waybill, wanted: list[bytes]) -> Iterator[str]:
    """The kinds of places in the deployment that hold any of these bytes."""
    for kind, content in places(waybill):
        parts = [content, *unpacked(content)]
        if any(form in part for form in wanted for part in parts):
            yield kind


def places(waybill) -> Iterator[tuple[str, bytes]]:
    """Everything that can be listed: items, records of the stream, objects with all their versions,
    messages, log lines and metrics."""
    for table in waybill.dynamodb.list_tables()["TableNames"]:
        pages = waybill.dynamodb.get_paginator("scan").paginate(TableName=table)
        for page in pages:
            for item in page["Items"]:
                yield f"table {table}", json_text(item).encode()
    for record in waybill.records():
        yield "the stream", json_text(record["dynamodb"].get("NewImage", {})).encode()
    for bucket in waybill.s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name.startswith(NAME):
            yield from objects(waybill, name)
    for group in waybill.logs.describe_log_groups()["logGroups"]:
        pages = waybill.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"]
        )
        for page in pages:
            for event in page["events"]:
                yield f"log {group['logGroupName']}", event["message"].encode()
    for url in waybill.sqs.list_queues(QueueNamePrefix=NAME).get("QueueUrls", []):
        got = waybill.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        for message in got.get("Messages", []):
            yield f"queue {url.rsplit('/', 1)[-1]}", json.dumps(message).encode()


def objects(waybill, bucket: str) -> Iterator[tuple[str, bytes]]:
    listed = waybill.s3.list_object_versions(Bucket=bucket)
    for each in listed.get("Versions", []):
        body = waybill.s3.get_object(
            Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"]
        )["Body"].read()
        folder = each["Key"].split("/", 1)[0]
        yield f"objects under {folder}/", body


@pytest.fixture(scope="module")
def story(waybill):
    return Story(waybill)


def test_the_answer_says_what_is_erased_and_what_holds_copies(story):
    assert story.answer["customerId"] == story.gone
    assert set(story.answer["copies"]) == {"backups", "orderFiles", "deadLetters"}
    assert story.again["erasedAt"] == story.answer["erasedAt"]


def test_rows_say_what_they_said_but_for_the_person(story):
    gone = {"customerName": ERASED, "personal": ERASED}
    for each, before in story.rows.items():
        row = story.waybill.order(each)
        # An automatic order may have been completed since.
        unchanged = {name: before[name] for name in ("totalAmount", "items", "createdAt")}
        assert row == row | gone | unchanged, each
        assert before["customerName"] == personal("ann")["customerName"]


def test_the_other_customer_is_open(story):
    for each in story.orders[story.stays]:
        row = story.waybill.order(each)
        assert row["customerName"] == personal("bob")["customerName"]
        assert row["personal"] == personal("bob")["personal"]


def test_histories_say_so_too(story):
    for each in story.orders[story.gone]:
        placed = story.waybill.history(each)[0]["data"]
        assert placed["customerName"] == placed["personal"] == ERASED


def test_before_the_erasure_rows_and_files_held_the_person_and_nothing_else(story):
    assert story.before == {f"table {NAME}-processed-orders", FILES}


def test_after_it_nothing_does_but_the_file_that_holds_others_orders(story):
    assert story.after == {FILES}


def test_the_key_is_gone_and_the_erasure_is_noted(story):
    record = story.waybill.item("keys", owner=f"customer#{story.gone}")
    assert "wrapped" not in record and record["erasedAt"]
    [noted] = [
        each
        for each in story.waybill.rows("events")
        if each["aggregate"] == f"erasure#customer#{story.gone}"
    ]
    assert "CustomerErased" in noted["events"]
