"""What is given up, where AWS would put it: in a queue and in a bucket."""

import hashlib
import json
import re
import time
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

from client import Client, new_id
from exact import json_text, read_json
from expect import at_rest
from orders import placed, update
from patience import until
from system import System

QUEUE = "waybill-dev-dead-letters"
BUCKET = "waybill-dev-dead-letters-000000000000"
# Ten attempts with growing waits, twice where the process was killed in between.
GIVEN_UP_SECONDS = 90
# Its mark among the parked needs a key that DynamoDB refuses, so that parking it
# fails, too, each time.
AGGREGATE_CHARACTERS = 2_048


@pytest.fixture
def own(tmp_path):
    """A system for one test, which may kill it."""
    running = System(tmp_path).start()
    yield running
    running.kill()


def sqs(client: Client):
    return boto3.client(
        "sqs",
        endpoint_url=client.aws,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def queue_url(client: Client) -> str:
    return sqs(client).get_queue_url(QueueName=QUEUE)["QueueUrl"]


def receive(client: Client, **fields) -> list[dict]:
    asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]} | fields
    answer = sqs(client).receive_message(
        QueueUrl=queue_url(client), MessageSystemAttributeNames=["All"], **asked
    )
    return answer.get("Messages", [])


def counts(client: Client) -> tuple[int, int]:
    """Messages that can be taken, and those that somebody has taken."""
    name = "ApproximateNumberOfMessages"
    found = sqs(client).get_queue_attributes(
        QueueUrl=queue_url(client), AttributeNames=[name, f"{name}NotVisible"]
    )["Attributes"]
    assert len(found) == 2
    return int(found[name]), int(found[f"{name}NotVisible"])


def letters(client: Client) -> list[dict]:
    return client.local("dead-letters")["deadLetters"]


def refusal(call, **fields) -> str:
    with pytest.raises(ClientError) as refused:
        call(**fields)
    return refused.value.response["Error"]["Code"]


def send(client: Client, body: str, **fields) -> str:
    answer = sqs(client).send_message(
        QueueUrl=queue_url(client), MessageBody=body, **fields
    )
    assert answer["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
    return answer["MessageId"]


def give_up_asynchronously(client: Client, payload: str) -> str:
    """An invocation that fails each time; its request id."""
    answer = client.functions.invoke(
        FunctionName="waybill-dev-project", InvocationType="Event", Payload=payload
    )
    return answer["ResponseMetadata"]["RequestId"]


# The queue.


def test_a_delivery_that_is_given_up_is_a_message_with_its_whole_payload(own):
    payload = '{"weight": 0.10, "Records": "none"}'
    request_id = give_up_asynchronously(own.client, payload)
    until("the message", lambda: counts(own.client) == (1, 0))
    (message,) = receive(own.client)
    assert message["Body"] == payload
    assert message["MD5OfBody"] == hashlib.md5(payload.encode()).hexdigest()
    told = message["MessageAttributes"]
    assert told["RequestID"] == {"DataType": "String", "StringValue": request_id}
    assert told["ErrorCode"] == {"DataType": "Number", "StringValue": "200"}
    assert told["ErrorMessage"]["StringValue"]
    age = time.time() * 1000 - int(message["Attributes"]["SentTimestamp"])
    assert 0 <= age < 60_000
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    (letter,) = letters(own.client)
    assert (letter["consumer"], letter["attempts"]) == ("project", 3)
    assert letter["messageId"] == message["MessageId"]
    assert own.client.local("status")["deadLetters"] == 1

    assert counts(own.client) == (0, 1)
    handle = message["ReceiptHandle"]
    sqs(own.client).delete_message(QueueUrl=queue_url(own.client), ReceiptHandle=handle)
    assert counts(own.client) == (0, 0)
    assert letters(own.client) == []
    assert own.client.local("status")["deadLetters"] == 0
    # Deleting twice is no mistake.
    sqs(own.client).delete_message(QueueUrl=queue_url(own.client), ReceiptHandle=handle)


def test_an_event_that_a_handler_gives_up_is_a_message(own):
    event_id = own.client.put_event(update("SHIP-1") | {"shipmentId": "a/b"})
    until("the message", lambda: counts(own.client) == (1, 0))
    (message,) = receive(own.client, WaitTimeSeconds=1)
    event = json.loads(message["Body"])
    assert (event["id"], event["detail"]["shipmentId"]) == (event_id, "a/b")
    assert message["MessageAttributes"]["reason"]["StringValue"]


def test_a_taken_message_is_hidden_for_a_while_and_then_there_again(own):
    ids = [send(own.client, f"text {n}") for n in range(12)]
    first = receive(own.client, VisibilityTimeout=2)
    assert [each["MessageId"] for each in first] == ids[:10]
    assert [each["Body"] for each in first] == [f"text {n}" for n in range(10)]
    rest = receive(own.client)
    assert [each["MessageId"] for each in rest] == ids[10:]
    assert receive(own.client) == []
    assert counts(own.client) == (0, 12)
    # Whoever waits gets them as soon as they are there again.
    again = receive(own.client, WaitTimeSeconds=10)
    assert [each["MessageId"] for each in again] == ids[:10]
    assert {each["Attributes"]["ApproximateReceiveCount"] for each in again} == {"2"}
    # An earlier receipt deletes nothing any more.
    for each in first:
        sqs(own.client).delete_message(
            QueueUrl=queue_url(own.client), ReceiptHandle=each["ReceiptHandle"]
        )
    assert counts(own.client) == (0, 12)


def test_messages_and_deletions_survive_a_kill(own):
    ids = [send(own.client, f"text {n}") for n in range(3)]
    first, *_ = receive(own.client, MaxNumberOfMessages=1, VisibilityTimeout=43_200)
    sqs(own.client).delete_message(
        QueueUrl=queue_url(own.client), ReceiptHandle=first["ReceiptHandle"]
    )
    give_up_asynchronously(own.client, "[]")
    own.kill()
    own.start()
    until("all three", lambda: sum(counts(own.client)) == 3)
    bodies = {each["MessageId"]: each["Body"] for each in receive(own.client)}
    assert {each: bodies.pop(each) for each in ids[1:]} == {
        ids[1]: "text 1",
        ids[2]: "text 2",
    }
    assert list(bodies.values()) == ["[]"]
    own.kill()
    own.start()
    assert sum(counts(own.client)) == 3
    assert len(letters(own.client)) == 3


def test_what_the_queue_does_not_understand_is_refused(client):
    queue, url = sqs(client), queue_url(client)
    assert url.endswith(f"/000000000000/{QUEUE}")
    missing = "QueueDoesNotExist"
    assert refusal(queue.get_queue_url, QueueName="another").endswith(missing)
    other = {"QueueUrl": url + "-2"}
    assert refusal(queue.receive_message, **other).endswith(missing)
    for fields in (
        {"MaxNumberOfMessages": 11},
        {"MaxNumberOfMessages": 0},
        {"VisibilityTimeout": 43_201},
        {"WaitTimeSeconds": 21},
        {"WaitTimeSeconds": -1},
    ):
        code = refusal(queue.receive_message, QueueUrl=url, **fields)
        assert code == "InvalidParameterValue", fields
    code = refusal(queue.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
    assert code == "ReceiptHandleIsInvalid"
    asked = {"QueueUrl": url, "AttributeNames": ["Policy"]}
    assert refusal(queue.get_queue_attributes, **asked) == "InvalidAttributeName"
    assert refusal(queue.purge_queue, QueueUrl=url) == "UnsupportedOperation"
    everything = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert everything["Attributes"]["QueueArn"].endswith(f":000000000000:{QUEUE}")


# The bucket.


def poison(client: Client) -> dict:
    """A stored item that no consumer can take, and none can park."""
    (commit,) = client.commits(f"order#{placed(client)}")
    aggregate = f"order#{new_id('P')}".ljust(AGGREGATE_CHARACTERS, "x")
    bad = commit | {"aggregate": {"S": aggregate}}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=bad)
    return bad


def objects(client: Client) -> list[str]:
    listed = client.s3.list_objects_v2(Bucket=BUCKET, Prefix="aws/lambda/")
    return [each["Key"] for each in listed.get("Contents", [])]


def body_of(client: Client, key: str) -> dict:
    return read_json(client.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_a_record_that_is_given_up_lies_in_the_bucket_with_the_whole_item(own):
    bad = poison(own.client)
    # Killed between two attempts, and in the moment in which one of the two
    # consumers gives up: none passes it without its dead letter, none leaves two.
    for _ in range(2):
        time.sleep(0.5)
        own.kill()
        own.start()
    until("the first", lambda: objects(own.client), GIVEN_UP_SECONDS)
    own.kill()
    own.start()
    until("both", lambda: len(objects(own.client)) == 2, GIVEN_UP_SECONDS)
    at_rest(own.client)
    own.kill()
    own.start()
    at_rest(own.client)
    keys = objects(own.client)
    assert len(keys) == 2
    functions = set()
    for key in keys:
        letter = body_of(own.client, key)
        functions.add(letter["requestContext"].pop("functionArn"))
        check_record(key, letter, bad)
    assert {arn.rpartition(":")[2] for arn in functions} == {
        "waybill-dev-project",
        "waybill-dev-notify",
    }
    mappings = {key.split("/")[2] for key in keys}
    assert len(mappings) == 2

    # A person sees both, until each is deleted.
    shown = letters(own.client)
    assert {each["consumer"] for each in shown} == {"project", "notify"}
    assert {each["object"] for each in shown} == set(keys)
    assert all(each["attempts"] == 10 for each in shown)
    assert own.client.local("status")["deadLetters"] == 2
    assert counts(own.client) == (0, 0)
    own.client.s3.delete_object(Bucket=BUCKET, Key=keys[0])
    assert [each["object"] for each in letters(own.client)] == [keys[1]]
    assert objects(own.client) == [keys[1]]
    version = own.client.s3.head_object(Bucket=BUCKET, Key=keys[1])["VersionId"]
    own.client.s3.delete_object(Bucket=BUCKET, Key=keys[1], VersionId=version)
    assert own.client.local("status")["deadLetters"] == 0
    assert objects(own.client) == []
    # The others have gone on.
    order_id = placed(own.client)
    assert own.client.order(order_id)["version"] == 1


def check_record(key: str, letter: dict, bad: dict) -> None:
    assert set(letter) == {
        "requestContext",
        "responseContext",
        "version",
        "timestamp",
        "DDBStreamBatchInfo",
        "payload",
    }
    context = letter["requestContext"]
    uuid.UUID(context.pop("requestId"))
    assert context == {
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 10,
    }
    assert letter["responseContext"]["statusCode"] == 200
    assert letter["version"] == "1.0"
    batch = letter["DDBStreamBatchInfo"]
    assert batch["batchSize"] == 1
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"]
    assert batch["streamArn"].startswith("arn:aws:dynamodb:us-east-1:000000000000:")
    written = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(written, batch["approximateArrivalOfFirstRecord"])
    day, time_of_day = letter["timestamp"][:10], letter["timestamp"][11:19]
    start = f"/{batch['shardId']}/{day.replace('-', '/')}/{day}T"
    _, _, rest = key.partition(start)
    moment, _, unique = rest.partition("-")
    assert moment == time_of_day.replace(":", ".")
    uuid.UUID(unique)
    (record,) = read_json(letter["payload"])["Records"]
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["SequenceNumber"] == batch["startSequenceNumber"]
    assert record["dynamodb"]["NewImage"] == read_json(json_text(bad))


def test_both_buckets_are_there_and_keep_apart(client):
    names = [each["Name"] for each in client.s3.list_buckets()["Buckets"]]
    assert names == [BUCKET, client.bucket]
    key = f"orders/{new_id('file')}.json"
    client.s3.put_object(Bucket=BUCKET, Key=key, Body=b'{"orderId": "O-1"}')
    with pytest.raises(ClientError):
        client.s3.get_object(Bucket=client.bucket, Key=key)
    client.put(key, b"{}")
    assert client.object(key) == b"{}"
    got = client.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert got == b'{"orderId": "O-1"}'
    listed = client.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert key in [each["Key"] for each in listed]
    versions = client.s3.list_object_versions(Bucket=BUCKET, Prefix=key)
    assert len(versions["Versions"]) == 1
    # A file there is nobody's order.
    report = f"reports/{key}/"
    until("the other's report", lambda: reports(client, report))
    assert client.get("/orders/O-1").status == 404
    client.s3.delete_object(Bucket=BUCKET, Key=key)
    assert client.object(key) == b"{}"


def reports(client: Client, prefix: str) -> list:
    listed = client.s3.list_objects_v2(Bucket=client.bucket, Prefix=prefix)
    return listed.get("Contents", [])


# The functions.


@pytest.mark.parametrize(
    "role",
    ["api", "bus", "import", "carriers", "project", "notify", "query", "rebuild"],
)
def test_a_function_says_how_it_is_set_up(client, role):
    name = f"waybill-dev-{role}"
    told = client.functions.get_function_configuration(FunctionName=name)
    assert (told["FunctionName"], told["Handler"]) == (name, role)
    assert told["FunctionArn"].endswith(f":function:{name}")
    variables = told["Environment"]["Variables"]
    assert variables["WAYBILL_ENV"] == "dev"
    assert variables["WAYBILL_ALERTS_ARN"].endswith(":waybill-dev-alerts")
    assert variables["WAYBILL_DEAD_LETTERS_URL"] == queue_url(client)
    assert variables["WAYBILL_BUCKET"] == client.bucket
    assert variables["WAYBILL_SHARDS"] == "1"
    by_arn = client.functions.get_function_configuration(
        FunctionName=told["FunctionArn"]
    )
    assert by_arn["Environment"] == told["Environment"]


def test_a_function_that_is_not_there_has_no_configuration(client):
    call = client.functions.get_function_configuration
    code = refusal(call, FunctionName="waybill-dev-nobody")
    assert code == "ResourceNotFoundException"


# What must never happen to a stored commit reaches those who can shout.


def test_a_change_and_a_removal_of_a_commit_reach_the_consumers(own):
    order_id = placed(own.client)
    own.client.order(order_id)
    (commit,) = own.client.commits(f"order#{order_id}")
    key = {name: commit[name] for name in ("aggregate", "sequence")}
    table = {"TableName": "waybill-dev-events"}
    own.client.dynamodb.put_item(**table, Item=commit | {"extra": {"S": "x"}})
    own.client.dynamodb.delete_item(**table, Key=key)

    def told(change: str) -> bool:
        lines = own.log.read_text(errors="replace").splitlines()
        return any("was changed or removed" in line and change in line for line in lines)

    until("the change at a consumer", lambda: told("MODIFY"))
    until("the removal at a consumer", lambda: told("REMOVE"))
