"""The console in front of the deployed environment, as an operator starts it on a machine of theirs."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import urllib3
from botocore.credentials import Credentials

from deployment import ENVIRONMENT
from process import REGION, REPOSITORY, environment

BINARY = Path(os.environ.get("WAYBILL_BIN", REPOSITORY / "target/debug/waybill")).resolve()
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass
class Page:
    """What a browser gets."""

    status: int
    html: str

    @property
    def text(self) -> str:
        """What a person reads."""
        reader = Reader()
        reader.feed(self.html)
        return " ".join(" ".join(reader.words).split())

    def form(self, action: str) -> dict[str, str]:
        """What the form of this action holds."""
        reader = Reader()
        reader.feed(self.html)
        assert action in reader.forms, f"{action} is not among {list(reader.forms)}"
        return reader.forms[action]


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.words: list[str] = []
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self._form = self.forms.setdefault(given.get("action", ""), {})
        if tag == "input" and "name" in given:
            self._form[given["name"]] = given.get("value") or ""

    def handle_data(self, data):
        self.words.append(data)


class Console:
    """`waybill console --env …` with these credentials alone, on a port of its own."""

    def __init__(self, emulator_url: str, credentials: Credentials, *more: str, folder: Path):
        token = {"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {}
        self._out = folder / "console.txt"
        with self._out.open("w") as out:
            self._process = subprocess.Popen(
                [str(BINARY), "console", "--env", ENVIRONMENT, "--port", "0", *more],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(
                    AWS_ENDPOINT_URL=emulator_url,
                    AWS_REGION=REGION,
                    AWS_ACCESS_KEY_ID=credentials.access_key,
                    AWS_SECRET_ACCESS_KEY=credentials.secret_key,
                    **token,
                ),
            )
        self._pool = urllib3.PoolManager(timeout=60, retries=False)
        self._cookie = ""
        self.url = ""

    @property
    def said(self) -> str:
        return self._out.read_text()

    def start(self) -> "Console":
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if found := re.search(r" is (http://127\.0\.0\.1:\d+)", self.said):
                self.url = found[1]
                return self
            time.sleep(0.05)
        raise AssertionError(f"the console does not listen: {self.said}")

    def ended(self) -> int:
        """The exit code of one that does not start."""
        return self._process.wait(timeout=START_SECONDS)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=STOP_SECONDS)

    def get(self, path: str) -> Page:
        """A page, or the one that it leads to."""
        url = self.url + path
        answer = self._pool.request("GET", url, headers=self._headers(), redirect=False)
        if answer.status == 303:
            return self.get(answer.headers["location"])
        return self._page(answer)

    def send(self, action: str, form: dict[str, str]) -> Page:
        """A form, as a browser sends it; where that leads to another page, that one."""
        headers = self._headers() | {
            "origin": self.url,
            "content-type": "application/x-www-form-urlencoded",
        }
        body = urlencode(form)
        answer = self._pool.request(
            "POST", self.url + action, body=body, headers=headers, redirect=False
        )
        if answer.status == 303:
            return self.get(answer.headers["location"])
        return self._page(answer)

    def _headers(self) -> dict[str, str]:
        return {"cookie": self._cookie} if self._cookie else {}

    def _page(self, answer) -> Page:
        if given := answer.headers.get("set-cookie"):
            self._cookie = given.partition(";")[0]
        return Page(answer.status, answer.data.decode())
