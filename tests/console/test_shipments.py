"""Shipments: what has to be looked at, scans in order of their own times, and how it was."""

import re

import pytest
from playwright.sync_api import expect

from conftest import quoted, update


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


def test_what_came_later_is_not_among_the_scans_of_then(system, page):
    stops = page.locator("ol.line > li")
    page.goto(system.console + "/shipments/SHIP-1?after=2")
    expect(stops).to_have_count(2)
    expect(stops.nth(0)).to_contain_text("PICKED_UP")
    # The other one of the same time came later.
    expect(stops.nth(1)).to_contain_text("IN_TRANSIT")
    expect(stops.nth(1)).not_to_contain_text("same time")
    expect(page.get_by_role("main")).to_contain_text("2 scans came later and are not listed")
    page.goto(system.console + "/shipments/SHIP-1?after=3")
    expect(stops).to_have_count(3)
    expect(page.get_by_role("main")).to_contain_text("1 scan came later and is not listed")
    expect(page.get_by_role("slider")).to_have_attribute("max", "4")
    page.goto(system.console + "/shipments/SHIP-1?after=4")
    expect(stops).to_have_count(4)
    expect(page.get_by_role("main")).not_to_contain_text("came later")


TIMES = [
    ("/shipments/SHIP-1", "What was known at", "at"),
    ("/orders/R-1", "As it was at", "at"),
    ("/shipments/SHIP-1", "On the day", "day"),
    ("/orders/R-1", "On the day", "day"),
    ("/orders", "Processed on", "day"),
]


@pytest.mark.parametrize(("path", "label", "name"), TIMES)
def test_what_is_no_time_comes_back_in_its_field_with_the_forms_that_are_read(
    system, page, path, label, name
):
    typed = "yesterday noon <b>"
    answer = page.goto(f"{system.console}{path}?{name}={quoted(typed)}")
    assert answer.status == 400
    field = page.get_by_label(label)
    expect(field).to_have_value(typed)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("2024-01-15"))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This is no ")
    if name == "at":
        expect(alert).to_contain_text("2024-01-15T10:30:00+02:00")
        expect(alert).to_contain_text("seconds (9 or 10 digits)")
    field.fill("2030-01-01")
    field.press("Enter")
    expect(field).to_have_attribute("name", name)
    assert page.get_by_role("alert").count() == 0
    expect(page.get_by_role("main")).not_to_contain_text("This was refused")


def test_the_field_of_a_time_says_so_too(system, page):
    page.goto(system.console + "/orders/R-1")
    page.get_by_label("As it was at").fill("noon")
    page.get_by_label("As it was at").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is no time")
    page.get_by_label("As it was at").fill("2030-01-01 08:00")
    page.get_by_label("As it was at").press("Enter")
    expect(page.get_by_role("main")).to_contain_text("As it was at 2030-01-01 08:00")


def test_before_it_was_known_it_says_since_when_and_what_its_scans_say(system, page):
    page.goto(system.console + "/shipments/SHIP-1")
    page.get_by_label("On the day").fill("2026-11-20")
    page.get_by_label("On the day").press("Enter")
    main = page.get_by_role("main")
    expect(main).to_contain_text("At the end of 2026-11-20 Waybill knew nothing of this shipment yet")
    scans = page.get_by_role("region", name="By the scans’ own times")
    # It was created the day before, and picked up at eight.
    expect(scans.locator("dd").nth(0)).to_contain_text("CREATED")
    expect(scans.locator("dd").nth(1)).to_contain_text("PICKED_UP")
    expect(scans.locator("dd").nth(1)).to_contain_text("Memphis, TN")
    main.get_by_role("link").filter(has=page.locator("time")).click()
    expect(page.get_by_role("region", name="As it was then")).to_contain_text("PICKED_UP")
    page.goto(system.console + "/shipments/SHIP-1?at=2020-01-01T00:00Z")
    expect(scans).to_contain_text("no scan has so early a time")
    page.goto(system.console + "/shipments/nobody?at=2020-01-01")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")


def test_what_its_scans_say_stands_beside_what_was_known(system, page):
    page.goto(system.console + "/shipments/SHIP-1?at=2030-01-01")
    scans = page.get_by_role("region", name="By the scans’ own times")
    expect(scans.locator("dd").nth(0)).to_contain_text("DELAYED")
    expect(scans.locator("dd").nth(0)).to_contain_text("Dallas")


def test_a_list_of_a_status_says_how_those_that_stalled_are_seen(system, page):
    page.goto(system.console + "/shipments?status=DELAYED")
    told = page.locator("p", has_text="does not say who has stalled")
    told.get_by_role("link", name="Stalled").click()
    expect(page).to_have_url(system.console + "/shipments?stalled=true")


def test_each_scan_shows_its_messages(system, page):
    page.goto(system.console + "/shipments/SHIP-1")
    last = page.locator("ol.line > li").last
    last.locator("summary").click()
    expect(last).to_contain_text("Shipment Status Changed")
    expect(last).to_contain_text("shipment#SHIP-1/4/Shipment Status Changed")
    expect(last).to_contain_text("Shipment Alert")
    expect(last).to_contain_text("sent")


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
