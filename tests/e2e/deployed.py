"""What a user of the deployed system holds in the hand."""

import json
from functools import cached_property
from typing import Any

from botocore.credentials import Credentials

from client import Answer, Client, new_id
from cloud import Cloud
from deployment import ENVIRONMENT, Deployment
from exact import json_text, plain, read_json
from patience import until
from process import ACCOUNT, REGION

NAME = f"waybill-{ENVIRONMENT}"

# The sources of announcements.
OURS = ("waybill.orders", "waybill.shipments")
BUSES = (NAME, "default")

# What a rule or a topic needs to send to a queue.
MAY_SEND = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    },
}


class Deployed(Client):
    """HTTP with the signature of a role that may call, and everything else as its owner."""

    def __init__(self, deployment: Deployment):
        emulator = deployment.emulator
        api = deployment.outputs["ApiId"]
        super().__init__(f"{emulator.url}/_aws/execute-api/{api}/{ENVIRONMENT}", emulator.url)
        self.outputs = deployment.outputs
        self.cloud = Cloud(emulator.url)
        self.caller = Caller(self.cloud, "e2e-shop", action="execute-api:Invoke")

    def _aws(self, service: str):
        return self.cloud.client(service)

    # HTTP.

    def request(self, method, url, body=None, headers=None) -> Answer:
        body = body.encode() if isinstance(body, str) else body or b""
        url = self.http + url if url.startswith("/") else url
        signed = self.caller.cloud.signed(method, url, body, headers or {})
        return super().request(method, url, body or None, signed)

    def unsigned(self, method, path, headers=None, body=None) -> Answer:
        return super().request(method, self.http + path, body, headers)

    # Names: all of them are contract.

    @property
    def bucket(self) -> str:
        return f"{NAME}-orders-{ACCOUNT}"

    @property
    def dead_letters_bucket(self) -> str:
        return f"{NAME}-dead-letters-{ACCOUNT}"

    @property
    def topic(self) -> str:
        return f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alerts"

    def put_event(self, detail: Any, bus: str = NAME, **fields: Any) -> str:
        return super().put_event(detail, EventBusName=bus, **fields)

    def invoke(self, role: str, payload: Any) -> Any:
        text = payload if isinstance(payload, str) else json_text(payload)
        answer = self.functions.invoke(FunctionName=f"{NAME}-{role}", Payload=text.encode())
        body = answer["Payload"].read()
        assert "FunctionError" not in answer, body
        return read_json(body)

    def scan(self, suffix: str) -> list[dict]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=f"{NAME}-{suffix}", ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]

    def rows(self, suffix: str) -> list[dict]:
        """Every item of a table as ordinary values."""
        return [plain(item) for item in self.scan(suffix)]

    def item(self, suffix: str, **key: str) -> dict | None:
        item = self.dynamodb.get_item(
            TableName=f"{NAME}-{suffix}",
            Key={name: {"S": value} for name, value in key.items()},
            ConsistentRead=True,
        ).get("Item")
        return item and plain(item)

    def records(self) -> list[dict]:
        """Every record of the events' stream, as its readers got them."""
        table = self.dynamodb.describe_table(TableName=f"{NAME}-events")["Table"]
        stream = table["LatestStreamArn"]
        found = []
        shards = self.streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        for shard in shards:
            iterator = self.streams.get_shard_iterator(
                StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = self.streams.get_records(ShardIterator=iterator)
                found += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return found

    def mapping(self, role: str) -> dict:
        """The mapping from the events' stream to a function."""
        [found] = self.functions.list_event_source_mappings(FunctionName=f"{NAME}-{role}")[
            "EventSourceMappings"
        ]
        return found

    # Logs and metrics.

    def log_lines(self, role: str) -> list[dict]:
        """What a function has logged: its lines of JSON."""
        config = self.functions.get_function_configuration(FunctionName=f"{NAME}-{role}")
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=config["LoggingConfig"]["LogGroup"]
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def metrics(self, role: str, namespace: str, name: str, *dimensions: str) -> list:
        """The values of a metric that a function has told, with these dimensions."""
        found = []
        for line in self.log_lines(role):
            for said in line.get("_aws", {}).get("CloudWatchMetrics", []):
                names = [metric["Name"] for metric in said["Metrics"]]
                right = said["Namespace"] == namespace and list(dimensions) in said["Dimensions"]
                if right and name in names:
                    found.append(line[name])
        return found

    @cached_property
    def logs(self):
        return self._aws("logs")

    @cached_property
    def secrets(self):
        return self._aws("secretsmanager")

    @cached_property
    def sqs(self):
        return self._aws("sqs")

    @cached_property
    def streams(self):
        return self._aws("dynamodbstreams")

    @cached_property
    def states(self):
        return self._aws("stepfunctions")


class Caller:
    """A role that may do one action, or what a policy says, and somebody who has taken it on."""

    def __init__(self, cloud: Cloud, name: str, action: str = "", policy: str = ""):
        trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        role = cloud.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
        )["Role"]
        if action:
            allow = {"Effect": "Allow", "Action": action, "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": allow})
            cloud.iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
        if policy:
            cloud.iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        given = cloud.sts.assume_role(RoleArn=role["Arn"], RoleSessionName=new_id("session"))
        given = given["Credentials"]
        self.arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}"
        self.cloud = Cloud(
            cloud.url,
            Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]),
        )


class Inbox:
    """Hears everything on the buses and the topic from now on, and keeps it."""

    def __init__(self, deployed: Deployed):
        self.deployed, self.sqs = deployed, deployed.sqs
        self.name = f"{NAME}-inbox"
        self.url = self.sqs.create_queue(
            QueueName=self.name, Attributes={"Policy": json.dumps(MAY_SEND)}
        )["QueueUrl"]
        self.alerts: list[dict] = []
        self.events: list[dict] = []
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"
        deployed.sns.subscribe(TopicArn=deployed.topic, Protocol="sqs", Endpoint=arn)
        for bus in BUSES:
            everything = json.dumps({"account": [ACCOUNT]})
            deployed.events.put_rule(Name=self.name, EventBusName=bus, EventPattern=everything)
            deployed.events.put_targets(
                Rule=self.name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": arn}]
            )

    def close(self) -> None:
        """Removes what would keep the bus from being removed."""
        for bus in BUSES:
            self.deployed.events.remove_targets(Rule=self.name, EventBusName=bus, Ids=["inbox"])
            self.deployed.events.delete_rule(Name=self.name, EventBusName=bus)
        self.sqs.delete_queue(QueueUrl=self.url)

    def drain(self) -> None:
        for body in received(self.sqs, self.url):
            (self.alerts if body.get("Type") == "Notification" else self.events).append(body)

    @property
    def announced(self) -> list[dict]:
        """What Waybill has announced; what its functions ask of one another is no announcement."""
        return [each for each in self.events if each["source"] in OURS]

    def delivered(self, role: str) -> list[dict]:
        """The events that the rules deliver to a function."""
        self.drain()
        return [each for each in self.events if delivers(role, each)]

    def announcement(self, message_id: str) -> dict:
        """What was announced under this id, once it was."""

        def found():
            self.drain()
            said = (each for each in self.announced if each["detail"]["id"] == message_id)
            return next(said, None)

        return until(f"announcement {message_id}", found)

    def alert(self, subject: str, text: str = "") -> dict:
        """The first alert with this subject, and this in its text, once there is one."""

        def found():
            self.drain()
            said = (each for each in self.alerts if each["Subject"] == subject)
            return next((each for each in said if text in each["Message"]), None)

        return until(f"an alert {subject!r} with {text!r}", found)

    def said(self) -> dict[str, Any]:
        """What was said under each id: an id that says two things fails here."""
        self.drain()
        said: dict[str, Any] = {}
        for each in self.announced:
            detail = each["detail"]
            assert said.setdefault(detail["id"], detail) == detail
        for each in self.alerts:
            message_id = each["MessageAttributes"]["id"]["Value"]
            text = (each["Subject"], each["Message"])
            assert said.setdefault(f"alert {message_id}", text) == text
        return said


# What the rules ask for.
FOR_BUS = {
    "logistics.shipments": ("Shipment Update", "Shipment Created", "Shipment Delayed"),
    "orders.commands": ("Place Order", "Complete Order", "Cancel Order"),
    "waybill.orders": ("Order Created",),
    "waybill.watch": ("Mark Stalled",),
}


def delivers(role: str, event: dict) -> bool:
    """Do the rules hand this event to that function?"""
    source, kind = event["source"], event["detail-type"]
    if role == "import":
        key = event["detail"]["object"]["key"] if source == "aws.s3" else ""
        bucket = event["detail"]["bucket"]["name"] if key else ""
        return bucket.endswith(f"orders-{ACCOUNT}") and key.startswith("orders/")
    return kind in FOR_BUS.get(source, ())


# Messages of one call, and calls before an endless queue is a failure.
PER_CALL = 10
CALLS = 1_000


def received(sqs, url: str) -> list[dict]:
    """Takes everything out of a queue."""
    bodies = []
    for _ in range(CALLS):
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=PER_CALL).get("Messages", [])
        if not got:
            return bodies
        bodies += [json.loads(each["Body"]) for each in got]
        for each in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    raise AssertionError("a queue without end")
