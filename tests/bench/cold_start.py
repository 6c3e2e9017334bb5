"""Cold starts of the compiled functions, beside a function that does one GetItem and nothing else.

`make bench-cold-start` builds all of them with the profile that is deployed, for this machine, and
runs this. Each start is a new process with a Lambda runtime API and a DynamoDB of this script's own
around it; the functions take turns, so that whatever else the machine does strikes all alike.

  first poll   from exec to the first request for an invocation
  first byte   from handing the invocation over to the first byte that arrives at DynamoDB

DynamoDB is reached without TLS here: a handshake costs all functions the same.
"""

import argparse
import contextlib
import io
import json
import socket
import statistics
import subprocess
import threading
import time
import zipfile
from pathlib import Path

ORDER = {
    "version": "2.0",
    "rawPath": "/dev/orders",
    "rawQueryString": "",
    "headers": {"content-type": "application/json", "idempotency-key": "k-1"},
    "requestContext": {
        "requestId": "r-1",
        "stage": "dev",
        "http": {"method": "POST", "path": "/dev/orders", "sourceIp": "127.0.0.1"},
        "timeEpoch": 1_700_000_000_000,
    },
    "body": json.dumps({"items": [{"productId": "p", "quantity": 1, "price": 1}]}),
    "isBase64Encoded": False,
    "routeKey": "POST /orders",
}
READ = {
    **ORDER,
    "rawPath": "/dev/orders/1",
    "routeKey": "GET /orders/{orderId}",
    "requestContext": {
        **ORDER["requestContext"],
        "http": {"method": "GET", "path": "/dev/orders/1", "sourceIp": "127.0.0.1"},
    },
    "body": None,
}
UPDATE = {
    "version": "0",
    "id": "e-1",
    "detail-type": "Shipment Update",
    "source": "logistics.shipments",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"shipmentId": "S-1", "status": "IN_TRANSIT"},
}

# The function's name here, its executable, its handler, and what it is invoked with.
FUNCTIONS = [
    ("bare", "bare", "bare", {}),
    ("api", "commands", "api", ORDER),
    ("bus", "commands", "bus", UPDATE),
    ("query", "projectors", "query", READ),
]

SETTINGS = {
    "WAYBILL_ENV": "dev",
    "WAYBILL_ALERTS_ARN": "arn:aws:sns:us-east-1:000000000000:waybill-dev-alerts",
    "WAYBILL_DEAD_LETTERS_URL": "http://127.0.0.1:1/000000000000/waybill-dev-dead-letters",
    "WAYBILL_BUCKET": "waybill-dev-orders-000000000000",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "waybill-dev",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/waybill-dev",
    "AWS_LAMBDA_LOG_STREAM_NAME": "1",
}

# A start that takes longer has failed.
SECONDS = 10


def listen() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(SECONDS)
    return server


def answer(connection: socket.socket, status: str, headers: dict, body: bytes) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class DynamoDb(threading.Thread):
    """Notes when the first byte arrives, and answers that there is nothing."""

    def __init__(self, server: socket.socket):
        super().__init__(daemon=True)
        self.server, self.first_byte, self.arrived = server, None, threading.Event()

    def run(self) -> None:
        connection, _ = self.server.accept()
        with connection:
            connection.recv(1)
            self.first_byte = time.perf_counter()
            self.arrived.set()
            answer(connection, "200 OK", {"Content-Type": "application/x-amz-json-1.0"}, b"{}")
            # Until the function is killed: an early end would be a failed connection to it.
            with contextlib.suppress(ConnectionError):
                while connection.recv(65_536):
                    pass


def start(binary: Path, handler: str, event: dict) -> tuple[float, float]:
    """One cold start: milliseconds to the first poll, and from invocation to first byte."""
    with listen() as api, listen() as table:
        dynamodb = DynamoDb(table)
        dynamodb.start()
        environment = SETTINGS | {
            "_HANDLER": handler,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.getsockname()[1]}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{table.getsockname()[1]}",
        }
        begun = time.perf_counter()
        function = subprocess.Popen(
            [binary],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            connection, _ = api.accept()
            with connection:
                connection.recv(65_536)
                polled = time.perf_counter()
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1_000) + 60_000),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
                }
                invoked = time.perf_counter()
                answer(connection, "200 OK", headers, json.dumps(event).encode())
                if not dynamodb.arrived.wait(SECONDS):
                    raise SystemExit(f"{handler} never called DynamoDB")
        finally:
            function.kill()
            function.wait()
    return (polled - begun) * 1_000, (dynamodb.first_byte - invoked) * 1_000


def bundle(binary: Path) -> int:
    """Bytes of the zip that Lambda is given."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(binary, "bootstrap")
    return len(zipped.getvalue())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binaries", type=Path, help="folder of the three executables")
    arguments.add_argument("--starts", type=int, default=40, help="starts of each function")
    given = arguments.parse_args()
    times = {name: [] for name, *_ in FUNCTIONS}
    for _ in range(given.starts):
        for name, executable, handler, event in FUNCTIONS:
            times[name].append(start(given.binaries.resolve() / executable, handler, event))
    print(f"{given.starts} cold starts each, median (fastest to slowest), milliseconds")
    bare = [statistics.median(column) for column in zip(*times["bare"])]
    for name, measured in times.items():
        cells = []
        for column, of_bare in zip(zip(*measured), bare):
            median = statistics.median(column)
            spread = f"{min(column):.1f} to {max(column):.1f}"
            cells.append(f"{median:5.1f} ({spread}), {median / of_bare:.2f} x bare")
        print(f"{name:6} first poll {cells[0]:38} first byte {cells[1]}")
    for executable in ("bare", "commands", "projectors"):
        binary = given.binaries.resolve() / executable
        size, zipped = binary.stat().st_size, bundle(binary)
        print(f"{executable:10} {size / 1e6:.1f} MB, as a zip {zipped / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
