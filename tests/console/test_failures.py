"""A backend that is slow, lost or another: pages say so, how to go on, and keep what was typed."""

import time

import pytest
from playwright.sync_api import expect

from conftest import place
from running import Between


@pytest.mark.parametrize("scripts", [True, False])
def test_a_slow_page_says_after_a_second_what_it_waits_for(between, console, open_page, scripts):
    slow = console(between.url)
    between.delay = 2.5
    page = open_page(java_script_enabled=scripts)
    begun = time.monotonic()
    page.goto(slow.url + "/orders/R-1", wait_until="commit")
    waiting = page.get_by_text("Waiting for the order R-1 from")
    expect(waiting).to_be_visible()
    assert 0.9 < time.monotonic() - begun < 2.4
    expect(waiting).to_contain_text(between.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("R-1", timeout=10_000)
    expect(waiting).to_be_hidden()


def test_a_page_that_is_quick_says_nothing_of_waiting(system, page):
    page.goto(system.console + "/orders/R-1")
    assert page.locator(".waiting").count() == 0


def test_a_slow_change_ends_on_its_page(system, between, console, page):
    place(system, "slow-change")
    slow = console(between.url)
    page.goto(slow.url + "/orders/slow-change")
    between.delay = 1.5
    page.get_by_role("button", name="Complete").click()
    expect(page.get_by_text("Stored: the order is PROCESSED")).to_be_visible(timeout=15_000)


def test_a_backend_that_never_answers_is_given_up(between, console, page):
    slow = console(between.url)
    between.delay = 40
    begun = time.monotonic()
    page.goto(slow.url + "/orders")
    assert 14 < time.monotonic() - begun < 21
    expect(page.get_by_role("alert")).to_contain_text("no answer from")
    between.delay = 0


def test_a_lost_backend_says_where_it_should_be_and_how_to_go_on(console, page):
    api = Between("http://127.0.0.1:9")
    api.stop()
    lost = console(api.url)
    for path in ("/orders", "/orders/R-1", "/orders/R-1/history", "/shipments", "/find?q=R-1"):
        answer = page.goto(lost.url + path)
        assert answer.status == 502, path
        expect(page.get_by_role("heading", level=1)).to_have_text("Waybill does not answer")
        expect(page.get_by_role("alert")).to_contain_text(api.url)
        expect(page.get_by_role("main")).to_contain_text("make run")
        assert page.get_by_role("link", name="Try again").get_attribute("href") == path


def test_a_change_whose_answer_is_lost_can_be_sent_again_without_harm(system, console, page):
    place(system, "lost-answer")
    api = Between(system.api)
    lost = console(api.url)
    page.goto(lost.url + "/orders/lost-answer")
    page.get_by_label("Reason").fill("water damage")
    lost_once = []

    def answer_is_lost(method: str, path: str) -> None:
        if method == "POST" and not lost_once:
            lost_once.append(path)
            # It is carried out, and nobody hears of it.
            between_headers = {"idempotency-key": key, "if-match": '"1"'}
            system.send(path, '{"reason":"water damage"}', **between_headers)
            raise ConnectionResetError

    key = page.locator("input[name=key]").last.get_attribute("value")
    api.before = answer_is_lost
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_role("main")).to_contain_text("It is not known whether it has happened")
    expect(page.get_by_label("Reason")).to_have_value("water damage")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_role("status").first).to_contain_text("CANCELLED, version 2")
    assert len(system.row("/orders/lost-answer/history")["events"]) == 2
    api.stop()


def test_what_is_no_waybill_is_told(console, page, tmp_path):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>It works!</h1>")

        def log_message(self, *_args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    other = console(f"http://127.0.0.1:{server.server_port}")
    page.goto(other.url + "/orders")
    expect(page.get_by_role("alert")).to_contain_text("Is it Waybill, and the same version?")
    server.shutdown()
    server.server_close()
