"""What goes wrong, made by AWS's own protocols: what is parked, dead letters, rows that are wrong."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from running import POOL, System

EVENTS, ROWS = "events", "processed-orders"
UNKNOWN_EVENT = '[{"type":"OrderExploded","version":1,"data":{"orderId":"x"}}]'
SECONDS = 60


def call(system: System, target: str, body: dict) -> dict:
    service = "sqs" if target.startswith("AmazonSQS") else "dynamodb"
    scope = f"local/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "x-amz-target": target,
        "content-type": "application/x-amz-json-1.0",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00",
        "x-amz-date": "20260101T000000Z",
    }
    answer = POOL.request("POST", system.aws, body=json.dumps(body).encode(), headers=headers)
    assert answer.status == 200, (target, answer.data)
    return answer.json() if answer.data else {}


def dynamodb(system: System, operation: str, **body) -> dict:
    """A call about a table, by the end of its name."""
    table = f"waybill-{system.environment}-{body['TableName']}"
    return call(system, f"DynamoDB_20120810.{operation}", body | {"TableName": table})


def sqs(system: System, operation: str, **body) -> dict:
    return call(system, f"AmazonSQS.{operation}", body)


def until(what: str, happens):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := happens():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {SECONDS} s: {what}")


# Parked.


def commits(system: System, aggregate: str) -> list[dict]:
    return dynamodb(
        system,
        "Query",
        TableName=EVENTS,
        KeyConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": "aggregate"},
        ExpressionAttributeValues={":a": {"S": aggregate}},
    )["Items"]


def poisoned(system: System, order_id: str, of: str) -> dict:
    """Parks an order whose only commit cannot be read; the good commit, made like that of `of`."""
    (commit, *_) = commits(system, f"order#{of}")
    events = commit["events"]["S"].replace(json.dumps(of)[1:-1], json.dumps(order_id)[1:-1])
    good = commit | {"aggregate": {"S": f"order#{order_id}"}, "events": {"S": events}}
    put(system, EVENTS, good | {"events": {"S": UNKNOWN_EVENT}})
    for consumer in ("project", "notify"):
        until(f"{order_id} parked for {consumer}", lambda: is_parked(system, consumer, order_id))
    return good


def is_parked(system: System, consumer: str, order_id: str) -> bool:
    key = {"id": {"S": f"{consumer}#order#{order_id}"}}
    return "Item" in dynamodb(system, "GetItem", TableName="parked", Key=key)


def put(system: System, table: str, item: dict) -> None:
    dynamodb(system, "PutItem", TableName=table, Item=item)


# Dead letters.


def send(system: System, body: dict | str, reason: str = "") -> str:
    """Puts a message into the queue of dead letters; its id."""
    url = sqs(system, "GetQueueUrl", QueueName=f"waybill-{system.environment}-dead-letters")["QueueUrl"]
    text = body if isinstance(body, str) else json.dumps(body)
    attributes = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
    sent = sqs(system, "SendMessage", QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
    return sent["MessageId"]


def shipment_event(shipment_id: str, **detail) -> dict:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Shipment Update",
        "source": "logistics.shipments",
        "account": "000000000000",
        "time": "2026-03-01T08:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"shipmentId": shipment_id, "status": "IN_TRANSIT"} | detail,
    }


def letter(system: System, consumer: str, items: list[dict]) -> str:
    """An object as a stream's failure destination leaves it; its key."""
    records = [
        {
            "eventID": f"{number:032x}",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1705314600,
                "Keys": {name: item[name] for name in ("aggregate", "sequence")},
                "NewImage": item,
                "SequenceNumber": f"{number:021}",
                "SizeBytes": 1000,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/waybill-dev-events/stream/1",
        }
        for number, item in enumerate(items, 1)
    ]
    name = f"waybill-{system.environment}"
    function = f"arn:aws:lambda:us-east-1:000000000000:function:{name}-{consumer}"
    body = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 10,
        },
        "version": "1.0",
        "timestamp": "2026-03-01T08:00:00.000Z",
        "payload": json.dumps({"Records": records}),
    }
    key = f"aws/lambda/{uuid.uuid4()}/shardId-1/2026/03/01/{uuid.uuid4()}"
    answer = POOL.request("PUT", f"{system.aws}/{name}-dead-letters-000000000000/{key}", body=json.dumps(body).encode())
    assert answer.status == 200, answer.data
    return key


# Rows.


def row(system: System, order_id: str) -> dict | None:
    key = {"orderId": {"S": order_id}}
    return dynamodb(system, "GetItem", TableName=ROWS, Key=key).get("Item")


def spoil(system: System, order_id: str, **members: str) -> None:
    """Makes a row another one, as a defect would."""
    put(system, ROWS, row(system, order_id) | {n: {"S": v} for n, v in members.items()})


def remove(system: System, order_id: str) -> None:
    dynamodb(system, "DeleteItem", TableName=ROWS, Key={"orderId": {"S": order_id}})


def break_things(system: System) -> None:
    """One of everything that can be stuck or wrong, under hostile names."""
    from conftest import IMAGE, SCRIPT, place

    place(system, "fine")
    poisoned(system, "poison", "fine")
    poisoned(system, SCRIPT, "fine")
    send(system, shipment_event("S-1", orderId="fine", location="Elm Street 7"), reason="invalid")
    send(system, shipment_event(IMAGE, orderId=SCRIPT), reason=IMAGE)
    send(system, "no JSON")
    letter(system, "notify", commits(system, "order#fine"))
    place(system, "wrong", customerName="Ada")
    place(system, "lost")
    spoil(system, "wrong", customerName=IMAGE)
    remove(system, "lost")


# Messages and functions.


def sent(system: System, message: str) -> int:
    """How often a message was emitted on the bus."""
    kept = POOL.request("GET", system.aws + "/_local/messages?limit=1000").json()["messages"]
    return sum((each.get("detail") or {}).get("id") == message for each in kept)


def invoke(system: System, role: str, payload: dict) -> dict:
    name = f"waybill-{system.environment}-{role}"
    url = f"{system.aws}/2015-03-31/functions/{name}/invocations"
    answer = POOL.request("POST", url, body=json.dumps(payload).encode())
    assert answer.status == 200, answer.data
    return answer.json()


class SlowReads:
    """Stands before AWS's protocols; while there is a `delay`, each scan waits so long."""

    def __init__(self, system: System):
        self.delay = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def hand_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("x-amz-target", "").endswith(".Scan"):
                    time.sleep(outer.delay)
                headers = {n: v for n, v in self.headers.items() if n.lower() != "host"}
                answer = POOL.request(
                    self.command, system.aws + self.path, body=body, headers=headers
                )
                try:
                    self.send_response_only(answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in ("content-length", "transfer-encoding"):
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.data)))
                    self.end_headers()
                    self.wfile.write(answer.data)
                except OSError:
                    pass  # whoever asked has given up

            do_GET = do_POST = hand_on

            def log_message(self, *_args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
