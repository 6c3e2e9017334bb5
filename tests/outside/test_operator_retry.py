"""`waybill retry`: what was parked or given up goes on, once, or says why not."""

import time
from email.utils import formatdate

import pytest

from client import Client, new_id
from expect import at_rest, id_of
from exact import json_text, read_json
from operator_cli import (
    FAILED,
    LETTERS,
    WELL,
    WRONG,
    Between,
    depth,
    event,
    letter,
    letters,
    poisoned,
    put,
    queue_url,
    send,
    sqs,
    start,
    waybill,
)
from orders import order, placed, snack_order, update
from patience import until
from system import System

# Its mark among the parked needs a key that DynamoDB refuses.
AGGREGATE_CHARACTERS = 2_048
GIVEN_UP_SECONDS = 90
MANY = 400
# By so much two clocks may differ that are both right.
CLOCKS_SECONDS = 2.5


@pytest.fixture
def own(tmp_path):
    running = System(tmp_path).start()
    yield running
    running.kill()


def told_of(client: Client, aggregate: str) -> list[str]:
    ids = [id_of(message) for message in client.messages()]
    return [each for each in ids if each.startswith(f"{aggregate}/")]


def gone(client: Client, order_id: str) -> None:
    """Removes an order's row."""
    client.order(order_id)
    key = {"orderId": {"S": order_id}}
    client.dynamodb.delete_item(TableName="waybill-dev-processed-orders", Key=key)


def shipment_event(shipment_id: str, **fields) -> dict:
    return event(update(shipment_id), **fields)


# Parked.


def test_what_is_parked_stays_until_it_is_mended_and_goes_on_then(own):
    client = own.client
    order_id, good = poisoned(client)
    aggregate = f"order#{order_id}"
    ran = waybill(own, "retry", "--json")
    assert ran.code == WRONG, ran
    assert (ran.json["done"], ran.json["stays"]) == (0, 2)
    for each in ran.json["retried"]:
        assert each["kind"] == "parked" and aggregate in each["name"]
        assert not each["done"] and "OrderExploded" in each["reason"]
    assert len(waybill(own, "parked", "--json").json["parked"]) == 2

    put(client, good)
    dry = waybill(own, "retry", "--dry-run")
    assert dry.code == WRONG and "2 parked" in dry.out
    assert client.item("processed-orders", orderId=order_id) is None
    # One of both, and another one's not at all.
    assert "nothing" in waybill(own, "retry", "order#ANOTHER").out
    ran = waybill(own, "retry", aggregate, "--consumer", "project")
    assert ran.code == WELL, ran
    assert client.item("processed-orders", orderId=order_id)
    assert told_of(client, aggregate) == []
    assert [
        each["consumer"] for each in waybill(own, "parked", "--json").json["parked"]
    ] == ["notify"]
    ran = waybill(own, "retry")
    assert ran.code == WELL
    assert "1 done, 0 left" in ran.out
    assert told_of(client, aggregate) == [f"{aggregate}/1/Order Created"]
    assert waybill(own, "status").code == WELL
    assert "nothing to retry" in waybill(own, "retry").out


# The stream's dead letters.


def test_records_that_were_given_up_become_rows_and_exactly_their_messages(own):
    client = own.client
    order_id = placed(client)
    client.cancel(order_id, key=new_id("key")).ok()
    client.order(order_id, version=2)
    at_rest(client)
    aggregate = f"order#{order_id}"
    _, second = client.commits(aggregate)
    before = sorted(told_of(client, aggregate))
    gone(client, order_id)
    letter(client, "project", [second])
    letter(client, "notify", [second])

    # One consumer's alone.
    ran = waybill(own, "retry", "--consumer", "project", "--json")
    assert (ran.code, ran.json["done"]) == (WELL, 1), ran
    assert client.order(order_id, version=2)["status"] == "CANCELLED"
    assert sorted(told_of(client, aggregate)) == before
    assert len(letters(client)) == 1
    ran = waybill(own, "retry", "--only", "dead-letters", "--json")
    assert (ran.code, ran.json["done"]) == (WELL, 1), ran
    assert ran.json["retried"][0]["kind"] == "stream"
    again = f"{aggregate}/2/Order Cancelled"
    assert sorted(told_of(client, aggregate)) == sorted(before + [again])
    assert letters(client) == []


def test_one_bad_record_holds_its_object_and_nothing_else(own):
    client = own.client
    good, other = placed(client), placed(client)
    commits = [client.commits(f"order#{each}")[0] for each in (good, other)]
    bad = commits[0] | {"aggregate": {"S": "parcel#1"}}
    at_rest(client)
    gone(client, good)
    gone(client, other)
    held = letter(client, "project", [bad, commits[0]])
    letter(client, "project", [commits[1]])
    told = letter(client, "notify", [bad, commits[1]])
    foreign = letter(client, "query", [commits[1]])
    client.s3.put_object(Bucket=LETTERS, Key="aws/lambda/x/nonsense", Body=b"{}")
    ran = waybill(own, "retry", "--json")
    assert ran.code == WRONG
    stays = {each["name"]: each.get("reason") for each in ran.json["retried"]}
    assert ran.json["done"] == 1
    assert "parcel#1" in stays[held] and "parcel#1" in stays[told]
    assert "waybill-dev-query" in stays[foreign]
    assert stays["aws/lambda/x/nonsense"]
    for each in (good, other):
        assert client.item("processed-orders", orderId=each)
    created = f"order#{other}/1/Order Created"
    assert told_of(client, f"order#{other}").count(created) == 2
    assert len(letters(client)) == 4


def test_a_record_that_the_consumers_gave_up_is_named(own):
    client = own.client
    (commit,) = client.commits(f"order#{placed(client)}")
    aggregate = f"order#{new_id('P')}".ljust(AGGREGATE_CHARACTERS, "x")
    put(client, commit | {"aggregate": {"S": aggregate}})
    until("both letters", lambda: len(letters(client)) == 2, GIVEN_UP_SECONDS)
    ran = waybill(own, "retry", "--json")
    assert (ran.code, ran.json["stays"]) == (WRONG, 2)
    reasons = [each["reason"] for each in ran.json["retried"]]
    assert any("no order and no shipment" in each for each in reasons), reasons


# The queue.


def test_an_event_that_was_given_up_is_done_once(own):
    client, shipment_id = own.client, new_id("SHIP")
    given_up = shipment_event(shipment_id)
    send(client, given_up)
    send(client, given_up)
    dry = waybill(own, "retry", "--dry-run", "--json")
    assert (dry.code, dry.json["messages"]) == (WRONG, 2)
    assert depth(client) == (2, 0)
    first = waybill(own, "retry", "--json")
    assert first.json["retried"][0]["kind"] == "message"
    assert first.json["done"] == 1
    # The second of two equal messages goes with the first; where it is very young, it may be
    # one that came meanwhile, and waits for the next time.
    assert first.json["copies"] + first.json["notYetDue"] == 1
    assert first.code == (WRONG if first.json["notYetDue"] else WELL)
    assert waybill(own, "retry").code == WELL
    assert depth(client) == (0, 0)
    assert len(client.log(shipment_id)) == 1
    assert len(client.commits(f"shipment#{shipment_id}")) == 1
    (commit,) = client.commits(f"shipment#{shipment_id}")
    assert commit["commandId"]["S"] == f"event/{given_up['id']}"


def test_what_was_kept_more_than_once_counts_once(own):
    """A rejected event is kept, and its mail fails: it is delivered again, and kept again."""
    client, shipment_id = own.client, new_id("SHIP")
    given_up, other = shipment_event(shipment_id), shipment_event(new_id("SHIP"))
    for text in (given_up, other, dict(reversed(given_up.items())), given_up):
        send(client, text)
    refused = event(update("SHIP-1") | {"shipmentId": "a/b"})
    for _ in range(3):
        send(client, refused)
    time.sleep(CLOCKS_SECONDS)
    ran = waybill(own, "retry", "--json")
    told = [each["reason"] for each in ran.json["retried"] if not each["done"]]
    assert (ran.code, ran.json["done"], len(told)) == (WRONG, 2, 1), ran
    assert told[0].startswith("refused once more: ")
    assert (ran.json["copies"], ran.json["notYetDue"]) == (4, 0)
    assert len(client.log(shipment_id)) == 1
    # Of three copies one is left, and one mail was sent.
    assert depth(client) == (1, 0)
    mails = [each for each in client.messages() if refused["id"] in str(each)]
    assert len(mails) == 1


def test_what_another_retry_has_taken_is_counted_and_no_good_end(own):
    client = own.client
    send(client, shipment_event(new_id("SHIP")))
    url = queue_url(client)
    taken = sqs(client).receive_message(QueueUrl=url, VisibilityTimeout=900)
    (taken,) = taken["Messages"]
    ran = waybill(own, "retry")
    assert ran.code == WRONG
    assert "1 message hidden" in ran.out and "nothing" not in ran.out
    dry = waybill(own, "retry", "--dry-run")
    assert dry.code == WRONG and "1 message hidden" in dry.out
    # Nobody asked for messages.
    assert waybill(own, "retry", "--only", "parked").code == WELL
    sqs(client).change_message_visibility(
        QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"], VisibilityTimeout=0
    )
    assert waybill(own, "retry").code == WELL


HOUR = 3_600


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_the_environment_says_what_time_it_is(own, ahead):
    """This machine's clock is an hour behind, or ahead of, the environment's."""
    client, shipment_id = own.client, new_id("SHIP")

    def change(path: str, target: str, headers: dict, body: bytes) -> bytes:
        if path.endswith("/configuration"):
            there = time.time() + ahead
            headers.pop("date", None)
            headers["Date"] = formatdate(there, usegmt=True)
        if not target.endswith(".ReceiveMessage"):
            return body
        answer = read_json(body)
        for message in answer.get("Messages", []):
            attributes = message["Attributes"]
            sent = int(attributes["SentTimestamp"]) + ahead * 1_000
            attributes["SentTimestamp"] = str(sent)
        return json_text(answer).encode()

    send(client, shipment_event(shipment_id))
    client.put_event(update("SHIP-1") | {"shipmentId": "a/b"})
    until("both messages", lambda: depth(client) == (2, 0))
    with Between(client, lambda path, target: None, change) as endpoint:
        ran = waybill(own, "retry", "--json", endpoint=endpoint)
    assert "clock is wrong by 3" in ran.err
    assert (ran.code, ran.json["done"], ran.json["stays"]) == (WRONG, 1, 1), ran
    assert "refused once more: " in str(ran.json["retried"])
    assert len(client.log(shipment_id)) == 1


def test_who_does_not_say_what_time_it_is_is_not_believed(own):
    def timeless(path: str, target: str, headers: dict, body: bytes) -> bytes:
        if path.endswith("/configuration"):
            headers.pop("date", None)
            headers["Date"] = "yesterday"
        return body

    with Between(own.client, lambda path, target: None, timeless) as endpoint:
        ran = waybill(own, "retry", endpoint=endpoint)
    assert ran.code == FAILED and "what time it is" in ran.err


def test_orders_by_invocation_that_were_given_up_are_placed_once_each(own):
    """Lambda names the invocation. Two customers may order the same; one letter is one order,
    also where an attempt had placed it, or the letter could not be removed."""
    client = own.client
    for request in ("r-1", "r-2", "r-1"):
        given_up(client, snack_order(), request)
    given_up(client, snack_order(commandId="counter-7"), "r-3")
    time.sleep(CLOCKS_SECONDS)
    with Between(client, no_removal) as endpoint:
        assert waybill(own, "retry", endpoint=endpoint).code == WRONG
    ran = waybill(own, "retry", "--json")
    assert (ran.code, ran.json["done"]) == (WELL, 3), ran
    assert depth(client) == (0, 0)
    rows = until("three orders", lambda: [r for r in client.scan("processed-orders")] or None)
    ids = {row["orderId"]["S"] for row in rows}
    assert len(ids) == 3
    commands = {client.commits(f"order#{each}")[0]["commandId"]["S"] for each in ids}
    assert commands == {"invoke/request/r-1", "invoke/request/r-2", "invoke/counter-7"}


def test_an_order_by_invocation_that_is_refused_stays(own):
    client = own.client
    given_up(client, snack_order(snackItems=[]), "r-1")
    time.sleep(CLOCKS_SECONDS)
    ran = waybill(own, "retry", "--json")
    assert ran.code == WRONG, ran
    [stays] = ran.json["retried"]
    assert stays["reason"] == "waybill-dev-invoke refuses it: invalid_field"
    assert depth(client) == (1, 0)


def given_up(client: Client, order: dict, request: str) -> None:
    """What Lambda keeps of an asynchronous invocation."""
    told = {"RequestID": request, "ErrorCode": "200", "ErrorMessage": "unavailable"}
    sqs(client).send_message(
        QueueUrl=queue_url(client),
        MessageBody=json_text(order),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in told.items()
        },
    )


def test_a_file_that_was_given_up_is_imported(own):
    client, key = own.client, f"orders/{new_id('file')}.json"
    body = order(orderId=new_id("ORD"), totalAmount=None)
    body["items"] = [{"name": "Lamp", "quantity": 1, "price": 12}]
    stored = client.put(key, str([body]).replace("'", '"').encode())
    report = f"reports/{key}/{stored['VersionId']}/report.json"

    def told() -> dict | None:
        listed = client.s3.list_objects_v2(Bucket=client.bucket, Prefix=report)
        return read_json(client.object(report)) if listed["KeyCount"] else None

    assert until("the report", told)["accepted"] == 1
    client.order(body["orderId"])
    client.s3.delete_object(Bucket=client.bucket, Key=report)
    detail = {
        "version": "0",
        "bucket": {"name": client.bucket},
        "object": {
            "key": key,
            "size": 10,
            "etag": stored["ETag"].strip('"'),
            "version-id": stored["VersionId"],
            "sequencer": "0055AED6DCD90281E5",
        },
        "reason": "PutObject",
    }
    fields = {"source": "aws.s3", "detail-type": "Object Created"}
    send(client, event(detail, **fields))
    ran = waybill(own, "retry", "--json")
    assert (ran.code, ran.json["done"]) == (WELL, 1), ran
    assert told()["alreadyKnown"] + told()["accepted"] == 1
    assert len(client.commits(f"order#{body['orderId']}")) <= 2


def test_what_a_function_refuses_for_good_stays_and_is_there_again_at_once(own):
    client = own.client
    client.put_event(update("SHIP-1") | {"shipmentId": "a/b"})
    until("the message", lambda: depth(client) == (1, 0))
    ran = waybill(own, "retry", "--json")
    assert ran.code == WRONG, ran
    (refused,) = ran.json["retried"]
    assert not refused["done"]
    assert refused["reason"].startswith("refused once more: ")
    assert depth(client) == (1, 0)
    # And so each time, never more than once in one run.
    assert waybill(own, "retry").code == WRONG
    assert depth(client) == (1, 0)


def test_a_group_of_one_role_and_reason_is_taken_up_alone(own):
    client = own.client
    outage, other, unsaid = (new_id("SHIP") for _ in range(3))
    send(client, shipment_event(outage), reason="unavailable")
    send(client, shipment_event(other), reason="another")
    send(client, shipment_event(unsaid))
    order_id, good = poisoned(client)
    put(client, good)
    group = ("--role", "bus", "--reason", "unavailable", "--json")
    ran = waybill(own, "retry", *group)
    assert (ran.code, ran.json["done"], ran.json["stays"]) == (WELL, 1, 0), ran
    assert ran.json["retried"][0]["about"] == [f"shipment#{outage}"]
    assert len(client.log(outage)) == 1
    assert depth(client) == (2, 0)
    # An empty text is what nobody has said.
    ran = waybill(own, "retry", "--role", "bus", "--reason", "")
    assert (ran.code, "1 done, 0 left" in ran.out) == (WELL, True), ran
    assert f"about shipment#{unsaid}" in ran.out
    # What is parked has a consumer and a code.
    assert len(waybill(own, "parked", "--json").json["parked"]) == 2
    group = ("--role", "project", "--reason", "corrupt_history", "--json")
    ran = waybill(own, "retry", *group)
    assert (ran.code, ran.json["done"]) == (WELL, 1), ran
    (left,) = waybill(own, "parked", "--json").json["parked"]
    assert left["consumer"] == "notify" and left["aggregate"] == f"order#{order_id}"
    assert depth(client) == (1, 0)


def test_what_is_no_event_stays_and_the_others_go_on(own):
    client, shipment_id = own.client, new_id("SHIP")
    nonsense = [send(client, "no JSON"), send(client, '{"items": []}')]
    send(client, shipment_event(shipment_id))
    ran = waybill(own, "retry", "--json")
    assert ran.code == WRONG
    stays = {each["name"] for each in ran.json["retried"] if not each["done"]}
    assert stays == set(nonsense)
    client.shipment(shipment_id)
    assert depth(client) == (2, 0)
    # A consumer's letters are not in the queue.
    ran = waybill(own, "retry", "--consumer", "notify")
    assert ran.code == WELL and "nothing" in ran.out


def test_what_fails_for_now_stays_with_what_the_function_says(own):
    client, shipment_id = own.client, new_id("SHIP")
    message_id = send(client, shipment_event(shipment_id))
    with Between(client, failing_function) as endpoint:
        ran = waybill(own, "retry", "--json", endpoint=endpoint)
    assert ran.code == WRONG, ran
    (stays,) = ran.json["retried"]
    assert stays["name"] == message_id
    assert stays["reason"] == "waybill-dev-bus: temporarily unavailable"
    assert depth(client) == (1, 0)
    assert waybill(own, "retry").code == WELL
    assert len(client.log(shipment_id)) == 1


def failing_function(path: str, target: str) -> tuple[int, dict, str] | None:
    if not path.endswith("/waybill-dev-bus/invocations"):
        return None
    body = '{"errorMessage":"temporarily unavailable","errorType":"Failed"}'
    return 200, {"X-Amz-Function-Error": "Unhandled"}, body


def test_what_is_done_and_could_not_be_removed_is_done_once(own):
    client, shipment_id = own.client, new_id("SHIP")
    order_id = placed(client)
    commits = client.commits(f"order#{order_id}")
    at_rest(client)
    gone(client, order_id)
    letter(client, "project", commits)
    send(client, shipment_event(shipment_id))
    with Between(client, no_removal) as endpoint:
        ran = waybill(own, "retry", "--json", endpoint=endpoint)
    assert ran.code == WRONG, ran
    assert [each["done"] for each in ran.json["retried"]] == [False, False]
    assert client.item("processed-orders", orderId=order_id)
    assert len(client.log(shipment_id)) == 1
    assert (len(letters(client)), depth(client)) == (1, (1, 0))
    assert "2 done, 0 left" in waybill(own, "retry").out
    assert len(client.commits(f"shipment#{shipment_id}")) == 1
    assert (letters(client), depth(client)) == ([], (0, 0))


def no_removal(path: str, target: str) -> tuple[int, dict, str] | None:
    removes = target.endswith(".DeleteMessage") or "?x-id=DeleteObject" in path
    return (403, {}, "{}") if removes else None


def test_a_retry_may_be_killed_and_started_again(own):
    client = own.client
    ids = [new_id("SHIP") for _ in range(MANY)]
    for each in ids:
        send(client, shipment_event(each))
    process = start(own, "retry")
    until("some are done", lambda: depth(client)[0] < MANY - 50)
    process.kill()
    process.wait()
    time.sleep(1)  # What was on its way is done, and only its message not removed.
    visible, hidden = depth(client)
    assert 0 < visible < MANY and hidden <= 10
    status = waybill(own, "status", "--json")
    assert status.code == WRONG
    assert status.json["deadLetters"]["messagesInFlight"] == hidden
    # What nobody can see is not done: it is counted, and the end is no good one.
    dry = waybill(own, "retry", "--dry-run", "--json")
    assert (dry.code, dry.json["hidden"]) == (WRONG, hidden)
    ran = waybill(own, "retry", "--json")
    assert (ran.json["done"], ran.json["hidden"]) == (visible, hidden)
    assert ran.code == (WRONG if hidden else WELL)
    assert depth(client) == (0, hidden)
    done = [each for each in ids if client.commits(f"shipment#{each}")]
    assert len(done) >= MANY - hidden
    assert all(len(client.commits(f"shipment#{each}")) == 1 for each in done)
