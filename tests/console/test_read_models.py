"""Read models: the price first, then a run that goes on whichever page is open; a wrong row mended."""

import json
import os
import signal
import subprocess

import pytest
from playwright.sync_api import expect

import broken as things
from conftest import IMAGE, place, update
from running import BINARY


def main_of(page):
    return page.get_by_role("main")


def test_read_models_say_how_they_are(broken, page):
    page.goto(broken.console + "/read-models")
    row = page.locator("tr", has_text="waybill-dev-processed-orders")
    expect(row).to_contain_text("read")
    expect(main_of(page)).to_contain_text("waybill-dev-shipment-log")
    lag = page.locator("section", has=page.get_by_role("heading", name="How far behind"))
    expect(lag).to_contain_text("project")
    expect(lag).to_contain_text("not behind")
    expect(main_of(page)).to_contain_text("None since this system was started")


def test_the_last_sweep_and_what_it_mended_are_told(own, page):
    place(own, "swept")
    place(own, "gone")
    things.remove(own, "gone")
    for segment in (0, 1):
        # As the hourly schedule does it: the segment whose turn it is.
        things.invoke(own, "rebuild", {"operation": "sweep"})
    page.goto(own.console + "/read-models")
    sweep = page.locator("section", has=page.get_by_role("heading", name="The last sweep"))
    expect(sweep).to_contain_text("Looked at")
    expect(sweep).to_contain_text("orders and shipments")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_wrong_row_is_seen_and_mended(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    place(own, "wrong", customerName="Ada")
    place(own, "lost")
    place(own, "right")
    things.spoil(own, "wrong", customerName=IMAGE)
    things.remove(own, "lost")
    page.goto(own.console + "/read-models")
    page.get_by_role("link", name="Verify all").click()
    expect(main_of(page)).to_contain_text("read units")
    expect(main_of(page)).to_contain_text("USD")
    page.get_by_role("button", name="Verify").click()
    looked_again(page, scripts, "3 orders and shipments compared, 2 wrong")
    expect(main_of(page)).to_contain_text("1 missing")
    expect(main_of(page)).to_contain_text("1 different")
    finding = page.locator(".finding", has_text="wrong")
    expect(finding).to_contain_text("It differs in customerName")
    expect(finding).not_to_contain_text("was expected")
    # Both values stand there at once.
    differing = finding.get_by_role("table", name="What differs").locator("tr.changed")
    expect(differing).to_have_count(1)
    expect(differing).to_contain_text("customerName")
    expect(differing.locator("del")).to_have_text(IMAGE)
    expect(differing.locator("ins")).to_have_text("Ada")
    assert page.locator("img").count() == 0
    # A finding leads to its order.
    page.get_by_role("link", name="wrong", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("wrong")
    page.get_by_role("link", name="Is its row right?").click()
    expect(main_of(page)).to_contain_text("1 row is not what follows from its events")
    page.goto(own.console + "/read-models/rebuild")
    page.get_by_role("button", name="Rebuild").click()
    looked_again(page, scripts, "2 rows written, 0 removed")
    assert things.row(own, "wrong")["customerName"]["S"] == "Ada"
    assert things.row(own, "lost")
    # The runs are remembered, without anybody's rows.
    page.goto(own.console + "/read-models")
    past = page.locator("section", has=page.get_by_role("heading", name="Last runs"))
    expect(past.locator("tbody tr")).to_have_count(2)
    expect(past.locator("tbody tr").first).to_contain_text("2 written, 0 removed")
    for file in (own.folder / ".waybill/runs-dev").iterdir():
        assert "Ada" not in file.read_text()


def looked_again(page, scripts: bool, text: str) -> None:
    for _ in range(60):
        link = page.get_by_role("link", name="look again")
        if scripts or text in main_of(page).inner_text():
            break
        page.wait_for_timeout(300)
        if link.count():
            link.click()
    expect(main_of(page)).to_contain_text(text, timeout=60_000)


@pytest.mark.parametrize("scripts", [True, False])
def test_what_was_found_is_mended_where_it_stands(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    place(own, "wrong", customerName="Ada")
    place(own, "lost")
    things.spoil(own, "wrong", customerName="Eve")
    things.remove(own, "lost")
    page.goto(own.console + "/read-models/verify")
    page.get_by_role("button", name="Verify").click()
    looked_again(page, scripts, "2 wrong")
    # There is one way to mend them.
    assert page.get_by_role("link", name="Rebuild").count() == 0
    page.get_by_role("button", name="Mend these 2").click()
    expect(main_of(page)).to_contain_text("Mended: 2 rows written, 0 removed")
    expect(main_of(page)).to_contain_text("every row of these is what follows from its events")
    assert page.get_by_role("button", name="Mend these").count() == 0
    assert things.row(own, "wrong")["customerName"]["S"] == "Ada"
    assert things.row(own, "lost")
    # The run remembers it, whoever looks later.
    page.goto(own.console + "/read-models")
    past = page.locator("section", has=page.get_by_role("heading", name="Last runs"))
    expect(past.locator("tbody tr").first).to_contain_text("since,")
    past.locator("tbody a").first.click()
    told = main_of(page).get_by_role("status")
    expect(told).to_contain_text("2 wrong, mended at")
    assert told.locator(".bad").count() == 0
    expect(page.locator(".finding", has_text="lost")).to_contain_text("missing, mended at")
    for name in ("Mend these", "Mend its rows"):
        assert page.get_by_role("button", name=name).count() == 0


def test_one_row_is_compared_and_mended(own, page):
    place(own, "one", customerName="Ada")
    things.spoil(own, "one", customerName="Eve")
    page.goto(own.console + "/orders/one")
    page.get_by_role("link", name="Is its row right?").click()
    expect(page.locator("tr.changed")).to_have_count(1)
    page.get_by_role("button", name="Mend its rows").click()
    expect(main_of(page)).to_contain_text("Mended: 1 row written, 0 removed")
    expect(main_of(page)).to_contain_text("Every row is what follows from its events")
    assert things.row(own, "one")["customerName"]["S"] == "Ada"
    page.goto(own.console + "/read-models/rows?aggregate=order%23nobody")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")


@pytest.fixture
def slow(own):
    """A system whose runs take their time: each read waits."""
    for number in range(40):
        place(own, f"slow-{number}")
    things.spoil(own, "slow-7", customerName="Eve")
    proxy = things.SlowReads(own)
    yield own, proxy
    proxy.stop()


def test_a_run_goes_on_over_a_reload_and_can_be_stopped_and_gone_on_with(slow, console, page):
    system, proxy = slow
    shown = console(system.api, "--endpoint-url", proxy.url)
    page.goto(shown.url + "/read-models/verify")
    proxy.delay = 1.0
    page.get_by_role("button", name="Verify").click()
    bar = page.get_by_role("progressbar")
    expect(bar).to_be_visible(timeout=20_000)
    page.reload()
    expect(bar).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    # It moves without a reload.
    before = bar.get_attribute("value")
    expect(bar).not_to_have_attribute("value", before, timeout=20_000)
    # Another page says so, and another run does not begin.
    page.goto(shown.url + "/read-models")
    expect(main_of(page)).to_contain_text("goes on: `waybill console`")
    page.goto(shown.url + "/read-models/rebuild")
    page.get_by_role("button", name="Rebuild").click()
    expect(page.get_by_role("alert")).to_contain_text("one at a time", timeout=20_000)
    page.goto(shown.url + "/read-models/run?kind=verify")
    page.get_by_role("button", name="Stop").click()
    expect(main_of(page)).to_contain_text("It was stopped", timeout=20_000)
    proxy.delay = 0
    page.get_by_role("button", name="Go on with it").click()
    expect(main_of(page)).to_contain_text("40 orders and shipments compared, 1 wrong", timeout=60_000)


def test_a_run_of_another_process_is_shown_and_not_begun_twice(slow, console, page):
    system, proxy = slow
    shown = console(system.api, "--endpoint-url", proxy.url)
    page.goto(shown.url + "/read-models/verify")
    proxy.delay = 1.0
    # In the folder in which the console is.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WAYBILL_", "AWS_"))}
    other = subprocess.Popen(
        [str(BINARY), "verify", "--yes", "--endpoint-url", proxy.url],
        cwd=shown.folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lock = shown.folder / ".waybill/verify-dev/lock"
    things.until("it has begun", lambda: lock.exists() and lock.read_text())
    assert json.loads(lock.read_text())["process"] == other.pid
    things.until("it says what it is", lambda: (lock.parent / "run.json").exists())
    page.get_by_role("button", name="Verify").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("one run at a time", timeout=20_000)
    expect(alert).to_contain_text(f"`waybill verify` (process {other.pid})")
    page.goto(shown.url + "/read-models/run?kind=verify")
    expect(main_of(page)).to_contain_text(f"by another process: `waybill verify` (process {other.pid})")
    assert page.get_by_role("button", name="Stop").count() == 0
    # Killed, it has nothing any more.
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    expect(main_of(page)).to_contain_text("It was stopped", timeout=20_000)
    proxy.delay = 0
    page.get_by_role("button", name="Begin anew").click()
    expect(main_of(page)).to_contain_text("1 wrong", timeout=60_000)


def test_the_end_of_a_run_by_a_terminal_is_remembered(own, page):
    place(own, "a")
    update(own, "S", status="IN_TRANSIT", carrier="UPS", location="Here")
    ran = subprocess.run(
        [str(BINARY), "verify", "--yes", "--endpoint-url", own.aws],
        cwd=own.folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("WAYBILL_", "AWS_"))},
        capture_output=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran
    page.goto(own.console + "/read-models")
    page.locator("section", has_text="Last runs").locator("tbody a").first.click()
    expect(main_of(page)).to_contain_text("2 orders and shipments compared: every row is as it should be")
    expect(main_of(page)).to_contain_text("waybill verify")


def test_a_read_model_that_is_none_is_not_found(broken, page):
    assert page.goto(broken.console + "/read-models/verify?only=everything").status == 404
    assert page.goto(broken.console + "/read-models/runs/..%2Fx").status == 404


# Messages.


def test_messages_say_what_became_of_them_and_are_announced_once_more(own, page):
    place(own, "told")
    message = "order#told/1/Order Created"
    things.until("it is sent", lambda: things.sent(own, message) == 1)
    page.goto(own.console + "/orders/told/history")
    page.get_by_role("link", name="Announce its messages once more").click()
    row = page.locator("tr", has_text=message)
    expect(row.locator("time")).to_have_count(1)
    page.get_by_role("link", name="Announce all once more").click()
    expect(main_of(page)).to_contain_text(message)
    assert things.sent(own, message) == 1
    page.get_by_role("button", name="Announce once more").click()
    expect(main_of(page)).to_contain_text("Announced once more, up to event 1")
    expect(page.locator("tr", has_text=message).locator("time")).to_have_count(2)
    assert things.sent(own, message) == 2


def test_the_messages_of_one_event_alone_are_announced(own, page):
    place(own, "two")
    own.send("/orders/two/cancel", json.dumps({"reason": "late"}))
    first, second = "order#two/1/Order Created", "order#two/2/Order Cancelled"
    things.until("both are sent", lambda: things.sent(own, second) == 1)
    page.goto(own.console + "/messages?aggregate=order%23two")
    page.get_by_role("link", name="Announce event 2 once more").click()
    expect(main_of(page)).to_contain_text(second)
    expect(main_of(page)).not_to_contain_text(first)
    page.get_by_role("button", name="Announce once more").click()
    expect(main_of(page)).to_contain_text("Announced once more, up to event 2")
    assert (things.sent(own, first), things.sent(own, second)) == (1, 2)


def test_what_was_not_sent_says_why(broken, page):
    page.goto(broken.console + "/messages?aggregate=order%23poison")
    expect(main_of(page)).to_contain_text("notify has stopped at event 1")
    expect(main_of(page)).to_contain_text("It cannot be read, so it makes none")


# Webhooks.


def test_webhooks_say_whose_are_taken_and_what_came(own, page, tmp_path):
    page.goto(own.console + "/webhooks")
    row = page.locator("tr", has_text="easypost")
    expect(row).to_contain_text("not asked")
    expect(row).to_contain_text(f"{own.api}/carriers/easypost")
    page.get_by_role("link", name="Ask whether secrets are set").click()
    expect(row).to_contain_text("is not set")
    expect(main_of(page)).to_contain_text("Planned, and not there yet")


def test_a_webhook_that_came_is_counted(broken, page):
    from running import POOL

    POOL.request("POST", broken.api + "/carriers/easypost", body=b"{}")
    page.goto(broken.console + "/webhooks?ask=true")
    row = page.locator("tbody tr", has_text="easypost")
    expect(row).to_contain_text("is set")
    page.goto(broken.console + "/webhooks")
    refused = page.locator("tbody tr", has_text="easypost").locator("[data-label=Refused]")
    assert int(refused.inner_text()) >= 2
    page.locator("summary", has_text="easypost").click()
    expect(main_of(page)).to_contain_text(f"waybill carriers try easypost --url {broken.api}")
