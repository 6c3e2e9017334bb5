"""What runs while the console is tested: a system, consoles, and an API that is slow or lost."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import urllib3

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("WAYBILL_BIN", REPOSITORY / "target/debug/waybill")).resolve()
START_SECONDS = 60
POOL = urllib3.PoolManager(timeout=60, retries=False)


class Process:
    """`waybill`, with what it prints."""

    def __init__(self, folder: Path, arguments: list[str]):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WAYBILL_", "AWS_"))}
        folder.mkdir(parents=True, exist_ok=True)
        self._out = folder / "out.txt"
        with self._out.open("w") as out:
            self._process = subprocess.Popen(
                [str(BINARY), *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=env,
                start_new_session=True,
            )

    def said(self, pattern: str) -> str:
        """What the first group of `pattern` matches in the output, once it is there."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if found := re.search(pattern, self._out.read_text()):
                return found[1]
            assert self._process.poll() is None, self._out.read_text()
            time.sleep(0.05)
        raise AssertionError(f"not within {START_SECONDS} s: {self._out.read_text()}")

    @property
    def text(self) -> str:
        return self._out.read_text()

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=30)


class System(Process):
    """`waybill local` on free ports."""

    def __init__(self, folder: Path, *more: str):
        ports = ["--port", "0", "--aws-port", "0", "--console-port", "0"]
        super().__init__(folder, ["local", "--data", str(folder / "data"), *ports, *more])
        self.environment = more[more.index("--env") + 1] if "--env" in more else "dev"
        self.folder = folder
        self.console = self.said(r"Console +(http://\S+)")
        self.api = self.said(r"HTTP API +(http://\S+)")
        self.aws = self.said(r"AWS protocols +(http://\S+)")

    def send(self, path: str, body: str, **headers: str) -> dict:
        """A command; its answer once the row has caught up."""
        answer = POOL.request("POST", self.api + path, body=body.encode(), headers=headers)
        assert answer.status == 200, (path, answer.data)
        return answer.json()

    def row(self, path: str) -> dict:
        return POOL.request("GET", self.api + path).json()

    def upload(self, key: str, body: str) -> None:
        """Puts a file under `orders/`, and waits for its report."""
        path = "/".join(quote(part, safe="") for part in key.split("/"))
        bucket = f"{self.aws}/waybill-dev-orders-000000000000"
        put = POOL.request("PUT", f"{bucket}/{path}", body=body.encode())
        assert put.status == 200, put.data
        version = put.headers["x-amz-version-id"]
        until = time.monotonic() + START_SECONDS
        while POOL.request("GET", f"{bucket}/reports/{path}/{version}/report.json").status != 200:
            assert time.monotonic() < until, key
            time.sleep(0.05)

    def settle(self, path: str, version: int) -> None:
        answer = POOL.request("GET", f"{self.api}{path}?minVersion={version}")
        assert answer.status == 200, answer.data


class Console(Process):
    """`waybill console` in front of an API."""

    def __init__(self, folder: Path, api: str, *more: str):
        arguments = ["console", "--local", "--api-url", api, "--port", "0", *more]
        self.folder = folder
        super().__init__(folder, arguments)
        self.url = self.said(r" is (http://127\.0\.0\.1:\d+)")


class Asked(NamedTuple):
    """A call by AWS's protocols."""

    method: str
    path: str
    target: str
    body: bytes

    @property
    def operation(self) -> str:
        """As AWS calls it, such as `Query`; of S3's and Lambda's own protocols the method and what
        stands first in the path."""
        if self.target:
            return self.target.rpartition(".")[2]
        if found := re.search("/operation/([A-Za-z]+)$", self.path):
            return found[1]
        return f"{self.method} /{self.path.lstrip('/').partition('/')[0].partition('?')[0]}"

    @property
    def members(self) -> dict:
        """What it asks for, where that is JSON."""
        return json.loads(self.body) if self.target else {}


class AwsBetween:
    """Stands between the console and AWS's protocols: hands everything on, but for what `missing`
    names (a piece of the path, or of the header `x-amz-target`), which is answered after `delay`, or
    never where there is none; and for the operation `denied`, which a policy does not allow."""

    def __init__(self, aws: str):
        self.aws, self.missing, self.delay, self.calls = aws, None, 0.0, []
        self.denied = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                target = self.headers.get("x-amz-target") or ""
                named = self.path + target
                outer.calls.append(Asked(self.command, self.path, target, body))
                if outer.missing and outer.missing in named:
                    time.sleep(outer.delay)
                    self.close_connection = True
                    return
                if outer.denied and target == outer.denied:
                    self.deny(target)
                    return
                skipped = ("host", "connection", "content-length", "expect", "transfer-encoding")
                headers = {k: v for k, v in self.headers.items() if k.lower() not in skipped}
                answer = POOL.request(self.command, outer.aws + self.path, body=body, headers=headers)
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.data)))
                    self.end_headers()
                    self.wfile.write(answer.data)
                except OSError:
                    pass  # whoever asked has given up

            def deny(self, target: str) -> None:
                action = target.replace("Amazon", "").replace(".", ":")
                service, _, name = action.partition(":")
                said = f"User: x is not authorized to perform: {service.lower()}:{name} on resource: y"
                text = json.dumps({"__type": "com.amazonaws.sqs#AccessDenied", "message": said})
                self.send_response(403)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_HEAD = handle_one

            def log_message(self, *_args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Between:
    """Stands between the console and an API: hands on, after `delay`, and what `answer` says instead."""

    def __init__(self, api: str):
        self.api, self.delay, self.calls, self.before = api, 0.0, [], None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                outer.calls.append((self.command, self.path))
                if outer.before:
                    outer.before(self.command, self.path)
                time.sleep(outer.delay)
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() in ("idempotency-key", "if-match", "content-type")
                }
                answer = POOL.request(self.command, outer.api + self.path, body=body, headers=headers)
                try:
                    self.send_response(answer.status)
                    self.send_header("content-length", str(len(answer.data)))
                    self.end_headers()
                    self.wfile.write(answer.data)
                except OSError:
                    pass  # whoever asked has given up

            do_GET = do_POST = handle_one

            def log_message(self, *_args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
