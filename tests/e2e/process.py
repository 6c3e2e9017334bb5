"""The emulator of AWS: one process with its own port and an empty state."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import urllib3

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
WORK = REPOSITORY / "target/e2e"
PYTHON = WORK / "ministack/bin/python"

ACCOUNT = "000000000000"
REGION = "us-east-1"

START_SECONDS = 60
STOP_SECONDS = 30
# Attempts to find a port that nobody takes in between.
PORTS = 3


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def environment(**more: str) -> dict[str, str]:
    """The shell's variables without those that would lead to another AWS, or account."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "WAYBILL_", "MINISTACK_", "LAMBDA_"))
    }
    return kept | more


class Emulator:
    """AWS in one process. Its state is gone with it; its logs stay in `folder`."""

    def __init__(self, folder: Path, enforce_iam: bool):
        self.folder = folder
        self.enforce_iam = enforce_iam
        self.port = 0
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def function_logs(self) -> Path:
        return self.folder / "functions.log"

    def start(self) -> "Emulator":
        assert PYTHON.exists(), f"{PYTHON} is not there: make target/e2e/ministack/ready"
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "state").mkdir(parents=True)
        for _attempt in range(PORTS):
            self.port = free_port()
            self._spawn()
            if self._is_up():
                return self
            self.stop()
        raise AssertionError(f"not ready:\n{self.log.read_text()[-4000:]}")

    def _spawn(self) -> None:
        state = str(self.folder / "state")
        variables = environment(
            AUTH=str(self.enforce_iam).lower(),
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(self.port),
            LAMBDA_EXECUTOR="local",
            # Lambda waits a minute and two between its attempts.
            LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2",
            MINISTACK_ACCOUNT_ID=ACCOUNT,
            MINISTACK_HOST="127.0.0.1",
            MINISTACK_REGION=REGION,
            STATE_DIR=state,
            TMPDIR=state,
            # What the functions call.
            AWS_ENDPOINT_URL=self.url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            E2E_FUNCTION_LOGS=str(self.function_logs),
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "emulator"],
                cwd=HERE,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # The functions are its children: they are killed with its group.
                start_new_session=True,
            )

    def _is_up(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if (
                    urllib3.request("GET", f"{self.url}/_ministack/health", retries=False).status
                    == 200
                ):
                    return True
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
        return False

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends it and every function of it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=STOP_SECONDS)
        self._process = None
        shutil.rmtree(self.folder / "state", ignore_errors=True)
