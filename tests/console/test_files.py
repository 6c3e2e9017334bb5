"""Files: what became of an import, order by order."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conftest import IMAGE, SCRIPT
from running import POOL


@pytest.mark.parametrize("scripts", [True, False])
def test_a_rejected_order_says_where_and_why(system, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    page.goto(system.console + "/files")
    row = page.get_by_role("row").filter(has_text="orders/mixed.json")
    expect(row).to_contain_text("done")
    row.get_by_role("link").click()
    main = page.get_by_role("main")
    for name, number in (("Orders", 3), ("Accepted", 1), ("Already known", 0), ("Rejected", 2)):
        told = main.locator("dt", has_text=name).first.locator("xpath=following-sibling::dd[1]")
        expect(told).to_contain_text(str(number))
    first, second = page.locator("tbody tr").all()
    assert first.locator("th").inner_text().split()[-1] == "1"
    expect(first).to_contain_text("totalAmount")
    # A rejected order has no page, so that its id leads nowhere.
    expect(first).to_contain_text(IMAGE)
    expect(first.get_by_role("link")).to_have_count(0)
    assert second.locator("th").inner_text().split()[-1] == "2"
    expect(second).to_contain_text("no id")


def test_the_report_itself_is_saved_as_it_lies_in_the_bucket(system, page):
    page.goto(system.console + "/files?prefix=orders/mixed")
    page.get_by_role("link", name="orders/mixed.json").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save it").click()
    report = json.loads(saved.value.path().read_text())
    assert (report["total"], report["rejected"]) == (3, 2)
    shown = page.locator("pre.command").inner_text()
    assert "aws s3 cp s3://waybill-dev-orders-000000000000/reports/orders/mixed.json/" in shown


def test_a_file_may_be_called_anything(system, page):
    key = f"orders/{SCRIPT}.json"
    page.goto(system.console + "/files")
    page.get_by_role("link", name=key).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(key)
    expect(page.get_by_role("main")).to_contain_text(IMAGE)
    assert page.locator("img").count() == 0 and page.title() != "hacked"
    # For a shell, the name is one word.
    assert f"/reports/orders/{SCRIPT}.json".replace("'", r"'\''") in page.locator("pre.command").inner_text()


def test_an_order_leads_to_its_file(system, page):
    page.goto(system.console + "/orders/F-1")
    page.get_by_role("link", name="orders/mixed.json").click()
    expect(page.get_by_role("row").filter(has_text="orders/mixed.json")).to_be_visible()


def test_thousands_of_rejections_come_page_by_page(system, page):
    system.upload("orders/bad.jsonl", "\n".join(json.dumps({"orderId": f"B-{n}"}) for n in range(1_234)))
    page.goto(system.console + "/files?prefix=orders/bad")
    page.get_by_role("link", name="orders/bad.jsonl").click()
    assert page.locator("tbody tr").count() == 1_000
    page.get_by_role("link", name="Further rejections").click()
    assert page.locator("tbody tr").count() == 234
    expect(page.locator("tbody tr").first).to_contain_text("B-1000")
    expect(page.get_by_role("region", name="Rejected orders")).to_contain_text("page 2 of 2")


def test_an_import_under_way_says_so(system, page):
    version = "00000000-0000-0000-0000-000000000001"
    key = f"reports/orders/slow.json/{version}/progress.json"
    note = {"position": 70, "accepted": 60, "alreadyKnown": 4, "rejected": 6, "parts": 0}
    bucket = f"{system.aws}/waybill-dev-orders-000000000000"
    assert POOL.request("PUT", f"{bucket}/{key}", body=json.dumps(note).encode()).status == 200
    broken = f"reports/orders/other.json/{version}/report.json"
    assert POOL.request("PUT", f"{bucket}/{broken}", body=b"<html>").status == 200
    page.goto(system.console + "/files")
    expect(page.get_by_role("row").filter(has_text="orders/slow.json")).to_contain_text("under way")
    expect(page.get_by_role("row").filter(has_text="orders/other.json")).to_contain_text("unreadable")
    page.get_by_role("link", name="orders/slow.json").click()
    expect(page.get_by_role("heading", name="Orders so far")).to_be_visible()


def test_no_such_file_is_said(system, page):
    answer = page.goto(system.console + "/files/orders%2Fnothing.json/v")
    assert answer.status == 404
    expect(page.get_by_role("alert")).to_contain_text("nothing is known of the file orders/nothing.json")
    assert page.goto(system.console + "/files/orders%2Fnothing.json/v/raw").status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_file_can_be_read_by_everybody(system, open_page, scheme):
    page = open_page(color_scheme=scheme, viewport={"width": 360, "height": 800})
    for key in ("orders/mixed.json", f"orders/{SCRIPT}.json"):
        page.goto(system.console + "/files")
        page.get_by_role("link", name=key).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(key)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        found = [each["id"] for each in Axe().run(page).response["violations"]]
        assert found == []
