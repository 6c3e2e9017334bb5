"""What a new operator must manage from the first page, without reading anything: why an order was
refused, what a shipment's status was, what is stuck set going again, a wrong row mended."""

import pytest
from playwright.sync_api import expect

import broken as things
from conftest import IMAGE, place, quoted

ORDER = {"items": [{"name": "Lamp", "quantity": 1, "price": 3}]}


def main_of(page):
    return page.get_by_role("main")


def command(order_id: str, **members) -> dict:
    """A command on the bus."""
    event = things.shipment_event("none")
    detail = ORDER | {"orderId": order_id} | members
    return event | {"source": "orders.commands", "detail-type": "Place Order", "detail": detail}


def searched(page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_search_says_why_an_order_was_refused_in_a_file(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console)
    searched(page, IMAGE)
    main = main_of(page)
    expect(main).to_contain_text("It was refused in a file")
    expect(main).to_contain_text("totalAmount")
    expect(main).to_contain_text("is not the sum of the items")
    expect(main).to_contain_text("position 1")
    assert page.locator("img").count() == 0
    main.get_by_role("link", name="orders/mixed.json").click()
    expect(main.get_by_role("heading", level=1)).to_contain_text("orders/mixed.json")


def test_a_search_says_why_an_order_was_refused_on_the_bus(own, page):
    note = "12 Elm Street"
    things.invoke(own, "bus", command("B-1", totalAmount=4, note=note))
    page.goto(own.console)
    searched(page, "B-1")
    main = main_of(page)
    expect(main).to_contain_text("Given up by bus, from orders.commands: Place Order")
    expect(main).to_contain_text("totalAmount")
    expect(main).to_contain_text("4 USD is not the sum of the items, 3 USD")
    main.get_by_role("link", name="Its dead letter").click()
    for text in ("order#B-1", "totalAmount", "total_mismatch", "4 USD is not the sum", "orders.commands: Place Order"):
        expect(main).to_contain_text(text)
    expect(main).not_to_contain_text(note)
    page.get_by_role("link", name="Show its content").click()
    expect(page.locator("pre.content")).to_contain_text(note)


def test_a_search_finds_what_is_parked_and_says_where_it_has_looked(own, page):
    place(own, "fine")
    things.poisoned(own, "poison", "fine")
    page.goto(own.console + "/find?q=poison")
    expect(main_of(page)).to_contain_text("It is parked")
    page.goto(own.console + "/find?q=nobody")
    expect(main_of(page)).to_contain_text("Nor was it refused in one of the 0 latest files")
    page.get_by_role("link", name="its sender has the answer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Refused in the last hour")


def test_the_number_of_refusals_leads_to_their_codes(own, page):
    answer = things.POOL.request("POST", own.api + "/orders", body=b'{"items":[]}')
    assert answer.status == 400
    things.invoke(own, "bus", command("B-1", totalAmount=4))
    page.goto(own.console)
    page.locator("#tile-refused").click()
    main = main_of(page)
    for code, meaning in (("invalid_field", "a field is missing"), ("total_mismatch", "its total is not")):
        row = main.locator("tr", has_text=code)
        expect(row).to_contain_text(meaning)
        expect(row.locator("[data-label=Refused]")).to_have_text("1")
    expect(main).to_contain_text("a refusal leaves nothing behind")


@pytest.mark.parametrize("scripts", [True, False])
def test_what_is_stuck_is_set_going_again_with_two_clicks(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    for number in (1, 2):
        things.send(own, things.shipment_event(f"S-{number}"), reason="unavailable")
    things.send(own, things.shipment_event("S-3"), reason="another")
    page.goto(own.console)
    page.locator("#tile-dead-letters").click()
    group = page.locator("section section", has_text="unavailable")
    group.get_by_role("button", name="Retry all 2").click()
    main = main_of(page)
    for _ in range(60):
        again = page.get_by_role("link", name="look again")
        if scripts or "2 set going again" in main.inner_text():
            break
        page.wait_for_timeout(300)
        if again.count():
            again.click()
    expect(main).to_contain_text("2 set going again", timeout=60_000)
    assert page.url == own.console + "/stuck"
    # What has another reason is left, and stands on the same page.
    expect(main.locator("tr", has_text="shipment#S-3")).to_have_count(1)
    expect(main.get_by_role("button", name="Retry it")).to_be_visible()
    for number in (1, 2):
        assert own.row(f"/shipments/S-{number}")["status"] == "IN_TRANSIT"


def retried(own, page, letter: str) -> None:
    page.goto(own.console + f"/stuck/letter?place=message&name={quoted(letter)}")
    page.get_by_role("button", name="Retry").click()


def test_one_that_is_retried_says_on_the_same_page_what_became_of_it(own, page):
    main = main_of(page)
    # Accepted: with the event that it has made.
    retried(own, page, things.send(own, command("G-1"), reason="unavailable"))
    expect(main).to_contain_text("Accepted: order#G-1 has OrderPlaced as its event 1", timeout=30_000)
    # Refused again: why, and where it lies now.
    retried(own, page, things.send(own, command("G-2", totalAmount=4), reason="total_mismatch"))
    expect(main).to_contain_text("refused again", timeout=30_000)
    expect(main).to_contain_text("4 USD is not the sum of the items")
    main.get_by_role("link", name="The new dead letter").click()
    expect(main).to_contain_text("total_mismatch")
    # It changed nothing: the order is there.
    again = things.send(own, command("G-1"), reason="unavailable")
    retried(own, page, again)
    expect(main).to_contain_text("It changed nothing: order#G-1 is at version", timeout=30_000)
    # It still waits for its order.
    cancel = command("nobody") | {"detail-type": "Cancel Order", "detail": {"orderId": "nobody"}}
    retried(own, page, things.send(own, cancel, reason="unavailable"))
    expect(main).to_contain_text("there is no such order yet", timeout=30_000)


def test_a_letter_of_an_earlier_version_says_the_code_that_it_has(own, page):
    letter = things.send(own, things.shipment_event("S-1"), reason="invalid_field")
    page.goto(own.console + f"/stuck/letter?place=message&name={quoted(letter)}")
    expect(main_of(page)).to_contain_text("invalid_field: a field is missing")


def test_before_an_order_was_known_it_says_since_when(system, page):
    page.goto(system.console + "/orders/R-1?at=2020-01-01")
    main = main_of(page)
    expect(main).to_contain_text("At 2020-01-01 Waybill knew nothing of this order yet")
    main.get_by_role("link").filter(has=page.locator("time")).click()
    expect(main.get_by_role("heading", name="Why it is")).to_be_visible()
    page.goto(system.console + "/orders/nobody?at=2020-01-01")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_history_shows_the_messages_of_each_event(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console + "/orders/R-1/history")
    steps = page.locator("ol.line > li")
    expect(steps.nth(0)).to_contain_text("Order Created to the bus waybill-dev, order#R-1/1/Order Created: sent")
    expect(steps.nth(1)).to_contain_text("order#R-1/2/Order Cancelled: sent")
