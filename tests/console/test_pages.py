"""Every page: by what a reader sees, in both schemes, narrow and large, and without a script."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conftest import IMAGE, SCRIPT, quoted

PAGES = {
    "now": "/",
    "files": "/files",
    "files of a name": "/files?prefix=orders/nothing",
    "no such file": "/files/orders%2Fnothing.json/v",
    "orders": "/orders",
    "orders of a status": "/orders?status=CANCELLED",
    "an empty list": "/orders?customerId=nobody",
    "an order": "/orders/R-1",
    "an order that is open": "/orders/many-001",
    "an order in the past": "/orders/R-1?at=2030-01-01",
    "an order at no time": "/orders/R-1?at=noon",
    "a shipment on no day": "/shipments/SHIP-1?day=noon",
    "orders of no day": "/orders?day=noon",
    "an order before it was known": "/orders/R-1?at=2020-01-01",
    "a history": "/orders/R-1/history",
    "a history before": "/orders/R-1/history?after=1",
    "shipments": "/shipments",
    "shipments of a status": "/shipments?status=DELAYED",
    "a shipment": "/shipments/SHIP-1",
    "a shipment before": "/shipments/SHIP-1?after=2",
    "a shipment on a day": "/shipments/SHIP-1?at=2030-01-01",
    "a shipment before it was known": "/shipments/SHIP-1?at=2026-11-21",
    "try it": "/try",
    "a run that is gone": "/try/runs/nobody",
    "nothing found": "/find?q=nobody",
    "two found": f"/find?q={quoted(SCRIPT)}",
    "no such order": "/orders/nobody",
    "no such page": "/nowhere",
    "a hostile order": f"/orders/{quoted(SCRIPT)}",
    "a hostile history": f"/orders/{quoted(SCRIPT)}/history",
    "a hostile shipment": f"/shipments/{quoted(SCRIPT)}",
    "a hostile search": f"/find?q={quoted(IMAGE)}",
    "nothing is stuck": "/stuck",
    "no retry": "/stuck/retry",
    "read models": "/read-models",
    "a price": "/read-models/verify",
    "another price": "/read-models/rebuild?only=shipment-log",
    "a right row": "/read-models/rows?aggregate=order%23R-1",
    "messages": "/messages?aggregate=order%23R-1",
    "announce": "/messages/announce?aggregate=order%23R-1",
    "hostile messages": f"/messages?aggregate={quoted('shipment#' + SCRIPT)}",
    "refused": "/refused",
    "webhooks": "/webhooks",
}

# Of a system in which something of everything is stuck or wrong.
BROKEN = {
    "what is stuck": "/stuck",
    "a retry of all": "/stuck/retry",
    "what is parked": "/stuck/parked?consumer=project&aggregate=order%23poison",
    "what is parked, whole": "/stuck/parked?consumer=notify&aggregate=order%23poison&content=true",
    "hostile and parked": f"/stuck/parked?consumer=project&aggregate={quoted('order#' + SCRIPT)}",
    "nothing parked": "/stuck/parked?consumer=project&aggregate=order%23fine",
    "found among what was refused": "/find?q=S-1",
    "a wrong row": "/read-models/rows?aggregate=order%23wrong",
    "messages that were not sent": "/messages?aggregate=order%23poison",
    "secrets": "/webhooks?ask=true",
}


@pytest.fixture(scope="session")
def pages(system, broken):
    """Every page's address, by its name."""
    whole = {name: system.console + path for name, path in PAGES.items()}
    return whole | {name: broken.console + path for name, path in BROKEN.items()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(pages, open_page, scheme):
    page = open_page(color_scheme=scheme)
    found = []
    for name, url in pages.items():
        page.goto(url)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical", "moderate"):
                nodes = [node["html"] for node in violation["nodes"][:3]]
                found.append((name, violation["id"], violation["help"], nodes))
    assert found == []


@pytest.mark.parametrize("width", [360, 640])
def test_nothing_scrolls_sideways_on_a_narrow_screen_or_at_200_percent(pages, open_page, width):
    """640 CSS pixels are what a window of 1280 has at 200 %."""
    page = open_page(viewport={"width": width, "height": 800})
    for name, url in pages.items():
        page.goto(url)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, name


def test_every_page_names_the_environment_and_has_landmarks(pages, page):
    for name, url in pages.items():
        page.goto(url)
        expect(page.locator(".env"), name).to_contain_text("dev")
        assert "dev" in page.title(), name
        for landmark in ("banner", "navigation", "main", "contentinfo", "search"):
            assert page.get_by_role(landmark).count() >= 1, (name, landmark)
        assert page.get_by_role("heading", level=1).count() == 1, name


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(pages, system, broken, open_page):
    page = open_page()
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    for name, url in pages.items():
        answer = page.goto(url)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        inline = "[style], style, script:not([src]), [onclick], [onerror], [onload]"
        assert page.locator(inline).count() == 0, name
    own = (system.console, broken.console)
    assert [url for url in requested if not url.startswith(own)] == []


def test_assets_are_kept_for_long_and_named_by_their_content(system, page):
    kept = {}
    page.on("response", lambda answer: kept.__setitem__(answer.url, answer.headers))
    page.goto(system.console + "/orders")
    assets = {url: headers for url, headers in kept.items() if "/assets/" in url}
    assert len(assets) >= 4
    for url, headers in assets.items():
        assert headers["cache-control"] == "public, max-age=31536000, immutable", url
        assert len(url.rsplit("/", 1)[1].split("-")[0]) == 12, url


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_names_are_shown_as_text(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    shown = {
        f"/orders/{quoted(SCRIPT)}": (SCRIPT, IMAGE),
        f"/orders/{quoted(SCRIPT)}/history": (SCRIPT, IMAGE),
        f"/shipments/{quoted(SCRIPT)}": (SCRIPT, IMAGE),
        f"/find?q={quoted(IMAGE)}": (IMAGE,),
        "/": (SCRIPT,),
        "/files": (SCRIPT,),
        f"/files?prefix={quoted(IMAGE)}": (),
        "/orders": (SCRIPT, IMAGE),
        "/shipments": (SCRIPT, IMAGE),
        f"/orders/{quoted(IMAGE)}": (),
        f"/orders?customerId={quoted(IMAGE)}": (SCRIPT, IMAGE),
        f"/orders/R-1?at={quoted(SCRIPT)}": (),
    }
    for path, texts in shown.items():
        page.goto(system.console + path)
        for text in texts:
            assert text in page.locator("body").inner_text(), (path, text)
        assert page.locator("img").count() == 0, path
        assert page.title() != "hacked", path


def test_times_are_in_the_viewers_zone_with_utc_beside_and_without_a_script_in_utc(system, open_page):
    then = "time[datetime='2026-11-22T10:00:00.000Z']"
    for scripts, text in ((True, "2026-11-22 11:00:00"), (False, "2026-11-22 10:00:00 UTC")):
        page = open_page(java_script_enabled=scripts)
        page.goto(system.console + "/shipments/SHIP-1")
        expect(page.locator(then).first).to_have_text(text)
        assert page.locator(then).first.get_attribute("title") == "2026-11-22 10:00:00.000 UTC"


def test_an_empty_system_says_what_would_be_there_and_how_it_comes(empty, page):
    for path in ("/orders", "/shipments"):
        page.goto(empty.console + path)
        expect(page.locator(".empty")).to_contain_text("stand")
        expect(page.locator(".empty")).to_contain_text("waybill demo")


@pytest.mark.parametrize("asked", ["R-1", "SHIP-1"])
def test_an_id_is_found_at_once(system, page, asked):
    page.goto(system.console)
    page.keyboard.press("/")
    page.keyboard.type(asked)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(asked)


def test_what_is_not_found_says_so(system, page):
    page.goto(system.console + "/find?q=R-")
    expect(page.get_by_role("main")).to_contain_text("exactly the id R-")


def test_the_banner_begins_with_the_console(system):
    assert system.text.strip().startswith("Console        http://127.0.0.1:")
