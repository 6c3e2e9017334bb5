"""The system under test: one process, started and killed like a stranger would."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import urllib3

from client import Client

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60


def binary() -> Path:
    return Path(os.environ.get("WAYBILL_BIN", REPOSITORY / "target/debug/waybill"))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections still linger counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_ports(count: int) -> list[int]:
    """Distinct ports nobody listens on; all are held until the last is known."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


# A page that may call the HTTP API.
SHOP = "https://shop.example"


class System:
    """`waybill local` on its own ports and data folder; both survive a kill."""

    def __init__(self, folder: Path, ports: tuple[int, int] | None = None):
        self.port, self.aws_port = ports or free_ports(2)
        self.environment = "dev"
        self.told_by_variables = False  # else by flags
        self.shards = 1
        self.read_models = "processed-orders,shipment-log"
        self.more: list[str] = []  # further flags
        self.data = folder / "data"
        self.log = folder / "waybill.log"
        self.client = Client(
            f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.aws_port}"
        )
        self._process: subprocess.Popen | None = None

    def start(self) -> "System":
        self.spawn()
        self.wait_until_ready()
        return self

    def spawn(self) -> None:
        """Starts the process and does not wait: it may be killed while it starts."""
        assert self._process is None, "already running"
        assert binary().exists(), f"{binary()} is not there: build it first"
        settings = {
            "port": str(self.port),
            "aws-port": str(self.aws_port),
            "data": str(self.data),
            "env": self.environment,
            "shards": str(self.shards),
            "read-models": self.read_models,
            "cors-origin": SHOP,
            "console-port": "0",
        }
        command = [str(binary()), "local", *self.more]
        # Settings of the shell that runs the tests must not change what is tested.
        env = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL_")}
        for name, value in settings.items():
            if self.told_by_variables:
                env[f"WAYBILL_{name.upper().replace('-', '_')}"] = value
            else:
                command += [f"--{name}", value]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        for url in (self.client.http, self.client.aws):
            while not self._is_healthy(url):
                code = self._process.poll()
                assert code is None, f"ended with {code}:\n{self.log_tail()}"
                assert time.monotonic() < deadline, f"not ready:\n{self.log_tail()}"
                time.sleep(0.01)

    def _is_healthy(self, url: str) -> bool:
        try:
            return self.client.request("GET", f"{url}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, so that no handler of the process can tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def stop(self) -> int:
        """Asks it to stop, as Ctrl-C does; its exit code."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(timeout=START_SECONDS)
        self._process = None
        return code

    @property
    def pid(self) -> int:
        """The number of the running process."""
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
