"""Requests at fault before their content is: routes, headers, sizes, states."""

import pytest

from client import new_id
from exact import json_text
from expect import conflict, problem
from orders import order, placed, update

BODY_BYTES_MAX = 256 * 1024


@pytest.mark.parametrize(
    "path",
    [
        "/orders/NOBODY-1",
        "/orders/NOBODY-1/history",
        "/shipments/NOBODY-1",
        "/shipments/NOBODY-1/log",
    ],
)
def test_what_is_not_there_is_not_found(client, path):
    problem(client.get(path), 404)


@pytest.mark.parametrize("act", ["complete", "cancel"])
def test_an_unknown_order_cannot_be_changed(client, act):
    problem(client.post(f"/orders/NOBODY-1/{act}", None, new_id("key")), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/order"),
        ("POST", "/orders/ORD-1"),
        ("POST", "/orders/ORD-1/explode"),
        ("POST", "/orders/ORD-1/complete/now"),
        ("POST", "/shipments/SHIP-1"),
        ("GET", "/shipments/SHIP-1/updates"),
        ("PUT", "/orders"),
        ("DELETE", "/orders/ORD-1"),
        ("PATCH", "/orders/ORD-1"),
        ("GET", "/orders/ORD-1/complete"),
        ("POST", "/orders/ORD-1/history"),
        ("GET", "/../../etc/passwd"),
        ("GET", "/_local/messages"),
    ],
)
def test_an_unknown_route_or_method_is_not_found(client, method, path):
    answer = client.request(method, path)
    assert answer.status in (404, 405), answer.text
    problem(answer, answer.status)


# An id in a path that is none.
BAD_IDS = ["%20a", "a%0A", "a%2Fb", "a%5Cb", "e%CC%81", "x" * 129, "%00", "%FF"]


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda text: text[:6])
@pytest.mark.parametrize("act", ["complete", "cancel"])
def test_a_bad_order_id_in_the_path_is_refused(client, bad, act):
    answer = client.post(f"/orders/{bad}/{act}", None, new_id("key"))
    assert answer.status in (400, 404), answer.text
    problem(answer, answer.status)


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda text: text[:6])
@pytest.mark.parametrize(
    "path", ["/orders/{}", "/orders/{}/history", "/shipments/{}", "/shipments/{}/log"]
)
def test_a_bad_id_is_not_looked_up(client, path, bad):
    answer = client.get(path.format(bad))
    assert answer.status in (400, 404), answer.text
    problem(answer, answer.status)


@pytest.mark.parametrize("body", ["{", "[]", "1", '{"reason":5}', '{"reason":["x"]}'])
def test_a_bad_reason_to_cancel_is_refused(client, body):
    order_id = placed(client)
    problem(client.post(f"/orders/{order_id}/cancel", body, new_id("key")), 400)
    assert len(client.history(order_id)) == 1


def test_a_reason_that_the_row_cannot_hold_beside_its_order_is_refused(client):
    order_id = placed(client, note="x" * 200_000)
    answer = client.cancel(order_id, "y" * 200_000, new_id("key"))
    problem(answer, 400, "reason")
    assert len(client.history(order_id)) == 1


@pytest.mark.parametrize("act", ["complete", "cancel"])
def test_a_closed_order_stays_closed(client, act):
    order_id = placed(client)
    closed = client.post(f"/orders/{order_id}/{act}", None, new_id("key")).ok()
    for again in ("complete", "cancel"):
        answer = client.post(f"/orders/{order_id}/{again}", None, new_id("key"))
        conflict(answer, version=2, status=closed["status"])
    assert len(client.history(order_id)) == 2


def test_an_order_of_other_content_under_a_taken_id_is_a_conflict(client):
    order_id = placed(client)
    other = order(orderId=order_id, customerId="somebody-else")
    conflict(client.place(other, new_id("key")), version=1, status="PROCESSING")
    assert client.order(order_id)["customerId"] == "customer123"


def test_a_version_that_has_passed_fails_the_precondition(client):
    order_id = placed(client)
    key = new_id("key")
    client.complete(order_id, key, {"If-Match": '"1"'}).ok()
    for act in (client.complete, client.cancel):
        problem(act(order_id, key=new_id("key"), headers={"If-Match": '"1"'}), 412)
    # The winner's own repeat is no rival of itself.
    client.complete(order_id, key, {"If-Match": '"1"'}).ok()


def test_a_version_that_is_not_there_yet_fails_the_precondition(client):
    order_id = placed(client)
    problem(client.complete(order_id, new_id("key"), {"If-Match": '"2"'}), 412)
    assert len(client.history(order_id)) == 1


def test_the_etag_of_a_row_is_what_if_match_takes(client):
    order_id = placed(client)
    client.order(order_id)
    etag = client.get(f"/orders/{order_id}").headers["etag"]
    assert etag == '"1"'
    client.complete(order_id, new_id("key"), {"If-Match": etag}).ok()


@pytest.mark.parametrize("match", ["one", '"one"', '"', '"-1"', '"1.5"', '"1'])
def test_an_if_match_that_is_no_version_is_refused(client, match):
    order_id = placed(client)
    problem(client.complete(order_id, new_id("key"), {"If-Match": match}), 400)
    assert len(client.history(order_id)) == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 2_000], ids=["empty", "blank", "long"])
def test_an_odd_key_is_refused_or_kept_but_never_cut(client, key):
    customer = new_id("customer")
    answer = client.place(order(customerId=customer), key)
    if answer.status == 200:
        other = client.place(order(customerId=customer), key + new_id("k")).ok()
        assert other["orderId"] != answer.json["orderId"]
    else:
        problem(answer, 400)


def padded(body: dict, size: int) -> str:
    text = json_text(body)
    return text[:-1] + " " * (size - len(text.encode())) + "}"


@pytest.mark.parametrize("over", [1, 1_000, 3_000_000])
def test_a_body_over_256_kib_is_too_large(client, over):
    for path, body in (
        ("/orders", order()),
        ("/orders/ORD-1/cancel", {"reason": "x"}),
        ("/shipments/SHIP-1/updates", update("SHIP-1")),
    ):
        text = padded(body, BODY_BYTES_MAX + over)
        problem(client.post(path, text, new_id("key")), 413)


def test_a_body_of_exactly_256_kib_is_read(client):
    client.place(padded(order(), BODY_BYTES_MAX), new_id("key")).ok()


def test_a_key_with_another_body_is_refused(client):
    key, order_id = new_id("key"), new_id("ORD")
    client.place(order(orderId=order_id), key).ok()
    changed = order(orderId=order_id, customerId="other")
    problem(client.place(changed, key), 422)
    problem(client.cancel(order_id, key=key), 422)
    assert len(client.history(order_id)) == 1


def test_a_key_with_another_body_is_refused_where_the_key_made_the_id(client):
    key = new_id("key")
    first = client.place(order(), key).ok()
    problem(client.place(order(note="changed"), key), 422)
    assert client.place(order(), key).ok() == first


def test_problems_are_told_apart_by_a_stable_code(client):
    order_id = placed(client)
    client.complete(order_id, new_id("key")).ok()
    codes = {
        problem(client.place("{"), 400)["code"],
        problem(client.get("/orders/NOBODY-1"), 404)["code"],
        problem(client.complete(order_id, new_id("key")), 409)["code"],
        problem(client.complete(order_id, "k", {"If-Match": '"9"'}), 412)["code"],
    }
    assert len(codes) == 4


def test_an_answer_does_not_grow_with_what_was_sent(client):
    for nasty in ("<script>alert(1)</script>", "\x1b[31m", "x" * 10_000):
        answer = client.place(order(currency=nasty), new_id("key"))
        problem(answer, 400, "currency")
        assert len(answer.text) < 2_000
        assert "\x1b" not in answer.text


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        ('{"orderId":"A","orderId":"B","items":[]}', "orderId"),
        ('{"items":[{"name":"x","quantity":1,"pric\\u0065":1,"price":2}]}', "items[0].price"),
        ('{"note":{"deep":[{"a":1,"b":2,"a":1}]},"items":[]}', "note.deep[0].a"),
    ],
)
def test_a_member_that_stands_twice_is_refused_by_name(client, body, twice):
    for path in ("/orders", f"/shipments/{new_id('SHIP')}/updates"):
        told = problem(client.post(path, body, new_id("key")), 400, twice)
        assert told["code"] == "duplicate_member"


def test_a_byte_order_mark_is_passed_over(client):
    body = "\ufeff" + json_text(order(orderId=new_id("ORD")))
    client.post("/orders", body, new_id("key")).ok()
