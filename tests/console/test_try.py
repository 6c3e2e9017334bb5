"""Try it: each way in, sent and followed; faults on purpose, and that nothing is lost by them."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conftest import IMAGE, SCRIPT, place, quoted
from running import POOL, System

SECRET = "a secret of a test"
# Everything has come: what a trail says last.
ALL = "Everything that its events make has come"
WAYS = ["order", "shipment", "bus-order", "file", "invoke", "webhook"]


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """A system of its own: faults would be felt by the other tests."""
    secret = ["--carrier-secret", f"easypost={SECRET}"]
    running = System(tmp_path_factory.mktemp("tried"), *secret)
    yield running
    assert running.stop() == 0


@pytest.fixture(autouse=True)
def nothing_is_on(tried):
    yield
    switch(tried)


def switch(system, **faults) -> None:
    url = system.aws + "/_local/faults"
    answer = POOL.request("PUT", url, body=json.dumps(faults).encode())
    assert answer.status == 200, answer.data


def faults(system) -> dict:
    return POOL.request("GET", system.aws + "/_local/faults").json()


def messages(system, name: str) -> list[str]:
    """The ids of the messages about an order or shipment on the bus, oldest first."""
    listed = POOL.request("GET", system.aws + "/_local/messages?limit=1000").json()["messages"]
    ids = [one["detail"]["id"] for one in reversed(listed) if one["via"] == "EventBridge"]
    return [one for one in ids if one.startswith(f"{name}/")]


def events(system, order: str) -> list[str]:
    return [event["type"] for event in system.row(f"/orders/{order}/history")["events"]]


def send(page, system, way: str, text: str | None = None) -> str:
    """Sends the example, or a text, and gives the id that it holds."""
    page.goto(f"{system.console}/try?way={way}")
    area = page.get_by_label("What is sent")
    if text is not None:
        area.fill(text)
    sent = area.input_value()
    page.get_by_role("button", name="Send it").click()
    page.wait_for_url("**/try/runs/*")
    found = re.search(r'"(?:orderId|shipmentId|tracking_code)": ?"([^"]+)"', sent)
    return found[1] if found else ""


def trail(page):
    return page.get_by_role("region", name="What became of it")


def met(page):
    """What was expected, once all of it has happened."""
    verdicts = page.locator(".verdicts li")
    expect(page.locator(".verdicts .good")).to_have_count(verdicts.count(), timeout=20_000)
    return verdicts


def subject(page) -> str:
    return page.locator(".title .quiet").inner_text()


@pytest.mark.parametrize("way", WAYS)
def test_an_example_of_each_way_in_is_sent_and_followed(tried, page, way):
    name = send(page, tried, way)
    expect(trail(page)).to_contain_text("Accepted")
    expect(trail(page)).to_contain_text(ALL, timeout=20_000)
    expect(trail(page)).to_contain_text("Event 1")
    expect(trail(page)).to_contain_text(re.compile(r"Row.*version \d"))
    expect(trail(page)).to_contain_text(f"{name}/1/")
    trail(page).get_by_role("link", name="as it stands").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


@pytest.mark.parametrize("way", WAYS)
def test_an_example_is_followed_without_a_script(tried, open_page, way):
    page = open_page(java_script_enabled=False)
    name = send(page, tried, way)
    until = time.monotonic() + 20
    while ALL not in trail(page).inner_text():
        assert time.monotonic() < until, trail(page).inner_text()
        page.get_by_role("link", name="Look again").click()
    expect(trail(page)).to_contain_text(f"{name}/1/")


@pytest.mark.parametrize("way,status", [("complete", "PROCESSED"), ("cancel", "CANCELLED")])
def test_a_command_about_an_order_is_sent_and_followed(tried, page, way, status):
    place(tried, f"to-{way}")
    page.goto(f"{tried.console}/try?way={way}")
    page.get_by_label("Order", exact=True).fill(f"to-{way}")
    page.get_by_role("button", name="Send it").click()
    expect(trail(page)).to_contain_text(f"{status} version 2")
    assert tried.row(f"/orders/to-{way}")["status"] == status


def test_a_refusal_is_shown_and_what_was_sent_can_be_changed(tried, page):
    send(page, tried, "order", '{"orderId": "refused", "items": []}')
    expect(trail(page)).to_contain_text("Answered 400")
    expect(trail(page)).to_contain_text("What is refused leaves none")
    page.get_by_role("link", name="Change it and send again").click()
    expect(page.get_by_label("What is sent")).to_have_value('{"orderId": "refused", "items": []}')


def test_what_the_bus_takes_and_nobody_can_do_is_followed_to_its_end(tried, page):
    send(page, tried, "shipment", '{"shipmentId": "no-status"}')
    expect(trail(page)).to_contain_text("Accepted 200")
    expect(trail(page)).to_contain_text("Logistics Processing Error", timeout=20_000)
    expect(trail(page)).to_contain_text("Given up", timeout=20_000)


def run(line: str) -> str:
    """What a line for a terminal prints, in a shell that has the `aws` of these tests and no other
    credentials or settings than the line's own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "WAYBILL_"))}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        env=kept | {"PATH": path, "AWS_CONFIG_FILE": os.devnull},
    )
    assert ran.returncode == 0, (line, ran.stderr)
    return ran.stdout


def known(system, name: str) -> dict:
    """The row of an order or shipment, once it is there."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for kind in ("orders", "shipments"):
            answer = POOL.request("GET", f"{system.api}/{kind}/{quoted(name)}")
            if answer.status == 200:
                return answer.json()
        time.sleep(0.1)
    raise AssertionError(f"{name} did not come")


def line_of(page) -> str:
    """The line for a terminal that a page shows."""
    return page.get_by_role("main").locator("pre.command code").inner_text()


@pytest.mark.parametrize("way", WAYS)
def test_the_line_for_a_terminal_does_what_the_page_does(tried, page, way):
    page.goto(f"{tried.console}/try?way={way}")
    line = line_of(page)
    sent = page.get_by_label("What is sent").input_value()
    name = re.search(r'"(?:orderId|shipmentId|tracking_code)": ?"([^"]+)"', sent)[1]
    assert name in line and POOL.request("GET", f"{tried.api}/orders/{name}").status == 404
    told = run(line)
    assert '"FailedEntryCount": 0' in told or way not in ("bus-order", "shipment"), told
    assert known(tried, name)["version"] >= 1
    # The same line again is the same command: one event is placed or logged.
    if way in ("order", "webhook", "invoke"):
        run(line)
        kind = "shipments" if way == "webhook" else "orders"
        history = tried.row(f"/{kind}/{quoted(name)}/{'log' if way == 'webhook' else 'history'}")
        came = history["items"] if way == "webhook" else history["events"]
        assert len([one for one in came if one.get("type") in (None, "OrderPlaced")]) == 1, came


@pytest.mark.parametrize("way", WAYS)
def test_the_line_of_what_was_sent_is_a_repeat_of_it(tried, page, way):
    name = send(page, tried, way)
    expect(trail(page)).to_contain_text(ALL, timeout=20_000)
    run(line_of(page))
    assert known(tried, name)["version"] >= 1


@pytest.mark.parametrize("way,status", [("complete", "PROCESSED"), ("cancel", "CANCELLED")])
def test_the_line_of_a_command_about_an_order_is_a_repeat_of_it(tried, page, way, status):
    place(tried, f"line-{way}")
    page.goto(f"{tried.console}/try?way={way}")
    page.get_by_label("Order", exact=True).fill(f"line-{way}")
    page.get_by_role("button", name="Send it").click()
    page.wait_for_url("**/try/runs/*")
    expect(trail(page)).to_contain_text(ALL, timeout=20_000)
    answer = json.loads(run(line_of(page)))
    assert (answer["status"], answer["version"]) == (status, 2), answer
    assert len(events(tried, f"line-{way}")) == 2


def test_a_row_that_is_held_back_waits_and_comes_after_release(tried, page):
    page.goto(tried.console + "/try")
    page.get_by_role("button", name="Hold project back and send an order").click()
    page.wait_for_url("**/try/runs/*")
    order = subject(page).removeprefix("order#")
    expect(trail(page)).to_contain_text(f"order#{order}/1/Order Created", timeout=20_000)
    expect(page.locator(".verdicts")).to_contain_text("Nothing yet: project is held back")
    expect(page.locator(".faults")).to_contain_text("project is held back")
    time.sleep(2)
    assert POOL.request("GET", f"{tried.api}/orders/{order}").status == 404
    page.goto(tried.console + "/orders")
    expect(page.locator(".faults")).to_contain_text("project is held back")
    page.go_back()
    page.get_by_role("main").get_by_role("button", name="Let project go").click()
    expect(met(page)).to_have_count(5)
    assert faults(tried)["heldConsumers"] == []
    assert tried.row(f"/orders/{order}")["version"] == 1
    assert events(tried, order) == ["OrderPlaced"]
    assert messages(tried, f"order#{order}") == [f"order#{order}/1/Order Created"]


def test_messages_that_are_held_back_wait_and_come_after_release(tried, page):
    page.goto(tried.console + "/try")
    page.get_by_role("button", name="Hold notify back and send an order").click()
    page.wait_for_url("**/try/runs/*")
    name = subject(page)
    expect(trail(page)).to_contain_text("PROCESSING version 1", timeout=20_000)
    time.sleep(2)
    assert messages(tried, name) == []
    page.locator(".faults").get_by_role("button", name="Switch it off").click()
    expect(page.locator(".faults")).to_have_count(0)
    page.get_by_role("region", name="Sent before").get_by_role("link").first.click()
    expect(met(page)).to_have_count(5)
    assert messages(tried, name) == [f"{name}/1/Order Created"]


@pytest.mark.parametrize("scripts", [True, False])
def test_after_a_lost_answer_the_same_key_is_sent_again_and_one_order_exists(
    tried, open_page, scripts
):
    page = open_page(java_script_enabled=scripts)
    page.goto(tried.console + "/try")
    page.get_by_role("button", name="Lose an answer to an order").click()
    page.wait_for_url("**/try/runs/*")
    expect(trail(page)).to_contain_text("No answer")
    expect(trail(page)).to_contain_text("sent again under the same key")
    expect(trail(page)).to_contain_text("Accepted 200")
    name = subject(page)
    if scripts:
        expect(met(page)).to_have_count(5)
    assert events(tried, name.removeprefix("order#")) == ["OrderPlaced"]
    assert faults(tried)["lostAnswers"] == 0


def test_everything_twice_is_one_order_one_row_and_one_of_each_id(tried, page):
    page.goto(tried.console + "/try")
    page.get_by_role("button", name="Deliver everything twice and send an order").click()
    page.wait_for_url("**/try/runs/*")
    expect(page.locator(".faults")).to_contain_text("everything is delivered twice, for")
    expect(met(page)).to_have_count(4)
    expect(trail(page)).to_contain_text("a repeat, under the same id")
    name = subject(page)
    order = name.removeprefix("order#")
    assert events(tried, order) == ["OrderPlaced", "OrderProcessed"]
    row = tried.row(f"/orders/{order}")
    assert (row["version"], row["status"]) == (2, "PROCESSED")
    came = messages(tried, name)
    ids = [f"{name}/1/Order Created", f"{name}/2/Order Processed"]
    assert sorted(set(came)) == ids
    assert len(came) > 2, "nothing came twice"


def test_what_is_on_is_said_on_every_page_and_switched_off_there(tried, open_page):
    for scripts in (True, False):
        page = open_page(java_script_enabled=scripts)
        switch(tried, twiceForSeconds=60, lostAnswers=2)
        for path in ("/orders", "/shipments", "/try", "/find?q=nobody", "/orders/nobody", "/nowhere"):
            page.goto(tried.console + path)
            banner = page.get_by_role("complementary", name="Faults that are on")
            expect(banner, path).to_contain_text("the next 2 answers")
            expect(banner, path).to_contain_text("delivered twice")
        banner.get_by_role("button", name="Switch it off").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Try it")
        expect(banner).to_have_count(0)
        assert faults(tried) == {"heldConsumers": [], "lostAnswers": 0, "twiceForSeconds": 0}


def test_without_a_carriers_secret_the_page_says_how_to_set_one(system, page):
    page.goto(system.console + "/try?way=webhook")
    expect(page.get_by_role("main")).to_contain_text("WAYBILL_CARRIER_SECRET_EASYPOST")
    assert page.get_by_role("button", name="Send it").count() == 0


def test_it_is_last_in_the_navigation_and_not_there_without_a_local_system(tried, page, console):
    page.goto(tried.console + "/try")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert links.last.inner_text() == "Try it"
    assert links.last.get_attribute("aria-current") == "page"
    elsewhere = console(tried.api)
    assert page.goto(elsewhere.url + "/try").status == 404
    assert page.get_by_role("link", name="Try it").count() == 0
    beside = console(tried.api, "--endpoint-url", tried.aws)
    send_to = page.goto(beside.url + "/try")
    assert send_to.status == 200


def test_a_foreign_form_switches_and_sends_nothing(tried, page):
    page.goto(tried.console + "/try")
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": tried.console}
    for path in ("/try/send", "/try/experiment", "/try/faults"):
        answer = page.request.post(tried.console + path, data="what=twice&way=order", headers=headers)
        assert answer.status == 403, path
    assert faults(tried)["twiceForSeconds"] == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_texts_are_shown_as_text(tried, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    close = "</textarea></code><script>document.title='hacked'</script>"
    items = [{"name": IMAGE, "quantity": 1, "price": 1}]
    text = json.dumps({"orderId": SCRIPT, "customerName": close, "items": items})
    send(page, tried, "order", text)
    for path in (page.url, f"/try?run={page.url.rsplit('/', 1)[1]}", "/try"):
        page.goto(path if path.startswith("http") else tried.console + path)
        assert page.locator("img").count() == 0, path
        assert page.title() != "hacked", path
        assert SCRIPT in page.locator("body").inner_text(), path
    for way in ("shipment", "invoke", "file", "webhook", "bus-order"):
        send(page, tried, way, close + IMAGE)
        assert page.title() != "hacked" and page.locator("img").count() == 0, way
        assert IMAGE in page.locator("body").inner_text(), way


def addresses(page, system):
    """Pages of every kind: each way, a run that is done, one that is held back, with the banner."""
    yield from (f"{system.console}/try?way={way}" for way in [*WAYS, "cancel"])
    send(page, system, "shipment")
    expect(trail(page)).to_contain_text(ALL, timeout=20_000)
    yield page.url
    page.goto(system.console + "/try")
    page.get_by_role("button", name="Hold project back and send an order").click()
    page.wait_for_url("**/try/runs/*")
    yield page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(tried, open_page, scheme):
    page = open_page(color_scheme=scheme)
    found = []
    for address in list(addresses(page, tried)):
        page.goto(address)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical", "moderate"):
                nodes = [node["html"] for node in violation["nodes"][:3]]
                found.append((address, violation["id"], violation["help"], nodes))
    assert found == []


@pytest.mark.parametrize("width", [360, 640])
def test_nothing_scrolls_sideways(tried, open_page, width):
    page = open_page(viewport={"width": width, "height": 800})
    for address in list(addresses(page, tried)):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, address
