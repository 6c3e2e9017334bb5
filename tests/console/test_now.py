"""The page Now: numbers that lead on, parts that may be missing, and that it moves by itself."""

import re

import pytest
from playwright.sync_api import expect

from conftest import place, update
from running import POOL, System

MISSING = re.compile("is missing|are missing")


def value(page, tile: str):
    return page.locator(f"#tile-{tile} .value")


@pytest.mark.parametrize("scripts", [True, False])
def test_every_number_leads_to_what_it_counts(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console + "/")
    tiles = page.locator(".tiles a")
    assert tiles.count() == 10
    pages = [a.get_attribute("href") for a in page.locator(".bar nav a").all()]
    for tile in tiles.all():
        assert re.search(r"\d", tile.locator(".value").inner_text()), tile.inner_text()
        target = tile.get_attribute("href")
        if target.startswith("#"):
            assert page.locator(target).count() == 1
        elif target in pages:
            assert POOL.request("GET", system.console + target).status == 200
        else:
            # Pages of what an operator mends.
            assert target in ("/stuck", "/read-models", "/refused"), target
    assert page.get_by_text(MISSING).count() == 0


def test_numbers_are_those_of_the_last_hour(system, page):
    page.goto(system.console + "/")
    orders = page.locator(".tiles li").filter(has_text="Orders a minute")
    told = re.search(r"(\d+) in the last hour", orders.inner_text())
    assert int(told[1]) >= 60
    points = orders.locator("polyline").get_attribute("points").split()
    assert len(points) == 60
    assert {"0"} <= {point.split(",")[1] for point in points}
    alarms = page.locator(".tiles li").filter(has_text="Alarms")
    expect(alarms).to_contain_text("of 8 ring")


def test_alerts_and_files_are_named(system, page):
    page.goto(system.console + "/")
    alerts = page.get_by_role("region", name="Last alerts")
    expect(alerts.get_by_role("link", name="SHIP-1")).to_be_visible()
    expect(alerts).to_contain_text("DELAYED")
    files = page.get_by_role("region", name="Last files")
    expect(files).to_contain_text("1 accepted, 0 known, 2 rejected of 3")
    files.get_by_role("link", name="orders/mixed.json").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("orders/mixed.json")


def test_an_alert_comes_by_itself_and_keeps_the_focus(system, page):
    page.goto(system.console + "/")
    page.locator("#tile-orders").focus()
    update(system, "MOVES-1", status="LOST")
    expect(page.get_by_role("link", name="MOVES-1")).to_be_visible(timeout=15_000)
    expect(page.locator("#tile-orders")).to_be_focused()


def test_it_is_held_by_a_button_and_by_who_wants_little_motion(system, open_page):
    asked = []
    page = open_page(reduced_motion="reduce")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(system.console + "/")
    page.wait_for_timeout(6_500)
    assert asked.count(system.console + "/") == 1
    page.get_by_role("button", name="Go on by itself").click()
    page.wait_for_timeout(1_000)
    assert asked.count(system.console + "/") == 2
    page.get_by_role("button", name="Hold").click()
    page.wait_for_timeout(6_500)
    assert asked.count(system.console + "/") == 2


def test_a_hidden_page_asks_for_nothing(system, page):
    asked = []
    page.goto(system.console + "/")
    hide = "Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })"
    page.evaluate(f"window.away = true; {hide}")
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6_500)
    assert asked == []
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1_000)
    assert asked == [system.console + "/"]


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("GetMetricData", "What was counted in the last hour is missing"),
        ("DescribeAlarms", "How the alarms stand is missing"),
        ("AmazonSQS", "The number of dead letters is missing"),
        ("prefix=reports", "The last files are missing"),
    ],
)
@pytest.mark.parametrize("delay", [0, 30])
def test_a_part_that_is_missing_says_so_and_the_others_stay(
    system, console, aws_between, page, missing, says, delay
):
    shown = console(system.api, "--endpoint-url", aws_between.url)
    aws_between.missing, aws_between.delay = missing, delay
    page.goto(shown.url + "/", timeout=30_000)
    told = page.get_by_text(MISSING)
    expect(told).to_have_count(1)
    expect(told).to_contain_text(says)
    expect(page.get_by_role("region", name="Last alerts").get_by_role("link").first).to_be_visible()
    known = page.locator(".tiles .value").filter(has_text=re.compile(r"\d"))
    assert known.count() == {"GetMetricData": 4, "DescribeAlarms": 9, "AmazonSQS": 9}.get(missing, 10)


def test_nobody_there_is_said_in_each_place(system, console, page):
    lost = console(system.api, "--endpoint-url", "http://127.0.0.1:9")
    assert page.goto(lost.url + "/", timeout=30_000).status == 200
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    assert page.get_by_text(MISSING).count() == 7
    expect(page.locator(".tiles .value").filter(has_text="not known")).to_have_count(10)


def test_an_empty_system_says_how_a_file_is_made_to_come(empty, page):
    for path in ("/", "/files"):
        page.goto(empty.console + path)
        line = page.locator("pre.command").first
        expect(line).to_contain_text("aws s3 cp orders.json s3://waybill-dev-orders-000000000000/orders/")
        expect(line).to_contain_text(f"--endpoint-url {empty.aws}")


def test_what_stopped_answering_stays_and_says_so(system, console, browser):
    place(system, "stays")
    shown = console(system.api, "--endpoint-url", system.aws)
    # Not a watched page: the browser complains, and rightly so.
    page = browser.new_page()
    page.goto(shown.url + "/")
    shown.stop()
    expect(page.get_by_text("The console does not answer")).to_be_visible(timeout=15_000)
    expect(value(page, "orders")).to_be_visible()
    page.close()


def test_a_stalled_shipment_is_shown_and_none_that_was_only_scanned_long_ago(tmp_path, page):
    system = System(tmp_path, "--stalled-after-hours", "IN_TRANSIT=0.0005")
    try:
        update(system, "SILENT", status="IN_TRANSIT", timestamp="2024-01-15T10:00:00Z")
        # Heard of now, though what it tells is old.
        update(system, "HEARD", status="CREATED", timestamp="2024-01-15T10:00:00Z")
        page.goto(system.console + "/")
        stalled = page.get_by_role("region", name="Stalled, the longest without news first")
        expect(stalled.get_by_role("link", name="SILENT")).to_be_visible(timeout=30_000)
        expect(stalled).to_contain_text("nothing since")
        assert stalled.get_by_role("link").count() == 1
        expect(value(page, "stalled")).to_have_text("▲ 1")
    finally:
        system.stop()
