"""What a user holds in the hand: an HTTP client and the AWS clients."""

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import urllib3
from botocore.config import Config

from exact import json_text, read_json
from patience import until

# One answer may take long on a busy machine; a test that hangs helps nobody.
REQUEST_SECONDS = 30
PAGES_MAX = 1_000


def new_id(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    text: str

    @property
    def json(self) -> Any:
        return read_json(self.text)

    def ok(self) -> Any:
        """The body of an answer that must be a success."""
        assert self.status == 200, f"{self.status}: {self.text}"
        return self.json


class Client:
    def __init__(self, http: str, aws: str):
        self.http = http
        self.aws = aws
        self._pool = urllib3.PoolManager(
            maxsize=64, retries=False, timeout=REQUEST_SECONDS
        )

    # HTTP, as any client would.

    def request(self, method, url, body=None, headers=None) -> Answer:
        if url.startswith("/"):
            url = self.http + url
        if isinstance(body, str):
            body = body.encode()
        got = self._pool.request(method, url, body=body, headers=headers or {})
        return Answer(got.status, got.headers, got.data.decode())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path, body=None, key=None, headers=None) -> Answer:
        """`body` is sent as it is when it is text or bytes, else as JSON."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None and not isinstance(body, (str, bytes)):
            body = json_text(body)
        return self.request("POST", path, body, sent)

    def place(self, order: Any, key=None, headers=None) -> Answer:
        return self.post("/orders", order, key, headers)

    def complete(self, order_id: str, key=None, headers=None) -> Answer:
        return self.post(f"/orders/{order_id}/complete", None, key, headers)

    def cancel(self, order_id: str, reason="", key=None, headers=None) -> Answer:
        body = {"reason": reason} if reason else None
        return self.post(f"/orders/{order_id}/cancel", body, key, headers)

    def update(self, shipment_id: str, detail: Any, key=None, headers=None) -> Answer:
        return self.post(f"/shipments/{shipment_id}/updates", detail, key, headers)

    # Rows: they follow their history, so one waits for a version.

    def order(self, order_id: str, version: int = 1) -> dict:
        return self._row(f"/orders/{order_id}", version)

    def shipment(self, shipment_id: str, version: int = 1) -> dict:
        return self._row(f"/shipments/{shipment_id}", version)

    def _row(self, path: str, version: int) -> dict:
        def seen():
            answer = self.get(path)
            if answer.status == 404:
                return None
            row = answer.ok()
            return row if row["version"] >= version else None

        return until(f"{path} at version {version}", seen)

    def history(self, order_id: str) -> list[dict]:
        return self.get(f"/orders/{order_id}/history").ok()["events"]

    def log(self, shipment_id: str, entries: int = 1) -> list[dict]:
        """The whole log, through its cursor, once it has that many entries."""

        def seen():
            answer = self.get(f"/shipments/{shipment_id}/log?limit=100")
            rows = []
            for _ in range(PAGES_MAX):
                if answer.status == 404:
                    return None
                page = answer.ok()
                rows += page["items"]
                if not page.get("cursor"):
                    return rows if len(rows) >= entries else None
                answer = self.get(
                    f"/shipments/{shipment_id}/log?limit=100&cursor={page['cursor']}"
                )
            raise AssertionError("a cursor that never ends")

        return until(f"{entries} log entries of {shipment_id}", seen)

    # AWS protocols.

    def _aws(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.aws,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            # A test that loses an answer must know it; it repeats by itself.
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=64,
                read_timeout=REQUEST_SECONDS,
            ),
        )

    @cached_property
    def dynamodb(self):
        return self._aws("dynamodb")

    @cached_property
    def cloudwatch(self):
        return self._aws("cloudwatch")

    @cached_property
    def events(self):
        return self._aws("events")

    @cached_property
    def sns(self):
        return self._aws("sns")

    @cached_property
    def functions(self):
        return self._aws("lambda")

    @cached_property
    def s3(self):
        return self._aws("s3")

    @property
    def bucket(self) -> str:
        """The one bucket there is."""
        return "waybill-dev-orders-000000000000"

    def put(self, key: str, body: bytes, **fields: Any) -> dict:
        """Stores an object; what S3 answers."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **fields)

    def object(self, key: str, **fields: Any) -> bytes:
        """The content of an object, or the part of it that `fields` ask for."""
        got = self.s3.get_object(Bucket=self.bucket, Key=key, **fields)
        return got["Body"].read()

    def put_event(self, detail: Any, **fields: Any) -> str:
        """A shipment event on the default bus, or as `fields` say; its id."""
        entry = {
            "Source": "logistics.shipments",
            "DetailType": "Shipment Update",
            "Detail": detail if isinstance(detail, str) else json_text(detail),
            **fields,
        }
        answer = self.events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        return answer["Entries"][0]["EventId"]

    def invoke(self, role: str, payload: Any) -> Any:
        """The answer of a function, which must not end in a function error."""
        text = payload if isinstance(payload, str) else json_text(payload)
        answer = self.functions.invoke(
            FunctionName=f"waybill-dev-{role}", Payload=text.encode()
        )
        body = answer["Payload"].read()
        assert "FunctionError" not in answer, body
        return read_json(body)

    def scan(self, suffix: str) -> list[dict]:
        """Every item of a table, consistent, in DynamoDB's own notation."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=f"waybill-dev-{suffix}", ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]

    def item(self, suffix: str, **key: str) -> dict | None:
        """One item by its text key, in DynamoDB's own notation."""
        return self.dynamodb.get_item(
            TableName=f"waybill-dev-{suffix}",
            Key={name: {"S": value} for name, value in key.items()},
            ConsistentRead=True,
        ).get("Item")

    def commits(self, aggregate: str) -> list[dict]:
        """The commit items of one aggregate, in order, in DynamoDB's notation."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName="waybill-dev-events",
            KeyConditionExpression="#a = :a",
            ExpressionAttributeNames={"#a": "aggregate"},  # a reserved word
            ExpressionAttributeValues={":a": {"S": aggregate}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    # What was emitted.

    def local(self, path: str) -> Any:
        return self.request("GET", f"{self.aws}/_local/{path}").ok()

    def messages(self) -> list[dict]:
        """Everything ever emitted, newest first."""
        found, before = [], ""
        for _ in range(PAGES_MAX):
            page = self.local(f"messages?limit=1000{before}")["messages"]
            found += page
            if len(page) < 1000:
                return found
            before = f"&before={page[-1]['number']}"
        raise AssertionError("messages without end")
