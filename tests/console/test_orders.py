"""Orders: lists without end, what may be done, why, and how an order was."""

import json
import re

import pytest
from playwright.sync_api import expect

from conftest import place


def test_a_list_goes_on_without_end_and_newest_first(system, page):
    page.goto(system.console + "/orders?customerId=many")
    rows = page.locator("#rows tr:not(#more)")
    rows.last.scroll_into_view_if_needed()
    page.keyboard.press("End")
    expect(rows).to_have_count(60)
    assert rows.first.locator("th").inner_text() == "many-059"
    assert rows.last.locator("th").inner_text() == "many-000"


def test_a_list_goes_on_without_a_script(system, open_page):
    page = open_page(java_script_enabled=False)
    page.goto(system.console + "/orders?customerId=many")
    assert page.locator("#rows tr:not(#more)").count() == 50
    page.get_by_role("link", name="Older orders").click()
    assert page.locator("#rows tr:not(#more)").count() == 10


def test_an_order_says_why(system, page):
    page.goto(system.console + "/orders/R-1")
    why = page.get_by_role("region", name="Why it is CANCELLED")
    expect(why).to_contain_text("Placed as PROCESSING by an anonymous caller")
    expect(why).to_contain_text("Cancelled from PROCESSING to CANCELLED")
    expect(why).to_contain_text("changed my mind")
    expect(page.get_by_role("main")).to_contain_text("29.9 USD")
    expect(page.get_by_role("main")).to_contain_text("shipping DHL")
    expect(page.get_by_role("link", name="SHIP-1")).to_be_visible()


def test_money_is_shown_as_it_is_stored(system, page):
    items = [{"name": "Grain", "quantity": "0.000001", "price": "12345678901234567890.12"}]
    place(system, "exact", items=items)
    stored = system.row("/orders/exact")["totalAmount"]
    page.goto(system.console + "/orders/exact")
    expect(page.get_by_role("main")).to_contain_text("12345678901234.56789012 USD")
    assert abs(stored - 12345678901234.56789012) < 1


@pytest.mark.parametrize("scripts", [True, False])
def test_an_order_is_cancelled_with_a_reason(system, open_page, scripts):
    order = f"cancel-{scripts}"
    place(system, order)
    page = open_page(java_script_enabled=scripts)
    page.goto(f"{system.console}/orders/{order}")
    page.get_by_label("Reason").fill("out of stock")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_role("status").first).to_contain_text("CANCELLED, version 2")
    row = system.row(f"/orders/{order}")
    assert (row["status"], row["cancelReason"]) == ("CANCELLED", "out of stock")
    page.reload()
    assert system.row(f"/orders/{order}")["version"] == 2


def test_an_order_is_completed_by_keyboard_alone(system, page):
    place(system, "by-keyboard")
    page.goto(system.console + "/orders/by-keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Complete":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("PROCESSED, version 2")


def test_a_form_sent_twice_is_one_command(system, page):
    place(system, "twice")
    page.goto(system.console + "/orders/twice")
    form = page.locator("form.change").first
    sent = form.evaluate("form => new URLSearchParams(new FormData(form)).toString()")
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": system.console}
    for _ in range(2):
        answer = page.request.post(
            f"{system.console}/orders/twice/complete",
            data=sent,
            headers=headers,
            max_redirects=0,
        )
        assert answer.status == 303, answer.text()
    assert len(system.row("/orders/twice/history")["events"]) == 2


@pytest.mark.parametrize("scripts", [True, False])
def test_the_row_is_shown_as_it_was_after_any_event(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console + "/orders/R-1/history")
    row = page.get_by_role("region", name=re.compile("The row after event"))
    expect(row.locator("tr.changed", has_text="status")).to_contain_text("CANCELLED was PROCESSING")
    slider = page.get_by_role("slider")
    if scripts:
        slider.press("ArrowLeft")
    else:
        page.get_by_role("link", name="1", exact=True).click()
    expect(row).to_contain_text("PROCESSING")
    expect(row).to_have_accessible_name("The row after event 1")
    expect(row).not_to_contain_text("cancelReason")


def test_a_history_names_command_and_cause_and_the_line_that_says_the_same(system, page):
    page.goto(system.console + "/orders/R-1/history")
    page.get_by_text("Command, cause and data of event 2").click()
    expect(page.get_by_role("main")).to_contain_text("cancel-R-1")
    line = page.locator("pre.command code").inner_text()
    assert line == f"waybill history order/R-1 --endpoint-url {system.aws}"


def test_a_rivals_change_is_told_while_the_page_is_open(system, page):
    place(system, "live")
    page.goto(system.console + "/orders/live")
    system.send("/orders/live/complete", "{}")
    told = page.get_by_role("status").first
    expect(told).to_contain_text("PROCESSED now (version 2)", timeout=10_000)
    told.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Why it is PROCESSED")).to_be_visible()


def test_a_rivals_change_is_told_and_not_overwritten(system, page):
    """Between loading the page and sending its form, somebody else completes the order."""
    place(system, "rival")
    page.goto(system.console + "/orders/rival")
    page.get_by_label("Reason").fill("too late <b>")
    system.send("/orders/rival/complete", json.dumps({}))
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_role("alert")).to_contain_text("the version is 2")
    expect(page.get_by_role("main")).to_contain_text("Completed from PROCESSING to PROCESSED")
    expect(page.get_by_role("main")).to_contain_text("can no longer be done")
    assert system.row("/orders/rival")["status"] == "PROCESSED"


def test_new_orders_are_told_of(system, page):
    page.goto(system.console + "/orders")
    place(system, "newest")
    told = page.get_by_role("status").first
    expect(told).to_contain_text("There are newer orders", timeout=10_000)
    told.get_by_role("link").click()
    expect(page.locator("#rows th").first).to_have_text("newest")
