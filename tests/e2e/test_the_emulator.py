"""What the emulator adds to ministack behaves as AWS's documentation says.

The function here is a script that says what it gets: what is tested is who calls it, how often,
and what becomes of what it refuses.
"""

import io
import json
import stat
import zipfile

import pytest

from client import new_id
from cloud import Cloud
from patience import until
from process import ACCOUNT, REGION

pytestmark = pytest.mark.unenforced

# Speaks Lambda's runtime API. Says each payload in a line of its log; fails on a record that is
# bad, by naming it where it is told to, and on every event that is no batch.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as got:
        request_id, event = got.headers["Lambda-Runtime-Aws-Request-Id"], json.load(got)
    print(json.dumps(event), flush=True)
    bad = [r for r in event.get("Records", []) if "bad" in r["dynamodb"]["NewImage"]]
    named = [{"itemIdentifier": r["dynamodb"]["SequenceNumber"]} for r in bad[:1]]
    partial = os.environ["PARTIAL"] == "yes"
    failed = "Records" not in event or (bad and not partial)
    body = {"errorMessage": "bad"} if failed else {"batchItemFailures": named if partial else []}
    where = api + request_id + ("/error" if failed else "/response")
    urllib.request.urlopen(urllib.request.Request(where, json.dumps(body).encode())).close()
"""


@pytest.fixture
def world(emulator):
    return World(emulator)


class World:
    """A table with a stream, a bucket for what is given up, and the function."""

    def __init__(self, emulator):
        self.emulator, self.cloud, self.name = emulator, Cloud(emulator.url), new_id("emulator")
        self.cloud.s3.create_bucket(Bucket=self.name)
        self.function = ""
        self.stream = self.cloud.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]["LatestStreamArn"]

    def make_function(self, partial: bool = True, **more) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as packed:
            script = zipfile.ZipInfo("bootstrap")
            script.external_attr = (stat.S_IFREG | 0o755) << 16
            packed.writestr(script, BOOTSTRAP)
        # A name of its own, so that nobody else's lines are taken for its.
        self.function = self.cloud.functions.create_function(
            FunctionName=self.name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=f"arn:aws:iam::{ACCOUNT}:role/anybody",
            Code={"ZipFile": code.getvalue()},
            Timeout=20,
            Environment={"Variables": {"PARTIAL": "yes" if partial else "no"}},
            **more,
        )["FunctionArn"]
        return self.function

    def map(self, **settings) -> str:
        return self.cloud.functions.create_event_source_mapping(
            EventSourceArn=self.stream,
            FunctionName=self.name,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{self.name}"}},
            **settings,
        )["UUID"]

    def write(self, *ids: str) -> None:
        """Items in this order; one whose id says so is bad."""
        for each in ids:
            item = {"id": {"S": each}, **({"bad": {"BOOL": True}} if "bad" in each else {})}
            self.cloud.dynamodb.put_item(TableName=self.name, Item=item)

    def given(self) -> list[dict]:
        """Every payload that the function got, in order."""
        name = self.name.encode() + b" "
        lines = self.emulator.function_logs.read_bytes().splitlines()
        return [json.loads(line[len(name) :]) for line in lines if line.startswith(name)]

    def batches(self) -> list[str]:
        """The ids of every batch that the function got, such as `a b`."""
        ids = lambda event: (r["dynamodb"]["Keys"]["id"]["S"] for r in event["Records"])
        return [" ".join(ids(event)) for event in self.given()]

    def given_up(self, count: int) -> list[tuple[str, dict]]:
        """What lies in the bucket, once that much does: keys and records."""

        def lying():
            found = self.cloud.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
            return found if len(found) >= count else None

        keys = [each["Key"] for each in until(f"{count} records given up", lying)]
        read = lambda key: self.cloud.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return [(key, json.loads(read(key))) for key in keys]


def test_a_partial_response_goes_on_from_the_record_that_it_names(world):
    world.make_function()
    world.write("a", "b", "bad", "c")
    world.map(MaximumRetryAttempts=2, FunctionResponseTypes=["ReportBatchItemFailures"])
    world.given_up(1)
    # All; then what lies from the bad one on, with its attempts counted anew: one and two more.
    until("the last batch", lambda: len(world.batches()) >= 4)
    assert world.batches() == ["a b bad c", "bad c", "bad c", "bad c"]


def test_a_batch_is_halved_until_the_bad_record_is_alone(world):
    world.make_function(partial=False)
    world.write("a", "b", "bad", "c")
    world.map(MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    until("the last batch", lambda: world.batches()[-1:] == ["c"])
    assert world.batches() == ["a b bad c", "a b", "bad c", "bad", "bad", "c"]


def test_what_is_given_up_lies_in_the_bucket_with_its_whole_invocation(world):
    world.make_function(partial=False)
    world.write("bad")
    mapping = world.map(MaximumRetryAttempts=0)
    [(key, record)] = world.given_up(1)
    assert key.startswith(f"aws/lambda/{mapping}/shardId-"), key
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted", record
    assert record["requestContext"]["functionArn"] == world.function, record
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1, record
    assert record["DDBStreamBatchInfo"]["streamArn"] == world.stream, record
    # JSON within JSON: what the function would have got again.
    assert [json.loads(record["payload"])] == world.given()


def test_records_older_than_the_mapping_allows_are_given_up(world):
    world.make_function(partial=False)
    world.write("bad")
    mapping = world.map(MaximumRetryAttempts=10_000, MaximumRecordAgeInSeconds=1)
    [(key, record)] = world.given_up(1)
    assert mapping in key
    assert record["requestContext"]["condition"] == "MaxRecordAgeExceeded", record


class Rule:
    """A rule of the default bus for one source, with the function as its target."""

    def __init__(self, world: World, **target):
        self.world, self.source = world, new_id("source")
        events = world.cloud.events
        pattern = json.dumps({"source": [self.source]})
        self.arn = events.put_rule(Name=world.name, EventPattern=pattern)["RuleArn"]
        targets = [{"Id": "function", "Arn": world.function, **target}]
        assert events.put_targets(Rule=world.name, Targets=targets)["FailedEntryCount"] == 0

    def permit(self) -> "Rule":
        self.world.cloud.functions.add_permission(
            FunctionName=self.world.name,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=self.arn,
        )
        return self

    def put_event(self) -> None:
        entry = {"Source": self.source, "DetailType": "Anything", "Detail": "{}"}
        assert self.world.cloud.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def queue(world: World) -> tuple[str, str]:
    """A queue: its address and ARN."""
    url = world.cloud.sqs.create_queue(QueueName=world.name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{world.name}"


def message(world: World, url: str) -> dict:
    receive = lambda: world.cloud.sqs.receive_message(QueueUrl=url).get("Messages")
    return json.loads(until("a dead letter", receive)[0]["Body"])


def test_an_event_that_fails_comes_three_times_and_is_a_dead_letter_as_it_came(world):
    url, arn = queue(world)
    world.make_function(DeadLetterConfig={"TargetArn": arn})
    Rule(world).permit().put_event()
    dead = message(world, url)
    given = until("three attempts", lambda: len(world.given()) >= 3 and world.given())
    assert given == [dead] * 3


def test_a_rule_without_permission_does_not_reach_the_function(world):
    url, arn = queue(world)
    world.make_function()
    rule = Rule(world, DeadLetterConfig={"Arn": arn})
    rule.put_event()
    assert message(world, url)["source"] == rule.source
    assert world.given() == []
