"""Nobody but the console's own pages changes anything; production wants to be asked twice."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import expect

from conftest import place
from running import POOL, System

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def stranger():
    """A site of somebody else, with a page to be set."""

    class Handler(BaseHTTPRequestHandler):
        page = b""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(Handler.page)

        def log_message(self, *_args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.url = f"http://127.0.0.1:{server.server_port}"
    yield Handler
    server.shutdown()
    server.server_close()


def token_of(page) -> str:
    return page.locator("input[name=token]").first.get_attribute("value")


def test_a_form_of_another_site_does_nothing(system, page, stranger):
    place(system, "foreign-form")
    page.goto(system.console + "/orders/foreign-form")
    # Even one that has found out the token.
    stranger.page = f"""<form id=f method=post action="{system.console}/orders/foreign-form/complete">
        <input name=token value="{token_of(page)}"><button>Win</button></form>""".encode()
    page.goto(stranger.url)
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("another site")
    assert system.row("/orders/foreign-form")["version"] == 1


def test_a_frame_shows_nothing(system, browser, stranger):
    stranger.page = f"<iframe src='{system.console}/orders'></iframe>".encode()
    page = browser.new_page()
    page.goto(stranger.url)
    page.wait_for_timeout(500)
    assert page.frames[1].locator("text=Orders").count() == 0
    page.close()


def test_a_script_of_another_site_reads_nothing(system, browser, stranger):
    stranger.page = b"<p>hello</p>"
    page = browser.new_page()
    page.goto(stranger.url)
    read = page.evaluate(
        "url => fetch(url, {credentials: 'include'}).then(() => 'read', () => 'nothing')",
        system.console + "/orders",
    )
    assert read == "nothing"
    page.close()


def sent(system: System, path: str, body: str, **headers: str) -> int:
    answer = POOL.request(
        "POST",
        system.console + path,
        body=body,
        headers=FORM | {"origin": system.console} | headers,
        redirect=False,
    )
    return answer.status


def test_a_change_wants_the_token_of_its_own_session(system, page, open_page):
    place(system, "token")
    page.goto(system.console + "/orders/token")
    other = open_page()
    other.goto(system.console + "/orders/token")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    own = {"cookie": f"{cookie['name']}={cookie['value']}"}
    path, good = "/orders/token/complete", f"token={token_of(page)}&key=console-1"
    assert sent(system, path, "key=console-1", **own) == 403
    assert sent(system, path, "token=&key=console-1", **own) == 403
    assert sent(system, path, f"token={token_of(other)}", **own) == 403
    assert sent(system, path, good) == 403
    assert sent(system, path, good, **own, **{"content-type": "text/plain"}) == 415
    assert sent(system, path, good, **own, origin="null") == 403
    assert sent(system, path, good, **own, **{"sec-fetch-site": "cross-site"}) == 403
    assert sent(system, path, good + "&reason=" + "x" * 70_000, **own) == 413
    assert system.row("/orders/token")["version"] == 1
    assert sent(system, path, good, **own) == 303
    assert system.row("/orders/token")["status"] == "PROCESSED"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:4580", "10.0.0.1"])
def test_a_foreign_host_sees_nothing(system, host):
    answer = POOL.request("GET", system.console + "/orders", headers={"host": host})
    assert answer.status == 403 and b"many" not in answer.data


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(system, method):
    assert POOL.request(method, system.console + "/orders/R-1").status == 405


def test_a_change_by_get_is_none(system):
    place(system, "by-get")
    answer = POOL.request("GET", system.console + "/orders/by-get/complete")
    assert answer.status in (404, 405)
    assert system.row("/orders/by-get")["version"] == 1


def test_production_is_red_and_changes_nothing_unless_told_so(system, console, page):
    place(system, "prod-1")
    prod = console(system.api, "--env", "prod")
    page.goto(prod.url + "/orders/prod-1")
    environment = page.locator(".env")
    expect(environment).to_contain_text("prod")
    expect(environment).to_contain_text("read only")
    assert environment.evaluate("it => getComputedStyle(it).backgroundColor") == "rgb(179, 32, 31)"
    expect(page.get_by_role("main")).to_contain_text("--allow-changes")
    assert page.locator("form.change").count() == 0
    # Nor for whoever sends the form all the same.
    open_console = console(system.api)
    page.goto(open_console.url + "/orders/prod-1")
    page.goto(prod.url + "/orders/prod-1")
    (cookie,) = [it for it in page.context.cookies() if it["name"].endswith(prod.url[-5:])]
    headers = FORM | {"cookie": f"{cookie['name']}={cookie['value']}", "origin": prod.url}
    answer = POOL.request(
        "POST", prod.url + "/orders/prod-1/complete", body="token=x", headers=headers
    )
    assert answer.status == 403
    assert system.row("/orders/prod-1")["version"] == 1


def test_production_asks_before_it_changes_anything(system, console, page):
    place(system, "prod-2")
    prod = console(system.api, "--env", "prod", "--allow-changes")
    page.goto(prod.url + "/orders/prod-2")
    page.get_by_label("Reason").fill("fraud")
    page.get_by_role("button", name="Cancel the order").click()
    repeats = page.get_by_role("main")
    expect(repeats).to_contain_text("In prod: order prod-2 becomes CANCELLED, and stays it")
    expect(page.get_by_label("Reason")).to_have_value("fraud")
    assert system.row("/orders/prod-2")["version"] == 1
    page.get_by_role("button", name="Yes: Cancel the order").click()
    expect(page.get_by_role("status").first).to_contain_text("CANCELLED, version 2")
    assert system.row("/orders/prod-2")["cancelReason"] == "fraud"
