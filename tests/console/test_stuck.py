"""What is stuck, why, and set going again; with a script and without."""

import pytest
from playwright.sync_api import expect

import broken as things
from conftest import IMAGE, SCRIPT, place, quoted, update
from running import POOL, System


def main_of(page):
    return page.get_by_role("main")


def test_what_is_stuck_stands_by_its_reason_and_leads_on(broken, page):
    page.goto(broken.console + "/stuck")
    main = main_of(page)
    for title in (
        "project stopped: corrupt_history 2",
        "notify stopped: unreadable_event 2",
        "Given up by notify 1",
        "Given up by bus 1",
        "Given up, nobody can say by whom 1",
    ):
        expect(main.get_by_role("heading", name=title).first).to_be_visible()
    expect(main).to_contain_text("newer code has written an event that this code does not know")
    expect(main).to_contain_text("RetryAttemptsExhausted")
    expect(main).to_contain_text("invalid")
    # What customers have sent is in no list.
    expect(main).not_to_contain_text("Elm Street")
    expect(main.get_by_role("link", name="order#fine").first).to_have_attribute("href", "/orders/fine")
    link = main.get_by_role("link", name="shipment#S-1")
    expect(link).to_have_attribute("href", "/shipments/S-1")
    assert IMAGE in main.inner_text() and SCRIPT in main.inner_text()
    assert page.locator("img").count() == 0 and page.title() != "hacked"


def test_a_payload_is_shown_to_who_asks_for_it(broken, page):
    page.goto(broken.console + "/stuck")
    row = page.locator("tr", has_text="shipment#S-1")
    row.get_by_role("link", name="Details").click()
    expect(main_of(page)).to_contain_text("Given up by")
    expect(main_of(page)).to_contain_text("bus")
    expect(main_of(page)).not_to_contain_text("Elm Street")
    page.get_by_role("link", name="Show its content").click()
    expect(page.locator("pre.content")).to_contain_text("Elm Street 7")
    page.goto(broken.console + "/stuck")
    page.locator("tr", has_text="order#fine").get_by_role("link", name="Details").first.click()
    expect(main_of(page)).to_contain_text("notify")
    page.get_by_role("link", name="Show its content").click()
    expect(page.locator("pre.content")).to_contain_text("functionArn")


def test_an_order_says_that_it_is_parked_and_leads_there(own, page):
    place(own, "half")
    page.goto(own.console + "/orders/half")
    assert page.get_by_text("Parked.").count() == 0
    (first,) = things.commits(own, "order#half")
    del first["snapshot"]
    second = first | {"sequence": {"N": "2"}, "events": {"S": things.UNKNOWN_EVENT}}
    things.put(own, things.EVENTS, second)
    things.until("parked", lambda: things.is_parked(own, "project", "half"))
    things.until("parked", lambda: things.is_parked(own, "notify", "half"))
    page.goto(own.console + "/orders/half")
    expect(main_of(page)).to_contain_text("project has stopped at event 2")
    expect(main_of(page)).to_contain_text("No more messages are sent of it")
    page.get_by_role("link", name="Why, and what to do").first.click()
    expect(main_of(page)).to_contain_text("OrderExploded")
    # One without a row leads there at once.
    things.poisoned(own, "no-row", "half")
    page.goto(own.console + "/orders/no-row")
    expect(page.get_by_role("heading", name="Why project has stopped here")).to_be_visible()


def test_a_shipment_says_that_it_is_parked(own, page):
    update(own, "SHIP", status="IN_TRANSIT", carrier="UPS", location="Here")
    commits = things.commits(own, "shipment#SHIP")
    commits[-1].pop("snapshot", None)
    last = int(commits[-1]["sequence"]["N"]) + 1
    bad = commits[-1] | {"sequence": {"N": str(last)}, "events": {"S": things.UNKNOWN_EVENT}}
    things.put(own, things.EVENTS, bad)
    key = {"id": {"S": "project#shipment#SHIP"}}
    find = lambda: "Item" in things.dynamodb(  # noqa: E731
        own, "GetItem", TableName="parked", Key=key
    )
    things.until("parked", find)
    page.goto(own.console + "/shipments/SHIP")
    expect(main_of(page)).to_contain_text(f"project has stopped at event {last}")


@pytest.mark.parametrize("scripts", [True, False])
def test_one_is_retried_and_says_why_it_stays_and_that_it_goes_on(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    place(own, "fine")
    good = things.poisoned(own, "poison", "fine")
    page.goto(own.console + "/stuck/parked?consumer=project&aggregate=order%23poison")
    page.get_by_role("button", name="Retry").click()
    expect(main_of(page)).to_contain_text("0 set going again, 1 still stuck")
    expect(page.locator("#now tr", has_text="order#poison")).to_contain_text("OrderExploded")
    things.put(own, things.EVENTS, good)
    page.goto(own.console + "/stuck/parked?consumer=project&aggregate=order%23poison")
    page.get_by_role("button", name="Retry").click()
    expect(main_of(page)).to_contain_text("1 set going again. Nothing is left")
    assert things.row(own, "poison")
    # The other consumer's is left as it was.
    assert things.is_parked(own, "notify", "poison") and not things.is_parked(own, "project", "poison")


@pytest.mark.parametrize("scripts", [True, False])
def test_all_is_retried_after_it_was_said_what_will_happen(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    place(own, "fine")
    things.put(own, things.EVENTS, things.poisoned(own, "poison", "fine"))
    things.poisoned(own, "bad", "fine")
    things.send(own, things.shipment_event("S-9", location="Here", carrier="UPS"))
    things.letter(own, "project", things.commits(own, "order#fine"))
    things.remove(own, "fine")
    page.goto(own.console + "/stuck")
    page.get_by_role("link", name="What that does").click()
    main = main_of(page)
    expect(main).to_contain_text("2 parked by project")
    expect(main).to_contain_text("2 parked by notify")
    expect(main).to_contain_text("1 dead letter of the stream")
    expect(main).to_contain_text("about 1 dead letter of the bus")
    assert things.is_parked(own, "project", "poison")
    page.get_by_role("button", name="Retry all").click()
    for _ in range(60):
        link = page.get_by_role("link", name="look again")
        if scripts or "4 set going again" in main.inner_text():
            break
        page.wait_for_timeout(500)
        if link.count():
            link.click()
    expect(main).to_contain_text("4 set going again, 2 still stuck", timeout=60_000)
    for name, became in (("poison", "set going again"), ("bad", "still stuck")):
        rows = page.locator("#now tr", has_text=f"order#{name}")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text(became)
    assert things.row(own, "poison") and things.row(own, "fine")
    assert own.row("/shipments/S-9")["location"] == "Here"
    # What is left stands on the same page, and why.
    expect(main.get_by_role("heading", name="Parked 2")).to_be_visible()


def test_a_dead_letter_that_is_refused_again_says_why(own, page):
    things.send(own, "no JSON")
    page.goto(own.console + "/stuck")
    page.get_by_role("link", name="Details").click()
    page.get_by_role("button", name="Retry").click()
    expect(main_of(page)).to_contain_text("nobody can say which function it was for", timeout=30_000)


def test_an_address_that_names_half_of_something_takes_up_nothing(own, page):
    place(own, "fine")
    things.put(own, things.EVENTS, things.poisoned(own, "poison", "fine"))
    page.goto(own.console + "/stuck/retry")
    token = page.locator("input[name=token]").first.get_attribute("value")
    (cookie,) = page.context.cookies()
    headers = {
        "cookie": f"{cookie['name']}={cookie['value']}",
        "origin": own.console,
        "content-type": "application/x-www-form-urlencoded",
    }
    for half in ("consumer=project", "aggregate=order%23poison", "place=stream", "place=x&name=y"):
        url = f"{own.console}/stuck/retry?{half}"
        answer = POOL.request("POST", url, body=f"token={token}", headers=headers, redirect=False)
        assert answer.status in (400, 404), half
    assert things.is_parked(own, "project", "poison")


def test_an_empty_page_says_that_all_is_well_and_what_would_be_here(empty, page):
    page.goto(empty.console + "/stuck")
    expect(page.locator(".empty")).to_contain_text("All is well")
    expect(page.locator(".empty")).to_contain_text("stands here when one of its events")


def test_production_says_what_will_happen_once_more(tmp_path, console, page):
    prod = System(tmp_path / "prod", "--env", "prod")
    place(prod, "fine")
    things.put(prod, things.EVENTS, things.poisoned(prod, "poison", "fine"))
    # The system's own console changes nothing.
    page.goto(prod.console + "/stuck/retry")
    expect(main_of(page)).to_contain_text("started without --allow-changes")
    assert page.locator("form.change").count() == 0
    more = ("--env", "prod", "--allow-changes", "--endpoint-url", prod.aws)
    page.goto(console(prod.api, *more).url + "/stuck/retry")
    page.get_by_role("button", name="Retry all").click()
    expect(main_of(page)).to_contain_text("In prod: everything that is parked is resumed")
    assert things.is_parked(prod, "project", "poison")
    page.get_by_role("button", name="Yes: Retry all").click()
    expect(main_of(page)).to_contain_text("2 set going again", timeout=30_000)
    assert not things.is_parked(prod, "project", "poison")
    assert prod.stop() == 0


def test_a_lost_backend_says_so(console, page):
    lost = console("http://127.0.0.1:9", "--endpoint-url", "http://127.0.0.1:9")
    for path in ("/stuck", "/read-models", "/read-models/verify", "/messages?aggregate=order%231"):
        answer = page.goto(lost.url + path)
        assert answer.status == 502, path
        expect(page.get_by_role("alert")).to_contain_text("The AWS services of the local system")
        expect(page.get_by_role("main")).to_contain_text("make run")
        expect(page.get_by_role("link", name="Try again")).to_have_attribute("href", path)


@pytest.mark.parametrize("path", ["/stuck/parked?consumer=x&aggregate=order%23none", "/stuck/letter?place=stream&name=aws/lambda/none", f"/stuck/letter?place=message&name={quoted(IMAGE)}", "/stuck/letter?place=elsewhere&name=1"])
def test_what_is_gone_is_not_found(broken, page, path):
    assert page.goto(broken.console + path).status in (200, 404)
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")
    assert page.locator("img").count() == 0
