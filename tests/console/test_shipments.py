"""Shipments: what has to be looked at, scans in order of their own times, and how it was."""

import pytest
from playwright.sync_api import expect

from conftest import update


def test_what_has_to_be_looked_at_comes_first(system, page):
    page.goto(system.console + "/shipments")
    delayed = page.get_by_role("table", name="Shipments that are DELAYED")
    expect(delayed).to_contain_text("SHIP-1")


def test_scans_stand_in_order_of_their_own_times(system, page):
    page.goto(system.console + "/shipments/SHIP-1")
    stops = page.locator("ol.line > li")
    expect(stops).to_have_count(4)
    for index, texts in enumerate(
        [
            ("CREATED", "late", "a day, no time"),
            ("PICKED_UP", "the carrier says", "picked up", "written with +02:00"),
            ("IN_TRANSIT", "same time"),
            ("DELAYED", "same time", "current", "carrier says delayed"),
        ]
    ):
        for text in texts:
            expect(stops.nth(index)).to_contain_text(text)
    expect(page.get_by_role("link", name="R-1")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_shipment_is_shown_as_it_was(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console + "/shipments/SHIP-1")
    page.get_by_text("How event 2 came").click()
    page.get_by_role("link", name="The shipment once this was stored").click()
    then = page.get_by_role("region", name="As it was then")
    expect(then).to_contain_text("IN_TRANSIT")
    expect(then.get_by_role("row", name="status PICKED_UP IN_TRANSIT")).to_be_visible()
    page.get_by_role("link", name="As it is now").first.click()
    expect(page.get_by_role("region", name="Now")).to_contain_text("DELAYED")


def test_a_shipment_at_a_time_before_it_was_is_not_there(system, page):
    page.goto(system.console + "/shipments/SHIP-1?at=2020-01-01")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_update_is_logged(system, open_page, scripts):
    shipment = f"update-{scripts}"
    update(system, shipment, status="CREATED")
    page = open_page(java_script_enabled=scripts)
    page.goto(f"{system.console}/shipments/{shipment}")
    page.get_by_label("Status").fill("out for delivery")
    page.get_by_label("Location").fill("Utrecht <b>")
    page.get_by_role("button", name="Log the update").click()
    expect(page.get_by_role("status").first).to_contain_text("OUT_FOR_DELIVERY")
    assert system.row(f"/shipments/{shipment}")["location"] == "Utrecht <b>"


def test_a_refused_update_says_why_and_keeps_what_was_typed(system, page):
    update(system, "refused", status="CREATED")
    page.goto(system.console + "/shipments/refused")
    page.get_by_label("Status").fill("DELAYED")
    page.get_by_label("Location").fill("Utrecht")
    time = page.get_by_role("textbox", name="Time optional")
    time.fill("yesterday")
    page.get_by_role("button", name="Log the update").click()
    expect(page.get_by_role("alert")).to_contain_text("timestamp")
    expect(page.get_by_label("Location")).to_have_value("Utrecht")
    time.fill("")
    page.get_by_role("button", name="Log the update").click()
    expect(page.get_by_role("status").first).to_contain_text("DELAYED")
