"""Dead letters: whether another try is of any use, what became of a try, and one discarded."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import broken as things
from conftest import IMAGE, place, quoted
from running import BINARY, AwsBetween, System
from test_errands import command, main_of, retried

HOPELESS, HOPEFUL = "cannot succeed as it is", "may succeed when tried again"


def at(system, letter: str) -> str:
    return f"{system.console}/stuck/letter?place=message&name={quoted(letter)}"


def bodies(system) -> list[str]:
    """What lies in the queue."""
    letters = things.POOL.request("GET", system.aws + "/_local/dead-letters").json()["deadLetters"]
    return [str(each) for each in letters]


def test_a_letter_says_whether_another_try_is_of_any_use(own, page):
    wrong = things.send(own, command("W-1", totalAmount=4), reason="total_mismatch")
    outage = things.send(own, command("W-2"), reason="unavailable")
    unknown = things.send(own, command("W-3"), reason="of_a_later_build")
    for letter, prospect, other in (
        (wrong, HOPELESS, HOPEFUL),
        (outage, HOPEFUL, HOPELESS),
        (unknown, HOPEFUL, HOPELESS),
    ):
        page.goto(at(own, letter))
        expect(main_of(page)).to_contain_text(prospect)
        expect(main_of(page)).not_to_contain_text(other)
        discard = page.get_by_role("link", name="Discard")
        assert discard.count() == (prospect == HOPELESS)
    page.goto(own.console + "/stuck")
    for reason, prospect in (("total_mismatch", HOPELESS), ("unavailable", HOPEFUL)):
        group = page.locator("section section", has_text=reason)
        expect(group.locator("p", has_text=prospect)).to_have_count(1)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_letter_that_cannot_succeed_is_discarded_after_it_was_said_what_is_lost(
    own, open_page, scripts
):
    page = open_page(java_script_enabled=scripts)
    note = "12 Elm Street"
    kept = things.send(own, command("D-2"), reason="unavailable")
    letter = things.send(own, command("D-1", totalAmount=4, note=note), reason="total_mismatch")
    page.goto(at(own, letter))
    page.get_by_role("link", name="Discard").click()
    main = main_of(page)
    for text in ("What is lost", "order#D-1", "total_mismatch", "removed from the queue for ever", letter):
        expect(main).to_contain_text(text)
    expect(main).to_contain_text(f"waybill dead-letters --payload {letter}")
    expect(main).not_to_contain_text(note)
    assert len(bodies(own)) == 2, "nothing was removed by asking"
    page.get_by_role("link", name="Show its content first").click()
    expect(page.locator("pre.content")).to_contain_text(note)
    page.go_back()
    page.get_by_role("button", name="Yes: discard it").click()
    expect(main.get_by_role("status")).to_contain_text("Discarded: the dead letter about order#D-1")
    (left,) = bodies(own)
    assert "D-2" in left and "D-1" not in left
    page.goto(at(own, letter))
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")
    page.goto(at(own, kept))
    expect(main).to_contain_text("order#D-2")
    # It is logged who did it, what it was about and why, and nothing of its content.
    (line,) = [it for it in log_of(own).splitlines() if "was discarded" in it]
    for text in ("local operator", "order#D-1", "total_mismatch", letter):
        assert text in line, line
    assert note not in log_of(own)


def log_of(system) -> str:
    return (system.folder / "data/waybill.log").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_asks_before_can_be_read_by_everybody(own, open_page, scheme):
    page = open_page(color_scheme=scheme, viewport={"width": 360, "height": 800})
    letter = things.send(own, command(IMAGE, totalAmount=4), reason="total_mismatch")
    for url in (at(own, letter), f"{own.console}/stuck/letter/discard?name={letter}"):
        page.goto(url)
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] != "minor"] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, url
        assert page.locator("img").count() == 0


def test_what_may_succeed_is_not_discarded(own, page):
    letter = things.send(own, command("K-1"), reason="unavailable")
    page.goto(f"{own.console}/stuck/letter/discard?name={letter}")
    expect(main_of(page)).to_contain_text("It is not discarded, since it may succeed")
    assert page.get_by_role("button", name="discard").count() == 0
    # Nor by who makes the form themselves.
    page.goto(own.console + "/stuck")
    token = page.locator("input[name=token]").first.get_attribute("value")
    for confirmed in ("", "&confirmed=yes"):
        answer = page.request.post(
            f"{own.console}/stuck/letter/discard?name={letter}",
            data=f"token={token}{confirmed}",
            headers={"content-type": "application/x-www-form-urlencoded", "origin": own.console},
            max_redirects=0,
        )
        assert answer.status == (400 if confirmed else 303), answer.text()
    assert len(bodies(own)) == 1


def test_who_may_not_discard_is_told_which_action_and_policy_are_missing(own, console, page):
    letter = things.send(own, command("N-1"), reason="order_closed")
    aws = AwsBetween(own.aws)
    shown = console(own.api, "--endpoint-url", aws.url)
    page.goto(f"{shown.url}/stuck/letter/discard?name={letter}")
    aws.denied = "AmazonSQS.DeleteMessage"
    page.get_by_role("button", name="Yes: discard it").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("sqs:DeleteMessage", timeout=20_000)
    expect(alert).to_contain_text("The policy waybill-dev-operator lets them")
    expect(main_of(page)).to_contain_text("Nothing was changed")
    aws.stop()
    assert len(bodies(own)) == 1


def test_production_lets_only_who_may_change_discard(tmp_path, page):
    prod = System(tmp_path / "prod", "--env", "prod")
    letter = things.send(prod, command("P-1"), reason="order_closed")
    page.goto(at(prod, letter))
    expect(main_of(page)).to_contain_text(HOPELESS)
    assert page.get_by_role("link", name="Discard").count() == 0
    page.goto(f"{prod.console}/stuck/letter/discard?name={letter}")
    expect(main_of(page)).to_contain_text("started without --allow-changes")
    assert page.get_by_role("button", name="discard").count() == 0
    assert prod.stop() == 0


# What became of a try.


@pytest.mark.parametrize("scripts", [True, False])
def test_a_retry_of_a_group_names_the_orders_and_not_the_messages(own, open_page, scripts):
    page = open_page(java_script_enabled=scripts)
    letters = [things.send(own, things.shipment_event(f"G-{n}"), reason="unavailable") for n in (1, 2)]
    things.send(own, things.shipment_event(IMAGE), reason="unavailable")
    page.goto(own.console + "/stuck")
    page.get_by_role("button", name="Retry all 3").click()
    main = main_of(page)
    for _ in range(60):
        again = page.get_by_role("link", name="look again")
        if scripts or "3 set going again" in main.inner_text():
            break
        page.wait_for_timeout(300)
        if again.count():
            again.click()
    expect(main).to_contain_text("3 set going again", timeout=60_000)
    for number, letter in enumerate(letters, 1):
        row = page.locator("#now tr", has_text=f"shipment#G-{number}")
        expect(row.get_by_role("link", name=f"shipment#G-{number}")).to_have_attribute(
            "href", f"/shipments/G-{number}"
        )
        expect(row.locator("small")).to_have_text(letter)
    assert page.locator("img").count() == 0


def test_one_that_is_refused_again_is_a_new_letter_with_a_new_id(own, page):
    old = things.send(own, command("R-9", totalAmount=4), reason="unavailable")
    retried(own, page, old)
    main = main_of(page)
    expect(main).to_contain_text("as a new dead letter with a new id", timeout=30_000)
    row = page.locator("#now tbody tr")
    expect(row).to_contain_text("dead letter about order#R-9")
    expect(row.locator("small")).to_have_text(old)
    link = main.get_by_role("link", name="the new dead letter")
    new = link.locator("code").inner_text()
    assert re.fullmatch("[0-9a-f-]{36}", new) and new != old
    link.click()
    expect(main).to_contain_text(new)
    expect(main).to_contain_text(HOPELESS)
    page.goto(at(own, old))
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such thing")


def test_a_batch_of_the_stream_is_named_by_its_orders(own, page):
    place(own, "batch")
    key = things.letter(own, "project", things.commits(own, "order#batch"))
    page.goto(f"{own.console}/stuck/letter?place=stream&name={quoted(key)}")
    assert page.get_by_role("link", name="Discard").count() == 0
    page.get_by_role("button", name="Retry").click()
    row = page.locator("#now tbody tr")
    expect(row).to_contain_text("dead letter of the stream about order#batch", timeout=30_000)
    expect(row.locator("small")).to_have_text(key)
