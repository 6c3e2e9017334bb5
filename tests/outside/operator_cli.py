"""The command line as an operator uses it, and what an operator meets."""

import json
import os
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import urllib3

from client import Client, new_id
from exact import json_text, read_json
from orders import placed
from patience import until
from stream import batch
from system import System, binary

COMMAND_SECONDS = 120
EVENTS = "waybill-dev-events"
LETTERS = "waybill-dev-dead-letters-000000000000"
UNKNOWN_EVENT = '[{"type":"OrderExploded","version":1,"data":{"orderId":"x"}}]'

HTTP = urllib3.PoolManager(maxsize=16, retries=False, timeout=COMMAND_SECONDS)

WELL, FAILED, USAGE, WRONG = 0, 1, 2, 3


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return read_json(self.out)


def environment(**more: str) -> dict[str, str]:
    """Nothing of the shell that runs the tests: no credentials, no settings."""
    own = ("WAYBILL_", "AWS_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true"} | more


def start(system: System, *words: str, endpoint: str = "") -> subprocess.Popen:
    """Starts a command beside the system's data: there is its folder `.waybill`."""
    return subprocess.Popen(
        [str(binary()), *words, "--endpoint-url", endpoint or system.client.aws],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=system.data.parent,
        env=environment(),
    )


def waybill(system: System, *words: str, endpoint: str = "") -> Ran:
    """Runs a command to its end."""
    process = start(system, *words, endpoint=endpoint)
    out, err = process.communicate(timeout=COMMAND_SECONDS)
    assert "panicked" not in err, err
    return Ran(process.returncode, out, err)


class Between:
    """Stands between a command and the system, and answers some requests itself.

    `answer` gets a request's path and its `x-amz-target`; what it answers is status,
    headers and body, or nothing where the system is to answer. `change` gets the same and
    the system's headers and body, and says what becomes of the body.
    """

    def __init__(self, client: Client, answer: Callable, change: Callable | None = None):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                answered = answer(self.path, self.target())
                if answered is None:
                    sent = dict(self.headers.items())
                    sent.pop("host", None)
                    sent.pop("Host", None)
                    url = client.aws + self.path
                    got = HTTP.request(self.command, url, body=body, headers=sent)
                    answered = got.status, dict(got.headers), got.data
                    if change is not None:
                        body = change(self.path, self.target(), *answered[1:])
                        answered = *answered[:2], body
                self.reply(*answered)

            def target(self) -> str:
                return self.headers.get("x-amz-target", "")

            def reply(self, status: int, headers: dict, body: str | bytes):
                body = body.encode() if isinstance(body, str) else body
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding"):
                        self.send_header(name, value)
                if "date" not in {name.lower() for name in headers}:
                    self.send_header("Date", self.date_time_string())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = pass_on

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


# What goes wrong.


def poisoned(client: Client) -> tuple[str, dict]:
    """An order whose only commit cannot be read, parked twice; and the good commit."""
    aggregate = f"order#{new_id('POISON')}"
    (commit,) = client.commits(f"order#{placed(client)}")
    order_id = aggregate.removeprefix("order#")
    text = commit["events"]["S"].replace(
        commit["aggregate"]["S"].removeprefix("order#"), order_id
    )
    good = commit | {"aggregate": {"S": aggregate}, "events": {"S": text}}
    put(client, good | {"events": {"S": UNKNOWN_EVENT}})
    for consumer in ("project", "notify"):
        until(
            f"{aggregate} parked for {consumer}",
            lambda: client.item("parked", id=f"{consumer}#{aggregate}"),
        )
    return order_id, good


def put(client: Client, commit: dict) -> None:
    client.dynamodb.put_item(TableName=EVENTS, Item=commit)


def sqs(client: Client):
    return boto3.client(
        "sqs",
        endpoint_url=client.aws,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def queue_url(client: Client) -> str:
    return sqs(client).get_queue_url(QueueName="waybill-dev-dead-letters")["QueueUrl"]


def send(client: Client, body: str | dict, reason: str = "") -> str:
    """Puts a message into the queue of dead letters, with the code of a refusal; its id."""
    body = body if isinstance(body, str) else json_text(body)
    told = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
    sent = sqs(client).send_message(
        QueueUrl=queue_url(client), MessageBody=body, MessageAttributes=told
    )
    return sent["MessageId"]


def depth(client: Client) -> tuple[int, int]:
    """Messages that can be taken, and those that somebody has taken."""
    name = "ApproximateNumberOfMessages"
    found = sqs(client).get_queue_attributes(
        QueueUrl=queue_url(client), AttributeNames=[name, f"{name}NotVisible"]
    )["Attributes"]
    return int(found[name]), int(found[f"{name}NotVisible"])


def event(detail: dict, **fields: Any) -> dict:
    """An event of the bus as a function gets it, and as it is given up."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Shipment Update",
        "source": "logistics.shipments",
        "account": "000000000000",
        "time": "2026-03-01T08:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    } | fields


def letter(client: Client, consumer: str, commits: list[dict]) -> str:
    """An object as a stream's failure destination leaves it; its key."""
    function = f"arn:aws:lambda:us-east-1:000000000000:function:waybill-dev-{consumer}"
    body = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 10,
        },
        "version": "1.0",
        "timestamp": "2026-03-01T08:00:00.000Z",
        "payload": json_text(batch(commits)),
    }
    key = f"aws/lambda/{uuid.uuid4()}/shardId-1/2026/03/01/{uuid.uuid4()}"
    client.s3.put_object(Bucket=LETTERS, Key=key, Body=json.dumps(body).encode())
    return key


def letters(client: Client) -> list[str]:
    listed = client.s3.list_objects_v2(Bucket=LETTERS, Prefix="aws/lambda/")
    return [each["Key"] for each in listed.get("Contents", [])]
