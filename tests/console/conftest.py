"""Tests of the console in a real browser.

They want a built binary (`WAYBILL_BIN`, by default `target/debug/waybill`) and Debian's Chromium
(`CHROMIUM`, by default the one on the PATH): `make test-console` brings both.
"""

import json
import os
import shutil

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from broken import break_things
from running import AwsBetween, Between, Console, System

# Names that would run a script, break out of an attribute or of a shell, where they are not data.
SCRIPT = "<script>document.title='hacked'</script>".replace("/", "-")
IMAGE = "\"><img src=x onerror=document.title='hacked'>"


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    running = System(tmp_path_factory.mktemp("system"))
    fill(running)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    running = System(tmp_path_factory.mktemp("empty"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def broken(tmp_path_factory):
    """A system in which something of everything is stuck or wrong. Nobody mends it."""
    running = System(tmp_path_factory.mktemp("broken"), "--carrier-secret", "easypost=s3cret")
    break_things(running)
    yield running
    running.stop()


@pytest.fixture
def own(tmp_path):
    """A system to be broken and mended."""
    running = System(tmp_path / "own")
    yield running
    running.stop()


@pytest.fixture
def console(tmp_path, request):
    """Starts consoles, and ends them."""
    started = []

    def start(api: str, *more: str) -> Console:
        started.append(Console(tmp_path / f"console-{len(started)}", api, *more))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def between(system):
    proxy = Between(system.api)
    yield proxy
    proxy.stop()


@pytest.fixture
def aws_between(system):
    proxy = AwsBetween(system.aws)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="session")
def browser() -> Browser:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "no chromium: `make test-console` installs it"
    with sync_playwright() as playwright:
        # Root has no sandbox; nothing but this machine's own pages is opened.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


class Watched:
    """A browser's page of which every complaint is kept."""

    def __init__(self, page: Page):
        self.page, self.complaints = page, []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message) -> None:
        # A status code that a test asks for is no complaint.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def open_page(browser):
    """Opens pages; whatever a browser complains of in the end is a failure."""
    opened = []

    def open_page(**settings) -> Page:
        context = browser.new_context(**{"timezone_id": "Europe/Berlin", **settings})
        watched = Watched(context.new_page())
        opened.append((context, watched))
        return watched.page

    yield open_page
    complaints = [line for _, watched in opened for line in watched.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


def place(system: System, order_id: str, **members) -> dict:
    order = {"items": [{"name": "Lamp", "quantity": 2, "price": 12.5}], "orderId": order_id}
    placed = system.send("/orders", json.dumps(order | members))
    system.settle(f"/orders/{quoted(order_id)}", placed["version"])
    return placed


def update(system: System, shipment_id: str, **members) -> dict:
    path = f"/shipments/{quoted(shipment_id)}"
    logged = system.send(f"{path}/updates", json.dumps(members))
    system.settle(path, logged["version"])
    return logged


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def fill(system: System) -> None:
    """Orders and shipments that the tests name, and a page and more of others."""
    for number in range(60):
        place(system, f"many-{number:03}", customerId="many")
    adjustments = [{"type": "shipping", "amount": 4.9, "name": "DHL"}]
    place(system, "R-1", customerId="c-1", customerName="Ada", adjustments=adjustments, gift="yes")
    body = json.dumps({"reason": "changed my mind"})
    system.send("/orders/R-1/cancel", body, **{"Idempotency-Key": "cancel-R-1"})
    system.settle("/orders/R-1", 2)
    update(
        system,
        "SHIP-1",
        status="picked up",
        carrier="UPS",
        location="Memphis, TN",
        orderId="R-1",
        timestamp="2026-11-20T10:00:00+02:00",
    )
    noon = "2026-11-22T10:00:00Z"
    update(system, "SHIP-1", status="IN_TRANSIT", location="Dallas", timestamp=noon)
    update(system, "SHIP-1", status="CREATED", timestamp="2026-11-19")
    update(system, "SHIP-1", status="delayed", location="Dallas", timestamp=noon, note="snow")
    place(system, SCRIPT, customerId=IMAGE, customerName=SCRIPT, **{"note": IMAGE})
    body = json.dumps({"reason": IMAGE})
    system.send(f"/orders/{quoted(SCRIPT)}/cancel", body)
    system.settle(f"/orders/{quoted(SCRIPT)}", 2)
    update(
        system,
        SCRIPT,
        status="EXCEPTION",
        carrier=IMAGE,
        location=SCRIPT,
        orderId=SCRIPT,
        note=IMAGE,
    )
    order = {"items": [{"name": "Lamp", "quantity": 1, "price": 3}]}
    wrong = order | {"orderId": IMAGE, "totalAmount": 4, "currency": "EUR"}
    system.upload("orders/mixed.json", json.dumps([order | {"orderId": "F-1"}, wrong, order]))
    system.upload(f"orders/{SCRIPT}.json", json.dumps([order | {"orderId": "F-2"}, wrong]))
