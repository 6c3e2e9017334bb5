"""What goes over bus, topic, bucket and direct invocation, against the AsyncAPI document."""

import json
import re
import warnings
from collections import Counter

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

import documents
from client import new_id
from expect import at_rest, attributes_of, message
from orders import changed, order, placed, snack_order, update
from patience import until
from reports import imported, report_of, upload
from system import REPOSITORY, System

with warnings.catch_warnings():
    # It names fields as pydantic would rather not have them named.
    warnings.simplefilter("ignore")
    from asyncapi3 import AsyncAPI3

BUS, TOPIC = "EventBridge", "SNS"
COMMANDS = ("logistics.shipments", "orders.commands")
OURS = ("waybill.orders", "waybill.shipments")
# By which functions of Waybill speak to each other.
WITHIN = "waybill.watch"


def document() -> dict:
    return documents.asyncapi()


def messages() -> dict:
    return document()["components"]["messages"]


def resolved(reference: dict) -> dict:
    node = document()
    for name in reference["$ref"].removeprefix("#/").split("/"):
        node = node[name]
    return resolved(node) if "$ref" in node else node


def faults(schema: dict, value) -> list[str]:
    """What is wrong with a value; a member that is not documented is, too."""
    closed = documents.closed({"components": document()["components"], "s": schema})
    validator = Draft7Validator({**closed, "allOf": [closed["s"]]})
    return [
        f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(value)
    ]


def on_the_bus(sources) -> dict[tuple[str, str], dict]:
    """Documented messages by source and detail-type."""
    found = {}
    for each in messages().values():
        headers = each.get("headers", {}).get("properties", {})
        source = headers.get("source", {}).get("const")
        if source in sources:
            found[source, headers["detail-type"]["const"]] = each
    return found


# ---- The document itself


def test_the_document_is_asyncapi_3_0():
    assert document()["asyncapi"].startswith("3.0.")
    AsyncAPI3.model_validate(document())


def references(node):
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node
        for value in node.values():
            yield from references(value)


def test_every_reference_leads_somewhere():
    found = list(references(document()))
    assert len(found) > 100
    for reference in found:
        resolved(reference)


def test_every_schema_is_read_alike_by_both_drafts():
    for name, schema in document()["components"]["schemas"].items():
        Draft7Validator.check_schema(schema)
        Draft202012Validator.check_schema(schema)
        # Draft 7 reads nothing beside a reference.
        alone = [ref for ref in references(schema) if len(ref) > 1]
        assert not alone, f"{name}: {alone}"


def test_every_message_has_a_channel_and_every_operation_its_messages():
    used = set()
    for operation in document()["operations"].values():
        channel = resolved(operation["channel"])
        for reference in operation["messages"]:
            assert resolved(reference) in map(resolved, channel["messages"].values())
    for channel in document()["channels"].values():
        used |= {ref["$ref"].rsplit("/", 1)[1] for ref in channel["messages"].values()}
    assert used == set(messages())


def test_every_example_is_valid_by_its_schema():
    count = 0
    for name, each in messages().items():
        for example in each.get("examples", []):
            count += 1
            assert faults(each["payload"], example["payload"]) == [], name
            if "headers" in example:
                assert faults(each["headers"], example["headers"]) == [], name
    assert count >= 8


# ---- What the system knows and the document might lack


def test_every_command_of_the_rules_is_documented_and_no_other():
    """The rules, as the gateway between bus and functions has them."""
    source = (REPOSITORY / "infra/local/src/rules.rs").read_text()
    patterns = [
        json.loads(text.partition('"#')[0]) for text in source.split('= r#"')[1:]
    ]
    known = {
        (source, detail_type)
        for pattern in patterns
        for source in pattern.get("source", [])
        for detail_type in pattern.get("detail-type", [])
    }
    commands = {each for each in known if each[0] not in (*OURS, WITHIN, "aws.s3")}
    assert commands == set(on_the_bus(COMMANDS))


def test_every_announcement_of_the_source_is_documented_and_no_other():
    source = (REPOSITORY / "projectors/src/notifications.rs").read_text()
    documented = {detail_type for _, detail_type in on_the_bus(OURS)}
    told = set(re.findall(r'"((?:Order|Shipment) [A-Z][A-Za-z ]+)"', source))
    assert told == documented
    assert {name for name in OURS if f'"{name}"' in source} == set(OURS)


# ---- What comes out


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One in which a shipment that waits to be fetched stalls after two seconds."""
    running = System(tmp_path_factory.mktemp("system"))
    running.more = ["--stalled-after-hours", "READY_FOR_PICKUP=0.0005"]
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def captured(system) -> list[dict]:
    """Every kind of message, each in its varieties, as it left the system."""
    client = system.client
    traced = {"traceparent": f"00-{'4b' * 16}-{'0f' * 8}-01", "X-Correlation-Id": "c-1"}
    for headers in ({}, traced):
        for changes in ({}, {"customerId": None}, {"fulfilment": "automatic"}):
            placed(client, **changes)
        completed, cancelled = placed(client), placed(client)
        client.complete(completed, new_id("key"), headers).ok()
        client.cancel(cancelled, "why not", new_id("key"), headers).ok()
        client.place(order(), new_id("key"), headers).ok()
        shipment_id = new_id("SHIP")
        for status in ("CREATED", "LOST", "DAMAGED", "DELAYED", "EXCEPTION"):
            body = update(shipment_id, status=status, orderId=completed)
            client.update(shipment_id, body, new_id("key"), headers).ok()
        late = {"status": "LOST", "timestamp": "2024-01-15T08:00:00Z"}
        bare = changed(update(shipment_id), {"location": None, "carrier": None, **late})
        client.update(shipment_id, bare, new_id("key"), headers).ok()
    client.invoke("invoke", snack_order())
    for more in ({}, {"orderId": completed}):
        body = update(new_id("SHIP"), status="READY_FOR_PICKUP", **more)
        client.update(body["shipmentId"], body, new_id("key")).ok()
        stalled = f"shipment#{body['shipmentId']}/2/Shipment Stalled"
        message(client, stalled, TOPIC)
    client.put_event({"shipmentId": "S 1"})
    rest = at_rest(client)
    assert rest["deadLetters"] == 1
    return client.messages()


def test_every_kind_of_announcement_was_captured(captured):
    seen = {(m["source"], m["detailType"]) for m in captured if m["via"] == BUS}
    assert seen - {(WITHIN, "Mark Stalled")} == set(on_the_bus(OURS))


def test_every_announcement_is_as_documented(captured):
    known = on_the_bus(OURS)
    announced = (m for m in captured if m["via"] == BUS and m["source"] != WITHIN)
    for each in announced:
        documented = known[each["source"], each["detailType"]]
        wrong = faults(documented["payload"], each["detail"])
        assert wrong == [], f"{each['detailType']}: {wrong}"


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("shipmentMail", "Logistics Alert: [^S]"),
        ("stalledMail", "Logistics Alert: STALLED - "),
        ("rejectionMail", "Logistics Processing Error - "),
    ],
)
def test_every_mail_is_as_documented(captured, name, subject):
    mails = [
        each
        for each in captured
        if each["via"] == TOPIC and re.match(subject, each["subject"])
    ]
    assert mails
    for mail in mails:
        headers = {**attributes_of(mail), "Subject": mail["subject"]}
        assert faults(messages()[name]["headers"], headers) == []
        assert faults(messages()[name]["payload"], mail["message"]) == []


def test_no_mail_is_of_another_kind(captured):
    subjects = Counter(
        each["subject"].split(" - ")[0].split(":")[0]
        for each in captured
        if each["via"] == TOPIC
    )
    assert set(subjects) == {"Logistics Alert", "Logistics Processing Error"}


def test_what_optional_members_say_was_seen_too(captured):
    """Else a wrong schema of theirs would go unnoticed."""
    details = [each["detail"] for each in captured if each["via"] == BUS]
    members = {name for detail in details for name in detail}
    assert members >= {"customerId", "orderId", "previousStatus", "traceparent", "late"}
    assert {detail.get("late") for detail in details} == {None, True, False}


# ---- What goes in


@pytest.mark.parametrize("kind", sorted(on_the_bus(COMMANDS)), ids=str)
def test_every_example_of_a_command_is_accepted(client, kind):
    suffix, place = new_id(""), ("orders.commands", "Place Order")
    if kind[1] in ("Complete Order", "Cancel Order"):
        carried_out(client, place, suffix)
    carried_out(client, kind, suffix)


def carried_out(client, kind: tuple[str, str], suffix: str) -> None:
    """Puts every example on the bus, each for an order or shipment of this test."""
    source, detail_type = kind
    for example in on_the_bus(COMMANDS)[kind]["examples"]:
        detail = dict(example["payload"])
        for name in {"orderId", "shipmentId"} & detail.keys():
            detail[name] += suffix
        event_id = client.put_event(
            detail,
            Source=source,
            DetailType=detail_type,
            EventBusName="waybill-dev",
        )
        until(f"a commit of {event_id}", lambda id=event_id: made_by(client, id))


def made_by(client, event_id: str) -> bool:
    """Has the event with this id made a commit?"""
    commits = client.scan("events")
    return any(each["commandId"]["S"] == f"event/{event_id}" for each in commits)


def test_the_examples_by_invocation_are_accepted(client):
    for example in messages()["invocation"]["examples"]:
        answer = client.invoke("invoke", example["payload"])
        assert "error" not in answer
        assert faults(messages()["reply"]["payload"], answer) == []


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        snack_order(totalAmount=1),
        snack_order(currency="XXX"),
        snack_order(snackItems=[]),
    ],
    ids=lambda payload: str(payload)[:40],
)
def test_a_refused_invocation_is_answered_as_documented(client, payload):
    assert (
        faults(messages()["invocation"]["payload"], payload) or "totalAmount" in payload
    )
    answer = client.invoke("invoke", payload)
    assert "error" in answer
    assert faults(messages()["reply"]["payload"], answer) == []


def test_the_example_of_a_file_is_accepted(client):
    for example in messages()["orderFile"]["examples"]:
        body = json.dumps(example["payload"]).encode()
        report = imported(client, f"{new_id('file')}.json", body)
        assert report["accepted"] == report["total"] == len(example["payload"])
        assert faults(messages()["report"]["payload"], report) == []


def test_the_report_of_a_bad_file_is_as_documented(client):
    """With more rejections than a report holds itself, and of several kinds."""
    lines = [json.dumps(order(orderId=new_id("FILE"), totalAmount=None, items=[]))]
    lines += ["{", '{"items":1}', '{"orderId":"a b"}', "[]", *["{}"] * 1_200]
    key, version = upload(client, f"{new_id('bad')}.jsonl", "\n".join(lines).encode())
    assert report_of(client, key, version)["rejected"] == len(lines)
    place = f"reports/{key}/{version}/report.json"
    report = json.loads(client.object(place))
    assert faults(messages()["report"]["payload"], report) == []
    assert report["rejectionParts"] and report["rejections"]
    for part in report["rejectionParts"]:
        rejections = json.loads(client.object(part))
        assert faults(messages()["rejections"]["payload"], rejections) == []
    mail = message(client, place, TOPIC)
    headers = {**attributes_of(mail), "Subject": mail["subject"]}
    assert faults(messages()["rejectionMail"]["headers"], headers) == []
